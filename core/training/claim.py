"""Who trains into a run's folder: one process at a time."""

from __future__ import annotations

import json
import os
import weakref
from pathlib import Path

import psutil

from core.errors import Refusal
from core.files import write_file, write_refusal

FILE = Path("training") / "at-work.json"


def claim(folder: Path, owner: object) -> None:
    """Take a run's folder for this process until ``owner`` is gone; a process that has died holds nothing.

    Raises Refusal where another process trains into it, or where nothing can be written.
    """
    path = folder / FILE
    holder = _holder(path)
    if holder is not None and holder != os.getpid():
        raise Refusal(
            f"“{folder.name}” is being trained by another window or command (process {holder}). "
            "Stop it there first, or begin another training here."
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_refusal(path, error) from error
    mine = json.dumps(_identity(os.getpid()))
    write_file(path, lambda stream: stream.write(mine.encode()))
    weakref.finalize(owner, _release, path, mine)


def _holder(path: Path) -> int | None:
    """The living process that the file names; a number is used again, so its time of birth counts too."""
    try:
        held = json.loads(path.read_text())
        return int(held["process"]) if held == _identity(int(held["process"])) else None
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return None


def _identity(process: int) -> dict[str, float]:
    return {"process": process, "born": round(psutil.Process(process).create_time(), 1)}


def _release(path: Path, mine: str) -> None:
    try:
        if path.read_text() == mine:
            path.unlink()
    except OSError:
        return
