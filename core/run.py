"""A walk of a model along a path, kept step by step and taken up again anywhere: what all runs have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from core.denoiser import Denoiser
from core.errors import Refusal
from core.levels import Level, Path
from core.library import Check, Model
from core.requests import SamplerSpec
from core.samplers import Before, Step, StepNoise
from core.steering import Guidance, condition_of, denoiser_of, on_device
from core.store import Trajectory

_UNKEPT_BYTES = 64 * 2**20


def nothing() -> None:
    pass


@dataclass(slots=True)
class _Checks:
    """Held by a run and its denoiser, so that neither holds the other and memory goes with the last reference."""

    within: Check = nothing
    between_batches: Check = nothing


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """``done`` steps of some work are made; ``step`` is the last, one of ``run``. Of a morph, ``run`` takes ``frames``
    down, or the end points' pictures up where there are none."""

    done: int
    run: Run
    step: Step
    frames: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Exact:
    """A state to the bit: x on the device, and what a walk from there goes on with: the noise generator's state (None
    without noise), and what a multistep sampler saw a step before."""

    x: Tensor
    noise_state: Tensor | None
    before: Before | None = None


class Work(Protocol):
    """What one request of a person comes to: a run, or the many runs of a morph."""

    @property
    def path(self) -> Path: ...

    @property
    def total(self) -> int:
        """Steps in all."""
        ...

    @property
    def nbytes(self) -> int:
        """What the kept states take."""
        ...

    def watch(self, within: Check, between_batches: Check | None = None) -> None: ...

    def work(self) -> Iterator[Made]:
        """Walk everything, keeping every state."""
        ...

    @property
    def parts(self) -> tuple[Run, ...]:
        """All that others may begin from."""
        ...

    def run_of(self, frame: int | None) -> tuple[Run, slice] | None:
        """The run that holds a frame's states, and which of its samples they are; without a frame all of them."""
        ...


class Run(ABC):
    """A walk whose every state is kept, or can be replayed to the bit.

    Attributes: ``model``; ``path`` (steps + 1 levels); ``trajectory``.
    """

    def __init__(
        self,
        model: Model,
        path: Path,
        count: int,
        device: str,
        *,
        labels: tuple[int | None, ...],
        guidance: Guidance,
        sampler: SamplerSpec,
        precision: str,
        noise: StepNoise | None,
        cap: int,
    ) -> None:
        """Raises: Refusal where the model knows no such labels, or cannot be guided."""
        self.model = model
        self.path = path
        self._remembers = sampler.name == "dpmpp"
        shape = (count, *model.info.event_shape)
        self.trajectory = Trajectory(len(path) - 1, shape, cap, remembers=self._remembers)
        self._device = device
        self._came_from: Level | None = None
        self._noise = noise
        self._condition = on_device(condition_of(model.info, labels, count), device)
        self._lost: int | None = None
        """The first state with values that are no numbers."""
        self._unkept: list[tuple[int, Tensor, Tensor | None, Tensor | None]] = []
        self._checks = checks = _Checks()

        def denoiser(watched: bool) -> Denoiser:
            return denoiser_of(
                model,
                device,
                precision,
                guidance,
                sampler,
                between_batches=lambda: checks.between_batches(),
                within=lambda: checks.within(),
                watched=watched,
            )

        self._denoise, self._look = denoiser(watched=False), denoiser(watched=True)

    @property
    @abstractmethod
    def sha256(self) -> str:
        """The hash of its request, by which others name it."""

    @property
    def total(self) -> int:
        return self.trajectory.steps

    @property
    def nbytes(self) -> int:
        return self.trajectory.nbytes

    @property
    def parts(self) -> tuple[Run, ...]:
        return (self,)

    def run_of(self, frame: int | None) -> tuple[Run, slice] | None:
        return (self, slice(None)) if frame is None else None

    def work(self) -> Iterator[Made]:
        for step in self.steps():
            yield Made(step.index + 1, self, step)

    @abstractmethod
    def _begin(self) -> Exact:
        """State 0, on the device."""

    @abstractmethod
    def _steps_from(self, x: Tensor, first: int, before: Before | None) -> Iterator[Step]:
        """The steps from state ``first``, which is x; ``before`` is what a multistep sampler saw ahead of it."""

    def watch(self, within: Check, between_batches: Check | None = None) -> None:
        """Whom to ask whether to go on: ``within`` a network evaluation (it may raise ``Cancelled``, nothing else) and
        ``between_batches``, where others may be served as well; by default the same."""
        self._checks.within, self._checks.between_batches = within, between_batches or within

    @contextmanager
    def watched_by(self, within: Check) -> Iterator[None]:
        """For looking at a run, or replaying it, on behalf of somebody else."""
        before = self._checks.within, self._checks.between_batches
        self.watch(within)
        try:
            yield
        finally:
            self.watch(*before)

    def steps(self) -> Iterator[Step]:
        """Begin, and walk to the end, keeping every state; each item is a step that has been made."""
        try:
            yield from self._walk(self._begin(), first=0, keep=True)
        finally:
            self.flush()

    def replay_to(self, step: int) -> None:
        """Walk from the start until state ``step`` is there."""
        for made in self.steps():
            if made.index + 1 >= step:
                return

    def exact(self, step: int) -> Exact:
        """State ``step`` to the bit; replayed where only half precision is kept. The run must have come that far."""
        if not 0 <= step < len(self.trajectory):
            raise Refusal(f"The run has no state {step}: it holds states 0 to {len(self.trajectory) - 1}.")
        key, frame, state = self.trajectory.key_frame_at_or_before(step)
        noise_state = None if state is None else torch.from_numpy(np.array(state))
        x = torch.from_numpy(np.array(frame)).to(self._device)
        start = Exact(x, noise_state, self._kept_before(key))
        if key == step:
            return start
        current = self._noise_state()
        try:
            self._restore_noise(noise_state)
            for made in self._walk(start, first=key, keep=False):
                if made.index + 1 == step:
                    return Exact(made.x_next, self._noise_state(), self._before(made))
        finally:
            self._restore_noise(current)
        raise AssertionError("the walk ended before the step it was asked for")

    def predict(self, step: int, cells: slice = slice(None)) -> Step:
        """What the network sees in state ``step`` of some samples, if it is stored: a step that leads nowhere."""
        with torch.inference_mode():
            stored = self.trajectory.has(step)
            whole = torch.from_numpy(np.array(self.trajectory.frame(step))) if stored else self.exact(step).x.cpu()
            x, level = whole[cells], self.path[step]
            condition = None if self._condition is None else self._condition[cells]
            prediction = self._look(x.to(self._device), level, condition)
            return Step(step, level, level, x, x, prediction)

    def _walk(self, start: Exact, first: int, keep: bool) -> Iterator[Step]:
        walk = self._steps_from(start.x, first, start.before)
        if keep:
            self._came_from = start.before.level if start.before is not None else None
            self._keep(first, start.x, start.before)
        while True:
            with torch.inference_mode():
                step = next(walk, None)
            if step is None:
                return
            if keep:
                self._keep(step.index + 1, step.x_next, self._before(step))
            yield step

    def refuse_no_numbers(self) -> None:
        """Raises Refusal where a walk that began with numbers has come to a state with values that are none."""
        if self._lost:
            raise Refusal(
                f"From state {self._lost} of {self.trajectory.steps} on the values are no longer numbers; the states "
                "before can be looked at. Try weaker guidance, float32, or clipping. Where that changes nothing, the "
                "model itself is damaged."
            )

    def flush(self) -> None:
        """Bring the states that still lie on the device into the trajectory: the one place where the host waits."""
        for step, x, state, before in self._unkept:
            values = x.cpu().numpy()
            if self._lost is None and not np.isfinite(values).all():
                self._lost = step
            self.trajectory.put(
                step,
                values,
                None if state is None else state.numpy(),
                None if before is None else before.cpu().numpy(),
            )
        self._unkept.clear()

    def _keep(self, step: int, x: Tensor, before: Before | None) -> None:
        is_key = self.trajectory.is_key(step)
        kept = before.x0_hat if is_key and before is not None else None
        self._unkept.append((step, x, self._noise_state() if is_key else None, kept))
        if x.device.type == "cpu" or len(self._unkept) * x.nbytes > _UNKEPT_BYTES or step == self.trajectory.steps:
            self.flush()

    def _before(self, step: Step) -> Before | None:
        return Before(step.level, step.prediction.x0_hat) if self._remembers else None

    def _kept_before(self, key: int) -> Before | None:
        x0_hat = self.trajectory.before(key)
        level = self.path[key - 1] if key else self._came_from
        if x0_hat is None or level is None:
            return None
        return Before(level, torch.from_numpy(np.array(x0_hat)).to(self._device))

    def _noise_state(self) -> Tensor | None:
        return None if self._noise is None else self._noise.state()

    def _restore_noise(self, state: Tensor | None) -> None:
        if self._noise is not None and state is not None:
            self._noise.restore(state)
