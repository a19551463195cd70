"""What is bundled with the program: sample pictures and models."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).resolve().parent
FORMULAS = FOLDER / "formulas.json"
"""Drawings of the formulas that the window shows (python -m resources.recipes.formulas)."""

_PICTURES = {".png", ".jpg", ".jpeg", ".webp"}


class Bundled(NamedTuple):
    """A bundled thing: ``name`` is what a person calls it, ``path`` a file (picture) or a folder (model)."""

    name: str
    path: Path


def samples() -> tuple[Bundled, ...]:
    """The sample pictures, photographs first; a file's name without its ending is its name."""
    folder = FOLDER / "samples"
    found = [path for path in folder.rglob("*") if path.suffix.lower() in _PICTURES]
    found.sort(key=lambda path: (path.parent.name != "photos", path.relative_to(folder).as_posix()))
    return tuple(Bundled(path.stem.replace("_", " "), path) for path in found)


def licences() -> tuple[Bundled, ...]:
    """The texts that say whose the bundled things are and what may be done with them, by the folder they stand in."""
    found = sorted(FOLDER.rglob("LICENCE*.md"), key=lambda path: path.as_posix())
    return tuple(Bundled(path.parent.name, path) for path in found)


def models() -> tuple[Bundled, ...]:
    """The bundled model folders."""
    folder = FOLDER / "models"
    found = sorted({path.parent for path in folder.glob("*/model_index.json")}) if folder.is_dir() else []
    return tuple(Bundled(path.name, path) for path in found)
