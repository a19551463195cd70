"""States collected for a file: from the store at once, else from the engine, while the window stays alive."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from app.exports.ways import State, Way, state_of
from core.messages import Gathered
from core.recipe import Quantity
from core.requests import GatherStep

if TYPE_CHECKING:
    from app.bridge import Bridge

TURN = 0.008
"""Seconds that are spent at a time."""


class Gathering(QObject):
    """Signals: ``progressed(int)``, so many states; ``finished(list)``, all of them; ``failed(str, str)``."""

    progressed = Signal(int)
    finished = Signal(list)
    failed = Signal(str, str)

    def __init__(
        self,
        bridge: Bridge,
        way: Way,
        positions: Sequence[int],
        quantities: Sequence[Quantity],
        cells: Sequence[int],
        numbers: bool,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._bridge, self._way = bridge, way
        self._positions, self._quantities, self._cells, self._numbers = positions, quantities, cells, numbers
        self._states: list[State] = []
        self._asked: GatherStep | None = None
        self._turn = QTimer(self, singleShot=True, interval=0)
        self._turn.timeout.connect(self._go_on)
        bridge.message.connect(self._receive)

    def begin(self) -> None:
        self._turn.start()

    def leave(self) -> None:
        """Nothing more is wanted."""
        self._turn.stop()
        self._asked = None
        self._bridge.message.disconnect(self._receive)

    @Slot()
    def _go_on(self) -> None:
        until = time.perf_counter() + TURN
        while len(self._states) < len(self._positions):
            position = self._positions[len(self._states)]
            found = self._way.find(position, self._quantities, self._numbers)
            if found is None:
                self._ask(position)
                return
            self._take(found)
            if time.perf_counter() > until:
                self._turn.start()
                return
        self.leave()
        self.finished.emit(self._states)

    def _ask(self, position: int) -> None:
        self._asked = self._way.question(position)
        if self._asked is None:
            self.leave()
            self.failed.emit("This state is not there any more. Run it again to export it.", "")
        else:
            self._bridge.ask(self._asked)

    def _take(self, state: State) -> None:
        self._states.append(state.cut(self._cells, self._quantities, self._numbers))
        self.progressed.emit(len(self._states))

    @Slot(object)
    def _receive(self, message: object) -> None:
        if not isinstance(message, Gathered) or message.request != self._asked:
            return
        self._asked = None
        if message.refusal:
            self.leave()
            self.failed.emit(message.refusal, message.details)
        else:
            self._take(state_of(message))
            self._turn.start()
