"""Memorisation: samples of the open model are drawn, and beside each the nearest pictures of the folder looked up."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QApplication, QWidget

from app.stages.denoise_nearest import SampleCheck, training_of
from app.stages.measure_compared import Comparison
from app.stages.readiness import LIVE
from app.state import AppState, Run
from core.evaluation.nearest_plan import Trained, trained_as
from core.messages import Failed, Preview, Progress, RunEnded
from core.requests import ModelRef, SampleRequest
from core.training.dataset import PictureFolder

if TYPE_CHECKING:
    from app.bridge import Bridge


class Memorisation(QObject):
    """Attributes: ``check``, which compares what was drawn; ``records``, what was checked in this session, in the order
    in which it was asked for; ``current``, the one looked at, None where there is nothing to look at.

    Signals: ``changed()``; ``listed()``, there is more or less to keep; ``refused(message, details)``; ``accepted()``.
    """

    changed = Signal()
    listed = Signal()
    refused = Signal(str, str)
    accepted = Signal()

    def __init__(self, state: AppState, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._state, self._bridge = state, bridge
        self._live: Comparison | None = None
        """The one whose samples are drawn or compared."""
        self._folder: Path | None = None
        self.records: tuple[Comparison, ...] = ()
        self.current: Comparison | None = None
        self.check = SampleCheck(state, bridge, self)
        self.check.refused.connect(self.refused)
        self.check.accepted.connect(self.accepted)
        self.check.desk.changed.connect(self._told)
        self.check.nearest.stop_wanted.connect(self._stop_drawing)
        bridge.message.connect(self._receive)
        QApplication.instance().lastWindowClosed.connect(self.check.leave)  # type: ignore[union-attr]

    @property
    def page(self) -> QWidget:
        return self.check.page

    @property
    def is_busy(self) -> bool:
        """Samples are drawn, or compared."""
        return self._is_drawing or self.check.desk.is_busy

    @property
    def is_paused(self) -> bool:
        run = self._run()
        return self.check.desk.is_paused if run is None else run.state == "paused"

    @property
    def can_pause(self) -> bool:
        run = self._run()
        return self.check.desk.can_pause if run is None else run.state in LIVE

    @property
    def _is_drawing(self) -> bool:
        return self._live is not None and self._live.state == "drawing"

    def of(self, job: int) -> Comparison | None:
        """The check whose samples this run drew."""
        return next((record for record in self.records if record.job == job), None)

    def begin(self, request: SampleRequest, folder: Path) -> None:
        """Draw samples and compare them with the pictures in this folder."""
        self._folder = folder
        self._live = Comparison(self._bridge.submit(request), request, folder.name, made=time.time())
        self.records = (*self.records, self._live)
        self.look_at(self._live)

    def look_at(self, record: Comparison | None) -> None:
        """Show what was drawn and found, as far as it is known."""
        self.current = record
        if record is None or record.course is None or record.drawn is None:
            self.check.clear()
        else:
            self.check.look_again(record.course, record.drawn, record.result)
        if self._is_drawing:
            self._say_drawing()

    def look_at_last(self) -> None:
        """What was looked at, else the last check."""
        if self.current is None and self.records:
            self.look_at(self.records[-1])

    def forget(self, record: Comparison) -> None:
        """Take one that has ended off the list."""
        if record.state == "ended":
            self.records = tuple(other for other in self.records if other is not record)
            if record is self.current:
                self.look_at(self.records[-1] if self.records else None)
            self.listed.emit()

    def stop(self) -> None:
        if self._is_drawing:
            self._stop_drawing()
        else:
            self.check.stop()

    @Slot()
    def _stop_drawing(self) -> None:
        if self._live is not None and self._is_drawing:
            self._bridge.cancel(self._live.job)

    def pause_or_resume(self) -> None:
        run = self._run()
        if run is None:
            self.check.desk.pause_or_resume()
        elif run.state in LIVE:
            (self._bridge.resume if run.state == "paused" else self._bridge.pause)(run.job)

    def _run(self) -> Run | None:
        return self._state.runs.get(self._live.job) if self._live is not None and self._is_drawing else None

    @Slot(object)
    def _receive(self, message: object) -> None:
        live = self._live
        if live is None or live.state != "drawing" or getattr(message, "job", None) != live.job:
            return
        match message:
            case Preview(x_t=x_t, x0_hat=x0_hat):
                if live is self.current:
                    self.check.nearest.show_samples(x_t if x0_hat is None else x0_hat, (), None)
            case Progress():
                self._say_drawing()
                self.changed.emit()
            case RunEnded(reason=reason):
                self._drawn(live, is_whole=reason == "finished")
            case Failed():
                self._drawn(live, is_whole=False)
                self.refused.emit(message.message, message.details)

    def _drawn(self, live: Comparison, *, is_whole: bool) -> None:
        """Compare what was drawn; of what was not drawn to its end nothing is kept."""
        run = self._state.runs.get(live.job)
        self._live, live.state = None, "ended"
        if is_whole and run is not None and self._folder is not None:
            self.check.compare(run, self._folder)
        shown = self.check.shown
        if shown is None or shown[1].step != live.job:
            self.forget(live)
        else:
            live.course, live.drawn = shown
            self.current = live
            self.listed.emit()
            if self.check.desk.is_busy:
                self._live, live.state = live, "comparing"
        self._told()

    @Slot()
    def _told(self) -> None:
        """More is known of what is compared, or it has ended."""
        desk = self.check.desk
        for record in self.records:
            if record.course is not None and record.drawn is not None:
                record.result = desk.result(record.course, record.drawn) or record.result
        live = self._live
        if live is not None and live.state == "comparing":
            live.progress = desk.progress
            if not desk.is_busy:
                self._live, live.state = None, "ended"
                self.listed.emit()
        self.changed.emit()

    def _say_drawing(self) -> None:
        run, live = self._run(), self._live
        if live is not None:
            live.progress = 0.0 if run is None else run.stored / run.steps
            self.check.nearest.show_busy(f"Drawing samples, {live.progress:.0%}")


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
