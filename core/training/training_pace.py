"""How fast this machine trains: remembered of the runs that there were, else guessed from a moment's arithmetic.

Torch-free. Kept as floating-point operations of the network a second, three times those of its way forward, in
``training-pace.json`` in the cache's folder.
"""

from __future__ import annotations

import contextlib
import json
import math
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from core.errors import Refusal
from core.files import write_file
from core.folders import cache_folder
from core.json_file import read_json

FORTH_AND_BACK = 3
"""A step costs the way forward, and the way back costs twice as much."""
MOST = 100
"""Paces that are remembered."""
SHARE = 0.8
"""Of the pace of matrix products that a training of convolutions comes to."""
GUESSED = {"cuda": 1.5e13, "mps": 1.5e12}
"""Of other devices, whose arithmetic is not tried."""


@dataclass(frozen=True, slots=True)
class TrainingPace:
    """``flops`` a second; ``is_known`` where a run of a network much like this one has had it on this machine."""

    flops: float
    is_known: bool


def training_pace(device: str, flops: int) -> TrainingPace:
    """That of a network of so many operations a picture (forward) on ``device`` ("cpu", "cuda:1", ...)."""
    known = {size: pace for (where, size), pace in _remembered().items() if where == device}
    if known:
        nearest = min(known, key=lambda size: abs(math.log(size / flops)))
        return TrainingPace(known[nearest], abs(math.log(nearest / flops)) < math.log(2))
    kind = device.partition(":")[0]
    return TrainingPace(GUESSED[kind] if kind in GUESSED else _arithmetic(), False)


def remember_pace(device: str, flops: int, pictures_per_second: float) -> None:
    """Keep what a run has come to with a network of so many operations a picture."""
    pace = FORTH_AND_BACK * flops * pictures_per_second
    if flops < 1 or not 0 < pace < math.inf:
        return
    paces = _remembered()
    paces.pop((device, flops), None)
    paces[device, flops] = pace
    kept = [[where, size, pace] for (where, size), pace in list(paces.items())[-MOST:]]
    with contextlib.suppress(Refusal, OSError):
        text = json.dumps({"paces": kept})
        write_file(_file(), lambda stream: stream.write(text.encode()))


def _file() -> Path:
    return cache_folder() / "training-pace.json"


def _remembered() -> dict[tuple[str, int], float]:
    try:
        rows = read_json(_file())["paces"]
        return {(str(where), int(size)): float(pace) for where, size, pace in rows if int(size) > 0 and pace > 0}
    except (Refusal, KeyError, TypeError, ValueError):
        return {}


@cache
def _arithmetic() -> float:
    """The best of some products of matrices, in the share that trainings come to. Each takes less than a millisecond,
    so that one of them is left in peace where the machine is busy."""
    side, best = 256, 0.0
    matrix = np.ones((side, side), np.float32)
    for _ in range(40):
        start = time.perf_counter()
        matrix @ matrix
        best = max(best, 2 * side**3 / max(time.perf_counter() - start, 1e-9))
    return SHARE * best
