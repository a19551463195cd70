"""Trainings laid over the one looked at: which, in which colours, in what they differ, and what they drew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QColor

from app.stages.train_course import Course
from app.stages.train_loader import Background
from app.stages.train_runs import read_course
from app.stages.trainings import Trainings
from app.widgets.measured_curve import ink
from core.errors import Refusal
from core.training.comparison import Difference, differences
from core.training.runs import RunSummary, read_summary

MOST = 4
"""Trainings that can be told apart in one plot."""


class Comparison(QObject):
    """Attributes: ``courses``, those chosen, in that order; the one looked at may be among them.

    Signals: ``changed()``; ``refused(message, details)``.
    """

    changed = Signal()
    refused = Signal(str, str)

    def __init__(self, background: Background, trainings: Trainings, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._background, self._trainings = background, trainings
        self.courses: tuple[Course, ...] = ()

    def others(self, looked_at: Course | None) -> tuple[Course, ...]:
        """Those to be laid over the one looked at."""
        chosen = (course for course in self.courses if looked_at is None or course.folder != looked_at.folder)
        return tuple(self._trainings.of(course.folder) or course for course in chosen)

    def marks(self, looked_at: Course | None) -> dict[Path, Callable[[], QColor]]:
        """The colour of each, in the scheme in force when it is asked for."""
        return {course.folder: partial(ink, style) for style, course in enumerate(self.others(looked_at))}

    def toggle(self, summary: RunSummary, looked_at: Course | None) -> None:
        """Compare a training, or no more."""
        if any(course.folder == summary.folder for course in self.courses):
            self.forget(summary.folder)
            return
        if looked_at is not None and looked_at.folder == summary.folder:
            self.refused.emit(f"“{summary.name}” is the one looked at: choose another to compare it with.", "")
            return
        if len(self.others(looked_at)) >= MOST - 1:
            self.refused.emit(f"{MOST} trainings are compared at most: untick one first.", "")
            return
        known = self._trainings.of(summary.folder)
        if known is not None:
            self._add(known)
            return

        def failed(error: Exception) -> None:
            self.refused.emit(f"The training {summary.name} cannot be compared ({error}).", repr(error))

        self._background.in_background(lambda: read_course(summary), self._add, failed)

    @Slot(object)
    def forget(self, folder: Path) -> None:
        """Compare it no more: it is not wanted, or not there."""
        kept = tuple(course for course in self.courses if course.folder != folder)
        if kept != self.courses:
            self.courses = kept
            self.changed.emit()

    def clear(self) -> None:
        """Compare nothing more."""
        if self.courses:
            self.courses = ()
            self.changed.emit()

    def _add(self, course: Course) -> None:
        if all(known.folder != course.folder for known in self.courses):
            self.courses = (*self.courses, course)
            self.changed.emit()


def differences_of(courses: Sequence[Course]) -> tuple[Difference, ...]:
    """In what trainings differ, as they were last saved; none where one of them cannot be read."""
    try:
        return differences([read_summary(course.folder) for course in courses])
    except (Refusal, OSError):
        return ()
