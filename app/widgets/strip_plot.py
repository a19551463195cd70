"""A few distances as dots over the distribution of many that they are compared with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from app.theme import GRID, colour, font, palette
from app.widgets.drawn_plot import DrawnPlot, Table
from core.evaluation.verdict import shown

TOP = 18
BOTTOM = 16
MARGIN = 6
DOT = 3.0
LANES = 4
"""Dots beside each other are moved apart, so that many of one distance are seen as many."""
BINS = 32
REACH = 8.0
"""Pixels about a dot in which it is meant."""


@dataclass(frozen=True, eq=False)
class Strip:
    """``dots`` (n,) over ``held_out`` (m,) and ``own`` (l,) distances in ``unit``; below ``limit`` a dot is near."""

    dots: NDArray[np.float64]
    held_out: NDArray[np.float64]
    own: NDArray[np.float64]
    limit: float
    unit: str


class StripPlot(DrawnPlot):
    """Samples as dots; filled, how far held-out pictures lie; outlined, how far training pictures lie from each other.
    The dashed line is the limit below which a sample is suspicious.

    Attributes: ``strip`` or None; ``current``, the sample that is framed. Signals: ``dot_clicked(int)``.
    """

    dot_clicked = Signal(int)

    def __init__(self, name: str, meaning: str, parent: QWidget | None = None) -> None:
        super().__init__(f"Nearest training picture {name}", parent)
        self._name = name
        self.strip: Strip | None = None
        self.current: int | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        self.explain(meaning)

    def set_strip(self, strip: Strip | None) -> None:
        self.strip = strip
        self.setAccessibleDescription("" if strip is None else self._summary(strip))
        self.update()

    def set_current(self, sample: int | None) -> None:
        if sample != self.current:
            self.current = sample
            self.update()

    def place(self, sample: int) -> QPointF:
        """Where a sample's dot is."""
        assert self.strip is not None
        rect = self.plot_rect()
        lane = (sample % LANES + 0.5) / LANES
        return QPointF(self._x(self.strip.dots[sample]), rect.bottom() - 4 - lane * (rect.height() - 8) * 0.6)

    def plot_rect(self) -> QRectF:
        width, height = self.extent.toTuple()
        return QRectF(MARGIN, TOP, width - 2 * MARGIN, height - TOP - BOTTOM)

    def sizeHint(self) -> QSize:
        return QSize(220, 9 * GRID)

    def minimumSizeHint(self) -> QSize:
        return QSize(140, 8 * GRID)

    def table(self) -> Table:
        head = ("pictures", f"distance ({self.strip.unit if self.strip else ''})")
        if self.strip is None:
            return [head]
        sets = (("sample", self.strip.dots), ("held out", self.strip.held_out), ("training", self.strip.own))
        return [head, *((name, float(value)) for name, values in sets for value in values)]

    def draw(self, painter: QPainter) -> None:
        painter.setFont(font("caption", numbers=True))
        painter.setPen(QColor(palette().quiet))
        painter.drawText(QPointF(0, 12), self._heading(painter))
        rect = self.plot_rect()
        painter.setPen(QPen(QColor(palette().line), 1))
        painter.drawLine(rect.bottomLeft(), rect.bottomRight())
        if self.strip is None:
            return
        self._paint_density(painter, self.strip.own, filled=False)
        self._paint_density(painter, self.strip.held_out, filled=True)
        if math.isfinite(self.strip.limit):
            painter.setPen(QPen(QColor(palette().danger), 1, Qt.PenStyle.DashLine))
            x = self._x(self.strip.limit)
            painter.drawLine(QPointF(x, rect.top()), QPointF(x, rect.bottom()))
        painter.setPen(Qt.PenStyle.NoPen)
        for sample, distance in enumerate(self.strip.dots):
            painter.setBrush(QColor(palette().danger) if distance < self.strip.limit else colour("x_0"))
            painter.drawEllipse(self.place(sample), DOT, DOT)
        self._paint_axis(painter, rect)

    def draw_moment(self, painter: QPainter) -> None:
        if self.strip is not None and self.current is not None and self.current < len(self.strip.dots):
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(colour("t"), 2))
            painter.drawEllipse(self.place(self.current), DOT + 3, DOT + 3)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        dot = self._dot_at(event.position())
        words = "" if dot is None or self.strip is None else f"sample {dot + 1}: {self._said(self.strip.dots[dot])}"
        QToolTip.showText(event.globalPosition().toPoint(), words, self)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        dot = self._dot_at(event.position())
        if event.button() == Qt.MouseButton.LeftButton and dot is not None:
            self.dot_clicked.emit(dot)

    def _dot_at(self, point: QPointF) -> int | None:
        if self.strip is None or not len(self.strip.dots):
            return None
        away = [(self.place(sample) - point).manhattanLength() for sample in range(len(self.strip.dots))]
        nearest = int(np.argmin(away))
        return nearest if away[nearest] <= REACH else None

    def _heading(self, painter: QPainter) -> str:
        text = self._name if self.strip is None else f"{self._name}, {self.strip.unit}"
        return painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(self.extent.width()))

    def _medians(self, strip: Strip) -> str:
        sets: Sequence[tuple[str, NDArray[np.float64]]] = (("samples", strip.dots), ("held out", strip.held_out))
        if not len(strip.held_out):
            sets = (("samples", strip.dots), ("training", strip.own))
        return "median " + ", ".join(f"{name} {self._said(np.median(values))}" for name, values in sets if len(values))

    def _said(self, distance: float) -> str:
        assert self.strip is not None
        return f"{shown(distance)}°" if self.strip.unit == "degrees" else shown(distance)

    def _summary(self, strip: Strip) -> str:
        return f"{self._name}: {self._medians(strip)}"

    def _paint_axis(self, painter: QPainter, rect: QRectF) -> None:
        assert self.strip is not None
        painter.setPen(QColor(palette().quiet))
        below = QRectF(rect.left(), rect.bottom() + 1, rect.width(), BOTTOM)
        painter.drawText(below, Qt.AlignmentFlag.AlignLeft, "0, the same")
        painter.drawText(below, Qt.AlignmentFlag.AlignRight, shown(self._end()))

    def _paint_density(self, painter: QPainter, values: NDArray[np.float64], *, filled: bool) -> None:
        if not len(values):
            return
        rect, end = self.plot_rect(), self._end()
        counts, edges = np.histogram(values, bins=BINS, range=(0, end))
        height = rect.height() / max(1, counts.max())
        outline = [QPointF(rect.left(), rect.bottom())]
        for count, low, high in zip(counts, edges[:-1], edges[1:], strict=True):
            y = rect.bottom() - count * height
            outline += [QPointF(self._x(low), y), QPointF(self._x(high), y)]
        outline.append(QPointF(rect.right(), rect.bottom()))
        painter.setPen(Qt.PenStyle.NoPen if filled else QPen(QColor(palette().quiet), 1))
        painter.setBrush(QColor(palette().line) if filled else Qt.BrushStyle.NoBrush)
        if filled:
            painter.drawPolygon(QPolygonF(outline))
        else:
            painter.drawPolyline(QPolygonF(outline))

    def _x(self, distance: float) -> float:
        rect = self.plot_rect()
        return rect.left() + min(1.0, float(distance) / self._end()) * rect.width()

    def _end(self) -> float:
        assert self.strip is not None
        largest = [
            float(values.max()) for values in (self.strip.dots, self.strip.held_out, self.strip.own) if len(values)
        ]
        return 1.05 * max((value for value in largest if math.isfinite(value)), default=1.0) or 1.0
