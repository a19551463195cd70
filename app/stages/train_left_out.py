"""The files of a folder that could not be read, each with the reason; to be copied, and found on the disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt, QUrl, Signal, Slot
from PySide6.QtGui import QAction, QDesktopServices, QGuiApplication, QKeyEvent, QKeySequence
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from app.theme import GRID
from app.widgets.controls import label

LISTED = 1000
"""Files that are named; the rest is counted."""


class _Table(QTreeWidget):
    """Signals: ``copy_wanted()``: of itself it would copy one cell alone."""

    copy_wanted = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy_wanted.emit()
        else:
            super().keyPressEvent(event)


class LeftOut(QWidget):
    """Attributes: ``table``, a file a row; ``copy`` and ``show_folder``, the buttons."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._folder: Path | None = None
        self._files: tuple[tuple[str, str], ...] = ()
        self.table = _Table()
        self.table.setColumnCount(2)
        self.table.setHeaderHidden(True)
        self.table.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.table.setRootIsDecorated(False)
        self.table.setUniformRowHeights(True)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.table.setAccessibleName("Files that were left out, and why")
        header = self.table.header()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Interactive)
        header.setStretchLastSection(True)
        header.resizeSection(0, 28 * GRID)
        self.rest = label("", "quiet")
        self.copy = QPushButton("Copy")
        self.copy.setToolTip("Copy the chosen lines, or all of them: file and reason (Ctrl+C)")
        self.show_folder = QPushButton("Show in folder")
        self.show_folder.setToolTip("Open the folder that the chosen file lies in")
        copying = QAction("Copy", self.table)
        showing = QAction("Show in folder", self.table)
        self.table.addActions([copying, showing])
        self.table.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        row = QHBoxLayout()
        row.setSpacing(GRID)
        row.addWidget(self.rest, 1)
        row.addWidget(self.copy)
        row.addWidget(self.show_folder)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        column.addWidget(self.table, 1)
        column.addLayout(row)
        for signal in (self.copy.clicked, copying.triggered, self.table.copy_wanted):
            signal.connect(self._copy)
        for signal in (self.show_folder.clicked, showing.triggered):
            signal.connect(self._show_folder)
        self.table.itemActivated.connect(self._show_folder)

    def set_files(self, files: Sequence[tuple[str, str]], folder: Path | None) -> None:
        """Files by their path within ``folder``, and what kept each from being read."""
        self._files, self._folder = tuple(files), folder
        self.table.clear()
        items = [QTreeWidgetItem([name, why]) for name, why in self._files[:LISTED]]
        for item in items:
            for column in (0, 1):
                item.setToolTip(column, item.text(column))
        self.table.addTopLevelItems(items)
        self.table.header().resizeSection(0, min(28 * GRID, self.table.sizeHintForColumn(0) + GRID))
        more = len(self._files) - LISTED
        self.rest.setText(f"and {more:,} more, which are copied with the others" if more > 0 else "")

    def text(self) -> str:
        """The chosen lines, else all: a file a line."""
        chosen = [(item.text(0), item.text(1)) for item in self.table.selectedItems()]
        return "\n".join(f"{name}\t{why}" for name, why in chosen or self._files)

    def place(self) -> Path | None:
        """The folder of the file that is chosen, else that of all."""
        item = self.table.currentItem()
        if self._folder is None or item is None:
            return self._folder
        return (self._folder / item.text(0)).parent

    @Slot()
    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.text())

    @Slot()
    def _show_folder(self) -> None:
        place = self.place()
        if place is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(place)))
