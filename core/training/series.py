"""Numbers that every step of a training adds to, kept in bounded memory however long it lasts. Torch-free."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from core.messages import frozen

MAX_STRIDE = 512
Rows = NDArray[np.float32]


class Series:
    """Rows of ``columns`` numbers, one row a step, NaN where nobody knows.

    Beyond ``most`` rows two neighbours become their mean, again and again, so that each then stands for ``stride``
    steps. Means are of what is known, column by column.
    """

    def __init__(self, columns: int, most: int) -> None:
        """``most`` is even."""
        self.columns, self.most = columns, most
        self.step = 0
        self.stride = 1
        self._means: Rows = np.empty((min(most, 1024), columns), np.float32)
        self._whole = 0
        self._open: list[tuple[float, ...]] = []  # steps whose mean is not complete

    @property
    def means(self) -> Rows:
        """What is complete, float32 (k, columns): the means of ``stride`` steps each."""
        return frozen(self._means[: self._whole].copy())

    def rows(self, columns: slice) -> Rows:
        """One row a step of these columns, float32 (step, ...)."""
        whole = np.repeat(self._means[: self._whole, columns], self.stride, axis=0)
        last = np.repeat(_mean(self.open)[None, columns], len(self._open), axis=0)
        return frozen(np.concatenate((whole, last), dtype=np.float32, casting="same_kind"))

    def add(self, *row: float) -> None:
        """Take in the numbers of the next step."""
        self.step += 1
        self._open.append(row)
        if len(self._open) == self.stride:
            self._close()

    def cut_to(self, step: int) -> None:
        """Be the series of the first ``step`` steps: forget later ones, and leave open what is not known."""
        if step < self.step:
            kept, rest = divmod(step, self.stride)
            known = self._open if kept == self._whole else [tuple(self._means[kept].tolist())] * rest
            self._open, self._whole, self.step = known[:rest], kept, step
        while self.step < step:
            self.add(*(math.nan,) * self.columns)

    @property
    def open(self) -> NDArray[np.float64]:
        """The steps whose mean is not complete, float64 (fewer than ``stride``, columns)."""
        return np.array(self._open, np.float64).reshape(-1, self.columns)

    def restore(self, means: Rows, stride: int, open_rows: NDArray[np.float64]) -> None:
        """Be what the complete ``means`` of another series, its ``stride`` and ``open`` say. Raises ValueError where
        they do not fit."""
        for rows, kind in ((means, np.float32), (open_rows, np.float64)):
            if rows.dtype != kind or rows.ndim != 2 or rows.shape[1] != self.columns:
                raise ValueError("its curves are no curves")
        if not 1 <= stride <= MAX_STRIDE or len(means) >= self.most or len(open_rows) >= stride:
            raise ValueError("its curves do not fit its steps")
        self._means, self._whole, self.stride = means.copy(), len(means), stride
        self._open = [tuple(row) for row in open_rows.tolist()]
        self.step = len(means) * stride + len(open_rows)

    def _close(self) -> None:
        if self._whole == len(self._means):
            self._grow()
        self._means[self._whole] = _mean(np.array(self._open))
        self._whole += 1
        self._open.clear()
        if self._whole >= self.most:
            pairs = self._means[: self._whole].reshape(-1, 2, self.columns)
            self._whole //= 2
            self._means[: self._whole] = _mean(pairs.swapaxes(0, 1))
            self.stride *= 2

    def _grow(self) -> None:
        room = np.empty((min(self.most, 2 * len(self._means) + 2), self.columns), np.float32)
        room[: self._whole] = self._means[: self._whole]
        self._means = room


def _mean(rows: NDArray[np.float32] | NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean over the first axis of what is known, NaN where nothing is."""
    known = np.isfinite(rows)
    total = np.where(known, rows, 0.0).sum(axis=0, dtype=np.float64)
    count = known.sum(axis=0)
    means: NDArray[np.float64] = np.where(count, total / np.maximum(count, 1), np.nan)
    return means
