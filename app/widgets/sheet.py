"""A sheet of pictures in rows and columns with names on two sides, each of which can be chosen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFontMetrics, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.theme import colour, font, palette, theme
from app.widgets.rasters import to_image

GAP = 2
NAME = 16
"""Height of the line of column names."""
UNFINISHED = 0.4
KEPT = 128
"""Larger pictures are reduced to this many pixels."""


class Sheet(QWidget):
    """Cells row by row, in whole zoom where that fills the room; unfinished ones are dimmed, those to come are dashed.

    Attributes: ``rows`` and ``columns`` (names), ``current`` (cell or None). Signals: ``cell_clicked(int)``.
    Arrows choose the cells around the current one.
    """

    cell_clicked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows: tuple[str, ...] = ()
        self.columns: tuple[str, ...] = ()
        self.current: int | None = None
        self._images: dict[int, QImage] = {}
        self._finished: set[int] = set()
        self._measured: object = None
        self._laid_out = (0.0, 0.0, 0.0, 0.0)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Sheet of frames")
        theme().theme_changed.connect(self.update)

    def set_cells(self, rows: Sequence[str], columns: Sequence[str]) -> None:
        """Another sheet, all of it to come; without names on a side there is no room for them either."""
        self.rows, self.columns = tuple(rows), tuple(columns)
        self.current = None
        self._images.clear()
        self._finished.clear()
        self.update()

    def put(self, cell: int, picture: NDArray[np.uint8], *, finished: bool) -> None:
        """The picture of a cell, uint8 (H, W, C), as far as it has come."""
        image = to_image(picture)
        if max(image.width(), image.height()) > KEPT:
            image = image.scaled(KEPT, KEPT, Qt.AspectRatioMode.KeepAspectRatio, _SMOOTH)
        self._images[cell] = image
        (self._finished.add if finished else self._finished.discard)(cell)
        self.update()

    def has(self, cell: int) -> bool:
        return cell in self._images

    def picture(self, cell: int) -> QImage:
        """What a cell shows, as far as it has come."""
        return self._images[cell]

    def is_finished(self, cell: int) -> bool:
        return cell in self._finished

    def set_current(self, cell: int | None) -> None:
        if cell != self.current:
            self.current = cell
            self.setAccessibleDescription(self._words(cell))
            self.update()

    def cell_rect(self, cell: int) -> QRectF:
        """Where a cell is drawn."""
        width, height, left, top = self._layout()
        row, column = divmod(cell, max(1, len(self.columns)))
        return QRectF(left + column * (width + GAP), top + row * (height + GAP), width, height)

    def sizeHint(self) -> QSize:
        return QSize(360, 360)

    def minimumSizeHint(self) -> QSize:
        return QSize(160, 120)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            for cell in range(len(self.rows) * len(self.columns)):
                if self.cell_rect(cell).contains(event.position()):
                    self.cell_clicked.emit(cell)
                    return

    def keyPressEvent(self, event: QKeyEvent) -> None:
        across = len(self.columns)
        moves = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_Up: -across, Qt.Key.Key_Down: across}
        move = moves.get(Qt.Key(event.key()))
        if move is None or self.current is None or event.modifiers():
            super().keyPressEvent(event)
            return
        there = self.current + move
        stays_in_row = abs(move) > 1 or there // across == self.current // across
        if 0 <= there < across * len(self.rows) and stays_in_row:
            self.cell_clicked.emit(there)

    def paintEvent(self, _event: QPaintEvent) -> None:
        if not self.rows:
            return
        painter = QPainter(self)
        painter.setFont(font("caption", numbers=True))
        self._paint_names(painter)
        for cell in range(len(self.rows) * len(self.columns)):
            rect, image = self.cell_rect(cell), self._images.get(cell)
            if image is None:
                painter.setPen(QPen(QColor(palette().line), 1, Qt.PenStyle.DashLine))
                painter.drawRect(rect.adjusted(0, 0, -1, -1))
                continue
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, rect.width() < image.width())
            painter.setOpacity(1.0 if cell in self._finished else UNFINISHED)
            painter.drawImage(rect, image)
            painter.setOpacity(1.0)
        if self.current is not None:
            painter.setPen(QPen(colour("t"), 2))
            painter.drawRect(self.cell_rect(self.current).adjusted(-1, -1, 1, 1))

    def _paint_names(self, painter: QPainter) -> None:
        painter.setPen(QColor(palette().quiet))
        metrics = QFontMetrics(painter.font())
        room = 0.0
        for column, name in enumerate(self.columns):
            rect = self.cell_rect(column)
            wide = metrics.horizontalAdvance(name) + 4
            middle = rect.center().x()
            if middle - wide / 2 >= room:  # names that would touch the one before are left out
                painter.drawText(QPointF(middle - wide / 2 + 2, rect.top() - 5), name)
                room = middle + wide / 2
        for row, name in enumerate(self.rows):
            rect = self.cell_rect(row * len(self.columns))
            if rect.height() >= 11:
                painter.drawText(QRectF(0, rect.top(), rect.left() - 6, rect.height()), _RIGHT_MIDDLE, name)

    def _layout(self) -> tuple[float, float, float, float]:
        """Width and height of a cell, and where the first one begins; measured once for a size of everything."""
        image = next(iter(self._images.values()), None)
        wide, high = (image.width(), image.height()) if image is not None else (32, 32)
        key = (self.width(), self.height(), self.devicePixelRatioF(), wide, high, self.rows, self.columns)
        if key != self._measured:
            self._measured, self._laid_out = key, self._measure(wide, high)
        return self._laid_out

    def _measure(self, wide: int, high: int) -> tuple[float, float, float, float]:
        """For pictures of this size; whole device pixels."""
        ratio = self.devicePixelRatioF()
        metrics = QFontMetrics(font("caption", numbers=True))
        left = max((metrics.horizontalAdvance(name) for name in self.rows), default=0) + 8 if any(self.rows) else 2
        top = NAME if any(self.columns) else 2
        across, down = max(1, len(self.columns)), max(1, len(self.rows))
        fit = min(
            ((self.width() - left - 2 - (across - 1) * GAP) / across) * ratio / wide,
            ((self.height() - top - 2 - (down - 1) * GAP) / down) * ratio / high,
        )
        whole = float(int(fit)) if fit >= 1 else max(fit, 1 / max(wide, high))
        zoom = fit if 1.2 <= fit < 2 else whole  # as in the panes: once leaves up to three quarters of the room empty
        width, height = max(1, int(wide * zoom)) / ratio, max(1, int(high * zoom)) / ratio
        spare = self.width() - left - 2 - across * width - (across - 1) * GAP
        below = self.height() - top - 2 - down * height - (down - 1) * GAP
        return width, height, left + max(0, int(spare / 2)), top + max(0, int(below / 2))

    def _words(self, cell: int | None) -> str:
        if cell is None or not self.columns:
            return ""
        row, column = divmod(cell, len(self.columns))
        return f"row {self.rows[row] or row + 1}, column {self.columns[column] or column + 1}"


_SMOOTH = Qt.TransformationMode.SmoothTransformation
_RIGHT_MIDDLE = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
