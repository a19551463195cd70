"""Ways between latents: spherical and linear."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from core.morph_plan import Place
from core.requests import MixName

_PARALLEL = 1e-9


def slerp(a: Tensor, b: Tensor, weight: float) -> Tensor:
    """Along the great circle from a (weight 0) to b (weight 1), each sample of (n, *event_shape) by itself.

    The direction turns evenly (Shoemake 1985; Song et al. 2021, appendix D.5) while the norm goes evenly from that of
    a to that of b. Opposite vectors turn about one chosen axis, always the same; at a vector without a direction the
    way is straight.
    """
    if weight in (0, 1):
        return a if weight == 0 else b
    flat_a, flat_b = a.double().flatten(1), b.double().flatten(1)
    norm_a, norm_b = _norm(flat_a), _norm(flat_b)
    unit_a, unit_b = flat_a / norm_a.clamp_min(1e-300), flat_b / norm_b.clamp_min(1e-300)
    angle = 2 * torch.atan2(_norm(unit_a - unit_b), _norm(unit_a + unit_b))
    away = unit_b - (unit_a * unit_b).sum(1, keepdim=True) * unit_a
    away = torch.where((_norm(away) < _PARALLEL) & (angle > 1), _perpendicular(unit_a), away)
    away = away / _norm(away).clamp_min(1e-300)
    turned = torch.cos(weight * angle) * unit_a + torch.sin(weight * angle) * away
    straight = torch.lerp(flat_a, flat_b, weight)
    norm = torch.lerp(norm_a, norm_b, weight)
    mixed = torch.where((norm_a == 0) | (norm_b == 0), straight, turned * norm)
    return mixed.reshape(a.shape).to(a.dtype)


def lerp(a: Tensor, b: Tensor, weight: float) -> Tensor:
    """(1 - weight) a + weight b. Between independent noises the norm sinks to 1 / sqrt(2) of theirs half-way, where
    no noise that the network knows is that short: see ``relative_norm``."""
    if weight in (0, 1):
        return a if weight == 0 else b
    return torch.lerp(a.double(), b.double(), weight).to(a.dtype)


def relative_norm(x: Tensor) -> Tensor:
    """The norm of each sample over sqrt(d), float64 (n,): 1 for noise from N(0, I), within about 1 / sqrt(2 d)."""
    flat = x.double().flatten(1)
    return _norm(flat)[:, 0] / math.sqrt(flat.shape[1])


def _norm(flat: Tensor) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(flat, dim=1, keepdim=True)
    return norm


def _perpendicular(unit: Tensor) -> Tensor:
    """Of each row: the axis it leans to least, made perpendicular to it."""
    axis = torch.zeros_like(unit).scatter_(1, unit.abs().argmin(1, keepdim=True), 1.0)
    return axis - (axis * unit).sum(1, keepdim=True) * unit


def mixed(latents: Tensor, where: Place, mix: MixName) -> Tensor:
    """The latent of one frame, (1, *event_shape), from those of the end points (ends, *event_shape), on the CPU.

    Across a square the two rows are mixed first, then those two: a slerp of slerps (Song et al. 2021, appendix D.5).
    """
    way = slerp if mix == "slerp" else lerp
    a, b, c, d = (latents[corner : corner + 1] for corner in where.corners)
    return way(way(a, b, where.across), way(c, d, where.across), where.down)
