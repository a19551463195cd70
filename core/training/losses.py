"""Pictures noised to levels of their own, what a network should answer, and how far its answer is off."""

from __future__ import annotations

import torch
from torch import Tensor

from core.likelihood import Posterior, at
from core.requests import PredictionKind
from core.schedules import Schedule


class Levels:
    """alpha and sigma of every t as float32 tensors; tables stay float64 until here and are cast once."""

    def __init__(self, schedule: Schedule, device: torch.device | str = "cpu") -> None:
        levels = [schedule.level(t) for t in range(schedule.T)]
        self.alpha = torch.tensor([level.alpha for level in levels], dtype=torch.float32, device=device)
        self.sigma = torch.tensor([level.sigma for level in levels], dtype=torch.float32, device=device)
        self.posterior = Posterior(schedule, device)

    def at(self, t: Tensor, dimensions: int) -> tuple[Tensor, Tensor]:
        """alpha_t and sigma_t for t int64 (n,), shaped (n, 1, ..., 1) with that many dimensions."""
        return at(self.alpha, t, dimensions), at(self.sigma, t, dimensions)


def noised(x0: Tensor, eps: Tensor, t: Tensor, levels: Levels) -> Tensor:
    """x_t = alpha_t x_0 + sigma_t eps in float32 (DDPM eq. 4); x0, eps (n, *event_shape), t int64 (n,)."""
    alpha, sigma = levels.at(t, x0.ndim)
    return alpha * x0 + sigma * eps


def target(kind: PredictionKind, x0: Tensor, eps: Tensor, t: Tensor, levels: Levels) -> Tensor:
    """What a network of this kind should answer: eps, x_0, v = alpha eps - sigma x_0 (Salimans & Ho 2022), or the
    posterior's mean (DDPM eq. 8)."""
    if kind == "eps":
        return eps
    if kind == "x0":
        return x0
    if kind == "mean":
        return levels.posterior(x0, noised(x0, eps, t, levels), t)[0]
    alpha, sigma = levels.at(t, x0.ndim)
    return alpha * eps - sigma * x0


def mean_square(output: Tensor, wanted: Tensor) -> Tensor:
    """The mean over each picture's values of (output - wanted)^2, float32 (n,): L_simple (DDPM eq. 14) where eps is
    wanted."""
    return (output.float() - wanted).square().flatten(1).mean(1)
