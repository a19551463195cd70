"""The trainings there are, newest first, each to be looked at again."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from PySide6.QtCore import QSignalBlocker, QSize, Qt, Signal, Slot
from PySide6.QtGui import QFocusEvent
from PySide6.QtWidgets import QListWidget, QListWidgetItem, QSizePolicy, QWidget

from app.theme import GRID
from core.training.runs import RunSummary

NEW = "New training"
FOLDER = Qt.ItemDataRole.UserRole


class RunList(QListWidget):
    """One entry for a new training, then one for each run, in two lines; runs that belong together have one.

    Signals: ``chosen(Path or None)`` when the person chooses a run's folder, or a new training.
    """

    chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.runs: tuple[RunSummary, ...] = ()
        self.setAccessibleName("Trainings")
        self.setToolTip("Every training on this computer. Choose one to see it again and to go on with it.")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumHeight(18 * GRID)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.set_runs(())
        self.currentItemChanged.connect(self._changed)

    def set_runs(
        self,
        runs: Sequence[RunSummary],
        states: Mapping[Path, str] | None = None,
        groups: Mapping[Path, tuple[str, str]] | None = None,
    ) -> None:
        """Show these; ``states`` by folder say of those at work what they do, such as "running". The folders ``groups``
        stand for the runs in them, each with its words and what else is to be said of it."""
        kept = self.current()
        self.runs = tuple(runs)
        left = dict(groups or {})
        with QSignalBlocker(self):
            self.clear()
            self._add(NEW, None, "Choose pictures and settings, and begin")
            for run in runs:
                if run.folder.parent in (groups or {}):
                    self._add_group(run.folder.parent, left)
                    continue
                at_work = (states or {}).get(run.folder)
                said = at_work or words(run, "finished" if run.finished else "stopped")
                self._add(f"{run.name}\n{said}", run.folder, description(run))
            for folder in tuple(left):
                self._add_group(folder, left)
        self.look_at(kept)

    def look_at(self, folder: Path | None) -> None:
        """Mark a run, or the new one, without a signal."""
        with QSignalBlocker(self):
            rows = [row for row in range(self.count()) if self.item(row).data(FOLDER) == folder]
            self.setCurrentRow(rows[0] if rows else -1)

    def current(self) -> Path | None:
        item = self.currentItem()
        return None if item is None else cast("Path | None", item.data(FOLDER))

    def sizeHint(self) -> QSize:
        return QSize(296, 24 * GRID)

    def focusInEvent(self, event: QFocusEvent) -> None:
        with QSignalBlocker(self):  # a list without a current entry would choose its first
            super().focusInEvent(event)

    def _add_group(self, folder: Path, left: dict[Path, tuple[str, str]]) -> None:
        """Where the newest of its runs stands, once."""
        if folder in left:
            words, says = left.pop(folder)
            self._add(f"{folder.name}\n{words}", folder, says)

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
