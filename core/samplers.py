"""Samplers: each walks a path of noise levels, one ``Step`` at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from core.denoiser import Condition, Denoiser, Prediction
from core.errors import Refusal
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

    The noise's variance is the posterior's ("small"), the step's own beta ("large") or what the network has learned
    (Nichol & Dhariwal 2021, eq. 15). A classifier's ``shift`` moves the mean by as many variances (Dhariwal & Nichol
    2021, algorithm 1). A step that ends on the data adds neither. Raises Refusal on a rising step, and where
    "learned" is asked of a network that has not.
    """
    for index in range(first, len(path) - 1):
        level, next_level = path[index], path[index + 1]
        prediction = denoise(x, level, condition)
        x_next, small = posterior(prediction.x0_hat, x, level, next_level)
        if not next_level.is_clean:
            chosen = _variance(prediction, level, next_level, variance, small)
            if prediction.shift is not None:
                x_next = x_next + prediction.shift(x_next, next_level) * chosen
            std = math.sqrt(chosen) if isinstance(chosen, float) else chosen.sqrt()
            x_next = _with_noise(x_next, std, noise)
        yield Step(index, level, next_level, x, x_next, prediction)
        x = x_next


def heun(denoise: Denoiser, path: Path, x: Tensor, condition: Condition | None, *, first: int = 0) -> Iterator[Step]:
    """Heun's method on the probability-flow ODE (Karras et al. 2022, algorithm 1 without churn), from ``path[first]``.

    In x / alpha over sigma / alpha the derivative is eps: DDIM's step is Euler's, and a second look at where it leads
    averages both derivatives. Two evaluations a step, in any direction; where a level has no noise or no signal the
    step stays Euler's.
    """
    for index in range(first, len(path) - 1):
        level, next_level = path[index], path[index + 1]
        prediction = denoise(x, level, condition)
        x_next, _ = ddim_step(prediction.x0_hat, prediction.eps_hat, level, next_level, 0.0)
        if level.alpha > 0 and next_level.alpha > 0 and not next_level.is_clean:
            bend = (denoise(x_next, next_level, condition).eps_hat - prediction.eps_hat) / 2
            x_next = x_next + bend * (next_level.sigma - next_level.alpha * level.sigma / level.alpha)
        yield Step(index, level, next_level, x, x_next, prediction)
        x = x_next


@dataclass(frozen=True, slots=True, eq=False)
class Before:
    """What a multistep sampler saw one step ago: x0_hat of the state at ``level``."""

    level: Level
    x0_hat: Tensor


def dpmpp(
    denoise: Denoiser,
    path: Path,
    x: Tensor,
    condition: Condition | None,
    *,
    first: int = 0,
    before: Before | None = None,
) -> Iterator[Step]:
    """DPM-Solver++ 2M (Lu et al. 2022b, algorithm 2): second order in half the log-SNR, one evaluation a step.

    Exact where x0_hat is a straight line over half the log-SNR, drawn through this state's and the one ``before``.
    First order without one, and where an end of the step lies infinitely far away: at a level without noise or without
    signal. Raises Refusal on a rising step.
    """
    for index in range(first, len(path) - 1):
        level, next_level = path[index], path[index + 1]
        if level.is_clean or next_level.log_snr < level.log_snr:
            raise Refusal(
                "DPM-Solver++ walks only towards less noise: for a path that rises choose Heun, or DDIM with eta 0."
            )
        prediction = denoise(x, level, condition)
        aim = prediction.x0_hat
        if before is not None:
            aim = aim + (aim - before.x0_hat) * _reach(before.level, level, next_level)
        shrink = next_level.sigma / level.sigma
        x_next = x * shrink + aim * (next_level.alpha - level.alpha * shrink)
        yield Step(index, level, next_level, x, x_next, prediction)
        x, before = x_next, Before(level, prediction.x0_hat)


def _reach(before: Level, level: Level, next_level: Level) -> float:
    """1 / 2r: how far along the line to x0_hat half-way through the step, in units of the step that was."""
    ahead, behind = next_level.log_snr - level.log_snr, level.log_snr - before.log_snr
    return ahead / (2 * behind) if math.isfinite(ahead) and behind > 0 else 0.0


def _variance(
    prediction: Prediction, level: Level, next_level: Level, name: VarianceName, small: float
) -> float | Tensor:
    if name == "small" or small == 0:  # 0 where both levels are the same
        return small
    if name == "large":
        return transition_variance(next_level, level)
    if prediction.learned is None:
        raise Refusal("This model has not learned its variance: choose the variance “small” or “large”.")
    return prediction.learned.log_variance(level, next_level).exp()


def _with_noise(mean: Tensor, std: float | Tensor, noise: Callable[[], Tensor]) -> Tensor:
    return mean if isinstance(std, float) and std == 0 else mean + noise().to(mean.device, non_blocking=True) * std
