"""What Invert asks of the engine, one after the other: up, down again, and the next inversion of a measurement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from core.inversion_plan import reconstruction
from core.messages import Failed, RunEnded, RunStarted
from core.requests import InvertRequest, SampleRequest

if TYPE_CHECKING:
    from app.bridge import Bridge


class RoundTrips(QObject):
    """Jobs of this stage. The way down is submitted when the way up has ended, so that stopping one stops both.

    Attributes: ``job``, the one that is under way or queued, or None; ``waiting``, inversions still to be begun.
    Signals: ``begun(job)``; ``returned(job, InvertRequest)`` when a way down has come to its end;
    ``changed()`` when there is more or less to do.
    """

    begun = Signal(int)
    returned = Signal(int, object)
    changed = Signal()

    def __init__(self, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self.job: int | None = None
        self.waiting: list[InvertRequest] = []
        self._up: InvertRequest | None = None
        self._down: InvertRequest | None = None

    @property
    def is_busy(self) -> bool:
        return self.job is not None

    def travel(self, requests: Sequence[InvertRequest]) -> None:
        """Walk up and down for each of these, in order."""
        self.waiting = list(requests)
        self._next()

    def send(self, request: SampleRequest) -> int:
        """Walk down once; the job's number."""
        self.job = job = self._bridge.submit(request)
        self.changed.emit()
        return job

    def stop(self) -> None:
        """Cancel what is under way; nothing else begins."""
        self.waiting = []
        if self.job is not None:
            self._bridge.cancel(self.job)
        self.changed.emit()

    @Slot(object)
    def receive(self, message: object) -> None:
        match message:
            case RunStarted(job=job) if job == self.job:
                self.begun.emit(job)
            case RunEnded(job=job, reason=reason) if job == self.job:
                self._ended(reason == "finished")
            case Failed(job=job) if job is not None and job == self.job:
                self.waiting = []
                self._ended(False)

    def _ended(self, finished: bool) -> None:
        job, up, down = self.job, self._up, self._down
        self.job = self._up = self._down = None
        if finished and up is not None:
            self._down = up
            self.job = self._bridge.submit(reconstruction(up))
        else:
            if finished and down is not None and job is not None:
                self.returned.emit(job, down)
            self._next()
        self.changed.emit()

    def _next(self) -> None:
        if self.waiting:
            self._up = self.waiting.pop(0)
            self.job = self._bridge.submit(self._up)
        self.changed.emit()
