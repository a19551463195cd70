"""A corpus of files and folders that are malicious, broken, or something else than a model.

Each case writes itself and says which words a person must be told. Whatever would run leaves a file called ``RAN``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

RAN = "ran"


@dataclass(frozen=True)
class Case:
    """``write`` puts it into an empty folder and returns what is to be opened; ``words`` is a pattern of the
    refusal."""

    name: str
    write: Callable[[Path], Path]
    words: str


def all_cases() -> Iterator[Case]:
    from tests.hostile import files, folders, other_kinds, pickles

    yield from pickles.cases()
    yield from files.cases()
    yield from folders.cases()
    yield from other_kinds.cases()
