"""The pages of the Help menu: keys, a report to copy, what this program is."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QPlainTextEdit,
    QPushButton,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from app.actions import Actions
from app.keyboard import KeyboardPage
from app.own_keys import OwnKeys
from app.state import AppState
from app.theme import GRID, PANEL_PADDING
from app.widgets.controls import label
from core.version import VERSION
from resources import licences

PACKAGES = ("torch", "pyside6-essentials", "numpy", "pillow", "pyqtgraph", "qasync", "safetensors", "ziamath")
ABOUT = (
    "An instrument for looking inside diffusion models on your own pictures: the forward process, the learned "
    "reverse process, and the mathematics beside the picture.\n\nFree software under the MIT licence. Bundled models "
    "and pictures carry their own licences."
)
LICENCES = "Whose the bundled models and pictures are, and what may be done with them"


def keyboard_page(parent: QWidget, actions: Actions, own: OwnKeys) -> QDialog:
    """All keys, to read and to change."""
    return _dialog(parent, "Keyboard", KeyboardPage(actions, own), (100 * GRID, 82 * GRID))


def report_page(parent: QWidget, text: str) -> QDialog:
    """The report, to read and to copy."""
    shown = QPlainTextEdit(text)
    shown.setReadOnly(True)
    shown.setAccessibleName("Report")
    copy = QPushButton("Copy report")
    copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(text))
    body = QWidget()
    column = QVBoxLayout(body)
    column.setContentsMargins(0, 0, 0, 0)
    column.addWidget(
        label("Versions, device and the last error. Nothing is sent; copy it where you ask for help.", "quiet")
    )
    column.addWidget(shown)
    column.addWidget(copy, 0, Qt.AlignmentFlag.AlignLeft)
    return _dialog(parent, "Report a problem", body, (80 * GRID, 60 * GRID))


def about_page(parent: QWidget) -> QDialog:
    body = QWidget()
    column = QVBoxLayout(body)
    column.setContentsMargins(0, 0, 0, 0)
    words = label(ABOUT)
    words.setWordWrap(True)
    words.setAlignment(Qt.AlignmentFlag.AlignTop)
    column.setSpacing(PANEL_PADDING)
    licences = QPushButton("Licences…")
    licences.setToolTip(LICENCES)
    column.addWidget(label(f"Diffuscope {VERSION}", "title"))
    column.addWidget(words, 1)
    column.addWidget(licences, 0, Qt.AlignmentFlag.AlignLeft)
    dialog = _dialog(parent, "About Diffuscope", body, (56 * GRID, 34 * GRID))
    licences.clicked.connect(lambda: licences_page(dialog))
    return dialog


def licences_page(parent: QWidget) -> QDialog:
    """The licences of all that is bundled, one after the other."""
    shown = QTextBrowser()
    shown.setOpenExternalLinks(True)
    shown.setAccessibleName("Licences of what is bundled")
    texts = ((name, path.read_text(encoding="utf-8").partition("\n")[2]) for name, path in licences())
    shown.setMarkdown("\n\n".join(f"## {name}\n{text}" for name, text in texts))
    return _dialog(parent, "Licences", shown, (80 * GRID, 60 * GRID))


def report(state: AppState, last_error: str) -> str:
    """What someone needs to know who wants to help: no pictures, and no name of the person's folder."""
    model = state.model
    lines = [
        f"Diffuscope {VERSION}",
        f"Python {platform.python_version()} on {platform.platform()}",
        *(f"{name} {_version(name)}" for name in PACKAGES),
        f"Window system {QGuiApplication.platformName()}, scale {QGuiApplication.primaryScreen().devicePixelRatio():g}",
        f"Device {state.status.device or 'not known yet'}, state {state.status.state.value}",
        f"Model {f'{model.ref.name} ({model.ref.sha256[:12]}), {model.precision}' if model else 'none'}",
        f"Stage {state.cursor.stage}, {len(state.runs)} runs",
        "",
        "Last error:",
        last_error.strip().replace(str(Path.home()), "~") or "none",
    ]
    return "\n".join(lines)


def _version(package: str) -> str:
    if package == "torch" and "torch" in sys.modules:
        return str(sys.modules["torch"].__version__)
    try:
        return version(package)
    except PackageNotFoundError:
        return "(missing)"


def _dialog(parent: QWidget, title: str, body: QWidget, size: tuple[int, int]) -> QDialog:
    dialog = QDialog(parent)
    dialog.setWindowTitle(title)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    buttons.rejected.connect(dialog.close)
    column = QVBoxLayout(dialog)
    column.setContentsMargins(2 * PANEL_PADDING, 2 * PANEL_PADDING, 2 * PANEL_PADDING, PANEL_PADDING)
    column.setSpacing(PANEL_PADDING)
    column.addWidget(body, 1)
    column.addWidget(buttons)
    dialog.resize(*size)
    dialog.open()
    return dialog
