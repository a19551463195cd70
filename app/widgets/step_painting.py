"""How curves over steps are painted and written beside their axes."""

from __future__ import annotations

import math
from itertools import pairwise

from PySide6.QtCore import QLineF, QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPen, QPolygonF

from app.theme import GRID, font, palette
from app.widgets.step_lines import StepLine

MANTISSAS = (1.0, 2.0, 5.0)
TICKS = 6
SWATCH = 14
FEW = 300
"""Lines that are worth drawing smoothly."""


def line_pen(line: StepLine) -> QPen:
    pen = QPen(line.ink(), {"dashed": 1.5, "thin": 1.2}.get(line.look, 2.0))
    if line.look == "dashed":
        pen.setDashPattern([4, 2])
    return pen


def legend_width(metrics: QFontMetrics, name: str) -> int:
    """What a line's entry takes of a legend."""
    return SWATCH + (metrics.horizontalAdvance(name) + GRID // 2 + 2 * GRID if name else 0)


def paint_legend(painter: QPainter, line: StepLine, at: QPointF, room: float) -> None:
    """A line's entry in a legend, from its upper left corner ``at``, cut to ``room``."""
    name = painter.fontMetrics().elidedText(
        line.legend or "", Qt.TextElideMode.ElideMiddle, max(0, int(room) - SWATCH - GRID // 2)
    )
    painter.setPen(line_pen(line))
    painter.drawLine(at + QPointF(0, 5), at + QPointF(SWATCH, 5))
    painter.setPen(QColor(palette().quiet))
    painter.drawText(at + QPointF(SWATCH + GRID // 2, 9), name)


def paint_line(painter: QPainter, line: StepLine, spans: list[QLineF], curve: QPolygonF) -> None:
    painter.setBrush(Qt.BrushStyle.NoBrush)
    if line.look == "each":
        faint = line.ink()
        faint.setAlphaF(0.45)
        painter.setPen(QPen(faint, 1))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, len(spans) < FEW)  # one a column is upright and sharp
        painter.drawLines(spans)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        return
    pen = line_pen(line)
    if line.look in ("line", "thin"):  # piece by piece: a path of a thousand points takes Qt ten times as long
        pen.setCapStyle(Qt.PenCapStyle.FlatCap if line.look == "thin" else Qt.PenCapStyle.SquareCap)
        painter.setPen(pen)
        painter.drawLines([QLineF(a, b) for a, b in pairwise(curve.toList())])
    else:
        painter.setPen(pen)
        painter.drawPolyline(curve)
    if line.look == "dots":
        painter.setBrush(line.ink())
        painter.setPen(Qt.PenStyle.NoPen)
        for at in curve.toList():
            painter.drawEllipse(at, 2.5, 2.5)


def paint_words(painter: QPainter, words: str, at: QPointF, extent: QSizeF) -> None:
    """A reading beside what is pointed at, on a surface of its own, whole within the plot."""
    painter.setFont(font("caption", numbers=True))
    metrics = painter.fontMetrics()
    words = metrics.elidedText(words, Qt.TextElideMode.ElideRight, int(extent.width()) - 2 * GRID - 4)
    wide = metrics.horizontalAdvance(words) + 2 * GRID
    left = min(max(2.0, at.x() - wide / 2), extent.width() - wide - 2)
    top = at.y() - 30 if at.y() - 30 > 0 else min(at.y() + 12, extent.height() - 20)
    box = QRectF(left, top, wide, 20)
    painter.setPen(QPen(QColor(palette().line), 1))
    painter.setBrush(QColor(palette().raised))
    painter.drawRoundedRect(box, 3, 3)
    painter.setPen(QColor(palette().text))
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, words)


def value_text(value: float) -> str:
    """Of any size, in four figures: 0.03124, 12.35, 0.0004."""
    return f"{value:,.4g}" if abs(value) < 1e6 else f"{value:.3e}"


def short(value: float) -> str:
    """A round number with room for six characters: 2.5e−4, 0.05, 200, 50k, 2M."""
    if 0 < value < 1e-3:
        power = math.floor(math.log10(value) + 1e-9)
        return f"{value / 10.0**power:.2g}e\u2212{-power}"
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= size:
            return f"{value / (1e3 if letter == 'k' else size):g}{letter}"
    return f"{value:g}"


def loss_ticks(low: float, high: float) -> tuple[float, ...]:
    """1, 2 and 5 times the powers of ten between the ends; the powers alone where that is enough, else every digit."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    fine = tuple(m * 10.0**p for p in powers for m in MANTISSAS if low <= m * 10.0**p <= high)
    coarse = tuple(10.0**p for p in powers if low <= 10.0**p <= high)
    if len(fine) > TICKS and len(coarse) >= 2:
        return coarse
    if len(fine) > 1:
        return fine
    return tuple(m * 10.0**p for p in powers for m in range(1, 10) if low <= m * 10.0**p <= high)


def step_ticks(last: int) -> tuple[int, ...]:
    """Round numbers of steps, evenly spread over 1..last, at most ``TICKS``."""
    power = 10 ** math.floor(math.log10(max(1, last)))
    width = next(w for w in (power // 5, power // 2, power, 2 * power, 5 * power) if w >= 1 and last // w <= TICKS)
    return tuple(range(width, last + 1, width)) or (last,)
