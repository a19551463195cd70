"""How a plot of measurements is painted: axes, legend, levels, curves with their errors, a reading."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from PySide6.QtCore import QLineF, QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen, QPolygonF

from app.theme import font, palette
from app.widgets.measured_curve import RADIUS, STYLES, MeasuredCurve, Values, ink, paint_mark, pen
from app.widgets.plot_layout import GAP, LINE, SAMPLE, Frame, Layout

MARKED = 8
"""Points of a dense curve that have a mark."""
_MIDDLE = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap


def paint(
    painter: QPainter, curves: Sequence[MeasuredCurve], frame: Frame, laid: Layout, size: QSizeF, placeholder: str
) -> None:
    """The whole plot; where no point is known, ``placeholder`` in the middle of the axes."""
    painter.setFont(font("caption", numbers=True))
    paint_axes(painter, frame, laid, size)
    if not any(np.isfinite(curve.y).any() for curve in curves):
        painter.setPen(QColor(palette().quiet))
        painter.drawText(laid.rect, _MIDDLE, placeholder)
        return
    paint_legend(painter, curves, laid)
    painter.save()
    painter.setClipRect(laid.rect.adjusted(-RADIUS - 2, -RADIUS - 2, RADIUS + 2, RADIUS + 2))
    for name, value in frame.levels:
        _paint_level(painter, laid, name, value)
    for curve in curves:
        _paint_curve(painter, laid, curve)
    painter.restore()


def paint_axes(painter: QPainter, frame: Frame, laid: Layout, size: QSizeF) -> None:
    rect, metrics = laid.rect, QFontMetricsF(painter.font())
    quiet, grid = QColor(palette().quiet), QPen(QColor(palette().line), 1)
    for tick, y in zip(laid.y_ticks(), _pixels(laid, y=laid.y_ticks()), strict=True):
        painter.setPen(grid)
        painter.drawLine(QPointF(rect.left(), y), QPointF(rect.right(), y))
        painter.setPen(quiet)
        text = laid.y.text(tick)
        painter.drawText(QPointF(rect.left() - metrics.horizontalAdvance(text) - GAP, y + 4), text)
    for tick, x in zip(laid.x_ticks(), _pixels(laid, x=laid.x_ticks()), strict=True):
        painter.setPen(grid)
        painter.drawLine(QPointF(x, rect.bottom()), QPointF(x, rect.bottom() + 4))
        painter.setPen(quiet)
        text = laid.x.text(tick)
        painter.drawText(QPointF(x - metrics.horizontalAdvance(text) / 2, rect.bottom() + LINE - 2), text)
    painter.setPen(grid)
    painter.drawLine(rect.bottomLeft(), rect.bottomRight())
    painter.setPen(QColor(palette().text))
    painter.drawText(QPointF(2, 13), frame.y_name)
    wide = metrics.horizontalAdvance(frame.x_name)
    painter.drawText(QPointF(rect.right() - wide, size.height() - 5), frame.x_name)


def paint_legend(painter: QPainter, curves: Sequence[MeasuredCurve], laid: Layout) -> None:
    metrics = QFontMetricsF(painter.font())
    for entry in laid.legend:
        curve = curves[entry.curve]
        left, middle = laid.rect.left() + entry.x, LINE * (entry.line + 1) + 9
        painter.setPen(pen(curve))
        painter.drawLine(QPointF(left, middle), QPointF(left + SAMPLE, middle))
        if not curve.published:
            paint_mark(painter, curve.style, QPointF(left + SAMPLE / 2, middle))
        painter.setPen(QColor(palette().quiet if curve.published else palette().text))
        room = laid.rect.right() - left - SAMPLE - 4
        name = metrics.elidedText(curve.name, Qt.TextElideMode.ElideMiddle, room)
        painter.drawText(QPointF(left + SAMPLE + 4, middle + 4), name)


def paint_reading(painter: QPainter, laid: Layout, at: QPointF, text: str, width: float) -> None:
    """A point in words beside it, on a surface of its own."""
    painter.setFont(font("caption", numbers=True))
    metrics = QFontMetricsF(painter.font())
    text = metrics.elidedText(text, Qt.TextElideMode.ElideRight, width - 4 * GAP)
    wide = metrics.horizontalAdvance(text) + 2 * GAP
    left = min(max(2.0, at.x() - wide / 2), width - wide - 2)
    top = at.y() - 34 if at.y() - 34 > laid.rect.top() - LINE else at.y() + 14
    box = QRectF(left, top, wide, 20)
    painter.setPen(QPen(QColor(palette().line), 1))
    painter.setBrush(QColor(palette().raised))
    painter.drawRoundedRect(box, 3, 3)
    painter.setPen(QColor(palette().text))
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)


def _paint_level(painter: QPainter, laid: Layout, name: str, value: float) -> None:
    (y,) = _pixels(laid, y=(value,))
    if not math.isfinite(y):
        return
    line = QPen(QColor(palette().quiet), 1.2)
    line.setDashPattern((2, 3))
    painter.setPen(line)
    painter.drawLine(QPointF(laid.rect.left(), y), QPointF(laid.rect.right(), y))
    wide = QFontMetricsF(painter.font()).horizontalAdvance(name)
    painter.setPen(QColor(palette().quiet))
    painter.drawText(QPointF(laid.rect.right() - wide - 2, y - 4), name)


def _paint_curve(painter: QPainter, laid: Layout, curve: MeasuredCurve) -> None:
    x, y = laid.place(curve.x, curve.y)
    good = np.isfinite(x) & np.isfinite(y)
    if not good.any():
        return
    line = [QPointF(*at) for at in zip(x[good].tolist(), y[good].tolist(), strict=True)]
    painter.setBrush(Qt.BrushStyle.NoBrush)
    if curve.is_dense:
        _paint_dense(painter, laid, curve, line)
        return
    if not curve.published:
        _paint_bars(painter, laid, curve)
    painter.setPen(pen(curve))
    painter.drawPolyline(QPolygonF(line))
    if not curve.published:
        for at in line:
            paint_mark(painter, curve.style, at)


def _paint_dense(painter: QPainter, laid: Layout, curve: MeasuredCurve, line: Sequence[QPointF]) -> None:
    """A line in its band with a few marks. Piece by piece: a path of a thousand noisy points takes Qt a second."""
    tint = ink(curve.style)
    tint.setAlphaF(0.25)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    painter.setPen(QPen(tint, 1))
    painter.drawLines(_band(laid, curve))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(pen(curve))
    painter.drawLines([QLineF(a, b) for a, b in pairwise(line)])
    apart = max(1, len(line) // MARKED)
    for at in line[(curve.style * apart // STYLES) :: apart]:
        paint_mark(painter, curve.style, at)


def _band(laid: Layout, curve: MeasuredCurve) -> list[QLineF]:
    """One upright line a pixel, from a standard error below the curve to one above it."""
    x, low, high = _ends(laid, curve)
    order = np.argsort(x[np.isfinite(x) & np.isfinite(high)])
    known = np.flatnonzero(np.isfinite(x) & np.isfinite(high))[order]
    columns = np.arange(math.ceil(x[known[0]]), math.floor(x[known[-1]]) + 1)
    tops, bottoms = np.interp(columns, x[known], high[known]), np.interp(columns, x[known], low[known])
    ends = zip(columns.tolist(), tops.tolist(), bottoms.tolist(), strict=True)
    return [QLineF(at, top, at, bottom) for at, top, bottom in ends if bottom - top >= 1]


def _paint_bars(painter: QPainter, laid: Layout, curve: MeasuredCurve) -> None:
    x, low, high = _ends(laid, curve)
    good = np.isfinite(x) & np.isfinite(high)
    painter.setPen(QPen(ink(curve.style), 1.2))
    for at, top, bottom in zip(x[good].tolist(), high[good].tolist(), low[good].tolist(), strict=True):
        if bottom - top > 1:
            painter.drawLine(QPointF(at, top), QPointF(at, bottom))
            painter.drawLine(QPointF(at - 3, top), QPointF(at + 3, top))
            painter.drawLine(QPointF(at - 3, bottom), QPointF(at + 3, bottom))


def _ends(laid: Layout, curve: MeasuredCurve) -> tuple[Values, Values, Values]:
    """In pixels: across, and the lower and upper ends of the errors."""
    errors = np.nan_to_num(curve.errors, nan=0.0)
    x, high = laid.place(curve.x, curve.y + errors)
    _x, low = laid.place(curve.x, curve.y - errors)
    return x, np.where(np.isfinite(low), low, laid.rect.bottom()), high  # below 0 on a logarithmic axis


def _pixels(laid: Layout, x: Sequence[float] = (), y: Sequence[float] = ()) -> list[float]:
    """Where values of one axis are drawn along it."""
    ends = np.array([laid.x.low]), np.array([laid.y.low])
    across, down = laid.place(np.array(x, float) if len(x) else ends[0], np.array(y, float) if len(y) else ends[1])
    pixels: list[float] = (across if len(x) else down).tolist()
    return pixels if len(x) or len(y) else []
