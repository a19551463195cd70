"""Trainings that lie on the disk: their curve and samples read, and their pictures when one is gone on with."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from app.stages.train_course import Course, stored
from app.stages.train_loader import Background, FolderLoader
from core.errors import Refusal
from core.training.claim import check_free
from core.training.comparison import read_settings
from core.training.dataset import PictureFolder
from core.training.film import read_film
from core.training.history import read_history
from core.training.kept_draws import request_in
from core.training.run_folder import check_run
from core.training.runs import RunSummary


class StoredRuns(QObject):
    """Attributes: ``reading``, the training whose pictures are being read, or None.

    Signals: ``opened(Course)``; ``pictures_read(Course, PictureFolder)``; ``folder_wanted(Course)`` where its pictures
    are no longer where they were; ``gone(Path)`` where a training itself is; ``refused(message, details)``;
    ``changed()`` when ``reading`` has.
    """

    opened = Signal(object)
    pictures_read = Signal(object, object)
    folder_wanted = Signal(object)
    gone = Signal(object)
    refused = Signal(str, str)
    changed = Signal()

    def __init__(self, background: Background, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._background = background
        self._asked: RunSummary | None = None
        self.reading: Course | None = None
        self.loader = FolderLoader(background, self)
        self.loader.opened.connect(self._read)
        self.loader.failed.connect(self._failed)

    def open(self, summary: RunSummary) -> None:
        """Read what a training has shown; only the last one asked for is announced."""
        self._asked = summary

        def done(course: Course) -> None:
            if self._asked is summary:
                self.opened.emit(course)

        def failed(error: Exception) -> None:
            words = str(error) if isinstance(error, Refusal) else f"“{summary.name}” cannot be shown ({error})."
            self.refused.emit(words, repr(error))
            if not summary.folder.is_dir():
                self.gone.emit(summary.folder)

        self._background.in_background(lambda: read_course(summary), done, failed)

    def read_pictures(self, course: Course) -> None:
        """Read the pictures of a training again; where they are gone, their folder is asked for. Nothing is read for
        one that another window or command trains."""
        try:
            check_free(course.folder)
        except Refusal as refusal:
            self.refused.emit(str(refusal), refusal.details)
            return
        if course.pictures is not None and course.pictures.is_dir():
            self.read(course, course.pictures)
            return
        where = f"The pictures of {course.name} are no longer in {course.pictures}. " if course.pictures else ""
        self.refused.emit(f"{where}Choose the folder that holds the pictures “{course.data_name}”.", "")
        self.folder_wanted.emit(course)

    def read(self, course: Course, folder: Path) -> None:
        """Read the pictures of a training from this folder."""
        self.reading = course
        self.loader.open(folder, course.reading or course.size)
        self.changed.emit()

    def cancel(self) -> None:
        self.loader.cancel()
        self.reading = None

    @Slot(object, object)
    def _read(self, data: PictureFolder, folder: Path) -> None:
        course, self.reading = self.reading, None
        if course is not None:
            course.pictures = folder
            self.pictures_read.emit(course, data)
        self.changed.emit()

    @Slot(str, str)
    def _failed(self, message: str, details: str) -> None:
        self.reading = None
        self.refused.emit(message, details)
        self.changed.emit()


def read_course(summary: RunSummary) -> Course:
    """What a training on the disk has shown. Raises Refusal where its folder is no longer there."""
    check_run(summary.folder)
    course, settings = (
        stored(summary, read_history(summary.folder), read_film(summary.folder)),
        read_settings(summary.folder),
    )
    course.reading = None if settings is None else settings.reading
    course.request = request_in(summary.folder)
    return course
