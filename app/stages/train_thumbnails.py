"""What trainings drew last, beside their names: from memory of those at work, from their folders of the others."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

import numpy as np
from PySide6.QtCore import QObject, Slot

from app.log import logger
from app.stages.train_course import Course
from app.stages.train_loader import Background
from app.widgets.run_list import RunList
from core.messages import Picture
from core.training.film import read_newest
from core.training.runs import RunSummary

SHOWN = 4
"""Samples in a thumbnail."""


class Thumbnails(QObject):
    """Reads, beside the window, what the runs of a list drew last; each again only when it was saved again."""

    def __init__(self, runs: RunList, background: Background, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._runs, self._background = runs, background
        self._read: dict[Path, float] = {}
        runs.listed.connect(self._renew)

    def show_course(self, course: Course) -> None:
        """What one at work has drawn."""
        if course.samples:
            self._runs.set_picture(course.folder, some_of(course.samples[-1].pictures))

    @Slot()
    def _renew(self) -> None:
        new = [run for run in self._runs.runs if self._read.get(run.folder) != run.changed]
        if not new:
            return
        self._read |= {run.folder: run.changed for run in new}

        def done(found: dict[Path, Picture]) -> None:
            for folder, picture in found.items():
                self._runs.set_picture(folder, picture)

        def failed(error: Exception) -> None:
            logger.error("the samples of earlier trainings could not be read", exc_info=error)

        self._background.in_background(partial(read_all, new), done, failed, "thumbnails")


def read_all(runs: Iterable[RunSummary]) -> dict[Path, Picture]:
    """What each run drew last, as one picture, of those that drew anything that can be read."""
    newest = ((run.folder, read_newest(run.folder)) for run in runs)
    return {folder: some_of(pictures) for folder, pictures in newest if pictures is not None}


def some_of(pictures: Picture) -> Picture:
    """The first samples of a set, uint8 (n, H, W, C), as one picture of two by two (2H, 2W, C); of fewer, the first."""
    across = 2 if len(pictures) >= SHOWN else 1
    count, side_y, side_x, channels = across**2, *pictures.shape[1:]
    grid = pictures[:count].reshape(across, across, side_y, side_x, channels).transpose(0, 2, 1, 3, 4)
    whole: Picture = np.ascontiguousarray(grid).reshape(across * side_y, across * side_x, channels)
    return whole
