"""Other processes that share what was imported: begun in milliseconds, and ended the hard way without harm."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable

CHANGES = frozenset(("open", "os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"))
"""What is done to a disk, as Python's audit events call it."""

can_fork = "fork" in multiprocessing.get_all_start_methods()


def forked(work: Callable[[], object], seconds: float = 60) -> int:
    """What became of a process that does ``work``: its exit code, or minus the number of the signal that ended it."""
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join(seconds)
    if process.is_alive():
        process.kill()
        raise TimeoutError("it did not end")
    assert process.exitcode is not None
    return process.exitcode


def die_at_change(number: int) -> None:
    """Let this process be killed right before it changes something on the disk for so many-th time."""
    left = number

    def look(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if event not in CHANGES or (event == "open" and not _writes(arguments)):
            return
        left -= 1
        if left == 0:
            die()

    sys.addaudithook(look)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _writes(arguments: tuple[object, ...]) -> bool:
    flags = arguments[2]
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR))
