"""The style sheet, generated from a palette: flat surfaces, one-pixel lines, no shadows and no gradients."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

ICONS = Path(__file__).resolve().parent.parent / "resources" / "icons"


class Surfaces(Protocol):
    """What the sheet needs of a palette (``app.theme.Palette``)."""

    @property
    def name(self) -> str: ...
    @property
    def window(self) -> str: ...
    @property
    def panel(self) -> str: ...
    @property
    def raised(self) -> str: ...
    @property
    def line(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def quiet(self) -> str: ...
    @property
    def faint(self) -> str: ...
    @property
    def danger(self) -> str: ...


def style_sheet(c: Surfaces, radius: int, caption: int, title: int) -> str:
    """The whole sheet. Widgets choose their part with dynamic properties: ``role`` is "panel", "primary", "quiet",
    "caption", "title", "bar", "line", "number", "stage", "flat", "offer", "palette" or "error"."""
    chevron = (ICONS / f"chevron-down-{c.name}.svg").as_posix()
    check = (ICONS / f"check-{c.name}.svg").as_posix()
    return f"""
QMainWindow, QDialog {{ background: {c.window}; }}
QWidget[role="panel"], QWidget[role="bar"] {{ background: {c.panel}; }}
QLabel {{ background: transparent; }}
QLabel[role="title"] {{ font-size: {title}px; }}
QLabel[role="caption"], QLabel[role="quiet"] {{ color: {c.quiet}; }}
QLabel[role="caption"] {{ font-size: {caption}px; }}
QWidget[role="line"] {{ background: {c.line}; }}

QPushButton {{ background: {c.raised}; border: 1px solid {c.line}; border-radius: {radius}px;
    padding: 0 12px; min-height: 26px; }}
QPushButton:hover {{ border-color: {c.quiet}; }}
QPushButton:focus {{ border-color: {c.text}; }}
QPushButton:pressed {{ background: {c.line}; }}
QPushButton:checked {{ border-color: {c.text}; background: {c.line}; }}
QPushButton:disabled {{ background: transparent; }}
QPushButton[role="primary"] {{ background: {c.text}; color: {c.window}; border-color: {c.text}; min-height: 30px;
    font-weight: 600; }}
QPushButton[role="primary"]:hover {{ background: {c.quiet}; border-color: {c.quiet}; }}
QPushButton[role="primary"]:focus {{ border-color: {c.quiet}; }}
QPushButton[role="primary"]:disabled {{ background: {c.line}; color: {c.quiet}; border-color: {c.line}; }}
QPushButton[role="flat"] {{ background: transparent; border-color: transparent; padding: 0 8px; text-align: left; }}
QPushButton[role="flat"]:hover {{ background: {c.line}; }}
QPushButton[role="flat"]:focus {{ border-color: {c.quiet}; }}

QDialogButtonBox {{ dialogbuttonbox-buttons-have-icons: 0; }}
QPushButton[role="link"] {{ background: transparent; border: none; padding: 0; min-height: 20px; text-align: left; }}
QPushButton[role="link"]:hover, QPushButton[role="link"]:focus {{ text-decoration: underline; }}
QPushButton[role="link"]:disabled {{ color: {c.quiet}; }}

QLineEdit:disabled, QComboBox:disabled, QAbstractSpinBox:disabled {{ color: {c.quiet}; background: transparent; }}

QToolButton {{ background: transparent; border: 1px solid transparent; border-radius: {radius}px; padding: 3px 8px; }}
QToolButton:hover {{ background: {c.line}; }}
QToolButton:focus {{ border-color: {c.quiet}; }}
QToolButton:checked {{ background: {c.line}; }}
QToolButton:disabled {{ background: transparent; }}
QToolButton::menu-indicator {{ image: none; }}
QToolButton[role="more"] {{ color: {c.quiet}; padding-left: 0; border: none; }}
QToolButton[role="more"]:hover, QToolButton[role="more"]:focus {{ color: {c.text}; background: transparent; }}
QToolButton[role="more"]:focus {{ text-decoration: underline; }}
QToolButton[role="more"]:checked {{ background: transparent; }}
QToolButton[role="small"] {{ color: {c.quiet}; font-size: {caption}px; padding: 1px 6px; }}
QToolButton[role="small"]:hover, QToolButton[role="small"]:checked {{ color: {c.text}; }}
QToolButton[role="small"]:disabled {{ color: {c.faint}; }}
QToolButton[role="thumbnail"] {{ padding: 0; border: 1px solid transparent; }}
QToolButton[role="thumbnail"]:hover {{ border-color: {c.quiet}; background: transparent; }}
QToolButton[role="thumbnail"]:focus {{ border-color: {c.text}; }}
QPushButton[role="narrow"] {{ padding: 0 4px; }}
QToolButton[role="stage"] {{ color: {c.quiet}; border: none; border-bottom: 2px solid transparent; border-radius: 0;
    padding: 6px 12px; }}
QToolButton[role="stage"]:hover {{ color: {c.text}; background: transparent; }}
QToolButton[role="stage"]:focus {{ color: {c.text}; border-bottom-color: {c.quiet}; }}
QToolButton[role="stage"]:checked {{ color: {c.text}; border-bottom-color: {c.text}; background: transparent; }}

QLineEdit, QSpinBox, QDoubleSpinBox, QComboBox, QPlainTextEdit {{ background: {c.raised}; color: {c.text};
    border: 1px solid {c.line}; border-radius: {radius}px; padding: 0 7px; min-height: 26px;
    selection-background-color: {c.quiet}; selection-color: {c.window}; placeholder-text-color: {c.quiet}; }}
QPlainTextEdit {{ padding: 4px; }}
QAbstractSpinBox QLineEdit {{ background: transparent; border: none; padding: 0 7px; min-height: 0; }}
QAbstractSpinBox[role="number"] QLineEdit {{ padding: 0 2px; }}
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button {{ width: 0; border: none; }}
QLineEdit:hover, QSpinBox:hover, QDoubleSpinBox:hover, QComboBox:hover {{ border-color: {c.quiet}; }}
QLineEdit:focus, QSpinBox:focus, QDoubleSpinBox:focus, QComboBox:focus, QPlainTextEdit:focus {{
    border-color: {c.text}; }}
QSpinBox[role="number"], QDoubleSpinBox[role="number"] {{ background: transparent; border-color: transparent;
    padding: 0 2px; min-height: 20px; }}
QSpinBox[role="number"]:hover, QDoubleSpinBox[role="number"]:hover {{ border-color: {c.line}; }}
QSpinBox[role="number"]:focus, QDoubleSpinBox[role="number"]:focus {{ border-color: {c.quiet};
    background: {c.raised}; }}
QComboBox::drop-down {{ border: none; width: 22px; }}
QComboBox::down-arrow {{ image: url("{chevron}"); width: 12px; height: 12px; }}
QComboBox QAbstractItemView {{ background: {c.raised}; border: 1px solid {c.line}; padding: 4px; outline: none;
    selection-background-color: {c.line}; selection-color: {c.text}; }}

QCheckBox, QRadioButton {{ spacing: 8px; background: transparent; }}
QCheckBox::indicator, QListView::indicator {{ width: 14px; height: 14px; border: 1px solid {c.quiet};
    border-radius: 3px; background: transparent; }}
QCheckBox::indicator:hover, QCheckBox::indicator:focus {{ border-color: {c.text}; }}
QCheckBox::indicator:checked, QListView::indicator:checked {{ background: {c.text}; border-color: {c.text};
    image: url("{check}"); }}
QCheckBox:focus {{ text-decoration: underline; }}

QMenuBar {{ background: {c.panel}; border-bottom: 1px solid {c.line}; padding: 2px 4px; }}
QMenuBar::item {{ background: transparent; padding: 4px 10px; border-radius: {radius - 2}px; }}
QMenuBar::item:selected {{ background: {c.line}; }}
QMenu {{ background: {c.raised}; border: 1px solid {c.line}; padding: 4px; }}
QMenu::item {{ padding: 5px 40px 5px 12px; border-radius: {radius - 2}px; }}
QMenu::item:selected {{ background: {c.line}; }}
QMenu::item:disabled {{ color: {c.quiet}; }}
QMenu::separator {{ height: 1px; background: {c.line}; margin: 4px 8px; }}

QScrollArea, QScrollArea > QWidget > QWidget {{ background: transparent; border: none; }}
QAbstractItemView {{ background: transparent; border: none; outline: none; }}
QHeaderView {{ background: transparent; border: none; }}
QHeaderView::section {{ background: {c.window}; color: {c.quiet}; border: none; border-bottom: 1px solid {c.line};
    padding: 3px 6px; }}
QTreeView::branch {{ background: transparent; image: none; border-image: none; }}
QTreeView::branch:selected {{ background: {c.line}; }}
QAbstractItemView::item {{ border-radius: {radius - 2}px; padding: 3px; }}
QTreeView::item {{ border-radius: 0; }}
QListView[role="runs"]::item {{ padding-right: 24px; }}
QAbstractItemView::item:selected {{ background: {c.line}; color: {c.text}; }}
QAbstractItemView::item:hover {{ background: {c.line}; }}
QScrollBar {{ background: transparent; border: none; margin: 0; }}
QScrollBar:vertical {{ width: 8px; }}
QScrollBar:horizontal {{ height: 8px; }}
QScrollBar::handle {{ background: {c.line}; border-radius: 4px; min-height: 24px; min-width: 24px; }}
QScrollBar::handle:hover {{ background: {c.quiet}; }}
QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}

QProgressBar {{ background: {c.line}; border: none; border-radius: 2px; max-height: 4px; text-align: center; }}
QProgressBar::chunk {{ background: {c.quiet}; border-radius: 2px; }}
QStatusBar {{ background: {c.panel}; border-top: 1px solid {c.line}; }}
QStatusBar::item {{ border: none; }}
QSplitter::handle {{ background: {c.line}; }}
QToolTip {{ background: {c.raised}; color: {c.text}; border: 1px solid {c.line}; padding: 6px 8px; }}
QFrame[role="offer"] {{ background: {c.raised}; border: none; border-bottom: 1px solid {c.line}; }}
QFrame[role="palette"] {{ background: {c.raised}; border: 1px solid {c.quiet}; border-radius: {radius}px; }}
QFrame[role="error"] {{ background: {c.raised}; border: none; border-left: 3px solid {c.danger};
    border-bottom: 1px solid {c.line}; }}
"""
