"""Samples, and beside each the training pictures nearest to it: by pixels, then by features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QHelpEvent, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from app.theme import GRID, colour, font, palette, theme
from app.widgets.rasters import to_image
from core.evaluation.verdict import shown
from core.messages import Nearest, Neighbours, Picture

By = Literal["pixels", "features"]
BY: tuple[By, ...] = ("pixels", "features")

GAP = 2
APART = 24
"""Between samples beside each other, where there is the room."""
HEAD = 18
LINE = 15
"""Height of the line below a picture."""
LEAST, LARGEST = 32, 112
FILLED = 0.8
"""The share of the width from which on it is filled."""
HEADS = {"pixels": "nearest by pixels", "features": "nearest by features"}


class Cell(NamedTuple):
    """A sample, and which of its neighbours by what; ``rank`` -1 is the sample itself."""

    sample: int
    by: By = "pixels"
    rank: int = -1


class NearestTable(QWidget):
    """Rows of pictures, several samples beside each other where there is the room, all as high as they are: to be
    scrolled. Neighbours that are not known yet are dashed. The arrows choose a cell, Enter clicks it.

    Attributes: ``order``, the samples as they are listed; ``result`` or None; ``current``. Signals:
    ``cell_clicked(Cell)``; ``current_changed(Cell)``, another one is framed.
    """

    cell_clicked = Signal(object)
    current_changed = Signal(object)

    def __init__(self, neighbours: int = 3, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.order: tuple[int, ...] = ()
        self.result: Nearest | None = None
        self.current: Cell | None = None
        self.by: tuple[By, ...] = BY
        self._neighbours = neighbours
        self._samples: Picture = np.zeros((0, 1, 1, 1), np.uint8)
        self._class_of: Sequence[str] = ()
        self._images: dict[Cell, QImage] = {}
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.MinimumExpanding)
        self.setAccessibleName("Samples and the training pictures nearest to them")
        theme().theme_changed.connect(self.update)

    def set_samples(self, samples: Picture, classes: Sequence[str] = ()) -> None:
        """Samples uint8 (n, H, W, C), each of a class or none, without neighbours."""
        self._samples, self._class_of = samples, classes
        self.result, self.order, self.current = None, tuple(range(len(samples))), None
        self._changed()

    def set_result(self, result: Nearest | None, order: Sequence[int], by: Sequence[By] = BY) -> None:
        """What is known of their neighbours, in this order of samples."""
        self.result, self.order, self.by = result, tuple(order), tuple(by)
        if result is not None:
            found = self._found("pixels") or self._found("features")
            self._neighbours = self._neighbours if found is None else found.indices.shape[1]
        self._changed()

    def set_current(self, cell: Cell | None) -> None:
        if cell != self.current:
            self.current = cell
            self.setAccessibleDescription("" if cell is None else self.words(cell))
            self.update()
            if cell is not None:
                self.current_changed.emit(cell)

    def words(self, cell: Cell) -> str:
        """What a cell shows: "sample 3, cat", or "21.3 from sample 3, cat: cats/7.png, mirrored, cat"."""
        which = self._class_of[cell.sample] if cell.sample < len(self._class_of) else ""
        sample = ", ".join(filter(None, (f"sample {cell.sample + 1}", which)))
        found = self._found(cell.by)
        if cell.rank < 0 or self.result is None or found is None:
            return sample
        number = int(found.indices[cell.sample, cell.rank])
        mirrored = "mirrored" if found.mirrored[cell.sample, cell.rank] else ""
        name = self.result.names.get(number, f"picture {number}")
        said = ", ".join(filter(None, (name, mirrored, self.result.classes.get(number, ""))))
        return f"{distance_words(found, cell)} from {sample}: {said}"

    def cell_rect(self, cell: Cell) -> QRectF:
        """Where a cell's picture is drawn."""
        row, strip = divmod(self.order.index(cell.sample), self._across())
        side, group = self._side(), 0 if cell.rank < 0 else 1 + self.by.index(cell.by)
        before = 0 if cell.rank < 0 else 1 + self.by.index(cell.by) * self._neighbours + cell.rank
        left = strip * (self._strip_width(side) + APART) + before * (side + GAP) + group * GRID
        return QRectF(left, HEAD + row * self._row_height(), side, side)

    def cell_at(self, point: QPointF) -> Cell | None:
        cells = (cell for sample in self.order for cell in self._cells(sample))
        return next((cell for cell in cells if self.cell_rect(cell).contains(point)), None)

    def sizeHint(self) -> QSize:
        return QSize(420, self._height())

    def minimumSizeHint(self) -> QSize:
        return QSize(self._columns() * (LEAST + GAP) + len(self.by) * GRID, self._height())

    def resizeEvent(self, _event: QResizeEvent) -> None:
        self.setMinimumHeight(self._height())

    def mousePressEvent(self, event: QMouseEvent) -> None:
        cell = self.cell_at(event.position())
        if event.button() == Qt.MouseButton.LeftButton and cell is not None:
            self.cell_clicked.emit(cell)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            cell = self.cell_at(QPointF(event.pos()))
            QToolTip.showText(event.globalPos(), "" if cell is None else self.words(cell), self)
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Qt.Key(event.key())
        if not self.order or event.modifiers():
            super().keyPressEvent(event)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.current is not None:
            self.cell_clicked.emit(self.current)
        elif key in _MOVES:
            self.set_current(self._moved(*_MOVES[key]))
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setFont(font("caption", numbers=True))
        self._paint_heads(painter)
        for place, sample in enumerate(self.order):
            top = HEAD + place // self._across() * self._row_height()
            if top <= event.rect().bottom() and top + self._row_height() >= event.rect().top():
                for cell in self._cells(sample):
                    self._paint_cell(painter, cell)

    def _paint_heads(self, painter: QPainter) -> None:
        painter.setPen(QColor(palette().quiet))
        side, metrics = self._side(), painter.fontMetrics()
        for sample in self.order[: self._across()]:
            heads = [(Cell(sample), "sample", side)]
            heads += [(Cell(sample, by, 0), HEADS[by], self._neighbours * (side + GAP)) for by in self.by]
            for cell, words, room in heads:
                painter.setPen(colour("x_0") if cell.rank < 0 else QColor(palette().quiet))
                text = metrics.elidedText(words, Qt.TextElideMode.ElideRight, int(room))
                painter.drawText(QPointF(self.cell_rect(cell).left(), HEAD - 6), text)

    def _paint_cell(self, painter: QPainter, cell: Cell) -> None:
        rect, image, found = self.cell_rect(cell), self._image(cell), self._found(cell.by)
        if image is None:
            painter.setPen(QPen(QColor(palette().line), 1, Qt.PenStyle.DashLine))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(rect.adjusted(0, 0, -1, -1))
            return
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, rect.width() < image.width())
        painter.drawImage(rect, image)
        text, is_near = str(cell.sample + 1), False
        if cell.rank >= 0 and found is not None:
            text = distance_words(found, cell) + (" ⇄" if found.mirrored[cell.sample, cell.rank] else "")
            is_near = bool(found.distances[cell.sample, cell.rank] < found.limit)
        surfaces = palette()
        painter.setPen(QColor(surfaces.danger if is_near else surfaces.quiet if cell.rank >= 0 else surfaces.text))
        below = QRectF(rect.left(), rect.bottom(), rect.width(), LINE)
        painter.drawText(below, Qt.AlignmentFlag.AlignCenter, text)
        if cell == self.current:
            painter.setPen(QPen(colour("t"), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(rect.adjusted(1, 1, -1, -1))

    def _image(self, cell: Cell) -> QImage | None:
        if cell not in self._images:
            found = self._found(cell.by)
            if cell.rank >= 0 and found is None:
                return None
            picture: NDArray[np.uint8] = self._samples[cell.sample]
            if cell.rank >= 0 and found is not None:
                picture = found.pictures[cell.sample, cell.rank]
            self._images[cell] = to_image(picture)
        return self._images[cell]

    def _found(self, by: By) -> Neighbours | None:
        return None if self.result is None else getattr(self.result, by)

    def _cells(self, sample: int) -> list[Cell]:
        neighbours = range(self._neighbours)
        return [Cell(sample), *(Cell(sample, by, rank) for by in self.by for rank in neighbours)]

    def _moved(self, down: int, across: int) -> Cell:
        if self.current is None or self.current.sample not in self.order:
            return Cell(self.order[0])
        place, cells = self.order.index(self.current.sample), self._cells(self.current.sample)
        below, column = place + down * self._across(), cells.index(self.current) + across
        if not 0 <= column < len(cells):  # on to the sample beside it
            below, column = place + across, 0 if across > 0 else len(cells) - 1
        return self._cells(self.order[below])[column] if 0 <= below < len(self.order) else self.current

    def _columns(self) -> int:
        return 1 + len(self.by) * self._neighbours

    def _side(self) -> float:
        return self._arranged()[1]

    def _across(self) -> int:
        """How many samples stand beside each other."""
        return self._arranged()[0]

    def _arranged(self) -> tuple[int, float]:
        """As few samples beside each other as fill the width with their pictures, and the side of these."""
        most = max(1, min(len(self.order), int((self.width() + APART) / (self._strip_width(LEAST) + APART))))

        def filled(across: int) -> float:
            return across * (self._strip_width(self._largest_side(across)) + APART) - APART

        well = (across for across in range(1, most + 1) if filled(across) >= FILLED * self.width())
        across = next(well, max(range(1, most + 1), key=filled))
        return across, self._largest_side(across)

    def _largest_side(self, across: int) -> float:
        """Of pictures where so many samples stand beside each other: a whole zoom where one fills most of the room."""
        columns, ratio = self._columns(), self.devicePixelRatioF()
        room = (self.width() - (across - 1) * APART) / across
        side = min(max((room - len(self.by) * GRID - columns * GAP) / columns, LEAST), LARGEST)
        pixels = max(1, *self._samples.shape[1:3])
        zoom = side * ratio / pixels
        return int(zoom) * pixels / ratio if zoom >= 2 else side

    def _strip_width(self, side: float) -> float:
        """Of a sample with its neighbours."""
        return self._columns() * (side + GAP) + len(self.by) * GRID

    def _row_height(self) -> float:
        return self._side() + LINE + GAP

    def _height(self) -> int:
        return HEAD + round(-(-max(1, len(self.order)) // self._across()) * self._row_height())

    def _changed(self) -> None:
        self._images.clear()
        self.setMinimumHeight(self._height())
        self.updateGeometry()
        self.update()


def distance_words(found: Neighbours, cell: Cell) -> str:
    """The distance with its unit: degrees are marked, 8-bit values are plain."""
    return shown(float(found.distances[cell.sample, cell.rank])) + ("°" if cell.by == "features" else "")


_MOVES = {
    Qt.Key.Key_Up: (-1, 0),
    Qt.Key.Key_Down: (1, 0),
    Qt.Key.Key_Left: (0, -1),
    Qt.Key.Key_Right: (0, 1),
}
