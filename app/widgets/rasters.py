"""Numpy pictures as Qt images. Every image owns its pixels, so the array may be changed or freed afterwards."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage, qRgb

from app.theme import diverging_lut
from core.signed import indices, limit_of, one_channel

_FORMATS = {1: QImage.Format.Format_Grayscale8, 3: QImage.Format.Format_RGB888, 4: QImage.Format.Format_RGBA8888}


def to_image(picture: NDArray[np.uint8]) -> QImage:
    """A uint8 picture (height, width, channels), channels 1, 3 or 4, or (height, width)."""
    if picture.ndim == 2:
        picture = picture[:, :, None]
    height, width, channels = picture.shape
    rows = np.ascontiguousarray(picture)
    image = QImage(rows.data, width, height, width * channels, _FORMATS[channels])
    kept = QImage.Format.Format_ARGB32_Premultiplied if channels == 4 else QImage.Format.Format_RGB32
    return image.convertToFormat(kept)


def stack(pictures: NDArray[np.uint8]) -> QImage:
    """Pictures (n, height, width, channels) as one image, one below the other."""
    count, height, width, channels = pictures.shape
    return to_image(pictures.reshape(count * height, width, channels))


def signed_stack(values: NDArray[Any], limit: float) -> QImage:
    """Signed numbers (n, height, width) through the diverging map, zero in its middle, saturated at +-``limit``."""
    count, height, width = values.shape
    rows = indices(values, limit).reshape(count * height, width)
    image = QImage(rows.data, width, count * height, width, QImage.Format.Format_Indexed8)
    image.setColorTable([qRgb(*(int(channel) for channel in entry)) for entry in diverging_lut()])
    return image.convertToFormat(QImage.Format.Format_RGB32)


@dataclass(frozen=True)
class Content:
    """Pictures of one quantity, ready to paint and to read.

    Attributes: ``shape`` (count, height, width); ``image``, the pictures one below the other; ``values``, the numbers
    behind the pixels (count, height, width, channels); ``range_text`` for the caption.
    """

    shape: tuple[int, int, int]
    image: QImage
    values: NDArray[Any]
    range_text: str
    signed: tuple[NDArray[Any], float] | None = None

    @classmethod
    def of_pictures(
        cls, pictures: NDArray[np.uint8], values: NDArray[Any] | None, value_range: tuple[float, float] | None
    ) -> Content:
        count, height, width = pictures.shape[:3]
        text = f"[{number(value_range[0])}, {number(value_range[1])}]" if value_range else ""
        return cls((count, height, width), stack(pictures), pictures if values is None else values, text)

    @classmethod
    def of_signed(cls, values: NDArray[Any], limit: float | None) -> Content:
        """``values`` (count, channels, height, width); several channels are shown by their mean."""
        count, channels, height, width = values.shape
        shown = one_channel(values)
        if limit is None:
            limit = limit_of(shown)
        mean = "" if channels == 1 else f", mean of {channels} channels"
        text = f"\u00b1{number(limit, 2 + _finer(limit)).strip()}{mean}"
        image = signed_stack(shown, limit)
        return cls((count, height, width), image, values.transpose(0, 2, 3, 1), text, (shown, limit))

    def pixels(self, cell: int) -> NDArray[np.uint8]:
        """What is seen of one picture at its own size: uint8 (height, width, 1 or 3)."""
        _, height, width = self.shape
        image = self.image.copy(0, cell * height, width, height).convertToFormat(QImage.Format.Format_RGB888)
        rows = np.frombuffer(image.constBits(), np.uint8).reshape(height, image.bytesPerLine())[:, : 3 * width]
        pixels = rows.reshape(height, width, 3)
        grey = self.signed is None and self.values.shape[-1] == 1
        return pixels[..., :1].copy() if grey else pixels.copy()

    def reduced(self, width: int, height: int) -> list[QImage]:
        """Every picture at a smaller size."""
        # Averaging signed values would hide them behind their mean; a sample keeps the printed range true.
        smooth = self.signed is None
        modes = (
            Qt.AspectRatioMode.IgnoreAspectRatio,
            Qt.TransformationMode.SmoothTransformation if smooth else Qt.TransformationMode.FastTransformation,
        )
        count, rows, columns = self.shape
        cells = (self.image if count == 1 else self.image.copy(0, cell * rows, columns, rows) for cell in range(count))
        return [cell.scaled(width, height, *modes) for cell in cells]

    def recoloured(self) -> Content:
        """The same through the diverging map of the scheme now in force."""
        return self if self.signed is None else replace(self, image=signed_stack(*self.signed))

    def reading(self, cell: int, row: int, column: int) -> str:
        """One pixel as "(row, column) value", as wide for every pixel."""
        _, height, width = self.shape
        digits = len(str(max(height, width) - 1))
        numbers = np.atleast_1d(self.values[cell, row, column])
        if numbers.dtype == np.uint8:
            printed = " ".join(f"{value:3d}" for value in numbers)
        else:
            decimals = 3 + (_finer(self.signed[1]) if self.signed else 0)
            printed = " ".join(number(float(value), decimals) for value in numbers)
        return f"({row:{digits}d}, {column:{digits}d}) {printed}"


def number(value: float, decimals: int = 2) -> str:
    """A number of fixed width: always a sign's place, always the same decimals."""
    return f"{value: .{decimals}f}".replace("-", "\u2212")


def _finer(limit: float) -> int:
    """How many more decimals numbers up to ``limit`` need where they are small, so that two digits are left."""
    return max(0, math.ceil(-math.log10(limit)) - 1)
