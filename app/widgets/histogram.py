"""How the pixels of a picture are distributed, against the normal distribution they turn into."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.theme import colour, font, palette
from app.widgets.drawn_plot import DrawnPlot, Table

REACH = 4.0
"""The axis runs from -REACH to REACH."""
BINS = 64
WIDTH = 2 * REACH / BINS
HEADER = 20
FOOTER = 16
TALLEST = 0.8
"""Density at the top; twice the peak of N(0, 1). Taller bars are cut, and marked."""
MOST_VALUES = 60_000
"""More are thinned out evenly: a histogram of so many looks the same."""


class Histogram(DrawnPlot):
    """The density of the values in bars of the quantity's colour, N(0, 1) as a line, mean and deviation in numbers.

    Attributes: ``density`` (of ``BINS`` bins between -REACH and REACH, None while empty), ``mean``, ``deviation``.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("pixels against N(0, 1)", parent)
        self.on_panel = True
        self.quantity = "x_t"
        self.density: NDArray[np.float64] | None = None
        self.mean = math.nan
        self.deviation = math.nan
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(self.sizeHint().height())
        self.setAccessibleName("Histogram of pixel values")
        self.explain(
            "How often each value occurs among the pixels. The line is N(0, 1), to which q(x_T | x_0) tends\n"
            "(Ho et al. 2020, eq. 4): at t = T nothing of the picture is left in it."
        )

    def set_values(self, values: NDArray[Any] | None, quantity: str = "x_t") -> None:
        """Show an array of any shape; None empties. Values beyond the axis count in its last bins."""
        self.quantity = quantity
        if values is None or values.size == 0:
            self.density, self.mean, self.deviation = None, math.nan, math.nan
        else:
            flat = values.reshape(-1)
            # An odd stride meets every colour channel.
            flat = flat[:: (flat.size // MOST_VALUES) | 1]
            self.mean, self.deviation = float(flat.mean(dtype=np.float64)), float(flat.std(dtype=np.float64))
            scaled = np.clip((flat + REACH) / WIDTH, 0, BINS - 1).astype(np.intp)
            self.density = np.bincount(scaled, minlength=BINS) / (flat.size * WIDTH)
        self.setAccessibleDescription(self.summary())
        self.update()

    def set_title(self, title: str) -> None:
        """What the values are."""
        self.title = title
        self.setAccessibleName(f"Histogram: {title}")
        self.update()

    def summary(self) -> str:
        """Mean and deviation as they are printed, always as wide."""
        if self.density is None:
            return ""
        return f"mean {self.mean: .3f}   std {self.deviation:.3f}".replace("-", "\u2212")

    def plot_rect(self) -> QRectF:
        width, height = self.extent.toTuple()
        return QRectF(0, HEADER, width, height - HEADER - FOOTER)

    def place(self, value: float, density: float) -> QPointF:
        """Where a value and its density are drawn."""
        rect = self.plot_rect()
        return QPointF(
            rect.left() + (value + REACH) / (2 * REACH) * rect.width(),
            rect.bottom() - min(density, TALLEST) / TALLEST * rect.height(),
        )

    def sizeHint(self) -> QSize:
        return QSize(296, HEADER + 46 + FOOTER)

    def minimumSizeHint(self) -> QSize:
        return QSize(160, HEADER + 46 + FOOTER)

    def table(self) -> Table:
        """Of every bin its ends, its density, and that of N(0, 1) in its middle; values beyond count in the last."""
        density = np.zeros(0) if self.density is None else self.density
        lows = -REACH + np.arange(len(density)) * WIDTH
        values = zip(lows.tolist(), (lows + WIDTH).tolist(), density.tolist(), strict=True)
        rows = ((low, high, share, normal_density((low + high) / 2)) for low, high, share in values)
        return [("from", "to", f"density of {self.quantity}", "N(0, 1)"), *rows]

    def draw(self, painter: QPainter) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)  # bars are sharp
        surfaces, rect = palette(), self.plot_rect()
        ink, quiet = colour(self.quantity), QColor(surfaces.quiet)
        if self.density is not None:
            self._paint_bars(painter, self.density, ink)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(surfaces.text), 1.5))
        curve = np.linspace(-REACH, REACH, 97).tolist()
        painter.drawPolyline(QPolygonF([self.place(value, normal_density(value)) for value in curve]))
        painter.setPen(QPen(QColor(surfaces.line), 1))
        painter.drawLine(rect.bottomLeft(), rect.bottomRight())
        painter.setFont(font("caption", numbers=True))
        metrics = QFontMetricsF(painter.font())
        painter.setPen(quiet)
        painter.drawText(QPointF(0, 14), self.title)
        summary, painted = self.summary(), metrics.horizontalAdvance(self.title)
        left = rect.right() - metrics.horizontalAdvance(summary)
        if left > painted + 8:  # a narrow one has no room for both
            painter.setPen(ink)
            painter.drawText(QPointF(left, 14), summary)
        painter.setPen(quiet)
        for value in (-3, -2, -1, 0, 1, 2, 3):
            text = f"{value}".replace("-", "\u2212")
            at = self.place(value, 0)
            painter.drawText(QPointF(at.x() - metrics.horizontalAdvance(text) / 2, self.extent.height() - 3), text)

    def _paint_bars(self, painter: QPainter, density: NDArray[np.float64], ink: QColor) -> None:
        rect = self.plot_rect()
        width = rect.width() / BINS
        heights = (np.minimum(density, TALLEST) * (rect.height() / TALLEST)).tolist()
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ink)
        painter.drawRects(
            [
                QRectF(rect.left() + index * width, rect.bottom() - height, width - 1, height)
                for index, height in enumerate(heights)
                if height > 0
            ]
        )
        painter.setBrush(self.surface)
        for index in np.flatnonzero(density > TALLEST):  # a gap near the top says that the bar goes on
            painter.drawRect(QRectF(rect.left() + float(index) * width, rect.top() + 4, width, 2))


def normal_density(value: float) -> float:
    return math.exp(-(value**2) / 2) / math.sqrt(2 * math.pi)
