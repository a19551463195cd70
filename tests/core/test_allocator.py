"""Freed memory is kept for the next step, and given back when there is none."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from core import engine as engine_module
from core.allocator import give_back_freed_memory, keep_freed_memory
from core.engine import Engine

ASK_AGAIN = """
import resource, sys, threading
import numpy as np, psutil
from core.allocator import give_back_freed_memory, keep_freed_memory

if sys.argv[1] == "keep":
    assert keep_freed_memory()

def ask():
    np.ones(8_000_000)  # 64 MB

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        ask()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def work():
    ask()
    print(faults())

thread = threading.Thread(target=work)
thread.start()
thread.join()
before = psutil.Process().memory_info().rss
give_back_freed_memory()
print(before - psutil.Process().memory_info().rss)
"""
has_glibc = pytest.mark.skipif(sys.platform != "linux", reason="needs glibc")


def told(what: str) -> tuple[int, int]:
    """Pages that were cleared while a thread asked for 64 MB five times, and bytes that could be given back."""
    done = subprocess.run([sys.executable, "-c", ASK_AGAIN, what], capture_output=True, text=True, check=True)
    faults, given_back = done.stdout.split()
    return int(faults), int(given_back)


@has_glibc
def test_that_memory_that_was_freed_is_not_cleared_again_for_the_next_step_and_can_be_given_back() -> None:
    faults, given_back = told("keep")
    assert faults < 1000
    assert given_back > 50_000_000


@has_glibc
def test_that_by_itself_it_is_cleared_again_each_time() -> None:
    faults, _given_back = told("leave")
    assert faults > 5 * 64_000_000 / 2**21  # pages are of 4 kB, or of 2 MB


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_that_elsewhere_nothing_is_changed(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    assert not keep_freed_memory()
    give_back_freed_memory()


def test_that_the_engine_gives_memory_back_when_it_has_rested_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    given_back = threading.Event()
    monkeypatch.setattr(engine_module, "REST_SECONDS", 0.01)
    monkeypatch.setattr(engine_module, "give_back_freed_memory", given_back.set)
    engine = Engine(device="cpu")
    engine.start()
    try:
        assert given_back.wait(30)
    finally:
        assert engine.stop(30)
