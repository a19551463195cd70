"""Curves over the steps of a training: what they are, how they are smoothed and read, how many pixels they need."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QLineF, QPointF
from PySide6.QtGui import QColor, QPolygonF

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
        return self.steps[good], self.values[good]

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


def envelope(xs: Numbers, ys: Numbers) -> list[QLineF]:
    """From the least to the largest in each column of pixels: as much as can be seen of very many points; xs rise."""
    if not len(xs):
        return []
    columns = xs.round()
    firsts = np.flatnonzero(np.diff(columns, prepend=-1.0))
    tops, bottoms = (reduce.reduceat(ys, firsts).tolist() for reduce in (np.minimum, np.maximum))
    at = columns[firsts].tolist()
    spans = [QLineF(x, top, x, max(bottom, top + 1)) for x, top, bottom in zip(at, tops, bottoms, strict=True)]
    return spans + [QLineF(at[i], bottoms[i], at[i + 1], tops[i + 1]) for i in range(len(at) - 1)]


def thinned(xs: Numbers, ys: Numbers, width: float) -> QPolygonF:
    """A line through points, one in two columns of pixels."""
    places = np.unique(np.linspace(0, len(xs) - 1, min(len(xs), max(2, int(width / 2)))).astype(int))
    return QPolygonF([QPointF(x, y) for x, y in zip(xs[places].tolist(), ys[places].tolist(), strict=True)])


def joined(lines: Sequence[StepLine]) -> list[list[float]]:
    """A row a step that any line knows: the step, then every line's value, NaN where it has none."""
    steps = np.unique(np.concatenate([line.steps for line in lines])) if lines else np.zeros(0)
    columns = np.full((len(lines), len(steps)), np.nan)
    for column, line in zip(columns, lines, strict=True):
        column[np.searchsorted(steps, line.steps)] = line.values
    return [[int(step), *row] for step, row in zip(steps.tolist(), columns.T.tolist(), strict=True)]
