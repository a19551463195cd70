"""What each refinement of an inversion still misses, step by step, on a logarithmic axis."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.theme import GRID, colour, font, palette
from app.widgets.axes import decade_text, decades
from app.widgets.drawn_plot import DrawnPlot, Table

HEADER = 34
FOOTER = 16
"""Of a file: there the transport does not say what lies across."""
LEFT = 34
SMALLEST = 1e-12


class MissPlot(DrawnPlot):
    """A line for each refinement over the steps of the walk up: the plain step's miss quiet, later ones in x_0's
    colour, the last the strongest. The numbers of the step looked at stand above.

    Attributes: ``misses`` (step to one number a refinement), ``current`` (step).
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("What refinement misses", parent)
        self.on_panel = True
        self.misses: Mapping[int, Sequence[float]] = {}
        self.current = 0
        self._steps = 1
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(self.sizeHint().height())
        self.explain(
            "How far the step down from x_t leads past x_s (root mean square), before each refinement:\n"
            "a fixed-point iteration (Pan et al. 2023, section 3) that has arrived where this is 0."
        )

    def set_misses(self, misses: Mapping[int, Sequence[float]], steps: int) -> None:
        """Step (0..steps-1) to what each refinement found; steps that are not there yet leave a gap."""
        self.misses, self._steps = misses, max(1, steps)
        self.setVisible(bool(misses))
        self.set_current(self.current)
        self.update()

    def set_current(self, step: int) -> None:
        """The step whose numbers are printed."""
        self.current = min(max(0, step), self._steps - 1)
        self.setAccessibleDescription(self.summary())
        self.update()

    def summary(self) -> str:
        """The step's misses, one after the other: "0.031 → 0.0042"."""
        here = self.misses.get(self.current, ())
        return " → ".join(f"{miss:.1e}".replace("-", "\u2212") for miss in here)

    def sizeHint(self) -> QSize:
        return QSize(296, HEADER + 8 * GRID)

    def minimumSizeHint(self) -> QSize:
        return QSize(160, HEADER + 8 * GRID)

    def place(self, step: int, miss: float) -> QPointF:
        """Where a miss is drawn."""
        low, high = self._decades()
        width, height = self.extent.toTuple()
        footer = FOOTER if self.in_file else 0
        rect = QRectF(LEFT, HEADER + 4, width - LEFT - 4, height - HEADER - 8 - footer)
        share = (math.log10(max(miss, SMALLEST)) - low) / (high - low)
        return QPointF(
            rect.left() + step / max(1, self._steps - 1) * rect.width(), rect.bottom() - share * rect.height()
        )

    def table(self) -> Table:
        count = max(map(len, self.misses.values()), default=0)
        names = (f"miss after refinement {k} (rms)" if k else "miss of the plain step (rms)" for k in range(count))
        rows: Iterator[Sequence[str | float]] = (
            (step, *found, *("",) * (count - len(found))) for step, found in sorted(self.misses.items())
        )
        return [("step", *names), *rows]

    def draw(self, painter: QPainter) -> None:
        painter.setFont(font("caption", numbers=True))
        painter.setPen(QColor(palette().quiet))
        painter.drawText(QPointF(0, 12), "what each iteration misses, step by step (rms)")
        if not self.misses:
            return
        low, high = self._decades()
        for decade in range(low, high + 1):
            y = self.place(0, 10.0**decade).y()
            painter.setPen(QPen(QColor(palette().line), 1))
            painter.drawLine(QPointF(LEFT, y), QPointF(self.extent.width(), y))
            if decade in (low, high):
                painter.setPen(QColor(palette().quiet))
                painter.drawText(QPointF(0, y + 4), decade_text(decade))
        count = max(map(len, self.misses.values()))
        if self.in_file:
            self._paint_words(painter, count)
        for refinement in range(count):
            line = [self.place(s, m[refinement]) for s, m in sorted(self.misses.items()) if len(m) > refinement]
            painter.setPen(QPen(_ink(refinement, count), 1.5))
            painter.drawPolyline(QPolygonF(line))

    def _paint_words(self, painter: QPainter, count: int) -> None:
        """What a file says beside the curves: whose they are, and what lies across."""
        left = 0.0
        for refinement in range(count):
            painter.setPen(_ink(refinement, count))
            text = f"after {refinement}" if refinement else "plain step"
            painter.drawText(QPointF(left, 28), text)
            left += painter.fontMetrics().horizontalAdvance(text) + 2 * GRID
        painter.setPen(QColor(palette().quiet))
        below = QRectF(LEFT, self.extent.height() - FOOTER, self.extent.width() - LEFT, FOOTER)
        painter.drawText(below, Qt.AlignmentFlag.AlignLeft, "step 0")
        painter.drawText(below, Qt.AlignmentFlag.AlignRight, f"step {self._steps - 1}")

    def draw_moment(self, painter: QPainter) -> None:
        painter.setFont(font("caption", numbers=True))
        painter.setPen(QColor(palette().text))
        painter.drawText(QPointF(0, 28), self.summary())
        if not self.misses:
            return
        x = self.place(self.current, 1.0).x()
        painter.setPen(QPen(colour("t"), 1, Qt.PenStyle.SolidLine))
        painter.drawLine(QPointF(x, HEADER), QPointF(x, self.height()))

    def _decades(self) -> tuple[int, int]:
        found = [miss for misses in self.misses.values() for miss in misses]
        return decades(found or (1e-3, 1e-1), SMALLEST)


def _ink(refinement: int, count: int) -> QColor:
    if refinement == 0:
        return QColor(palette().quiet)
    made = colour("x_0")
    made.setAlphaF(0.4 + 0.6 * refinement / max(1, count - 1))
    return made
