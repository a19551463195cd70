"""What is drawn on and instead of pictures: progress around a frame, the pixel that is read, an empty place."""

from __future__ import annotations

from itertools import pairwise

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from app.theme import GRID, font, palette


def paint_progress(painter: QPainter, frame: QRect, share: float, pen: QPen) -> None:
    """A line that runs around the frame, from the top left clockwise, as far as the work has come (0..1)."""
    left = 2 * (frame.width() + frame.height()) * min(1.0, max(0.0, share))
    corners = [frame.topLeft(), frame.topRight(), frame.bottomRight(), frame.bottomLeft(), frame.topLeft()]
    painter.setPen(pen)
    for start, end in pairwise(corners):
        side = (end - start).manhattanLength()
        if left <= 0 or not side:
            break
        painter.drawLine(start, start + (end - start) * min(1.0, left / side))
        left -= side


def paint_pixel(painter: QPainter, pixel: QRect) -> None:
    """A frame around a pixel where it is large enough, else a small cross over it; to be seen on any picture."""
    for grown, ink in ((2, QColor(0, 0, 0)), (1, QColor(255, 255, 255))):
        painter.setPen(QPen(ink, 1))
        if pixel.width() >= 4:
            painter.drawRect(pixel.adjusted(-grown, -grown, grown - 1, grown - 1))
            continue
        middle, shift = pixel.center(), grown - 1
        painter.drawLine(middle.x() - 8, middle.y() + shift, middle.x() + 8, middle.y() + shift)
        painter.drawLine(middle.x() + shift, middle.y() - 8, middle.x() + shift, middle.y() + 8)


def placeholder_square(area: QRect) -> QRect:
    """Where a picture's empty place lies in ``area``."""
    side = min(area.width(), area.height())
    square = QRect(0, 0, side, side)
    square.moveCenter(area.center())
    return square


def paint_placeholder(painter: QPainter, area: QRect, text: str) -> None:
    """A dashed square, and in it what would be there."""
    square = placeholder_square(area)
    painter.setPen(QPen(QColor(palette().line), 1, Qt.PenStyle.DashLine))
    painter.drawRect(square.adjusted(0, 0, -1, -1))
    painter.setPen(QColor(palette().quiet))
    painter.setFont(font("caption"))
    flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
    painter.drawText(square.adjusted(GRID, GRID, -GRID, -GRID), int(flags), text)
