"""The norm of the latent along a morph: what slerp and lerp give, what is made of it, and what noise has."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.theme import colour, font, palette
from app.widgets.drawn_plot import DrawnPlot, Table

HEADER = 18
FOOTER = 16
LEFT = 34
RIGHT = 8
HEIGHT = 148
DOT = 3.0
SAMPLE = 18
NEAR = 10
"""Pixels within which a click means a point."""

Curve = NDArray[np.floating[Any]]


class NormPlot(DrawnPlot):
    """‖x‖ / √d over the way from the first end point to the last, with the band of N(0, I).

    Attributes: ``curves`` ("slerp" and "lerp", norms at even positions), ``points`` (by frame: position 0..1, norm),
    ``chosen`` (the mix that is made; its curve is drawn through, the other dashed), ``current`` (frame or None).
    Signals: ``frame_clicked(int)``.
    """

    frame_clicked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Norm of the latent along the morph", parent)
        self.on_panel = True
        self.curves: dict[str, Curve] = {}
        self.points: dict[int, tuple[float, float]] = {}
        self.chosen = "slerp"
        self.current: int | None = None
        self._marks: tuple[tuple[float, str], ...] = ()
        self._tolerance: float | None = None
        self._position: float | None = None
        self._empty = ""
        self._reach: tuple[float, float] | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(HEIGHT)
        self.explain(
            "The norm of x over √d along the way. Noise from N(0, I) has 1 ± 1/√(2d), the band: the network has seen\n"
            "nothing else. Lerp cuts through the inside of the sphere, slerp stays on it (Song et al. 2021, D.5)."
        )

    def set_way(
        self,
        curves: Mapping[str, Curve],
        marks: Sequence[tuple[float, str]],
        chosen: str,
        tolerance: float | None,
        empty: str = "",
    ) -> None:
        """Another way: a curve for each mix, names of end points by position; ``tolerance`` is 1/√(2d), None where the
        latents are no noise. Without curves ``empty`` says why."""
        self.curves, self._marks, self.chosen = dict(curves), tuple(marks), chosen
        self._tolerance, self._empty = tolerance, empty
        self._reach = None
        self.update()

    def set_points(self, points: Mapping[int, tuple[float, float]]) -> None:
        """The frames that have begun: frame to position and norm."""
        self.points = dict(points)
        self._reach = None
        self._describe()
        self.update()

    def set_current(self, frame: int | None, position: float | None) -> None:
        """The frame looked at, and where it lies."""
        self.current, self._position = frame, position
        self._describe()
        self.update()

    def reach(self) -> tuple[float, float]:
        """The axis: what is drawn, and a little more; 0.65 to 1.05 at least."""
        if self._reach is None:
            drawn = [float(v) for curve in self.curves.values() for v in (curve.min(), curve.max())]
            drawn += [norm for _, norm in self.points.values()]
            low, high = min([0.65, *drawn]), max([1.05, *drawn])
            self._reach = low - 0.06 * (high - low), high + 0.08 * (high - low)
        return self._reach

    def at(self, position: float, norm: float) -> QPointF:
        """Where a norm lies in the widget."""
        area, (low, high) = self._area(), self.reach()
        return QPointF(
            area.left() + position * area.width(), area.bottom() - (norm - low) / (high - low) * area.height()
        )

    def sizeHint(self) -> QSize:
        return QSize(296, HEIGHT)

    def minimumSizeHint(self) -> QSize:
        return QSize(160, HEIGHT)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A click chooses the frame that is nearest along the way."""
        if self.points:
            x = event.position().x()
            frame = min(self.points, key=lambda frame: abs(self.at(self.points[frame][0], 1).x() - x))
            if abs(self.at(self.points[frame][0], 1).x() - x) <= max(NEAR, self._area().width() / len(self.points) / 2):
                self.frame_clicked.emit(frame)

    def table(self) -> Table:
        """Of the band its middle and half its height."""
        rows: list[Sequence[str | float]] = [("series", "position", "‖x‖ / √d", "±", "point")]
        for mix, curve in self.curves.items():
            last = max(1, len(curve) - 1)
            rows += [(mix, k / last, float(norm), math.nan, "") for k, norm in enumerate(curve)]
        rows += [("frames", *self.points[k], math.nan, f"frame {k + 1}") for k in sorted(self.points)]
        if self._tolerance is not None and self.curves:
            rows.append(("N(0, I)", math.nan, 1.0, self._tolerance, ""))
        return rows

    def draw(self, painter: QPainter) -> None:
        painter.setFont(font("caption", numbers=True))
        quiet, area = QColor(palette().quiet), self._area()
        painter.setPen(quiet)
        painter.drawText(QRectF(0, 0, self.extent.width(), HEADER), Qt.AlignmentFlag.AlignLeft, "‖x‖ / √d")
        if not self.curves:
            painter.setPen(QPen(QColor(palette().line), 1, Qt.PenStyle.DashLine))
            painter.drawRect(area)
            painter.setPen(quiet)
            flags = int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap)
            painter.drawText(area.adjusted(8, 4, -8, -4), flags, self._empty)
            return
        self._paint_frame(painter, area)
        for mix, curve in self.curves.items():
            self._paint_curve(painter, mix, curve)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour("x_t"))
        for position, norm in self.points.values():
            painter.drawEllipse(self.at(position, norm), DOT, DOT)
        self._paint_names(painter)

    def _area(self) -> QRectF:
        return QRectF(QPointF(), self.extent).adjusted(LEFT, HEADER, -RIGHT, -FOOTER)

    def _paint_frame(self, painter: QPainter, area: QRectF) -> None:
        if self._tolerance is not None:
            low, high = self.at(0, 1 - self._tolerance), self.at(1, 1 + self._tolerance)
            painter.fillRect(QRectF(QPointF(area.left(), high.y()), QPointF(area.right(), low.y())), _band())
        painter.setPen(QPen(QColor(palette().line), 1))
        painter.drawLine(area.bottomLeft(), area.bottomRight())
        painter.drawLine(area.bottomLeft(), area.topLeft())
        painter.setPen(QColor(palette().quiet))
        least, most = self.reach()
        stride = 0.1 if most - least < 0.7 else 0.5
        for norm in (k * stride for k in range(math.ceil(least / stride), math.floor(most / stride) + 1)):
            y = self.at(0, norm).y()
            painter.drawText(QRectF(0, y - 8, LEFT - 5, 16), _RIGHT_MIDDLE, f"{norm:.1f}")
        for position, name in self._marks:
            x = self.at(position, 1).x()
            painter.drawText(QRectF(x - 20, area.bottom() + 2, 40, FOOTER), Qt.AlignmentFlag.AlignHCenter, name)

    def _pen(self, mix: str) -> QPen:
        if mix == self.chosen:
            return QPen(colour("x_t"), 2)
        dashed = QPen(QColor(palette().quiet), 1.5)
        dashed.setDashPattern([4, 3])
        return dashed

    def _paint_curve(self, painter: QPainter, mix: str, curve: Curve) -> None:
        painter.setPen(self._pen(mix))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        last = max(1, len(curve) - 1)
        painter.drawPolyline(QPolygonF([self.at(k / last, float(v)) for k, v in enumerate(curve)]))

    def _paint_names(self, painter: QPainter) -> None:
        """What is drawn how, from the right of the first line."""
        right, metrics = self.extent.width() - RIGHT, painter.fontMetrics()
        names = [*self.curves, *(["N(0, I)"] if self._tolerance is not None else [])]
        for name in reversed(names):
            left = right - metrics.horizontalAdvance(name)
            painter.setPen(colour("eps") if name not in self.curves else self._pen(name).color())
            painter.drawText(QPointF(left, metrics.ascent()), name)
            middle = metrics.ascent() - 4
            if name in self.curves:
                painter.setPen(self._pen(name))
                painter.drawLine(QPointF(left - SAMPLE - 4, middle), QPointF(left - 4, middle))
            else:
                painter.fillRect(QRectF(left - SAMPLE - 4, middle - 3, SAMPLE, 7), _band())
            right = left - SAMPLE - 4 - 12

    def draw_moment(self, painter: QPainter) -> None:
        if self._position is None or not self.curves:
            return
        x, area = self.at(self._position, 1).x(), self._area()
        painter.setPen(QPen(colour("t"), 1))
        painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
        if self.current in self.points:
            painter.setPen(QPen(colour("t"), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(self.at(*self.points[self.current]), DOT + 2, DOT + 2)

    def _describe(self) -> None:
        if self.current in self.points:
            self.setAccessibleDescription(f"norm {self.points[self.current][1]:.3f} at the frame shown")


def _band() -> QColor:
    band = colour("eps")
    band.setAlphaF(0.3)
    return band


_RIGHT_MIDDLE = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
