"""The trainings that were still queued when the window was closed: queued again when the person says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from app.mementos import Entry
from app.stages.train_course import Course
from app.stages.train_loader import Background, FolderLoader
from app.stages.train_queue import Waiting, read, told
from app.stages.train_runs import read_course
from app.stages.trainings import Trainings
from core.errors import Refusal
from core.training.dataset import PictureFolder
from core.training.runs import list_runs, new_run_folder

NAME = "queued"


class Unbegun(QObject):
    """Attributes: ``waiting``, in the order in which they were queued.

    Signals: ``changed()``; ``queued(Course)`` when one stands in the queue again; ``refused(message, details)`` where
    one cannot: it is kept, unless what it was to go on with is gone.
    """

    changed = Signal()
    queued = Signal(object)
    refused = Signal(str, str)

    def __init__(self, trainings: Trainings, background: Background, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._trainings, self._background = trainings, background
        self._loader = FolderLoader(background, self)
        self._loader.opened.connect(self._read)
        self._loader.failed.connect(self._failed)
        self._coming: list[Waiting] = []
        self.waiting: tuple[Waiting, ...] = ()

    def entry(self) -> Entry:
        """They and those in the queue, for a session."""
        return Entry(
            "Queue",
            lambda: told((*self._trainings.waiting, *self.waiting)),
            self.put_back,
            (self.changed, self._trainings.queue_changed),
            is_view=True,
            is_path=True,
        )

    def put_back(self, said: object) -> None:
        """Those of a session, but for what this one knows. Raises ValueError for what is no list."""
        here = {course.folder for course in self._trainings.courses}
        self.waiting = tuple(one for one in read(said) if one.order.out not in here)
        self.changed.emit()

    def forget(self) -> None:
        """They are not wanted any more."""
        self._loader.cancel()
        self._coming, self.waiting = [], ()
        self.changed.emit()

    def queue(self) -> None:
        """Read their pictures and queue them, one after the other."""
        why_not = self._trainings.why_not_queue
        if why_not:
            self.refused.emit(why_not, "")
        elif not self._coming:
            self._coming = list(self.waiting)
            self._next()

    def leave(self) -> None:
        """The window is closed."""
        self._loader.cancel()

    def _next(self) -> None:
        if self._coming:
            self._loader.open(self._coming[0].pictures, self._coming[0].reading)

    @Slot(object, object)
    def _read(self, data: PictureFolder, _folder: Path) -> None:
        one = self._coming[0]
        if not one.order.resume:
            try:
                out = new_run_folder(one.name, self._trainings.states()).resolve()
            except Refusal as refusal:
                self._failed(str(refusal), refusal.details)
                return
            self._end(one, self._trainings.start(replace(one.order, out=out), data, one.aim))
            return

        def work() -> Course | None:
            known = next((run for run in list_runs() if run.folder == one.order.out), None)
            return None if known is None else read_course(known)

        def done(course: Course | None) -> None:
            if course is None:
                self.refused.emit(f"“{one.name}” is no longer there to go on with.", str(one.order.out))
            else:
                self._trainings.go_on(course, data, minutes=one.order.minutes, steps=one.order.steps)
            self._end(one, course)

        def failed(error: Exception) -> None:
            self._failed(f"“{one.name}” cannot be gone on with ({error}).", repr(error))

        self._background.in_background(work, done, failed, "runs")

    def _end(self, one: Waiting, course: Course | None) -> None:
        self._coming = self._coming[1:]
        self.waiting = tuple(other for other in self.waiting if other is not one)
        self.changed.emit()
        if course is not None:
            self.queued.emit(course)
        self._next()

    @Slot(str, str)
    def _failed(self, message: str, details: str) -> None:
        one, *self._coming = self._coming
        self.refused.emit(f"“{one.name}” was not queued. {message} It is offered again at the next start.", details)
        self._next()
