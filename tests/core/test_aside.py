"""Arithmetic in a thread of its own, whose owner stays answerable."""

import threading
import time

import pytest

from core.errors import Cancelled
from core.evaluation.aside import aside


def test_that_others_are_served_until_the_work_is_done() -> None:
    served = threading.Event()
    assert aside(lambda: served.wait(5), served.set)


def test_that_what_the_work_raises_is_raised() -> None:
    def fail() -> None:
        raise MemoryError("no room")

    with pytest.raises(MemoryError, match="no room"):
        aside(fail, lambda: None)


def test_that_whoever_leaves_does_not_wait_for_the_work() -> None:
    done = threading.Event()

    def stop() -> None:
        raise Cancelled

    began = time.perf_counter()
    with pytest.raises(Cancelled):
        aside(lambda: done.wait(5), stop)
    assert time.perf_counter() - began < 1
    done.set()
