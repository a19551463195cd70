"""How a training's loss falls: every step faintly, their trailing mean over it, on a logarithmic axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QLineF, QPointF, QRectF, QSize, QSizeF, Qt, Signal
from PySide6.QtGui import QColor, QFontMetrics, QMouseEvent, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.theme import GRID, colour, font, palette
from app.widgets.drawn_plot import DrawnPlot, Table

SMOOTHED = 100
"""Steps in the trailing mean."""
HEADER = 20
FOOTER = 16
AXIS = 44
"""Width of the numbers beside the axis."""
MARGIN = 8
MANTISSAS = (1.0, 2.0, 5.0)
TICKS = 6
APART = 12
"""The least height between two numbers beside the axis."""

Losses = NDArray[np.float32]


def smoothed(losses: Losses, width: int = SMOOTHED) -> NDArray[np.float64]:
    """The mean of the known among the last ``width`` losses at every step; (n,) to (n,), NaN where none is known."""
    known = np.isfinite(losses)
    total = np.concatenate(([0.0], np.cumsum(np.where(known, losses, 0.0), dtype=np.float64)))
    count = np.concatenate(([0], np.cumsum(known)))
    ends = np.arange(1, len(losses) + 1)
    starts = np.maximum(0, ends - width)
    counted = count[ends] - count[starts]
    means: NDArray[np.float64] = np.where(counted, (total[ends] - total[starts]) / np.maximum(counted, 1), np.nan)
    return means


class LossPlot(DrawnPlot):
    """The loss over the steps of a training, with a tick below the axis wherever samples were drawn.

    The cursor is the step whose samples are looked at; a click or a drag asks for another.

    Attributes: ``losses`` (n,), ``means`` (n,), ``looked_at`` (a step or None). Signals: ``step_asked(int)``.
    """

    step_asked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Loss curve", parent)
        self.losses: Losses = np.zeros(0, np.float32)
        self.means = np.zeros(0)
        self.looked_at: int | None = None
        self._moments: tuple[int, ...] = ()
        self._placeholder = ""
        self._name, self._unit = "Loss", ""
        self._own_range = self._range = (0.1, 1.0)
        self._given_range: tuple[float, float] | None = None
        self._raw: list[QLineF] = []
        self._curve = QPolygonF()
        self._laid_out: QSizeF | None = None
        """The extent that ``_raw`` and ``_curve`` are for."""
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(self.sizeHint().height())
        self.set_words("Loss", "", "What a step lowers")

    def set_losses(self, losses: Losses) -> None:
        """The loss of every step so far, the first one that of step 1."""
        self.losses = losses
        self.means = smoothed(losses)
        good = losses[np.isfinite(losses) & (losses > 0)]
        if len(good):
            low, high = float(good.min()), float(good.max())
            self._own_range = low / 1.1, max(high, 2 * low) * 1.1
        self._range = self._given_range or self._own_range
        self._laid_out = None
        self.setAccessibleDescription(self.summary())
        self.update()

    @property
    def own_range(self) -> tuple[float, float]:
        """The least and the largest loss, with a margin."""
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

    def look_at(self, step: int | None) -> None:
        if step != self.looked_at:
            self.looked_at = step
            self.update()

    def set_words(self, name: str, unit: str, meaning: str) -> None:
        """Which loss it is, what it is counted in ("" for none), and what that means."""
        self._name, self._unit = name, unit
        self.explain(
            f"{name}: {meaning.rstrip('.')}; logarithmic.\n"
            f"Faint: every step, on noise levels of its own. Line: the mean of the last {SMOOTHED} steps.\n"
            "Ticks: samples were drawn here. Click to see them."
        )
        self.update()

    def set_placeholder(self, text: str) -> None:
        """What is said while there is no loss."""
        self._placeholder = text
        self.update()

    def heading(self) -> str:
        """What the curve is."""
        named = f"{self._name} in {self._unit}" if self._unit else self._name
        return f"{named}, mean of {SMOOTHED} steps" if len(self.losses) else named

    def _fitting_heading(self, metrics: QFontMetrics) -> str:
        """As much of it as there is room for, in words that are whole."""
        room = self.extent.width() - MARGIN - metrics.horizontalAdvance(f"  {self.summary()} ")
        whole = self.heading()
        fitting = (whole, whole.partition(", mean")[0], self._name)
        return next((text for text in fitting if metrics.horizontalAdvance(text) <= room), self._name)

    def summary(self) -> str:
        """The mean of the last steps as it is printed."""
        return loss_text(float(self.means[-1])) if len(self.means) and math.isfinite(self.means[-1]) else ""

    def plot_rect(self) -> QRectF:
        width, height = self.extent.toTuple()
        return QRectF(AXIS, HEADER, max(1, width - AXIS - MARGIN), height - HEADER - FOOTER)

    def place(self, step: float, loss: float) -> QPointF:
        """Where the loss of a step is drawn."""
        return QPointF(self._x_of(step), self._ys(np.array([loss]))[0])

    def step_at(self, x: float) -> int:
        """The step that is drawn at ``x``."""
        rect = self.plot_rect()
        share = min(1.0, max(0.0, (x - rect.left()) / rect.width()))
        return 1 + round(share * (self._last() - 1))

    def sizeHint(self) -> QSize:
        return QSize(480, 12 * GRID)

    def minimumSizeHint(self) -> QSize:
        return QSize(200, 12 * GRID)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and len(self.losses):
            self.step_asked.emit(self.step_at(event.position().x()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton and len(self.losses):
            self.step_asked.emit(self.step_at(event.position().x()))

    def table(self) -> Table:
        named = f"{self._name} in {self._unit}" if self._unit else self._name
        drawn = set(self._moments)
        values = zip(self.losses.tolist(), self.means.tolist(), strict=True)
        rows = ((step, *row, "drawn" if step in drawn else "") for step, row in enumerate(values, 1))
        return [("step", named, f"mean of the last {SMOOTHED} steps", "samples"), *rows]

    @property
    def is_empty(self) -> bool:
        return not len(self.losses)

    @property
    def file_name(self) -> str:
        return self._name

    def draw(self, painter: QPainter) -> None:
        surfaces, rect = palette(), self.plot_rect()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)  # the lines of the axes are sharp
        painter.setFont(font("caption", numbers=True))
        painter.setPen(QColor(surfaces.quiet))
        painter.drawText(QPointF(0, 13), self._fitting_heading(painter.fontMetrics()))
        painter.setPen(QPen(QColor(surfaces.line), 1))
        painter.drawLine(rect.bottomLeft(), rect.bottomRight())
        if not len(self.losses):
            painter.setPen(QColor(surfaces.quiet))
            painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, self._placeholder)
            return
        if self._laid_out != self.extent:
            self._raw, self._curve, self._laid_out = self._envelope(), self._line(), self.extent
        self._paint_axes(painter, rect)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        faint = QColor(surfaces.quiet)
        faint.setAlphaF(0.45)
        painter.setPen(QPen(faint, 1))
        painter.drawLines(self._raw)
        painter.setPen(QPen(QColor(surfaces.text), 2))
        painter.drawPolyline(self._curve)
        self._paint_moments(painter, rect)
        painter.setFont(font("caption", numbers=True, bold=True))
        painter.setPen(QColor(surfaces.text))
        header = QRectF(0, 0, rect.right(), HEADER - 2)
        painter.drawText(header, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, self.summary())

    def _paint_axes(self, painter: QPainter, rect: QRectF) -> None:
        surfaces = palette()
        before = math.inf
        for value in loss_ticks(*self._range):
            y = self.place(1, value).y()
            if before - y < APART:  # in a low plot there is no room for all
                continue
            before = y
            painter.setPen(QPen(QColor(surfaces.line), 1, Qt.PenStyle.DotLine))
            painter.drawLine(QPointF(rect.left(), y), QPointF(rect.right(), y))
            painter.setPen(QColor(surfaces.quiet))
            box = QRectF(0, y - 8, AXIS - 6, 16)
            painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, _short(value))
        for step in step_ticks(self._last()):
            text, x = f"{step:,}", self._x_of(step)
            width = painter.fontMetrics().horizontalAdvance(text)
            left = min(max(rect.left(), x - width / 2), rect.right() - width)
            painter.drawText(QPointF(left, self.extent.height() - 2), text)

    def _paint_moments(self, painter: QPainter, rect: QRectF) -> None:
        painter.setPen(QPen(colour("x_0"), 1))
        for step in self._moments:
            x = self._x_of(step)
            painter.drawLine(QPointF(x, rect.bottom() - 4), QPointF(x, rect.bottom() + 2))

    def draw_moment(self, painter: QPainter) -> None:
        if self.looked_at is not None and len(self.losses):
            x, rect = self._x_of(self.looked_at), self.plot_rect()
            painter.setPen(QPen(colour("t"), 1.5))
            painter.drawLine(QPointF(x, rect.top()), QPointF(x, rect.bottom() + 3))

    def _last(self) -> int:
        return max(2, len(self.losses))

    def _x_of(self, step: float) -> float:
        rect = self.plot_rect()
        return rect.left() + (min(max(step, 1), self._last()) - 1) / (self._last() - 1) * rect.width()

    def _envelope(self) -> list[QLineF]:
        """From the least to the largest loss in each column of pixels: as much as can be seen of every step."""
        steps = np.flatnonzero(np.isfinite(self.losses))
        columns = np.interp(steps + 1, (1, self._last()), self._ends()).round()
        firsts = np.flatnonzero(np.diff(columns, prepend=-1.0))
        lows, highs = (reduce.reduceat(self.losses[steps], firsts) for reduce in (np.minimum, np.maximum))
        xs, tops, bottoms = columns[firsts].tolist(), self._ys(highs), self._ys(lows)
        spans = [QLineF(x, top, x, max(bottom, top + 1)) for x, top, bottom in zip(xs, tops, bottoms, strict=True)]
        return spans + [QLineF(xs[i], bottoms[i], xs[i + 1], tops[i + 1]) for i in range(len(xs) - 1)]

    def _line(self) -> QPolygonF:
        """The means, no more of them than there are columns of pixels."""
        known = np.flatnonzero(np.isfinite(self.means))
        places = np.linspace(0, len(known) - 1, min(len(known), int(self.plot_rect().width()))).astype(int)
        chosen = known[np.unique(places)]
        xs = np.interp(chosen + 1, (1, self._last()), self._ends()).tolist()
        return QPolygonF([QPointF(x, y) for x, y in zip(xs, self._ys(self.means[chosen]), strict=True)])

    def _ys(self, losses: NDArray[Any]) -> list[float]:
        """Where losses are drawn."""
        rect, (low, high) = self.plot_rect(), self._range
        share = np.log(np.clip(losses, low, high) / low) / math.log(high / low)
        ys: list[float] = (rect.bottom() - share * rect.height()).tolist()
        return ys

    def _ends(self) -> tuple[float, float]:
        rect = self.plot_rect()
        return rect.left(), rect.right()


def loss_text(loss: float) -> str:
    """A loss in figures that mean something: 0.0312, 23.4567, 1,204.5."""
    return f"{loss:.4f}" if abs(loss) < 100 else f"{loss:,.1f}"


def _short(value: float) -> str:
    """A round number with room for five characters: 0.05, 200, 50k, 2M."""
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
