"""A small canvas to draw a digit on: white on black with a soft brush, shown in the very pixels that will be used."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRect, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QImage, QKeyEvent, QKeySequence, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from app.theme import GRID, palette
from app.widgets.controls import label
from core.images import OpenedImage, from_pixels

SIDE = 32
_FINE = 8
"""The brush is painted eight times finer and averaged, which is what makes it soft."""
_BRUSH = 2.4
"""Width of a stroke in pixels of the picture, about that of handwritten digits at this size."""


class Canvas(QWidget):
    """Strokes on a square of 32 × 32 pixels.

    Signals: ``changed()`` after each stroke, undo or clear.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._strokes: list[list[QPointF]] = []
        self._fine = self._blank()
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Canvas, 32 by 32 pixels")
        self.setToolTip("Draw with the mouse, white on black. Ctrl+Z takes back a stroke.")

    def sizeHint(self) -> QSize:
        return QSize(6 * SIDE, 6 * SIDE)

    @property
    def is_empty(self) -> bool:
        return not self._strokes

    def pixels(self) -> NDArray[np.uint8]:
        """What is drawn, uint8 (32, 32, 1)."""
        fine = np.frombuffer(self._fine.constBits(), np.uint8).reshape(SIDE, _FINE, SIDE, _FINE)
        soft: NDArray[np.uint8] = np.round(fine.mean(axis=(1, 3))).astype(np.uint8)
        return soft[..., None]

    @Slot()
    def undo(self) -> None:
        if self._strokes:
            self._strokes.pop()
            self._fine = self._blank()
            for stroke in self._strokes:
                self._paint(stroke[:1])
                self._paint(stroke)
            self._has_changed()

    @Slot()
    def clear(self) -> None:
        if self._strokes:
            self._strokes.clear()
            self._fine = self._blank()
            self._has_changed()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._strokes.append([self._point(event)])
            self._paint(self._strokes[-1])
            self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton and self._strokes:
            stroke = self._strokes[-1]
            stroke.append(self._point(event))
            self._paint(stroke[-2:])
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self._strokes:
            self._has_changed()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Undo):
            self.undo()
        elif event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.clear()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        values = self.pixels()
        picture = QImage(values.data, SIDE, SIDE, SIDE, QImage.Format.Format_Grayscale8)
        painter.drawImage(self._square(), picture)
        painter.setPen(QPen(QColor(palette().quiet if self.hasFocus() else palette().line), 1))
        painter.drawRect(self._square().adjusted(0, 0, -1, -1))

    def _square(self) -> QRect:
        side = max(SIDE, min(self.width(), self.height()) // SIDE * SIDE)
        return QRect((self.width() - side) // 2, (self.height() - side) // 2, side, side)

    def _point(self, event: QMouseEvent) -> QPointF:
        square = self._square()
        scale = SIDE * _FINE / square.width()
        return (event.position() - QPointF(square.topLeft())) * scale

    def _paint(self, stroke: list[QPointF]) -> None:
        painter = QPainter(self._fine)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        round_pen = QPen(QColor("white"), _BRUSH * _FINE)
        round_pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        round_pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        painter.setPen(round_pen)
        if len(stroke) == 1:
            painter.drawPoint(stroke[0])
        for start, end in pairwise(stroke):  # each by itself, as it was drawn, so that undo gives the same pixels
            painter.drawLine(start, end)
        painter.end()

    def _blank(self) -> QImage:
        image = QImage(SIDE * _FINE, SIDE * _FINE, QImage.Format.Format_Grayscale8)
        image.fill(0)
        return image

    def _has_changed(self) -> None:
        self.update()
        self.changed.emit()


class DrawingBoard(QWidget):
    """The canvas with its buttons.

    Signals: ``used(OpenedImage)``, ``closed()``.
    """

    used = Signal(object)
    closed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.canvas = Canvas()
        self._use = QPushButton("Use")
        self._undo = QPushButton("Undo")
        self._clear = QPushButton("Clear")
        self._close = QPushButton("Close")
        self._use.setToolTip("Use the drawing as the picture")
        self._undo.setToolTip("Take back the last stroke (Ctrl+Z)")
        self._clear.setToolTip("Start again (Delete)")
        self._close.setToolTip("Back to the picture")
        advice = label("Draw a digit, large and in the middle.", "caption")
        advice.setWordWrap(True)
        first, second = QHBoxLayout(), QHBoxLayout()
        for row, buttons in ((first, (self._use, self._close)), (second, (self._undo, self._clear))):
            row.setSpacing(GRID)
            for button in buttons:
                button.setProperty("role", "narrow")
                row.addWidget(button, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        column.addWidget(self.canvas)
        column.addWidget(advice)
        column.addLayout(second)
        column.addLayout(first)
        column.addStretch()
        self.canvas.changed.connect(self._follow)
        self._undo.clicked.connect(self.canvas.undo)
        self._clear.clicked.connect(self.canvas.clear)
        self._use.clicked.connect(self._used)
        self._close.clicked.connect(self.closed)
        self._follow()

    @Slot()
    def _follow(self) -> None:
        for button in (self._use, self._undo, self._clear):
            button.setEnabled(not self.canvas.is_empty)

    @Slot()
    def _used(self) -> None:
        self.used.emit(drawing(self.canvas.pixels()))


def drawing(pixels: NDArray[np.uint8]) -> OpenedImage:
    return from_pixels(pixels, "drawing")
