"""Does the window ever stop for a moment? Run by hand, with a display or offscreen.

    python -m tests.bench.fluidity [--only WORD ...] [--folder FOLDER ...] [--stacks]

Uses the real program as a person would and prints, for each thing done, the longest time between two turns of the event
loop (wall) and the most that the GUI thread computed in one of them (CPU: other processes do not lengthen it), both in
milliseconds. ``--stacks`` prints also where the GUI thread was in every gap of more than 30 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import faulthandler
import os
import re
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from app.bridge import Bridge
    from app.window import MainWindow

TICK_MS = 4
LATE = 0.030
STAGES = ("forward", "denoise", "invert", "morph", "train")
LINES_SHOWN = 4
DEPTH = 8
_CALL = re.compile(r'File "(.*?)", line (\d+) in (.*)')


@dataclass
class Gap:
    """Seconds between two turns of the event loop, and the GUI thread's CPU time among them."""

    wall: float = 0.0
    cpu: float = 0.0
    where: list[str] = field(default_factory=list)


class Watch:
    """Records every gap since ``begin``; a second thread notes where the GUI thread is while a tick is late."""

    def __init__(self) -> None:
        from PySide6.QtCore import Qt, QTimer

        self.gaps: list[Gap] = []
        self._main = threading.get_ident()
        self._where: list[str] = []
        self._dump = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._at, self._cpu = time.perf_counter(), time.thread_time()
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        self._timer.start(TICK_MS)
        self._ended = threading.Event()
        threading.Thread(target=self._look, daemon=True).start()

    def begin(self) -> None:
        self._tick()
        self.gaps = []

    def end(self) -> list[Gap]:
        self._tick()
        return self.gaps

    def close(self) -> None:
        self._ended.set()
        self._timer.stop()

    def _tick(self) -> None:
        now, cpu = time.perf_counter(), time.thread_time()
        where, self._where = self._where, []
        self.gaps.append(Gap(now - self._at, cpu - self._cpu, where))
        self._at, self._cpu = now, cpu

    def _look(self) -> None:
        while not self._ended.wait(0.008):
            if time.perf_counter() - self._at > LATE:
                self._where.append(self._gui_thread())

    def _gui_thread(self) -> str:
        """Where the GUI thread is. Its frames must not be walked from Python: they change on the way."""
        self._dump.seek(0)
        self._dump.truncate()
        faulthandler.dump_traceback(self._dump, all_threads=True)
        self._dump.seek(0)
        stack = self._dump.read().partition(f"0x{self._main:016x} ")[2].partition("\n\n")[0]
        calls = [(Path(file).name, line, name) for file, line, name in _CALL.findall(stack)]
        return " < ".join(f"{file}:{line} {name}" for file, line, name in calls[:DEPTH])


@dataclass
class Bench:
    """The window, watched. ``only``: words of which one has to be in the name of what is done."""

    window: MainWindow
    bridge: Bridge
    watch: Watch
    only: list[str]
    stacks: bool

    async def doing(self, name: str, act: Callable[[], Awaitable[Any] | None], after: float = 0.4) -> None:
        """Do one thing, wait until it is over and for what comes of it, and print its line."""
        self.watch.begin()
        try:
            awaited = act()
            if awaited is not None:
                await awaited
            await asyncio.sleep(after)
        except TimeoutError as error:
            print(f"{name:44} {error}", flush=True)
        gaps = self.watch.end()
        if self.only and not any(word in name for word in self.only):
            return
        wall, cpu = max(gap.wall for gap in gaps), max(gap.cpu for gap in gaps)
        print(f"{name:44} {1000 * wall:7.0f} {1000 * cpu:7.0f} {sum(gap.cpu for gap in gaps):8.2f}", flush=True)
        if self.stacks:
            for gap in gaps:
                if gap.wall > LATE:
                    print(f"      {1000 * gap.wall:.0f} ms, CPU {1000 * gap.cpu:.0f}")
                    for where, times in Counter(gap.where).most_common(LINES_SHOWN):
                        print(f"        {times}x {where}")

    # What a person does

    def show(self, stage: str) -> None:
        self.window.state.move(stage=stage)

    def unfold(self, is_open: bool) -> None:
        from app.widgets.sections import MoreSection

        for section in self.window.stage.findChildren(MoreSection):
            if section.isVisible():
                section.set_open(is_open)

    async def run(self, seconds: float = 90) -> None:
        """Press the stage's button and wait until everything that it began has ended."""
        from tests.bench.window import until

        known = set(self.window.state.runs)
        self.window.commands.run()
        await until(lambda: set(self.window.state.runs) - known, 20)
        await self.rest(seconds)

    async def rest(self, seconds: float = 90) -> None:
        from core.messages import EngineState
        from tests.bench.window import until

        calm = 0

        def quiet() -> bool:
            nonlocal calm
            calm = calm + 1 if self.window.state.status.state is EngineState.IDLE else 0
            return calm > 20

        await until(quiet, seconds)

    async def scrub(self) -> None:
        """Drag the slider there and back."""
        transport: Any = self.window.stage.transport  # type: ignore[attr-defined]
        last = len(transport.times) - 1
        for turn in np.concatenate([np.linspace(0, last, 40), np.linspace(last, 0, 40)]):
            transport.position_requested.emit(int(turn))
            await asyncio.sleep(0.008)

    def trigger(self, command: str) -> None:
        self.window.registry[command].trigger()

    @property
    def controls(self) -> Any:
        return self.window.stage.controls  # type: ignore[attr-defined]


async def use(bench: Bench, folders: list[Path]) -> None:
    from tests.bench.window import until

    state = bench.window.state
    await bench.doing("start, until the model is there", lambda: until(lambda: state.model is not None), 1)
    for stage in (*STAGES[1:], STAGES[0]):
        await bench.doing(f"{stage}: shown", lambda stage=stage: bench.show(stage))  # type: ignore[misc]
    await bench.rest()
    for stage in STAGES:
        await bench.doing(f"{stage}: shown again", lambda stage=stage: bench.show(stage))  # type: ignore[misc]
        await bench.doing(f"{stage}: More", lambda: bench.unfold(True))
        bench.unfold(False)
    bench.show("forward")
    await asyncio.sleep(0.5)
    await bench.doing("forward: scrubbed", bench.scrub)
    await runs(bench)
    await windows(bench)
    await pictures(bench)
    await trainings(bench, folders)
    await history(bench)


async def runs(bench: Bench) -> None:
    from tests.bench.window import until

    bench.show("denoise")
    bench.controls.steps.set_value(20)
    await bench.doing("denoise: first run", bench.run)
    await bench.doing("denoise: scrubbed", bench.scrub)
    bench.controls.count.set_value(64)
    await bench.doing("denoise: 64 samples", bench.run)
    await bench.doing("denoise: 64 samples scrubbed", bench.scrub)
    bench.controls.count.set_value(1)
    bench.controls.steps.set_value(1000)

    async def long_walk() -> None:
        bench.window.commands.run()
        await asyncio.sleep(8)
        bench.window.stage.stop()
        await bench.rest()

    await bench.doing("denoise: 8 s of 1,000 steps", long_walk)
    await bench.doing("denoise: 1,000 steps scrubbed", bench.scrub)
    bench.show("invert")
    bench.controls.steps.set_value(20)
    await bench.doing("invert: first run", bench.run)
    await bench.doing("invert: scrubbed", bench.scrub)

    async def measure() -> None:
        bench.window.stage.buttons.measure.click()  # type: ignore[attr-defined]
        await asyncio.sleep(10)
        bench.window.stage.stop()
        await bench.rest()

    await bench.doing("invert: 10 s of Measure", measure)
    bench.show("morph")
    bench.controls.steps.set_value(10)
    await bench.doing("morph: first run", bench.run)
    await bench.doing("morph: scrubbed", bench.scrub)
    stage: Any = bench.window.stage
    for _ in range(2):
        stage.ends.cards.added.emit()
    bench.controls.layout_choice.set_value("grid")
    bench.controls.frames.set_value(8)
    bench.controls.steps.set_value(5)
    await bench.doing("morph: 8 x 8 grid", bench.run)
    await bench.doing("morph: 8 x 8 grid scrubbed", bench.scrub)
    path = Path(os.environ["DIFFUSCOPE_HOME"]) / "morph.gif"

    async def write() -> None:
        stage.exporter.write(path)
        await until(path.exists, 20)

    await bench.doing("morph: GIF", write)


async def windows(bench: Bench) -> None:
    bench.show("denoise")
    for command, name in (("large_plot", "F8"), ("keyboard", "F1")):
        await bench.doing(name, lambda command=command: bench.trigger(command), 0.6)  # type: ignore[misc]
    for scheme in ("light", "dark"):
        await bench.doing(f"to {scheme}", lambda scheme=scheme: bench.trigger(f"scheme_{scheme}"))  # type: ignore[misc]


async def pictures(bench: Bench) -> None:
    from tests.bench.window import until

    path = Path(os.environ["DIFFUSCOPE_HOME"]) / "large.jpg"
    noise = np.random.default_rng(0).integers(0, 256, (750, 1000, 3), np.uint8)
    Image.fromarray(noise).resize((4000, 3000)).save(path)
    for stage in ("forward", "invert"):
        bench.show(stage)
        before = bench.window.state.image

        def opened(before: object = before) -> Awaitable[None]:
            bench.window.commands.open_path(path)
            return until(lambda: bench.window.state.image is not before)

        await bench.doing(f"{stage}: 12 megapixels", opened, 1)


async def trainings(bench: Bench, folders: list[Path]) -> None:
    from core.messages import TrainingTick
    from tests.bench.window import until

    bench.show("train")
    stage: Any = bench.window.stage
    for folder in folders:
        count = sum(len(files) for _, _, files in os.walk(folder))

        def opened(folder: Path = folder) -> Awaitable[None]:
            stage.handle_folder(folder)
            return until(lambda: stage.setup.loader.folder is None)

        await bench.doing(f"train: folder of {count:,}", opened, 1)

    async def train() -> None:
        stage.start()
        await until(lambda: bench.window.state.training is not None, 30)
        await asyncio.sleep(6)

    await bench.doing("train: first 6 s", train)
    course = stage.course
    course.losses = np.random.default_rng(0).random(100_000, np.float32)

    async def ticks() -> None:
        for _ in range(50):
            tick = TrainingTick(course.job, course.step + 1, np.full(3, 0.1, np.float32), 100.0, 60.0, 0.5)
            bench.bridge.message.emit(tick)
            await asyncio.sleep(0.02)

    await bench.doing("train: curve of 100,000 losses", ticks)
    stage.stop()
    await bench.doing("train: stopped and saved", bench.rest)


async def history(bench: Bench) -> None:
    state = bench.window.state
    some = next(iter(state.runs.values()))
    bench.show("denoise")

    async def put() -> None:
        for job in range(1000, 1100):
            state.put_run(replace(some, job=job))
            await asyncio.sleep(0.005)

    async def walk() -> None:
        last = state.runs[1099]
        for stored in range(100):
            state.put_run(replace(last, stored=stored, state="running"))
            await asyncio.sleep(0.005)

    async def turn() -> None:
        for run in list(state.runs.values())[:10]:
            state.move(run=run.job, step=0, stage="denoise")
            await asyncio.sleep(0.05)

    await bench.doing("history: 100 runs more", put)
    await bench.doing("history: progress among 100 runs", walk)
    await bench.doing("history: from run to run", turn)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[], metavar="WORD", help="print only what has one of these words")
    parser.add_argument("--folder", nargs="+", default=[], type=Path, help="folders of pictures to choose in Train")
    parser.add_argument("--stacks", action="store_true", help="say also where the GUI thread was")
    options = parser.parse_args()
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    with tempfile.TemporaryDirectory() as home:
        os.environ["DIFFUSCOPE_HOME"] = home
        from tests.bench.window import drive

        async def script(window: MainWindow, bridge: Bridge) -> None:
            watch = Watch()
            print(f"{'':44} {'wall ms':>7} {'CPU ms':>7} {'all, s':>8}", flush=True)
            await use(Bench(window, bridge, watch, options.only, options.stacks), options.folder)
            watch.close()
            window.close()

        return drive(script)


if __name__ == "__main__":
    sys.exit(main())
