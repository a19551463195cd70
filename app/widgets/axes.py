"""Axes of a drawn plot: where values lie, where the ticks stand and how they are written."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TICKS = 6
"""About as many are drawn along an axis."""
STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
DECADES = 5
"""Of more powers of ten only every second, third, … is named."""
PAD = 0.04
"""Share of the axis that is left free at its ends."""


@dataclass(frozen=True, slots=True)
class Axis:
    """From ``low`` to ``high``, both drawn; logarithmic ones hold values above 0 alone."""

    low: float
    high: float
    is_log: bool = False

    def share(self, values: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """Where values lie, 0 at the low end, 1 at the high one; NaN where a logarithm has none."""
        at = np.asarray(values, dtype=np.float64)
        if not self.is_log:
            return np.asarray((at - self.low) / (self.high - self.low))
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.where(at > 0, np.log(np.where(at > 0, at, 1.0)), np.nan)
        return np.asarray((logs - math.log(self.low)) / math.log(self.high / self.low))

    def value(self, share: float) -> float:
        """What lies at a share of the axis."""
        if self.is_log:
            return float(self.low * (self.high / self.low) ** share)
        return self.low + share * (self.high - self.low)

    def ticks(self, most: int = TICKS) -> tuple[float, ...]:
        """Round values on the axis, at most ``most`` or, on a logarithmic axis, not many more."""
        return log_ticks(self.low, self.high, most) if self.is_log else linear_ticks(self.low, self.high, most)

    def text(self, value: float) -> str:
        """A tick as it is written beside the axis."""
        if self.is_log and abs(round(math.log10(value)) - math.log10(value)) < 1e-9 and not 0.001 <= value <= 10_000:
            return decade_text(round(math.log10(value)))
        return f"{value:,.10g}".replace("-", "\u2212") if abs(value) < 1e6 else f"{value:.3g}"


def axis_of(values: Iterable[NDArray[np.float64]], *, is_log: bool, pad: float = PAD, from_zero: bool = False) -> Axis:
    """An axis that holds all the known values; of nothing one from 0 to 1. ``from_zero`` draws 0 as well, where that is
    possible."""
    known = np.concatenate([np.zeros(0), *(np.ravel(part) for part in values)])
    known = known[np.isfinite(known)]
    if is_log:
        known = known[known > 0]
        low, high = (float(known.min()), float(known.max())) if len(known) else (0.1, 1.0)
        if high / low < 1.2:
            low, high = low / 2, high * 2
        room = (high / low) ** pad
        return Axis(low / room, high * room, True)
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    low, high = (min(low, 0.0), max(high, 0.0)) if from_zero else (low, high)
    if high - low <= 1e-12 * max(abs(low), abs(high), 1e-12):
        spread = abs(low) / 2 or 0.5
        low, high = low - spread, high + spread
    room = pad * (high - low)
    return Axis(low if from_zero and low == 0 else low - room, high + room)


def decades(values: Iterable[float], smallest: float) -> tuple[int, int]:
    """The powers of ten that hold all values, one apart at least; what is below ``smallest`` counts as that."""
    logs = [math.log10(max(value, smallest)) for value in values]
    low = math.floor(min(logs))
    return low, max(low + 1, math.ceil(max(logs)))


def decade_text(power: int) -> str:
    """A power of ten as it is written beside an axis: 1e−4."""
    return f"1e{power}".replace("-", "\u2212")


def linear_ticks(low: float, high: float, most: int) -> tuple[float, ...]:
    width = (high - low) / max(1, most)
    power = 10.0 ** math.floor(math.log10(width))
    step = next(step for step in STEPS if step * power >= width * (1 - 1e-9)) * power
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(0.0 if number == 0 else round(number * step, 12) for number in range(first, last + 1))


def log_ticks(low: float, high: float, most: int) -> tuple[float, ...]:
    """Powers of ten, of very many some; where there are few, what lies between them too."""
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    powers = range(first, last + 1)
    if len(powers) > most:
        every = -(-len(powers) // most)
        return tuple(10.0**power for power in powers if power % every == 0)
    for mantissas in ((1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 5), (1, 3)):
        fine = tuple(m * 10.0**p for p in range(first - 1, last + 1) for m in mantissas if low <= m * 10.0**p <= high)
        if 2 <= len(fine) <= most:
            return fine
    if len(powers) < 2:
        return linear_ticks(low, high, most)
    return tuple(10.0**power for power in powers)
