"""Parts of measurements as plain JSON, pictures by their hash, and back: what is read raises ValueError or TypeError
where it is not what it should be."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.images import OpenedImage, from_pixels
from core.messages import Picture

MOST_NUMBERS = 1_000_000
MOST_TEXT = 1000
Pictures = dict[str, OpenedImage]


def column_of(pictures: Picture, known: Pictures) -> str:
    """The hash of the picture, put among those that are ``known``, in which these (n, H, W, C) lie below each other;
    "" where there are none."""
    if not pictures.size:
        return ""
    column = from_pixels(pictures.reshape(-1, *pictures.shape[2:]), "samples of a measurement")
    known.setdefault(column.sha256, column)
    return column.sha256


def in_column(column: OpenedImage | None, count: int) -> Picture:
    """The ``count`` pictures of a column; none where it is not there."""
    if column is None or not count or len(column.pixels) % count:
        return fixed(np.zeros((0, 1, 1, 1), np.uint8))
    high, wide, channels = column.pixels.shape
    return column.pixels.reshape(count, high // count, wide, channels)


def whole_column(told: Any, pictures: Mapping[str, OpenedImage], count: int) -> Picture:
    """The pictures of a column of which none may be missing. Raises ValueError."""
    found = in_column(pictures.get(told["picture"]), count)
    if len(found) != count:
        raise ValueError("its pictures are gone")
    return found


def packed(values: NDArray[Any]) -> str:
    """To the bit, and short."""
    return base64.b64encode(np.ascontiguousarray(values, "<f8").tobytes()).decode()


def unpacked(told: Any) -> NDArray[np.float64]:
    if not isinstance(told, str) or len(told) > 11 * MOST_NUMBERS:
        raise ValueError("numbers are expected")
    try:
        content = base64.b64decode(told, validate=True)
    except binascii.Error as error:
        raise ValueError("these are no numbers") from error
    return fixed(np.frombuffer(content, "<f8").astype(np.float64))


def fixed(values: NDArray[Any]) -> NDArray[Any]:
    values.flags.writeable = False
    return values


def finite(value: float) -> float | None:
    """As JSON has it, which knows no NaN."""
    return float(value) if math.isfinite(value) else None


def a_float(told: Any) -> float:
    if told is None:
        return math.nan
    if isinstance(told, bool) or not isinstance(told, (int, float)) or not math.isfinite(told):
        raise ValueError("a number is expected")
    return float(told)


def a_count(told: Any) -> int:
    if type(told) is not int or not 0 <= told < 2**53:
        raise ValueError("a count is expected")
    return told


def a_text(told: Any) -> str:
    if not isinstance(told, str) or len(told) > MOST_TEXT:
        raise ValueError("a text is expected")
    return told


def when(told: Any) -> float:
    """Seconds since 1970 of what was asked for; 0 where nobody knows."""
    made = a_float(told.get("made"))
    return made if made > 0 else 0.0
