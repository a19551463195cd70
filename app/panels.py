"""The surfaces around the stage: each stage has a page of its own on them."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QScrollArea, QSizePolicy, QStackedWidget, QVBoxLayout, QWidget

from app.theme import GRID, PANEL_PADDING

LEFT_WIDTH = 220
RIGHT_WIDTH = 320
BOTTOM_HEIGHT = 140


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


def scrolled(body: QWidget) -> QScrollArea:
    """``body`` at full width, scrolled up and down where it is too high."""
    scroll = QScrollArea()
    scroll.setWidgetResizable(True)
    scroll.setFrameShape(QFrame.Shape.NoFrame)
    scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    scroll.setWidget(body)
    return scroll


class Pages(QStackedWidget):
    """One page of stacked widgets for each stage, made when the stage is first shown."""

    def __init__(self, *, spacing: int, scrolls: bool, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        surface(self)
        self._spacing = spacing
        self._scrolls = scrolls
        self._places: dict[str, int] = {}

    def turn_to(self, key: str, widgets: Sequence[QWidget]) -> None:
        """Show the page of a stage; ``widgets`` are laid on it the first time."""
        if key not in self._places:
            self._places[key] = self.addWidget(self._page(widgets))
        self.setCurrentIndex(self._places[key])

    def _page(self, widgets: Sequence[QWidget]) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(PANEL_PADDING, GRID, PANEL_PADDING, GRID)
        column.setSpacing(self._spacing)
        for widget in widgets:
            column.addWidget(widget)
        grows = {QSizePolicy.Policy.Expanding, QSizePolicy.Policy.MinimumExpanding, QSizePolicy.Policy.Ignored}
        if not any(widget.sizePolicy().verticalPolicy() in grows for widget in widgets):
            column.addStretch()
        return scrolled(page) if self._scrolls else page
