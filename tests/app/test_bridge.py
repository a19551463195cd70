import asyncio
import itertools
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from app.bridge import Bridge
from app.state import AppState
from core.engine import Engine
from core.evaluation.nearest_plan import as_pictures, nearest_request
from core.messages import EngineState, Measured, MeasureStarted, Nearest, Preview, RunEnded
from core.requests import FromStep
from tests.toys import Toy


class Joined:
    """A bridge on a real engine with a toy model."""

    def __init__(self, qtbot, seconds: float = 0.0) -> None:
        self.toy = Toy(seconds=seconds)
        self.state = AppState()
        self.engine = Engine(device="cpu")
        self.bridge = Bridge(self.state, self.engine)
        self.messages: list[object] = []
        self.bridge.message.connect(self.messages.append)
        self.qtbot = qtbot
        self.bridge.start()
        self.engine.add_model(self.toy)
        qtbot.waitUntil(lambda: self.state.model is not None)

    def of(self, kind: type) -> list:
        return [message for message in self.messages if isinstance(message, kind)]

    def run(self, request) -> int:
        job = self.bridge.submit(request)
        self.qtbot.waitUntil(lambda: any(ended.job == job for ended in self.of(RunEnded)))
        return job


@pytest.fixture
def joined(qtbot) -> Iterator:
    made: list[Joined] = []

    def make(seconds: float = 0.0) -> Joined:
        made.append(Joined(qtbot, seconds))
        return made[-1]

    yield make
    for one in made:
        assert one.bridge.shut_down()


def test_that_the_measurement_in_the_state_is_the_one_that_is_told_of(joined) -> None:
    window = joined()
    data, samples = (as_pictures(name, np.zeros((2, 4, 4, 1), np.uint8)) for name in ("data", "samples"))
    request, known = nearest_request(samples, data), Nearest(samples.pictures, 2)
    for message in (
        MeasureStarted(1, request, 10),
        Measured(1, known, 2, 10, 1.0),
        MeasureStarted(2, request, 4),
        Measured(2, known, 4, 4, 0.0),
        RunEnded(2, "finished", 4, 1.0),
    ):
        window.engine.post(message)
    window.bridge.deliver()
    assert (window.state.measuring.job, window.state.measuring.state) == (2, "finished")
    window.engine.post(Measured(1, known, 3, 10, 1.0))  # the first one goes on
    window.bridge.deliver()
    measuring = window.state.measuring
    assert (measuring.job, measuring.state, measuring.done, measuring.total) == (1, "running", 3, 10)


def test_that_the_state_follows_a_run_from_start_to_end(joined, qtbot) -> None:
    window = joined()
    job = window.run(window.toy.request())
    run = window.state.runs[job]
    assert (run.state, run.stored, run.steps) == ("finished", 10, 10)
    assert run.store_bytes > 0
    qtbot.waitUntil(lambda: window.state.status.state is EngineState.IDLE)
    assert window.of(Preview)[-1].step == 10


def test_that_a_branch_knows_the_run_it_left(joined) -> None:
    window = joined()
    request = window.toy.request()
    parent = window.run(request)
    branch = window.run(replace(request, start=FromStep(request, 4), timesteps=request.timesteps[4:]))
    assert (window.state.runs[branch].parent, window.state.runs[branch].parent_step) == (parent, 4)


def test_that_pausing_and_stopping_show_in_the_state(joined, qtbot) -> None:
    window = joined(seconds=0.01)
    job = window.bridge.submit(window.toy.request(timesteps=tuple(range(999, -1, -1))))
    qtbot.waitUntil(lambda: job in window.state.runs)
    window.bridge.pause(job)
    qtbot.waitUntil(lambda: window.state.runs[job].state == "paused")
    window.bridge.resume(job)
    qtbot.waitUntil(lambda: window.state.runs[job].state == "running")
    window.bridge.cancel(job)
    qtbot.waitUntil(lambda: window.state.runs[job].state == "stopped")


def test_that_messages_come_at_most_once_a_frame(joined, qtbot) -> None:
    window = joined(seconds=0.0005)
    deliveries = []
    window.bridge.message.connect(lambda _: deliveries.append(window.bridge._delivered))
    window.run(window.toy.request(timesteps=tuple(range(400, -1, -1))))
    distinct = sorted(set(deliveries))
    gaps = [later - earlier for earlier, later in itertools.pairwise(distinct)]
    assert min(gaps) > 0.010


def test_that_after_closing_no_late_result_arrives(joined, qtbot) -> None:
    window = joined(seconds=0.01)
    window.bridge.submit(window.toy.request(timesteps=tuple(range(999, -1, -1))))
    qtbot.waitUntil(lambda: bool(window.of(Preview)))
    assert window.bridge.shut_down()
    count = len(window.messages)
    qtbot.wait(50)
    assert len(window.messages) == count
    assert window.bridge.ended


def test_that_what_is_heard_while_the_window_closes_begins_no_more_work(joined, monkeypatch) -> None:
    bridge, begun = joined().bridge, []
    monkeypatch.setattr(bridge, "_spawn", lambda work: (begun.append(1), work.close()))
    bridge._closing = asyncio.Event()
    bridge.in_background(list, print, print)
    assert begun == [1]
    bridge._closing.set()
    bridge.in_background(list, print, print)
    assert begun == [1]


def test_that_closing_while_sampling_leaves_the_loop_with_exit_code_0_and_says_nothing() -> None:
    code = textwrap.dedent("""
        import sys
        from PySide6.QtCore import QTimer
        from PySide6.QtWidgets import QApplication, QWidget
        from app.bridge import Bridge
        from app.state import AppState
        from core.engine import Engine
        from core.messages import Preview
        from tests.toys import Toy

        app = QApplication([])
        toy = Toy(seconds=0.05)
        bridge = Bridge(AppState(), Engine(device="cpu"))
        window = QWidget()
        window.show()

        def heard(message):
            if isinstance(message, Preview):
                window.close()
                bridge.close()

        bridge.message.connect(heard)
        def begin():
            bridge._engine.add_model(toy)
            bridge.submit(toy.request(timesteps=tuple(range(999, -1, -1))))
        QTimer.singleShot(300, begin)
        code = bridge.run_loop(app)
        assert bridge.ended
        sys.exit(code)
    """)
    environment = os.environ | {"QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=environment)
    assert (done.returncode, done.stderr) == (0, "")


def test_that_a_window_closed_before_the_loop_runs_leaves_it_at_once() -> None:
    code = textwrap.dedent("""
        import sys
        from PySide6.QtWidgets import QApplication
        from app.bridge import Bridge
        from app.state import AppState

        app = QApplication([])
        bridge = Bridge(AppState())
        bridge.close()
        sys.exit(bridge.run_loop(app) if bridge.ended else 1)
    """)
    environment = os.environ | {"QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
