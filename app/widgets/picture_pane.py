"""One quantity as a picture with its caption: whole zoom, nearest neighbour, and the pixel under the pointer read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import (
    QColor,
    QHelpEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QApplication, QSizePolicy, QToolTip, QWidget

from app.theme import colour, diverging_stops, palette, theme
from app.widgets.drag_out import WORDS, handle_of, paint_handle, want_drag
from app.widgets.picture_caption import CAPTION_HEIGHT, CAPTION_WIDTH, PictureCaption
from app.widgets.picture_marks import paint_pixel, paint_placeholder, paint_progress, placeholder_square
from app.widgets.picture_view import Grid, View, best_grid
from app.widgets.rasters import Content
from app.widgets.typeset import plain
from core.recipe import Recipe, SignedMap

__all__ = ["CAPTION_HEIGHT", "PicturePane"]

DIMMED = 0.4

Pixel = tuple[int, int, int]
"""Cell, row and column."""


class PicturePane(QWidget):
    """One quantity as a picture, or as a grid of them, with its caption underneath.

    The wheel zooms about the pointer, dragging pans, a double click fits; with the keyboard + and - zoom, 0 fits, the
    arrows choose a cell of a grid and Enter clicks it. The handle of the picture under the pointer drags it away.

    Attributes: ``quantity``, ``symbol``, ``view``, ``content`` (None while empty), ``selected`` (cell or None),
    ``pixel`` (cell, row, column under the pointer of this or a linked pane, or None), ``is_pointed`` (the pointer is
    over this one), ``names``, ``notes`` and ``recipe`` (see ``set_names``).

    Signals: ``cell_clicked(cell)``; ``hovered(cell, row, column)``, all -1 when the pointer leaves;
    ``view_changed(View)`` after the person zoomed or panned; ``count_changed()``, another number of cells.
    """

    cell_clicked = Signal(int)
    hovered = Signal(int, int, int)
    view_changed = Signal(object)
    count_changed = Signal()

    def __init__(self, quantity: str, symbol: str, parent: QWidget | None = None) -> None:
        """``quantity`` is a key of theme.QUANTITIES (or a relative), ``symbol`` LaTeX mathematics."""
        super().__init__(parent)
        self.quantity = quantity
        self.symbol = symbol
        self.view = View()
        self.content: Content | None = None
        self.selected: int | None = None
        self.pixel: Pixel | None = None
        self.is_pointed = False
        self.names: Sequence[str] = ()
        self.notes: tuple[str, ...] = ()
        self.recipe: Recipe | None = None
        self._text = ""
        self._placeholder = ""
        self._reduced: list[QImage] = []
        self._busy = False
        self._progress = 0.0
        self._pressed: QPoint | None = None
        self._dragged = False
        self._taken: int | None = None
        """The cell whose handle is pressed."""
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(96, 96 + CAPTION_HEIGHT)
        self.setAccessibleName(plain(symbol))
        theme().theme_changed.connect(self._recolour)

    def set_pictures(
        self,
        pictures: NDArray[np.uint8] | None,
        values: NDArray[Any] | None = None,
        value_range: tuple[float, float] | None = None,
    ) -> None:
        """Show uint8 pictures (n, height, width, channels), channels 1 or 3; None empties the pane.

        ``values``, same shape, are the numbers that hovering reads where they are not the bytes themselves;
        ``value_range`` (smallest, largest) is printed in the caption.
        """
        self._put(None if pictures is None else Content.of_pictures(pictures, values, value_range))

    def set_signed(self, values: NDArray[Any] | None, limit: float | None = None) -> None:
        """Show signed numbers (n, channels, height, width) through the diverging map, symmetric about 0.

        ``limit`` is the number at the ends of the map, the largest magnitude where None. Several channels are shown
        by their mean, which the caption says; hovering reads every channel.
        """
        self._put(None if values is None else Content.of_signed(values, limit))

    def set_caption(self, text: str) -> None:
        """What is said beside the symbol, such as "t = 400, clamped to [-1, 1]"."""
        if text != self._text:
            self._text = text
            self._name_aloud()
            self.update()

    def _name_aloud(self) -> None:
        self.setAccessibleName(", ".join(filter(None, (plain(self.symbol), self._text))))

    def set_quantity(self, quantity: str, symbol: str) -> None:
        """Show another quantity from now on, in its own colour and under its own symbol."""
        if (quantity, symbol) != (self.quantity, self.symbol):
            self.quantity, self.symbol = quantity, symbol
            self._name_aloud()
            self.update()

    def set_names(self, names: Sequence[str] = (), notes: tuple[str, ...] = (), recipe: Recipe | None = None) -> None:
        """What each cell is called where it is taken to ("run 3, sample 2, t = 400"), what was done to it, and how all
        that is shown is made again."""
        self.names, self.notes, self.recipe = names, notes, recipe

    def recipe_of(self, cell: int) -> Recipe | None:
        """How one cell is made again, in its present colours; None where that is not known."""
        made = self.recipe_of_all()
        return None if made is None else made.of_cell(cell)

    def recipe_of_all(self) -> Recipe | None:
        """How all cells are made again."""
        if self.recipe is None or self.content is None:
            return None
        if self.content.signed is None:
            return self.recipe
        signed = SignedMap(self.content.signed[1], *diverging_stops())
        return replace(self.recipe, shown=replace(self.recipe.shown, signed=signed))

    def name(self, cell: int) -> str:
        """What a cell is called; by default what the caption says."""
        if cell < len(self.names):
            return self.names[cell]
        return (
            f"{self.accessibleName()}, {cell + 1}"
            if self.content and self.content.shape[0] > 1
            else self.accessibleName()
        )

    def taken(self) -> Content | None:
        """What is used, copied or saved where this pane is meant."""
        return self.content

    @property
    def count(self) -> int:
        """How many cells there are, 0 while empty."""
        return self.content.shape[0] if self.content else 0

    def pointed(self) -> int:
        """The cell that is meant: the one under the pointer, the framed one, or the first."""
        return self.pixel[0] if self.pixel else self.selected or 0

    def set_placeholder(self, text: str) -> None:
        """What is said in the picture's place while there is none."""
        if text != self._placeholder:
            self._placeholder = text
            self.update()

    @property
    def is_busy(self) -> bool:
        """Whether a successor of what is shown is computed."""
        return self._busy

    def set_busy(self, busy: bool, progress: float = 0.0) -> None:
        """Dim what is shown while its successor is computed; ``progress`` (0..1) runs around its frame."""
        if (busy, progress) != (self._busy, self._progress):
            self._busy, self._progress = busy, progress
            self.update()

    def select(self, cell: int | None) -> None:
        """Frame a cell of the grid; None frames none."""
        if cell != self.selected:
            self.selected = cell
            self.update()

    def set_view(self, view: View) -> None:
        """Look at a part, without a signal."""
        if view != self.view:
            self.view = view
            self._reduced = []
            self.update()

    def fit(self) -> None:
        """Show everything, as large as a whole zoom allows."""
        self._look(View())

    def zoom(self) -> float:
        """Device pixels a pixel of the picture; 0 while empty."""
        grid = self._grid()
        return grid.zoom(self.view, *self._area()) if grid else 0.0

    def zoom_text(self) -> str:
        zoom = self.zoom()
        if zoom < 1:
            return f"{zoom * 100:.0f} %" if zoom else ""
        return f"{zoom:.0f}×" if zoom == int(zoom) else f"{zoom:.1f}×"

    def reading(self) -> str:
        """The pixel under the pointer and its value, or nothing."""
        return self.content.reading(*self.pixel) if self.content and self.pixel else ""

    def show_pixel(self, cell: int, row: float, column: float) -> None:
        """Mark and read a pixel given as shares (0..1) of height and width, without a signal; cell -1 marks none."""
        pixel = None
        if self.content is not None and 0 <= cell < self.content.shape[0]:
            _, height, width = self.content.shape
            pixel = cell, min(height - 1, int(row * height)), min(width - 1, int(column * width))
        if pixel != self.pixel:
            self.pixel = pixel
            self.update()

    def pixel_rect(self, cell: int, row: int, column: int) -> QRectF:
        """Where a pixel of the picture is drawn, in the widget's coordinates."""
        grid = self._grid()
        if grid is None:
            return QRectF()
        zoom, (left, top), ratio = self.zoom(), self._origin(grid), self.devicePixelRatioF()
        x, y = grid.cell_origin(cell, zoom)
        return QRectF((left + x + column * zoom) / ratio, (top + y + row * zoom) / ratio, zoom / ratio, zoom / ratio)

    def handle(self) -> QRect:
        """Where the handle of the picture under the pointer lies, in the widget's coordinates; empty without one."""
        grid = self._grid()
        if grid is None or self.pixel is None or not self.is_pointed:
            return QRect()
        height, width = self._cell_size()
        corner = self.pixel_rect(self.pixel[0], 0, 0).topLeft()
        cell = QRectF(corner.x(), corner.y(), width, height)
        return handle_of(cell.intersected(QRectF(0, 0, self.width(), self.height() - CAPTION_HEIGHT)))

    def _cell_size(self) -> tuple[float, float]:
        """Height and width of a cell as it is drawn."""
        assert self.content is not None
        _, height, width = self.content.shape
        scale = self.zoom() / self.devicePixelRatioF()
        return height * scale, width * scale

    def _put(self, content: Content | None) -> None:
        before = self.count
        self.content = content
        self._reduced = []
        count, height, width = content.shape if content else (0, 0, 0)
        if self.selected is not None and self.selected >= count:
            self.selected = None
        if self.pixel and not (self.pixel[0] < count and self.pixel[1] < height and self.pixel[2] < width):
            self.pixel = None
        self.update()
        if before != count:
            self.count_changed.emit()

    @Slot()
    def _recolour(self) -> None:
        if self.content is not None:
            self._put(self.content.recoloured())
        self.update()

    def _area(self) -> tuple[int, int]:
        """Width and height that the pictures may take, in device pixels."""
        ratio = self.devicePixelRatioF()
        return max(1, int(self.width() * ratio)), max(1, int((self.height() - CAPTION_HEIGHT) * ratio))

    def _grid(self) -> Grid | None:
        if self.content is None:
            return None
        count, height, width = self.content.shape
        return best_grid(count, width, height, *self._area())

    def _origin(self, grid: Grid) -> tuple[int, int]:
        return grid.origin(self.view, grid.zoom(self.view, *self._area()), *self._area())

    def _pixel_at(self, point: QPointF) -> Pixel | None:
        grid = self._grid()
        if grid is None or point.y() >= self.height() - CAPTION_HEIGHT:
            return None
        ratio = self.devicePixelRatioF()
        left, top = self._origin(grid)
        return grid.at(point.x() * ratio - left, point.y() * ratio - top, self.zoom())

    def _hover(self, pixel: Pixel | None) -> None:
        if pixel != self.pixel:
            self.pixel = pixel
            self.update()
            self.hovered.emit(*(pixel or (-1, -1, -1)))

    def _look(self, view: View) -> None:
        if view != self.view:
            self.set_view(view)
            self.view_changed.emit(view)

    def _zoom_about(self, point: QPointF, direction: int) -> None:
        grid = self._grid()
        if grid is None:
            return
        ratio = self.devicePixelRatioF()
        self._look(grid.zoomed(self.view, point.x() * ratio, point.y() * ratio, direction, self._area()))

    def _pan(self, moved: QPoint) -> None:
        grid = self._grid()
        if grid is not None:
            ratio = self.devicePixelRatioF()
            self._look(grid.panned(self.view, moved.x() * ratio, moved.y() * ratio, self._area()))

    def sizeHint(self) -> QSize:
        return QSize(280, 280 + CAPTION_HEIGHT)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        grid = self._grid()
        if grid is None:
            area = QRect(0, 0, self.width(), self.height() - CAPTION_HEIGHT)
            paint_placeholder(painter, area, self._placeholder)
        else:
            ratio = self.devicePixelRatioF()
            painter.save()
            painter.scale(1 / ratio, 1 / ratio)
            painter.setClipRect(0, 0, *self._area())
            self._paint_pictures(painter, grid)
            painter.restore()
            if not self.handle().isEmpty():
                paint_handle(painter, self.handle())
        self._paint_caption(painter)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._reduced = []

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._pressed, self._dragged = event.position().toPoint(), False
            is_taken = self.pixel is not None and self.handle().contains(self._pressed)
            self._taken = self.pixel[0] if self.pixel is not None and is_taken else None

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self.is_pointed = True
        point = event.position().toPoint()
        if self._pressed is not None:
            moved = point - self._pressed
            if self._dragged or moved.manhattanLength() >= QApplication.startDragDistance():
                if self._taken is not None:
                    taken, self._taken, self._pressed = self._taken, None, None
                    want_drag(self, taken)  # until it is dropped, and the button is up
                    return
                self._dragged = True
                self._pan(moved)
                self._pressed = point
        self._hover(self._pixel_at(event.position()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        clicked = self._pressed is not None and not self._dragged and self._taken is None
        self._pressed = self._taken = None
        hit = self._pixel_at(event.position())
        if clicked and hit is not None:
            self.cell_clicked.emit(hit[0])

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.fit()

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and self.handle().contains(event.pos()):
            QToolTip.showText(event.globalPos(), WORDS, self, self.handle())
            return True
        return super().event(event)

    def leaveEvent(self, event: QEvent) -> None:
        self.is_pointed = False
        self._hover(None)

    def wheelEvent(self, event: QWheelEvent) -> None:
        turned = event.angleDelta().y()
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier or not turned:
            event.ignore()  # with Ctrl the wheel moves t: the stage's business
            return
        self._zoom_about(event.position(), 1 if turned > 0 else -1)
        self._hover(self._pixel_at(event.position()))
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key, grid = Qt.Key(event.key()), self._grid()
        middle = QPointF(self.width() / 2, (self.height() - CAPTION_HEIGHT) / 2)
        across = grid.columns if grid else 1
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_Up: -across, Qt.Key.Key_Down: across}
        if key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal, Qt.Key.Key_Minus):
            self._zoom_about(middle, -1 if key == Qt.Key.Key_Minus else 1)
        elif key == Qt.Key.Key_0:
            self.fit()
        elif key in steps and grid is not None and grid.count > 1:
            there = 0 if self.selected is None else self.selected + steps[key]
            if 0 <= there < grid.count:
                self.select(there)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.selected is not None:
            self.cell_clicked.emit(self.selected)
        else:
            super().keyPressEvent(event)

    def _paint_pictures(self, painter: QPainter, grid: Grid) -> None:
        """In device pixels."""
        assert self.content is not None
        zoom, (left, top) = self.zoom(), self._origin(grid)
        width, height = grid.cell_size(zoom)
        visible = QRect(0, 0, *self._area())
        if self._busy:
            painter.setOpacity(DIMMED)
        for cell in range(grid.count):
            x, y = grid.cell_origin(cell, zoom)
            target = QRect(left + x, top + y, width, height)
            if not target.intersects(visible):
                continue
            if zoom >= 1:
                painter.drawImage(target, self.content.image, QRect(0, cell * grid.height, grid.width, grid.height))
            else:
                painter.drawImage(target.topLeft(), self._reduced_cells(width, height)[cell])
        painter.setOpacity(1.0)
        whole = QRect(left, top, *grid.size(zoom))
        if self._busy:
            pen = QPen(colour(self.quantity), 3 * self.devicePixelRatioF())
            paint_progress(painter, whole.intersected(visible), self._progress, pen)
        if self.selected is not None and grid.count > 1:
            x, y = grid.cell_origin(self.selected, zoom)
            painter.setPen(QPen(QColor(palette().text), 2 * self.devicePixelRatioF()))
            painter.drawRect(QRect(left + x, top + y, width, height))
        if self.pixel is not None:
            ratio, place = self.devicePixelRatioF(), self.pixel_rect(*self.pixel)
            paint_pixel(painter, QRectF(place.topLeft() * ratio, place.size() * ratio).toAlignedRect())

    def _caption_rect(self, needed: int = CAPTION_WIDTH) -> QRect:
        """Right under the picture or its empty place, and as wide where that leaves room for the words, which have
        ``needed`` pixels."""
        grid = self._grid()
        left, top = 2, self.height() - CAPTION_HEIGHT
        if grid is None:
            top = min(top, placeholder_square(QRect(0, 0, self.width(), top)).bottom() + 1)
        else:
            ratio = self.devicePixelRatioF()
            picture_left, picture_top = self._origin(grid)
            top = min(top, int((picture_top + grid.size(self.zoom())[1]) / ratio))
            left = max(left, min(int(picture_left / ratio), (self.width() - max(needed, CAPTION_WIDTH)) // 2))
        return QRect(left, top, self.width() - 2 * left, CAPTION_HEIGHT)

    def _reduced_cells(self, width: int, height: int) -> list[QImage]:
        if not self._reduced:
            assert self.content is not None
            self._reduced = self.content.reduced(width, height)
        return self._reduced

    def _paint_caption(self, painter: QPainter) -> None:
        shown = self.content.range_text if self.content else ""
        caption = PictureCaption(self.quantity, self.symbol, self._text, self.zoom_text(), shown, self.reading())
        caption.paint(painter, self, self._caption_rect(caption.width))
