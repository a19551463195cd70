"""An algorithm of a paper as a numbered listing, typeset, with the running line lit."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.theme import GRID, RADIUS, font, palette, theme
from app.widgets.caption import quantity_colours
from app.widgets.typeset import Typeset, plain, typeset

TITLE = 20
LINE = 20.0
"""The least height of a line."""
NUMBERS = 24
"""Width of the column of line numbers."""
INDENT = 14
SIZE = 15.0
SMALLEST = 9.0

_MATHEMATICS = re.compile(r"\$([^$]*)\$")


@dataclass(frozen=True)
class _Row:
    """A line laid out: words and formulas from ``left``, formulas in font ``size``."""

    parts: tuple[str | Typeset, ...]
    left: float
    size: float
    top: float
    height: float


class Algorithm(QWidget):
    """Lines of words and mathematics (between dollar signs); two leading spaces indent. Line 1 is the first.

    Attributes: ``title``, ``lines``, ``lit`` (the running line or None).
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = ""
        self.lines: tuple[str, ...] = ()
        self.lit: int | None = None
        self._rows: list[_Row] = []
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme().theme_changed.connect(self.update)

    def set_algorithm(self, title: str, lines: Sequence[str]) -> None:
        """Show another listing, with no line lit."""
        self.title, self.lines, self.lit = title, tuple(lines), None
        self.setAccessibleName(title)
        self._lay_out()
        self._describe()

    def light(self, line: int | None) -> None:
        """Light the line that is running (1 is the first); None lights none."""
        if line != self.lit:
            self.lit = line
            self._describe()
            self.update()

    def line_rect(self, line: int) -> QRectF:
        """Where a line is drawn."""
        row = self._rows[line - 1]
        return QRectF(0, row.top, self.width(), row.height)

    def sizeHint(self) -> QSize:
        return QSize(296, self._height())

    def minimumSizeHint(self) -> QSize:
        return QSize(160, self._height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        if event.size().width() != event.oldSize().width():
            self._lay_out()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        surfaces = palette()
        painter.setFont(font("caption"))
        painter.setPen(QColor(surfaces.quiet))
        painter.drawText(QRectF(0, 0, self.width(), TITLE - 4), Qt.AlignmentFlag.AlignVCenter, self.title)
        for number, row in enumerate(self._rows, start=1):
            rect, lit = self.line_rect(number), number == self.lit
            if lit:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(QColor(surfaces.line))
                painter.drawRoundedRect(rect, RADIUS, RADIUS)
            painter.setFont(font("caption", numbers=True, bold=lit))
            painter.setPen(QColor(surfaces.text if lit else surfaces.quiet))
            column = QRectF(0, row.top, NUMBERS - GRID, row.height)
            painter.drawText(column, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, str(number))
            self._paint_row(painter, row)

    @staticmethod
    def _paint_row(painter: QPainter, row: _Row) -> None:
        ink, colours = QColor(palette().text), quantity_colours()
        left, middle = row.left, row.top + row.height / 2
        baseline = middle + row.size * 0.3
        for part in row.parts:
            if isinstance(part, Typeset):
                ascent, descent = part.ascent(row.size), part.descent(row.size)
                if ascent + descent > LINE:  # tall formulas hang about the middle by their whole height
                    baseline = middle + (ascent - descent) / 2
                part.paint(painter, QPointF(left, baseline), row.size, colours, ink)
                left += part.width(row.size)
            else:
                painter.setFont(font("body"))
                painter.setPen(ink)
                painter.drawText(QPointF(left, baseline), part)
                left += QFontMetricsF(painter.font()).horizontalAdvance(part)

    def _lay_out(self) -> None:
        self._rows = []
        top = float(TITLE)
        for line in self.lines:
            self._rows.append(self._row(line, top))
            top += self._rows[-1].height
        if self.height() != self._height():
            self.setFixedHeight(self._height())
        self.update()

    def _row(self, line: str, top: float) -> _Row:
        words = line.lstrip()
        left = NUMBERS + INDENT * ((len(line) - len(words)) // 2)
        parts: list[str | Typeset] = []
        for place, part in enumerate(_MATHEMATICS.split(words)):
            if place % 2 == 1:
                parts.append(typeset(part))
            elif part:
                parts.append(part)
        metrics = QFontMetricsF(font("body"))
        fixed = sum(metrics.horizontalAdvance(part) for part in parts if isinstance(part, str))
        formulas = [part for part in parts if isinstance(part, Typeset)]
        wide = sum(formula.width(SIZE) for formula in formulas)
        room = self.width() - left - fixed - 4
        size = SIZE if wide <= max(room, 0) else max(SMALLEST, SIZE * room / wide)
        height = math.ceil(max([LINE, *(formula.ascent(size) + formula.descent(size) + 6 for formula in formulas)]))
        return _Row(tuple(parts), left, size, top, height)

    def _height(self) -> int:
        return int(self._rows[-1].top + self._rows[-1].height) + 1 if self._rows else TITLE

    def _describe(self) -> None:
        written = [
            f"{'now: ' if number == self.lit else ''}{number} {plain(line.replace('$', ''))}"
            for number, line in enumerate(self.lines, start=1)
        ]
        self.setAccessibleDescription("\n".join(written))
