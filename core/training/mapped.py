"""Pictures that are mapped from a file. Torch-free.

Where somebody cuts such a file short, whoever reads beyond its new end is ended by the system (SIGBUS) without a word.
So before much is read it is looked whether the file is as long as it was.
"""

from __future__ import annotations

import mmap

import numpy as np
from numpy.typing import NDArray

from core.errors import Refusal


class CutShort(Refusal):
    """The file that pictures are mapped from is shorter than it was."""


def check_whole(pictures: NDArray[np.uint8]) -> None:
    """Raises CutShort where the file of ``pictures`` is; those that lie in memory always pass. Takes a microsecond."""
    file = _file_of(pictures)
    if file is None:
        return
    try:
        length, trouble = file.size(), ""
    except OSError as error:
        length, trouble = 0, repr(error)
    if length < len(file):
        raise CutShort(
            "The decoded pictures of this folder have been cut short on the disk while they were in use. "
            "Open the folder again: they are then decoded anew.",
            trouble or f"{length} of {len(file)} bytes are left",
        )


def _file_of(pictures: object) -> mmap.mmap | None:
    while isinstance(pictures, np.ndarray):
        pictures = pictures.base
    return pictures if isinstance(pictures, mmap.mmap) else None
