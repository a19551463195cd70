"""How fast is the forward process under the slider? Run by hand.

    python -m tests.bench.forward

Prints the best of several runs: a million normal numbers, and x_t of a 640 x 480 colour picture as numbers and pixels.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from core.forward import Forward
from core.noise import initial_noise
from core.requests import ScheduleSpec
from core.schedules import make_schedule


def best(work: Callable[[], object], runs: int = 20) -> float:
    """Milliseconds of the fastest run."""
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return 1000 * min(times)


def main() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    forward = Forward(pixels, make_schedule(ScheduleSpec()), 0)
    noise, x_t, picture = (
        best(lambda: initial_noise(0, (1_000_000,))),
        best(lambda: forward.at(400)),
        best(lambda: forward.picture(400)),
    )
    print(f"a million normal numbers: {noise:.1f} ms")
    print(f"x_t of 640 x 480 x 3: {x_t:.2f} ms; as a picture {picture:.2f} ms")


if __name__ == "__main__":
    main()
