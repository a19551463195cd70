"""How a plot of measurements is painted: axes, legend, levels, curves with their errors, a reading."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen, QPolygonF

from app.theme import font, palette
from app.widgets.measured_curve import RADIUS, MeasuredCurve, ink, paint_mark, pen
from app.widgets.plot_layout import GAP, LINE, MANY, SAMPLE, Frame, Layout

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
        if not curve.published and len(curve.x) <= MANY:
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
    is_dense = len(curve.x) > MANY
    if not curve.published:
        _paint_errors(painter, laid, curve, is_dense=is_dense)
    painter.setPen(pen(curve))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    line = [QPointF(*at) for at in zip(x[good].tolist(), y[good].tolist(), strict=True)]
    painter.drawPolyline(QPolygonF(line))
    if not is_dense and not curve.published:
        for at in line:
            paint_mark(painter, curve.style, at)


def _paint_errors(painter: QPainter, laid: Layout, curve: MeasuredCurve, *, is_dense: bool) -> None:
    tint, errors = ink(curve.style), np.nan_to_num(curve.errors, nan=0.0)
    x, high = laid.place(curve.x, curve.y + errors)
    _x, low = laid.place(curve.x, curve.y - errors)
    low = np.where(np.isfinite(low), low, laid.rect.bottom())  # below 0 on a logarithmic axis
    good = np.isfinite(x) & np.isfinite(high)
    if is_dense:
        upper = [QPointF(*at) for at in zip(x[good].tolist(), high[good].tolist(), strict=True)]
        lower = [QPointF(*at) for at in zip(x[good].tolist(), low[good].tolist(), strict=True)]
        tint.setAlphaF(0.25)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(tint)
        painter.drawPolygon(QPolygonF([*upper, *reversed(lower)]))
        return
    painter.setPen(QPen(tint, 1.2))
    for at, top, bottom in zip(x[good].tolist(), high[good].tolist(), low[good].tolist(), strict=True):
        if bottom - top > 1:
            painter.drawLine(QPointF(at, top), QPointF(at, bottom))
            painter.drawLine(QPointF(at - 3, top), QPointF(at + 3, top))
            painter.drawLine(QPointF(at - 3, bottom), QPointF(at + 3, bottom))


def _pixels(laid: Layout, x: Sequence[float] = (), y: Sequence[float] = ()) -> list[float]:
    """Where values of one axis are drawn along it."""
    ends = np.array([laid.x.low]), np.array([laid.y.low])
    across, down = laid.place(np.array(x, float) if len(x) else ends[0], np.array(y, float) if len(y) else ends[1])
    pixels: list[float] = (across if len(x) else down).tolist()
    return pixels if len(x) or len(y) else []
