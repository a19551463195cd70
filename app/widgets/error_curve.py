"""Reconstruction error against number of steps, both logarithmic: the paper's curve, and one's own points to click."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QHelpEvent, QKeyEvent, QMouseEvent, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from app.theme import GRID, colour, font, palette
from app.widgets.axes import decade_text, decades
from app.widgets.drawn_plot import DrawnPlot, Table

STEPS = (10, 20, 50, 100, 200, 500, 1000)
LEFT, RIGHT, TOP, BOTTOM = 34, 8, 26, 16
NEAR = 9.0
"""Pixels around a point in which it is hit."""
RADIUS = 4.0
SMALLEST = 1e-12


@dataclass(frozen=True, slots=True)
class ErrorPoint:
    """One inversion: its steps, its mean squared error (above 0), what was special about it ("" if nothing)."""

    key: int
    steps: int
    error: float
    kind: str = ""

    @property
    def words(self) -> str:
        kind = f", {self.kind}" if self.kind else ""
        return f"{self.steps} steps{kind}: mean squared error {self.error:.2g}"


class ErrorCurve(DrawnPlot):
    """Points of a kind are joined by a line; plain ones are filled discs, special ones rings.

    A click on a point goes to its run, as do Enter after choosing it with the arrows.

    Attributes: ``points``, ``current`` (a key or None). Signals: ``point_clicked(int)`` with the key.
    """

    point_clicked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Error against number of steps", parent)
        self.points: tuple[ErrorPoint, ...] = ()
        self.current: int | None = None
        self._reference: Mapping[int, float] = {}
        self._name = ""
        self._chosen: int | None = None
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)

    def set_reference(self, name: str, curve: Mapping[int, float]) -> None:
        """A published curve, steps to error, drawn dashed with its name."""
        self._name, self._reference = name, dict(curve)
        self.update()

    def set_points(self, points: Sequence[ErrorPoint], current: int | None = None) -> None:
        """One's own, of which one may be the run that is looked at."""
        self.points, self.current = tuple(sorted(points, key=lambda point: (point.kind, point.steps))), current
        self.setAccessibleDescription("\n".join(point.words for point in self.points))
        self.update()

    def place(self, steps: float, error: float) -> QPointF:
        """Where a number of steps and an error are drawn."""
        rect, (low, high) = self._plot(), self._decades()
        across = (math.log10(steps) - math.log10(STEPS[0] / 1.4)) / math.log10(STEPS[-1] * 1.4 / (STEPS[0] / 1.4))
        up = (math.log10(error) - low) / (high - low)
        return QPointF(rect.left() + across * rect.width(), rect.bottom() - up * rect.height())

    def point_at(self, at: QPointF) -> ErrorPoint | None:
        """The nearest point that a click there would mean."""

        def distance(point: ErrorPoint) -> float:
            away = self._at(point) - at
            return math.hypot(away.x(), away.y())

        nearest = min(self.points, key=distance, default=None)
        return nearest if nearest is not None and distance(nearest) <= NEAR else None

    def sizeHint(self) -> QSize:
        return QSize(296, 17 * GRID)

    def minimumSizeHint(self) -> QSize:
        return QSize(180, 12 * GRID)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        point = self.point_at(event.position())
        if event.button() == Qt.MouseButton.LeftButton and point is not None:
            self.point_clicked.emit(point.key)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        point = self.point_at(event.position())
        self.setCursor(Qt.CursorShape.ArrowCursor if point is None else Qt.CursorShape.PointingHandCursor)

    def event(self, event: QEvent) -> bool:
        """A point says what it is, the rest of the plot what it shows."""
        point = self.point_at(QPointF(event.pos())) if isinstance(event, QHelpEvent) else None
        if point is not None and isinstance(event, QHelpEvent):
            QToolTip.showText(event.globalPos(), f"{point.words}\nClick to see this inversion.", self)
            return True
        return super().event(event)

    def leaveEvent(self, event: QEvent) -> None:
        self.setCursor(Qt.CursorShape.ArrowCursor)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()))
        if step is not None and self.points:
            last = len(self.points) - 1
            self._chosen = 0 if self._chosen is None else min(max(0, self._chosen + step), last)
            self.update()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._marked() is not None:
            self.point_clicked.emit(self.points[self._chosen or 0].key)
        else:
            super().keyPressEvent(event)

    def table(self) -> Table:
        published = ((self._name, steps, error) for steps, error in sorted(self._reference.items()))
        own = (
            (f"inversion, {point.kind}" if point.kind else "inversion", point.steps, point.error)
            for point in self.points
        )
        return [("series", "steps", "mean squared error"), *published, *own]

    def draw(self, painter: QPainter) -> None:
        painter.setFont(font("caption", numbers=True))
        self._paint_axes(painter)
        quiet = QColor(palette().quiet)
        painter.setPen(QPen(quiet, 1.5, Qt.PenStyle.DashLine))
        painter.drawPolyline(QPolygonF([self.place(*item) for item in sorted(self._reference.items())]))
        self._paint_heading(painter)
        ink = colour("x_0")
        painter.setPen(QPen(ink, 1.5))
        for before, after in pairwise(self.points):
            if before.kind == after.kind and before.steps != after.steps:
                painter.drawLine(self._at(before), self._at(after))
        for point in self.points:
            painter.setPen(QPen(ink, 1.5))
            painter.setBrush(self.surface if point.kind else ink)
            painter.drawEllipse(self._at(point), RADIUS, RADIUS)

    def draw_moment(self, painter: QPainter) -> None:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for point in self.points:
            if point.key == self.current:
                painter.setPen(QPen(colour("t"), 2))
                painter.drawEllipse(self._at(point), RADIUS + 3, RADIUS + 3)
        marked = self._marked()
        if marked is not None:
            painter.setPen(QPen(QColor(palette().text), 1))
            painter.drawRect(QRectF(-7, -7, 14, 14).translated(self._at(marked)))

    def _paint_heading(self, painter: QPainter) -> None:
        """What the axes are on the left, whose the dashed curve is on the right."""
        painter.setPen(QColor(palette().quiet))
        metrics = painter.fontMetrics()
        sample, gap = 18, 4
        right = self.extent.width() - RIGHT - metrics.horizontalAdvance(self._name)
        painter.drawText(QPointF(right, 12), self._name)
        painter.setPen(QPen(QColor(palette().quiet), 1.5, Qt.PenStyle.DashLine))
        painter.drawLine(QPointF(right - gap - sample, 8), QPointF(right - gap, 8))
        painter.setPen(colour("x_0"))
        title = metrics.elidedText("error by steps", Qt.TextElideMode.ElideRight, int(right - gap - sample - GRID))
        painter.drawText(QPointF(0, 12), title)

    def _paint_axes(self, painter: QPainter) -> None:
        rect, (low, high) = self._plot(), self._decades()
        metrics = painter.fontMetrics()
        every = 1 if high - low <= 5 else 2
        for decade in range(low, high + 1):
            y = self.place(STEPS[0], 10.0**decade).y()
            painter.setPen(QPen(QColor(palette().line), 1))
            painter.drawLine(QPointF(rect.left(), y), QPointF(rect.right(), y))
            if (decade - low) % every == 0:
                painter.setPen(QColor(palette().quiet))
                text = decade_text(decade)
                painter.drawText(QPointF(rect.left() - metrics.horizontalAdvance(text) - 4, y + 4), text)
        painter.setPen(QColor(palette().quiet))
        for steps in STEPS:
            text, x = str(steps), self.place(steps, 10.0**low).x()
            painter.drawText(QPointF(x - metrics.horizontalAdvance(text) / 2, self.extent.height() - 3), text)

    def _at(self, point: ErrorPoint) -> QPointF:
        low = self._decades()[0]
        steps = min(max(point.steps, STEPS[0] / 1.4), STEPS[-1] * 1.4)
        return self.place(steps, max(point.error, 10.0**low))

    def _marked(self) -> ErrorPoint | None:
        """The point chosen with the keyboard."""
        if self._chosen is None or self._chosen >= len(self.points) or not self.hasFocus():
            return None
        return self.points[self._chosen]

    def _decades(self) -> tuple[int, int]:
        """The powers of ten that hold everything, from 1e-12 on."""
        errors = [*self._reference.values(), *(point.error for point in self.points)]
        return decades(errors or (1e-4, 1e-2), SMALLEST)

    def _plot(self) -> QRectF:
        width, height = self.extent.toTuple()
        return QRectF(LEFT, TOP, width - LEFT - RIGHT, height - TOP - BOTTOM)


def _series(kind: str) -> str:
    return f"inversion, {kind}" if kind else "inversion"
