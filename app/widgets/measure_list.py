"""The measurements of this session, newest first: whose curves are drawn, and which one is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from PySide6.QtCore import QSignalBlocker, QSize, Qt, Signal, Slot
from PySide6.QtGui import QFocusEvent, QKeyEvent
from PySide6.QtWidgets import QListWidget, QListWidgetItem, QSizePolicy, QWidget

from app.theme import GRID

JOB = Qt.ItemDataRole.UserRole
EMPTY = "Results of this session are kept here, to be drawn over each other."


@dataclass(frozen=True, slots=True)
class Entry:
    """One measurement in two lines; ``shown`` is its check mark, None where it has no curve to be drawn."""

    job: int
    title: str
    words: str
    about: str
    shown: bool | None


class MeasureList(QListWidget):
    """Signals: ``chosen(int)``, the job of the one to look at; ``shown_changed(int, bool)``, its check mark;
    ``forgotten(int)`` after Delete."""

    chosen = Signal(int)
    shown_changed = Signal(int, bool)
    forgotten = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.entries: tuple[Entry, ...] = ()
        self.setAccessibleName("Measurements")
        self.setToolTip("Measurements of this session. Checked ones are drawn together; Delete takes one off.")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumHeight(14 * GRID)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.currentItemChanged.connect(self._current_changed)
        self.itemChanged.connect(self._item_changed)
        self.set_entries((), None)

    def set_entries(self, entries: Sequence[Entry], current: int | None) -> None:
        """Show these from top to bottom; where they are the same in number, only what has changed."""
        if tuple(entries) == self.entries and self.count() and self.current() == current:
            return
        same = [entry.job for entry in entries] == [entry.job for entry in self.entries] and bool(entries)
        self.entries = tuple(entries)
        with QSignalBlocker(self):
            if not same:
                self.clear()
                for entry in entries:
                    self.addItem(QListWidgetItem())
                    self.item(self.count() - 1).setData(JOB, entry.job)
            for row, entry in enumerate(entries):
                item = self.item(row)
                item.setText(f"{entry.title}\n{entry.words}")
                item.setToolTip(entry.about)
                mark = Qt.CheckState.Checked if entry.shown else Qt.CheckState.Unchecked
                item.setData(Qt.ItemDataRole.CheckStateRole, None if entry.shown is None else mark)
            if not entries:
                self.clear()
                empty = QListWidgetItem(EMPTY)
                empty.setFlags(Qt.ItemFlag.NoItemFlags)
                self.addItem(empty)
            rows = [row for row, entry in enumerate(entries) if entry.job == current]
            self.setCurrentRow(rows[0] if rows else -1)
        self.setWordWrap(not entries)

    def current(self) -> int | None:
        item = self.currentItem()
        return None if item is None else cast("int | None", item.data(JOB))

    def sizeHint(self) -> QSize:
        return QSize(296, 24 * GRID)

    def focusInEvent(self, event: QFocusEvent) -> None:
        with QSignalBlocker(self):  # a list without a current entry would choose its first
            super().focusInEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        job = self.current()
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace) and job is not None:
            self.forgotten.emit(job)
        else:
            super().keyPressEvent(event)

    @Slot(QListWidgetItem, QListWidgetItem)
    def _current_changed(self, item: QListWidgetItem | None, _before: QListWidgetItem | None) -> None:
        if item is not None and item.data(JOB) is not None:
            self.chosen.emit(item.data(JOB))

    @Slot(QListWidgetItem)
    def _item_changed(self, item: QListWidgetItem) -> None:
        job = item.data(JOB)
        known = next((entry for entry in self.entries if entry.job == job), None)
        shown = item.checkState() == Qt.CheckState.Checked
        if known is not None and known.shown is not None and shown != known.shown:
            self.shown_changed.emit(job, shown)
