"""One small plot of a schedule's table over t: curve, ghost, visited timesteps, cursor and control points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise, zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Slot
from PySide6.QtGui import (
    QBrush,
    QColor,
    QFontMetricsF,
    QLinearGradient,
    QPainter,
    QPen,
    QPixmap,
    QPolygonF,
    QResizeEvent,
)
from PySide6.QtWidgets import QWidget

from app.theme import GRID, colour, font, palette, signal_colour, theme
from app.widgets.caption import paint_symbol
from app.widgets.control_points import Point
from app.widgets.drawn_plot import DrawnPlot, Table
from app.widgets.plot_tables import TABLES
from app.widgets.schedule_quantities import Quantity, between

HEADER = 18
AXIS = 34
"""Width of the column that holds the ends of the range."""
FOOTER = 14
MARK = 5
"""Radius in pixels of what marks a place on the curve."""
DOT = 1.75
GRADIENT_STOPS = 33
BAND = 0.18
"""Opacity of the shade under a curve."""

Values = NDArray[np.float64]


class SchedulePanel(DrawnPlot):
    """A curve over t with the cursor on it; whoever owns the panel handles pointer and keys.

    The curves are drawn once; moving the cursor repaints two narrow strips over them.
    ``time_at``/``value_at`` and ``place`` translate between the panel's pixels and the plot.

    Attributes: ``quantity``; ``is_folded``, showing symbol and value alone, ``HEADER`` pixels high; ``is_chosen``, its
    owner's keys mean it.
    """

    def __init__(self, quantity: Quantity, parent: QWidget | None = None) -> None:
        super().__init__(TABLES[quantity.table].name, parent)
        self.on_panel = True
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # its owner has the keyboard
        self.quantity = quantity
        self.is_folded = self.is_chosen = False
        self._footer = 0
        self._T = 1000
        self._range = (0.0, 1.0)
        self._cursor = 0.0
        self._values: Values = np.zeros(0)
        self._ghost_values: Values = np.zeros(0)
        self._alpha_bar: Values = np.zeros(0)
        self._visited: tuple[int, ...] = ()
        self._points: tuple[Point, ...] = ()
        self._chosen: int | None = None
        self._band: tuple[int, int] | None = None

        self._drawn = QPixmap()
        theme().theme_changed.connect(self._redraw)

    def set_folded(self, folded: bool, footer: bool) -> None:
        """Fold or unfold; ``footer`` says under the curve what its ends mean."""
        if (folded, footer) != (self.is_folded, self._footer > 0):
            self.is_folded, self._footer = folded, FOOTER if footer else 0
            self._redraw()

    def set_curve(self, values: Values, ghost: Values | None, alpha_bar: Values) -> None:
        """The table over t = 0..T-1, that of a schedule to compare with, and alpha_bar for the colours."""
        self._values, self._alpha_bar = values, alpha_bar
        self._ghost_values = np.zeros(0) if ghost is None else ghost
        self._T = len(values)
        self._cursor = min(self._cursor, self._T - 1.0)
        self._range = self._wanted_range()
        self._redraw()

    def set_visited(self, timesteps: Sequence[int]) -> None:
        self._visited = tuple(timesteps)
        self._redraw()

    def set_band(self, band: tuple[int, int] | None) -> None:
        """Shade the times between two; None shades nothing."""
        if band != self._band:
            self._band = band
            self._redraw()

    def set_cursor(self, t: float) -> None:
        self._update_strip()
        self._cursor = min(max(t, 0.0), self._T - 1.0)
        self._update_strip()
        self.update(0, 0, self.width(), HEADER)

    def set_points(self, points: Sequence[Point], chosen: int | None) -> None:
        self._points, self._chosen = tuple(points), chosen
        self.update()

    def value(self, t: float) -> float:
        """The table at t, between two timesteps the straight line; before the first the first."""
        return between(self._values, t) if len(self._values) else math.nan

    def text(self, t: float) -> str:
        """The value at t as it is printed, always equally wide."""
        return _printed(self.value(t), self.quantity.decimals)

    def plot_rect(self) -> QRectF:
        below = max(FOOTER if self.in_file else self._footer, MARK)
        width, height = self.extent.toTuple()
        return QRectF(AXIS, HEADER, max(1, width - AXIS - MARK), max(1, height - HEADER - below))

    def time_at(self, x: float) -> float:
        rect = self.plot_rect()
        return (x - rect.left()) / rect.width() * (self._T - 1)

    def value_at(self, y: float) -> float:
        rect, (low, high) = self.plot_rect(), self._range
        return high - (y - rect.top()) / rect.height() * (high - low)

    def place(self, t: float, value: float) -> QPointF:
        """Where (t, value) is drawn; what is infinitely low, at the bottom."""
        rect, (low, high) = self.plot_rect(), self._range
        value = max(value, low) if value == -math.inf else value
        return QPointF(
            rect.left() + t / max(1, self._T - 1) * rect.width(),
            rect.top() + (high - value) / (high - low) * rect.height(),
        )

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._redraw()

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self._redraw()
        super().changeEvent(event)

    def table(self) -> Table:
        """Of a schedule of another length every row has its own t, too."""
        columns = [values.tolist() for values in (self._values, self._ghost_values) if len(values)]
        axis = TABLES[self.quantity.table].axis
        names = ("t", axis, f"{axis} of the schedule compared")[: 1 + len(columns)]
        return [names, *((t, *row) for t, row in enumerate(zip_longest(*columns, fillvalue="")))]

    @property
    def file_name(self) -> str:
        return self.quantity.table

    @property
    def has_keyboard(self) -> bool:
        return self.is_chosen

    def draw(self, painter: QPainter) -> None:
        """Symbol, axes and curves; on the screen these come from their picture."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)  # the axes are sharp
        surfaces, rect, quiet = palette(), self.plot_rect(), QColor(palette().quiet)
        symbol_left = self._paint_arrow(painter, quiet) if self._is_closed else 0.0
        paint_symbol(painter, self.quantity.symbol, QPointF(symbol_left, 14), 13, QColor(surfaces.text))
        painter.setFont(font("caption", numbers=True))
        if self._is_closed:
            return
        if self.in_file:
            name = TABLES[self.quantity.table].name
            painter.setPen(quiet)
            painter.drawText(QRectF(rect.left(), 0, rect.width(), HEADER), Qt.AlignmentFlag.AlignRight, name)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.setPen(QPen(QColor(surfaces.line), 1))
        painter.drawLine(QPointF(rect.left() - 1, rect.top()), QPointF(rect.left() - 1, rect.bottom()))
        painter.drawLine(QPointF(rect.left() - 1, rect.bottom()), rect.bottomRight())
        painter.setPen(quiet)
        low, high = self._ends()
        column = QRectF(0, rect.top() + 1, AXIS - 5, rect.height() + 1)
        painter.drawText(column, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop, high)
        painter.drawText(column, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignBottom, low)
        if self._footer or self.in_file:
            below = QRectF(rect.left(), rect.bottom() + 1, rect.width(), FOOTER)
            painter.drawText(below, Qt.AlignmentFlag.AlignLeft, "0 data")
            painter.drawText(below, Qt.AlignmentFlag.AlignRight, f"noise {self._T - 1}")
        if self.in_file:
            self._paint_curves(painter)
        elif len(self._values):
            if self._drawn.isNull():
                self._drawn = self._draw_curves()
            painter.drawPixmap(0, 0, self._drawn)

    def draw_moment(self, painter: QPainter) -> None:
        """The values at the cursor, and the cursor."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.setFont(font("caption", numbers=True))
        metrics, right = QFontMetricsF(painter.font()), float(self.width())
        if len(self._ghost_values):
            at = self._cursor / max(1, self._T - 1) * (len(self._ghost_values) - 1)
            ghost = _printed(between(self._ghost_values, at), self.quantity.decimals)
            right = self._print_left_of(painter, metrics, right, ghost, QColor(palette().quiet)) - GRID
        if len(self._values):
            ink = signal_colour(self._signal()) if self._coloured() else QColor(palette().text)
            self._print_left_of(painter, metrics, right, self.text(self._cursor), ink)
        if len(self._values) and not self._is_closed:
            self._paint_cursor(painter)

    @property
    def _is_closed(self) -> bool:
        return self.is_folded and not self.in_file

    @staticmethod
    def _paint_arrow(painter: QPainter, ink: QColor) -> float:
        """The mark of what can be unfolded; where the symbol begins after it."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ink)
        painter.drawPolygon(QPolygonF([QPointF(1, 6), QPointF(5, 10), QPointF(1, 14)]))
        return 12.0

    @staticmethod
    def _print_left_of(painter: QPainter, metrics: QFontMetricsF, right: float, text: str, ink: QColor) -> float:
        left = right - metrics.horizontalAdvance(text)
        painter.setPen(ink)
        painter.drawText(QPointF(left, 14), text)
        return left

    def _coloured(self) -> bool:
        return self.quantity.falls_with_signal

    def _signal(self) -> float:
        return float(np.interp(self._cursor, np.arange(self._T), self._alpha_bar))

    def _ends(self) -> tuple[str, str]:
        low, high = self._range
        if self.quantity.table == "alpha_bar":
            return "0", "1"
        return f"{low:.3g}".replace("-", "\u2212"), f"{high:.3g}"

    def _wanted_range(self) -> tuple[float, float]:
        if self.quantity.table == "alpha_bar":
            return 0.0, 1.0
        low, high = float(self._values.min(initial=0.0)), float(self._values.max(initial=0.0))
        if self.quantity.table == "log_snr":
            every = np.concatenate((self._values, self._ghost_values))
            every = every[np.isfinite(every)]  # without any signal at its end a schedule falls below every number
            low, high = float(every.min(initial=0.0)), float(every.max(initial=0.0))
            return math.floor(low), math.ceil(high) if high > math.floor(low) else math.floor(low) + 1.0
        # Variances of a ghost may be fifty times larger; the curve itself stays readable.
        step = 10.0 ** math.floor(math.log10(high)) if high > 0 else 1.0
        return 0.0, math.ceil(high / step - 1e-9) * step or 1.0

    @Slot()
    def _redraw(self) -> None:
        self._drawn = QPixmap()
        self.update()

    def _update_strip(self) -> None:
        x = int(self.place(self._cursor, 0).x())
        self.update(x - MARK, HEADER - MARK, 2 * MARK + 1, self.height())

    def _draw_curves(self) -> QPixmap:
        """Ghost, curve and visited timesteps, with the panel's own size."""
        ratio = self.devicePixelRatioF()
        drawn = QPixmap(self.size() * ratio)
        drawn.setDevicePixelRatio(ratio)
        drawn.fill(Qt.GlobalColor.transparent)
        painter = QPainter(drawn)
        self._paint_curves(painter)
        painter.end()
        return drawn

    def _paint_curves(self, painter: QPainter) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ink, quiet = QColor(palette().text), QColor(palette().quiet)
        if self._band is not None:
            guided, rect = colour("guidance"), self.plot_rect()
            guided.setAlphaF(BAND)
            left, right = (self.place(t, 0).x() for t in self._band)
            painter.fillRect(QRectF(left, rect.top(), max(1.0, right - left), rect.height()), guided)
        # A ghost with another T is laid over the same width.
        painter.setPen(QPen(quiet, 1, Qt.PenStyle.DashLine))
        painter.setClipRect(self.plot_rect())
        painter.drawPolyline(self._polyline(self._ghost_values))
        painter.setClipping(False)
        if self._coloured() and self.in_file:
            self._paint_pieces(painter)
        else:
            painter.setPen(QPen(QBrush(self._gradient()) if self._coloured() else QBrush(ink), 2))
            painter.drawPolyline(self._polyline(self._values))
        visited = np.array([t for t in self._visited if 0 <= t < self._T], np.intp)
        painter.setPen(QPen(ink, 2 * DOT, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        painter.drawPoints(self._polygon(visited, self._values[visited]))

    def _paint_pieces(self, painter: QPainter) -> None:
        """The curve in pieces of one colour each: SVG through Qt knows no gradient along a line."""
        line = self._polyline(self._values).toList()
        shares = np.interp(np.linspace(0, self._T - 1, len(line)), np.arange(self._T), self._alpha_bar)
        for (before, after), share in zip(pairwise(line), shares.tolist(), strict=False):
            painter.setPen(QPen(signal_colour(share), 2, c=Qt.PenCapStyle.RoundCap))
            painter.drawLine(before, after)

    def _polyline(self, values: Values) -> QPolygonF:
        """The curve with at most two points a pixel."""
        times = np.linspace(0, self._T - 1, len(values))
        if not len(values):
            return QPolygonF()
        keep = np.unique(np.linspace(0, len(values) - 1, int(2 * self.extent.width())).astype(np.intp))
        return self._polygon(times[keep], values[keep])

    def _polygon(self, times: NDArray[Any], values: Values) -> QPolygonF:
        """Where (times, values) are drawn: ``place`` of all of them."""
        rect, (low, high) = self.plot_rect(), self._range
        x = rect.left() + times / max(1, self._T - 1) * rect.width()
        y = rect.top() + (high - np.where(values == -np.inf, low, values)) / (high - low) * rect.height()
        return QPolygonF([QPointF(*point) for point in zip(x.tolist(), y.tolist(), strict=True)])

    def _gradient(self) -> QLinearGradient:
        """From the colour of the data to that of noise, as alpha_bar falls along t."""
        gradient = QLinearGradient(self.place(0, 0), self.place(self._T - 1, 0))
        stops = np.linspace(0, 1, GRADIENT_STOPS)
        shares = np.interp(stops * (self._T - 1), np.arange(self._T), self._alpha_bar)
        for stop, share in zip(stops.tolist(), shares.tolist(), strict=True):
            gradient.setColorAt(stop, signal_colour(share))
        return gradient

    def _paint_cursor(self, painter: QPainter) -> None:
        rect, surfaces = self.plot_rect(), palette()
        at = self.place(self._cursor, self.value(self._cursor))
        painter.setPen(QPen(colour("t"), 1))
        painter.drawLine(QPointF(at.x(), rect.top()), QPointF(at.x(), rect.bottom()))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(surfaces.text), 1.5))
        for index, (u, value) in enumerate(self._points):
            painter.setBrush(QColor(surfaces.text if index == self._chosen else surfaces.panel))
            painter.drawEllipse(self.place(u * (self._T - 1), value), MARK, MARK)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour("t"))
        painter.drawEllipse(at, MARK - 1.5, MARK - 1.5)


def _printed(value: float, decimals: int) -> str:
    return f"{value: .{decimals}f}".replace("-", "\u2212").replace("inf", "\u221e")
