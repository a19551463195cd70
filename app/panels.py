"""The surfaces around the stage: each stage has a page of its own on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeGuard

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QScrollArea,
    QSizePolicy,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.theme import GRID, PANEL_PADDING
from app.widgets.labels import label

LEFT_WIDTH = 220
RIGHT_WIDTH = 320
BOTTOM_HEIGHT = 140
SCROLL_BAR = 8
_DIRECTLY = Qt.FindChildOption.FindDirectChildrenOnly


def surface(widget: QWidget, role: str = "panel") -> QWidget:
    """Paint a plain widget as one of the style sheet's surfaces."""
    widget.setProperty("role", role)
    widget.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
    return widget


def line(*, vertical: bool = False) -> QWidget:
    """A line of one pixel between two surfaces."""
    made = surface(QWidget(), "line")
    if vertical:
        made.setFixedWidth(1)
    else:
        made.setFixedHeight(1)
    return made


def scrolled(body: QWidget, width: int) -> QScrollArea:
    """``body`` scrolled up and down where it is too high, in a panel ``width`` pixels wide.

    The body's right margin leaves room for the scroll bar, so that nothing moves when it comes.
    """
    scroll = QScrollArea()
    scroll.setWidgetResizable(True)
    scroll.setFrameShape(QFrame.Shape.NoFrame)
    scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    body.setFixedWidth(width - SCROLL_BAR)
    scroll.setWidget(body)
    return scroll


def row_of(*widgets: QWidget) -> QWidget:
    """Widgets from left to right."""
    body = QWidget()
    row = QHBoxLayout(body)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(0)
    for widget in widgets:
        row.addWidget(widget)
    return body


def headed(title: str, commands: Mapping[str, QAction]) -> QWidget:
    """A heading, and at its right small buttons for commands by the words they have there."""
    made = row_of(label(title, "caption"))
    row = made.layout()
    assert isinstance(row, QHBoxLayout)
    row.addStretch()
    for words, action in commands.items():
        button = QToolButton()
        button.setDefaultAction(action)
        action.setIconText(words)
        button.setProperty("role", "small")
        button.setAccessibleName(action.text().replace("&", ""))
        row.addWidget(button)
    return made


def column_of(*widgets: QWidget, into: QWidget | None = None, spacing: int = 0) -> QWidget:
    """Widgets from top to bottom."""
    body = into or QWidget()
    column = QVBoxLayout(body)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(spacing)
    for widget in widgets:
        column.addWidget(widget)
    return body


class Pages(QStackedWidget):
    """One page of stacked widgets for each stage, made when the stage is first shown; of a fixed width, it scrolls."""

    def __init__(self, *, spacing: int, width: int | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        surface(self)
        self._spacing = spacing
        self._width = width
        self._places: dict[str, int] = {}

    def turn_to(self, key: str, widgets: Sequence[QWidget]) -> None:
        """Show the page of a stage; ``widgets`` are laid on it the first time."""
        if key not in self._places:
            self._places[key] = self.addWidget(self._page(widgets))
        self.setCurrentIndex(self._places[key])
        self.updateGeometry()

    def sizeHint(self) -> QSize:
        """That of the page shown, not of the largest; what does not scroll has its least height, or none where
        everything on it is hidden."""
        page = self.currentWidget()
        hint = super().sizeHint() if page is None else page.sizeHint()
        if self._is_empty(page):
            return QSize(hint.width(), 0)
        return hint if self._width is not None else hint.expandedTo(QSize(0, BOTTOM_HEIGHT))

    def minimumSizeHint(self) -> QSize:
        page = self.currentWidget()
        if self._is_empty(page):
            return QSize(page.minimumSizeHint().width(), 0)
        return super().minimumSizeHint() if page is None else page.minimumSizeHint()

    def _is_empty(self, page: QWidget | None) -> TypeGuard[QWidget]:
        """Whether it is a page that does not scroll and on which everything is hidden."""
        if page is None or self._width is not None:
            return False
        return all(widget.isHidden() for widget in page.findChildren(QWidget, options=_DIRECTLY))

    def _page(self, widgets: Sequence[QWidget]) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        right = PANEL_PADDING if self._width is None else PANEL_PADDING - SCROLL_BAR
        column.setContentsMargins(PANEL_PADDING, GRID, right, GRID)
        column.setSpacing(self._spacing)
        for widget in widgets:
            column.addWidget(widget)
        grows = {QSizePolicy.Policy.Expanding, QSizePolicy.Policy.MinimumExpanding, QSizePolicy.Policy.Ignored}
        if not any(widget.sizePolicy().verticalPolicy() in grows for widget in widgets):
            column.addStretch()
        return page if self._width is None else scrolled(page, self._width)
