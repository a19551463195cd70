"""From whatever a file holds (16 bits, CMYK, palettes, transparency, floats) to pixels of 8 bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.conversion import Pixels, from_pillow


def pixels_of(image: Image.Image, notes: list[str]) -> Pixels:
    """The picture as uint8 (H, W, C): 1 grey, 3 RGB, 4 RGBA where something is transparent. ``notes`` is told how."""
    mode = image.mode
    if mode.startswith("I") or mode == "F":
        return _wide_grey(np.asarray(image), mode, notes)
    if mode == "1":
        notes.append("1 bit widened to 8")
        return from_pillow(image.convert("L"))
    if "transparency" in image.info or mode in ("LA", "La", "PA", "RGBA", "RGBa"):
        return _with_transparency(image, notes)
    if mode == "L":
        return from_pillow(image)
    if mode == "P":
        notes.append("palette converted")
    elif mode != "RGB":
        notes.append(f"{mode} converted")
    return from_pillow(image.convert("RGB"))


def _with_transparency(image: Image.Image, notes: list[str]) -> Pixels:
    if image.mode in ("P", "PA"):
        notes.append("palette converted")
    grey = image.mode in ("L", "LA", "La")
    pixels = from_pillow(image.convert("RGBA"))
    if pixels[..., 3].min() == 255:
        return pixels[..., :1] if grey else pixels[..., :3]
    notes.append("transparent parts")
    return pixels


def _wide_grey(values: NDArray[Any], mode: str, notes: list[str]) -> Pixels:
    """Grey of more than 8 bits: 16-bit by the full range 0..65535, float by [0, 1], anything else stretched."""
    values = values.astype(np.float64)
    finite = np.isfinite(values)
    if not finite.all():
        notes.append("values that are no numbers made black")
        values = np.where(finite, values, values[finite].min() if finite.any() else 0.0)
    low, high = float(values.min()), float(values.max())
    if mode == "F" and low >= 0 and high <= 1:
        notes.append("float values reduced to 8 bits")
        scaled = values * 255
    elif mode != "F" and low >= 0 and high <= 65535:
        notes.append("16 bits reduced to 8")
        scaled = values / 257
    else:
        notes.append(f"values {low:g} to {high:g} stretched to 8 bits")
        scaled = (values - low) * (255 / (high - low)) if high > low else np.zeros_like(values)
    return np.floor(scaled + 0.5).astype(np.uint8)[..., None]
