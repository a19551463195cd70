"""The mathematics beside a morph: norms and angles along the way, how far each frame is, the equation in numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.formulas import MIX_DDPM, MIX_LERP, MIX_SLERP, MORPH_DDPM, MORPH_LATENT, Formula
from app.stages.morph_settings import NAMES, EndPoint, converted
from core.dataspec import ImageSpec
from core.messages import ModelInfo
from core.morph_plan import Place
from core.morph_plan import places as places_of
from core.noise import initial_noise
from core.process import marginal
from core.requests import MixName, MorphRequest, SeedEnd
from core.schedules import make_schedule

Values = NDArray[np.floating[Any]]
Pixels = NDArray[np.uint8]
Curve = NDArray[np.float64]
Algorithm = tuple[str, tuple[str, ...]]

LARGEST = 1_000_000
"""Numbers that are drawn for a plan; more would hold up the window."""

FAR = 6
"""Standard deviations by which a norm must be off to be no noise's."""

places = lru_cache(maxsize=64)(places_of)
"""Where the frames of a morph lie: asked for at every point of a curve."""


@dataclass(frozen=True, eq=False)
class Geometry:
    """Where the end points' latents lie to each other: ``gram`` (ends, ends), their dot products over d."""

    gram: Curve
    d: int

    @classmethod
    def of(cls, latents: Sequence[Values]) -> Geometry:
        flat = np.stack([np.asarray(x, np.float64).ravel() for x in latents])
        return cls(flat @ flat.T / flat.shape[1], flat.shape[1])

    @property
    def norms(self) -> Curve:
        """Of each latent over sqrt(d): 1 for noise."""
        norms: Curve = np.sqrt(np.diag(self.gram))
        return norms

    @property
    def tolerance(self) -> float:
        """The standard deviation of such a norm where the latent is drawn from N(0, I)."""
        return 1 / math.sqrt(2 * self.d)

    def angle(self, a: int, b: int) -> float:
        """Between two latents, in radians."""
        scale = self.norms[a] * self.norms[b]
        return math.acos(min(1.0, max(-1.0, self.gram[a, b] / scale))) if scale else 0.0

    def norm(self, where: Place, mix: MixName) -> float:
        """Of a mixture over sqrt(d). Slerp's norm goes evenly between those of its ends; lerp cuts the corner."""
        weights = np.array(where.weights(len(self.gram)))
        if mix == "slerp":
            return float(weights @ self.norms)
        return math.sqrt(max(0.0, float(weights @ self.gram @ weights)))


def relative_norm(x: Values) -> float:
    """The norm of a latent over sqrt(d)."""
    return float(np.linalg.norm(np.asarray(x, np.float64)) / math.sqrt(x.size))


# Where the frames lie


def end_frames(request: MorphRequest) -> tuple[int, ...]:
    """The frame in which each end point is met."""
    where = places(request)
    count = len(request.ends)
    return tuple(
        next(frame for frame, place in enumerate(where) if place.weights(count)[end] == 1) for end in range(count)
    )


def row_of(request: MorphRequest, frame: int) -> range:
    """The frames that the plot and the strip of a frame show: all along edges, one row of a grid."""
    if request.layout == "edges":
        return range(len(places(request)))
    first = frame - frame % request.frames
    return range(first, first + request.frames)


def between(request: MorphRequest, position: float, row: range) -> Place:
    """The place at a position 0..1 along a row of frames, also between two frames."""
    where = places(request)
    closed = request.layout == "edges" and len(request.ends) > 2
    at = position * (len(row) if closed else len(row) - 1)
    frame = min(int(at), len(row) - 1)
    place, share = where[row[frame]], (at - frame) / (request.frames - 1)
    return place._replace(across=place.across + share)


def way_of(request: MorphRequest, geometry: Geometry, mix: MixName, row: range, points: int = 97) -> Curve:
    """The norm along a row at evenly spaced positions, had its latents been mixed in this way."""
    return np.array([geometry.norm(between(request, k / (points - 1), row), mix) for k in range(points)])


def position_of(request: MorphRequest, frame: int, row: range) -> float:
    """Where a frame of a row lies on it, 0..1; a closed way comes back to its first frame at 1."""
    closed = request.layout == "edges" and len(request.ends) > 2
    return (frame - row.start) / (len(row) if closed else max(1, len(row) - 1))


def frame_name(where: Place) -> str:
    """A frame in few words: "A" at an end point, else the share of the way, "A-B 0.25"; both shares in a grid."""
    a, b, _, _ = where.corners
    if where.corners[0] != where.corners[2]:
        return f"{where.across:.2f}, {where.down:.2f}"
    if where.across in (0, 1):
        return NAMES[b if where.across else a]
    return f"{NAMES[a]}\u2013{NAMES[b]} {where.across:.2f}"


def short_name(where: Place) -> str:
    """The same where there is room for one word."""
    if where.corners[0] != where.corners[2]:
        return f"{where.across:.2f}"
    if where.across in (0, 1):
        return NAMES[where.corners[1] if where.across else where.corners[0]]
    return f"{where.across:.2f}"


# Before anything is computed


def planned_latents(request: MorphRequest, ends: Sequence[EndPoint], model: ModelInfo) -> list[Values | None]:
    """The end points' latents, (*event_shape), None where only the network can tell."""
    shape = model.event_shape
    if math.prod(shape) * max(1, *(e.source.count for e in ends if isinstance(e.source, SeedEnd)), 1) > LARGEST:
        return [None] * len(ends)
    level = make_schedule(request.schedule).level(request.timesteps[0])
    latents: list[Values | None] = []
    for end in ends:
        if isinstance(end.source, SeedEnd):
            latents.append(initial_noise(end.source.seed, (end.source.count, *shape))[end.source.index])
        elif request.mix == "ddpm" and len(shape) == 3:
            x0 = ImageSpec(shape).from_picture(converted(end.source))
            latents.append(np.asarray(marginal(x0, initial_noise(request.seed, (1, *shape))[0], level)))
        else:
            latents.append(None)
    return latents


def mixed_pixels(request: MorphRequest, pictures: Sequence[Pixels]) -> Pixels:
    """The frames of a row without any network: the pixels themselves mixed, uint8 (n, H, W, C)."""
    stacked = np.stack(pictures).astype(np.float64)
    weights = np.array([place.weights(len(pictures)) for place in places(request)])
    mixed = np.tensordot(weights, stacked, axes=1)
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


# The equation and the listing


def formula_of(mix: MixName) -> Formula:
    return {"slerp": MIX_SLERP, "lerp": MIX_LERP, "ddpm": MIX_DDPM}[mix]


def algorithm_of(mix: MixName) -> Algorithm:
    listing = MORPH_DDPM if mix == "ddpm" else MORPH_LATENT
    return listing.title, listing.lines


def line_of(request: MorphRequest, frame_step: int) -> int:
    """The line (1 is the first) reached: the end points while ``frame_step`` is -1, then the mixture, a step of the
    way down, the frame itself."""
    if frame_step < 0:
        return 1
    mixture = 4 if request.mix == "ddpm" else 3
    return mixture if frame_step == 0 else mixture + 4 if frame_step == request.steps else mixture + 2


def numbers_of(request: MorphRequest, where: Place, geometry: Geometry | None) -> Mapping[str, float]:
    """What the two latents of a frame's row are multiplied with. Slerp's are those of the directions."""
    share = where.across
    if request.mix != "slerp":
        return {"to_a": 1 - share, "to_b": share}
    if geometry is None:
        return {}
    angle = geometry.angle(where.corners[0], where.corners[1])
    if math.sin(angle) < 1e-9:
        return {"to_a": 1 - share, "to_b": share}
    return {"to_a": math.sin((1 - share) * angle) / math.sin(angle), "to_b": math.sin(share * angle) / math.sin(angle)}


def reading(request: MorphRequest, where: Place, geometry: Geometry | None, norm: float | None) -> str:
    """The numbers of a frame in words: lambda, the angle, the norms; and what norms unlike noise's mean."""
    a, b = where.corners[:2]
    first, second = [f"\u03bb = {where.across:.2f}"], []
    if request.mix == "ddpm":
        first.insert(0, f"t = {request.timesteps[0]}")
    if where.corners[0] != where.corners[2]:
        first.append(f"down {where.down:.2f}")
    if geometry is not None:
        norms = geometry.norms
        first.append(f"\u03b8 = {math.degrees(geometry.angle(a, b)):5.1f}\u00b0")
        second.append(f"\u2016x\u2016/\u221ad: {NAMES[a]} {norms[a]:.3f}, {NAMES[b]} {norms[b]:.3f}")
    if len(set(request.labels)) > 1:
        first.append(f"label of {NAMES[where.nearest(len(request.ends))]}")
    if norm is not None and math.isfinite(norm):
        second.append(f"here {norm:.3f}")
    lines = [" \u00b7 ".join(first), " \u00b7 ".join(second)]
    if norm is not None and not math.isfinite(norm):
        lines.append("This latent is no number: invert in float32, or in the other convention.")
    if geometry is not None and request.mix != "ddpm":
        off = np.abs(geometry.norms[list(set(where.corners))] - 1).max() / geometry.tolerance
        if off > FAR:
            lines.append("Not as long as noise: a coarse inversion (take more steps, or refine) or an unusual picture.")
    return "\n".join(filter(None, lines))
