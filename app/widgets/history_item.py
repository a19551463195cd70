"""A run as an entry of the history, and the picture that stands for it."""

from __future__ import annotations

from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtGui import QIcon, QPixmap
from PySide6.QtWidgets import QTreeWidgetItem

from app.state import AppState, Run
from app.widgets.history_entry import JOB
from app.widgets.rasters import to_image
from app.widgets.run_words import description, origin, progress, summary
from core.messages import Preview
from core.morph_plan import places
from core.requests import InvertRequest, MorphRequest, RunRequest

THUMBNAIL = 40
LONGEST_NAME = 200


class Renaming(Protocol):
    """The list that entries are in."""

    def rename(self, job: int, name: str) -> None: ...


class RunItem(QTreeWidgetItem):
    """One run: shown as its name, its state and its settings, of which only the name can be edited."""

    def __init__(self, run: Run, state: AppState) -> None:
        super().__init__()
        self.run = run
        self._state = state
        super().setData(0, Qt.ItemDataRole.DisplayRole, "")  # an item without data of its own has no column to repaint
        self.setFlags(self.flags() | Qt.ItemFlag.ItemIsEditable)
        self.thumbnail = icon_of(np.zeros((1, 1, 1), np.uint8))
        self.has_thumbnail = False

    @property
    def name(self) -> str:
        return self._state.name_of(self.run.job)

    def data(self, column: int, role: int) -> Any:
        if role == Qt.ItemDataRole.DisplayRole:
            return f"{self.name}{origin(self.run)}\n{progress(self.run)}\n{summary(self.run.request)}"
        if role == JOB:
            return self.run.job
        if role == Qt.ItemDataRole.EditRole:
            return self.name
        if role == Qt.ItemDataRole.DecorationRole:
            return self.thumbnail
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{self.name}{origin(self.run)}\n{description(self.run)}"  # whole, where the line had no room
        return super().data(column, role)

    def setData(self, column: int, role: int, value: Any) -> None:
        if role == Qt.ItemDataRole.EditRole:
            name = " ".join(str(value).split())[:LONGEST_NAME]
            tree = cast(Renaming | None, self.treeWidget())
            if tree is not None:
                tree.rename(self.run.job, name)
        else:
            super().setData(column, role, value)


def thumbnail(request: RunRequest, preview: Preview, has_one: bool) -> NDArray[np.uint8] | None:
    """The picture in a preview that stands for its run, if there is one: what a sampler's run has become, the picture
    that is inverted, the middle frame of a morph (until it is begun, any other)."""
    pictures = preview.x_t if preview.x0_hat is None else preview.x0_hat
    sample = 0
    if isinstance(request, InvertRequest):
        pictures = preview.x_t if preview.step == 0 else pictures
        is_wanted = not has_one
    elif isinstance(request, MorphRequest) and preview.frames:
        middle = len(places(request)) // 2
        is_wanted = middle in preview.frames or not has_one
        sample = preview.frames.index(middle) if middle in preview.frames else 0
    else:
        is_wanted = True
    chosen: NDArray[np.uint8] = pictures[sample]
    return chosen if is_wanted else None


def icon_of(picture: NDArray[np.uint8]) -> QIcon:
    scaled = to_image(picture).scaled(THUMBNAIL, THUMBNAIL, Qt.AspectRatioMode.KeepAspectRatio)
    icon = QIcon()
    for mode in (QIcon.Mode.Normal, QIcon.Mode.Selected):  # a selected picture is not tinted
        icon.addPixmap(QPixmap.fromImage(scaled), mode)
    return icon
