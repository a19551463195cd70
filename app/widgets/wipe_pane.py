"""Two pictures in one place: the first left of a line that is dragged, the second right of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QLineF, QPointF, Qt, Signal
from PySide6.QtGui import QColor, QImage, QKeyEvent, QMouseEvent, QPainter, QPen, QResizeEvent
from PySide6.QtWidgets import QWidget

from app.theme import palette
from app.widgets.picture_pane import PicturePane, Pixel
from app.widgets.picture_view import Grid, View
from app.widgets.rasters import Content
from core.recipe import Recipe

NEAR = 8
"""Pixels from the line within which it is taken hold of."""
STEP = 0.02


class WipePane(PicturePane):
    """The line is dragged with the mouse, moved with ← and →, put in the middle by a double click on it. What hovering
    reads, and what is taken elsewhere, is that of the side pointed at.

    Attributes: ``share``, how much of the width belongs to the first picture (0..1); ``beside``, the second one's
    content. Signals: ``share_changed(float)`` by the person.
    """

    share_changed = Signal(float)

    def __init__(self, quantity: str, symbol: str, parent: QWidget | None = None) -> None:
        super().__init__(quantity, symbol, parent)
        self.share = 0.5
        self.beside: Content | None = None
        self._holds = False
        self._smaller: list[QImage] = []
        """The second picture's, as ``_reduced`` is the first's."""
        self._is_second = False
        self._other: tuple[Sequence[str], Recipe | None] = (), None

    def set_pair(self, first: NDArray[np.uint8] | None, second: NDArray[np.uint8] | None) -> None:
        """Show two uint8 pictures (n, height, width, channels) that are alike in n, height and width."""
        assert first is None or second is None or first.shape[:3] == second.shape[:3]
        self.beside = None if second is None else Content.of_pictures(second, None, None)
        self._smaller = []
        self.set_pictures(first)

    def set_share(self, share: float) -> None:
        """Move the line, without a signal."""
        share = min(1.0, max(0.0, share))
        if share != self.share:
            self.share = share
            self.update()

    def set_names_beside(self, names: Sequence[str], recipe: Recipe | None) -> None:
        """What the second picture's cells are called where they are taken elsewhere; the first's: ``set_names``."""
        self._other = names, recipe

    def line_at(self) -> float:
        """Where the line stands, in the widget's pixels from the left."""
        left, width = self._span()
        return left + self.share * width

    def taken(self) -> Content | None:
        return self.beside if self._is_second else self.content

    def name(self, cell: int) -> str:
        names = self._other[0]
        return names[cell] if self._is_second and cell < len(names) else super().name(cell)

    def recipe_of_all(self) -> Recipe | None:
        return self._other[1] if self._is_second else super().recipe_of_all()

    def reading(self) -> str:
        content = self.taken()
        return content.reading(*self.pixel) if content and self.pixel else ""

    def _hover(self, pixel: Pixel | None) -> None:
        if pixel is not None:  # the side last pointed at is meant until another is
            self._is_second = self.beside is not None and self.pixel_rect(*pixel).center().x() >= self.line_at()
        super()._hover(pixel)

    def _span(self) -> tuple[float, float]:
        """Left edge and width of what is drawn, in the widget's pixels."""
        grid = self._grid()
        if grid is None:
            return 0.0, float(self.width())
        ratio = self.devicePixelRatioF()
        left, width = self._origin(grid)[0] / ratio, grid.size(self.zoom())[0] / ratio
        visible = max(0.0, left), min(float(self.width()), left + width)
        return visible[0], max(1.0, visible[1] - visible[0])

    def _move(self, share: float) -> None:
        before = self.share
        self.set_share(share)
        if self.share != before:
            self.share_changed.emit(self.share)

    def _is_near(self, point: QPointF) -> bool:
        return self.beside is not None and self.content is not None and abs(point.x() - self.line_at()) <= NEAR

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._holds = event.button() == Qt.MouseButton.LeftButton and self._is_near(event.position())
        if not self._holds:
            super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._holds:
            left, width = self._span()
            self._move((event.position().x() - left) / width)
            return
        near = self._is_near(event.position())
        self.setCursor(Qt.CursorShape.SplitHCursor if near else Qt.CursorShape.ArrowCursor)
        super().mouseMoveEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._holds:
            self._holds = False
        else:
            super().mouseReleaseEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if self._is_near(event.position()):
            self._move(0.5)
        else:
            super().mouseDoubleClickEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Left: -STEP, Qt.Key.Key_Right: STEP}.get(Qt.Key(event.key()))
        if steps is None or self.beside is None:
            super().keyPressEvent(event)
        else:
            self._move(self.share + steps * (5 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1))

    def _paint_pictures(self, painter: QPainter, grid: Grid) -> None:
        super()._paint_pictures(painter, grid)
        first, second = self.content, self.beside
        if first is None or second is None:
            return
        ratio, place = self.devicePixelRatioF(), self.line_at()
        painter.save()
        painter.setClipRect(round(place * ratio), 0, self._area()[0], self._area()[1])
        painter.eraseRect(painter.clipBoundingRect())
        self.content, self._reduced, self._smaller = second, self._smaller, self._reduced
        super()._paint_pictures(painter, grid)
        self.content, self._reduced, self._smaller = first, self._smaller, self._reduced
        painter.restore()
        top = max(0, self._origin(grid)[1])
        line = QLineF(place * ratio, top, place * ratio, min(self._area()[1], top + grid.size(self.zoom())[1]))
        for ink, width in ((palette().window, 4), (palette().text, 2)):  # to be seen on any picture
            painter.setPen(QPen(QColor(ink), width * ratio, Qt.PenStyle.SolidLine, Qt.PenCapStyle.FlatCap))
            painter.drawLine(line)

    def set_view(self, view: View) -> None:
        self._smaller = []
        super().set_view(view)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._smaller = []
        super().resizeEvent(event)
