"""What the data are: the one place that knows the shape of an event, its value range, and how it meets a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.errors import Refusal
from core.requests import Conversion

Pixels = NDArray[np.uint8]
Values = NDArray[np.float32]


class DataSpec(Protocol):
    """``event_shape`` is that of one sample without the batch; ``low`` and ``high`` bound the data's values."""

    @property
    def event_shape(self) -> tuple[int, ...]: ...

    @property
    def low(self) -> float: ...

    @property
    def high(self) -> float: ...

    def from_picture(self, picture: Pixels, conversion: Conversion | None = None) -> Values:
        """One event, float32 ``event_shape``, from a uint8 (H, W, C) picture; Refusal where that has no meaning."""
        ...

    def to_picture(self, x: NDArray[np.floating]) -> Pixels:
        """Pictures uint8 (n, H, W, C) of a batch (n, *event_shape); values outside of the range are clamped."""
        ...


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """Images (C, H, W) with values in [-1, 1]: -1 is black, 1 is white."""

    event_shape: tuple[int, ...]
    low: float = -1.0
    high: float = 1.0

    def __post_init__(self) -> None:
        if len(self.event_shape) != 3 or min(self.event_shape) < 1:
            raise ValueError(f"an image is (channels, height, width), not {self.event_shape}")

    @property
    def channels(self) -> int:
        return self.event_shape[0]

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.event_shape[1], self.event_shape[2]

    def from_picture(self, picture: Pixels, conversion: Conversion | None = None) -> Values:
        """x_0 of a picture: 0 → -1, 255 → 1. Without a conversion it must have the event's size and channels."""
        if conversion is not None:
            from core.images import convert  # keeps pillow out of what needs shapes alone

            picture = convert(picture, conversion)
        if (picture.shape[2], *picture.shape[:2]) != self.event_shape:
            raise Refusal(
                f"The picture is {_words(picture.shape)}, the model takes "
                f"{_words((*self.size, self.channels))}. Convert it first.",
            )
        x = picture.astype(np.float32).transpose(2, 0, 1) / np.float32(127.5) - np.float32(1)
        return np.ascontiguousarray(x)

    def to_picture(self, x: NDArray[np.floating]) -> Pixels:
        """round((x + 1) · 127.5) clamped to 0..255; 1 or 3 channels (of 2 or more than 3 the first one, as grey)."""
        shown = x if self.channels in (1, 3) else x[:, :1]
        levels = np.rint((shown.astype(np.float32, copy=False) + np.float32(1)) * np.float32(127.5))
        levels = np.nan_to_num(levels, nan=0.0, posinf=255.0, neginf=0.0)
        return np.ascontiguousarray(np.clip(levels, 0, 255).astype(np.uint8).transpose(0, 2, 3, 1))


@dataclass(frozen=True, slots=True)
class PointSpec:
    """A set of ``points`` in the plane, event (points, 2) as (x, y); drawn with y upwards, ±``reach`` in view."""

    points: int = 1
    side: int = 64
    reach: float = 3.0
    low: float = -1.0
    high: float = 1.0

    @property
    def event_shape(self) -> tuple[int, ...]:
        return (self.points, 2)

    def from_picture(self, picture: Pixels, conversion: Conversion | None = None) -> Values:
        raise Refusal("This model works on points in the plane; a picture cannot be used. Open an image model.")

    def to_picture(self, x: NDArray[np.floating]) -> Pixels:
        """White dots on black, (n, side, side, 1); a point outside of the view, or no number, is not drawn."""
        n, scale = len(x), (self.side - 1) / (2 * self.reach)
        canvas = np.zeros((n, self.side, self.side, 1), np.uint8)
        with np.errstate(invalid="ignore"):
            column = np.rint((x[..., 0] + self.reach) * scale)
            row = np.rint((self.reach - x[..., 1]) * scale)
            seen = (column >= 0) & (column < self.side) & (row >= 0) & (row < self.side)
        event, point = np.nonzero(seen)
        canvas[event, row[event, point].astype(int), column[event, point].astype(int), 0] = 255
        return canvas


def _words(shape: tuple[int, ...]) -> str:
    height, width, channels = shape
    colours = {1: "grey", 3: "RGB", 4: "RGBA"}.get(channels, f"{channels} channels")
    return f"{width} × {height} {colours}"
