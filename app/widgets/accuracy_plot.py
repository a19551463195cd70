"""How well a classifier tells its classes apart, noise level by noise level."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from app.theme import GRID, colour, font, palette
from app.widgets.drawn_plot import DrawnPlot, Table

LEFT = 48
HEADER = 24
FOOTER = 34
MARGIN = 12
GRID_LINES = (0.0, 0.25, 0.5, 0.75, 1.0)
WAITING = "How well it tells the classes apart appears here when it is next saved, at the latest at its end."
NOT_MEASURED = "How well it tells the classes apart was not measured."


class AccuracyPlot(DrawnPlot):
    """The share of pictures that were recognised, 0..1, over the t they were noised to. The dashed line is guessing.

    Attributes: ``points`` as (t, share), rising in t.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Accuracy by noise level", parent)
        self.points: tuple[tuple[int, float], ...] = ()
        self._classes = 0
        self._is_coming = True
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumHeight(16 * GRID)
        self.setMouseTracking(True)
        self.explain(
            "Share of pictures that training has not met and that the classifier recognises at each noise level\n"
            "(Dhariwal & Nichol 2021, section 4). Dashed: guessing, one in as many as there are classes."
        )

    def set_accuracy(self, points: Sequence[tuple[int, float]], classes: int, *, is_coming: bool = True) -> None:
        """Shares by t; a classifier of clean pictures has one alone. Without any, ``is_coming``: they will be."""
        news = tuple(sorted(points))
        if (news, classes, is_coming) != (self.points, self._classes, self._is_coming):
            self.points, self._classes, self._is_coming = news, classes, is_coming
            self.setAccessibleDescription(self.summary())
            self.update()

    def summary(self) -> str:
        """The whole in words."""
        if not self.points:
            return WAITING if self._is_coming else NOT_MEASURED
        clear, last = self.points[0], self.points[-1]
        if len(self.points) == 1:
            return f"{clear[1]:.1%} of pictures that training has not met are recognised"
        return f"{clear[1]:.1%} at t = {clear[0]}, {last[1]:.1%} at t = {last[0]}"

    def plot_rect(self) -> QRectF:
        width, height = self.extent.toTuple()
        return QRectF(LEFT, HEADER, width - LEFT - MARGIN, height - HEADER - FOOTER)

    def place(self, t: float, share: float) -> QPointF:
        """Where a point is drawn."""
        rect = self.plot_rect()
        first, last = self.points[0][0], self.points[-1][0]
        across = (t - first) / (last - first) if last > first else 0.5
        return QPointF(rect.left() + across * rect.width(), rect.bottom() - share * rect.height())

    def sizeHint(self) -> QSize:
        return QSize(480, 240)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self.points:
            near = min(self.points, key=lambda point: abs(self.place(*point).x() - event.position().x()))
            QToolTip.showText(event.globalPosition().toPoint(), f"t = {near[0]}: {near[1]:.1%}", self)

    def table(self) -> Table:
        guessing = 1 / self._classes if self._classes else math.nan
        return [("t", "share recognised", "guessing"), *((t, share, guessing) for t, share in self.points)]

    def draw(self, painter: QPainter) -> None:
        surfaces, rect = palette(), self.plot_rect()
        painter.setFont(font("caption", numbers=True))
        painter.setPen(QColor(surfaces.quiet))
        if len(self.points) == 1:
            self._paint_one(painter)
            return
        if not self.points:
            painter.setFont(font("body"))
            painter.drawText(
                QRectF(QPointF(), self.extent), Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self.summary()
            )
            return
        painter.drawText(QPointF(0, 13), f"Recognised, {self.summary()}")
        self._paint_axes(painter, rect)
        places = [self.place(*point) for point in self.points]
        painter.setPen(QPen(colour("score"), 2))
        painter.drawPolyline(QPolygonF(places))
        painter.setBrush(colour("score"))
        for place in places:
            painter.drawEllipse(place, 2.5, 2.5)

    def _paint_one(self, painter: QPainter) -> None:
        """Of clean pictures there is one figure."""
        middle = QRectF(QPointF(), self.extent)
        painter.setFont(font("title", bold=True))
        painter.setPen(colour("score"))
        painter.drawText(middle.adjusted(0, -28, 0, -28), Qt.AlignmentFlag.AlignCenter, f"{self.points[0][1]:.1%}")
        painter.setFont(font("body"))
        painter.setPen(QColor(palette().quiet))
        guessing = f"; guessing: {1 / self._classes:.1%}" if self._classes else ""
        words = f"of the pictures that training has not met are recognised{guessing}"
        painter.drawText(middle, Qt.AlignmentFlag.AlignCenter, words)

    def _paint_axes(self, painter: QPainter, rect: QRectF) -> None:
        surfaces = palette()
        for share in GRID_LINES:
            y = self.place(self.points[0][0], share).y()
            painter.setPen(QPen(QColor(surfaces.line), 1))
            painter.drawLine(QPointF(rect.left(), y), QPointF(rect.right(), y))
            painter.setPen(QColor(surfaces.quiet))
            painter.drawText(QRectF(0, y - 8, LEFT - 8, 16), _RIGHT_MIDDLE, f"{share:.0%}")
        if self._classes:
            y = self.place(self.points[0][0], 1 / self._classes).y()
            painter.setPen(QPen(QColor(surfaces.quiet), 1, Qt.PenStyle.DashLine))
            painter.drawLine(QPointF(rect.left(), y), QPointF(rect.right(), y))
        painter.setPen(QColor(surfaces.quiet))
        ends = QRectF(rect.left(), rect.bottom() + 2, rect.width(), FOOTER)
        first, last = self.points[0][0], self.points[-1][0]
        painter.drawText(ends, Qt.AlignmentFlag.AlignLeft, f"t = {first}, the picture")
        painter.drawText(ends, Qt.AlignmentFlag.AlignRight, f"t = {last}, nearly noise")


_RIGHT_MIDDLE = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
