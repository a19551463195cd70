"""A curve of measured values with error bars, and how one is told from another with and without its colour."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF

from app.theme import colour, palette

Values = NDArray[np.float64]

_INKS = ("x_0", "x_t", "score", "eps", "danger", "neutral")
_DASHES: tuple[tuple[float, ...], ...] = ((), (6, 2.5), (2, 2), (8, 2, 1.5, 2), (4, 2), (1.5, 2.5))
MARKS = ("disc", "square", "triangle", "diamond", "cross", "ring")
STYLES = len(MARKS)
RADIUS = 4.0
MANY = 80
"""Points from which on a curve is dense."""


@dataclass(frozen=True, eq=False)
class MeasuredCurve:
    """Points (x, y) float64 (n,), with the standard ``error`` of y (NaN or nothing where there is none).

    ``style`` tells curves apart; ``notes`` say what is special of each point, such as "DDIM, 20 steps". ``published``
    curves are from a paper: dashed, quiet, without an error, and not to be clicked.
    """

    name: str
    x: Values
    y: Values
    error: Values = field(default_factory=lambda: np.zeros(0))
    style: int = 0
    notes: tuple[str, ...] = ()
    published: bool = False

    @property
    def is_dense(self) -> bool:
        """Drawn as a line in a band, without a mark and a bar a point."""
        return len(self.x) > MANY

    @property
    def errors(self) -> Values:
        """One a point, NaN where none is known."""
        return self.error if len(self.error) else np.full(len(self.x), np.nan)

    def words(self, point: int, x_name: str, y_name: str) -> str:
        """A point in a line: "DDIM: 20 steps · kernel distance 0.0123 ± 0.0004"; the units stand at the axes."""
        at = f"{x_name.partition(',')[0]} {number(float(self.x[point]))}"
        note = self.notes[point] if point < len(self.notes) else at
        error = float(self.errors[point])
        spread = f" ± {number(error, 2)}" if math.isfinite(error) else ""
        return f"{self.name}: {note} · {y_name.partition(',')[0]} {number(float(self.y[point]))}{spread}"


def number(value: float, digits: int = 4) -> str:
    """With so many figures, and thousands marked."""
    if not math.isfinite(value):
        return "unknown"
    if value == 0:
        return "0"
    text = f"{value:.{digits}g}"
    if "e" in text and 1e-4 <= abs(value) < 1e7:
        text = f"{value:,.0f}"
    return text.replace("-", "\u2212")


def ink(style: int) -> QColor:
    """The colour of a curve in the scheme in force."""
    name = _INKS[style % STYLES]
    return QColor(palette().danger) if name == "danger" else colour(name)


def pen(curve: MeasuredCurve, width: float = 1.5) -> QPen:
    if curve.published:
        made = QPen(QColor(palette().quiet), width)
        made.setDashPattern((3, 3))
        return made
    made = QPen(ink(curve.style), width)
    if not curve.is_dense and _DASHES[curve.style % STYLES]:
        made.setDashPattern(_DASHES[curve.style % STYLES])
    return made


def paint_mark(painter: QPainter, style: int, at: QPointF, radius: float = RADIUS) -> None:
    """The mark of a style, about ``at``, filled unless it is a ring."""
    name, tint = MARKS[style % STYLES], ink(style)
    painter.setPen(QPen(tint, 1.5))
    painter.setBrush(QColor(palette().window) if name == "ring" else tint)
    r = radius
    match name:
        case "square":
            painter.drawRect(QRectF(at.x() - 0.85 * r, at.y() - 0.85 * r, 1.7 * r, 1.7 * r))
        case "triangle":
            painter.drawPolygon(_around(at, ((0, -1.15 * r), (r, 0.8 * r), (-r, 0.8 * r))))
        case "diamond":
            painter.drawPolygon(_around(at, ((0, -1.2 * r), (1.1 * r, 0), (0, 1.2 * r), (-1.1 * r, 0))))
        case "cross":
            painter.drawLine(at + QPointF(-r, -r), at + QPointF(r, r))
            painter.drawLine(at + QPointF(-r, r), at + QPointF(r, -r))
        case _:
            painter.drawEllipse(at, r, r)


def _around(at: QPointF, corners: tuple[tuple[float, float], ...]) -> QPolygonF:
    return QPolygonF([QPointF(at.x() + x, at.y() + y) for x, y in corners])
