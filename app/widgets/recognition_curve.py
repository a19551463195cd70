"""What a classifier makes of a run: log p(y | x_t) of every sample along the run, right under its slider."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.theme import GRID, colour, font, palette
from app.widgets.caption import paint_symbol
from app.widgets.drawn_plot import DrawnPlot, Table
from app.widgets.rail import Rail

SYMBOL = r"\log p(y|x_t)"
MARGIN = 4
LEFT, RIGHT, FOOTER = 96, 12, 18
"""Of a file, where no slider stands above."""
FAINT = 90
"""Opacity (0..255) of the samples that are not looked at."""


class RecognitionCurve(DrawnPlot):
    """A thin line for each sample and a thick one for the sample looked at, or for the mean; the cursor's value is
    printed on the left. Positions lie where they lie on ``rail``, whichever way the run goes.

    Attributes: ``values`` by step, ``cell`` (the sample looked at, None: all), ``current``.
    """

    def __init__(self, rail: Rail, parent: QWidget | None = None) -> None:
        super().__init__("log p of the class, by the guiding classifier", parent)
        self.on_panel = True
        self._rail = rail
        self.values: dict[int, tuple[float, ...]] = {}
        self._lowest = -1.0
        self.cell: int | None = None
        self.current = 0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.explain(
            "log p(y | x_t): how sure the guiding classifier is that x_t shows the class asked for, along the run;\n"
            "0 is certain. Thin lines: the samples; the thick one: the sample enlarged, else the mean of all."
        )

    def set_values(self, values: Mapping[int, tuple[float, ...]]) -> None:
        """What is known of which states: log p of every sample, by step."""
        self.values = dict(values)
        self._lowest = min((min(known) for known in self.values.values() if known), default=-1.0) or -1e-6
        self._describe()
        self.update()

    def set_current(self, step: int) -> None:
        if step != self.current:
            self.current = step
            self._describe()
            self.update()

    def set_cell(self, cell: int | None) -> None:
        if cell != self.cell:
            self.cell = cell
            self._describe()
            self.update()

    def value(self, step: int) -> float:
        """That of the sample looked at, or the mean; NaN where nothing is known."""
        values = self.values.get(step)
        if not values:
            return math.nan
        return sum(values) / len(values) if self.cell is None else values[self.cell]

    def place(self, step: int, value: float) -> QPointF:
        """Where a value of a state is drawn: log p = 0 at the top."""
        height = self.extent.height() - (FOOTER if self.in_file else 0)
        return QPointF(self._across(step), MARGIN + min(1.0, value / self._lowest) * (height - 2 * MARGIN))

    def _across(self, step: int) -> float:
        if self.in_file:
            return LEFT + step / max(1, self._rail.maximum()) * (self.extent.width() - LEFT - RIGHT)
        return self.mapFromGlobal(self._rail.mapToGlobal(QPointF(self._rail.place_of(step), 0))).x()

    def text(self) -> str:
        """The value at the cursor, always equally wide."""
        value = self.value(self.current)
        return "" if math.isnan(value) else f"{value:8.3f}".replace("-", "\u2212")

    def sizeHint(self) -> QSize:
        return QSize(296, 5 * GRID)

    def minimumSizeHint(self) -> QSize:
        return QSize(160, 5 * GRID)

    def table(self) -> Table:
        count = max(map(len, self.values.values()), default=0)
        names = (f"log p(y|x_t) of sample {sample + 1}, in nats" for sample in range(count))
        rows: Iterator[Sequence[str | float]] = (
            (step, *values, *("",) * (count - len(values)), sum(values) / len(values))
            for step, values in sorted(self.values.items())
            if values
        )
        return [("step", *names, "mean"), *rows]

    @property
    def file_name(self) -> str:
        return "log p of the class"

    def draw(self, painter: QPainter) -> None:
        ink, quiet = colour("gradient"), QColor(palette().quiet)
        paint_symbol(painter, SYMBOL, QPointF(0, 14), 13, ink)
        painter.setFont(font("caption", numbers=True))
        first, last = self.place(0, 0), self.place(self._rail.maximum(), 0)
        painter.setPen(quiet)
        height = self.extent.height() - (FOOTER if self.in_file else 0)
        ends = QRectF(0, 0, first.x() - 6, height)
        painter.drawText(ends, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop, "0")
        lowest = f"{self._lowest:.3g}".replace("-", "\u2212")
        painter.drawText(ends, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignBottom, lowest)
        if self.in_file:
            below = QRectF(first.x(), height + 2, last.x() - first.x(), FOOTER)
            painter.drawText(below, Qt.AlignmentFlag.AlignLeft, "step 0")
            painter.drawText(below, Qt.AlignmentFlag.AlignRight, f"step {self._rail.maximum()}")
        painter.setPen(QPen(QColor(palette().line), 1))
        painter.drawLine(first, last)
        steps = self._drawn_steps()
        across = [self._across(step) for step in steps]
        room = (height - 2 * MARGIN) / self._lowest

        def line(values: Iterable[float]) -> QPolygonF:
            return QPolygonF([QPointF(x, MARGIN + value * room) for x, value in zip(across, values, strict=True)])

        faint = QColor(ink)
        faint.setAlpha(FAINT)
        painter.setPen(QPen(faint, 1))
        for of_sample in zip(*(self.values[step] for step in steps), strict=False):
            painter.drawPolyline(line(of_sample))
        painter.setPen(QPen(ink, 2))
        painter.drawPolyline(line([self.value(step) for step in steps]))

    def _drawn_steps(self) -> list[int]:
        """Those that are known, as many as can be told apart, the last always."""
        steps = sorted(self.values)
        stride = -(-2 * len(steps) // max(1, int(self.extent.width())))
        return steps if stride < 2 else [*steps[:-1:stride], steps[-1]]

    def draw_moment(self, painter: QPainter) -> None:
        painter.setFont(font("caption", numbers=True))
        painter.setPen(colour("gradient"))
        painter.drawText(QRectF(0, self.height() - 16, 9 * GRID, 14), Qt.AlignmentFlag.AlignLeft, self.text())
        if self.current in self.values:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colour("t"))
            painter.drawEllipse(self.place(self.current, self.value(self.current)), 3.5, 3.5)

    def _describe(self) -> None:
        self.setAccessibleDescription(f"at the cursor {self.text().strip()}" if self.text() else "not known yet")
