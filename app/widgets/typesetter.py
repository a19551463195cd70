"""Turns LaTeX mathematics into outlines: slow, up to a few tenths of a second a formula (see typeset.py)."""

from __future__ import annotations

import importlib
import re
import warnings
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from xml.etree import ElementTree

UNITS = 20.0
"""The font size, in its own units, in which everything is typeset."""
DECIMALS = 2

ROLE = re.compile(r"\\textcolor\{([^{}]+)\}\{")

Piece = tuple[tuple[str, ...], float, float, str]


@dataclass(frozen=True, slots=True)
class Drawing:
    """A formula in units of ``UNITS`` a font size, its baseline at y = 0.

    ``bounds`` are left, top, width and height. ``pieces`` are glyphs and rules: the roles that they were given by
    ``\\textcolor{role}{...}`` from the outermost, a place, and an outline from there in the language of SVG's paths, in
    which the same glyph is always the same.
    """

    bounds: tuple[float, float, float, float]
    pieces: tuple[Piece, ...]


def drawing(latex: str) -> Drawing:
    """Typeset LaTeX mathematics; ``\\textcolor{role}{...}`` names roles rather than colours."""
    marked, chains = _mark(latex)
    svg = ElementTree.fromstring(_library().Latex(marked, size=UNITS, color="#000000").svg())
    pieces: list[Piece] = []
    for element in svg.iter():
        tag = element.tag.rpartition("}")[2]
        if tag == "path":
            placed = _placed(element.get("d", ""))
        elif tag == "rect":
            placed = _rectangle(element)
        else:
            continue
        pieces.append((chains[int(element.get("fill", "#000000")[1:], 16)], *placed))
    left, top, width, height = (float(number) for number in svg.get("viewBox", "0 0 0 0").split())
    return Drawing((left, top, width, height), tuple(pieces))


@cache
def _library() -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it opens its font the old way
        library = importlib.import_module("ziamath")
    library.config.svg2 = False
    return library


def _placed(data: str) -> tuple[float, float, str]:
    """An SVG path of absolute M, L, Q, C, H, V and Z commands as its first point and the same path from there."""
    tokens = data.split()
    x, y = float(tokens[1]), float(tokens[2])
    moved: list[str] = []
    command, coordinate = "M", 0
    for token in tokens:
        if token.isalpha():
            command, coordinate = token, 0
            moved.append(token)
        else:
            across = command == "H" or (command != "V" and coordinate % 2 == 0)
            moved.append(_written(float(token) - (x if across else y)))
            coordinate += 1
    return x, y, " ".join(moved)


def _rectangle(element: ElementTree.Element) -> tuple[float, float, str]:
    x, y, width, height = (float(element.get(name, "0")) for name in ("x", "y", "width", "height"))
    return x, y, f"M 0 0 H {_written(width)} V {_written(height)} H 0 Z"


def _written(number: float) -> str:
    return f"{round(number, DECIMALS) + 0.0:g}"


def _mark(latex: str) -> tuple[str, list[tuple[str, ...]]]:
    """The same formula with a numbered colour for every role, and each number's chain of roles from the outermost."""
    chains: list[tuple[str, ...]] = [()]
    open_braces = [chains[0]]
    marked = ""
    at = 0
    while at < len(latex):
        found = ROLE.match(latex, at)
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
