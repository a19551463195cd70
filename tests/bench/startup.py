"""How soon is the window there? Beside a bare PySide6 + pyqtgraph window of the same size, in the same run.

    python -m tests.bench.startup [--runs 7]

Prints the medians of: process start to first paint, for the bare window and for the program; process start to the
first picture that was driven by the slider. Each start is a fresh process with a fresh home.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

BARE = """
import sys, time
from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QApplication, QMainWindow
import pyqtgraph
class Watch(QObject):
    def eventFilter(self, watched, event):
        if event.type() == QEvent.Type.UpdateRequest and window.isVisible():
            app.removeEventFilter(self)
            pyqtgraph.QtCore.QTimer.singleShot(0, done)
        return False
def done():
    print("painted", time.time(), flush=True)
    app.quit()
app = QApplication([])
window = QMainWindow()
window.setCentralWidget(pyqtgraph.PlotWidget())
window.resize(1280, 800)
watch = Watch()
app.installEventFilter(watch)
window.show()
app.exec()
"""

OURS = """
import asyncio, time
from tests.bench.window import drive, until

async def script(window, bridge):
    await until(lambda: window._has_painted)
    print("painted", time.time(), flush=True)
    await until(lambda: window.state.image is not None)
    pane = window.stage.x_t
    transport = window.stage.transport
    before = window.state.cursor.t
    transport.position_requested.emit(before + 50)
    assert window.state.cursor.t == before + 50
    pane.repaint()  # with the new picture, before this returns
    print("driven", time.time(), flush=True)
    window.close()

raise SystemExit(drive(script))
"""


def start(code: str) -> dict[str, float]:
    """Seconds from the start of a fresh process to each moment it prints."""
    with tempfile.TemporaryDirectory() as home:
        environment = {"QT_QPA_PLATFORM": "offscreen"} | dict(os.environ) | {"DIFFUSCOPE_HOME": home}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # a person's second start finds compiled modules
        began = time.time()
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, env=environment, check=False
        )
    if done.returncode:
        raise RuntimeError(done.stderr)
    moments = (line.split() for line in done.stdout.splitlines() if line.startswith(("painted", "driven")))
    return {name: float(at) - began for name, at in moments}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    start(BARE), start(OURS)  # files into the cache
    bare, ours = [], []
    for _ in range(options.runs):
        bare.append(start(BARE))
        ours.append(start(OURS))
    paint = statistics.median(run["painted"] for run in ours)
    beside = statistics.median(run["painted"] for run in bare)
    driven = statistics.median(run["driven"] for run in ours)
    print(f"first paint: {paint:.2f} s; a bare PySide6 + pyqtgraph window {beside:.2f} s; ratio {paint / beside:.2f}")
    print(f"first picture driven by the slider: {driven:.2f} s")


if __name__ == "__main__":
    main()
