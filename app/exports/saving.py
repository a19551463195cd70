"""Asking where a file goes, so that nothing is ever overwritten unasked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget


def ask_file(
    parent: QWidget, title: str, proposed: str, kinds: str, endings: tuple[str, ...], chosen: Callable[[Path], object]
) -> QFileDialog:
    """Ask for a file of one of these ``endings`` ("PNG picture (*.png)" are its ``kinds``), and call ``chosen``.

    A name without an ending gets the first; where that makes it the name of a file that is there, the person is asked
    about it: the dialog has asked only about the name as it was typed.
    """
    dialog = QFileDialog(parent, title, proposed, kinds)
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)

    def take(name: str) -> None:
        path = with_ending(Path(name), endings)
        if path == Path(name) or not path.exists():
            chosen(path)
        else:
            ask_overwrite(parent, path, chosen)

    dialog.fileSelected.connect(take)
    dialog.open()
    return dialog


def with_ending(path: Path, endings: tuple[str, ...]) -> Path:
    """The path with an ending: its own where that is one of these, else the first of them behind it."""
    return path if path.suffix.lower() in endings else path.with_name(f"{path.name}{endings[0]}")


def ask_overwrite(parent: QWidget, path: Path, chosen: Callable[[Path], object]) -> QMessageBox:
    """Ask whether a file that is there may be replaced; nothing waits for the answer."""
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle("Replace the file?")
    box.setText(f"{path.name} is already there. Replace it?")
    box.setInformativeText(f"In {path.parent}")
    replace = box.addButton("Replace", QMessageBox.ButtonRole.AcceptRole)
    replace.setToolTip("Write the new file in its place")
    keep = box.addButton("Keep it", QMessageBox.ButtonRole.RejectRole)
    keep.setToolTip("Write nothing")
    box.setDefaultButton(keep)
    box.setEscapeButton(keep)
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    box.buttonClicked.connect(lambda pressed: chosen(path) if pressed is replace else None)
    box.open()
    return box
