"""Where the parts of a plot of measurements lie: axes, room for their numbers, legend, points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QRectF, QSizeF
from PySide6.QtGui import QFontMetricsF

from app.theme import GRID, font
from app.widgets.axes import Axis, axis_of
from app.widgets.measured_curve import MeasuredCurve, Values

RIGHT, GAP = 16, 6
LINE = 18
"""Height of a line of text."""
SAMPLE = 26
"""Length of the piece of a curve in the legend."""
TICK_HEIGHT, TICK_WIDTH = 44, 80
"""Pixels that a tick has for itself, at least."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What the axes are: names with units, and whether they are logarithmic.

    ``x_zero`` and ``y_zero`` draw 0 too; ``x_span`` is drawn whole, whatever is known of it; ``levels`` are horizontal
    lines, each with its name, such as what real pictures reach.
    """

    x_name: str = "x"
    y_name: str = "y"
    log_x: bool = False
    log_y: bool = False
    x_zero: bool = False
    y_zero: bool = True
    x_span: tuple[float, ...] = ()
    levels: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """A curve in the legend: its number, left edge and line."""

    curve: int
    x: float
    line: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything lies in a drawing of one size."""

    rect: QRectF
    x: Axis
    y: Axis
    legend: tuple[Entry, ...]

    def place(self, x: Values, y: Values) -> tuple[Values, Values]:
        """Pixels of values; NaN where an axis has no place for them."""
        across = self.rect.left() + self.x.share(x) * self.rect.width()
        down = self.rect.bottom() - self.y.share(y) * self.rect.height()
        return across, down

    def x_ticks(self) -> tuple[float, ...]:
        return self.x.ticks(max(2, int(self.rect.width() / TICK_WIDTH)))

    def y_ticks(self) -> tuple[float, ...]:
        return self.y.ticks(max(2, int(self.rect.height() / TICK_HEIGHT)))


def lay_out(curves: Sequence[MeasuredCurve], frame: Frame, size: QSizeF) -> Layout:
    """The layout of these curves in a drawing of ``size``."""
    known = [curve.x[np.isfinite(curve.y)] for curve in curves]
    x_axis = axis_of([*known, np.array(frame.x_span)], is_log=frame.log_x, from_zero=frame.x_zero)
    bars = [bar for curve in curves for bar in _bars(curve, is_log=frame.log_y)]
    levels = np.array([value for _name, value in frame.levels])
    y_axis = axis_of([*(curve.y for curve in curves), *bars, levels], is_log=frame.log_y, from_zero=frame.y_zero)
    metrics = QFontMetricsF(font("caption", numbers=True))
    ticks = y_axis.ticks(max(2, int((size.height() - 4 * LINE) / TICK_HEIGHT)))
    left = max((metrics.horizontalAdvance(y_axis.text(tick)) for tick in ticks), default=20.0) + 2 * GAP
    width = max(1.0, size.width() - left - RIGHT)
    legend = tuple(_legend(curves, metrics, width))
    top = LINE * (1 + max((entry.line + 1 for entry in legend), default=0)) + 4
    return Layout(QRectF(left, top, width, max(1.0, size.height() - top - 2 * LINE)), x_axis, y_axis, legend)


def _bars(curve: MeasuredCurve, *, is_log: bool) -> tuple[Values, Values]:
    """The ends of the error bars, as far as the axis should reach for them."""
    low, high = curve.y - curve.errors, curve.y + curve.errors
    return (np.where(low > 0.2 * curve.y, low, np.nan) if is_log else low), high


def _legend(curves: Sequence[MeasuredCurve], metrics: QFontMetricsF, width: float) -> list[Entry]:
    entries, x, line = [], 0.0, 0
    for number, curve in enumerate(curves):
        wide = SAMPLE + 4 + metrics.horizontalAdvance(curve.name) + 2 * GRID
        if x > 0 and x + wide > width:
            x, line = 0.0, line + 1
        entries.append(Entry(number, x, line))
        x += wide
    return entries
