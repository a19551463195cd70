"""Files of named arrays in a run's folder, read as what they are: perhaps damaged, never run. Torch-free."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from core.errors import Refusal

Read = TypeVar("Read")
_TROUBLE = (
    *(Refusal, OSError, ValueError, KeyError, TypeError, IndexError, AttributeError),
    *(EOFError, MemoryError, zipfile.BadZipFile),
)


class Damaged(Exception):
    """A file that is not what it should be; the message says why."""


def read_arrays(path: Path, most: int, what: str, read: Callable[[np.lib.npyio.NpzFile], Read]) -> Read:
    """What ``read`` makes of the arrays of an npz file; unpacked they take at most ``most`` bytes.

    Raises Damaged where that cannot be: ``what`` names what they are, such as "a history".
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            if sum(member.file_size for member in kept.zip.infolist()) > most:
                raise ValueError(f"it is larger than {what} can be")
            return read(kept)
    except _TROUBLE as error:
        raise Damaged(str(error)) from error
