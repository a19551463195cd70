"""The live equation: typeset once, with the numbers of the moment under its coefficients."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QSize, Qt, Slot
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent, QPixmap, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.theme import QUANTITIES, font, palette, theme
from app.widgets.caption import quantity_colours
from app.widgets.typeset import Typeset, plain, typeset
from app.widgets.typesetter import UNITS

LARGEST = 20.0
"""Font size of a formula that fits; a longer one is made smaller."""
MARGIN = 4
NUMBERS = 18
"""Height of the line of numbers."""
HEIGHT = 46
"""Until the formula is typeset and its own height is known."""
TALLEST = 84
DECIMALS = 4


@dataclass(frozen=True)
class _Layout:
    """Where a typeset formula lies: font size, left end of its baseline, height needed, middles of its numbers."""

    formula: Typeset
    size: float
    origin: QPointF
    height: int
    centres: Mapping[str, float]


class Equation(QWidget):
    """A formula whose symbols have their quantities' colours, and beneath each coefficient its current number.

    The formula is drawn once for a width and scheme; new numbers repaint only their own line.

    Attributes: ``latex``, ``numbers`` (by the role of their coefficient, see app/formulas.py).
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.latex = ""
        self.numbers: dict[str, float] = {}
        self._layout: _Layout | None = None
        self._drawn = QPixmap()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(HEIGHT)
        theme().theme_changed.connect(self._recolour)

    def set_formula(self, latex: str, numbers: Mapping[str, float]) -> None:
        """Show a formula, and each number under the coefficient whose role has its name; others are not shown."""
        if latex != self.latex:
            self.latex = latex
            self.setAccessibleName(plain(latex))
            self._lay_out()
        if numbers != self.numbers:
            self.numbers = dict(numbers)
            self.setAccessibleDescription(", ".join(f"{name} {self.number_text(name)}" for name in numbers))
            self.update(0, self.height() - NUMBERS, self.width(), NUMBERS)

    def number_text(self, name: str) -> str:
        """A number as it is printed: always as wide."""
        return f"{self.numbers[name]: .{DECIMALS}f}".replace("-", "\u2212")

    def sizeHint(self) -> QSize:
        return QSize(296, self.height())

    def minimumSizeHint(self) -> QSize:
        return QSize(160, self.height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        if event.size().width() != event.oldSize().width():
            self._lay_out()

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self.latex:
            return
        painter = QPainter(self)
        if self._layout is None:
            self._lay_out()
        assert self._layout is not None
        if self._drawn.isNull() or self._drawn.devicePixelRatio() != self.devicePixelRatioF():
            self._drawn = self._draw(self._layout)
        painter.drawPixmap(0, 0, self._drawn)
        painter.setFont(font("caption", numbers=True))
        painter.setPen(QColor(palette().text))
        metrics = painter.fontMetrics()
        for name, centre in self._layout.centres.items():
            if name in self.numbers:
                text = self.number_text(name)
                painter.drawText(QPointF(centre - metrics.horizontalAdvance(text) / 2, self.height() - 5), text)

    def _lay_out(self) -> None:
        self._layout = self._fit() if self.latex else None
        if self._layout is not None and self.height() != self._layout.height:
            self.setFixedHeight(self._layout.height)
        self._recolour()

    @Slot()
    def _recolour(self) -> None:
        self._drawn = QPixmap()
        self.update()

    def _fit(self) -> _Layout:
        """The largest size that fits the width, and places for the numbers that do not overlap."""
        formula = typeset(self.latex)
        wide, high = self.width() - 2 * MARGIN, TALLEST - NUMBERS
        size = min(LARGEST, UNITS * wide / formula.bounds.width(), UNITS * high / formula.bounds.height())
        scale = size / UNITS
        left = MARGIN - formula.bounds.left() * scale
        height = math.ceil(formula.ascent(size) + formula.descent(size))
        baseline = height - formula.descent(size)
        width = QFontMetricsF(font("caption", numbers=True)).horizontalAdvance(f" {0:.{DECIMALS}f} ")
        wanted = {
            role: left + box.center().x() * scale for role, box in formula.boxes.items() if role not in QUANTITIES
        }
        centres = _apart(wanted, width, self.width())
        return _Layout(formula, size, QPointF(left, baseline), height + NUMBERS, centres)

    def _draw(self, layout: _Layout) -> QPixmap:
        ratio = self.devicePixelRatioF()
        drawn = QPixmap(self.size() * ratio)
        drawn.setDevicePixelRatio(ratio)
        drawn.fill(Qt.GlobalColor.transparent)
        painter = QPainter(drawn)
        layout.formula.paint(painter, layout.origin, layout.size, quantity_colours(), QColor(palette().text))
        painter.end()
        return drawn


def _apart(centres: Mapping[str, float], width: float, total: float) -> dict[str, float]:
    """The same middles, moved so that no two come closer than ``width`` and none leaves 0..total."""
    names = sorted(centres, key=lambda name: centres[name])
    placed: dict[str, float] = {}
    left = width / 2
    for name in names:
        placed[name] = max(centres[name], left)
        left = placed[name] + width
    right = total - width / 2
    for name in reversed(names):
        placed[name] = min(placed[name], right)
        right = placed[name] - width
    return placed
