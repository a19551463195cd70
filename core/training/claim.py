"""Who trains into a run's folder: one process at a time."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import weakref
from pathlib import Path

import psutil

from core.errors import Refusal
from core.files import write_file, write_refusal
from core.json_file import read_json

FILE = Path("training") / "at-work.json"

_CLAIMS = itertools.count()
"""So that an owner who goes late does not let go for the next one in this process."""


def claim(folder: Path, owner: object) -> None:
    """Take a run's folder for this process until ``owner`` is gone; a process that has died holds nothing.

    Raises Refusal where another process trains into it, or where nothing can be written.
    """
    path = folder / FILE
    holder = holder_of(folder)
    if holder is not None and holder != os.getpid():
        raise Refusal(
            f"“{folder.name}” is being trained by another window or command (process {holder}). "
            "Stop it there first, or begin another training here."
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_refusal(path, error) from error
    mine = json.dumps({**_identity(os.getpid()), "claim": next(_CLAIMS)})
    write_file(path, lambda stream: stream.write(mine.encode()))
    weakref.finalize(owner, _release, path, mine)


def was_left(folder: Path) -> bool:
    """Whether whoever trained into a run's folder died without a word: the process it names is no more."""
    return (folder / FILE).is_file() and holder_of(folder) is None


def release(folder: Path) -> None:
    """Take away the name of a process that is no more, or of this one, whose training there has ended; another one that
    lives keeps its own."""
    if holder_of(folder) in (None, os.getpid()):
        with contextlib.suppress(OSError):
            (folder / FILE).unlink()


def holder_of(folder: Path) -> int | None:
    """The living process that trains into a run's folder, None where there is none. A number is used again, so its time
    of birth counts too."""
    try:
        held = read_json(folder / FILE)
        named = _identity(int(held["process"]))
        return int(held["process"]) if all(held.get(key) == value for key, value in named.items()) else None
    except (Refusal, OSError, ValueError, KeyError, TypeError, OverflowError, psutil.Error):
        return None


def _identity(process: int) -> dict[str, float]:
    return {"process": process, "born": round(psutil.Process(process).create_time(), 1)}


def _release(path: Path, mine: str) -> None:
    try:
        if path.read_text() == mine:
            path.unlink()
    except OSError:
        return
