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
from core.training.keeping import LATEST

FILE = Path("training") / "at-work.json"

_CLAIMS = itertools.count()
"""So that an owner who goes late does not let go for the next one in this process."""


class Taken(Refusal):
    """Another process trains into the folder."""


def claim(folder: Path, owner: object) -> None:
    """Take a run's folder for this process until ``owner`` is gone; a process that has died holds nothing.

    Raises Taken where another process trains into it, and Refusal where nothing can be written.
    """
    check_free(folder)
    path = folder / FILE
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_refusal(path, error) from error
    mine = json.dumps({**_identity(os.getpid()), "claim": next(_CLAIMS), "run": folder.name})
    write_file(path, lambda stream: stream.write(mine.encode()))
    weakref.finalize(owner, _release, path, mine)


def is_taken(folder: Path) -> bool:
    """Whether another process trains into a run's folder."""
    return holder_of(folder) not in (None, os.getpid())


def check_free(folder: Path) -> None:
    """Raises Taken where another process trains into a run's folder."""
    holder = holder_of(folder)
    if holder is not None and holder != os.getpid():
        raise Taken(
            f"“{folder.name}” is being trained by another window or command (process {holder}). "
            "Stop it there first, or begin another training here."
        )


def hold(folder: Path, owner: object) -> str:
    """Before something more is written into a folder that this process has claimed. Where it was deleted or moved
    meanwhile it is claimed anew: what has become of it, for the person, else "".

    Raises Taken where another process, perhaps of another computer, has claimed it since; Refusal where nothing can be
    written, or the place of the folder is gone, as where a drive was taken away.
    """
    process = _named(folder)
    if process == os.getpid():
        return ""
    if process is not None:
        raise Taken(
            f"“{folder.name}” is being trained by another window or command (process {process}) as well. This one ends "
            "here, so that neither spoils what the other writes."
        )
    if not folder.parent.is_dir():
        raise Refusal(f"The folder {folder.parent} is gone. Bring it back (is its drive connected?), then go on.")
    is_whole = (folder / LATEST).is_file()
    claim(folder, owner)
    if is_whole:
        return ""
    other = _renamed(folder)
    if other:
        return f"its folder was renamed to “{other}”, so it goes on in a new one under its old name"
    return "its folder was deleted or moved, so it goes on in a new one"


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


def _named(folder: Path) -> int | None:
    """The process that a claim names, dead or alive."""
    try:
        return int(read_json(folder / FILE)["process"])
    except (Refusal, OSError, ValueError, KeyError, TypeError, OverflowError):
        return None


def _renamed(folder: Path) -> str:
    """What a folder that this process has trained into is called now, "" where none beside it bears its claim. Nobody
    trains into that one."""
    with contextlib.suppress(Refusal, OSError):
        for other in sorted(folder.parent.iterdir()):
            if holder_of(other) == os.getpid() and read_json(other / FILE).get("run") == folder.name != other.name:
                release(other)
                return other.name
    return ""


def _identity(process: int) -> dict[str, float]:
    return {"process": process, "born": round(psutil.Process(process).create_time(), 1)}


def _release(path: Path, mine: str) -> None:
    try:
        if path.read_text() == mine:
            path.unlink()
    except OSError:
        return
