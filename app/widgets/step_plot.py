"""Any curves over the steps of a training: axes, marks and a reading where the pointer is."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QEvent, QLineF, QPointF, QRectF, QSize, QSizeF, Qt, Signal
from PySide6.QtGui import QColor, QFocusEvent, QFontMetrics, QKeyEvent, QMouseEvent, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.theme import GRID, colour, font, palette
from app.widgets.drawn_plot import DrawnPlot, Table
from app.widgets.step_lines import StepLine, joined
from app.widgets.step_painting import legend_width, paint_legend, paint_line, paint_words, value_text
from app.widgets.step_scale import AXIS, StepMark, StepScale, laid_out, paint_axes, paint_levels, paint_moments

HEADER = 20
LEGEND = 16
FOOTER = 16
MARGIN = 8
NEAR = 4.0
"""Pixels from a mark within which it is pointed at."""
FEW = 3
"""Lines whose values are all read at once."""

Layout = list[tuple[StepLine, list[QLineF], QPolygonF]]


class StepPlot(DrawnPlot):
    """Curves over the steps 1, 2, … of a training, with a tick below the axis wherever samples were drawn and a mark
    wherever it was rolled back, or its network came to be computed another way.

    The cursor is the step whose samples are looked at; a click or a drag asks for another. The arrows, Home and End
    move a reading of their own, a pixel at a time (Shift: ten), and from line to line; Enter asks for its step.
    Attributes: ``lines``;
    ``levels``, dashed values by their names; ``looked_at`` (a step or None). Signals: ``step_asked(int)``.
    """

    step_asked = Signal(int)

    def __init__(self, title: str, *, is_log: bool = True, parent: QWidget | None = None) -> None:
        super().__init__(title, parent)
        self.lines: tuple[StepLine, ...] = ()
        self.levels: tuple[tuple[str, float], ...] = ()
        self.looked_at: int | None = None
        self.pointed_at: QPointF | None = None
        self._read: tuple[int, int] | None = None
        """The step and the line, from the uppermost at its end, that the keyboard reads."""
        self.is_log = is_log
        self._summary = ""
        self._moments: tuple[int, ...] = ()
        self._marks: tuple[StepMark, ...] = ()
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

    def set_marks(self, marks: Sequence[StepMark]) -> None:
        """What befell the training on its way."""
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

    def scale(self) -> StepScale:
        """Where values lie in the drawing in hand."""
        return StepScale(self.plot_rect(), max(2, self._last_step), *self._range, self.is_log)

    def place(self, step: float, value: float) -> QPointF:
        """Where the value of a step is drawn."""
        return self.scale().place(step, value)

    def step_at(self, x: float) -> int:
        """The step that is drawn at ``x``."""
        return self.scale().step_at(x)

    def reading(self, at: QPointF) -> str:
        """What is drawn at a place, in words; "" where nothing is."""
        scale = self.scale()
        if self.is_empty or not scale.rect.adjusted(-NEAR, 0, NEAR, 0).contains(at):
            return ""
        marks = sorted(self._marks, key=lambda mark: not mark.is_alarm)
        marked = [mark.words for mark in marks if abs(scale.x(mark.step) - at.x()) <= NEAR]
        if marked and self._read is None and at.y() <= scale.rect.top() + 2 * NEAR + GRID:
            return marked[0]
        asked = scale.step_at(at.x())
        found = [(line, near) for line in self.lines if (near := line.near(asked)) is not None]
        if len(found) > FEW:
            found = [min(found, key=lambda one: abs(scale.place(*one[1]).y() - at.y()))]
        said = [
            f"{line.name} {value_text(value)}" + (f" at {step:,}" if abs(step - asked) > scale.last / 100 else "")
            for line, (step, value) in found
        ]
        return " · ".join([f"step {asked:,}", *said, *(marked if self._read is not None else ())])

    def sizeHint(self) -> QSize:
        return QSize(480, 12 * GRID)

    def minimumSizeHint(self) -> QSize:
        return QSize(200, 12 * GRID)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and not self.is_empty:
            self.step_asked.emit(self.step_at(event.position().x()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self.pointed_at, self._read = event.position(), None
        self.update()
        if event.buttons() & Qt.MouseButton.LeftButton and not self.is_empty:
            self.step_asked.emit(self.step_at(event.position().x()))

    def leaveEvent(self, event: QEvent) -> None:
        if self._read is None:
            self.pointed_at = None
            self.update()
        super().leaveEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        if self._read is not None and event.reason() != Qt.FocusReason.PopupFocusReason:
            self._read = self.pointed_at = None
        super().focusOutEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Qt.Key(event.key())
        by = 10 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
        moves = {Qt.Key.Key_Left: -by, Qt.Key.Key_Right: by, Qt.Key.Key_Home: -math.inf, Qt.Key.Key_End: math.inf}
        turns = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}
        others = event.modifiers() & ~(Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.KeypadModifier)
        if self.is_empty or others:
            super().keyPressEvent(event)
        elif key in moves or key in turns:
            self._read_on(moves.get(key, 0), turns.get(key, 0))
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._read is not None:
            self.step_asked.emit(self._read[0])
        else:
            super().keyPressEvent(event)

    def _read_on(self, across: float, down: int) -> None:
        """Read so many pixels further, of another line; first where the pointer or the cursor is, else at the end."""
        scale = self.scale()
        if self._read is None:
            begin = self.looked_at or scale.last if self.pointed_at is None else scale.step_at(self.pointed_at.x())
            step, line = min(max(1, begin), scale.last), 0
        else:
            step, line = self._read
        stride = max(1, round((scale.last - 1) / scale.rect.width()))
        step = int(min(max(1, step + across * stride), scale.last))
        found = sorted(scale.place(*near).y() for one in self.lines if (near := one.near(step)) is not None)
        line = min(max(0, line + down), max(0, len(found) - 1))
        self._read = step, line
        self.pointed_at = QPointF(scale.x(step), found[line] if found else scale.rect.center().y())
        self.setAccessibleDescription(self.reading(self.pointed_at))
        self.update()

    def table(self) -> Table:
        drawn, kinds = set(self._moments), list(dict.fromkeys(mark.kind for mark in self._marks))
        said = [{mark.step: mark.words for mark in self._marks if mark.kind == kind} for kind in kinds]
        names = ["step", *(line.name for line in self.lines), "samples", *kinds]
        rows = (
            (*row, "drawn" if row[0] in drawn else "", *(marks.get(int(row[0]), "") for marks in said))
            for row in joined(self.lines)
        )
        return [names, *rows]

    @property
    def is_empty(self) -> bool:
        return not self._last_step

    def draw(self, painter: QPainter) -> None:
        surfaces, scale = palette(), self.scale()
        rect = scale.rect
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
            self._layout, self._laid_out = [(line, *laid_out(line, scale)) for line in self.lines], self.extent
        paint_axes(painter, scale, self.extent.height())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for line, spans, curve in self._layout:
            paint_line(painter, line, spans, curve)
        paint_levels(painter, scale, self.levels)
        paint_moments(painter, scale, self._moments, self._marks)
        self._paint_legend(painter)
        painter.setFont(font("caption", numbers=True, bold=True))
        painter.setPen(QColor(surfaces.text))
        header = QRectF(0, 0, rect.right(), HEADER - 2)
        painter.drawText(header, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, self.summary())

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
        scale = self.scale()
        if self.looked_at is not None:
            x, rect = scale.x(self.looked_at), scale.rect
            painter.setPen(QPen(colour("t"), 1.5))
            painter.drawLine(QPointF(x, rect.top()), QPointF(x, rect.bottom() + 3))
        if self._read is not None and self.pointed_at is not None:
            painter.setPen(QPen(QColor(palette().text), 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(self.pointed_at, 4, 4)
        words = "" if self.pointed_at is None else self.reading(self.pointed_at)
        if words and self.pointed_at is not None:
            paint_words(painter, words, self.pointed_at, self.extent)
