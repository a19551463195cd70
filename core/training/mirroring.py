"""Whether pictures may be shown mirrored without becoming something else. Torch-free."""

from __future__ import annotations

import re
from collections.abc import Iterable

from core.likeness import FEATURES
from core.training.picture_folder import PictureFolder

_SIDED = """
left right west east clockwise counterclockwise anticlockwise arrow arrows pointing direction
digit digits number numbers numeral numerals mnist emnist kmnist svhn letter letters alphabet character characters
glyph glyphs font fonts text texts word words writing handwriting handwritten calligraphy kanji hiragana katakana
hangul symbol symbols sign signs signal logo logos flag flags clock clocks map maps chess notes score sheet
qr barcode plate plates zero one two three four five six seven eight nine
"""
SIDED = frozenset(_SIDED.split())
"""Words in the names of folders and files whose pictures are something else in a mirror."""
IN_FILES = 0.02
"""The share of files whose names must say so."""
BLACK_OR_WHITE = 0.7
"""The share of pixels of grey pictures from which on they look like writing."""
MOST = 3


def flip_suggestion(data: PictureFolder) -> tuple[bool, str]:
    """Whether mirroring half of these pictures suits them, and why, as a sentence.

    It does not where a class, the folder or the files are named after what has a left and a right: digits, letters,
    flags, arrows, signs. Nor where grey pictures are nearly all black and white, as writing is.
    """
    sided = [name for name in data.classes if _is_sided(name) or _is_symbol(name)]
    if sided:
        named = ", ".join(f"“{name}”" for name in sided[:MOST]) + ("…" if len(sided) > MOST else "")
        rest = " Mirror none, or all but these." if len(sided) < len(data.classes) else ""
        return False, f"Pictures of {named} become something else in a mirror.{rest}"
    if _is_sided(data.name):
        return False, f"Pictures of “{data.name}” become something else in a mirror."
    files = [path.rpartition("/")[2].rpartition(".")[0] for path in data.paths]
    by_name = [name for name in files if _is_sided(name)]
    if by_name and len(by_name) >= IN_FILES * len(files):
        return False, f"By their names, {len(by_name):,} pictures become something else in a mirror, as “{by_name[0]}”."
    if data.pictures.shape[3] == 1 and len(data) and _black_or_white(data.statistics) >= BLACK_OR_WHITE:
        return (
            False,
            "These pictures are nearly all black and white, as writing is, and writing has a left and a right.",
        )
    return True, "Pictures like these stay what they are in a mirror, and the network learns from twice as many."


def _is_sided(name: str) -> bool:
    return any(word in SIDED for word in _words(name))


def _words(name: str) -> Iterable[str]:
    return (word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name))


def _is_symbol(name: str) -> bool:
    """A class called "7" or "b" holds digits or letters."""
    return len(name) == 1 and name.isalnum()


def _black_or_white(statistics: tuple[float, ...]) -> float:
    """The median share of pixels that are nearly black or nearly white."""
    shares = [3 * index + 1 for index, feature in enumerate(FEATURES) if feature.lower in ("less black", "less white")]
    return sum(statistics[index] for index in shares)
