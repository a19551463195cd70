"""Is the window still fluid while a training runs and everything of it is watched? Run by hand, on a quiet machine.

    python -m tests.bench.training_window [--steps 200000] [--pictures 20000] [--seconds 20] [--stacks]

Trains in the real program, draws, validates and saves, shows every curve of a training of very many steps, compares
with training pictures, and reads a large folder meanwhile. Prints for each the longest time between two turns of the
event loop (wall), the most that the GUI thread computed in one of them, and what it computed in all.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Awaitable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from core.training.events import LEVELS, Validated

if TYPE_CHECKING:
    from app.bridge import Bridge
    from app.window import MainWindow
    from tests.bench.fluidity import Bench

TRAINED_ON, SIDE, CLASSES = 2000, 32, 4


def write_pictures(folder: Path, count: int) -> None:
    """Squares of noise on colours of their own, in classes."""
    rng = np.random.default_rng(count)
    for number in range(count):
        place = folder / str(number % CLASSES)
        place.mkdir(parents=True, exist_ok=True)
        picture = rng.integers(0, 256, 3) * 0.7 + rng.integers(0, 77, (SIDE, SIDE, 3))
        Image.fromarray(picture.astype(np.uint8)).save(place / f"{number}.png", compress_level=1)


def long_curves(steps: int) -> dict[str, Any]:
    """What would be known of a training after so many steps."""
    rng = np.random.default_rng(0)
    falling = 0.05 + 0.5 * np.exp(-np.arange(steps) / (steps / 5))
    noisy = np.exp(rng.normal(0, 0.3, (steps, LEVELS + 2)))
    known = np.zeros(LEVELS, np.float32)
    return {
        "losses": (falling * noisy[:, 0]).astype(np.float32),
        "norms": (falling * noisy[:, 1]).astype(np.float32),
        "rates": np.full(steps, 1e-3, np.float32),
        "by_level": (falling[:, None] * noisy[:, 2:]).astype(np.float32),
        "validated": tuple(Validated(step, float(falling[step]), known) for step in range(250, steps, 250)),
    }


async def use(bench: Bench, home: Path, options: argparse.Namespace) -> None:
    from core.messages import TrainingTick
    from core.training.order import Instruction
    from tests.bench.window import until

    await until(lambda: bench.window.state.model is not None)
    bench.show("train")
    stage: Any = bench.window.stage

    def opened(folder: Path) -> Awaitable[None]:
        stage.handle_folder(folder)
        return until(lambda: stage.setup.loader.folder is None, 600)

    await opened(home / "small")
    controls = stage.setup.controls
    controls.side.set_value(str(SIDE))
    await until(lambda: stage.setup.loader.folder is None and stage.setup.data is not None, 60)
    await until(stage.setup.start.isEnabled, 120)
    stage.start()
    await until(lambda: stage.course is not None and stage.course.step > 2, 300)
    course = stage.course

    await bench.doing(f"watched for {options.seconds} s: drawn, saved", lambda: asyncio.sleep(options.seconds))
    curves = long_curves(options.steps)
    before = {name: getattr(course, name) for name in curves}

    async def ticks() -> None:
        numbers, by_level = np.full(3, 0.1, np.float32), np.full((3, LEVELS), 0.1, np.float32)
        for _ in range(20):
            for name, known in curves.items():  # what the training itself has told meanwhile is much shorter
                setattr(course, name, known)
            course.receive(
                TrainingTick(
                    course.job, options.steps + 1, numbers, 9.0, 60.0, 0.5, numbers, rates=numbers, by_level=by_level
                )
            )
            stage.flush()
            await asyncio.sleep(0.1)

    for key in stage.view.curves.choice.options():
        stage.view.curves.choice.set_value(key)
        await bench.doing(f"curve of {options.steps:,} steps: {key}", ticks)
    stage.view.curves.choice.set_value("loss")
    for name, known in before.items():
        setattr(course, name, known)

    async def drawn_now() -> None:
        before = len(course.samples)
        stage.trainings.instruct(course, Instruction(draw=True))
        await until(lambda: len(course.samples) > before or not course.will_draw, 120)

    await bench.doing("samples drawn now", drawn_now)

    async def paused() -> None:
        stage.trainings.pause_or_resume(course)
        await until(lambda: course.state == "paused", 60)
        await drawn_now()
        stage.trainings.pause_or_resume(course)
        await until(lambda: course.state == "running", 60)

    await bench.doing("paused, drawn, resumed", paused)

    async def nearest() -> None:
        stage.view.pages.set_current("nearest")
        await until(lambda: stage.view.nearest_page.start.isEnabled(), 120)
        stage.view.nearest_page.start.click()
        await until(lambda: not stage.shown.nearest.is_busy, 300)
        stage.view.pages.set_current("samples")

    await bench.doing("nearest training pictures", nearest)
    await bench.doing(f"folder of {options.pictures:,} read beside it", lambda: opened(home / "large"), 1)
    stage.shown.look_at(course)

    async def stopped() -> None:
        stage.trainings.stop(course)
        await bench.rest()

    await bench.doing("stopped and saved", stopped)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=200_000, help="of the curves that are shown")
    parser.add_argument("--pictures", type=int, default=20_000, help="in the folder that is read meanwhile")
    parser.add_argument("--seconds", type=float, default=20, help="for which the training alone is watched")
    parser.add_argument("--stacks", action="store_true", help="say also where the GUI thread was")
    options = parser.parse_args()
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        os.environ["DIFFUSCOPE_HOME"] = str(home / "home")
        write_pictures(home / "small", TRAINED_ON)
        write_pictures(home / "large", options.pictures)
        from tests.bench.fluidity import Bench, Watch
        from tests.bench.window import drive

        async def script(window: MainWindow, bridge: Bridge) -> None:
            watch = Watch()
            print(f"{'':44} {'wall ms':>7} {'CPU ms':>7} {'all, s':>8}", flush=True)
            try:
                await use(Bench(window, bridge, watch, [], options.stacks), home, options)
            finally:
                watch.close()
            window.close()

        return drive(script)


if __name__ == "__main__":
    sys.exit(main())
