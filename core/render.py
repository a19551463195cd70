"""Pictures made of pictures: grids and strips, and writing them as PNG or as animations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.errors import Refusal
from core.files import write_file

Pixels = NDArray[np.uint8]

GAP = 2
"""Pixels between the cells of a grid; there are none around it."""

ANIMATIONS = {".gif": "GIF", ".webp": "WEBP", ".apng": "PNG"}
"""File endings of animations, and pillow's names of their formats."""


def grid(pictures: Pixels | Sequence[Pixels], columns: int | None = None, gap: int = GAP, ground: int = 255) -> Pixels:
    """The pictures (n, H, W, C) row by row as one (height, width, C); by default as square as it can be."""
    n = len(pictures)
    columns = columns or math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    height, width, channels = pictures[0].shape
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, channels), ground, np.uint8)
    for index, picture in enumerate(pictures):
        top, left = index // columns * (height + gap), index % columns * (width + gap)
        sheet[top : top + height, left : left + width] = picture
    return sheet


def strip(pictures: Pixels | Sequence[Pixels], gap: int = GAP) -> Pixels:
    """The pictures (n, H, W, C) side by side."""
    return grid(pictures, columns=len(pictures), gap=gap)


def write_png(path: Path, pixels: Pixels) -> None:
    """Write (H, W, 1|3|4) uint8 as a PNG that holds pixels and nothing else. Raises Refusal."""
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    write_file(path, lambda stream: image.save(stream, "PNG"))


def write_animation(path: Path, pictures: Pixels, milliseconds: int) -> None:
    """Write (n, H, W, 1|3) uint8 as an endless animation, the format by the path's ending; exact but for GIF's 256
    colours a frame. Raises Refusal."""
    name = ANIMATIONS[path.suffix.lower()]
    Image.init()
    if name not in Image.SAVE_ALL:
        raise Refusal(f"{path.suffix} animations cannot be written here. Name a .gif instead.")
    first, *others = (Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels) for pixels in pictures)

    def write(stream: BinaryIO) -> None:
        first.save(stream, name, save_all=True, append_images=others, duration=milliseconds, loop=0, lossless=True)

    write_file(path, write)


def write_npy(path: Path, values: NDArray[np.float32]) -> None:
    """Write an array as .npy. Raises Refusal."""
    values = np.ascontiguousarray(values)

    def write(stream: BinaryIO) -> None:  # np.save's own errors would not say that the disk is full
        np.lib.format.write_array_header_1_0(stream, np.lib.format.header_data_from_array_1_0(values))
        stream.write(values.data)

    write_file(path, write)
