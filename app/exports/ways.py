"""What can be gone through state by state and written so: a run, the forward process, the frames of a morph."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from app.stages.forward_scene import ForwardScene, noise_request
from app.state import Run
from core.forward import Forward, shown_picture
from core.images import OpenedImage
from core.messages import Gathered
from core.recipe import Quantity, Recipe, Shown
from core.requests import GatherStep, MorphRequest, SampleRequest

if TYPE_CHECKING:
    from app.bridge import Bridge

Pixels = NDArray[np.uint8]

WORDS: Mapping[Quantity, str] = {"x_t": "x_t", "x0_hat": "x̂₀", "eps_hat": "ε̂", "eps": "ε"}


@dataclass(frozen=True)
class State:
    """Pictures uint8 (n, H, W, C) and numbers float32 (n, *event_shape) by quantity, as far as they were asked for."""

    pictures: Mapping[Quantity, Pixels] = field(default_factory=dict)
    values: Mapping[Quantity, NDArray[Any]] = field(default_factory=dict)

    def cut(self, cells: Sequence[int], quantities: Sequence[Quantity], numbers: bool) -> State:
        """What is needed of it, so that the rest can go."""
        found: Mapping[Quantity, NDArray[Any]] = self.values if numbers else self.pictures
        kept = {name: np.asarray(found[name])[list(cells)] for name in quantities if name in found}
        return State(values=kept) if numbers else State(pictures=kept)


class Way(ABC):
    """States in an order.

    Attributes: ``name``, whose they are; ``along``, what they follow; ``captions`` of the states, whose ``times`` are
    written into files of numbers; ``current``, the one looked at; ``count`` of samples in each, of which ``cell`` is
    looked at alone, or None; ``quantities`` that have pictures, and ``tensors``, those that have numbers.
    """

    name: str
    along: str
    captions: tuple[str, ...]
    times: tuple[float, ...]
    current: int
    count: int = 1
    cell: int | None = None
    quantities: tuple[Quantity, ...] = ("x_t", "x0_hat")
    tensors: tuple[Quantity, ...] = ("x_t", "x0_hat", "eps_hat")

    @abstractmethod
    def find(self, position: int, quantities: Sequence[Quantity], numbers: bool) -> State | None:
        """A state, at once and from any thread; None where the engine must be asked."""

    def question(self, position: int) -> GatherStep | None:
        """What the engine is asked for a state."""
        return None

    @abstractmethod
    def recipe(self, positions: Sequence[int], quantity: Quantity, cells: Sequence[int]) -> Recipe | None:
        """How pictures of these states are made again, one after the other."""


class RunWay(Way):
    """The states of a run, or of one frame of a morph, as far as there are."""

    along = "diffusion time"

    def __init__(self, bridge: Bridge, run: Run, step: int, cell: int | None = None, frame: int | None = None) -> None:
        self._bridge, self._run, self._frame = bridge, run, frame
        self.current = min(step, run.steps)
        self.cell = cell
        levels = run.path[: (run.steps if frame is not None else run.stored) + 1]
        self.times = tuple(level.t for level in levels)
        self.captions = tuple("data" if level.is_clean else f"t = {level.t:.0f}" for level in levels)
        request = run.request
        if isinstance(request, MorphRequest):
            self.name, self.count = f"morph {run.job}, frame {1 + (frame or 0)}", 1
        else:
            self.name = f"run {run.job}"
            self.count = len(request.samples) if isinstance(request, SampleRequest) else len(request.images)

    def find(self, position: int, quantities: Sequence[Quantity], numbers: bool) -> State | None:
        clean = self._run.path[position].is_clean
        if not clean and set(quantities) != {"x_t"}:
            return None
        both: tuple[Quantity, ...] = ("x_t", "x0_hat") if clean else ("x_t",)
        if numbers:
            values = self._bridge.values(self._run.job, position, self._frame)
            return None if values is None else State(values=dict.fromkeys(both, values))
        stored = self._bridge.frame(self._run.job, position, self._frame)
        return None if stored is None else State(pictures=dict.fromkeys(both, stored.x_t))

    def question(self, position: int) -> GatherStep | None:
        return GatherStep(self._run.job, position, self._frame)

    def recipe(self, positions: Sequence[int], quantity: Quantity, cells: Sequence[int]) -> Recipe:
        chosen = tuple(cells) if self._frame is None else (self._frame,)
        return Recipe(self._run.request, Shown(quantity, positions[-1], chosen, steps=tuple(positions)))


class ForwardWay(Way):
    """A picture on its way into noise: every t of the schedule."""

    along = "diffusion time"
    quantities = ("x_t",)
    tensors = ("x_t", "eps")

    def __init__(self, image: OpenedImage, scene: ForwardScene, t: int, seed: int, normalised: bool) -> None:
        self._image, self._scene, self._seed, self._normalised = image, scene, seed, normalised
        self._forward = Forward(scene.x0[0], scene.schedule, seed)  # its own, for it is used in a worker
        self.name = image.name
        self.times = tuple(map(float, range(scene.schedule.T)))
        self.captions = tuple(f"t = {t}" for t in range(scene.schedule.T))
        self.current = t

    def find(self, position: int, quantities: Sequence[Quantity], numbers: bool) -> State | None:
        x = self._forward.at(position)
        if numbers:
            eps = self._forward.eps
            return State(values={"x_t": x.transpose(2, 0, 1)[None], "eps": eps.transpose(2, 0, 1)[None]})
        return State(pictures={"x_t": shown_picture(x, self._normalised)[None]})

    def recipe(self, positions: Sequence[int], quantity: Quantity, cells: Sequence[int]) -> Recipe:
        image, spec = self._image, self._scene.schedule.spec
        request = noise_request(image, self._scene, spec, positions[0], self._seed)
        shown = Shown(quantity, normalised=self._normalised)
        return Recipe(replace(request, timesteps=tuple(positions)), shown)


class MorphWay(Way):
    """The finished ``frames`` of a morph from end point to end point."""

    along = "the morph"
    quantities = ("x_t",)
    tensors = ("x_t",)

    def __init__(self, bridge: Bridge, run: Run, frame: int, names: Sequence[str], frames: Sequence[int]) -> None:
        self._bridge, self._run, self._frames = bridge, run, tuple(frames)
        self.name = f"morph {run.job}"
        self.captions = tuple(names[found] for found in self._frames)
        self.times = tuple(map(float, self._frames))
        self.current = self._frames.index(frame) if frame in self._frames else 0

    def find(self, position: int, quantities: Sequence[Quantity], numbers: bool) -> State | None:
        job, step, frame = self._run.job, self._run.steps, self._frames[position]
        if numbers:
            values = self._bridge.values(job, step, frame)
            return None if values is None else State(values={"x_t": values})
        stored = self._bridge.frame(job, step, frame)
        return None if stored is None else State(pictures={"x_t": stored.x_t})

    def question(self, position: int) -> GatherStep:
        return GatherStep(self._run.job, self._run.steps, self._frames[position])

    def recipe(self, positions: Sequence[int], quantity: Quantity, cells: Sequence[int]) -> Recipe:
        frames = tuple(self._frames[position] for position in positions)
        return Recipe(self._run.request, Shown(quantity, self._run.steps, frames))


def state_of(message: Gathered) -> State:
    """What the engine has said of a state."""
    pictures: dict[Quantity, Any] = {"x_t": message.x_t, "x0_hat": message.x0_hat}
    values: dict[Quantity, Any] = {
        "x_t": message.x_t_values,
        "x0_hat": message.x0_hat_values,
        "eps_hat": message.eps_hat,
    }
    return State(
        {name: found for name, found in pictures.items() if found is not None},
        {name: found for name, found in values.items() if found is not None},
    )
