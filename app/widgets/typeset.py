"""Mathematics as painter paths: typeset once, painted in any colour, size and theme."""

from __future__ import annotations

import importlib
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from xml.etree import ElementTree

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QPainter, QPainterPath

UNITS = 20.0
"""The font size, in its own units, in which everything is typeset; ``paint`` scales it."""

_ROLE = re.compile(r"\\textcolor\{([^{}]+)\}\{")
_TOKEN = re.compile(r"[MLQCHVZ]|-?\d*\.?\d+(?:e-?\d+)?")
_math: ModuleType | None = None


def load() -> None:
    """Import the typesetting library (a few tenths of a second; wait until something is on the screen)."""
    global _math
    if _math is None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # it opens its font the old way
            _math = importlib.import_module("ziamath")
        _math.config.svg2 = False


def is_loaded() -> bool:
    return _math is not None


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
    """Typeset LaTeX mathematics; ``\\textcolor{role}{...}`` names roles rather than colours. ``load`` comes first."""
    assert _math is not None, "load() comes first"
    marked, chains = _mark(latex)
    svg = ElementTree.fromstring(_math.Latex(marked, size=UNITS, color="#000000").svg())
    pieces: list[tuple[str, QPainterPath]] = []
    boxes: dict[str, QRectF] = {}
    for element in svg.iter():
        tag = element.tag.rpartition("}")[2]
        if tag not in ("path", "rect"):
            continue
        path = _path(element.get("d", "")) if tag == "path" else _rectangle(element)
        chain = chains[int(element.get("fill", "#000000")[1:], 16)]
        pieces.append((chain[-1], path))
        for role in chain[1:]:
            boxes[role] = boxes.get(role, QRectF()).united(path.boundingRect())
    left, top, width, height = (float(number) for number in svg.get("viewBox", "0 0 0 0").split())
    return Typeset(QRectF(left, top, width, height), tuple(pieces), boxes)


def plain(latex: str) -> str:
    """The same formula in plain characters, for accessible names and until the library is there."""
    text = _ROLE.sub("{", latex)
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


def _rectangle(element: ElementTree.Element) -> QPainterPath:
    path = QPainterPath()
    path.addRect(*(float(element.get(name, "0")) for name in ("x", "y", "width", "height")))
    return path


def _mark(latex: str) -> tuple[str, list[tuple[str, ...]]]:
    """The same formula with a numbered colour for every role, and each number's chain of roles from the outermost."""
    chains: list[tuple[str, ...]] = [("",)]
    open_braces = [chains[0]]
    marked = ""
    at = 0
    while at < len(latex):
        found = _ROLE.match(latex, at)
        if found:
            chains.append((*open_braces[-1], found.group(1)))
            open_braces.append(chains[-1])
            marked += rf"\textcolor{{#{len(chains) - 1:06x}}}{{"
            at = found.end()
            continue
        if latex[at] == "{":
            open_braces.append(open_braces[-1])
        elif latex[at] == "}":
            open_braces.pop()
        marked += latex[at]
        at += 1
    return marked, chains
