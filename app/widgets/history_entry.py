"""How a run is drawn in the history: as the list would, and its star at the right."""

from __future__ import annotations

import math
from collections.abc import Callable

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRect, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QTreeWidget

from app.theme import palette

STAR = 22
"""Side of the square that is clicked."""
RADIUS = 6.0
JOB = Qt.ItemDataRole.UserRole


class HistoryEntry(QStyledItemDelegate):
    """Filled where ``is_starred(job)``; an outline where the run is chosen or pointed at, to be clicked."""

    def __init__(self, is_starred: Callable[[int], bool], tree: QTreeWidget) -> None:
        super().__init__(tree)
        self._is_starred = is_starred

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        whole = QRect(option.rect)
        super().paint(painter, option, index)
        starred = self._is_starred(int(index.data(JOB)))
        shown = QStyle.StateFlag.State_MouseOver | QStyle.StateFlag.State_Selected
        if not starred and not option.state & shown:
            return
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ink = QColor(palette().text if starred else palette().quiet)
        painter.setPen(QPen(ink, 1))
        painter.setBrush(ink if starred else Qt.BrushStyle.NoBrush)
        painter.drawPolygon(_star(QPointF(star_rect(whole).center()) + QPointF(0.5, 0.5)))
        painter.restore()


def star_rect(entry: QRect) -> QRect:
    """Where the star of an entry is: at the right of its second line, which is short."""
    return QRect(entry.right() - STAR + 1, entry.center().y() - STAR // 2, STAR, STAR)


def _star(middle: QPointF) -> QPolygonF:
    points = []
    for corner in range(10):
        angle, radius = math.pi * corner / 5, RADIUS * (0.45 if corner % 2 else 1.0)
        points.append(middle + QPointF(radius * math.sin(angle), -radius * math.cos(angle)))
    return QPolygonF(points)
