"""Measured curves with their error bars: read by hovering, walked by keys, clicked, saved."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.theme import colour, palette
from app.widgets.drawn_plot import DrawnPlot, Table
from app.widgets.measured_curve import RADIUS, MeasuredCurve
from app.widgets.plot_layout import Frame, Layout, lay_out
from app.widgets.plot_painting import paint, paint_reading

NEAR = 26.0
"""Pixels from the pointer within which a point is read."""


class MeasurePlot(DrawnPlot):
    """Attributes: ``curves``, ``frame``, ``chosen`` (curve and point whose samples are looked at, or None),
    ``pointed`` (the point that is read off, or None).

    Hovering reads the nearest point; ← → walk along a curve, ↑ ↓ to another one, Enter or a click chooses.

    Signals: ``point_clicked(curve, point)``; ``pointed_changed(str)`` with the point in words, "" for none.
    """

    point_clicked = Signal(int, int)
    pointed_changed = Signal(str)
    file_margin = 0  # it has its own

    def __init__(self, title: str = "Measurement", parent: QWidget | None = None) -> None:
        super().__init__(title, parent)
        self.curves: tuple[MeasuredCurve, ...] = ()
        self.frame = Frame()
        self.chosen: tuple[int, int] | None = None
        self.pointed: tuple[int, int] | None = None
        self._placeholder = ""
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def show_curves(self, curves: Sequence[MeasuredCurve], frame: Frame, title: str = "") -> None:
        """Draw these; what was pointed at or chosen stays where its curve still has such a point."""
        self.curves, self.frame = tuple(curves), frame
        self.title = title or self.title
        self.setAccessibleName(self.title)
        self.chosen = self.chosen if self._has(self.chosen) else None
        if not self._has(self.pointed):
            self.point_at(None)
        self.setAccessibleDescription(self.summary())
        self.update()

    def set_placeholder(self, text: str) -> None:
        """What is said while no point is known."""
        self._placeholder = text
        self.update()

    def choose(self, point: tuple[int, int] | None) -> None:
        """Mark the point whose samples are looked at."""
        self.chosen = point if self._has(point) else None
        self.update()

    def point_at(self, point: tuple[int, int] | None) -> None:
        """Read a point off."""
        if point != self.pointed:
            self.pointed = point
            self.pointed_changed.emit("" if point is None else self.words(point))
            self.update()

    def walk(self, steps: int) -> None:
        """Read the point that lies so many further along the curve."""
        if self.curves:
            self.point_at(self._walked(steps, 0))

    def words(self, point: tuple[int, int]) -> str:
        curve, index = point
        return self.curves[curve].words(index, self.frame.x_name, self.frame.y_name)

    def summary(self) -> str:
        """A line a curve, for who cannot see it."""
        lines = []
        for curve in self.curves:
            known = curve.y[np.isfinite(curve.y)]
            if len(known):
                span = f"from {known.min():.4g} to {known.max():.4g}"
                lines.append(f"{curve.name}: {len(known)} points, {self.frame.y_name} {span}")
        return "\n".join(lines)

    def table(self) -> Table:
        names = ("series", self.frame.x_name, self.frame.y_name, "standard error", "point")
        rows: list[Sequence[str | float]] = [names]
        for curve in self.curves:
            notes = (*curve.notes, *("",) * (len(curve.x) - len(curve.notes)))
            values = zip(curve.x.tolist(), curve.y.tolist(), curve.errors.tolist(), notes, strict=True)
            rows += [(curve.name, *row) for row in values if math.isfinite(row[1])]
        return rows

    def place(self, curve: int, point: int) -> QPointF:
        """Where a point is drawn on the screen."""
        laid = self._laid()
        x, y = laid.place(self.curves[curve].x[point : point + 1], self.curves[curve].y[point : point + 1])
        return QPointF(float(x[0]), float(y[0]))

    def nearest(self, at: QPointF) -> tuple[int, int] | None:
        """The point that is read there; of a dense curve the one above or below the pointer."""
        laid = self._laid()
        found, best = None, math.inf
        for number, curve in enumerate(self.curves):
            x, y = laid.place(curve.x, curve.y)
            away = np.hypot(x - at.x(), y - at.y())
            if not np.isfinite(away).any():
                continue
            if curve.is_dense:
                level = np.abs(x - at.x())
                away = np.where(level <= np.nanmin(level) + 0.5, np.abs(y - at.y()), np.inf)
            nearest = int(np.nanargmin(away))
            if away[nearest] <= min(NEAR, best):
                found, best = (number, nearest), float(away[nearest])
        return found

    def sizeHint(self) -> QSize:
        return QSize(560, 200)

    def minimumSizeHint(self) -> QSize:
        return QSize(260, 140)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self.point_at(self.nearest(event.position()))
        can = self.pointed is not None and not self.curves[self.pointed[0]].published
        self.setCursor(Qt.CursorShape.PointingHandCursor if can else Qt.CursorShape.ArrowCursor)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._click(self.nearest(event.position()))

    def leaveEvent(self, event: QEvent) -> None:
        self.point_at(None)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Qt.Key(event.key())
        across = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(key, 0)
        down = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}.get(key, 0)
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.pointed is not None and not event.modifiers():
            self._click(self.pointed)
        elif (across or down) and self.curves:
            by = 10 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
            self.point_at(self._walked(across * by, down))
        else:
            super().keyPressEvent(event)

    def draw(self, painter: QPainter) -> None:
        paint(painter, self.curves, self.frame, self._laid(), self.extent, self._placeholder)

    def draw_moment(self, painter: QPainter) -> None:
        marks = ((self.chosen, colour("t"), 4), (self.pointed, QColor(palette().text), 2))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for point, tint, reach in marks:
            if point is not None and self._has(point):
                painter.setPen(QPen(tint, 2))
                painter.drawEllipse(self.place(*point), RADIUS + reach, RADIUS + reach)
        if self.pointed is not None and self._has(self.pointed):
            at, words = self.place(*self.pointed), self.words(self.pointed)
            paint_reading(painter, self._laid(), at, words, self.width())

    def _laid(self) -> Layout:
        return lay_out(self.curves, self.frame, self.extent)

    # Pointing

    def _click(self, point: tuple[int, int] | None) -> None:
        if point is not None and not self.curves[point[0]].published:
            self.point_clicked.emit(*point)

    def _has(self, point: tuple[int, int] | None) -> bool:
        return point is not None and point[0] < len(self.curves) and point[1] < len(self.curves[point[0]].x)

    def _walked(self, across: int, down: int) -> tuple[int, int] | None:
        if self.pointed is None or not self._has(self.pointed):
            return (0, 0) if len(self.curves[0].x) else None
        curve, point = self.pointed
        curve = min(max(0, curve + down), len(self.curves) - 1)
        there = self.curves[curve]
        if down and len(there.x):
            at = float(self.curves[self.pointed[0]].x[point])
            return curve, int(np.argmin(np.abs(there.x - at)))
        return curve, min(max(0, point + across), len(there.x) - 1)
