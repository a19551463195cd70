"""What is in the folder that one is about to train on: how much, of what, and what of it may be trouble."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QVBoxLayout, QWidget

from app.stages.train_alike import Alike, scrolled
from app.stages.train_facts import FolderFacts
from app.stages.train_left_out import LeftOut
from app.stages.train_loader import FolderLoader
from app.stages.train_plan import Plan
from app.theme import GRID
from app.widgets.controls import label
from app.widgets.sample_sheet import SampleSheet, SheetRow
from app.widgets.tabs import Tabs
from core.training.dataset import PictureFolder
from core.training.forecast import FEW
from core.training.reading import FolderReport

PICTURES, PREVIEW, PLAN = "pictures", "preview", "plan"
ALIKE, LEFT_OUT, FOLDER = "alike", "left out", "folder"
TAKES = "What it takes"
IN_A_ROW, IN_A_SHEET = 24, 4800
"""Pictures of a class; of very many classes fewer, but always some."""
SOME = 6
IN_A_MIX = 96
ONE_CLASS_FEW = 20


class DataView(QWidget):
    """A folder in a line, and on pages its pictures, those that are nearly the same, the files that were left out and
    every fact; while a folder is read, how far that has come.

    Attributes: ``data``, what is shown; ``tabs``, the pages: ``sheet`` first. Signals: ``cancelled()``.
    """

    cancelled = Signal()

    def __init__(self, preview: QWidget | None = None, plan: Plan | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.data: PictureFolder | None = None
        self._plan = plan
        self._loader: FolderLoader | None = None
        self._advice = self._trouble = ""
        self._is_example = False
        self.facts = label("")
        self.facts.setWordWrap(True)
        self.facts.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.plan = label("", "quiet")
        self.plan.setWordWrap(True)
        self.plan.setVisible(False)
        self.advice = label("", "quiet")
        self.advice.setWordWrap(True)
        self.sheet = SampleSheet()
        self.tabs = Tabs()
        pictures = scrolled(self.sheet, "Pictures of the folder")
        self.tabs.add(PICTURES, "Pictures", pictures, "What the network sees of the folder, class by class")
        if preview is not None:
            self.tabs.add(PREVIEW, "Preview", preview, "Originals beside what the network sees: crop, bars, mirroring")
        if plan is not None:
            self.tabs.add(
                PLAN, TAKES, plan, "Steps, time, memory and passes, and what should be known before it begins"
            )
        self.alike, self.left_out, self.folder = Alike(), LeftOut(), FolderFacts()
        self.tabs.add(ALIKE, "", self.alike, "Pictures that are nearly the same, side by side")
        self.tabs.add(LEFT_OUT, "", self.left_out, "Files that could not be read, and why")
        self.tabs.add(FOLDER, "Folder", self.folder, "Sizes, kinds, classes, captions, and what is kept of them")
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
        for widget in (self._reading, self.facts, self.plan, self.advice):
            column.addWidget(widget)
        column.addWidget(self.tabs, 1)
        self.show_reading(None)
        self.show_data(None)

    def follow(self, loader: FolderLoader) -> None:
        """Show how far it has come, and what it keeps of folders, which can be deleted."""
        loader.progressed.connect(self.show_progress)
        loader.kept_deleted.connect(self.folder.show_nothing_kept)
        loader.kept.connect(self.folder.show_total)
        self.folder.delete_wanted.connect(self._delete_kept)
        self.folder.delete_all_wanted.connect(self._delete_all_kept)
        self._loader = loader

    @Slot()
    def _delete_kept(self) -> None:
        if self._loader is not None and self.data is not None and self.data.source is not None:
            self._loader.delete_kept(self.data.source)

    @Slot()
    def _delete_all_kept(self) -> None:
        if self._loader is not None:
            self._loader.delete_kept(None)

    def show_data(self, data: PictureFolder | None, *, is_example: bool = False) -> None:
        """Show what a folder holds; None empties. ``is_example``: it is a bundled one, to be replaced."""
        self.data = data
        self._advice, self._is_example = advice(data, is_example), is_example
        self.facts.setText(facts(data) if data is not None else "No pictures yet.")
        self.say("")
        self.sheet.set_rows(() if data is None else rows_of(data))
        report = report_of(data)
        self.alike.set_data(data, report)
        self.left_out.set_files(report.quarantined, None if data is None else data.source)
        self.folder.set_data(data, report)
        self.tabs.set_title(ALIKE, f"Nearly the same ({report.duplicate_groups:,})")
        self.tabs.set_title(LEFT_OUT, f"Left out ({len(report.quarantined):,})")
        self.tabs.set_offered(ALIKE, report.duplicate_groups > 0)
        self.tabs.set_offered(LEFT_OUT, bool(report.quarantined))
        self.tabs.set_offered(FOLDER, data is not None)

    def say(self, trouble: str) -> None:
        """What keeps these pictures from being trained on, "" where nothing does: then what one should know."""
        self._trouble = trouble
        warnings = self._plan.warnings if self._plan is not None else ()
        first = (
            ""
            if not warnings
            else warnings[0]
            if len(warnings) == 1
            else f"{warnings[0]} And {len(warnings) - 1} more."
        )
        self.advice.setText(trouble or (self._advice if self._is_example else first or self._advice))
        self.advice.setVisible(bool(self.advice.text()))

    def show_plan(self, words: str, figures: Mapping[str, str], warnings: Sequence[str]) -> None:
        """What a training of these pictures will take: in a line, and on a page of its own."""
        if self._plan is None:
            return
        self.plan.setText(words)
        self.plan.setVisible(bool(words))
        self._plan.show_plan(figures, warnings)
        self.tabs.set_title(PLAN, f"{TAKES} ({len(warnings)})" if warnings else TAKES)
        self.say(self._trouble)

    def show_reading(self, folder: Path | None) -> None:
        """A folder is being read from now on; None: no more."""
        self._reading.setVisible(folder is not None)
        self._folder_name = "" if folder is None else folder.name
        self._reading_words.setText(f"Reading {self._folder_name}")
        self.bar.setRange(0, 0)

    @Slot(int, int)
    def show_progress(self, done: int, total: int) -> None:
        self.bar.setRange(0, total)
        self.bar.setValue(done)
        self._reading_words.setText(f"{self._folder_name}: {done:,} of {total:,} files")


def report_of(data: PictureFolder | None) -> FolderReport:
    """What is known of a folder; of pictures that came from none, what they say themselves."""
    if data is None:
        return FolderReport()
    if data.report.files:
        return data.report
    return FolderReport(files=len(data), pictures=len(data), quarantined=data.skipped)


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
        return (_row("", "", data, np.arange(len(data)), IN_A_MIX),)
    by_class = np.argsort(data.labels, kind="stable")
    ends = np.cumsum(np.bincount(data.labels, minlength=len(data.classes))).tolist()
    starts = [0, *ends[:-1]]
    most = max(SOME, min(IN_A_ROW, IN_A_SHEET // len(data.classes)))
    return tuple(
        _row(name, f"{end - start:,}", data, by_class[start:end], most)
        for name, start, end in zip(data.classes, starts, ends, strict=True)
    )


def _row(name: str, note: str, data: PictureFolder, members: NDArray[np.intp], most: int) -> SheetRow:
    """At most so many of these pictures, evenly chosen."""
    shown = min(most, len(members))
    chosen = members[np.arange(shown) * (len(members) - 1) // max(1, shown - 1)]
    names = tuple(data.paths[index] for index in chosen.tolist()) if data.paths else ()
    return SheetRow(name, note, data.pictures[chosen], names)


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
