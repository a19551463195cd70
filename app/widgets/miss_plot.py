"""What each refinement of an inversion still misses, step by step, on a logarithmic axis."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.theme import GRID, colour, font, palette, theme

HEADER = 34
LEFT = 34
SMALLEST = 1e-12


class MissPlot(QWidget):
    """A line for each refinement over the steps of the walk up: the plain step's miss quiet, later ones in x_0's
    colour, the last the strongest. The numbers of the step looked at stand above.

    Attributes: ``misses`` (step to one number a refinement), ``current`` (step).
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.misses: Mapping[int, Sequence[float]] = {}
        self.current = 0
        self._steps = 1
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(self.sizeHint().height())
        self.setAccessibleName("What refinement misses")
        self.setToolTip(
            "How far the step down from x_t leads past x_s (root mean square), before each refinement:\n"
            "a fixed-point iteration (Pan et al. 2023, section 3) that has arrived where this is 0."
        )
        theme().theme_changed.connect(self.update)

    def set_misses(self, misses: Mapping[int, Sequence[float]], steps: int) -> None:
        """Step (0..steps-1) to what each refinement found; steps that are not there yet leave a gap."""
        self.misses, self._steps = misses, max(1, steps)
        self.setVisible(bool(misses))
        self.set_current(self.current)
        self.update()

    def set_current(self, step: int) -> None:
        """The step whose numbers are printed."""
        self.current = min(max(0, step), self._steps - 1)
        self.setAccessibleDescription(self.summary())
        self.update()

    def summary(self) -> str:
        """The step's misses, one after the other: "0.031 → 0.0042"."""
        here = self.misses.get(self.current, ())
        return " → ".join(f"{miss:.1e}".replace("-", "\u2212") for miss in here)

    def sizeHint(self) -> QSize:
        return QSize(296, HEADER + 8 * GRID)

    def minimumSizeHint(self) -> QSize:
        return QSize(160, HEADER + 8 * GRID)

    def place(self, step: int, miss: float) -> QPointF:
        """Where a miss is drawn."""
        low, high = self._decades()
        rect = QRectF(LEFT, HEADER + 4, self.width() - LEFT - 4, self.height() - HEADER - 8)
        share = (math.log10(max(miss, SMALLEST)) - low) / (high - low)
        return QPointF(
            rect.left() + step / max(1, self._steps - 1) * rect.width(), rect.bottom() - share * rect.height()
        )

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(font("caption", numbers=True))
        painter.setPen(QColor(palette().quiet))
        painter.drawText(QPointF(0, 12), "what each iteration misses, step by step (rms)")
        painter.setPen(QColor(palette().text))
        painter.drawText(QPointF(0, 28), self.summary())
        if not self.misses:
            return
        low, high = self._decades()
        for decade in range(low, high + 1):
            y = self.place(0, 10.0**decade).y()
            painter.setPen(QPen(QColor(palette().line), 1))
            painter.drawLine(QPointF(LEFT, y), QPointF(self.width(), y))
            if decade in (low, high):
                painter.setPen(QColor(palette().quiet))
                painter.drawText(QPointF(0, y + 4), f"1e{decade}".replace("-", "\u2212"))
        count = max(map(len, self.misses.values()))
        for refinement in range(count):
            line = [self.place(s, m[refinement]) for s, m in sorted(self.misses.items()) if len(m) > refinement]
            ink = QColor(palette().quiet) if refinement == 0 else colour("x_0")
            if refinement:
                ink.setAlphaF(0.4 + 0.6 * refinement / max(1, count - 1))
            painter.setPen(QPen(ink, 1.5))
            painter.drawPolyline(QPolygonF(line))
        x = self.place(self.current, 10.0**low).x()
        painter.setPen(QPen(colour("t"), 1, Qt.PenStyle.SolidLine))
        painter.drawLine(QPointF(x, HEADER), QPointF(x, self.height()))

    def _decades(self) -> tuple[int, int]:
        found = [max(miss, SMALLEST) for misses in self.misses.values() for miss in misses] or [1e-3, 1e-1]
        low = math.floor(math.log10(min(found)))
        return low, max(low + 1, math.ceil(math.log10(max(found))))
