"""``main.py screenshots``: the real window, really used, painted into files. Needs no display."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from PySide6.QtCore import QEventLoop
from PySide6.QtWidgets import QApplication

from app.bridge import Bridge
from app.settings import Settings
from app.stages.measure import MeasureStage
from app.stages.train import TrainStage
from app.state import AppState, Run
from app.theme import SchemeName, theme
from app.window import MainWindow
from core.errors import Refusal
from core.folders import HOME_VARIABLE
from core.images import open_image
from core.messages import EngineState
from core.requests import MorphRequest
from resources import models, samples

SIZE = (1280, 800)
PATIENCE = 120.0
"""Seconds that anything asked of the window may take."""
TRAINED = 12
"""Steps of the training that is shown."""
MEASURED, TIMESTEPS = 12, 40
"""Pictures and timesteps of the measurement that is shown."""
FEW = 4
"""Steps of everything where it has to be quick."""


def make(folder: str, quick: bool = False) -> int:
    """Write every screenshot into ``folder``, which is made if it is missing; the exit code. A ``quick`` one shows runs
    of few steps. Raises Refusal."""
    target = Path(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Refusal(f"The folder {target} cannot be made ({error.strerror}). Name another.", repr(error)) from error
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    with _a_home_of_its_own():
        app = QApplication.instance() or QApplication(["diffuscope"])
        assert isinstance(app, QApplication)
        theme().apply(app)
        with Photographer(app, target, quick) as photographer:
            photographer.forward()
            if models():
                photographer.denoise()
                photographer.invert()
                photographer.morph()
                photographer.train()
                photographer.measure()
    print(*photographer.written, sep="\n")
    return 0


class Photographer:
    """A window that is used as a person would. Attributes: ``written``, the files so far."""

    def __init__(self, app: QApplication, folder: Path, quick: bool) -> None:
        self.written: list[Path] = []
        self._app = app
        self._folder = folder
        self._quick = quick
        self._state = AppState()
        self._bridge = Bridge(self._state)
        self._window = MainWindow(self._state, self._bridge, settings=Settings())

    def __enter__(self) -> Photographer:
        self._window.resize(*SIZE)
        self._window.show()
        self._bridge.start()
        self._window.commands.begin()
        self._until(lambda: self._state.image is not None and self._state.status.state is EngineState.IDLE)
        if models():
            self._until(lambda: self._state.model is not None)
        return self

    def __exit__(self, *_: object) -> None:
        theme().override(None)
        self._window.close()
        self._bridge.shut_down()
        self._window.deleteLater()
        self._settle()

    def forward(self) -> None:
        """The forward process on its way, and what the network sees there."""
        self._state.move(stage="forward", t=200)
        if models():
            self._until(lambda: self._state.cursor.shown_t == 200)
        self._photograph("forward")

    def denoise(self) -> None:
        """A run, seen in the middle of its way."""
        (run,) = self._run("denoise", runs=1)
        step = round(0.6 * run.steps)
        self._state.move(run=run.job, step=step, t=int(run.path[step].t))
        self._photograph("denoise")

    def invert(self) -> None:
        """A digit up to its latent, and on its way back."""
        digit = next(sample for sample in samples() if sample.name.endswith("5"))
        self._state.set_image(open_image(digit.path, digit.name))
        up, down = self._run("invert", runs=2)
        assert down.parent == up.job
        step = round(0.7 * down.steps)
        self._state.move(run=down.job, step=step, t=int(down.path[step].t))
        self._photograph("invert")

    def morph(self) -> None:
        """What lies between two digits: the middle of it."""
        (run,) = self._run("morph", runs=1)
        assert isinstance(run.request, MorphRequest)
        self._state.move(run=run.job, frame=run.request.frames // 2, step=run.steps, t=0)
        self._photograph("morph")

    def train(self) -> None:
        """Some steps of fine-tuning on the bundled digits."""
        self._state.move(stage="train")
        stage = self._window.stage
        assert isinstance(stage, TrainStage)
        setup = stage.setup
        self._until(lambda: setup.data is not None)
        setup.controls.fine_tune.setChecked(True)
        setup.controls.duration.set_duration(steps=FEW if self._quick else TRAINED)
        self._window.registry["run"].trigger()
        self._until(lambda: self._state.training is not None and self._state.training.state == "finished")
        self._photograph("train")

    def measure(self) -> None:
        """What the bundled digits cost in bits, timestep by timestep."""
        self._state.move(stage="measure")
        stage = self._window.stage
        assert isinstance(stage, MeasureStage)
        self._until(lambda: stage.intent.can_begin)
        stage.controls.pictures.set_value(FEW if self._quick else MEASURED)
        stage.controls.likelihood.timesteps.set_value(FEW if self._quick else TIMESTEPS)
        self._window.registry["run"].trigger()
        self._until(lambda: self._state.measuring is not None and self._state.measuring.state == "finished")
        self._photograph("measure")

    def _run(self, stage: str, runs: int) -> list[Run]:
        """What the stage's button makes, finished."""
        before = len(self._state.runs)
        self._state.move(stage=stage)
        self._settle()
        if self._quick:
            self._window.stage.controls.steps.set_value(FEW)  # type: ignore[attr-defined]
        self._window.registry["run"].trigger()

        def made() -> list[Run]:
            return [run for run in list(self._state.runs.values())[before:] if run.state == "finished"]

        self._until(lambda: len(made()) == runs)
        return made()

    def _photograph(self, name: str) -> None:
        for scheme, ending in _schemes():
            theme().override(scheme)
            self._settle()
            path = self._folder / f"{name}{ending}.png"
            if not self._window.grab().save(str(path), "PNG"):
                raise Refusal(f"{path} could not be written. Make room, or name another folder.")
            self.written.append(path)

    def _settle(self, seconds: float = 1.0) -> None:
        """Let everything arrive that is under way."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._app.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 20)
            time.sleep(0.005)

    def _until(self, holds: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not holds():
            if time.monotonic() > end or self._state.status.state is EngineState.FAILED:
                raise Refusal("The window did not come as far as its picture. Its log says why.")
            self._settle(0.02)


@contextmanager
def _a_home_of_its_own() -> Iterator[None]:
    """Nothing that the person has set or opened is to be seen."""
    before = os.environ.get(HOME_VARIABLE)
    with tempfile.TemporaryDirectory() as home:
        os.environ[HOME_VARIABLE] = home
        try:
            yield
        finally:
            os.environ.pop(HOME_VARIABLE)
            if before is not None:
                os.environ[HOME_VARIABLE] = before


def _schemes() -> Iterator[tuple[SchemeName, str]]:
    yield "dark", ""
    yield "light", "-light"
