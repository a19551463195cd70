"""Pictures beside what is made of them: originals with what is taken of them marked, and the squares they become."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, QSizeF, Qt
from PySide6.QtGui import QBrush, QColor, QFontMetricsF, QHelpEvent, QImage, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from app.theme import GRID, colour, font, palette, theme
from app.widgets.rasters import to_image

LEAST, LARGEST = 48, 192
"""Sides between which the two pictures of a pair are shown, in pixels."""
SOME = 6
"""Fewer pairs than this are worth less than larger pictures."""
ARROW = 3 * GRID
APART = 2 * GRID
CAPTION = 18
UNFINISHED = 0.45
OUTSIDE = 0.65
"""How far what is left out of a picture is covered."""


@dataclass(frozen=True, eq=False)
class Pair:
    """``before`` uint8 (H, W, 1|3|4) and ``after`` uint8 (S, S, 1|3), which is made of the part ``crop`` (left, top,
    right, bottom, in fractions). An ``after`` that is not ``exact`` looks unfinished. ``note`` is said of the first,
    ``mark`` of the second, ``words`` where the mouse rests."""

    before: NDArray[np.uint8]
    after: NDArray[np.uint8]
    crop: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    note: str = ""
    mark: str = ""
    words: str = ""
    exact: bool = True


class PairSheet(QWidget):
    """Attributes: ``pairs``; ``shown``, how many of them have a place."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.pairs: tuple[Pair, ...] = ()
        self._images: list[tuple[QImage, QImage]] = []
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Originals, and what the network sees of them")
        theme().theme_changed.connect(self.update)

    def set_pairs(self, pairs: Sequence[Pair]) -> None:
        self.pairs = tuple(pairs)
        self._images = [(to_image(pair.before), to_image(pair.after)) for pair in self.pairs]
        self.setAccessibleDescription("; ".join(f"{pair.note} {pair.mark}".strip() for pair in self.pairs))
        self.update()

    @property
    def shown(self) -> int:
        columns, rows, _ = self._grid()
        return min(len(self.pairs), columns * rows)

    def sizeHint(self) -> QSize:
        return QSize(480, 2 * (LEAST + CAPTION))

    def minimumSizeHint(self) -> QSize:
        return QSize(2 * LEAST + ARROW, LEAST + CAPTION)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            at = next((i for i in range(self.shown) if self._cell(i).contains(QPointF(event.pos()))), None)
            QToolTip.showText(event.globalPos(), "" if at is None else self.pairs[at].words, self)
            return True
        return super().event(event)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        for index in range(self.shown):
            self._paint_pair(painter, self._cell(index), self.pairs[index], *self._images[index])

    def _grid(self) -> tuple[int, int, float]:
        """Columns, rows, and the side of a picture: large ones, and yet some of them."""
        width, height, count = self.width() + APART, self.height() + GRID, max(1, len(self.pairs))

        def worth(columns: int, rows: int) -> tuple[float, int, int, float]:
            room = min((width / columns - ARROW - APART) / 2, height / rows - CAPTION - GRID, LARGEST)
            side, shown = max(16.0, self._whole(room)), min(count, columns * rows)
            return shown * side**1.8 * min(1, shown / SOME) * (side >= LEAST), -columns * rows, columns, side

        most = max(1, int(height // (LEAST + CAPTION + GRID)))
        _worth, cells, columns, side = max(
            worth(columns, rows) for columns in range(1, count + 1) for rows in range(1, min(most, count) + 1)
        )
        return columns, -cells // columns, side

    def _cell(self, index: int) -> QRectF:
        columns, _rows, side = self._grid()
        row, column = divmod(index, columns)
        width = 2 * side + ARROW
        return QRectF(column * (width + APART), row * (side + CAPTION + GRID), width, side + CAPTION)

    def _paint_pair(self, painter: QPainter, cell: QRectF, pair: Pair, before: QImage, after: QImage) -> None:
        side = cell.height() - CAPTION
        left = QRectF(cell.topLeft(), QSizeF(side, side))
        right = left.translated(side + ARROW, 0)
        place = _fitted(before, left)
        self._paint_original(painter, place, before, pair.crop)
        painter.setPen(QColor(palette().quiet))
        painter.setFont(font("body"))
        painter.drawText(QRectF(left.right(), left.top(), ARROW, side), Qt.AlignmentFlag.AlignCenter, "→")
        painter.setOpacity(1.0 if pair.exact else UNFINISHED)
        _draw(painter, right, after)
        painter.setOpacity(1.0)
        metrics = QFontMetricsF(font("caption", numbers=True))
        painter.setFont(font("caption", numbers=True))
        for box, words, tint in (
            (left, pair.note, QColor(palette().quiet)),
            (right, f"x₀ {pair.mark}".strip(), colour("x_0")),
        ):
            painter.setPen(tint)
            room = QRectF(box.left(), box.bottom(), side + (ARROW - 4 if box is left else 0), CAPTION)
            text = metrics.elidedText(words, Qt.TextElideMode.ElideRight, room.width())
            painter.drawText(room, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)

    def _paint_original(
        self, painter: QPainter, place: QRectF, image: QImage, crop: tuple[float, float, float, float]
    ) -> None:
        if image.hasAlphaChannel():
            _paint_chequers(painter, place)
        _draw(painter, place, image)
        taken = QRectF(
            place.left() + crop[0] * place.width(),
            place.top() + crop[1] * place.height(),
            (crop[2] - crop[0]) * place.width(),
            (crop[3] - crop[1]) * place.height(),
        )
        if crop == (0.0, 0.0, 1.0, 1.0):
            return
        cover = QColor(palette().window)
        cover.setAlphaF(OUTSIDE)
        for part in (
            QRectF(place.topLeft(), taken.bottomLeft()),
            QRectF(taken.topRight(), place.bottomRight()),
            QRectF(place.topLeft(), taken.topRight()),
            QRectF(taken.bottomLeft(), place.bottomRight()),
        ):
            if part.width() > 0.5 and part.height() > 0.5:
                painter.fillRect(part, cover)
        painter.setPen(QPen(colour("x_0"), 1))
        painter.drawRect(taken.adjusted(0.5, 0.5, -0.5, -0.5))

    def _whole(self, side: float) -> float:
        """The largest side, not above this one, at which a pixel made is a whole number of those on the screen."""
        ratio, pixels = self.devicePixelRatioF(), self._images[0][1].width() if self._images else 1
        zoom = int(side * ratio / pixels)
        return zoom * pixels / ratio if zoom * pixels / ratio >= 0.75 * side else side


def _fitted(image: QImage, box: QRectF) -> QRectF:
    """The largest place in the image's proportions, at the box's left and in its middle."""
    size = QSizeF(image.size()).scaled(box.size(), Qt.AspectRatioMode.KeepAspectRatio)
    return QRectF(QPointF(box.right() - size.width(), box.top() + (box.height() - size.height()) / 2), size)


def _draw(painter: QPainter, place: QRectF, image: QImage) -> None:
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, place.width() < image.width())
    painter.drawImage(place, image)


def _paint_chequers(painter: QPainter, place: QRectF) -> None:
    """Where a picture is transparent, they show."""
    tile = QImage(2 * GRID, 2 * GRID, QImage.Format.Format_RGB32)
    tile.fill(QColor("#FFFFFF"))
    over = QPainter(tile)
    for corner in (0, GRID):
        over.fillRect(corner, corner, GRID, GRID, QColor("#CDD2DA"))
    over.end()
    painter.fillRect(place, QBrush(tile))
