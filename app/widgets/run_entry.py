"""How a training is drawn in a list: what it drew last, how far it has come, and the dots behind which its menu is."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from app.theme import GRID, palette
from app.widgets.rasters import to_image

THUMBNAIL = 40
MARK = 3
"""Width of the line beside those whose curves are compared."""
MORE = 3 * GRID
"""Width of the room for the dots; the style sheet keeps the words out of it."""
BAR = 2
_DOT = 1.25

Index = QModelIndex | QPersistentModelIndex


class RunEntry(QStyledItemDelegate):
    """``done_of`` says how much of a row is done, None where that is not to be drawn; ``has_menu`` whether it has a
    menu; ``mark_of`` in which colour it is marked, None for not."""

    def __init__(
        self,
        done_of: Callable[[int], float | None],
        has_menu: Callable[[int], bool],
        mark_of: Callable[[int], QColor | None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._done_of, self._has_menu, self._mark_of = done_of, has_menu, mark_of

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        super().paint(painter, option, index)
        row, rect = index.row(), option.rect
        painter.save()
        mark, done = self._mark_of(row), self._done_of(row)
        if mark is not None:
            painter.fillRect(mark_rect(rect), mark)
        if done is not None:
            _paint_done(painter, rect, done)
        if self._has_menu(row) and option.state & (QStyle.StateFlag.State_MouseOver | QStyle.StateFlag.State_Selected):
            _paint_dots(painter, more_rect(rect))
        painter.restore()


def mark_rect(rect: QRect) -> QRect:
    """Where in an entry it is marked as compared."""
    return QRect(rect.left(), rect.top() + 3, MARK, rect.height() - 6)


def more_rect(rect: QRect) -> QRect:
    """Where in an entry its menu is opened."""
    return QRect(rect.right() - MORE, rect.top(), MORE + 1, rect.height())


def done_rect(rect: QRect) -> QRectF:
    """Where in an entry its progress is drawn: along its lower edge."""
    return QRectF(rect.left() + GRID // 2, rect.bottom() - BAR, rect.width() - GRID, BAR)


def _paint_done(painter: QPainter, rect: QRect, done: float) -> None:
    whole = done_rect(rect)
    painter.fillRect(whole, QColor(palette().line))
    painter.fillRect(QRectF(whole.topLeft(), whole.size()).adjusted(0, 0, (done - 1) * whole.width(), 0), _quiet())


def _paint_dots(painter: QPainter, rect: QRect) -> None:
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(_quiet())
    middle = QRectF(rect).center()
    for place in (-1, 0, 1):
        painter.drawEllipse(QRectF(middle.x() + 5 * place - _DOT, middle.y() - _DOT, 2 * _DOT, 2 * _DOT))


def _quiet() -> QColor:
    return QColor(palette().quiet)


def icon_of(picture: NDArray[np.uint8], ratio: float) -> QIcon:
    """A picture uint8 (H, W, 1|3) as a thumbnail for a screen of ``ratio`` device pixels each."""
    side = round(THUMBNAIL * ratio)
    image = to_image(picture)
    smaller = max(image.width(), image.height()) > side
    mode = Qt.TransformationMode.SmoothTransformation if smaller else Qt.TransformationMode.FastTransformation
    pixmap = QPixmap.fromImage(image.scaled(side, side, Qt.AspectRatioMode.KeepAspectRatio, mode))
    pixmap.setDevicePixelRatio(ratio)
    return _untinted(pixmap)


@lru_cache(maxsize=4)
def blank(name: str) -> QIcon:
    """The place of a picture that is not there yet, in the scheme of this name."""
    pixmap = QPixmap(THUMBNAIL, THUMBNAIL)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setPen(QPen(_quiet(), 1, Qt.PenStyle.DashLine))
    painter.drawRect(0, 0, THUMBNAIL - 1, THUMBNAIL - 1)
    painter.end()
    return _untinted(pixmap)


def _untinted(pixmap: QPixmap) -> QIcon:
    """Also where it is chosen."""
    icon = QIcon()
    for mode in (QIcon.Mode.Normal, QIcon.Mode.Selected):
        icon.addPixmap(pixmap, mode)
    return icon
