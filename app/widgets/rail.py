"""The slider of the transport: where the person asked to be, where the picture on the screen is, what exists."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import QAbstractSlider, QSizePolicy, QWidget

from app.theme import GRID, colour, font, palette, theme

_DISC = 16
_LINE = 14
"""Height of the line's middle; the ends' meaning is written below it."""


class Rail(QAbstractSlider):
    """A position 0..maximum as a yellow disc, with a thin ring where the shown position differs.

    Arrows and wheel move by 1, with Shift by 10, Page keys by a tenth, Home and End to the ends. What does not exist
    yet is drawn dashed and cannot be reached.

    Attributes: ``shown``, ``available`` (positions that exist). Signals: ``asked(int)``, what the person wants.
    """

    asked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setOrientation(Qt.Orientation.Horizontal)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Position in the process")
        self.shown = 0
        self.available = 1
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

    def x_of(self, position: float) -> float:
        """Where a position lies, in the widget's coordinates."""
        room = max(1, self.width() - _DISC - 4)
        return (_DISC + 4) / 2 + position / max(1, self.maximum()) * room

    def ask(self, position: int) -> None:
        """Ask for the nearest position that exists."""
        self.asked.emit(max(0, min(position, self.available - 1)))

    def sizeHint(self) -> QSize:
        return QSize(30 * GRID, 36)

    def minimumSizeHint(self) -> QSize:
        return QSize(20 * GRID, 36)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.setSliderDown(True)
            self._ask_at(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self.isSliderDown():
            self._ask_at(event.position().x())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self.setSliderDown(False)

    def wheelEvent(self, event: QWheelEvent) -> None:
        turned = event.angleDelta().y() or event.angleDelta().x()  # with Shift some systems turn the wheel sideways
        if turned:
            self.ask(self.value() + (-1 if turned > 0 else 1) * self._stride(event.modifiers()))
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        stride, page = self._stride(event.modifiers()), max(1, self.maximum() // 10)
        moves = {
            Qt.Key.Key_Left: -stride,
            Qt.Key.Key_Down: -stride,
            Qt.Key.Key_Right: stride,
            Qt.Key.Key_Up: stride,
            Qt.Key.Key_PageUp: page,
            Qt.Key.Key_PageDown: -page,
            Qt.Key.Key_Home: -self.maximum(),
            Qt.Key.Key_End: self.maximum(),
        }
        move = moves.get(Qt.Key(event.key()))
        if move is None:
            event.ignore()
        else:
            self.ask(self.value() + move)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        surfaces, ink = palette(), colour("t")
        end, last, here = self.x_of(self.maximum()), self.x_of(self.available - 1), self.x_of(self.value())
        painter.setPen(QPen(QColor(surfaces.line), 2, Qt.PenStyle.DotLine))
        if last < end:
            painter.drawLine(QPointF(last, _LINE), QPointF(end, _LINE))
        painter.setPen(QPen(QColor(surfaces.quiet), 2, c=Qt.PenCapStyle.RoundCap))
        painter.drawLine(QPointF(self.x_of(0), _LINE), QPointF(last, _LINE))
        painter.setPen(QPen(ink, 2, c=Qt.PenCapStyle.RoundCap))
        painter.drawLine(QPointF(self.x_of(0), _LINE), QPointF(here, _LINE))
        if self._turn is not None:
            turn = self.x_of(self._turn[0])
            painter.setPen(QPen(QColor(surfaces.quiet), 2))
            painter.drawLine(QPointF(turn, _LINE - 5), QPointF(turn, _LINE + 5))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ink)
        painter.drawEllipse(_disc(here, _DISC))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if self.shown != self.value():
            painter.setPen(QPen(ink, 1.5))
            painter.drawEllipse(_disc(self.x_of(self.shown), _DISC - 2))
        if self.hasFocus():
            painter.setPen(QPen(QColor(surfaces.text), 1))
            painter.drawEllipse(_disc(here, _DISC + 4))
        painter.setPen(QColor(surfaces.quiet))
        painter.setFont(font("caption", numbers=True))
        below = QRectF(2, self.height() - 14, self.width() - 4, 14)
        painter.drawText(below, Qt.AlignmentFlag.AlignLeft, self._ends[0])
        painter.drawText(below, Qt.AlignmentFlag.AlignRight, self._ends[1])
        if self._turn is not None:
            turn = self.x_of(self._turn[0])
            painter.drawText(QRectF(turn - 60, below.top(), 120, 14), Qt.AlignmentFlag.AlignHCenter, self._turn[1])

    def _ask_at(self, x: float) -> None:
        left, right = self.x_of(0), self.x_of(self.maximum())
        self.ask(round((x - left) / max(1.0, right - left) * self.maximum()))

    @staticmethod
    def _stride(modifiers: Qt.KeyboardModifier) -> int:
        return 10 if modifiers & Qt.KeyboardModifier.ShiftModifier else 1


def _disc(x: float, size: float) -> QRectF:
    return QRectF(x - size / 2, _LINE - size / 2, size, size)
