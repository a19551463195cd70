"""An ablation at work: its trainings one after the other, as the engine tells of them. A divergence is a result."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from app.stages.ablation_record import AblationRecord, CellRecord, aim_of, recorded
from app.stages.train_course import Course
from app.stages.train_loader import Background
from app.stages.trainings import Trainings
from core.errors import Refusal
from core.messages import Failed, RunEnded
from core.training.ablation import begin, note_divergence
from core.training.dataset import PictureFolder


class Ablations(QObject):
    """Attributes: ``record``, the ablation at work or looked at; ``data``, its pictures, None where they were not read
    in this session; ``goes_on``, whether a training that ends is followed by the next.

    Signals: ``changed()``; ``opened()`` when another was read from the disk; ``refused(message, details)``.
    """

    changed = Signal()
    opened = Signal()
    refused = Signal(str, str)

    def __init__(self, background: Background, trainings: Trainings, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._background, self._trainings = background, trainings
        self.record: AblationRecord | None = None
        self.data: PictureFolder | None = None
        self.goes_on = False
        self._asked: Path | None = None
        trainings.changed.connect(self._changed)

    @property
    def is_live(self) -> bool:
        return self.record is not None and self.record.live is not None

    def owns(self, course: Course | None) -> bool:
        """Whether a training is one of this ablation's."""
        return course is not None and self.record is not None and self.record.of(course) is not None

    def prepare(self, record: AblationRecord, data: PictureFolder) -> None:
        """Look at one that has not begun."""
        self._asked = None
        self.record, self.data = record, data
        self.changed.emit()

    def open(self, folder: Path) -> None:
        """Look at one that lies on the disk; only the last one asked for is announced."""
        if self.record is not None and self.record.folder == folder and self.record.is_begun:
            self.opened.emit()
            return
        self._asked = folder

        def done(record: AblationRecord) -> None:
            if self._asked == folder and not self.goes_on:
                self._asked = None
                self.record, self.data = record, None
                self.opened.emit()

        def failed(error: Exception) -> None:
            self.refused.emit(f"The ablation {folder.name} cannot be shown ({error}).", repr(error))

        self._background.in_background(lambda: recorded(folder, self._trainings.of), done, failed)

    def go_on(self, data: PictureFolder) -> None:
        """Begin, or go on with what is not trained yet."""
        record = self.record
        if record is None or self.is_live:
            return
        try:
            begin(record.plan, record.folder)
        except Refusal as refusal:
            self.refused.emit(str(refusal), refusal.details)
            return
        record.is_begun, record.pictures, self.data = True, data.source or record.pictures, data
        self.goes_on = True
        self._next()

    def stop(self) -> None:
        """What the training under way has learned is kept; the others wait."""
        self.goes_on = False
        live = self.record.live if self.record is not None else None
        if live is not None and live.course is not None:
            self._trainings.stop(live.course)
        self.changed.emit()

    def pause_or_resume(self) -> None:
        live = self.record.live if self.record is not None else None
        if live is not None and live.course is not None:
            self._trainings.pause_or_resume(live.course)

    def _next(self) -> None:
        record, data = self.record, self.data
        following = record.next if record is not None and self.goes_on else None
        if record is None or data is None or following is None:
            self.goes_on = False
        else:
            order = record.plan.order(following.cell, record.folder)
            following.course = self._trainings.start(order, data, aim_of(record.plan, following.cell))
        self.changed.emit()

    @Slot(object, object)
    def _changed(self, course: Course, message: object) -> None:
        one = self.record.of(course) if self.record is not None else None
        if one is None:
            return
        match message:
            case RunEnded(reason="finished"):
                self._next()
            case Failed(diverged=int(step)):
                self._diverge(one, step)
            case RunEnded() | Failed():
                self.goes_on = False
                self.changed.emit()
            case _:
                self.changed.emit()

    def _diverge(self, one: CellRecord, step: int) -> None:
        assert self.record is not None
        one.diverged = step
        try:
            note_divergence(self.record.folder, one.cell, step)
        except Refusal as refusal:
            self.refused.emit(str(refusal), refusal.details)
        self._next()
