"""Mathematics as painter paths: drawn once, painted in any colour, size and theme."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QPainter, QPainterPath

from app.widgets.typesetter import ROLE, UNITS, Drawing, drawing
from resources import FORMULAS

_TOKEN = re.compile(r"[MLQCHVZ]|-?\d*\.?\d+(?:e-?\d+)?")


@dataclass(frozen=True)
class Typeset:
    """A formula in units of ``UNITS`` a font size, its baseline at y = 0.

    Attributes: ``bounds``; ``pieces``, glyphs and rules with the role they were given by ``\\textcolor{role}{...}``
    ("" where none); ``boxes``, the extent of each role, what is nested in it included.
    """

    bounds: QRectF
    pieces: tuple[tuple[str, QPainterPath], ...]
    boxes: Mapping[str, QRectF]

    def paint(
        self, painter: QPainter, origin: QPointF, size: float, colours: Mapping[str, QColor], default: QColor
    ) -> None:
        """Paint with the baseline's left end at ``origin`` and ``size`` pixels of font size."""
        scale = size / UNITS
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.translate(origin)
        painter.scale(scale, scale)
        painter.setPen(Qt.PenStyle.NoPen)
        for role, path in self.pieces:
            painter.fillPath(path, QBrush(colours.get(role, default)))
        painter.restore()

    def width(self, size: float) -> float:
        return self.bounds.width() * size / UNITS

    def ascent(self, size: float) -> float:
        return -self.bounds.top() * size / UNITS

    def descent(self, size: float) -> float:
        return self.bounds.bottom() * size / UNITS


@lru_cache(maxsize=256)
def typeset(latex: str) -> Typeset:
    """LaTeX mathematics as paths; ``\\textcolor{role}{...}`` names roles rather than colours.

    What the window shows lies ready in a file (python -m resources.recipes.formulas); anything else is typeset now,
    which takes up to a few tenths of a second.
    """
    drawn = drawn_before().get(latex) or drawing(latex)
    pieces: list[tuple[str, QPainterPath]] = []
    boxes: dict[str, QRectF] = {}
    for roles, x, y, outline in drawn.pieces:
        path = _path(outline).translated(x, y)
        pieces.append((roles[-1] if roles else "", path))
        for role in roles:
            boxes[role] = boxes.get(role, QRectF()).united(path.boundingRect())
    return Typeset(QRectF(*drawn.bounds), tuple(pieces), boxes)


@cache
def drawn_before() -> Mapping[str, Drawing]:
    """The drawings in the file, by their LaTeX."""
    found = json.loads(FORMULAS.read_text("utf-8")) if FORMULAS.is_file() else {"outlines": [], "formulas": {}}
    outlines = found["outlines"]
    return {
        latex: Drawing(tuple(bounds), tuple((tuple(roles), x, y, outlines[at]) for roles, x, y, at in pieces))
        for latex, (bounds, pieces) in found["formulas"].items()
    }


def plain(latex: str) -> str:
    """The same formula in plain characters, for accessible names."""
    text = ROLE.sub("{", latex)
    for pattern, replacement in _PLAIN:
        text = re.sub(pattern, replacement, text)
    text = re.sub(r"_\{?([0-9t])\}?", lambda match: _SUBSCRIPTS[match.group(1)], text)
    text = text.replace("{", "").replace("}", "").replace("\\", "")
    return re.sub(r"\s+", " ", text).strip()


_SUBSCRIPTS = {**{str(digit): chr(0x2080 + digit) for digit in range(10)}, "t": "\u209c"}
_GREEK = {
    "alpha": "α",
    "beta": "β",
    "epsilon": "ε",
    "varepsilon": "ε",
    "sigma": "σ",
    "theta": "θ",
    "eta": "η",
    "nabla": "∇",
    "sim": "∼",
    "in": "∈",
    "sqrt": "√",
    "cdot": "·",
    "leftarrow": "←",
    "approx": "≈",
    "ldots": "…",
}
_PLAIN = (
    (r"\\[,;:!]", " "),
    (r"\\(?:left|right|quad|qquad|mathrm|mathcal|mathbf|text|displaystyle)(?![a-z])", ""),
    (r"\\hat\s*\{?(\\?[a-zA-Z]+)\}?", "\\1\u0302"),
    (r"\\tilde\s*\{?(\\?[a-zA-Z]+)\}?", "\\1\u0303"),
    (r"\\bar\s*\{?(\\?[a-zA-Z]+)\}?", "\\1\u0304"),
    (r"\\frac\{([^{}]*)\}\{([^{}]*)\}", r"\1/\2"),
    *((rf"\\{name}(?![a-z])", letter) for name, letter in _GREEK.items()),
)


@lru_cache(maxsize=1024)
def _path(data: str) -> QPainterPath:
    """An SVG path of absolute M, L, Q, C, H, V and Z commands."""
    path = QPainterPath()
    path.setFillRule(Qt.FillRule.WindingFill)
    tokens = _TOKEN.findall(data)
    at, command = 0, ""

    def take(count: int) -> list[float]:
        nonlocal at
        at += count
        return [float(token) for token in tokens[at - count : at]]

    while at < len(tokens):
        if tokens[at].isalpha():
            command = tokens[at]
            at += 1
        if command == "M":
            path.moveTo(*take(2))
            command = "L"
        elif command == "L":
            path.lineTo(*take(2))
        elif command == "H":
            path.lineTo(take(1)[0], path.currentPosition().y())
        elif command == "V":
            path.lineTo(path.currentPosition().x(), take(1)[0])
        elif command == "Q":
            path.quadTo(*take(4))
        elif command == "C":
            path.cubicTo(*take(6))
        else:
            path.closeSubpath()
    return path
