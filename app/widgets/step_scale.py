"""Where the values of a training's steps lie on a plot, and how its axes are painted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF

from app.theme import colour, palette
from app.widgets.axes import linear_ticks
from app.widgets.step_lines import Numbers, StepLine, envelope, extremes, thinned
from app.widgets.step_painting import loss_ticks, short, step_ticks

AXIS = 48
"""Width of the numbers beside the axis."""
APART = 12
"""The least height between two numbers beside the axis."""
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


@dataclass(frozen=True, slots=True)
class StepMark:
    """Something that befell a training after ``step``: of which kind it is (a column of the table), said in ``words``;
    an alarm is red."""

    step: int
    kind: str
    words: str
    is_alarm: bool = True


@dataclass(frozen=True, slots=True)
class StepScale:
    """Steps 1..``last`` across ``rect``, values from ``low`` to ``high`` up it; what lies beyond is at its edge."""

    rect: QRectF
    last: int
    low: float
    high: float
    is_log: bool

    def x(self, step: float) -> float:
        return self.rect.left() + (min(max(step, 1), self.last) - 1) / (self.last - 1) * self.rect.width()

    def xs(self, steps: Numbers) -> Numbers:
        return np.interp(steps, (1, self.last), (self.rect.left(), self.rect.right()))

    def ys(self, values: Numbers) -> Numbers:
        clipped = np.clip(values, self.low, self.high)
        if self.is_log:
            share = np.log(clipped / self.low) / math.log(self.high / self.low)
        else:
            share = (clipped - self.low) / (self.high - self.low)
        heights: Numbers = self.rect.bottom() - share * self.rect.height()
        return heights

    def place(self, step: float, value: float) -> QPointF:
        """Where the value of a step is drawn."""
        return QPointF(self.x(step), float(self.ys(np.array([value]))[0]))

    def columns(self, steps: Numbers) -> NDArray[np.intp]:
        """The places among rising ``steps`` where another column of pixels begins."""
        edges = np.arange(math.floor(self.rect.left() + 0.5), math.floor(self.rect.right() + 0.5) + 1) - 0.5
        starts = 1 + (edges - self.rect.left()) / self.rect.width() * (self.last - 1)
        firsts = np.unique(np.searchsorted(steps, starts))
        return firsts[firsts < len(steps)]

    def step_at(self, x: float) -> int:
        """The step that is drawn at ``x``."""
        share = min(1.0, max(0.0, (x - self.rect.left()) / self.rect.width()))
        return 1 + round(share * (self.last - 1))


def laid_out(line: StepLine, scale: StepScale) -> tuple[list[QLineF], QPolygonF]:
    """What is painted of a line: spans, where every step counts, or a curve. Of very many values what can be seen:
    those between are not looked at one by one."""
    drawable = np.isfinite(line.values) & (line.values > (0 if scale.is_log else -math.inf))
    values = line.values if drawable.all() else np.where(drawable, line.values, math.nan)
    if line.look == "each":
        firsts = scale.columns(line.steps)
        least, largest = extremes(values, firsts)
        known = np.isfinite(least)
        columns = np.floor(scale.xs(line.steps[firsts[known]]) + 0.5)
        return envelope(columns, scale.ys(largest[known]), scale.ys(least[known])), QPolygonF()
    places = thinned(values, int(scale.rect.width() / (3 if line.look == "thin" else 2)))
    xs, ys = scale.xs(line.steps[places]), scale.ys(values[places])
    return [], QPolygonF([QPointF(x, y) for x, y in zip(xs.tolist(), ys.tolist(), strict=True)])


def paint_axes(painter: QPainter, scale: StepScale, height: float) -> None:
    """Numbers beside and below the plot, whose whole ``height`` is given."""
    surfaces, rect, before = palette(), scale.rect, math.inf
    ticks = loss_ticks(scale.low, scale.high) if scale.is_log else linear_ticks(scale.low, scale.high, 4)
    for value in ticks:
        y = scale.place(1, value).y()
        if before - y < APART or y < rect.top() - 1:  # in a low plot there is no room for all
            continue
        before = y
        painter.setPen(QPen(QColor(surfaces.line), 1, Qt.PenStyle.DotLine))
        painter.drawLine(QPointF(rect.left(), y), QPointF(rect.right(), y))
        painter.setPen(QColor(surfaces.quiet))
        painter.drawText(QRectF(0, y - 8, AXIS - 6, 16), _RIGHT, short(value))
    for step in step_ticks(scale.last):
        text, x = f"{step:,}", scale.x(step)
        width = painter.fontMetrics().horizontalAdvance(text)
        left = min(max(rect.left(), x - width / 2), rect.right() - width)
        painter.drawText(QPointF(left, height - 2), text)


def paint_levels(painter: QPainter, scale: StepScale, levels: Sequence[tuple[str, float]]) -> None:
    """Values with a name, dashed, where they lie on the axis."""
    rect = scale.rect
    for name, value in levels:
        if scale.low < value < scale.high:
            y = scale.place(1, value).y()
            painter.setPen(QPen(QColor(palette().quiet), 1, Qt.PenStyle.DashLine))
            painter.drawLine(QPointF(rect.left(), y), QPointF(rect.right(), y))
            width = painter.fontMetrics().horizontalAdvance(name)
            below = y + 12 if y - 14 < rect.top() else y - 3
            painter.drawText(QPointF(rect.right() - width - 2, below), name)


def paint_moments(painter: QPainter, scale: StepScale, moments: Sequence[int], marks: Sequence[StepMark]) -> None:
    """A tick wherever samples were drawn, a flag wherever something befell the training."""
    rect = scale.rect
    painter.setPen(QPen(colour("x_0"), 1))
    for step in moments:
        x = scale.x(step)
        painter.drawLine(QPointF(x, rect.bottom() - 4), QPointF(x, rect.bottom() + 2))
    for mark in sorted(marks, key=lambda mark: mark.is_alarm):
        x, top = scale.x(mark.step), rect.top()
        tint = QColor(palette().danger if mark.is_alarm else palette().quiet)
        painter.setPen(QPen(tint, 1, Qt.PenStyle.DashLine if mark.is_alarm else Qt.PenStyle.DotLine))
        painter.drawLine(QPointF(x, top), QPointF(x, rect.bottom()))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(tint)
        painter.drawPolygon(QPolygonF([QPointF(x + 4, top), QPointF(x + 4, top + 8), QPointF(x - 3, top + 4)]))
