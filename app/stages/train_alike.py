"""Pictures of a folder that are nearly the same, group by group and side by side."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QFrame, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from app.theme import GRID
from app.widgets.controls import label
from app.widgets.sample_sheet import SampleSheet, SheetRow
from core.training.dataset import PictureFolder
from core.training.reading import FolderReport

GROUPS, IN_A_GROUP = 200, 24
"""So many groups are shown, with so many pictures each."""
WHY = (
    "What lies in the folder several times is learned several times as often, and is what a network draws from memory "
    "first (Carlini et al. 2023). Keep one of each where they are the same picture."
)


class Alike(QWidget):
    """Attributes: ``sheet``, a row a group; ``words`` on how many there are."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.words = label("", "quiet")
        self.words.setWordWrap(True)
        self.sheet = SampleSheet()
        self.sheet.setAccessibleName("Pictures that are nearly the same")
        scroll = scrolled(self.sheet, "Pictures that are nearly the same")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        column.addWidget(self.words)
        column.addWidget(scroll, 1)

    def set_data(self, data: PictureFolder | None, report: FolderReport) -> None:
        rows = () if data is None else groups(data, report.duplicates)
        self.sheet.set_rows(rows)
        rest = report.duplicate_groups - len(rows)
        more = f" The {len(rows)} largest groups are shown." if rest > 0 else ""
        self.words.setText(WHY + more)


def groups(data: PictureFolder, found: Sequence[Sequence[str]]) -> tuple[SheetRow, ...]:
    """A row a group: named after its first picture's file, with how many are alike."""
    named = {path for paths in found[:GROUPS] for path in paths}
    place = {path: index for index, path in enumerate(data.paths) if path in named} if named else {}
    rows = []
    for paths in found[:GROUPS]:
        there = [path for path in paths if path in place]
        if len(there) > 1:
            shown = there[:IN_A_GROUP]
            pictures = data.pictures[[place[path] for path in shown]]
            rows.append(SheetRow(there[0].rpartition("/")[2], f"{len(there):,} alike", pictures, tuple(shown)))
    return tuple(rows)


def scrolled(widget: QWidget, name: str) -> QScrollArea:
    """A sheet that is scrolled where it has more rows than room; ``name`` is what is said when it has the focus."""
    scroll = QScrollArea()
    scroll.setAccessibleName(name)
    scroll.setWidgetResizable(True)
    scroll.setFrameShape(QFrame.Shape.NoFrame)
    scroll.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)  # what is unfolded above comes first
    scroll.setMinimumHeight(8 * GRID)
    scroll.setWidget(widget)
    return scroll
