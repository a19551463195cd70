"""Does the window stay fluid while the engine works? Run on an otherwise idle machine, with a display or offscreen.

    python -m tests.bench.steadiness [--runs 5] [--closings 20]

Prints the lateness of a precise 16 ms timer in the GUI thread, idle and while sampling flat out with live previews;
where 200 slider moves in a second end; how long a cancel takes; and how closing while sampling ends.
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
from typing import Any

TICK_MS = 16


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


def one_run(seconds: float) -> dict[str, Any]:
    """One fresh process: ticks idle and while sampling, the slider, a cancel."""
    from app.bridge import Bridge
    from app.window import MainWindow
    from core.messages import EngineState, Preview, Progress, RunEnded
    from core.paths import spaced_timesteps
    from core.requests import SampleRequest, SamplerSpec
    from core.schedules import make_schedule
    from tests.bench.window import drive, until

    found: dict[str, Any] = {}

    async def script(window: MainWindow, bridge: Bridge) -> None:
        heard: list[object] = []
        bridge.message.connect(heard.append)
        await until(lambda: window.state.model is not None and window.state.status.state is EngineState.IDLE)
        await asyncio.sleep(1)
        found["idle"] = await Ticks().measure(seconds)

        model = window.state.model
        assert model is not None
        schedule = make_schedule(model.schedule)
        request = SampleRequest(
            model.ref,
            model.schedule,
            spaced_timesteps(schedule, schedule.T, "leading"),
            "leading",
            SamplerSpec("ddim"),
            seed=0,
            count=16,
            labels=tuple(i % len(model.labels) for i in range(16)) if model.labels else (),
            guidance=1.0 if model.null_label is not None else 0.0,
            precision=model.precision,  # type: ignore[arg-type]
        )
        window.state.move(stage="denoise")
        job = bridge.submit(request)
        await until(lambda: any(isinstance(m, Progress) and m.step > 1 for m in heard))
        heard.clear()
        began = time.perf_counter()
        found["sampling"] = await Ticks().measure(seconds)
        steps = [m.step for m in heard if isinstance(m, Progress)]
        found["steps_per_s"] = (steps[-1] - steps[0]) / (time.perf_counter() - began)
        found["previews_per_s"] = sum(isinstance(m, Preview) for m in heard) / seconds

        window.state.move(stage="forward")
        transport = window.stage.transport  # type: ignore[attr-defined]
        for move in range(200):
            transport.position_requested.emit(move * 4)
            await asyncio.sleep(0.005)
        found["slider_ends_on_last"] = window.state.cursor.t == 796
        await until(lambda: window.state.cursor.shown_t == 796, 10)
        found["network_shown_at_last"] = True

        began = time.perf_counter()
        bridge.cancel(job)
        await until(lambda: any(isinstance(m, RunEnded) and m.job == job for m in heard))
        found["cancel_ms"] = 1000 * (time.perf_counter() - began)
        found["evaluation_ms"] = 1000 / found["steps_per_s"]
        window.close()

    found["exit"] = drive(script)
    return found


def one_closing() -> None:
    """Start, sample, close in the middle; the process's exit code and words are the result."""
    from app.bridge import Bridge
    from app.window import MainWindow
    from core.messages import Progress
    from core.paths import spaced_timesteps
    from core.requests import SampleRequest, SamplerSpec
    from core.schedules import make_schedule
    from tests.bench.window import drive, until

    async def script(window: MainWindow, bridge: Bridge) -> None:
        heard: list[object] = []
        bridge.message.connect(heard.append)
        await until(lambda: window.state.model is not None)
        model = window.state.model
        assert model is not None
        labels = tuple(i % len(model.labels) for i in range(16)) if model.labels else ()
        steps = spaced_timesteps(make_schedule(model.schedule), 1000, "leading")
        bridge.submit(
            SampleRequest(model.ref, model.schedule, steps, "leading", SamplerSpec(), 0, count=16, labels=labels)
        )
        await until(lambda: any(isinstance(m, Progress) and m.step > 5 for m in heard))
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


def closing() -> tuple[int, float, str]:
    """Exit code, seconds from the close to the process's end, and what was said on standard error."""
    done = child("--one-closing")
    ended = time.time()
    closed = [float(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("closing")]
    return done.returncode, ended - closed[0] if closed else float("nan"), done.stderr


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--closings", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--one-run", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--one-closing", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one_run:
        print(json.dumps(one_run(options.seconds)))
        return
    if options.one_closing:
        one_closing()

    runs = []
    for number in range(options.runs):
        done = child("--one-run", "--seconds", str(options.seconds))
        if done.returncode or done.stderr:
            print(f"run {number}: exit code {done.returncode}\n{done.stderr}", file=sys.stderr)
            continue
        runs.append(json.loads(done.stdout.splitlines()[-1]))
        print(f"run {number}: {json.dumps(runs[-1])}", flush=True)
    for state in ("idle", "sampling"):
        p99, worst = (statistics.median(run[state][key] for run in runs) for key in ("p99", "max"))
        print(f"{state:9} timer late by {p99:5.1f} ms at p99, {worst:5.1f} ms at worst (median of {len(runs)} runs)")
    print(f"slider: {sum(run['slider_ends_on_last'] for run in runs)} of {len(runs)} runs end on the last of 200 moves")
    cancels = [(run["cancel_ms"], run["evaluation_ms"]) for run in runs]
    print("cancel: " + ", ".join(f"{took:.0f} ms (one step {step:.0f} ms)" for took, step in cancels))

    ends = [closing() for _ in range(options.closings)]
    if ends:
        good = sum(code == 0 and seconds <= 3 and not words for code, seconds, words in ends)
        print(
            f"closing while sampling: {good} of {len(ends)} with exit code 0 within 3 s and nothing on standard error;"
        )
        print(
            f"  slowest {max(seconds for _, seconds, _ in ends):.2f} s, codes {sorted({code for code, _, _ in ends})}"
        )
        for code, seconds, words in ends:
            if code or words or seconds > 3:
                print(f"  code {code}, {seconds:.2f} s: {words.strip()[:500]}")


if __name__ == "__main__":
    main()
