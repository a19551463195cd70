"""What asks this process to end is heard, but for what it was started to ignore."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from core.farewell import ENDING, on_farewell

KNOWN = [getattr(signal, name) for name in ENDING if hasattr(signal, name)]


@pytest.mark.parametrize("number", KNOWN)
def test_that_each_is_heard_and_given_back(number: signal.Signals, heeded: Callable[[int], None]) -> None:
    heard: list[int] = []
    heeded(number)
    before = signal.getsignal(number)
    give_back = on_farewell(lambda number, frame: heard.append(number))
    try:
        signal.raise_signal(number)
    finally:
        give_back()
    assert heard == [number]
    assert signal.getsignal(number) is before


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system knows no such signal")
def test_that_what_the_process_was_started_to_ignore_stays_ignored() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        give_back = on_farewell(lambda number, frame: heard.append(number))
        signal.raise_signal(signal.SIGHUP)
        give_back()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
    assert heard == []


def test_that_only_those_that_are_named_are_heard() -> None:
    before = signal.getsignal(signal.SIGTERM)
    give_back = on_farewell(lambda number, frame: None, ("SIGINT",))
    try:
        assert signal.getsignal(signal.SIGTERM) is before
    finally:
        give_back()
