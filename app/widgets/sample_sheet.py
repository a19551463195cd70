"""What is in a folder of pictures, at a glance: a row for each class, or an even mix where there are none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QHelpEvent, QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from app.theme import GRID, font, palette, theme
from app.widgets.picture_view import best_grid
from app.widgets.rasters import to_image

GAP = 2
LEAST = 32
"""The least side of a picture in a row of a class, in pixels: more rows than fit are scrolled."""
LARGEST = 128
NAME_WIDTH = 150


@dataclass(frozen=True)
class SheetRow:
    """Pictures uint8 (n, H, W, C) that belong together; without a name they are laid out over the whole sheet. What
    each is called (``names``) is said where the mouse rests."""

    name: str
    note: str
    pictures: NDArray[np.uint8]
    names: tuple[str, ...] = ()


class SampleSheet(QWidget):
    """Attributes: ``rows``; ``shown``, how many pictures of each row have a place."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows: tuple[SheetRow, ...] = ()
        self._images: dict[int, list[QImage]] = {}
        """Of the rows that were in view."""
        self._places: list[tuple[QRectF, str]] = []
        """Where pictures were painted last, and what they are called."""
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Pictures to train on")
        theme().theme_changed.connect(self.update)

    def set_rows(self, rows: Sequence[SheetRow]) -> None:
        self.rows = tuple(rows)
        self._images.clear()
        self.setAccessibleDescription(", ".join(f"{row.name} {row.note}".strip() for row in rows))
        self.updateGeometry()
        self.update()

    @property
    def shown(self) -> tuple[int, ...]:
        if self._has_names():
            side = self._side()
            room = int((self.width() - self._names_width() + GAP) // (side + GAP))
            return tuple(min(room, len(row.pictures)) for row in self.rows)
        return tuple(len(row.pictures) for row in self.rows)

    def name_at(self, position: QPointF) -> str:
        """What the picture there is called, "" where there is none, or nobody knows."""
        return next((name for box, name in self._places if box.contains(position)), "")

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            QToolTip.showText(event.globalPos(), self.name_at(QPointF(event.pos())), self)
            return True
        return super().event(event)

    def sizeHint(self) -> QSize:
        return QSize(480, 96)

    def minimumSizeHint(self) -> QSize:
        return QSize(200, len(self.rows) * (LEAST + GAP) if self._has_names() else 96)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        self._places.clear()
        if self._has_names():
            self._paint_rows(painter, event)
        elif self.rows and len(self.rows[0].pictures):
            self._paint_mix(painter, self._images_of(0))

    def _paint_rows(self, painter: QPainter, event: QPaintEvent) -> None:
        side, left = self._side(), self._names_width()
        metrics = QFontMetricsF(font("body"))
        for place, (row, shown) in enumerate(zip(self.rows, self.shown, strict=True)):
            top = place * (side + GAP)
            if top > event.rect().bottom() or top + side < event.rect().top():
                continue
            name = metrics.elidedText(row.name, Qt.TextElideMode.ElideRight, left - GRID)
            middle = top + side / 2
            painter.setFont(font("body"))
            painter.setPen(QColor(palette().text))
            painter.drawText(QPointF(0, middle - 1), name)
            painter.setFont(font("caption", numbers=True))
            painter.setPen(QColor(palette().quiet))
            painter.drawText(QPointF(0, middle + 13), row.note)
            for column, image in enumerate(self._images_of(place)[:shown]):
                box = QRectF(left + column * (side + GAP), top, side, side)
                _paint(painter, image, box)
                self._places.append((box, row.names[column] if row.names else ""))

    def _paint_mix(self, painter: QPainter, images: Sequence[QImage]) -> None:
        ratio = self.devicePixelRatioF()
        area = int(self.width() * ratio), int(self.height() * ratio)
        grid = best_grid(len(images), images[0].width(), images[0].height(), *area)
        zoom = grid.fit(*area)
        width, height = grid.size(zoom)
        cell_width, cell_height = grid.cell_size(zoom)
        left, top = (area[0] - width) // 2, (area[1] - height) // 2
        for cell, image in enumerate(images):
            x, y = grid.cell_origin(cell, zoom)
            box = QRectF((left + x) / ratio, (top + y) / ratio, cell_width / ratio, cell_height / ratio)
            _paint(painter, image, box)
            self._places.append((box, self.rows[0].names[cell] if self.rows[0].names else ""))

    def _images_of(self, row: int) -> list[QImage]:
        if row not in self._images:
            self._images[row] = [to_image(picture) for picture in self.rows[row].pictures]
        return self._images[row]

    def _has_names(self) -> bool:
        return any(row.name for row in self.rows)

    def _names_width(self) -> float:
        metrics, small = QFontMetricsF(font("body")), QFontMetricsF(font("caption", numbers=True))
        widest = max(max(metrics.horizontalAdvance(r.name), small.horizontalAdvance(r.note)) for r in self.rows)
        return float(min(NAME_WIDTH, round(widest) + GRID))

    def _side(self) -> float:
        """Of a picture in a row: a whole zoom where one fits."""
        room = min(LARGEST, max(LEAST, self.height() / len(self.rows) - GAP))
        ratio, pixels = self.devicePixelRatioF(), self.rows[0].pictures.shape[2]
        zoom = int(room * ratio / pixels)
        return zoom * pixels / ratio if zoom >= 1 and zoom * pixels / ratio >= LEAST else room


def _paint(painter: QPainter, image: QImage, box: QRectF) -> None:
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, box.width() < image.width())
    painter.drawImage(box, image)
