"""The trainings there are, newest first, each to be looked at again, compared, named, or done something else with."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPoint, QSignalBlocker, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QContextMenuEvent, QFocusEvent, QHelpEvent, QIcon, QKeyEvent, QMouseEvent
from PySide6.QtWidgets import (
    QAbstractItemDelegate,
    QAbstractItemView,
    QListWidget,
    QListWidgetItem,
    QSizePolicy,
    QToolTip,
    QWidget,
)

from app.theme import GRID, palette
from app.widgets.run_entry import THUMBNAIL, RunEntry, blank, icon_of, more_rect
from app.widgets.training_words import description, words
from core.training.runs import RunSummary

NEW = "New training"
FOLDER = Qt.ItemDataRole.UserRole
LIVE = "●"
MORE = "Go on, branch off, compare, export, rename, delete"


class RunItem(QListWidgetItem):
    """A name over a line of words, beside what was drawn last; only the name can be edited.

    Attributes: ``folder``; ``done``, the share of it that is done, None where that is not to be seen; ``is_run``,
    whether it is one training, which can be compared with others.
    """

    def __init__(
        self, name: str, words: str, folder: Path, about: str, *, is_live: bool = False, is_run: bool = False
    ) -> None:
        super().__init__()
        self.name, self._words = name, words
        self._shown = f"{LIVE} {name}" if is_live else name
        self.folder, self.is_run = folder, is_run
        self.done: float | None = None
        self.setData(FOLDER, folder)
        self.setToolTip(about)
        self.setFlags(self.flags() | Qt.ItemFlag.ItemIsEditable)

    def data(self, role: int) -> Any:
        runs = self.listWidget()
        if role == Qt.ItemDataRole.DisplayRole:
            return f"{self._shown}\n{self._words}"
        if role == Qt.ItemDataRole.EditRole:
            return self.name
        if role == Qt.ItemDataRole.DecorationRole and isinstance(runs, RunList):
            return runs.thumbnail(self.folder)
        if role == Qt.ItemDataRole.CheckStateRole and isinstance(runs, RunList):
            return runs.check_state(self)
        return super().data(role)

    def setData(self, role: int, value: Any) -> None:
        runs = self.listWidget()
        if isinstance(runs, RunList) and role == Qt.ItemDataRole.CheckStateRole:
            runs.compare_toggled.emit(self.folder)
        elif role != Qt.ItemDataRole.EditRole:
            super().setData(role, value)
        elif isinstance(runs, RunList) and str(value) != self.name:
            runs.renamed.emit(self.folder, str(value))


class RunList(QListWidget):
    """One entry for a new training, then one for each run, in two lines; runs that belong together have one.

    F2 edits a name, Delete asks for the run to be deleted, Ctrl+click (or Ctrl+Space) to be compared; the dots in the
    chosen entry open its menu. While it is ``comparing``, every run has a box to be compared.

    Signals: ``chosen(Path or None)`` when the person chooses a run's folder, or a new training; ``renamed(Path, str)``,
    the name that it is to have; ``delete_wanted(Path)``; ``compare_toggled(Path)``; ``menu_wanted(Path, QPoint)``, the
    place on the screen; ``listed()`` when other runs are shown.
    """

    chosen = Signal(object)
    renamed = Signal(object, str)
    delete_wanted = Signal(object)
    compare_toggled = Signal(object)
    menu_wanted = Signal(object, QPoint)
    listed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.runs: tuple[RunSummary, ...] = ()
        self.damaged: dict[Path, str] = {}
        self.comparing = False
        self._marks: dict[Path, Callable[[], QColor]] = {}
        self._pictures: dict[Path, QIcon] = {}
        self._waiting: tuple[Any, ...] | None = None
        self._looks_at: Path | None = None
        """What is to be shown, and marked, as soon as a name is no longer being edited."""
        self.setAccessibleName("Trainings")
        self.setToolTip(
            "Every training on this computer. Choose one to see it again and to go on with it.\n"
            "Ctrl+click draws its curve over that of the one looked at; F2 renames, Delete deletes."
        )
        self.setProperty("role", "runs")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumHeight(18 * GRID)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.setEditTriggers(QAbstractItemView.EditTrigger.EditKeyPressed)
        self.setIconSize(QSize(THUMBNAIL, THUMBNAIL))
        self.setMouseTracking(True)
        self.setItemDelegate(RunEntry(self.done, lambda row: self._run(row) is not None, self._mark, self))
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
            self._add_new()
            for run in runs:
                if run.folder.parent in (groups or {}):
                    self._add_group(run.folder.parent, left)
                    continue
                at_work = (states or {}).get(run.folder)
                ended = "finished" if run.finished else "interrupted" if run.folder in interrupted else "stopped"
                said = at_work or words(run, ended)
                live = at_work is not None
                item = RunItem(run.name, said, run.folder, description(run), is_live=live, is_run=True)
                item.done = None if run.finished and not live else run.done
                self.addItem(item)
            for folder in tuple(left):
                self._add_group(folder, left)
            for folder, why in self.damaged.items():
                self.addItem(RunItem(folder.name, "cannot be read", folder, f"{why}\n{folder}"))
        self.look_at(kept)
        self.listed.emit()

    def set_done(self, folder: Path, done: float) -> None:
        """How far a run that is shown has come by now, as a share of it."""
        for row in range(self.count()):
            run = self._run(row)
            if run is not None and run.folder == folder and run.done != done:
                run.done = done
                self.viewport().update(self.visualItemRect(run))

    def set_picture(self, folder: Path, picture: NDArray[np.uint8]) -> None:
        """What a run drew last, uint8 (H, W, 1|3)."""
        self._pictures[folder] = icon_of(picture, self.devicePixelRatioF())
        self.viewport().update()

    def set_compared(self, marks: Mapping[Path, Callable[[], QColor]]) -> None:
        """Those whose curves are drawn, each with what tells its colour."""
        self._marks = dict(marks)
        self.viewport().update()

    def set_comparing(self, comparing: bool) -> None:
        """Whether every run has a box to be compared."""
        self.comparing = comparing
        self.scheduleDelayedItemsLayout()
        self.viewport().update()

    # What the entries show

    def thumbnail(self, folder: Path) -> QIcon:
        """What a run drew last, or one of those that belong together."""
        within = (icon for run, icon in self._pictures.items() if folder in (run, run.parent))
        return next(within, None) or blank(palette().name)

    def check_state(self, item: RunItem) -> Qt.CheckState | None:
        """Of the box of an entry; None: it has none. The one looked at is compared with, and has none."""
        if not self.comparing or not item.is_run or item is self.currentItem():
            return None
        return Qt.CheckState.Checked if item.folder in self._marks else Qt.CheckState.Unchecked

    def done(self, row: int) -> float | None:
        """How much of a run is done, as it is drawn."""
        run = self._run(row)
        return None if run is None else run.done

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

    # What the person does

    def focusInEvent(self, event: QFocusEvent) -> None:
        with QSignalBlocker(self):  # a list without a current entry would choose its first
            super().focusInEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        place = event.position().toPoint()
        folder = self._folder_at(place)
        with_control = event.modifiers() & Qt.KeyboardModifier.ControlModifier
        if event.button() == Qt.MouseButton.LeftButton and with_control:
            if folder is not None:
                self.compare_toggled.emit(folder)
        elif event.button() == Qt.MouseButton.LeftButton and folder is not None and self._is_at_dots(place):
            self.menu_wanted.emit(folder, self.viewport().mapToGlobal(place))
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

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent) and self._is_at_dots(event.pos()):
            QToolTip.showText(event.globalPos(), MORE, self)
            return True
        return super().viewportEvent(event)

    def closeEditor(self, editor: QWidget, hint: QAbstractItemDelegate.EndEditHint) -> None:
        super().closeEditor(editor, hint)
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self.set_runs(*waiting)
            self.look_at(self._looks_at)

    def _run(self, row: int) -> RunItem | None:
        item = self.item(row)
        return item if isinstance(item, RunItem) else None

    def _mark(self, row: int) -> QColor | None:
        run = self._run(row)
        colour_of = None if run is None else self._marks.get(run.folder)
        return None if colour_of is None else colour_of()

    def _folder_at(self, place: QPoint) -> Path | None:
        item = self.itemAt(place)
        return None if item is None else cast("Path | None", item.data(FOLDER))

    def _is_at_dots(self, place: QPoint) -> bool:
        item = self.itemAt(place)
        return isinstance(item, RunItem) and more_rect(self.visualItemRect(item)).contains(place)

    def _add_group(self, folder: Path, left: dict[Path, tuple[str, str]]) -> None:
        """Where the newest of its runs stands, once."""
        if folder in left:
            words, says = left.pop(folder)
            self.addItem(RunItem(folder.name, words, folder, says))

    def _add_new(self) -> None:
        item = QListWidgetItem(NEW)
        item.setData(FOLDER, None)
        item.setToolTip("Choose pictures and settings, and begin")
        self.addItem(item)

    @Slot(QListWidgetItem, QListWidgetItem)
    def _changed(self, item: QListWidgetItem | None, _before: QListWidgetItem | None) -> None:
        if item is not None:
            self.chosen.emit(item.data(FOLDER))
