"""The signals by which this process is asked to end, all of which leave it the time to save what it has learned."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

Handler = Callable[[int, FrameType | None], Any]

ENDING = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
"""Ctrl+C, a logout or ``kill``, a closed terminal, and Ctrl+Break; no system knows all of them."""


def on_farewell(handler: Handler, names: tuple[str, ...] = ENDING) -> Callable[[], None]:
    """Let ``handler`` have them; what gives them back. What this process was started to ignore, as by ``nohup``, it
    goes on to ignore, but for Ctrl+C."""
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    heard = [one for one in numbers if one == signal.SIGINT or signal.getsignal(one) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in heard}

    def give_back() -> None:
        for number, former in before.items():
            signal.signal(number, former)

    return give_back
