"""The system's dialog for a folder, which leaves the window alive."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QWidget


def choose_folder(parent: QWidget, title: str, take: Callable[[Path], object]) -> None:
    """Ask for a folder, and give it to ``take`` where one is chosen."""

    def chosen(name: str) -> None:
        take(Path(name))

    dialog = QFileDialog(parent, title)
    dialog.setFileMode(QFileDialog.FileMode.Directory)
    dialog.fileSelected.connect(chosen)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.open()
