"""Measure: how well a model codes pictures, how far its samples are from them, and what decides between two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from PySide6.QtCore import QMimeData, QTimer, Slot
from PySide6.QtWidgets import QApplication, QPushButton

from app.mementos import Entry, known_folder
from app.stages.base import Stage
from app.stages.folder_dialog import choose_folder
from app.stages.measure_coarse import CoarseToFine
from app.stages.measure_features import FeatureNetworks
from app.stages.measure_instruments import MeasureInstruments
from app.stages.measure_intent import Intent
from app.stages.measure_kinds import PLOTLESS, KindName
from app.stages.measure_nearest import Memorisation, known_pictures
from app.stages.measure_pace import Pace
from app.stages.measure_page import MeasurePage
from app.stages.measure_pictures import EXAMPLE, Pictures
from app.stages.measure_points import Points
from app.stages.measure_record import Record
from app.stages.measure_view import names_of
from app.stages.measure_words import entry
from app.stages.measurements import Measurements, waits_for
from app.state import AppState
from core.messages import Distances, Failed, RunEnded, RunPaused
from core.requests import MetricName

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from app.bridge import Bridge

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
        self.measurements = Measurements(state, bridge, self)
        self.coarse = CoarseToFine(state, bridge, self)
        self.nearest = Memorisation(state, bridge, self)
        self.page = MeasurePage(self.coarse.page, self.nearest.page)
        self.controls, self.view = self.page.controls, self.page.view
        self.pictures = Pictures(bridge, self.page.data, self)
        self.features = FeatureNetworks(state, bridge, self.controls, self)
        self.points = Points(state, bridge, self)
        self.intent = Intent(state, self.controls, self.pictures, Pace(state, bridge, self))
        self.instruments = MeasureInstruments(self.coarse.page.below)
        self._record: Record | None = None
        """The measurement looked at; None: the pictures are."""
        self._refresh = QTimer(self, singleShot=True)
        self._refresh.timeout.connect(self.flush)
        self.page.fill(self.content)
        self._connect()
        self._model_changed()
        self.instruments.show_idea(self.kind, self.view.key, self._metric())
        folder = Entry("Folder", self._folder, self._recall_folder, (self.pictures.changed,), is_path=True)
        self.remember({"folder": folder, **self.controls.entries()}, self.controls.settle)

    def awaits(self, memento: Mapping[str, Any]) -> bool:
        folder = memento.get("folder")
        is_coming = bool(folder) and folder != str(self.pictures.folder) and Path(str(folder)).is_dir()
        return super().awaits(memento) or is_coming

    @Slot()
    def _give_up_folder(self) -> None:
        """The folder that was to be read cannot be: what else was to be set, is."""
        self.mementos.awaited.pop("folder", None)
        self.retry()

    def _folder(self) -> str:
        """That of the pictures, if it is the person's own."""
        return _own(self.pictures.folder)

    def _recall_folder(self, path: object) -> None:
        if path != _own(self.pictures.reading or self.pictures.folder):
            self.pictures.read(known_folder(path) if path != "" else EXAMPLE)

    def _connect(self) -> None:
        page, controls, parts, state = self.page, self.controls, self.instruments, self.state
        page.start.clicked.connect(self.start)
        page.pause.clicked.connect(self._pause_or_resume)
        page.stop.clicked.connect(self.stop)
        page.smaller.clicked.connect(self.intent.accept)
        controls.changed.connect(self._plan)
        controls.kind_changed.connect(self._kind_changed)
        controls.folder_wanted.connect(self._choose_folder)
        self.view.view_changed.connect(self.flush)
        self.view.plot.point_clicked.connect(self._point_clicked)
        self.view.plot.pointed_changed.connect(self._say_point)
        parts.list.chosen.connect(self._chosen)
        parts.list.shown_changed.connect(self._shown_changed)
        parts.list.forgotten.connect(self._forget)
        parts.samples.opened.connect(self.points.open)
        self.points.failed.connect(self.errors.show_error)
        self.pictures.changed.connect(self._pictures_changed)
        self.pictures.refused.connect(self.errors.show_error)
        self.pictures.refused.connect(self._give_up_folder)
        self.features.changed.connect(self._plan)
        self.measurements.changed.connect(self._changed)
        self.measurements.listed.connect(self.flush)
        self.coarse.changed.connect(self.flush)
        self.coarse.failed.connect(self.errors.show_error)
        self.coarse.opened.connect(self.points.show_run)
        self.nearest.changed.connect(self._nearest_changed)
        self.nearest.refused.connect(self.errors.show_error)
        self.nearest.accepted.connect(self.errors.dismiss)
        state.status_changed.connect(self._status_changed)
        state.model_changed.connect(self._model_changed)
        QApplication.instance().lastWindowClosed.connect(self.pictures.cancel)  # type: ignore[union-attr]

    # What the window asks

    @property
    def primary_action(self) -> QPushButton:
        return self.page.start

    @property
    def commands(self) -> frozenset[str]:
        can = {"stop"} if self.is_busy or self.pictures.is_reading else set()
        return frozenset(can | ({"toggle"} if self.is_busy else set()))

    @property
    def kind(self) -> KindName:
        return cast(KindName, self.controls.kind.value())

    @property
    def is_busy(self) -> bool:
        """Something that was asked for here is not done yet."""
        return self.measurements.live is not None or bool(self.coarse.live) or self.nearest.is_busy

    def right_widgets(self) -> Sequence[QWidget]:
        return self.instruments.right

    def bottom_widgets(self) -> Sequence[QWidget]:
        return (self.instruments.bottom,)

    def drop_verbs(self, mime: QMimeData) -> str:
        is_folder = any(url.isLocalFile() and Path(url.toLocalFile()).is_dir() for url in mime.urls())
        return "measure on this folder" if is_folder else "keep it for the other stages"

    def handle_folder(self, folder: Path) -> bool:
        self.errors.dismiss()
        self.pictures.read(folder)
        return True

    def activate(self) -> None:
        self.hint_changed.emit(HINT)
        self.pictures.begin()
        self.features.begin()
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
        self.intent.renew()
        request, model, data = self.intent.request, self.state.model, self.pictures.data
        if self.kind == "coarse":
            self.coarse.begin(*self.intent.coarse())
            self.flush()
        elif self.kind == "nearest" and self.pictures.folder is not None:
            self.nearest.begin(self.intent.nearest(), self.pictures.folder)
            self.flush()
        elif request is not None and model is not None and data is not None:
            self._look_at(self.measurements.start(self.kind, request, data, model))

    def stop(self) -> None:
        live = self.measurements.live
        if self.pictures.is_reading:
            self.pictures.cancel()
        elif live is not None:
            self.measurements.stop(live)
        elif self.nearest.is_busy or self.kind == "nearest":
            self.nearest.stop()
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
        elif self.nearest.is_busy:
            self.nearest.pause_or_resume()
        else:
            self.coarse.pause_or_resume()

    @Slot()
    def _choose_folder(self) -> None:
        choose_folder(self, "Choose a folder of pictures", self.handle_folder)

    # What follows from settings, model and pictures

    @Slot()
    def _plan(self) -> None:
        """Say what these settings would take, or why they cannot be had."""
        self.intent.renew()
        self.page.say_cost(self.intent.words, self.intent.proposal_words)
        if self.kind == "coarse" and self.intent.can_begin:
            self.coarse.show_plan(*self.intent.coarse())
        self._show_buttons()
        self._show_note()

    @Slot()
    def _model_changed(self) -> None:
        with self.mementos.unasked():
            self.controls.set_model(self.state.model)
        self.pictures.set_model(self.state.model)
        self._plan()

    @Slot()
    def _pictures_changed(self) -> None:
        with self.mementos.unasked():
            self.controls.set_data(self.pictures.data, self.pictures.folder)
        if self.mementos.awaited.get("folder") == str(self.pictures.folder):
            self.retry()
        self._plan()

    @Slot(object)
    def _status_changed(self, _status: object) -> None:
        if self.state.cursor.stage == self.key:
            self.flush()

    @Slot(str)
    def _kind_changed(self, kind: str) -> None:
        """Look at the last measurement of that kind, or at the pictures."""
        self._offer_training_pictures()
        self._look_at(next((r for r in reversed(self.measurements.records) if r.kind == kind), None))

    def _offer_training_pictures(self) -> None:
        """Samples are copies of what was trained on, if of anything: those pictures, unless the person chose others."""
        model = self.state.model
        if self.kind == "nearest" and model is not None and self.pictures.folder in (None, EXAMPLE):
            known = known_pictures(self.state, model.ref)
            if known is not None:
                self.pictures.read(known)

    @Slot()
    def _nearest_changed(self) -> None:
        if self.kind == "nearest":
            self.flush()
        else:
            self._show_buttons()

    # What is looked at

    def _look_at(self, record: Record | None) -> None:
        self._record = record
        self.points.leave()
        self.view.plot.point_at(None)
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
            self.points.leave()
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
        elif kind == "nearest" and self.nearest.has_begun:
            self.page.show_nearest()
        elif self._record is None:
            self.page.show_data()
        else:
            self.page.show_result()
            self.view.show_record(self._record, together, self._note(), waits_for(self._record, self.state.status))
        self.instruments.show_idea(kind, self.view.key, self._metric())
        self.instruments.show_bottom(kind, together, self.points.at, dict(names_of(together, kind)))
        status = self.state.status
        entries = [entry(record, waits_for(record, status)) for record in reversed(self.measurements.records)]
        self.instruments.list.set_entries(entries, None if self._record is None else self._record.job)
        self._show_buttons()

    def _metric(self) -> MetricName:
        """Of the result looked at, else the one that is chosen."""
        result = None if self._record is None else self._record.result
        if isinstance(result, Distances):
            return result.metric
        return cast(MetricName, self.controls.distance.metric_choice.value())

    def _note(self) -> str:
        record = self._record
        differs = record is not None and self.intent.request is not None and self.intent.request != record.request
        return EARLIER if differs else ""

    def _show_note(self) -> None:
        if self._record is not None and self.kind not in PLOTLESS:
            waits = waits_for(self._record, self.state.status)
            self.view.show_record(self._record, self._together(), self._note(), waits)

    def _show_buttons(self) -> None:
        live = self.measurements.live
        others = self.nearest if self.nearest.is_busy else self.coarse
        paused = live.state == "paused" if live is not None else others.is_paused
        busy = self.is_busy
        can_pause = busy if live is not None or others is self.coarse else self.nearest.can_pause
        self.page.show_buttons(
            can_start=self.intent.can_begin and not busy, busy=busy, can_pause=can_pause, paused=paused
        )
        self.commands_changed.emit()

    # Points

    @Slot(int, int)
    def _point_clicked(self, curve: int, point: int) -> None:
        is_own = self.points.choose(self._together(), curve, point)
        self.view.plot.choose((curve, point) if is_own else None)
        self.flush()

    @Slot(str)
    def _say_point(self, words: str) -> None:
        self.hint_changed.emit(words or HINT)

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


def _own(folder: Path | None) -> str:
    return "" if folder is None or folder == EXAMPLE else str(folder)
