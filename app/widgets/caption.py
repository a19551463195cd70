"""A symbol under a picture or beside a curve: typeset as mathematics, in its quantity's colour."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QPointF, QTimer
from PySide6.QtGui import QColor, QFontMetricsF, QPainter
from PySide6.QtWidgets import QWidget

from app.theme import QUANTITIES, colour, font
from app.widgets import typeset


def quantity_colours() -> Mapping[str, QColor]:
    """Every quantity's colour in the scheme in force, for ``Typeset.paint``."""
    return {quantity: colour(quantity) for quantity in QUANTITIES}


def typeset_when_idle(widget: QWidget) -> bool:
    """Whether mathematics can be typeset now; if not, load the library after this paint and repaint ``widget``."""
    if typeset.is_loaded():
        return True

    def finish() -> None:
        typeset.load()
        widget.update()

    QTimer.singleShot(0, widget, finish)
    return False


def paint_symbol(
    painter: QPainter, widget: QWidget, latex: str, baseline: QPointF, size: float, default: QColor
) -> float:
    """Paint a symbol with its baseline's left end at ``baseline`` and return its width in pixels."""
    if not latex:
        return 0.0
    if typeset_when_idle(widget):
        formula = typeset.typeset(latex)
        formula.paint(painter, baseline, size, quantity_colours(), default)
        return formula.width(size)
    text = typeset.plain(latex)
    painter.setFont(font("body"))
    painter.setPen(default)
    painter.drawText(baseline, text)
    return QFontMetricsF(painter.font()).horizontalAdvance(text)
