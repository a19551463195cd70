"""L_simple: the squared error of what the network predicts (DDPM eq. 14), in eps, x0 or v."""

from __future__ import annotations

import torch
from torch import Tensor

from core.requests import PredictionKind
from core.schedules import Schedule


class Levels:
    """alpha and sigma of every t as float32 tensors; tables stay float64 until here and are cast once."""

    def __init__(self, schedule: Schedule, device: torch.device | str = "cpu") -> None:
        levels = [schedule.level(t) for t in range(schedule.T)]
        self.alpha = torch.tensor([level.alpha for level in levels], dtype=torch.float32, device=device)
        self.sigma = torch.tensor([level.sigma for level in levels], dtype=torch.float32, device=device)

    def at(self, t: Tensor, dimensions: int) -> tuple[Tensor, Tensor]:
        """alpha_t and sigma_t for t int64 (n,), shaped (n, 1, ..., 1) with that many dimensions."""
        shape = (-1,) + (1,) * (dimensions - 1)
        return self.alpha[t].view(shape), self.sigma[t].view(shape)


def noised(x0: Tensor, eps: Tensor, t: Tensor, levels: Levels) -> Tensor:
    """x_t = alpha_t x_0 + sigma_t eps in float32 (DDPM eq. 4); x0, eps (n, *event_shape), t int64 (n,)."""
    alpha, sigma = levels.at(t, x0.ndim)
    return alpha * x0 + sigma * eps


def target(kind: PredictionKind, x0: Tensor, eps: Tensor, t: Tensor, levels: Levels) -> Tensor:
    """What a network of this kind should answer: eps, x_0 or v = alpha eps - sigma x_0 (Salimans & Ho 2022)."""
    if kind == "eps":
        return eps
    if kind == "x0":
        return x0
    alpha, sigma = levels.at(t, x0.ndim)
    return alpha * eps - sigma * x0


def l_simple(output: Tensor, wanted: Tensor) -> Tensor:
    """The mean over pictures and pixels of (output - wanted)^2, in float32."""
    return (output.float() - wanted).square().mean()


def spread_timesteps(count: int, T: int, generator: torch.Generator) -> Tensor:
    """``count`` timesteps, each uniform over 0..T-1, together evenly spread: int64 (count,).

    t_i = floor(T ((u + i / count) mod 1)) with one u for all (Kingma et al. 2021 (VDM), appendix I.1): the same
    expected loss as independent draws, with less variance.
    """
    u = torch.rand((), generator=generator, dtype=torch.float64)
    fractions = (u + torch.arange(count, dtype=torch.float64) / count) % 1.0
    return (fractions * T).long().clamp_(max=T - 1)
