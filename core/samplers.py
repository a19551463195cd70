"""Samplers: each walks a path of noise levels, one network evaluation and one ``Step`` at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from core.denoiser import Condition, Denoiser, Prediction
from core.levels import Level, Path
from core.process import ddim_step, posterior, transition_variance
from core.requests import VarianceName


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """Step ``index`` of a path: from x_t at ``level`` to x_next at ``next_level``, and what the network saw in x_t."""

    index: int
    level: Level
    next_level: Level
    x_t: Tensor
    x_next: Tensor
    prediction: Prediction


class StepNoise:
    """All the noise of a run, of shape (n, *event_shape), float32, drawn on the CPU in one order on every device.

    First the initial noise, then one draw a step while noise is added. ``state`` and ``restore`` replay from any step.
    Where it is ``shared``, one sample's noise is drawn and serves the whole batch, however large that is; with
    ``cells`` it is drawn for the whole batch and given to these samples of it.
    """

    def __init__(self, seed: int, shape: tuple[int, ...], shared: bool = False, cells: tuple[int, ...] = ()) -> None:
        self.shape = (len(cells) or shape[0], *shape[1:])
        self._cells = list(cells)
        self._drawn = (1, *shape[1:]) if shared else shape
        self._generator = torch.Generator("cpu").manual_seed(seed)

    def initial(self) -> Tensor:
        """eps of the first level; to be drawn before any step."""
        return self()

    def __call__(self) -> Tensor:
        """The next batch of noise."""
        drawn = torch.randn(self._drawn, generator=self._generator)
        return drawn[self._cells] if self._cells and len(drawn) > 1 else drawn.expand(self.shape)

    def state(self) -> Tensor:
        """Where the draws have come to: uint8, a copy."""
        return self._generator.get_state()

    def restore(self, state: Tensor) -> None:
        """Draw again from where ``state`` was taken."""
        self._generator.set_state(state)


def ddim(
    denoise: Denoiser,
    path: Path,
    x: Tensor,
    condition: Condition | None,
    *,
    eta: float,
    noise: Callable[[], Tensor],
    first: int = 0,
) -> Iterator[Step]:
    """Denoising diffusion implicit models (Song et al. 2021, eq. 12), from x at ``path[first]``.

    eta 0 is deterministic, draws nothing and walks paths that rise as well; eta 1 is DDPM's posterior. Raises Refusal
    where eta > 0 meets a rising step.
    """
    for index in range(first, len(path) - 1):
        level, next_level = path[index], path[index + 1]
        prediction = denoise(x, level, condition)
        mean, std = ddim_step(prediction.x0_hat, prediction.eps_hat, level, next_level, eta)
        x_next = _with_noise(mean, std, noise)
        yield Step(index, level, next_level, x, x_next, prediction)
        x = x_next


def ddpm(
    denoise: Denoiser,
    path: Path,
    x: Tensor,
    condition: Condition | None,
    *,
    variance: VarianceName,
    noise: Callable[[], Tensor],
    first: int = 0,
) -> Iterator[Step]:
    """Ancestral sampling (Ho et al. 2020, algorithm 2) on a falling path, from x at ``path[first]``.

    The noise's variance is the posterior's ("small") or the step's own beta ("large"); a step that ends on the data
    adds none. Raises Refusal on a rising step.
    """
    for index in range(first, len(path) - 1):
        level, next_level = path[index], path[index + 1]
        prediction = denoise(x, level, condition)
        mean, small = posterior(prediction.x0_hat, x, level, next_level)
        chosen = small if variance == "small" else transition_variance(next_level, level)
        x_next = _with_noise(mean, 0.0 if next_level.is_clean else math.sqrt(chosen), noise)
        yield Step(index, level, next_level, x, x_next, prediction)
        x = x_next


def _with_noise(mean: Tensor, std: float, noise: Callable[[], Tensor]) -> Tensor:
    return mean if std == 0 else mean + noise().to(mean.device, non_blocking=True) * std
