"""The way down of one frame as an upright slider: noise above, the data below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.theme import colour, font, palette, signal_colour, theme
from app.widgets.position_slider import PAGE, STEP, PositionSlider

WIDTH = 52
DISC = 14
TEXT = 16
LINE = 10.0
"""Distance of the line from the left edge."""


class Descent(PositionSlider):
    """Position 0 (the start of the walk) at the top, the last one at the bottom; what is not made is dotted.

    Up and Down move by one, with Shift by ten, and so does the wheel; Home and End go to the ends.

    Attributes: ``times`` of the positions (below 0: the data), ``available`` (positions that exist).
    Signals: ``asked(int)``, what the person wants.
    """

    KEYS: ClassVar = {
        Qt.Key.Key_Up: (STEP, -1),
        Qt.Key.Key_Down: (STEP, 1),
        Qt.Key.Key_PageUp: (PAGE, -1),
        Qt.Key.Key_PageDown: (PAGE, 1),
    }

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Vertical, parent)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        self.setFixedWidth(WIDTH)
        self.setAccessibleName("Step of this frame's way down")
        self.setToolTip(
            "This frame's own denoising: its latent x_T above, the picture below (↑ ↓ one step, with Shift ten).\n"
            "Beside x_t stands x̂₀, what the network takes the picture to be (DDPM, eq. 15)."
        )
        self.times: tuple[int, ...] = (0,)
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

    def place_of(self, position: float) -> float:
        """Where a position lies, in the widget's coordinates."""
        room = max(1, self.height() - DISC - 2 * TEXT - 4)
        return TEXT + DISC / 2 + 2 + position / max(1, self.maximum()) * room

    def sizeHint(self) -> QSize:
        return QSize(WIDTH, 200)

    def minimumSizeHint(self) -> QSize:
        return QSize(WIDTH, 100)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        surfaces, ink = palette(), colour("t")
        last, here, end = self.place_of(self.available - 1), self.place_of(self.value()), self.place_of(self.maximum())
        painter.setPen(QPen(QColor(surfaces.line), 2, Qt.PenStyle.DotLine))
        painter.drawLine(QPointF(LINE, last), QPointF(LINE, end))
        for position in range(1, min(self.available, len(self._signal))):
            painter.setPen(QPen(signal_colour(self._signal[position]), 2))
            painter.drawLine(QPointF(LINE, self.place_of(position - 1)), QPointF(LINE, self.place_of(position)))
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
