"""Runs and their branches as a tree, each with its picture and what it was made with."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, QSignalBlocker, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QIcon, QPainter, QPaintEvent, QPixmap
from PySide6.QtWidgets import QAbstractItemView, QTreeWidget, QTreeWidgetItem, QWidget

from app.state import AppState, Cursor, Run, stage_of
from app.theme import font, palette
from app.widgets.drag_out import want_drag
from app.widgets.rasters import to_image
from app.widgets.run_words import description, origin, progress, summary
from core.messages import Preview
from core.morph_plan import places
from core.requests import InvertRequest, MorphRequest, RunRequest

THUMBNAIL = 40
LONGEST_NAME = 200
EMPTY = "Runs and their branches appear here."


class RunItem(QTreeWidgetItem):
    """One run: shown as its name, its state and its settings, of which only the name can be edited."""

    def __init__(self, run: Run, state: AppState) -> None:
        super().__init__()
        self.run = run
        self._state = state
        super().setData(0, Qt.ItemDataRole.DisplayRole, "")  # an item without data of its own has no column to repaint
        self.setFlags(self.flags() | Qt.ItemFlag.ItemIsEditable)
        self.thumbnail = _icon(np.zeros((1, 1, 1), np.uint8))
        self.has_thumbnail = False

    @property
    def name(self) -> str:
        return self._state.name_of(self.run.job)

    def data(self, column: int, role: int) -> Any:
        if role == Qt.ItemDataRole.DisplayRole:
            return f"{self.name}{origin(self.run)}\n{progress(self.run)}\n{summary(self.run.request)}"
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
            tree = self.treeWidget()
            if isinstance(tree, History):
                tree.rename(self.run.job, name)
        else:
            super().setData(column, role, value)


class History(QTreeWidget):
    """Every run since the program was started; a branch hangs under the run it left, at the step where it left it.

    Choosing a run moves the cursor of ``state`` to the last state of it; when the cursor moves to another run, that
    run is chosen. F2 (or a second click) gives a run a name.

    Signals: ``run_selected(int)`` with the job, by the person; ``renamed(job, before, after)``, names by the person,
    "" for none.
    """

    run_selected = Signal(int)
    renamed = Signal(int, str, str)

    def __init__(self, state: AppState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._items: dict[int, RunItem] = {}
        self.setColumnCount(1)
        self.setHeaderHidden(True)
        self.setIconSize(QSize(THUMBNAIL, THUMBNAIL))
        self.setIndentation(12)
        self.setRootIsDecorated(False)
        self.setItemsExpandable(False)
        self.setUniformRowHeights(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(
            QAbstractItemView.EditTrigger.EditKeyPressed | QAbstractItemView.EditTrigger.SelectedClicked
        )
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
        self.setAccessibleName("History of runs")
        self.setToolTip("Runs and branches. Choose one to see it again with its settings; F2 names it.")
        for job in state.runs:
            self._show(job)
            self._show_thumbnail(job)
        state.runs_changed.connect(self._show)
        state.run_removed.connect(self._remove)
        state.note_changed.connect(self._show_note)
        state.thumbnail_changed.connect(self._show_thumbnail)
        state.cursor_changed.connect(self._follow)
        self.currentItemChanged.connect(self._chosen)

    def set_thumbnail(self, job: int, picture: NDArray[np.uint8]) -> None:
        """The picture of a run: uint8 (H, W, 1 or 3)."""
        if job in self._items:
            self._state.set_thumbnail(job, picture)

    def name(self, job: int) -> str:
        """The name the person gave to a run, or "Run <job>"."""
        return self._state.name_of(job)

    def job_at(self, point: QPoint) -> int | None:
        """The run at a place of the viewport."""
        item = self.itemAt(point)
        return item.run.job if isinstance(item, RunItem) else None

    def rename(self, job: int, name: str) -> None:
        """Give a run a name; "" or "Run <job>" takes away the one it has."""
        before, after = self._state.note(job).name, "" if name == f"Run {job}" else name
        if before != after:
            self._state.set_note(job, name=after)
            self.renamed.emit(job, before, after)

    def startDrag(self, _actions: Qt.DropAction) -> None:
        """Let the picture of the run that is pressed be dragged away."""
        item = self.currentItem()
        if isinstance(item, RunItem):
            want_drag(self, item.run.job)

    @Slot(object)
    def receive(self, message: object) -> None:
        """Take the thumbnail of a run from a preview: what it has become so far."""
        if isinstance(message, Preview):
            item = self._items.get(message.job)
            picture = None if item is None else thumbnail(item.run.request, message, item.has_thumbnail)
            if picture is not None:
                self.set_thumbnail(message.job, picture)

    @Slot(int)
    def _show(self, job: int) -> None:
        run = self._state.runs[job]
        item = self._items.get(job)
        if item is None:
            item = self._items[job] = RunItem(run, self._state)
            parent = None if run.parent is None else self._items.get(run.parent)
            with QSignalBlocker(self):
                (self.invisibleRootItem() if parent is None else parent).addChild(item)
                self.expandAll()
            self._show_thumbnail(job)
        item.run = run
        self._refresh(item)
        self._follow(self._state.cursor)

    @Slot(int)
    def _remove(self, job: int) -> None:
        """What hung under it hangs where it did."""
        item = self._items.pop(job, None)
        if item is None:
            return
        with QSignalBlocker(self):
            above = item.parent() or self.invisibleRootItem()
            children = item.takeChildren()
            above.removeChild(item)
            above.addChildren(children)
            self.expandAll()
        self._follow(self._state.cursor)

    @Slot(int)
    def _show_note(self, job: int) -> None:
        if job in self._items:
            self._items[job].emitDataChanged()

    @Slot(int)
    def _show_thumbnail(self, job: int) -> None:
        if job in self._items and job in self._state.thumbnails:
            item = self._items[job]
            item.has_thumbnail = True
            item.thumbnail = _icon(self._state.thumbnails[job])
            self._refresh(item)

    def _refresh(self, item: RunItem) -> None:
        if self.state() != QAbstractItemView.State.EditingState:  # else the name would be lost while it is typed
            item.emitDataChanged()

    @Slot(object)
    def _follow(self, cursor: Cursor) -> None:
        item = None if cursor.run is None else self._items.get(cursor.run)
        if item is self.currentItem():
            return  # and the list stays where the person has scrolled it
        with QSignalBlocker(self):
            self.setCurrentItem(item)  # type: ignore[arg-type]
            if item is not None:
                self.scrollToItem(item)

    @Slot(QTreeWidgetItem, QTreeWidgetItem)
    def _chosen(self, item: QTreeWidgetItem | None, _before: QTreeWidgetItem | None) -> None:
        if isinstance(item, RunItem):
            run = item.run
            step = min(run.stored, run.steps)
            t = int(run.path[step].t)
            self._state.move(stage=stage_of(run.request), run=run.job, step=step, t=t, shown_t=t, frame=0)
            self.run_selected.emit(run.job)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.topLevelItemCount() == 0:
            painter = QPainter(self.viewport())
            painter.setPen(QColor(palette().quiet))
            painter.setFont(font("caption"))
            painter.drawText(self.viewport().rect(), Qt.AlignmentFlag.AlignLeft | Qt.TextFlag.TextWordWrap, EMPTY)
            painter.end()


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


def _icon(picture: NDArray[np.uint8]) -> QIcon:
    scaled = to_image(picture).scaled(THUMBNAIL, THUMBNAIL, Qt.AspectRatioMode.KeepAspectRatio)
    icon = QIcon()
    for mode in (QIcon.Mode.Normal, QIcon.Mode.Selected):  # a selected picture is not tinted
        icon.addPixmap(QPixmap.fromImage(scaled), mode)
    return icon
