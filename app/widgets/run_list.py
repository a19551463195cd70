"""The trainings there are, newest first, each to be looked at again, compared, named, or done something else with."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from PySide6.QtCore import QPoint, QRect, QSignalBlocker, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QContextMenuEvent, QFocusEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QAbstractItemDelegate,
    QAbstractItemView,
    QListWidget,
    QListWidgetItem,
    QSizePolicy,
    QWidget,
)

from app.theme import GRID
from core.training.runs import RunSummary

NEW = "New training"
FOLDER = Qt.ItemDataRole.UserRole
MARK = 3
"""Width of the line beside those whose curves are compared."""
LIVE = "●"


class RunItem(QListWidgetItem):
    """A name over a line of words; only the name can be edited."""

    def __init__(self, name: str, words: str, folder: Path | None, about: str, *, is_live: bool = False) -> None:
        super().__init__()
        self.name, self._words = name, words
        self._shown = f"{LIVE} {name}" if is_live else name
        self.setData(FOLDER, folder)
        self.setToolTip(about)
        if folder is not None:
            self.setFlags(self.flags() | Qt.ItemFlag.ItemIsEditable)

    def data(self, role: int) -> Any:
        if role == Qt.ItemDataRole.DisplayRole:
            return f"{self._shown}\n{self._words}"
        return self.name if role == Qt.ItemDataRole.EditRole else super().data(role)

    def setData(self, role: int, value: Any) -> None:
        runs = self.listWidget()
        if role != Qt.ItemDataRole.EditRole:
            super().setData(role, value)
        elif isinstance(runs, RunList) and str(value) != self.name:
            runs.renamed.emit(self.data(FOLDER), str(value))


class RunList(QListWidget):
    """One entry for a new training, then one for each run, in two lines; runs that belong together have one.

    F2 edits a name, Delete asks for the run to be deleted, Ctrl+click (or Ctrl+Space) to be compared.

    Signals: ``chosen(Path or None)`` when the person chooses a run's folder, or a new training; ``renamed(Path, str)``,
    the name that it is to have; ``delete_wanted(Path)``; ``compare_toggled(Path)``; ``menu_wanted(Path, QPoint)``, the
    place on the screen.
    """

    chosen = Signal(object)
    renamed = Signal(object, str)
    delete_wanted = Signal(object)
    compare_toggled = Signal(object)
    menu_wanted = Signal(object, QPoint)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.runs: tuple[RunSummary, ...] = ()
        self.damaged: dict[Path, str] = {}
        self._marks: dict[Path, Callable[[], QColor]] = {}
        self._waiting: tuple[Any, ...] | None = None
        self._looks_at: Path | None = None
        """What is to be shown, and marked, as soon as a name is no longer being edited."""
        self.setAccessibleName("Trainings")
        self.setToolTip(
            "Every training on this computer. Choose one to see it again and to go on with it.\n"
            "Ctrl+click draws its curve over that of the one looked at; F2 renames, Delete deletes."
        )
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumHeight(18 * GRID)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.setEditTriggers(QAbstractItemView.EditTrigger.EditKeyPressed)
        self.set_runs(())
        self.currentItemChanged.connect(self._changed)

    def set_runs(
        self,
        runs: Sequence[RunSummary],
        states: Mapping[Path, str] | None = None,
        groups: Mapping[Path, tuple[str, str]] | None = None,
        damaged: Mapping[Path, str] | None = None,
        interrupted: Collection[Path] = (),
    ) -> None:
        """Show these; ``states`` by folder say of those at work what they do, such as "running". The folders ``groups``
        stand for the runs in them, each with its words and what else is to be said of it. The ``damaged`` come last,
        each with what is wrong with it. The process of those that were ``interrupted`` died."""
        if self.state() == QAbstractItemView.State.EditingState:  # else the name would be lost while it is typed
            self._waiting, self._looks_at = (runs, states, groups, damaged, interrupted), self.current()
            return
        kept = self.current()
        self.runs, self.damaged = tuple(runs), dict(damaged or {})
        left = dict(groups or {})
        with QSignalBlocker(self):
            self.clear()
            self._add(NEW, None, "Choose pictures and settings, and begin")
            for run in runs:
                if run.folder.parent in (groups or {}):
                    self._add_group(run.folder.parent, left)
                    continue
                at_work = (states or {}).get(run.folder)
                ended = "finished" if run.finished else "interrupted" if run.folder in interrupted else "stopped"
                said = at_work or words(run, ended)
                self.addItem(RunItem(run.name, said, run.folder, description(run), is_live=at_work is not None))
            for folder in tuple(left):
                self._add_group(folder, left)
            for folder, why in self.damaged.items():
                self.addItem(RunItem(folder.name, "cannot be read", folder, f"{why}\n{folder}"))
        self.look_at(kept)

    def set_compared(self, marks: Mapping[Path, Callable[[], QColor]]) -> None:
        """Those whose curves are drawn, each with what tells its colour."""
        self._marks = dict(marks)
        self.viewport().update()

    def look_at(self, folder: Path | None) -> None:
        """Mark a run, or the new one, without a signal."""
        if self._waiting is not None:
            self._looks_at = folder
            return
        with QSignalBlocker(self):
            rows = [row for row in range(self.count()) if self.item(row).data(FOLDER) == folder]
            self.setCurrentRow(rows[0] if rows else -1)

    def current(self) -> Path | None:
        item = self.currentItem()
        return None if item is None else cast("Path | None", item.data(FOLDER))

    def rename(self, folder: Path) -> None:
        """Let the person edit the name of a run."""
        for row in range(self.count()):
            if self.item(row).data(FOLDER) == folder:
                self.editItem(self.item(row))

    def sizeHint(self) -> QSize:
        return QSize(296, 24 * GRID)

    def focusInEvent(self, event: QFocusEvent) -> None:
        with QSignalBlocker(self):  # a list without a current entry would choose its first
            super().focusInEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        folder = self._folder_at(event.position().toPoint())
        with_control = event.modifiers() & Qt.KeyboardModifier.ControlModifier
        if event.button() == Qt.MouseButton.LeftButton and with_control:
            if folder is not None:
                self.compare_toggled.emit(folder)
        elif event.button() != Qt.MouseButton.RightButton:  # which would look at the one that its menu is of
            super().mousePressEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        folder = self.current()
        with_control = event.modifiers() & Qt.KeyboardModifier.ControlModifier
        if folder is not None and event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.delete_wanted.emit(folder)
        elif folder is not None and event.key() == Qt.Key.Key_Space and with_control:
            self.compare_toggled.emit(folder)
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if event.reason() == QContextMenuEvent.Reason.Keyboard:
            folder, place = self.current(), self.visualItemRect(self.currentItem()).center()
            where = self.viewport().mapToGlobal(place)
        else:
            folder, where = self._folder_at(event.pos()), event.globalPos()
        if folder is not None:
            self.menu_wanted.emit(folder, where)

    def closeEditor(self, editor: QWidget, hint: QAbstractItemDelegate.EndEditHint) -> None:
        super().closeEditor(editor, hint)
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self.set_runs(*waiting)
            self.look_at(self._looks_at)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._marks:
            return
        painter = QPainter(self.viewport())
        for row in range(self.count()):
            colour_of = self._marks.get(self.item(row).data(FOLDER))
            if colour_of is not None:
                beside = self.visualItemRect(self.item(row))
                painter.fillRect(QRect(beside.left(), beside.top() + 3, MARK, beside.height() - 6), colour_of())
        painter.end()

    def _folder_at(self, place: QPoint) -> Path | None:
        item = self.itemAt(place)
        return None if item is None else cast("Path | None", item.data(FOLDER))

    def _add_group(self, folder: Path, left: dict[Path, tuple[str, str]]) -> None:
        """Where the newest of its runs stands, once."""
        if folder in left:
            words, says = left.pop(folder)
            self.addItem(RunItem(folder.name, words, folder, says))

    def _add(self, text: str, folder: Path | None, tooltip: str) -> None:
        item = QListWidgetItem(text)
        item.setData(FOLDER, folder)
        item.setToolTip(tooltip)
        self.addItem(item)

    @Slot(QListWidgetItem, QListWidgetItem)
    def _changed(self, item: QListWidgetItem | None, _before: QListWidgetItem | None) -> None:
        if item is not None:
            self.chosen.emit(item.data(FOLDER))


def words(run: RunSummary, state: str) -> str:
    """A run in a line: "1,204 steps · loss 0.031 · stopped · 14:02"."""
    loss = "" if run.loss is None else f"loss {run.loss:.3f}"
    return " · ".join(filter(None, (f"{run.step:,} steps", loss, state, when(run.changed))))


def when(seconds: float) -> str:
    """A time of today as "14:02", an earlier one as its date."""
    then, now = time.localtime(seconds), time.localtime()
    return time.strftime("%H:%M" if then[:3] == now[:3] else "%Y-%m-%d", then)


def description(run: RunSummary) -> str:
    length = f"{run.steps:,} steps" if run.steps is not None else f"{run.minutes or 0:g} minutes"
    return "\n".join(
        (
            f"{run.name}: {run.step:,} steps in {run.seconds / 60:.1f} minutes, of {length}",
            f"{run.count:,} pictures of {run.data_name}, {run.size} × {run.size}",
            str(run.folder),
        )
    )
