"""Curves over the steps of a training: what they are, how they are smoothed and read, how many pixels they need."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QLineF
from PySide6.QtGui import QColor

SMOOTHED = 100
"""Steps in the trailing mean."""

Losses = NDArray[np.float32]
Numbers = NDArray[Any]
Look = Literal["each", "line", "thin", "dashed", "dots"]


@dataclass(frozen=True, eq=False)
class StepLine:
    """``values`` (k,) of the rising ``steps`` (k,), NaN where unknown.

    ``look`` "each" is faint, from the least to the largest in a column of pixels; "dots" marks every value. ``legend``
    stands for it beside the others; None: nothing does, "": its colour alone.
    """

    name: str
    steps: Numbers
    values: Numbers
    ink: Callable[[], QColor]
    look: Look = "line"
    legend: str | None = None

    def known(self) -> tuple[Numbers, Numbers]:
        """Steps and values where there are any."""
        good = np.isfinite(self.values)
        return (self.steps, self.values) if good.all() else (self.steps[good], self.values[good])

    def near(self, step: int) -> tuple[int, float] | None:
        """The known value nearest to a step, with its own step."""
        steps, values = self.known()
        if not len(steps):
            return None
        after = int(np.searchsorted(steps, step))
        places = [place for place in (after - 1, after) if 0 <= place < len(steps)]
        nearest = min(places, key=lambda place: abs(int(steps[place]) - step))
        return int(steps[nearest]), float(values[nearest])


def every(values: Numbers) -> Numbers:
    """The steps of values that begin with that of step 1."""
    return np.arange(1, len(values) + 1)


def smoothed(losses: Numbers, width: int = SMOOTHED) -> NDArray[np.float64]:
    """The mean of the known among the last ``width`` losses at every step; (n,) to (n,), NaN where none is known."""
    known = np.isfinite(losses)
    if known.all():
        sums = np.cumsum(losses, dtype=np.float64)
        sums[width:] -= sums[:-width].copy()
        return np.asarray(sums / np.minimum(np.arange(1, len(losses) + 1), width))
    total = np.concatenate(([0.0], np.cumsum(np.where(known, losses, 0.0), dtype=np.float64)))
    count = np.concatenate(([0], np.cumsum(known)))
    ends = np.arange(1, len(losses) + 1)
    starts = np.maximum(0, ends - width)
    counted = count[ends] - count[starts]
    means: NDArray[np.float64] = np.where(counted, (total[ends] - total[starts]) / np.maximum(counted, 1), np.nan)
    return means


def thin(rows: Numbers, most: int = 1000, width: int = SMOOTHED) -> tuple[Numbers, NDArray[np.float64]]:
    """The trailing means of the columns of ``rows`` (n, k) at no more than about ``most`` steps: these steps (m,), and
    the means (m, k). Of more steps those between are taken together first, so that it costs little."""
    stride = max(1, len(rows) // most)
    firsts = np.arange(0, len(rows), stride)
    if not len(firsts):
        return firsts, np.zeros(rows.shape, np.float64)
    known = np.isfinite(rows)
    if known.all():
        totals = np.add.reduceat(rows, firsts, axis=0)
        counts = np.broadcast_to(np.diff(firsts, append=len(rows))[:, None], totals.shape)
    else:
        totals = np.add.reduceat(np.where(known, rows, 0.0), firsts, axis=0)
        counts = np.add.reduceat(known, firsts, axis=0, dtype=np.int64)
    blocks = max(1, width // stride)
    sums, numbers = (_of_last(np.cumsum(part, axis=0, dtype=np.float64), blocks) for part in (totals, counts))
    ends = np.minimum(firsts + stride, len(rows))
    means: NDArray[np.float64] = np.where(numbers > 0.5, sums / np.maximum(numbers, 1), np.nan)
    return ends, means


def _of_last(sums: Numbers, width: int) -> Numbers:
    """What the last ``width`` rows have added, from running sums (n, k)."""
    before = np.zeros_like(sums)
    before[width:] = sums[:-width]
    return sums - before


def extremes(values: Numbers, firsts: NDArray[np.intp]) -> tuple[Numbers, Numbers]:
    """The least and the largest known value of each part that begins at one of ``firsts``, NaN where none is."""
    if not len(firsts):
        return values[:0], values[:0]
    return np.fmin.reduceat(values, firsts), np.fmax.reduceat(values, firsts)


def envelope(columns: Numbers, tops: Numbers, bottoms: Numbers) -> list[QLineF]:
    """An upright line in each column of pixels, and one to the next where they would not touch."""
    at, high, low = columns.tolist(), tops.tolist(), np.maximum(bottoms, tops + 1).tolist()
    spans = [QLineF(x, top, x, bottom) for x, top, bottom in zip(at, high, low, strict=True)]
    gaps = np.flatnonzero((tops[1:] > bottoms[:-1]) | (bottoms[1:] < tops[:-1]) | (np.diff(columns) > 1)).tolist()
    return spans + [
        QLineF(at[i], low[i], at[i + 1], high[i + 1])
        if high[i + 1] >= low[i]
        else QLineF(at[i], high[i], at[i + 1], low[i + 1])
        for i in gaps
    ]


def thinned(values: Numbers, most: int) -> NDArray[np.intp]:
    """The places of at most so many known values, evenly spread, the first and the last among them."""
    known = np.flatnonzero(np.isfinite(values))
    if len(known) <= most:
        return known
    places: NDArray[np.intp] = known[np.linspace(0, len(known) - 1, max(2, most)).astype(np.intp)]
    return places


def joined(lines: Sequence[StepLine]) -> list[list[float]]:
    """A row a step that any line knows: the step, then every line's value, NaN where it has none."""
    steps = np.unique(np.concatenate([line.steps for line in lines])) if lines else np.zeros(0)
    columns = np.full((len(lines), len(steps)), np.nan)
    for column, line in zip(columns, lines, strict=True):
        column[np.searchsorted(steps, line.steps)] = line.values
    return [[int(step), *row] for step, row in zip(steps.tolist(), columns.T.tolist(), strict=True)]
