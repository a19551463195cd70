"""Signed numbers as colours: one diverging map, symmetric about zero."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.recipe import SignedMap

Pixels = NDArray[np.uint8]

LOW, ZERO, HIGH = (0x9B, 0x3F, 0x77), (0xF3, 0xF3, 0xF5), (0x00, 0x7A, 0x55)
"""Purple, near white and green, where nobody has chosen colours."""
SMALLEST = 1e-6


def diverging(low: Sequence[int], zero: Sequence[int], high: Sequence[int]) -> Pixels:
    """Colours of signed values, (256, 3): zero lies between entries 127 and 128."""
    index = np.arange(256)
    stops = np.array([low, zero, high], dtype=np.float64)
    channels = [np.interp(index, [0.0, 127.5, 255.0], stops[:, channel]) for channel in range(3)]
    return np.round(np.stack(channels, axis=1)).astype(np.uint8)


def one_channel(values: NDArray[Any]) -> NDArray[Any]:
    """What of (n, channels, height, width) is shown, (n, height, width): several channels by their mean."""
    return values[:, 0] if values.shape[1] == 1 else values.mean(axis=1)


def limit_of(shown: NDArray[Any]) -> float:
    """The largest magnitude there is, for the ends of the map."""
    return max(float(np.abs(shown).max(initial=0.0, where=np.isfinite(shown))), SMALLEST)


def indices(shown: NDArray[Any], limit: float) -> Pixels:
    """Which of the 256 colours each value is, saturated at ±limit; what is no number is zero."""
    scaled = np.multiply(shown, 127.5 / limit, dtype=np.float32)
    scaled += 128.0  # 127.5, and a half for rounding
    np.clip(np.nan_to_num(scaled, copy=False, nan=128.0), 0, 255, out=scaled)
    found: Pixels = scaled.astype(np.uint8)
    return found


def coloured(values: NDArray[Any], how: SignedMap | None = None) -> Pixels:
    """Pictures uint8 (n, height, width, 3) of signed numbers (n, channels, height, width)."""
    shown = one_channel(values)
    how = how or SignedMap(limit_of(shown), LOW, ZERO, HIGH)
    found: Pixels = diverging(how.low, how.zero, how.high)[indices(shown, how.limit)]
    return found
