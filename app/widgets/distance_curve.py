"""How far two runs are apart along their way, right under the slider that moves both."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.theme import GRID, colour, font, palette
from app.widgets.drawn_plot import DrawnPlot, Table
from app.widgets.rail import Rail

MARGIN = 6
LEFT, RIGHT, FOOTER = 96, 12, 18
"""Of a file, where no slider stands above."""


class DistanceCurve(DrawnPlot):
    """The mean squared error at every position, from 0 at the bottom to the largest at the top. Positions lie where
    they lie on ``rail``. Attributes: ``values`` by position, ``current``."""

    def __init__(self, rail: Rail, parent: QWidget | None = None) -> None:
        super().__init__("Mean squared error along the way", parent)
        self.on_panel = True
        self._rail = rail
        self.values: dict[int, float] = {}
        self.current = 0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.explain(
            "How far the two states x_t are apart at each position of the slider: their mean squared error, a value,\n"
            "in units in which the data's range is [0, 1]."
        )

    def set_values(self, values: Mapping[int, float]) -> None:
        """What is known, by position."""
        self.values = dict(values)
        self._describe()
        self.update()

    def set_current(self, position: int) -> None:
        if position != self.current:
            self.current = position
            self._describe()
            self.update()

    def largest(self) -> float:
        return max(self.values.values(), default=0.0)

    def place(self, position: int, value: float) -> QPointF:
        """Where a value is drawn."""
        height = self.extent.height() - (FOOTER if self.in_file else 0)
        share = value / self.largest() if self.largest() > 0 else 0.0
        return QPointF(self._across(position), height - MARGIN - share * (height - 2 * MARGIN))

    def _across(self, position: int) -> float:
        if self.in_file:
            return LEFT + position / max(1, self._rail.maximum()) * (self.extent.width() - LEFT - RIGHT)
        return self.mapFromGlobal(self._rail.mapToGlobal(QPointF(self._rail.place_of(position), 0))).x()

    def sizeHint(self) -> QSize:
        return QSize(296, 9 * GRID)

    def minimumSizeHint(self) -> QSize:
        return QSize(160, 9 * GRID)

    def table(self) -> Table:
        rows: Iterator[Sequence[str | float]] = (row for row in sorted(self.values.items()))
        return [("position", "mean squared error"), *rows]

    def draw(self, painter: QPainter) -> None:
        quiet, ink = QColor(palette().quiet), colour("x_t")
        painter.setFont(font("caption", numbers=True))
        painter.setPen(quiet)
        height = self.extent.height() - (FOOTER if self.in_file else 0)
        first, last = self.place(0, 0), self.place(self._rail.maximum(), 0)
        ends = QRectF(0, 0, first.x() - 8, height)
        painter.drawText(ends, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop, said(self.largest()))
        painter.drawText(ends, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignBottom, "0")
        if self.in_file:
            below = QRectF(first.x(), height + 2, last.x() - first.x(), FOOTER)
            painter.drawText(below, Qt.AlignmentFlag.AlignLeft, "position 1")
            painter.drawText(below, Qt.AlignmentFlag.AlignRight, f"position {self._rail.maximum() + 1}")
        painter.setPen(QPen(QColor(palette().line), 1))
        painter.drawLine(first, last)
        painter.setPen(QPen(ink, 2))
        painter.drawPolyline(QPolygonF([self.place(at, self.values[at]) for at in self._drawn()]))

    def _drawn(self) -> list[int]:
        """Positions that are known, as many as can be told apart, the last always."""
        known = sorted(self.values)
        stride = -(-2 * len(known) // max(1, int(self.extent.width())))
        return known if stride < 2 else [*known[:-1:stride], known[-1]]

    def draw_moment(self, painter: QPainter) -> None:
        painter.setFont(font("caption", numbers=True))
        painter.setPen(colour("x_t"))
        words = QRectF(0, self.height() / 2 - 14, 14 * GRID, 28)
        value = self.values.get(self.current, math.nan)
        painter.drawText(words, Qt.AlignmentFlag.AlignLeft, f"squared error\n{said(value)}")
        if self.current in self.values:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colour("t"))
            painter.drawEllipse(self.place(self.current, value), 3.5, 3.5)

    def _describe(self) -> None:
        self.setAccessibleDescription(f"at the slider {said(self.values.get(self.current, math.nan))}")


def said(value: float) -> str:
    """A mean squared error, always equally exact; "–" where it is not known."""
    return "–" if math.isnan(value) else "0" if value == 0 else f"{value:.4f}" if value >= 1e-3 else f"{value:.1e}"
