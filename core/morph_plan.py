"""Morphs on paper, without a tensor: where the frames lie, in which order they are made, and as which runs."""

from __future__ import annotations

from typing import NamedTuple

from core.errors import Refusal
from core.requests import FromMorph, ImageEnd, InvertRequest, MorphRequest, SampleRequest

MOST_FRAMES = 1024


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

    def nearest(self, ends: int) -> int:
        """The end point that contributes most, the first of those that are equal."""
        parts = self.weights(ends)
        return max(range(ends), key=parts.__getitem__)


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
        labels = tuple(request.labels[where[frame].nearest(len(request.ends))] for frame in frames)
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
