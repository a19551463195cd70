"""Pictures on their way out of the window: what is to be dragged or exported, and the handle of a picture."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QEvent, QPoint, QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QWidget

HANDLE = 22
"""Width and height of the handle, in pixels of the screen."""
INSET = 6
LEAST = HANDLE + 2 * INSET + 8
"""A picture narrower or lower than this has no handle."""
WORDS = "Drag this picture into another program, with its recipe"


class DragWanted(QEvent):
    """The window is asked to drag a picture of ``source`` away: a cell of a pane, a frame of a strip, a run."""

    TYPE = QEvent.Type(QEvent.registerEventType())

    def __init__(self, source: QWidget, index: int) -> None:
        super().__init__(self.TYPE)
        self.source, self.index = source, index


class ExportWanted(QEvent):
    """The window is asked to export what is looked at."""

    TYPE = QEvent.Type(QEvent.registerEventType())

    def __init__(self) -> None:
        super().__init__(self.TYPE)


def want_drag(source: QWidget, index: int) -> None:
    """Have the window drag it; comes back when the picture is dropped."""
    QCoreApplication.sendEvent(source.window(), DragWanted(source, index))


def handle_of(picture: QRectF) -> QRect:
    """Where the handle of a picture that is drawn there lies; empty where there is no room for one."""
    if picture.width() < LEAST or picture.height() < LEAST:
        return QRect()
    corner = picture.topRight().toPoint() + QPoint(-HANDLE - INSET, INSET)
    return QRect(corner.x(), corner.y(), HANDLE, HANDLE)


def paint_handle(painter: QPainter, handle: QRect) -> None:
    """An arrow that leaves a frame, to be seen on any picture."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(0, 0, 0, 160))
    painter.drawRoundedRect(handle, 5, 5)
    painter.setPen(QPen(QColor(255, 255, 255), 1.5))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    left, top = handle.left(), handle.top()

    def at(x: float, y: float) -> QPointF:
        return QPointF(left + x, top + y)

    painter.drawPolyline(QPolygonF([at(10, 6), at(6, 6), at(6, 16), at(16, 16), at(16, 12)]))
    painter.drawLine(at(10, 12), at(16.5, 5.5))
    painter.drawPolyline(QPolygonF([at(12.5, 5.5), at(16.5, 5.5), at(16.5, 9.5)]))
    painter.restore()
