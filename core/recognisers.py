"""Opening what recognises pictures: a bundled classifier, a classifier's folder, a file of Inception weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.errors import Refusal
from core.library import Recogniser


@dataclass(frozen=True, slots=True)
class OpenRecogniser:
    """A recogniser with its weights in memory, and where it lies."""

    recogniser: Recogniser
    folder: Path


def open_recogniser(name_or_path: str | Path, device: str = "auto") -> OpenRecogniser:
    """Raises Refusal, in words, for what cannot be opened."""
    raise Refusal(f"There is no classifier “{name_or_path}”.")
