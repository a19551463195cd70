"""Runs and their branches as a tree, each with its picture and what it was made with."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QModelIndex, QPoint, QSignalBlocker, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractItemView, QTreeWidget, QTreeWidgetItem, QWidget

from app.state import COMPARE, AppState, Cursor, stage_of
from app.theme import font, palette
from app.widgets.drag_out import want_drag
from app.widgets.history_entry import HistoryEntry, star_rect
from app.widgets.history_item import THUMBNAIL, RunItem, icon_of, thumbnail
from core.messages import Preview

EMPTY = "Runs and their branches appear here."
NO_STARS = "No run is starred. Click the star of one, or press S."
NOT_FOUND = "No run fits these words."


class History(QTreeWidget):
    """Every run since the program was started; a branch hangs under the run it left, at the step where it left it.

    Choosing a run moves the cursor of ``state`` to the last state of it; when the cursor moves to another run, that
    run is chosen. Ctrl+click (or Ctrl+Space) chooses a second one, to compare the two. F2 gives a run a name, Delete
    deletes what is chosen, a click on its star stars it. While it ``shows_starred``, or words are looked for, the
    others are hidden but for the runs that a shown one was branched from.

    Signals: ``run_selected(int)`` with the job, by the person; ``renamed(job, before, after)``, names by the person,
    "" for none; ``star_clicked(job)``; ``compare_wanted(first, second)``; ``delete_wanted(jobs)``, a list.
    """

    run_selected = Signal(int)
    renamed = Signal(int, str, str)
    star_clicked = Signal(int)
    compare_wanted = Signal(int, int)
    delete_wanted = Signal(list)

    def __init__(self, state: AppState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._items: dict[int, RunItem] = {}
        self._followed: tuple[int | None, int | None] = None, None
        self.shows_starred = False
        self._words: list[str] = []
        self.setColumnCount(1)
        self.setHeaderHidden(True)
        self.setIconSize(QSize(THUMBNAIL, THUMBNAIL))
        self.setIndentation(12)
        self.setRootIsDecorated(False)
        self.setItemsExpandable(False)
        self.setUniformRowHeights(True)
        self.setMouseTracking(True)
        self.setItemDelegate(HistoryEntry(self._is_starred, self))
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(
            QAbstractItemView.EditTrigger.EditKeyPressed | QAbstractItemView.EditTrigger.SelectedClicked
        )
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
        self.setAccessibleName("History of runs")
        self.setToolTip(
            "Runs and branches. Choose one to see it again with its settings; Ctrl+click a second one to compare.\n"
            "F2 names it, S stars it, Delete deletes it with its branches."
        )
        for job in state.runs:
            self._show(job)
            self._show_thumbnail(job)
        state.runs_changed.connect(self._show)
        state.run_removed.connect(self._remove)
        state.note_changed.connect(self._show_note)
        state.thumbnail_changed.connect(self._show_thumbnail)
        state.cursor_changed.connect(self._follow)
        self.itemSelectionChanged.connect(self._chosen)

    def jobs(self) -> tuple[int, ...]:
        """The runs that are chosen and in sight, in the order of their start."""
        chosen = (item for item in self.selectedItems() if isinstance(item, RunItem) and not item.isHidden())
        return tuple(sorted(item.run.job for item in chosen))

    def choose(self, job: int) -> None:
        """As if the person had clicked on a run."""
        with QSignalBlocker(self):
            self.setCurrentItem(self._items[job])
        self._look_at(job)

    def show_starred(self, only: bool) -> None:
        """Show only what is starred, and what it was branched from."""
        self.shows_starred = only
        self._filter()

    def look_for(self, words: str) -> None:
        """Show only the runs in whose description each of these words is, and what they were branched from."""
        self._words = words.lower().split()
        self._filter()

    def enter(self) -> None:
        """Take the focus; where nothing in sight is chosen, choose the first that was looked for."""
        self.setFocus()
        found = [job for job in sorted(self._items) if self._is_wanted(job)]
        if self._words and found and not set(self.jobs()) & set(found):
            self.choose(found[0])

    def star_at(self, place: QPoint) -> int | None:
        """The run whose star is at a place of the viewport."""
        item = self.itemAt(place)
        is_there = isinstance(item, RunItem) and star_rect(self.visualItemRect(item)).contains(place)
        return item.run.job if is_there and isinstance(item, RunItem) else None

    def edit_name(self, job: int) -> None:
        """Let the person type a name."""
        item = self._items.get(job)
        if item is not None:
            self.setFocus()
            self.editItem(item, 0)

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
            above = self.invisibleRootItem() if parent is None else parent
            with QSignalBlocker(self):
                above.insertChild(self._place(above, job), item)
                item.setExpanded(True)
            self._show_thumbnail(job)
            if self._is_filtered:
                self._filter()
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
            for child in children:
                assert isinstance(child, RunItem)
                above.insertChild(self._place(above, child.run.job), child)
                self._expand(child)
        self._follow(self._state.cursor)

    @staticmethod
    def _place(above: QTreeWidgetItem, job: int) -> int:
        """Where among its siblings a run stands, which are in the order of their start."""
        place = above.childCount()
        while place and cast(RunItem, above.child(place - 1)).run.job > job:
            place -= 1
        return place

    def _expand(self, item: QTreeWidgetItem) -> None:
        item.setExpanded(True)
        for place in range(item.childCount()):
            self._expand(cast(RunItem, item.child(place)))

    @Slot(int)
    def _show_note(self, job: int) -> None:
        if job in self._items:
            self._items[job].emitDataChanged()
            if self._is_filtered:
                self._filter()

    def _is_starred(self, job: int) -> bool:
        return self._state.note(job).is_starred

    @property
    def _is_filtered(self) -> bool:
        return self.shows_starred or bool(self._words)

    def _is_wanted(self, job: int) -> bool:
        if self.shows_starred and not self._is_starred(job):
            return False
        told = (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole) if self._words else ()
        text = " ".join(str(self._items[job].data(0, role)) for role in told).lower()
        return all(word in text for word in self._words)

    def _filter(self) -> None:
        shown = {job for job in self._items if self._is_wanted(job)}
        for job in tuple(shown):
            above = self._items[job].parent()
            while isinstance(above, RunItem):
                shown.add(above.run.job)
                above = above.parent()
        for job, item in self._items.items():
            item.setHidden(job not in shown)
        self.viewport().update()

    @Slot(int)
    def _show_thumbnail(self, job: int) -> None:
        if job in self._items and job in self._state.thumbnails:
            item = self._items[job]
            item.has_thumbnail = True
            item.thumbnail = icon_of(self._state.thumbnails[job])
            self._refresh(item)

    def _refresh(self, item: RunItem) -> None:
        if self.state() != QAbstractItemView.State.EditingState:  # else the name would be lost while it is typed
            item.emitDataChanged()

    @Slot(object)
    def _follow(self, cursor: Cursor) -> None:
        wanted = cursor.run, cursor.beside if cursor.stage == COMPARE else None
        items = [self._items[job] for job in wanted if job is not None and job in self._items]
        is_known = wanted == self._followed and all(item.isSelected() for item in items)
        self._followed = wanted
        if is_known or (items and {item.run.job for item in items} == set(self.jobs())):
            return  # and the list stays where the person has scrolled it
        with QSignalBlocker(self):
            if not items:
                self.setCurrentIndex(QModelIndex())
                self.clearSelection()
                return
            self.setCurrentItem(items[0])
            for item in items[1:]:
                item.setSelected(True)
            self.scrollToItem(items[0])

    @Slot()
    def _chosen(self) -> None:
        """One run is looked at, two are compared; with more of them only what is asked of them happens."""
        jobs = self.jobs()
        if len(jobs) == 1:
            self._look_at(jobs[0])
        elif len(jobs) == 2:
            first = self._state.cursor.run if self._state.cursor.run in jobs else jobs[0]
            self.compare_wanted.emit(first, next(job for job in jobs if job != first))

    def _look_at(self, job: int) -> None:
        run = self._state.runs[job]
        step = min(run.stored, run.steps)
        t = int(run.path[step].t)
        self._followed = job, None
        self._state.move(stage=stage_of(run.request), run=job, step=step, t=t, shown_t=t, frame=0, beside=None)
        self.run_selected.emit(job)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        job = self.star_at(event.position().toPoint())
        if event.button() != Qt.MouseButton.LeftButton:
            event.accept()  # its menu is about the run under the pointer, which stays unchosen
        elif job is not None and not event.modifiers():
            self.star_clicked.emit(job)
        else:
            super().mousePressEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace) and self.jobs():
            self.delete_wanted.emit(list(self.jobs()))
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        nothing = self._is_filtered and all(item.isHidden() for item in self._items.values())
        why = EMPTY if not self._items else "" if not nothing else NOT_FOUND if self._words else NO_STARS
        if why:
            painter = QPainter(self.viewport())
            painter.setPen(QColor(palette().quiet))
            painter.setFont(font("caption"))
            painter.drawText(self.viewport().rect(), Qt.AlignmentFlag.AlignLeft | Qt.TextFlag.TextWordWrap, why)
            painter.end()
