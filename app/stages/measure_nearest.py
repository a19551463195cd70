"""Memorisation: samples of the open model are drawn, and beside each the nearest pictures of the folder looked up."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QApplication, QWidget

from app.stages.denoise_nearest import SampleCheck, training_of
from app.stages.readiness import LIVE
from app.state import AppState, Run
from core.evaluation.nearest_plan import Trained, trained_as
from core.messages import Failed, Preview, Progress, RunEnded
from core.requests import ModelRef, SampleRequest
from core.training.dataset import PictureFolder

if TYPE_CHECKING:
    from app.bridge import Bridge


class Memorisation(QObject):
    """Attributes: ``check``, which compares what was drawn; ``has_begun``, whether there is anything to look at.

    Signals: ``changed()``; ``refused(message, details)``; ``accepted()``.
    """

    changed = Signal()
    refused = Signal(str, str)
    accepted = Signal()

    def __init__(self, state: AppState, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._state, self._bridge = state, bridge
        self._job: int | None = None
        """The run that draws."""
        self._folder: Path | None = None
        self.has_begun = False
        self.check = SampleCheck(state, bridge, self)
        self.check.refused.connect(self.refused)
        self.check.accepted.connect(self.accepted)
        self.check.desk.changed.connect(self.changed)
        self.check.nearest.stop_wanted.connect(self._stop_drawing)
        bridge.message.connect(self._receive)
        QApplication.instance().lastWindowClosed.connect(self.check.leave)  # type: ignore[union-attr]

    @property
    def page(self) -> QWidget:
        return self.check.page

    @property
    def is_busy(self) -> bool:
        """Samples are drawn, or compared."""
        return self._job is not None or self.check.desk.is_busy

    @property
    def is_paused(self) -> bool:
        run = self._run()
        return self.check.desk.is_paused if run is None else run.state == "paused"

    @property
    def can_pause(self) -> bool:
        run = self._run()
        return self.check.desk.can_pause if run is None else run.state in LIVE

    def begin(self, request: SampleRequest, folder: Path) -> None:
        """Draw samples and compare them with the pictures in this folder."""
        self._folder, self.has_begun = folder, True
        self._job = self._bridge.submit(request)
        self.check.clear()
        self._say_drawing()

    def stop(self) -> None:
        if self._job is not None:
            self._stop_drawing()
        else:
            self.check.stop()

    @Slot()
    def _stop_drawing(self) -> None:
        if self._job is not None:
            self._bridge.cancel(self._job)

    def pause_or_resume(self) -> None:
        run = self._run()
        if run is None:
            self.check.desk.pause_or_resume()
        elif run.state in LIVE:
            (self._bridge.resume if run.state == "paused" else self._bridge.pause)(run.job)

    def _run(self) -> Run | None:
        return None if self._job is None else self._state.runs.get(self._job)

    @Slot(object)
    def _receive(self, message: object) -> None:
        job = self._job
        if job is None or getattr(message, "job", None) != job:
            return
        match message:
            case Preview(x_t=x_t, x0_hat=x0_hat):
                self.check.nearest.show_samples(x_t if x0_hat is None else x0_hat, (), None)
            case Progress():
                self._say_drawing()
            case RunEnded(reason=reason):
                self._job = None
                run = self._state.runs.get(job)
                if reason == "finished" and run is not None and self._folder is not None:
                    self.check.compare(run, self._folder)
                else:
                    self.has_begun = False
                self.changed.emit()
            case Failed():
                self._job, self.has_begun = None, False
                self.refused.emit(message.message, message.details)
                self.changed.emit()

    def _say_drawing(self) -> None:
        run = self._run()
        done = 0.0 if run is None else run.stored / run.steps
        self.check.nearest.show_state(f"Drawing samples, {done:.0%}", can_start=False, is_busy=True)


def known_pictures(state: AppState, model: ModelRef) -> Path | None:
    """Where the pictures lie that a model was trained on, as far as this computer knows."""
    folder = state.folders.get(model.sha256)
    training = None if folder is None else training_of(Path(folder))
    found = None if training is None else training.pictures
    return found if found is not None and found.is_dir() else None


def remarks(state: AppState, model: ModelRef, data: PictureFolder, fewest: int) -> str:
    """What one should know before samples are compared with these pictures, "" where nothing."""
    folder = state.folders.get(model.sha256)
    trained = Trained() if folder is None else trained_as(Path(folder))
    if trained.data_sha256 and trained.data_sha256 != data.sha256:
        return "These are not the pictures that the model was trained on: copies of others would not be found."
    if len(data) < fewest:
        return f"{len(data)} pictures are too few for a verdict: best are those that the model was trained on."
    return ""
