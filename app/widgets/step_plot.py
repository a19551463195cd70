"""Any curves over the steps of a training: axes, marks and a reading where the pointer is."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QEvent, QLineF, QPointF, QRectF, QSize, QSizeF, Qt, Signal
from PySide6.QtGui import QColor, QFontMetrics, QMouseEvent, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.theme import GRID, colour, font, palette
from app.widgets.axes import linear_ticks
from app.widgets.drawn_plot import DrawnPlot, Table
from app.widgets.step_lines import Numbers, StepLine, envelope, joined, thinned
from app.widgets.step_painting import (
    legend_width,
    loss_ticks,
    paint_legend,
    paint_line,
    paint_words,
    short,
    step_ticks,
    value_text,
)

HEADER = 20
LEGEND = 16
FOOTER = 16
AXIS = 44
"""Width of the numbers beside the axis."""
MARGIN = 8
APART = 12
"""The least height between two numbers beside the axis."""
NEAR = 4.0
"""Pixels from a mark within which it is pointed at."""
FEW = 3
"""Lines whose values are all read at once."""

Layout = list[tuple[StepLine, list[QLineF], QPolygonF]]


class StepPlot(DrawnPlot):
    """Curves over the steps 1, 2, … of a training, with a tick below the axis wherever samples were drawn and a mark
    wherever it was rolled back.

    The cursor is the step whose samples are looked at; a click or a drag asks for another. Attributes: ``lines``;
    ``levels``, dashed values by their names; ``looked_at`` (a step or None). Signals: ``step_asked(int)``.
    """

    step_asked = Signal(int)

    def __init__(self, title: str, *, is_log: bool = True, parent: QWidget | None = None) -> None:
        super().__init__(title, parent)
        self.lines: tuple[StepLine, ...] = ()
        self.levels: tuple[tuple[str, float], ...] = ()
        self.looked_at: int | None = None
        self.pointed_at: QPointF | None = None
        self.is_log = is_log
        self._summary = ""
        self._moments: tuple[int, ...] = ()
        self._marks: tuple[tuple[int, str], ...] = ()
        self._placeholder = ""
        self._own_range = self._range = (0.1, 1.0)
        self._given_range: tuple[float, float] | None = None
        self._last_step = 0
        self._layout: Layout = []
        self._laid_out: QSizeF | None = None
        """The extent that ``_layout`` is for."""
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(self.sizeHint().height())
        self.setMouseTracking(True)

    def set_lines(self, lines: Sequence[StepLine], summary: str = "", *, is_log: bool | None = None) -> None:
        """What is drawn, the last line above the others; ``summary`` is the figure said beside the heading."""
        self.lines, self._summary = tuple(lines), summary
        self.is_log = self.is_log if is_log is None else is_log
        self._last_step = max((int(line.steps[-1]) for line in lines if len(line.steps)), default=0)
        low, high = self._ends()
        if math.isfinite(low):
            self._own_range = (low / 1.1, max(high, 2 * low) * 1.1) if self.is_log else (0.0, (high or 1.0) * 1.1)
        self._range = self._given_range or self._own_range
        self._laid_out = None
        self.setAccessibleDescription(self.summary())
        self.update()

    def _ends(self) -> tuple[float, float]:
        """The least and the largest value that can be drawn, both infinite where there is none."""
        lows, highs = [math.inf], [-math.inf]
        for line in self.lines:
            if len(line.values):
                least = np.min(line.values, initial=math.inf, where=line.values > (0 if self.is_log else -math.inf))
                lows.append(float(least))
                highs.append(float(np.max(line.values, initial=-math.inf, where=np.isfinite(line.values))))
        return min(lows), max(highs)

    @property
    def own_range(self) -> tuple[float, float]:
        """The least and the largest value, with a margin."""
        return self._own_range

    def set_range(self, given: tuple[float, float] | None) -> None:
        """The ends of the axis, to compare with other curves; None: its own."""
        if given != self._given_range:
            self._given_range = given
            self._range = given or self._own_range
            self._laid_out = None
            self.update()

    def set_moments(self, steps: Sequence[int]) -> None:
        """The steps after which samples were drawn."""
        self._moments = tuple(steps)
        self.update()

    def set_marks(self, marks: Sequence[tuple[int, str]]) -> None:
        """The steps that the training was rolled back to, and why."""
        self._marks = tuple(marks)
        self.update()

    def look_at(self, step: int | None) -> None:
        if step != self.looked_at:
            self.looked_at = step
            self.update()

    def set_placeholder(self, text: str) -> None:
        """What is said while there is no curve."""
        self._placeholder = text
        self.update()

    def heading(self) -> str:
        """What the curves are."""
        return self.title

    def _headings(self) -> Sequence[str]:
        """The heading, and what may stand for it where there is less room."""
        return (self.heading(),)

    def _fitting_heading(self, metrics: QFontMetrics) -> str:
        """As much of it as there is room for, in words that are whole."""
        room = self.extent.width() - MARGIN - metrics.horizontalAdvance(f"  {self.summary()} ")
        fitting = self._headings()
        return next((text for text in fitting if metrics.horizontalAdvance(text) <= room), fitting[-1])

    def summary(self) -> str:
        """The figure that matters most, as it is printed."""
        return self._summary

    def _legend_at(self) -> QPointF | None:
        """Where the legend begins: beside the heading where there is room for all of it, else in a line of its own."""
        told = [line.legend for line in self.lines if line.legend is not None]
        if not told:
            return None
        metrics = QFontMetrics(font("caption", numbers=True))
        left = metrics.horizontalAdvance(self._fitting_heading(metrics)) + 2 * GRID
        wide = sum(legend_width(metrics, name) for name in told)
        room = self.extent.width() - MARGIN - metrics.horizontalAdvance(f"{self.summary()} ") - 2 * GRID
        return QPointF(left, 4) if left + wide <= room else QPointF(0, HEADER)

    def plot_rect(self) -> QRectF:
        width, height = self.extent.toTuple()
        legend = self._legend_at()
        top = HEADER + (LEGEND if legend is not None and legend.y() >= HEADER else 0)
        return QRectF(AXIS, top, max(1, width - AXIS - MARGIN), height - top - FOOTER)

    def place(self, step: float, value: float) -> QPointF:
        """Where the value of a step is drawn."""
        return QPointF(self._x_of(step), float(self._ys(np.array([value]))[0]))

    def step_at(self, x: float) -> int:
        """The step that is drawn at ``x``."""
        rect = self.plot_rect()
        share = min(1.0, max(0.0, (x - rect.left()) / rect.width()))
        return 1 + round(share * (self._last() - 1))

    def reading(self, at: QPointF) -> str:
        """What is drawn at a place, in words; "" where nothing is."""
        if self.is_empty or not self.plot_rect().adjusted(-NEAR, 0, NEAR, 0).contains(at):
            return ""
        for step, why in self._marks:
            if abs(self._x_of(step) - at.x()) <= NEAR and at.y() <= self.plot_rect().top() + 2 * NEAR + GRID:
                return f"rolled back to step {step:,}: {why}"
        asked = self.step_at(at.x())
        found = [(line, near) for line in self.lines if (near := line.near(asked)) is not None]
        if len(found) > FEW:
            found = [min(found, key=lambda one: abs(self.place(*one[1]).y() - at.y()))]
        said = [
            f"{line.name} {value_text(value)}" + (f" at {step:,}" if abs(step - asked) > self._last() / 100 else "")
            for line, (step, value) in found
        ]
        return " · ".join([f"step {asked:,}", *said])

    def sizeHint(self) -> QSize:
        return QSize(480, 12 * GRID)

    def minimumSizeHint(self) -> QSize:
        return QSize(200, 12 * GRID)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and not self.is_empty:
            self.step_asked.emit(self.step_at(event.position().x()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self.pointed_at = event.position()
        self.update()
        if event.buttons() & Qt.MouseButton.LeftButton and not self.is_empty:
            self.step_asked.emit(self.step_at(event.position().x()))

    def leaveEvent(self, event: QEvent) -> None:
        self.pointed_at = None
        self.update()
        super().leaveEvent(event)

    def table(self) -> Table:
        drawn, marks = set(self._moments), dict(self._marks)
        names = ["step", *(line.name for line in self.lines), "samples", *(["rolled back"] if marks else [])]
        rows = (
            (*row, "drawn" if row[0] in drawn else "", *([marks.get(int(row[0]), "")] if marks else []))
            for row in joined(self.lines)
        )
        return [names, *rows]

    @property
    def is_empty(self) -> bool:
        return not self._last_step

    def draw(self, painter: QPainter) -> None:
        surfaces, rect = palette(), self.plot_rect()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)  # the lines of the axes are sharp
        painter.setFont(font("caption", numbers=True))
        painter.setPen(QColor(surfaces.quiet))
        painter.drawText(QPointF(0, 13), self._fitting_heading(painter.fontMetrics()))
        painter.setPen(QPen(QColor(surfaces.line), 1))
        painter.drawLine(rect.bottomLeft(), rect.bottomRight())
        if self.is_empty:
            painter.setPen(QColor(surfaces.quiet))
            painter.drawText(rect, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self._placeholder)
            return
        if self._laid_out != self.extent:
            self._layout, self._laid_out = [self._lay_out(line) for line in self.lines], self.extent
        self._paint_axes(painter, rect)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for line, spans, curve in self._layout:
            paint_line(painter, line, spans, curve)
        self._paint_levels(painter, rect)
        self._paint_moments(painter, rect)
        self._paint_legend(painter)
        painter.setFont(font("caption", numbers=True, bold=True))
        painter.setPen(QColor(surfaces.text))
        header = QRectF(0, 0, rect.right(), HEADER - 2)
        painter.drawText(header, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, self.summary())

    def _paint_axes(self, painter: QPainter, rect: QRectF) -> None:
        surfaces = palette()
        before = math.inf
        for value in loss_ticks(*self._range) if self.is_log else linear_ticks(*self._range, 4):
            y = self.place(1, value).y()
            if before - y < APART or y < rect.top() - 1:  # in a low plot there is no room for all
                continue
            before = y
            painter.setPen(QPen(QColor(surfaces.line), 1, Qt.PenStyle.DotLine))
            painter.drawLine(QPointF(rect.left(), y), QPointF(rect.right(), y))
            painter.setPen(QColor(surfaces.quiet))
            box = QRectF(0, y - 8, AXIS - 6, 16)
            painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, short(value))
        for step in step_ticks(self._last()):
            text, x = f"{step:,}", self._x_of(step)
            width = painter.fontMetrics().horizontalAdvance(text)
            left = min(max(rect.left(), x - width / 2), rect.right() - width)
            painter.drawText(QPointF(left, self.extent.height() - 2), text)

    def _paint_levels(self, painter: QPainter, rect: QRectF) -> None:
        for name, value in self.levels:
            if self._range[0] < value < self._range[1]:
                y = self.place(1, value).y()
                painter.setPen(QPen(QColor(palette().quiet), 1, Qt.PenStyle.DashLine))
                painter.drawLine(QPointF(rect.left(), y), QPointF(rect.right(), y))
                width = painter.fontMetrics().horizontalAdvance(name)
                below = y + 12 if y - 14 < rect.top() else y - 3
                painter.drawText(QPointF(rect.right() - width - 2, below), name)

    def _paint_moments(self, painter: QPainter, rect: QRectF) -> None:
        painter.setPen(QPen(colour("x_0"), 1))
        for step in self._moments:
            x = self._x_of(step)
            painter.drawLine(QPointF(x, rect.bottom() - 4), QPointF(x, rect.bottom() + 2))
        alarm = QColor(palette().danger)
        for step, _why in self._marks:
            x, top = self._x_of(step), rect.top()
            painter.setPen(QPen(alarm, 1, Qt.PenStyle.DashLine))
            painter.drawLine(QPointF(x, top), QPointF(x, rect.bottom()))
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(alarm)
            painter.drawPolygon(QPolygonF([QPointF(x + 4, top), QPointF(x + 4, top + 8), QPointF(x - 3, top + 4)]))

    def _paint_legend(self, painter: QPainter) -> None:
        at = self._legend_at()
        if at is None:
            return
        metrics, x = painter.fontMetrics(), at.x()
        for line in self.lines:
            if line.legend is not None:
                room = self.extent.width() - MARGIN - x
                paint_legend(painter, line, QPointF(x, at.y()), room)
                x += legend_width(metrics, line.legend)

    def draw_moment(self, painter: QPainter) -> None:
        if self.is_empty:
            return
        rect = self.plot_rect()
        if self.looked_at is not None:
            x = self._x_of(self.looked_at)
            painter.setPen(QPen(colour("t"), 1.5))
            painter.drawLine(QPointF(x, rect.top()), QPointF(x, rect.bottom() + 3))
        words = "" if self.pointed_at is None else self.reading(self.pointed_at)
        if words and self.pointed_at is not None:
            paint_words(painter, words, self.pointed_at, self.extent)

    def _lay_out(self, line: StepLine) -> tuple[StepLine, list[QLineF], QPolygonF]:
        steps, values = line.known()
        if self.is_log:
            steps, values = steps[values > 0], values[values > 0]
        rect = self.plot_rect()
        xs, ys = np.interp(steps, (1, self._last()), (rect.left(), rect.right())), self._ys(values)
        if line.look == "each":
            return line, envelope(xs, ys), QPolygonF()
        return line, [], thinned(xs, ys, rect.width())

    def _last(self) -> int:
        return max(2, self._last_step)

    def _x_of(self, step: float) -> float:
        rect = self.plot_rect()
        return rect.left() + (min(max(step, 1), self._last()) - 1) / (self._last() - 1) * rect.width()

    def _ys(self, values: Numbers) -> Numbers:
        """Where values are drawn."""
        rect, (low, high) = self.plot_rect(), self._range
        clipped = np.clip(values, low, high)
        share = np.log(clipped / low) / math.log(high / low) if self.is_log else (clipped - low) / (high - low)
        ys: Numbers = rect.bottom() - share * rect.height()
        return ys
