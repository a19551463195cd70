"""A symbol under a picture or beside a curve: typeset as mathematics, in its quantity's colour."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QPointF
from PySide6.QtGui import QColor, QPainter

from app.theme import QUANTITIES, colour
from app.widgets import typeset


def quantity_colours() -> Mapping[str, QColor]:
    """Every quantity's colour in the scheme in force, for ``Typeset.paint``."""
    return {quantity: colour(quantity) for quantity in QUANTITIES}


def paint_symbol(painter: QPainter, latex: str, baseline: QPointF, size: float, default: QColor) -> float:
    """Paint a symbol with its baseline's left end at ``baseline`` and return its width in pixels."""
    if not latex:
        return 0.0
    formula = typeset.typeset(latex)
    formula.paint(painter, baseline, size, quantity_colours(), default)
    return formula.width(size)
