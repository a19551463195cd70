"""The point of a comparison that is looked at: its samples, and the way from it to a run in Denoise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from app.stages.measure_maths import point_at
from app.stages.measure_record import Record
from app.state import AppState
from core.measure_requests import DistanceRequest
from core.messages import DistancePoint, Failed, RunStarted

if TYPE_CHECKING:
    from app.bridge import Bridge


class Points(QObject):
    """Attributes: ``at``, whose point it is and which, or None. Signals: ``failed(message, details)``."""

    failed = Signal(str, str)

    def __init__(self, state: AppState, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._state, self._bridge = state, bridge
        self.at: tuple[Record, DistancePoint] | None = None
        self._to_open: set[int] = set()
        bridge.message.connect(self._receive)

    def choose(self, records: Sequence[Record], curve: int, point: int) -> bool:
        """Look at what lies there; whether it is a point of one's own."""
        self.at = point_at(records, curve, point)
        return self.at is not None

    def leave(self) -> None:
        self.at = None

    @Slot()
    def open(self) -> None:
        """Submit the first batch of its samples as a run, which is looked at as soon as it begins."""
        if self.at is None:
            return
        record, point = self.at
        assert isinstance(record.request, DistanceRequest)
        trial = next(t for t in record.request.trials if t.series == point.series and t.x == point.x)
        self._to_open.add(self._bridge.submit(trial.request))

    @Slot(int)
    def show_run(self, job: int) -> None:
        """Look at a run in Denoise, as far as it has come."""
        run = self._state.runs[job]
        self._state.move(stage="denoise", run=job, step=run.stored, t=int(max(0, run.path[run.stored].t)))

    @Slot(object)
    def _receive(self, message: object) -> None:
        job = getattr(message, "job", None)
        if job not in self._to_open or not isinstance(message, RunStarted | Failed):
            return
        self._to_open.discard(job)
        if isinstance(message, RunStarted):
            self.show_run(message.job)
        else:
            self.failed.emit(message.message, message.details)
