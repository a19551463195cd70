"""Does the window stay fluid while the engine works? Run on an otherwise idle machine, with a display or offscreen.

    python -m tests.bench.steadiness [--runs 5] [--closings 20] [--work sampling guided measuring ...]

Prints the lateness of a precise 16 ms timer in the GUI thread, idle and while the engine works flat out with live
previews; where 200 slider moves in a second end; how long an interactive question waits for its answer, and how long a
cancel takes; and how closing in the middle ends. Each kind of work (tests/bench/works.py) is shown in its own stage; a
training's cancel saves what it has learned, and so does closing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from core.messages import (
    EngineState,
    Inspection,
    Measured,
    MeasureStarted,
    Preview,
    Progress,
    RunEnded,
    RunStarted,
    TrainingSaved,
    TrainingTick,
)
from core.requests import InspectImage
from tests.bench.works import CLICKED, RUNS, STAGES, image, start

if TYPE_CHECKING:
    from app.bridge import Bridge
    from app.window import MainWindow

TICK_MS = 16
ASKED = 10


@dataclass
class Ticks:
    """Lateness of a precise timer in milliseconds."""

    late: list[float] = field(default_factory=list)

    async def measure(self, seconds: float) -> dict[str, float]:
        from PySide6.QtCore import Qt, QTimer

        timer = QTimer()
        timer.setTimerType(Qt.TimerType.PreciseTimer)
        timer.setInterval(TICK_MS)
        last = time.perf_counter()

        def tick() -> None:
            nonlocal last
            now = time.perf_counter()
            self.late.append(max(0.0, 1000 * (now - last) - TICK_MS))
            last = now

        timer.timeout.connect(tick)
        timer.start()
        await asyncio.sleep(seconds)
        timer.stop()
        late = sorted(self.late)
        return {"p50": late[len(late) // 2], "p99": late[int(0.99 * len(late))], "max": late[-1], "ticks": len(late)}


class Ear:
    """Everything that the engine says from now on."""

    def __init__(self, bridge: Bridge) -> None:
        self.heard: list[object] = []
        bridge.message.connect(self.heard.append)

    def steps(self, job: int) -> list[int]:
        """How many steps were done, at each message about it."""
        runs = [m.step for m in self.heard if isinstance(m, Progress) and m.job == job]
        ticks = [m.first_step + len(m.losses) for m in self.heard if isinstance(m, TrainingTick) and m.job == job]
        parts = [m.done for m in self.heard if isinstance(m, Measured) and m.job == job]
        return runs or ticks or parts

    def ended(self, job: int) -> bool:
        return any(isinstance(m, RunEnded) and m.job == job for m in self.heard)


async def one_work(work: str, window: MainWindow, bridge: Bridge, seconds: float) -> dict[str, Any]:
    from tests.bench.window import until

    ear = Ear(bridge)
    job = await start(work, window, bridge)
    await until(lambda: any(isinstance(m, (RunStarted, MeasureStarted)) for m in ear.heard) or ear.steps(job))
    if work in RUNS:
        window.state.move(stage=STAGES[work], run=job, step=0)
    await until(lambda: len(ear.steps(job)) > 1)
    ear.heard.clear()
    began = time.perf_counter()
    found: dict[str, Any] = await Ticks().measure(seconds)
    steps, took = ear.steps(job), time.perf_counter() - began
    found["step_ms"] = 1000 * took / max(1, steps[-1] - steps[0]) if steps else float("nan")
    found["previews_per_s"] = sum(isinstance(m, Preview) for m in ear.heard) / took
    found["asked_ms"] = await ask(window, bridge, ear)
    if work == "sampling":
        found["slider"] = await slide(window)
    began = time.perf_counter()
    bridge.cancel(job)
    await until(lambda: ear.ended(job))
    found["cancel_ms"] = 1000 * (time.perf_counter() - began)
    found["saved"] = any(isinstance(m, TrainingSaved) for m in ear.heard)
    return found


async def ask(window: MainWindow, bridge: Bridge, ear: Ear) -> list[float]:
    """How long each of some interactive questions waits for its answer, in milliseconds."""
    from tests.bench.window import until

    model = window.state.model
    assert model is not None
    of, waited = image(model, bridge), []
    for number in range(ASKED):
        question = InspectImage(model.ref, model.schedule, of, 900 - 50 * number, 0, precision="float32")
        await asyncio.sleep(0.15)
        began = time.perf_counter()
        bridge.ask(question)
        await until(lambda q=question: any(isinstance(m, Inspection) and m.request == q for m in ear.heard))
        waited.append(1000 * (time.perf_counter() - began))
    return waited


async def slide(window: MainWindow) -> bool:
    """200 moves of Forward's slider in a second, while the engine works; whether all is where the last one left it."""
    from tests.bench.window import until

    window.state.move(stage="forward")
    transport = window.stage.transport  # type: ignore[attr-defined]
    for move in range(200):
        transport.position_requested.emit(move * 4)
        await asyncio.sleep(0.005)
    ends_on_last: bool = window.state.cursor.t == 796
    await until(lambda: window.state.cursor.shown_t == 796, 10)
    return ends_on_last


def one_run(works: list[str], seconds: float) -> dict[str, Any]:
    """One fresh process: ticks idle, and with each work; the slider; cancels."""
    from tests.bench.window import drive, until

    found: dict[str, Any] = {}

    async def script(window: MainWindow, bridge: Bridge) -> None:
        await until(lambda: window.state.model is not None and window.state.status.state is EngineState.IDLE)
        await asyncio.sleep(1)
        found["idle"] = await Ticks().measure(seconds)
        for work in works:
            found[work] = await one_work(work, window, bridge, seconds)
        window.close()

    found["exit"] = drive(script)
    return found


def one_closing(work: str) -> None:
    """Start, work, close in the middle; the process's exit code and words are the result."""
    from tests.bench.window import drive, until

    async def script(window: MainWindow, bridge: Bridge) -> None:
        ear = Ear(bridge)
        await until(lambda: window.state.model is not None)
        job = await start(work, window, bridge)
        await until(lambda: len(ear.steps(job)) > 5)
        print(f"closing {time.time()}", flush=True)
        window.close()

    sys.exit(drive(script))


def child(*arguments: str) -> subprocess.CompletedProcess[str]:
    """This script in a fresh process with a home of its own."""
    with tempfile.TemporaryDirectory() as home:
        environment = {"QT_QPA_PLATFORM": "offscreen"} | dict(os.environ) | {"DIFFUSCOPE_HOME": home}
        return subprocess.run(
            [sys.executable, "-m", "tests.bench.steadiness", *arguments],
            capture_output=True,
            text=True,
            timeout=300,
            env=environment,
        )


def closing(work: str) -> tuple[int, float, str]:
    """Exit code, seconds from the close to the process's end, and what was said on standard error."""
    done = child("--one-closing", work)
    ended = time.time()
    closed = [float(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("closing")]
    return done.returncode, ended - closed[0] if closed else float("nan"), done.stderr


def report_runs(runs: list[dict[str, Any]], works: list[str]) -> None:
    for state in ("idle", *works):
        p99, worst = (statistics.median(run[state][key] for run in runs) for key in ("p99", "max"))
        print(f"{state:9} timer late by {p99:5.1f} ms at p99, {worst:5.1f} ms at worst (median of {len(runs)} runs)")
    for work in works:
        waited = sorted(ms for run in runs for ms in run[work]["asked_ms"])
        print(f"{work:9} answers within {waited[len(waited) // 2]:.0f} ms (median), {waited[-1]:.0f} ms at worst")
        cancels = [(run[work]["cancel_ms"], run[work]["step_ms"]) for run in runs]
        print(f"{work:9} cancel: " + ", ".join(f"{took:.0f} ms (one step {step:.0f} ms)" for took, step in cancels))
    if "sampling" in works:
        ends = sum(run["sampling"]["slider"] for run in runs)
        print(f"slider: {ends} of {len(runs)} runs end on the last of 200 moves")
    if "training" in works:
        print(f"training: {sum(run['training']['saved'] for run in runs)} of {len(runs)} cancels saved it")


def report_closings(work: str, ends: list[tuple[int, float, str]]) -> None:
    good = sum(code == 0 and seconds <= 3 and not words for code, seconds, words in ends)
    slowest, codes = max(seconds for _, seconds, _ in ends), sorted({code for code, _, _ in ends})
    print(f"closing while {work}: {good} of {len(ends)} with exit code 0 within 3 s and nothing on standard error;")
    print(f"  slowest {slowest:.2f} s, codes {codes}", flush=True)
    for code, seconds, words in ends:
        if code or words or seconds > 3:
            print(f"  code {code}, {seconds:.2f} s: {words.strip()[:500]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--closings", type=int, default=20, help="of each kind of work")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--work", nargs="+", choices=list(STAGES), default=list(STAGES))
    parser.add_argument("--one-run", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--one-closing", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one_run:
        print(json.dumps(one_run(options.work, options.seconds)))
        return
    if options.one_closing:
        one_closing(options.one_closing)

    runs, timed = [], [work for work in options.work if work not in CLICKED]
    for number in range(options.runs if timed else 0):
        done = child("--one-run", "--seconds", str(options.seconds), "--work", *timed)
        if done.returncode or done.stderr:
            print(f"run {number}: exit code {done.returncode}\n{done.stderr}", file=sys.stderr)
            continue
        runs.append(json.loads(done.stdout.splitlines()[-1]))
        print(f"run {number}: {json.dumps(runs[-1])}", flush=True)
    if runs:
        report_runs(runs, timed)
    if options.closings:
        for work in options.work:
            report_closings(work, [closing(work) for _ in range(options.closings)])


if __name__ == "__main__":
    main()
