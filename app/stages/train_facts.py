"""What is in a folder, fact by fact, and what is kept of it for the next time."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, QUrl, Signal, Slot
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFormLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.stages.train_alike import scrolled
from app.theme import GRID
from app.widgets.controls import label
from core.training.dataset import PictureFolder
from core.training.reading import FolderReport

NAMED = 6
"""Sizes, kinds and classes that are named; the rest is counted."""


class FolderFacts(QWidget):
    """Attributes: ``rows``, the facts by their names; ``delete`` and ``show_cache``, the buttons.

    Signals: ``delete_wanted()``: what is kept for the next time is to be deleted; ``delete_all_wanted()``: that of
    every folder.
    """

    delete_wanted = Signal()
    delete_all_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows: dict[str, str] = {}
        self._cache: Path | None = None
        self._of_this, self._total = "", 0
        self._body = QWidget()
        self._form = QFormLayout(self._body)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setHorizontalSpacing(2 * GRID)
        self._form.setVerticalSpacing(GRID // 2)
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.kept = label("", "quiet")
        self.kept.setWordWrap(True)
        self.delete = QPushButton("Delete")
        self.delete.setToolTip("Delete what is kept of this folder. Nothing is lost: it is made again the next time")
        self.delete_all = QPushButton("Delete all")
        self.delete_all.setToolTip(
            "Delete what is kept of every folder that was ever read; it is made again when needed"
        )
        self.delete_all.setEnabled(False)
        self.show_cache = QPushButton("Show")
        self.show_cache.setToolTip("Open the folder in which it is kept")
        kept = QHBoxLayout()
        kept.setSpacing(GRID)
        kept.addWidget(self.kept, 1)
        kept.addWidget(self.show_cache)
        kept.addWidget(self.delete)
        kept.addWidget(self.delete_all)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        column.addWidget(scrolled(self._body, "What is known of the folder"), 1)
        column.addLayout(kept)
        self.delete.clicked.connect(self.delete_wanted)
        self.delete_all.clicked.connect(self.delete_all_wanted)
        self.show_cache.clicked.connect(self._show)

    def set_data(self, data: PictureFolder | None, report: FolderReport) -> None:
        self.rows = {} if data is None else facts_of(data, report)
        while self._form.rowCount():
            self._form.removeRow(0)
        for name, words in self.rows.items():
            value = QLabel(words)
            value.setTextFormat(Qt.TextFormat.PlainText)
            value.setWordWrap(True)
            value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            self._form.addRow(label(name, "quiet"), value)
        self.show_kept(report.cache_bytes, report.cache)

    def show_kept(self, size: int, where: str) -> None:
        """How many bytes are kept of the folder, and where; none: 0 and ""."""
        self._cache = Path(where) if where and size else None
        for button in (self.delete, self.show_cache):
            button.setEnabled(self._cache is not None)
        self._of_this = (
            "Nothing is kept of this folder: its pictures are decoded again the next time."
            if self._cache is None
            else f"Decoded pictures are kept for the next time: {in_bytes(size)}"
        )
        self._say_kept()

    @Slot(object)
    def show_total(self, size: int) -> None:
        """How many bytes are kept of all folders."""
        self._total = size
        self.delete_all.setEnabled(size > 0)
        self._say_kept()

    def _say_kept(self) -> None:
        self.kept.setText(self._of_this + (f" · {in_bytes(self._total)} of all folders" if self._total else ""))

    @Slot()
    def show_nothing_kept(self) -> None:
        """It has been deleted."""
        self.show_kept(0, "")

    @Slot()
    def _show(self) -> None:
        if self._cache is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._cache.parent)))


def facts_of(data: PictureFolder, report: FolderReport) -> dict[str, str]:
    """Every fact that there is of a folder, in words."""
    side, channels = data.pictures.shape[2], data.pictures.shape[3]
    left_out = f"{len(report.quarantined):,} could not be read" if report.quarantined else "all could be read"
    others = f"; {report.others:,} other files were not looked at" if report.others else ""
    found = {
        "Folder": str(data.source or data.name),
        "Pictures": f"{len(data):,} from {report.files:,} files, {left_out}{others}",
        "Sizes": sizes(report),
        "Colours": "grey in all of them: one channel is learned" if channels == 1 else "red, green and blue",
        "Kinds": ", ".join(f"{count:,} {kind}" for kind, count in report.kinds) or "nothing unusual",
        "Classes": classes(report),
        "Captions": f"{report.captions:,} pictures have a text beside them" if report.captions else "none",
        "Nearly the same": alike(report),
        "Learned at": f"{side} × {side}",
    }
    return {name: words for name, words in found.items() if words}


def sizes(report: FolderReport) -> str:
    """ "64 × 64 (3,400), 32 × 32 (12) and 3 more, up to 4,000 × 3,000"."""
    named = ", ".join(f"{width} × {height} ({count:,})" for width, height, count in report.sizes[:NAMED])
    more = report.different_sizes - min(NAMED, len(report.sizes))
    if more <= 0:
        return named
    least, most = (f"{width} × {height}" for width, height in (report.smallest, report.largest))
    return f"{named} and {more:,} more, from {least} to {most}"


def classes(report: FolderReport) -> str:
    """ "9 sub-folders, from Activities (152) to People (698)"."""
    if not report.classes:
        return "none: put each class in a sub-folder of its own to have them"
    fewest, most = (chosen(report.classes, key=lambda item: item[1]) for chosen in (min, max))
    count = len(report.classes)
    return f"{count:,} sub-folders, from {fewest[0]} ({fewest[1]:,}) to {most[0]} ({most[1]:,})"


def alike(report: FolderReport) -> str:
    if not report.duplicate_groups:
        return "no two of them"
    return f"{report.duplicate_groups:,} groups, {report.duplicate_pictures:,} pictures more than there would be"


def in_bytes(count: int) -> str:
    """ "532 kB", "12.4 MB", "3.1 GB"."""
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 1e3:.0f} kB"
