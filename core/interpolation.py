"""Ways between latents: spherical and linear, and the frames along edges or across a square."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from core.errors import Refusal
from core.requests import FromMorph, ImageEnd, InvertRequest, MixName, MorphRequest, SampleRequest

MOST_FRAMES = 1024
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


class Place(NamedTuple):
    """Where a frame lies: ``across`` (0..1) from corner 0 to 1 and from 2 to 3, then ``down`` (0..1) between those."""

    corners: tuple[int, int, int, int]
    across: float
    down: float

    def weights(self, ends: int) -> list[float]:
        """What each end point contributes, in a linear mixture; they add up to 1."""
        parts = [0.0] * ends
        for corner, (x, y) in zip(self.corners, ((0, 0), (1, 0), (0, 1), (1, 1)), strict=True):
            parts[corner] += (self.across if x else 1 - self.across) * (self.down if y else 1 - self.down)
        return parts


def places(request: MorphRequest) -> tuple[Place, ...]:
    """All frames of a morph in the order they are shown. Raises Refusal for a request that has no meaning.

    Along edges: from each end point to the next, and from the last of three or four back to the first. In a grid, row
    by row: the corners, clockwise from the top left, are the end points.
    """
    _check(request)
    ends, steps = len(request.ends), request.frames - 1
    if request.layout == "grid":
        return tuple(
            Place((0, 1, 3, 2), column / steps, row / steps)
            for row in range(request.frames)
            for column in range(request.frames)
        )
    if ends == 2:
        return tuple(Place((0, 1, 0, 1), k / steps, 0.0) for k in range(request.frames))
    edges = [(i, (i + 1) % ends) for i in range(ends)]
    return tuple(Place((i, j, i, j), k / steps, 0.0) for i, j in edges for k in range(steps))


def _check(request: MorphRequest) -> None:
    ends = len(request.ends)
    if not 2 <= ends <= 4:
        raise Refusal(f"A morph has two to four end points, not {ends}.")
    if request.frames < 2:
        raise Refusal("A morph needs at least two frames: its end points.")
    if request.layout == "grid" and ends != 4:
        raise Refusal(f"A grid lies between four end points, not {ends}: add some, or go along the edges.")
    if request.labels and len(request.labels) != ends:
        raise Refusal(f"{len(request.labels)} labels were given for {ends} end points. Give one for each.")
    if request.mix == "ddpm" and not all(isinstance(end, ImageEnd) for end in request.ends):
        raise Refusal("DDPM's interpolation mixes noised pictures: give pictures, or mix seeds with slerp or lerp.")
    total = request.frames**2 if request.layout == "grid" else request.frames * ends
    if total > MOST_FRAMES:
        raise Refusal(f"That is {total} frames; at most {MOST_FRAMES} are made at once. Ask for fewer.")


def coarse_to_fine(request: MorphRequest) -> tuple[int, ...]:
    """The frames in the order they are made: end points, then the middles between them, then the quarters, ..."""
    depth = {k / (request.frames - 1): d for k, d in enumerate(_depths(request.frames))}
    where = places(request)
    return tuple(sorted(range(len(where)), key=lambda k: max(depth[where[k].across], depth[where[k].down])))


def _depths(count: int) -> list[int]:
    """How often 0..count-1 is halved before each position is met; the ends are met at once."""
    depths = [0] * count
    spans = [(0, count - 1)]
    depth = 0
    while spans:
        depth += 1
        halved = []
        for low, high in spans:
            if high - low > 1:
                middle = (low + high) // 2
                depths[middle] = depth
                halved += [(low, middle), (middle, high)]
        spans = halved
    return depths


def batches(request: MorphRequest) -> tuple[tuple[int, ...], ...]:
    """The frames that are denoised together, in the order they are made."""
    order = coarse_to_fine(request)
    return tuple(order[start : start + request.batch] for start in range(0, len(order), request.batch))


def mixed(latents: Tensor, where: Place, mix: MixName) -> Tensor:
    """The latent of one frame, (1, *event_shape), from those of the end points (ends, *event_shape), on the CPU.

    Across a square the two rows are mixed first, then those two: a slerp of slerps (Song et al. 2021, appendix D.5).
    """
    way = slerp if mix == "slerp" else lerp
    a, b, c, d = (latents[corner : corner + 1] for corner in where.corners)
    return way(way(a, b, where.across), way(c, d, where.across), where.down)


def inversion_of(request: MorphRequest) -> InvertRequest | None:
    """The inversion of a morph's pictures, in the order of the end points; None where there is nothing to invert."""
    pictures = [(index, end.image) for index, end in enumerate(request.ends) if isinstance(end, ImageEnd)]
    if request.mix == "ddpm" or not pictures:
        return None
    return InvertRequest(
        model=request.model,
        schedule=request.schedule,
        timesteps=request.timesteps[::-1],
        spacing=request.spacing,
        images=tuple(image for _, image in pictures),
        labels=tuple(request.labels[index] for index, _ in pictures) if request.labels else (),
        guidance=request.guidance,
        clip=request.sampler.clip,
        convention=request.convention,
        refinements=request.refinements,
        precision=request.precision,
        first_alpha_bar=request.final_alpha_bar,
    )


def descent_of(request: MorphRequest, frames: tuple[int, ...]) -> SampleRequest:
    """The way down of some frames as one batch; each takes the label of the end point nearest to it."""
    labels: tuple[int | None, ...] = ()
    if request.labels:
        where = places(request)
        parts = (where[frame].weights(len(request.ends)) for frame in frames)
        labels = tuple(request.labels[max(range(len(part)), key=part.__getitem__)] for part in parts)
    return SampleRequest(
        model=request.model,
        schedule=request.schedule,
        timesteps=request.timesteps,
        spacing=request.spacing,
        sampler=request.sampler,
        seed=request.seed,
        count=len(frames),
        labels=labels,
        guidance=request.guidance,
        precision=request.precision,
        start=FromMorph(request, frames),
        final_alpha_bar=request.final_alpha_bar,
    )
