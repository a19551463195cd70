"""The way down of one frame as an upright slider: noise above, the data below."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import QAbstractSlider, QSizePolicy, QWidget

from app.theme import colour, font, palette, signal_colour, theme

WIDTH = 52
DISC = 14
TEXT = 16
LINE = 10.0
"""Distance of the line from the left edge."""


class Descent(QAbstractSlider):
    """Position 0 (the start of the walk) at the top, the last one at the bottom; what is not made is dotted.

    Up and Down move by one, with Shift by ten, and so does the wheel; Home and End go to the ends.

    Attributes: ``times`` of the positions (below 0: the data), ``available`` (positions that exist).
    Signals: ``asked(int)``, what the person wants.
    """

    asked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setOrientation(Qt.Orientation.Vertical)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        self.setFixedWidth(WIDTH)
        self.setAccessibleName("Step of this frame's way down")
        self.setToolTip(
            "This frame's own denoising: its latent x_T above, the picture below (↑ ↓ one step, with Shift ten).\n"
            "Beside x_t stands x̂₀, what the network takes the picture to be (DDPM, eq. 15)."
        )
        self.times: tuple[int, ...] = (0,)
        self.available = 1
        self._signal: tuple[float, ...] = ()
        theme().theme_changed.connect(self.update)

    def set_positions(self, times: Sequence[int], signal: Sequence[float]) -> None:
        """The time of every state, and alpha_bar there, which colours the line."""
        self.times, self._signal = tuple(times), tuple(signal)
        self.setRange(0, len(self.times) - 1)
        self.update()

    def set_position(self, position: int, available: int) -> None:
        """Where the person looks, and how many states exist."""
        self.available = available
        self.setValue(position)
        self.update()

    def ask(self, position: int) -> None:
        """Ask for the nearest position that exists."""
        self.asked.emit(max(0, min(position, self.available - 1)))

    def y_of(self, position: float) -> float:
        """Where a position lies, in the widget's coordinates."""
        room = max(1, self.height() - DISC - 2 * TEXT - 4)
        return TEXT + DISC / 2 + 2 + position / max(1, self.maximum()) * room

    def sizeHint(self) -> QSize:
        return QSize(WIDTH, 200)

    def minimumSizeHint(self) -> QSize:
        return QSize(WIDTH, 100)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.setSliderDown(True)
            self._ask_at(event.position().y())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self.isSliderDown():
            self._ask_at(event.position().y())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self.setSliderDown(False)

    def wheelEvent(self, event: QWheelEvent) -> None:
        turned = event.angleDelta().y() or event.angleDelta().x()
        if turned:
            self.ask(self.value() + (-1 if turned > 0 else 1) * _stride(event.modifiers()))
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        stride, page = _stride(event.modifiers()), max(1, self.maximum() // 10)
        moves = {
            Qt.Key.Key_Up: -stride,
            Qt.Key.Key_Down: stride,
            Qt.Key.Key_PageUp: -page,
            Qt.Key.Key_PageDown: page,
            Qt.Key.Key_Home: -self.maximum(),
            Qt.Key.Key_End: self.maximum(),
        }
        move = moves.get(Qt.Key(event.key()))
        if move is None:
            event.ignore()
        else:
            self.ask(self.value() + move)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        surfaces, ink = palette(), colour("t")
        last, here, end = self.y_of(self.available - 1), self.y_of(self.value()), self.y_of(self.maximum())
        painter.setPen(QPen(QColor(surfaces.line), 2, Qt.PenStyle.DotLine))
        painter.drawLine(QPointF(LINE, last), QPointF(LINE, end))
        for position in range(1, min(self.available, len(self._signal))):
            painter.setPen(QPen(signal_colour(self._signal[position]), 2))
            painter.drawLine(QPointF(LINE, self.y_of(position - 1)), QPointF(LINE, self.y_of(position)))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ink)
        painter.drawEllipse(QPointF(LINE, here), DISC / 2, DISC / 2)
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(surfaces.text), 1))
            painter.drawEllipse(QPointF(LINE, here), DISC / 2 + 2, DISC / 2 + 2)
        painter.setFont(font("caption", numbers=True))
        painter.setPen(QColor(surfaces.quiet))
        painter.drawText(QRectF(0, 0, WIDTH, TEXT), Qt.AlignmentFlag.AlignLeft, self._time(0))
        bottom = QRectF(0, self.height() - TEXT + 2, WIDTH, TEXT)
        painter.drawText(bottom, Qt.AlignmentFlag.AlignLeft, self._time(self.maximum()))
        if 0 < self.value() < self.maximum():
            painter.setPen(ink)
            painter.drawText(
                QRectF(LINE + DISC, here - 8, WIDTH, 16), Qt.AlignmentFlag.AlignVCenter, self._time(self.value())
            )

    def _time(self, position: int) -> str:
        time = self.times[min(position, len(self.times) - 1)]
        return f"{time}" if 0 < position < self.maximum() else f"t = {time}" if time >= 0 else "data"

    def _ask_at(self, y: float) -> None:
        top, bottom = self.y_of(0), self.y_of(self.maximum())
        self.ask(round((y - top) / max(1.0, bottom - top) * self.maximum()))


def _stride(modifiers: Qt.KeyboardModifier) -> int:
    return 10 if modifiers & Qt.KeyboardModifier.ShiftModifier else 1
