"""What stands under a picture: symbol, words and zoom; and quieter the range and the pixel that is read."""

from __future__ import annotations

import math
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRect, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPen
from PySide6.QtWidgets import QWidget

from app.theme import GRID, colour, font, palette
from app.widgets.caption import paint_symbol
from app.widgets.typeset import typeset

CAPTION_HEIGHT = 38
CAPTION_WIDTH = 230
"""A caption is not made narrower than this, where the pane is as wide."""
SIZE = 17
"""Of the symbol, in pixels."""
_FIRST, _SECOND = 18, 33
"""Baselines of the two lines."""


@dataclass(frozen=True, slots=True)
class PictureCaption:
    """Words of a caption; ``symbol`` is LaTeX mathematics in the colour of ``quantity``."""

    quantity: str
    symbol: str
    text: str
    zoom: str
    value_range: str
    reading: str

    @property
    def width(self) -> int:
        """What symbol, words and zoom take beside each other, a whole step of the grid."""
        metrics = QFontMetrics(font("caption", numbers=True))
        symbol = typeset(self.symbol).width(SIZE) if self.symbol else 0.0
        words = metrics.horizontalAdvance(self.text) + metrics.horizontalAdvance(self.zoom)
        return GRID * math.ceil((symbol + words + 2 * GRID + 2) / GRID)

    def paint(self, painter: QPainter, widget: QWidget, place: QRect) -> None:
        """The text gives way to the zoom, the range to the pixel that is read."""
        left, right = place.left(), place.right()
        first, second = place.top() + _FIRST, place.top() + _SECOND
        ink, quiet = colour(self.quantity), QColor(palette().quiet)
        text_left = left + int(paint_symbol(painter, self.symbol, QPointF(left, first), SIZE, ink)) + GRID
        painter.setFont(font("caption", numbers=True))
        metrics = QFontMetrics(painter.font())
        zoom_left = right - metrics.horizontalAdvance(self.zoom)
        room = zoom_left - text_left - GRID
        painter.setPen(ink)
        painter.drawText(text_left, first, metrics.elidedText(self.text, Qt.TextElideMode.ElideRight, room))
        painter.setPen(quiet)
        painter.drawText(zoom_left, first, self.zoom)
        reading_left = max(left, right - metrics.horizontalAdvance(self.reading))
        painter.drawText(reading_left, second, self.reading)
        if left + metrics.horizontalAdvance(self.value_range) + GRID <= reading_left:
            painter.drawText(left, second, self.value_range)
        if widget.hasFocus():
            painter.setPen(QPen(QColor(palette().line), 1))
            painter.drawLine(left, second + 4, right, second + 4)
