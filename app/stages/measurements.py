"""The measurements of this session, as the engine tells of them, and what can be asked of it for one."""

from __future__ import annotations

import time
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal, Slot

from app.stages.measure_kinds import KindName
from app.stages.measure_memory import Album, read
from app.stages.measure_record import Record
from app.stages.readiness import AT_WORK
from app.state import AppState
from core.evaluation.weights import weights_of
from core.measure_requests import QualityRequest
from core.messages import EngineState, ModelInfo, Status
from core.training.dataset import PictureFolder

if TYPE_CHECKING:
    from app.bridge import Bridge


class Measurements(QObject):
    """Attributes: ``records``, in the order in which they were asked for.

    Signals: ``changed(Record, message)`` after a message of the engine; ``listed()`` when there is one more or less.
    """

    changed = Signal(object, object)
    listed = Signal()

    def __init__(self, state: AppState, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._state, self._bridge = state, bridge
        self.records: tuple[Record, ...] = ()
        self._album = Album(state.pictures)
        bridge.message.connect(self._receive)

    @property
    def live(self) -> Record | None:
        """The one that is queued, at work or paused."""
        return next((record for record in self.records if record.is_live), None)

    def of(self, job: int | None) -> Record | None:
        return next((record for record in self.records if record.job == job), None)

    def shown(self, kind: KindName | None) -> tuple[Record, ...]:
        """Those of a kind whose curves are drawn."""
        return tuple(record for record in self.records if record.kind == kind and record.shown and record.result)

    def start(self, kind: KindName, request: QualityRequest, data: PictureFolder, model: ModelInfo) -> Record:
        """Queue a measurement."""
        job = self._bridge.measure(request, data)
        folder = self._state.folders.get(model.ref.sha256, "")
        weights = weights_of(folder) if folder else ""
        record = Record(job, kind, request, model.ref.name, data.name, model.labels, weights, made=time.time())
        self.records = (*self.records, record)
        self.listed.emit()
        return record

    def pause_or_resume(self, record: Record) -> None:
        if record.is_live:
            (self._bridge.resume if record.state == "paused" else self._bridge.pause)(record.job)

    def stop(self, record: Record) -> None:
        """What was measured stays."""
        if record.is_live:
            self._bridge.cancel(record.job)

    def told(self) -> list[dict[str, Any]]:
        """What was measured, as plain JSON."""
        return self._album.told(self.records)

    def put_back(self, told: object) -> None:
        """Put what ``told`` said in its place by when it was made, but for what is there. Raises ValueError."""
        found: list[Record] = []
        for record in read(told, self._state.pictures):
            if not self._album.is_known(record, (*self.records, *found)):
                record.job = self._bridge.reserve()
                found.append(record)
        if found:
            self.records = tuple(sorted((*found, *self.records), key=attrgetter("made")))
            self.listed.emit()

    def forget(self, record: Record) -> None:
        """Take one that has ended off the list."""
        if not record.is_live:
            self.records = tuple(other for other in self.records if other is not record)
            self.listed.emit()

    @Slot(object)
    def _receive(self, message: object) -> None:
        record = self.of(getattr(message, "job", None))
        if record is not None and record.is_live and record.receive(message):
            self.changed.emit(record, message)
            if not record.is_live and record.result is None:  # nothing came of it
                self.forget(record)


def waits_for(record: Record, status: Status) -> str:
    """What a measurement makes way for at this moment, "" where for nothing."""
    if record.state not in ("queued", "running") or status.job == record.job:
        return ""
    if status.state is EngineState.SAMPLING and status.job is not None:
        return f"run {status.job}"
    return AT_WORK.get(status.state, "")
