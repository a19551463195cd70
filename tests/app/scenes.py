"""Stages as the tests of several files find them: with a bridge of the test's own, or the real engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pytestqt.qtbot import QtBot

from app.bridge import Bridge
from app.stages.denoise import DenoiseStage
from app.stages.train import TrainStage
from app.state import AppState
from app.window import STAGES, MainWindow
from core.engine import Engine
from core.images import OpenedImage
from core.requests import RunRequest
from tests.app.conftest import WindowBridge, shown_window
from tests.app.fake_engine import Dock, FakeBridge
from tests.toys import Toy


@contextmanager
def denoising(qtbot: QtBot) -> Iterator[tuple[AppState, FakeBridge, DenoiseStage]]:
    """Denoise before the engine has opened any model."""
    state = AppState()
    bridge = FakeBridge(state)
    stage = DenoiseStage(state, bridge)  # type: ignore[arg-type]
    dock = Dock(stage)
    qtbot.addWidget(dock)
    dock.show()
    state.move(stage="denoise")
    stage.activate()
    yield state, bridge, stage
    state.deleteLater()


class TrainBridge(WindowBridge):
    """Says of a training what the engine would; pausing and going on as the engine answers them."""

    def pause(self, job: int) -> None:
        self.calls.append(("pause", job))

    def resume(self, job: int) -> None:
        self.calls.append(("resume", job))


@contextmanager
def training(qtbot: QtBot) -> Iterator[tuple[AppState, TrainBridge, TrainStage]]:
    """Train with the digits model open, about to read the example."""
    state = AppState()
    bridge = TrainBridge(state)
    stage = TrainStage(state, bridge)  # type: ignore[arg-type]
    dock = Dock(stage)
    qtbot.addWidget(dock)
    bridge.ready()
    dock.show()
    state.move(stage="train")
    stage.activate()
    yield state, bridge, stage
    state.deleteLater()


@contextmanager
def training_on(folder: Path, qtbot: QtBot) -> Iterator[TrainStage]:
    """Train with the real engine, about to read a folder at 16 x 16, two pictures a step."""
    state = AppState()
    engine = Engine(device="cpu")
    bridge = Bridge(state, engine)
    stage = TrainStage(state, bridge)
    dock = Dock(stage)
    qtbot.addWidget(dock)
    bridge.start()
    engine.add_model(Toy())
    qtbot.waitUntil(lambda: state.model is not None)
    dock.show()
    state.move(stage="train")
    stage.activate()
    stage.handle_folder(folder)
    stage.setup.controls.side.set_value("16")
    stage.setup.controls.batch.set_value(2)
    yield stage
    assert bridge.shut_down()
    state.deleteLater()


def finished_runs(window: MainWindow, *requests: RunRequest) -> list[int]:
    """Runs of a window whose bridge answers by itself, all made to their end; their numbers."""
    jobs = [window.bridge.submit(request) for request in requests]
    for job in jobs:
        window.bridge.run_to_end(job)  # type: ignore[attr-defined]
    return jobs


def with_picture(qtbot: QtBot, picture: OpenedImage) -> MainWindow:
    """A window with every stage, a picture and the digits model."""
    made = shown_window(qtbot, STAGES)
    made.state.set_image(picture)
    made.bridge.ready()  # type: ignore[attr-defined]
    return made


def looking_at(window: MainWindow, request: RunRequest) -> MainWindow:
    """The window at the second state of a finished run."""
    (job,) = finished_runs(window, request)
    window.state.move(stage="denoise", run=job, step=1, t=600)
    return window
