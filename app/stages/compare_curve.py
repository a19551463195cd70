"""Works out how far two runs are apart at every position, a few milliseconds at a time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QObject, QTimer, Slot

from app.stages.compare_plan import Pair, Spot
from app.widgets.distance_curve import DistanceCurve
from core.measures import mean_squared_error

if TYPE_CHECKING:
    from app.bridge import Bridge
    from app.stages.compare_sights import Numbers

BUDGET = 0.006
"""Seconds of each turn: nobody who drags the slider notices."""


class CurveFiller(QObject):
    """Of states that are stored as numbers, where the second run has been near; the others are left out."""

    def __init__(self, bridge: Bridge, curve: DistanceCurve, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bridge, self._curve = bridge, curve
        self._asked: tuple[object, ...] = ()
        self._pair: Pair | None = None
        self._cell: int | None = None
        self._left: list[int] = []
        self._values: dict[int, float] = {}
        self._turn = QTimer(self, interval=0)
        self._turn.timeout.connect(self.advance)

    def fill(self, pair: Pair | None, cell: int | None) -> None:
        """Begin anew where it is about something else than before."""
        asked = () if pair is None else (pair.first, pair.second, cell)
        if asked == self._asked:
            return
        self._asked, self._pair, self._cell = asked, pair, cell
        self._values = {}
        self._left = [] if pair is None else list(range(pair.available))[::-1]
        if pair is None:
            self._curve.set_values({})
            self.stop()
        else:
            self._turn.start()

    def stop(self) -> None:
        """Nobody looks."""
        self._turn.stop()

    def resume(self) -> None:
        if self._left:
            self._turn.start()

    @Slot()
    def advance(self) -> None:
        """Some more positions."""
        pair, until = self._pair, time.perf_counter() + BUDGET
        while pair is not None and self._left and time.perf_counter() < until:
            position = self._left.pop()
            if not pair.is_within(position):
                continue
            ours, theirs = (self._numbers(spot) for spot in pair.spots(position, self._cell))
            if ours is not None and theirs is not None and ours.shape == theirs.shape:
                self._values[position] = float(mean_squared_error(ours, theirs).mean())
        if not self._left:
            self._turn.stop()
        self._curve.set_values(self._values)

    def _numbers(self, spot: Spot) -> Numbers | None:
        values = self._bridge.values(spot.job, spot.step, spot.frame)
        if values is None or len(values) <= max(spot.cells):
            return None
        chosen: Numbers = np.asarray(values)[list(spot.cells)]
        return chosen
