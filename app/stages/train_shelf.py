"""The trainings beside the one looked at: gone on with, branched off, compared, renamed, taken away."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QPoint, Signal, Slot
from PySide6.QtGui import QColor

from app.stages.train_care import RunCare
from app.stages.train_compare import Comparison, differences_of
from app.stages.train_course import Course
from app.stages.train_screen import TrainScreen
from app.theme import palette
from core.errors import Refusal
from core.training.dataset import PictureFolder
from core.training.keeping import branch
from core.training.runs import RunSummary, new_run_folder

if TYPE_CHECKING:
    from app.bridge import Bridge

NO_ENGINE = "Nothing can be computed any more. Start Diffuscope again: what was saved is there."


class TrainShelf(QObject):
    """Attributes: ``care``, the menu of a training; ``comparison``.

    Signals: ``ready(Course, PictureFolder)``, a training that can go on now; ``said(str)``; ``refused(message,
    details)``; ``accepted()`` when something new is begun.
    """

    ready = Signal(object, object)
    said = Signal(str)
    refused = Signal(str, str)
    accepted = Signal()

    def __init__(self, screen: TrainScreen, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._screen, self._bridge = screen, bridge
        self._runs, self._trainings, self._stored = screen.instruments.runs, screen.trainings, screen.stored
        self._begins: Path | None = None
        """The training that goes on as soon as it was read."""
        self._branches: dict[Path, tuple[Path, int]] = {}
        """By the folder of one to come, the run and the step that it leaves from."""
        self.care = RunCare(self._runs, screen.trainings, bridge, self)
        self.comparison = Comparison(bridge, screen.trainings, self)
        for part in (self.care, self.comparison):
            part.refused.connect(self.refused)
        self.care.said.connect(self.said)
        self.care.said.connect(self.accepted)
        self.care.go_on_wanted.connect(self.go_on)
        self.care.branch_wanted.connect(self.branch)
        self.care.compare_wanted.connect(self.compare)
        self.care.renamed.connect(self._renamed)
        self.care.gone.connect(self._gone)
        self.comparison.changed.connect(self.show)
        screen.instruments.shelf.comparing_changed.connect(self._compare_or_not)
        self._stored.opened.connect(self._opened)
        self._stored.pictures_read.connect(self._pictures_read)
        self._stored.gone.connect(self._gone)
        screen.turned.connect(self.show)
        screen.film.moved.connect(self._show_samples)
        screen.view.more.clicked.connect(self._open_menu)

    # Going on

    @Slot(object)
    def go_on(self, folder: Path) -> None:
        """Look at a training, read its pictures and go on with it."""
        self._begin(folder, folder)

    @Slot(object, int)
    def branch(self, folder: Path, step: int) -> None:
        """Begin another training with what this one was after ``step`` steps; this one stays."""
        try:
            out = new_run_folder(f"{folder.name} from {step}", self._trainings.states()).resolve()
        except Refusal as refusal:
            self.refused.emit(str(refusal), refusal.details)
            return
        self._branches[out] = folder, step
        self._begin(folder, out)

    def _begin(self, folder: Path, out: Path) -> None:
        self.accepted.emit()
        if not self._screen.can_train:
            self.refused.emit(self._trainings.why_not_queue or NO_ENGINE, "")
            return
        self._begins = out
        known, summary = self._trainings.of(folder), self._summary(folder)
        if known is not None:
            self._screen.look_at(known)
            self._opened(known)
        elif summary is not None:
            self._stored.open(summary)
        else:
            self._begins = None
            self.refused.emit(f"“{folder.name}” is no longer there.", str(folder))

    @Slot(object)
    def _opened(self, course: Course) -> None:
        out, self._begins = self._begins, None
        if out == course.folder:
            self._stored.read_pictures(course)
        elif out in self._branches and self._branches[out][0] == course.folder:
            self._stored.read_pictures(replace(course, folder=out, name=out.name, job=None, state="stopped"))

    @Slot(object, object)
    def _pictures_read(self, course: Course, data: PictureFolder) -> None:
        if course.folder not in self._branches:
            self.ready.emit(course, data)
            return
        folder, step = self._branches.pop(course.folder)

        def done(_nothing: None) -> None:
            self.ready.emit(course, data)

        def failed(error: Exception) -> None:
            details = error.details if isinstance(error, Refusal) else repr(error)
            self.refused.emit(f"No training could leave from step {step:,}. {error}", details)

        self._bridge.in_background(partial(branch, folder, step, course.folder), done, failed, "runs")

    # Comparing

    @Slot(object)
    def compare(self, folder: Path) -> None:
        """Lay a training over the one looked at, or take it off again; where none is looked at, look at it."""
        self.accepted.emit()
        summary = self._summary(folder)
        if summary is None:
            self.refused.emit(f"“{folder.name}” cannot be compared: choose a training of its own.", str(folder))
        elif self._screen.course is None:
            self._runs.chosen.emit(folder)
        else:
            self.comparison.toggle(summary, self._screen.course)

    @Slot(bool)
    def _compare_or_not(self, comparing: bool) -> None:
        if not comparing:
            self.comparison.clear()

    @Slot()
    def show(self) -> None:
        """Lay those that are compared over the one looked at, as they are now."""
        view, course = self._screen.view, self._screen.course
        others = self.comparison.others(course) if course is not None else ()
        marks = self.comparison.marks(course) if course is not None else {}
        self._screen.others = others
        self.care.looked_at, self.care.compared = None if course is None else course.folder, frozenset(marks)
        view.curves.compare(others)
        self._runs.set_compared(marks)
        if marks:
            self._screen.instruments.shelf.set_comparing(True)
        view.pages.set_offered("compare", bool(others))
        if course is not None and others:
            courses = (course, *others)
            colours = (lambda: QColor(palette().text), *(marks[other.folder] for other in others))
            view.compared.show_differences(courses, differences_of(courses), colours)
            self._show_samples()

    @Slot()
    def _show_samples(self) -> None:
        course, film = self._screen.course, self._screen.film
        others = self.comparison.others(course) if course is not None else ()
        if course is not None and others:
            step = course.samples[film.index].step if 0 <= film.index < len(course.samples) else None
            self._screen.view.compared.show_samples((course, *others), step)

    # Names and ends

    @Slot()
    def _open_menu(self) -> None:
        course, button = self._screen.course, self._screen.view.more
        if course is not None:
            self.care.menu(course.folder).popup(button.mapToGlobal(QPoint(0, button.height())))

    @Slot(object, object)
    def _renamed(self, before: Path, after: Path) -> None:
        self.accepted.emit()
        record, looked_at = self._screen.ablation.record, self._screen.course
        of_ablation = (one.course for one in record.cells) if record is not None else ()
        courses = (*self._trainings.courses, *self.comparison.courses, *of_ablation, looked_at)
        for course in courses:
            if course is not None and course.folder.is_relative_to(before):
                course.folder = after / course.folder.relative_to(before)
                course.name = course.folder.name
        if record is not None and record.folder == before:
            record.folder = after
        self._screen.list_runs()
        self._screen.flush()
        self.show()

    @Slot(object)
    def _gone(self, folder: Path) -> None:
        course = self._screen.course
        self._trainings.forget(folder)
        self.comparison.forget(folder)
        record = self._screen.ablation.record
        at_it = self._screen.at_ablation and record is not None and record.folder == folder
        if record is not None and record.folder == folder:
            self._screen.ablation.ablations.record = None
        if at_it or (course is not None and course.folder.is_relative_to(folder)):
            self._screen.look_at(None)
        self._screen.list_runs()

    def _summary(self, folder: Path) -> RunSummary | None:
        return next((run for run in self._runs.runs if run.folder == folder), None)
