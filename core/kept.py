"""What was made of a large picture, kept as long as the picture: several parts of the window ask for the same."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable

import numpy as np
from numpy.typing import NDArray

LARGE = 1_000_000
"""Bytes of a picture from which on it is worth keeping; smaller ones are made again in no time."""
MOST = 12
"""Results that are kept of one picture, those last asked for."""

Pixels = NDArray[np.uint8]
_kept: dict[int, dict[Hashable, Pixels]] = {}


def remembered(picture: Pixels, question: Hashable, make: Callable[[], Pixels]) -> Pixels:
    """``make()``, or what it returned when ``question`` was last asked about the same array.

    Only large arrays that cannot be written to are remembered; the answer cannot be written to either then. May be
    called from any thread.
    """
    if picture.nbytes < LARGE or picture.flags.writeable:
        return make()
    key = id(picture)
    if key not in _kept:
        _kept[key] = {}
        weakref.finalize(picture, _kept.pop, key, None)
    answers = _kept[key]
    found = answers.pop(question, None)
    if found is None:
        found = make()
        found.flags.writeable = False
        for oldest in list(answers)[: max(0, len(answers) + 1 - MOST)]:
            answers.pop(oldest, None)
    answers[question] = found  # the last asked for is the last to go
    return found
