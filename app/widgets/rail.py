"""The slider of the transport: where the person asked to be, where the picture on the screen is, what exists."""

from __future__ import annotations

from typing import ClassVar

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.theme import GRID, colour, font, palette, theme
from app.widgets.position_slider import PAGE, STEP, PositionSlider

_DISC = 16
_LINE = 14
"""Height of the line's middle; the ends' meaning is written below it."""


class Rail(PositionSlider):
    """A position 0..maximum as a yellow disc, with a thin ring where the shown position differs.

    Arrows and wheel move by 1, with Shift by 10, Page keys by a tenth, Home and End to the ends. What does not exist
    yet is drawn dashed and cannot be reached.

    Attributes: ``shown``, ``available`` (positions that exist). Signals: ``asked(int)``, what the person wants.
    """

    KEYS: ClassVar = {
        Qt.Key.Key_Left: (STEP, -1),
        Qt.Key.Key_Down: (STEP, -1),
        Qt.Key.Key_Right: (STEP, 1),
        Qt.Key.Key_Up: (STEP, 1),
        Qt.Key.Key_PageUp: (PAGE, 1),
        Qt.Key.Key_PageDown: (PAGE, -1),
    }

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Position in the process")
        self.shown = 0
        self._ends = ("", "")
        self._turn: tuple[int, str] | None = None
        theme().theme_changed.connect(self.update)

    def set_ends(self, left: str, right: str) -> None:
        self._ends = (left, right)
        self.update()

    def set_turn(self, position: int | None, name: str = "") -> None:
        """Mark where the process turns about, with its name; None marks nothing."""
        self._turn = None if position is None else (position, name)
        self.update()

    def set_shown(self, position: int) -> None:
        self.shown = position
        self.update()

    def set_available(self, count: int) -> None:
        self.available = count
        self.update()

    def place_of(self, position: float) -> float:
        """Where a position lies, in the widget's coordinates."""
        room = max(1, self.width() - _DISC - 4)
        return (_DISC + 4) / 2 + position / max(1, self.maximum()) * room

    def sizeHint(self) -> QSize:
        return QSize(30 * GRID, 36)

    def minimumSizeHint(self) -> QSize:
        return QSize(20 * GRID, 36)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        surfaces, ink = palette(), colour("t")
        end, last, here = self.place_of(self.maximum()), self.place_of(self.available - 1), self.place_of(self.value())
        painter.setPen(QPen(QColor(surfaces.line), 2, Qt.PenStyle.DotLine))
        if last < end:
            painter.drawLine(QPointF(last, _LINE), QPointF(end, _LINE))
        painter.setPen(QPen(QColor(surfaces.quiet), 2, c=Qt.PenCapStyle.RoundCap))
        painter.drawLine(QPointF(self.place_of(0), _LINE), QPointF(last, _LINE))
        painter.setPen(QPen(ink, 2, c=Qt.PenCapStyle.RoundCap))
        painter.drawLine(QPointF(self.place_of(0), _LINE), QPointF(here, _LINE))
        if self._turn is not None:
            turn = self.place_of(self._turn[0])
            painter.setPen(QPen(QColor(surfaces.quiet), 2))
            painter.drawLine(QPointF(turn, _LINE - 5), QPointF(turn, _LINE + 5))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ink)
        painter.drawEllipse(_disc(here, _DISC))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if self.shown != self.value():
            painter.setPen(QPen(ink, 1.5))
            painter.drawEllipse(_disc(self.place_of(self.shown), _DISC - 2))
        if self.hasFocus():
            painter.setPen(QPen(QColor(surfaces.text), 1))
            painter.drawEllipse(_disc(here, _DISC + 4))
        painter.setPen(QColor(surfaces.quiet))
        painter.setFont(font("caption", numbers=True))
        below = QRectF(2, self.height() - 14, self.width() - 4, 14)
        painter.drawText(below, Qt.AlignmentFlag.AlignLeft, self._ends[0])
        painter.drawText(below, Qt.AlignmentFlag.AlignRight, self._ends[1])
        if self._turn is not None:
            turn = self.place_of(self._turn[0])
            painter.drawText(QRectF(turn - 60, below.top(), 120, 14), Qt.AlignmentFlag.AlignHCenter, self._turn[1])


def _disc(x: float, size: float) -> QRectF:
    return QRectF(x - size / 2, _LINE - size / 2, size, size)
