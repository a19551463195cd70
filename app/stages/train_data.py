"""What is in the folder that one is about to train on: how much, of what, and what was left out and why."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from app.stages.train_settings import FEW
from app.theme import GRID
from app.widgets.controls import MoreSection, label
from app.widgets.sample_sheet import SampleSheet, SheetRow
from core.messages import Picture
from core.training.dataset import PictureFolder

IN_A_ROW = 24
IN_A_MIX = 96
LISTED = 500
"""Skipped files that are named; the rest is counted."""
ONE_CLASS_FEW = 20


class DataView(QWidget):
    """The sample sheet of a folder with its facts; while a folder is read, how far that has come.

    Attributes: ``data``, what is shown. Signals: ``cancelled()``.
    """

    cancelled = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.data: PictureFolder | None = None
        self._advice = ""
        self.facts = label("")
        self.facts.setWordWrap(True)
        self.facts.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.advice = label("", "quiet")
        self.advice.setWordWrap(True)
        self.sheet = SampleSheet()
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setWidget(self.sheet)
        self.skipped = MoreSection("")
        self.skipped_list = QPlainTextEdit()
        self.skipped_list.setReadOnly(True)
        self.skipped_list.setAccessibleName("Files that were left out, and why")
        self.skipped.add(self.skipped_list)
        self._reading = QWidget()
        self._reading_words = label("", "quiet")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName("Reading the folder")
        self.cancel = QPushButton("Cancel")
        self.cancel.setToolTip("Read no further; what was shown before stays")
        self.cancel.clicked.connect(self.cancelled)
        row = QHBoxLayout(self._reading)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID)
        row.addWidget(self._reading_words)
        row.addWidget(self.bar, 1)
        row.addWidget(self.cancel)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        for widget in (self._reading, self.facts, self.advice):
            column.addWidget(widget)
        column.addWidget(self._scroll, 1)
        column.addWidget(self.skipped)
        self.show_reading(None)
        self.show_data(None)

    def show_data(self, data: PictureFolder | None, *, is_example: bool = False) -> None:
        """Show what a folder holds; None empties. ``is_example``: it is a bundled one, to be replaced."""
        self.data = data
        self._advice = advice(data, is_example)
        self.facts.setText(facts(data) if data is not None else "No pictures yet.")
        self.say("")
        self.sheet.set_rows(() if data is None else rows_of(data))
        skipped = () if data is None else data.skipped
        self.skipped.setVisible(bool(skipped))
        self.skipped.set_title(f"{_counted(len(skipped), 'file')} left out")
        lines = [f"{name}: {why}" for name, why in skipped[:LISTED]]
        lines += [f"and {len(skipped) - LISTED:,} more"] if len(skipped) > LISTED else []
        self.skipped_list.setPlainText("\n".join(lines))
        line = self.skipped_list.fontMetrics().lineSpacing()
        self.skipped_list.setFixedHeight(2 * GRID + line * min(6, len(lines)) + 4)

    def say(self, trouble: str) -> None:
        """What keeps these pictures from being trained on, "" where nothing does: then what one should know."""
        self.advice.setText(trouble or self._advice)
        self.advice.setVisible(bool(self.advice.text()))

    def show_reading(self, folder: Path | None) -> None:
        """A folder is being read from now on; None: no more."""
        self._reading.setVisible(folder is not None)
        self._reading_words.setText("" if folder is None else f"Reading {folder.name}")
        self.bar.setRange(0, 0)

    @Slot(int, int)
    def show_progress(self, done: int, total: int) -> None:
        self.bar.setRange(0, total)
        self.bar.setValue(done)
        self._reading_words.setText(f"{done:,} of {total:,} files")


def facts(data: PictureFolder) -> str:
    """A folder in a line: "things: 1,203 pictures · 10 classes · grey · 28 × 28 to 64 × 48, learned at 32 × 32"."""
    height, width, channels = data.pictures.shape[1:]
    classes = f"{len(data.classes)} classes" if data.classes else "no classes"
    colours = "grey" if channels == 1 else "colour"
    skipped = f"{len(data.skipped):,} left out" if data.skipped else ""
    parts = (_counted(len(data), "picture"), classes, colours, _sizes(data, f"{width} × {height}"), skipped)
    return f"{data.name}: " + " · ".join(filter(None, parts))


def _sizes(data: PictureFolder, at: str) -> str:
    """What the pictures measured before they were scaled, and what they are learned at where that is not the same."""
    found = " to ".join(dict.fromkeys(f"{width} × {height}" for width, height in data.found))
    return found if found == at else ", ".join(filter(None, (found, f"learned at {at}")))


def advice(data: PictureFolder | None, is_example: bool) -> str:
    """What one should know before training on these."""
    if is_example:
        return (
            "An example to try: the bundled digits. Drop a folder of your own, of at least about "
            f"{FEW} pictures; its sub-folders are classes."
        )
    if data is None:
        return f"Drop a folder of at least about {FEW} pictures here, or choose one; its sub-folders are classes."
    if len(data) < FEW:
        return f"With fewer than about {FEW} pictures the network learns them by heart instead of what they share."
    if data.classes:
        counts = np.bincount(data.labels, minlength=len(data.classes))
        few = [name for name, count in zip(data.classes, counts, strict=True) if count < ONE_CLASS_FEW]
        if few:
            shown = ", ".join(few[:5]) + ("…" if len(few) > 5 else "")
            return f"Few pictures of {shown}: the network will know little of them."
    return ""


def rows_of(data: PictureFolder) -> tuple[SheetRow, ...]:
    """A row a class with its count, or one even mix of the whole folder."""
    if not data.classes:
        return (SheetRow("", "", _evenly(data, np.arange(len(data)), IN_A_MIX)),)
    rows = []
    for index, name in enumerate(data.classes):
        members = np.flatnonzero(data.labels == index)
        rows.append(SheetRow(name, f"{len(members):,}", _evenly(data, members, IN_A_ROW)))
    return tuple(rows)


def _evenly(data: PictureFolder, members: NDArray[np.intp], most: int) -> Picture:
    chosen = np.linspace(0, len(members) - 1, min(most, len(members))).round().astype(int)
    pictures: Picture = data.pictures[members[chosen]]
    return pictures


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
