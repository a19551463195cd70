"""Measure: how well a model codes pictures, how far its samples are from them, and what decides between two "
"models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QMimeData, QTimer, Slot
from PySide6.QtWidgets import QApplication, QFileDialog, QPushButton

from app.plot_files import PlotSaver
from app.stages.base import Stage
from app.stages.folder_dialog import choose_folder
from app.stages.measure_coarse import CoarseToFine
from app.stages.measure_instruments import MeasureInstruments
from app.stages.measure_kinds import KindName
from app.stages.measure_maths import point_at
from app.stages.measure_pace import Pace, duration
from app.stages.measure_page import MeasurePage
from app.stages.measure_plan import Proposal, coarse_plan, cost_of, cost_of_run, plan, smaller
from app.stages.measure_record import Record
from app.stages.measure_sampling import FOLDER
from app.stages.measure_view import names_of
from app.stages.measure_words import entry
from app.stages.measurements import Measurements, waits_for
from app.stages.train_loader import FolderLoader
from app.state import AppState
from core.errors import Refusal
from core.messages import DistancePoint, Failed, ModelInfo, RunEnded, RunPaused, RunStarted
from core.requests import DistanceRequest, MeasureRequest
from resources import FOLDER as RESOURCES

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from app.bridge import Bridge
    from core.training.dataset import PictureFolder

EXAMPLE = RESOURCES / "samples" / "digits"
JUDGE = "digits-judge"
REFRESH_MS = 150
HINT = "Ctrl+Enter measures, Space pauses, Esc stops and keeps what is known; drop a folder to measure on it."
EARLIER = "Measured with other settings than those above."


class MeasureStage(Stage):
    """Measurements of the open model on a folder of pictures, and of its samples against each other."""

    key = "measure"
    title = "Measure"

    def __init__(self, state: AppState, bridge: Bridge, parent: QWidget | None = None) -> None:
        super().__init__(state, parent)
        self._bridge = bridge
        self.measurements = Measurements(bridge, self)
        self.coarse = CoarseToFine(state, bridge, self)
        self.pace = Pace(state, bridge, self)
        self.loader = FolderLoader(bridge, self)
        self.saver = PlotSaver(self)
        self.page = MeasurePage(self.coarse.page)
        self.controls, self.view = self.page.controls, self.page.view
        self.instruments = MeasureInstruments(self.coarse.page.below)
        self.data: PictureFolder | None = None
        self.folder: Path | None = None
        self._record: Record | None = None
        """The measurement looked at; None: the pictures are."""
        self._at: tuple[Record, DistancePoint] | None = None
        self._planned: MeasureRequest | None = None
        self._proposal: Proposal | None = None
        self._to_open: set[int] = set()
        self._awaits_judge = ""
        self._refresh = QTimer(self, singleShot=True)
        self._refresh.timeout.connect(self.flush)
        self.page.fill(self.content)
        self._connect()
        self._model_changed()
        self.controls.set_classifiers(state.classifiers)

    def _connect(self) -> None:
        page, controls, parts, state = self.page, self.controls, self.instruments, self.state
        page.start.clicked.connect(self.start)
        page.pause.clicked.connect(self._pause_or_resume)
        page.stop.clicked.connect(self.stop)
        page.smaller.clicked.connect(self._use_proposal)
        page.data.cancelled.connect(self._cancel_reading)
        controls.changed.connect(self._plan)
        controls.kind_changed.connect(self._kind_changed)
        controls.folder_wanted.connect(self._choose_folder)
        controls.features_wanted.connect(self._choose_features)
        self.view.view_changed.connect(self.flush)
        self.view.plot.point_clicked.connect(self._point_clicked)
        self.view.plot.pointed_changed.connect(self._say_point)
        parts.list.chosen.connect(self._chosen)
        parts.list.shown_changed.connect(self._shown_changed)
        parts.list.forgotten.connect(self._forget)
        parts.samples.opened.connect(self._open_point)
        for plot in (self.view.plot, parts.accounting):
            self.saver.watch(plot)
        self.saver.saved.connect(self._say_saved)
        self.saver.refused.connect(self.errors.show_error)
        self.loader.progressed.connect(page.data.show_progress)
        self.loader.opened.connect(self._opened)
        self.loader.failed.connect(self._failed_to_read)
        self.measurements.changed.connect(self._changed)
        self.measurements.listed.connect(self.flush)
        self.coarse.changed.connect(self.flush)
        self.coarse.failed.connect(self.errors.show_error)
        self.coarse.opened.connect(self._open_run)
        self._bridge.message.connect(self._receive)
        state.status_changed.connect(self._status_changed)
        state.model_changed.connect(self._model_changed)
        state.classifiers_changed.connect(self._classifiers_changed)
        QApplication.instance().lastWindowClosed.connect(self.loader.cancel)  # type: ignore[union-attr]

    # What the window asks

    @property
    def primary_action(self) -> QPushButton:
        return self.page.start

    @property
    def commands(self) -> frozenset[str]:
        can = {"stop"} if self.is_busy or self.loader.folder is not None else set()
        return frozenset(can | ({"toggle"} if self.is_busy else set()))

    @property
    def kind(self) -> KindName:
        return cast(KindName, self.controls.kind.value())

    @property
    def is_busy(self) -> bool:
        """Something that was asked for here is not done yet."""
        return self.measurements.live is not None or bool(self.coarse.live)

    def right_widgets(self) -> Sequence[QWidget]:
        return self.instruments.right

    def bottom_widgets(self) -> Sequence[QWidget]:
        return (self.instruments.bottom,)

    def drop_verbs(self, mime: QMimeData) -> str:
        is_folder = any(url.isLocalFile() and Path(url.toLocalFile()).is_dir() for url in mime.urls())
        return "measure on this folder" if is_folder else "keep it for the other stages"

    def handle_folder(self, folder: Path) -> bool:
        self.errors.dismiss()
        self._read(folder)
        return True

    def activate(self) -> None:
        self.hint_changed.emit(HINT)
        if self.data is None and self.loader.folder is None and EXAMPLE.is_dir():
            self._read(EXAMPLE)
        self._open_judge()
        self._plan()
        self.flush()
        self.page.start.setFocus()

    # Commands

    @Slot()
    def start(self) -> None:
        """Measure with the settings of the controls."""
        if not self.page.start.isEnabled():
            return
        self.errors.dismiss()
        try:
            if self.kind == "coarse":
                self.coarse.begin(*coarse_plan(self.controls.settings(), self.state.model))
                self.flush()
                return
            request = self._request()
        except Refusal as refusal:
            self.errors.show_error(str(refusal), refusal.details)
            return
        model, data = self.state.model, self.data
        assert model is not None
        assert data is not None
        self._look_at(self.measurements.start(self.kind, request, data, model))

    def stop(self) -> None:
        live = self.measurements.live
        if self.loader.folder is not None:
            self._cancel_reading()
        elif live is not None:
            self.measurements.stop(live)
        else:
            self.coarse.stop()

    def toggle(self) -> None:
        self._pause_or_resume()

    def seek(self, steps: int) -> None:
        self.view.plot.walk(steps)

    @Slot()
    def _pause_or_resume(self) -> None:
        live = self.measurements.live
        if live is not None:
            self.measurements.pause_or_resume(live)
        else:
            self.coarse.pause_or_resume()

    @Slot()
    def _use_proposal(self) -> None:
        if self._proposal is not None:
            self.controls.use(self._proposal.values)

    # Pictures

    @Slot()
    def _choose_folder(self) -> None:
        choose_folder(self, "Choose a folder of pictures", self.handle_folder)

    def _read(self, folder: Path) -> None:
        """Read a folder at the model's size, in the place of the one before."""
        self.page.data.show_reading(folder)
        self.loader.open(folder, side_of(self.state.model))
        self._plan()

    @Slot(object, object)
    def _opened(self, data: PictureFolder, folder: Path) -> None:
        self.data, self.folder = data, folder
        self.controls.set_data(data, folder)
        self._show_data()
        self._plan()

    @Slot(str, str)
    def _failed_to_read(self, message: str, details: str) -> None:
        """What was there before stays."""
        self._show_data()
        self.errors.show_error(message, details)
        self._plan()

    @Slot()
    def _cancel_reading(self) -> None:
        self.loader.cancel()
        self._show_data()
        self._plan()

    def _show_data(self) -> None:
        self.page.data.show_reading(self.loader.folder)
        self.page.data.show_pictures(self.data, self.state.model, is_example=self.folder == EXAMPLE)

    # The network whose features are compared

    def _open_judge(self) -> None:
        known = any(not one.noisy for one in self.state.classifiers)
        if not known and not self._awaits_judge and (RESOURCES / "classifiers" / JUDGE).is_dir():
            self._awaits_judge = JUDGE
            self._bridge.open_classifier(JUDGE)

    @Slot(str)
    def _choose_features(self, what: str) -> None:
        if what == FOLDER:
            choose_folder(self, "Open a classifier's folder", lambda folder: self.open_features(folder))
            return
        dialog = QFileDialog(self, "Open Inception weights", "", "Weights (*.pth *.pt *.safetensors);;All files (*)")
        dialog.fileSelected.connect(lambda name: self.open_features(Path(name)))
        dialog.open()

    def open_features(self, path: Path) -> None:
        """Open a classifier's folder or a file of Inception weights, and compare in its features."""
        self._awaits_judge = str(path)
        self._bridge.open_classifier(str(path))

    @Slot(object)
    def _classifiers_changed(self, _classifiers: object) -> None:
        classifiers = self.state.classifiers
        self.controls.set_classifiers(classifiers)
        if self._awaits_judge and classifiers:
            self._awaits_judge = ""
            self.controls.distance.judge(classifiers[-1].ref.sha256)
        self._plan()

    # What follows from settings, model and pictures

    def _request(self) -> MeasureRequest:
        return plan(self.controls.settings(), self.state.model, self.data, self.state.classifiers)

    @Slot()
    def _plan(self) -> None:
        """Say what these settings would cost, or why they cannot be had."""
        self._planned, self._proposal, cost = None, None, 0
        try:
            settings = self.controls.settings()
            if self.kind == "coarse":
                parent, shares = coarse_plan(settings, self.state.model)
                cost = cost_of_run(parent) + sum(cost_of_run(run) for share in shares for run in share.runs)
            else:
                self._planned = self._request()
                cost = cost_of(self._planned)
        except Refusal as refusal:
            self.page.say_cost("The folder is being read." if self.loader.folder is not None else str(refusal), "")
        else:
            assert self.state.model is not None
            seconds = self.pace.seconds(self.state.model.ref, cost)
            self._proposal = smaller(settings, seconds)
            took = f", {duration(seconds)}" if seconds is not None else ""
            less = self._proposal
            words = "" if less is None or seconds is None else f"{less.words}: {duration(seconds * less.share)}"
            self.page.say_cost(f"{cost:,} evaluations of the network{took}.", words)
        self._show_buttons()
        self._show_note()

    @Slot()
    def _model_changed(self) -> None:
        model = self.state.model
        self.controls.set_model(model)
        if self.folder is not None and self.data is not None and self.data.pictures.shape[1] != side_of(model):
            self._read(self.folder)
        self._show_data()
        self._plan()

    @Slot(object)
    def _status_changed(self, _status: object) -> None:
        self.flush()

    @Slot(str)
    def _kind_changed(self, kind: str) -> None:
        """Look at the last measurement of that kind, or at the pictures."""
        self._look_at(next((r for r in reversed(self.measurements.records) if r.kind == kind), None))

    # What is looked at

    def _look_at(self, record: Record | None) -> None:
        self._record, self._at = record, None
        self.view.plot.choose(None)
        self.flush()

    @Slot(int)
    def _chosen(self, job: int) -> None:
        record = self.measurements.of(job)
        if record is not None:
            if record.kind != self.kind:
                self.controls.kind.set_value(record.kind)
            self._look_at(record)

    @Slot(int, bool)
    def _shown_changed(self, job: int, shown: bool) -> None:
        record = self.measurements.of(job)
        if record is not None:
            record.shown = shown
            self._at = None
            self.view.plot.choose(None)
            self.flush()

    @Slot(int)
    def _forget(self, job: int) -> None:
        record = self.measurements.of(job)
        if record is not None and not record.is_live:
            if record is self._record:
                self._record = None
            self.measurements.forget(record)
            self._kind_changed(self.kind)

    def _together(self) -> tuple[Record, ...]:
        return self.measurements.shown(self.kind)

    @Slot()
    def flush(self) -> None:
        """Show the newest figures now."""
        self._refresh.stop()
        kind, together = self.kind, self._together()
        self.view.show_kind(kind)
        if kind == "coarse":
            self.page.show_coarse(self.coarse.words, bool(self.coarse.jobs))
        elif self._record is None:
            self.page.show_data()
        else:
            self.page.show_result()
            self.view.show_record(self._record, together, self._note(), waits_for(self._record, self.state.status))
        self.instruments.show_idea(kind, self.view.key)
        self.instruments.show_bottom(kind, together, self._at, dict(names_of(together, kind)))
        status = self.state.status
        entries = [entry(record, waits_for(record, status)) for record in reversed(self.measurements.records)]
        self.instruments.list.set_entries(entries, None if self._record is None else self._record.job)
        self._show_buttons()

    def _note(self) -> str:
        record = self._record
        differs = record is not None and self._planned is not None and self._planned != record.request
        return EARLIER if differs else ""

    def _show_note(self) -> None:
        if self._record is not None and self.kind != "coarse":
            waits = waits_for(self._record, self.state.status)
            self.view.show_record(self._record, self._together(), self._note(), waits)

    def _show_buttons(self) -> None:
        live = self.measurements.live
        paused = live.state == "paused" if live is not None else self.coarse.is_paused
        can = self._planned is not None or (self.kind == "coarse" and self.state.model is not None)
        self.page.show_buttons(can_start=can and not self.is_busy, busy=self.is_busy, paused=paused)
        self.commands_changed.emit()

    # Points

    @Slot(int, int)
    def _point_clicked(self, curve: int, point: int) -> None:
        self._at = point_at(self._together(), curve, point)
        self.view.plot.choose((curve, point) if self._at is not None else None)
        self.flush()

    @Slot()
    def _open_point(self) -> None:
        """The first batch of the point's samples, as a run in Denoise."""
        if self._at is None:
            return
        record, point = self._at
        request = record.request
        assert isinstance(request, DistanceRequest)
        trial = next(t for t in request.trials if t.series == point.series and t.x == point.x)
        self._to_open.add(self._bridge.submit(trial.request))

    @Slot(int)
    def _open_run(self, job: int) -> None:
        run = self.state.runs[job]
        self.state.move(stage="denoise", run=job, step=run.stored, t=int(max(0, run.path[run.stored].t)))

    @Slot(str)
    def _say_point(self, words: str) -> None:
        self.hint_changed.emit(words or HINT)

    @Slot(object)
    def _say_saved(self, path: Path) -> None:
        self.hint_changed.emit(f"Saved {path}")

    # What the engine says

    @Slot(object, object)
    def _changed(self, record: Record, message: object) -> None:
        if isinstance(message, Failed):
            self.errors.show_error(message.message, message.details)
            if record is self._record and record.result is None:
                self._record = None
        if isinstance(message, RunPaused) and message.reason:
            self.errors.show_error(message.reason)
        if isinstance(message, Failed | RunEnded | RunPaused):
            self.flush()
            self._plan()
        elif not self._refresh.isActive():
            self._refresh.start(REFRESH_MS)

    @Slot(object)
    def _receive(self, message: object) -> None:
        if isinstance(message, RunStarted) and message.job in self._to_open:
            self._to_open.discard(message.job)
            self._open_run(message.job)
        elif isinstance(message, Failed) and message.job in self._to_open:
            self._to_open.discard(message.job)
            self.errors.show_error(message.message, message.details)
        elif isinstance(message, Failed) and message.job is None:
            self._awaits_judge = ""


def side_of(model: ModelInfo | None) -> int:
    """The side at which a folder is read for a model."""
    return model.event_shape[1] if model is not None and len(model.event_shape) == 3 else 32
