"""From a person's picture to a network's, and to the screen's. Pixels are uint8 (height, width, channels)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.Image import Resampling

from core.errors import Refusal
from core.kept import remembered
from core.likeness import prefers_inverted
from core.requests import Conversion

Pixels = NDArray[np.uint8]
_PIXEL_ART = 64  # sides up to this stay visible pixels when enlarged by a whole factor


def convert(pixels: Pixels, conversion: Conversion) -> Pixels:
    """The picture as a network takes it: uint8 (h, w, c), (h, w) = ``conversion.size`` and c = ``conversion.channels``.

    In this order: crop, background under transparency, luma (ITU-R 601), resize, invert. Raises Refusal for a crop
    without area or a number of channels that pictures do not have.
    """
    height, width = conversion.size
    if conversion.channels not in (1, 3):
        raise Refusal(
            f"A picture has 1 (grey) or 3 (RGB) channels; this model takes {conversion.channels}. Open another model."
        )
    if height < 1 or width < 1:
        raise Refusal(f"A picture cannot be {width} × {height} pixels. Choose a size of at least 1 × 1.")

    def made() -> Pixels:
        cropped, box = _crop(_flat(pixels, conversion.background, conversion.channels), conversion.crop)
        resized = _resize(cropped, (height, width), box)
        return 255 - resized if conversion.invert else resized

    return remembered(pixels, conversion, made)


def prepare(pixels: Pixels, sides: Iterable[int]) -> None:
    """Do ahead, in a worker, what is slow about a large picture: grey, and scaled down to ``sides`` for the screen."""
    for side in sides:
        display_pixels(pixels, side)
    _flat(pixels, Conversion(size=(1, 1), channels=1).background, 1)


def default_conversion(
    pixels: Pixels, size: tuple[int, int], channels: int, statistics: tuple[float, ...] = ()
) -> Conversion:
    """The centre of the picture in the aspect of ``size`` (height, width).

    A grey model whose training data (``statistics``, see core/likeness.py) are light on dark gets a dark-on-light
    picture inverted.
    """
    straight = Conversion(size=size, channels=channels, crop=centre_crop(pixels.shape[:2], size))
    if channels == 1 and statistics and prefers_inverted(convert(pixels, straight), statistics):
        return Conversion(size=size, channels=channels, crop=straight.crop, invert=True)
    return straight


def centre_crop(shape: tuple[int, ...], size: tuple[int, int]) -> tuple[float, float, float, float]:
    """The largest centred (left, top, right, bottom), fractions of (height, width) ``shape``, in the aspect of size."""
    wanted = (size[1] / size[0]) / (shape[1] / shape[0])
    across, down = min(1.0, wanted), min(1.0, 1 / wanted)
    return (1 - across) / 2, (1 - down) / 2, (1 + across) / 2, (1 + down) / 2


def display_pixels(pixels: Pixels, max_side: int) -> Pixels:
    """The picture itself, or scaled down (area average) so that its longer side has ``max_side`` pixels."""
    height, width = pixels.shape[:2]
    longest = max(height, width)
    if longest <= max_side:
        return pixels
    target = max(1, round(height * max_side / longest)), max(1, round(width * max_side / longest))

    def made() -> Pixels:
        image = to_pillow(pixels).resize((target[1], target[0]), Resampling.BOX, reducing_gap=3.0)
        return from_pillow(image)

    return remembered(pixels, max_side, made)


def _crop(pixels: Pixels, crop: tuple[float, float, float, float]) -> tuple[Pixels, tuple[float, float, float, float]]:
    """The pixels touched by a fractional crop, and the exact box (in pixels) within them."""
    left, top, right, bottom = crop
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise Refusal("The crop has no area inside the picture. Choose a larger one.", repr(crop))
    height, width = pixels.shape[:2]
    x0, y0, x1, y1 = left * width, top * height, right * width, bottom * height
    column, row = int(np.floor(x0 + 1e-6)), int(np.floor(y0 + 1e-6))
    part = pixels[row : max(row + 1, int(np.ceil(y1 - 1e-6))), column : max(column + 1, int(np.ceil(x1 - 1e-6)))]
    box = (max(0.0, x0 - column), max(0.0, y0 - row), min(part.shape[1], x1 - column), min(part.shape[0], y1 - row))
    return part, box


def _on_background(pixels: Pixels, background: tuple[int, int, int]) -> Pixels:
    if pixels.shape[2] != 4:
        return pixels
    alpha = pixels[..., 3:].astype(np.uint32)
    mixed = pixels[..., :3] * alpha + np.array(background, np.uint32) * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)


def _flat(pixels: Pixels, background: tuple[int, int, int], channels: int) -> Pixels:
    """The whole picture without transparency, grey or in colour."""
    if pixels.shape[2] == channels:
        return pixels
    return remembered(
        pixels, (background, channels), lambda: _in_channels(_on_background(pixels, background), channels)
    )


def _in_channels(pixels: Pixels, channels: int) -> Pixels:
    if pixels.shape[2] == channels:
        return pixels
    if channels == 3:
        return np.repeat(pixels, 3, axis=2)
    return from_pillow(to_pillow(pixels).convert("L"))


def _resize(pixels: Pixels, size: tuple[int, int], box: tuple[float, float, float, float]) -> Pixels:
    """Area average by whole factors, Lanczos otherwise; small pictures enlarged by whole factors stay pixels."""
    image, target = to_pillow(pixels), (size[1], size[0])
    down, across = (box[3] - box[1]) / size[0], (box[2] - box[0]) / size[1]
    if min(down, across) > 0.9 and all(map(_is_whole, (*box, down, across))):
        left, top, right, bottom = (round(side) for side in box)
        return from_pillow(image.reduce((round(across), round(down)), (left, top, right, bottom)))
    if all(map(_is_whole, (*box, 1 / down, 1 / across))) and max(pixels.shape[:2]) <= _PIXEL_ART:
        return from_pillow(image.resize(target, Resampling.NEAREST, box=box))
    resample = Resampling.LANCZOS if max(down, across) > 1 else Resampling.BICUBIC
    return from_pillow(image.resize(target, resample, box=box, reducing_gap=3.0))


def _is_whole(value: float) -> bool:
    return abs(value - round(value)) < 1e-6 * max(1.0, value)


def to_pillow(pixels: Pixels) -> Image.Image:
    """A pillow image of uint8 (H, W, 1|3|4) pixels."""
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else np.ascontiguousarray(pixels))


def from_pillow(image: Image.Image) -> Pixels:
    """uint8 (H, W, C) pixels of a pillow image in mode L, RGB or RGBA."""
    pixels = np.array(image, dtype=np.uint8)
    return pixels[..., None] if pixels.ndim == 2 else pixels
