"""Kills the real program at random moments of a session, and looks at what is there when it is started again.

    python -m tests.bench.session [--kills 20] [--seed 0]

A script does in the window what a person does, every two seconds something else, and writes down when it did what.
After SIGKILL the program is started again as usual; what it restores is compared with what had been done: of each
setting, how many seconds of changes are lost; of runs and pictures, whether all that were older than that are there.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIVE_SECONDS = (6.0, 40.0)
STEP_SECONDS = 2.0
ALLOWED_SECONDS = 30.0


def live(diary: Path) -> int:
    """In the program: change something every few seconds, until it is killed."""
    import numpy as np

    from app.bridge import Bridge
    from app.window import MainWindow
    from core.images import from_pixels
    from core.messages import EngineState
    from tests.bench.window import drive, until

    async def script(window: MainWindow, _bridge: Bridge) -> None:
        state = window.state
        await until(lambda: window.sessions.folder is not None)
        note(diary, "started", time.time())
        await until(lambda: state.model is not None and state.status.state is EngineState.IDLE, 300)
        state.move(stage="denoise", run=None)
        controls = window.stage.controls  # type: ignore[attr-defined]
        controls.count.set_value(2)
        for number in range(1, 1000):
            value = round(number * 0.1 % 8, 1)
            controls.guidance.set_value(value)
            note(diary, "guidance", value)
            if number % 3 == 1:
                image = from_pixels(np.full((64, 64, 3), number, np.uint8), f"picture {number}")
                state.set_image(image)
                note(diary, "image", image.sha256)
            if number % 4 == 2:
                controls.steps.set_value(3)
                window.stage.run()  # type: ignore[attr-defined]
                await until(lambda: bool(state.runs) and all(r.state == "finished" for r in state.runs.values()), 120)
                note(diary, "runs", len(state.runs))
                window.history.rename(max(state.runs), f"run of {number}")
            await asyncio.sleep(STEP_SECONDS)

    return drive(script)


def look(diary: Path) -> int:
    """In the program: write down what has been restored, and close the window."""
    from app.bridge import Bridge
    from app.window import MainWindow
    from tests.bench.window import drive, until

    async def script(window: MainWindow, _bridge: Bridge) -> None:
        await until(lambda: window.sessions.folder is not None)
        shown = time.time()
        await until(lambda: not window.sessions._is_restoring)
        state = window.state
        found = window.sessions.contents.session()
        made = {stage.key: stage.memento() for stage in window.stages()}
        settings = {**found.stages, **made}.get("denoise", {})
        note(diary, "restored", time.time() - shown)
        note(diary, "told", window.told.words())
        note(diary, "guidance", settings.get("guidance"))
        note(diary, "image", "" if state.image is None else state.image.sha256)
        note(diary, "runs", len(state.runs))
        note(diary, "names", [state.name_of(job) for job in state.runs])
        window.close()

    return drive(script)


def note(diary: Path, what: str, value: object) -> None:
    with diary.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps([time.time(), what, value]) + "\n")


def entries(diary: Path) -> list[tuple[float, str, object]]:
    lines = diary.read_text(encoding="utf-8").splitlines() if diary.exists() else []
    return [tuple(json.loads(line)) for line in lines if line.endswith("]")]  # type: ignore[misc]


def start(what: str, diary: Path, home: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.bench.session", f"--{what}", str(diary)],
        env=os.environ | {"DIFFUSCOPE_HOME": str(home), "QT_QPA_PLATFORM": "offscreen"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def lost_seconds(done: list[tuple[float, str, object]], what: str, found: object, killed: float) -> float:
    """How long before the kill the first change was made that is not there; 0 where none is missing. Of runs there
    may be more than had been written down: those that were under way."""
    changes = [(when, value) for when, name, value in done if name == what]
    counts = what == "runs" and isinstance(found, int)
    kept = [when for when, value in changes if value == found or (counts and int(str(value)) <= int(str(found)))]
    missing = [when for when, _value in changes if when > max(kept, default=0.0)]
    return max(0.0, killed - min(missing)) if missing else 0.0


def kill_once(place: Path, number: int, after: float) -> dict[str, object]:
    """One session that is killed, and what is there afterwards."""
    home, did, saw = place / f"home{number}", place / f"did{number}", place / f"saw{number}"
    program = start("live", did, home)
    while not any(name == "guidance" for _when, name, _value in entries(did)):
        if program.poll() is not None:
            raise RuntimeError("the program ended by itself")
        time.sleep(0.1)
    time.sleep(after)
    program.send_signal(signal.SIGKILL)
    killed = time.time()
    program.wait()
    code = start("look", saw, home).wait(timeout=300)
    done, found = entries(did), {name: value for _when, name, value in entries(saw)}
    return {
        "killed after": after,
        "code": code,
        "settings lost": lost_seconds(done, "guidance", found.get("guidance"), killed),
        "picture lost": lost_seconds(done, "image", found.get("image"), killed),
        "runs": f"{found.get('runs')}/{max((int(str(v)) for _w, n, v in done if n == 'runs'), default=0)}",
        "runs lost": lost_seconds(done, "runs", found.get("runs"), killed),
        "restored in": found.get("restored"),
        "told": found.get("told"),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--live", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--look", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.live or given.look:
        return live(given.live) if given.live else look(given.look)
    draw, worst = random.Random(given.seed), 0.0
    print("kill   after     settings   picture    runs lost  runs kept   restored in  said", flush=True)
    with tempfile.TemporaryDirectory() as place:
        for number in range(1, given.kills + 1):
            one = kill_once(Path(place), number, draw.uniform(*LIVE_SECONDS))
            worst = max(worst, *(float(str(one[name])) for name in ("settings lost", "picture lost", "runs lost")))
            columns = (
                f"{number:4d}",
                f"{one['killed after']:5.1f} s",
                *(f"{one[name]:6.1f} s" for name in ("settings lost", "picture lost", "runs lost")),
                f"{one['runs']:>9}",
                f"{float(str(one['restored in'] or 0)):8.2f} s",
                f"{one['told'] or '-'}{'' if one['code'] == 0 else ' (exit code ' + str(one['code']) + ')'}",
            )
            print("   ".join(columns), flush=True)
    print(f"At most {worst:.1f} s of changes were lost ({ALLOWED_SECONDS:.0f} s are allowed).")
    return 0 if worst <= ALLOWED_SECONDS else 1


if __name__ == "__main__":
    raise SystemExit(main())
