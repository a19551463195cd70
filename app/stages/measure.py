"""Measure: how well a model codes pictures, how far its samples are from them, and what decides between two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QMimeData, Slot
from PySide6.QtWidgets import QApplication, QPushButton

from app.mementos import Entry, known_folder
from app.stages.base import Stage
from app.stages.folder_dialog import choose_folder
from app.stages.measure_features import FeatureNetworks
from app.stages.measure_intent import Intent
from app.stages.measure_kinds import KindName
from app.stages.measure_nearest import known_pictures
from app.stages.measure_pace import Pace
from app.stages.measure_pictures import EXAMPLE, Pictures
from app.stages.measure_screen import MeasureScreen
from app.state import AppState

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from app.bridge import Bridge

HINT = "Ctrl+Enter measures, Space pauses, Esc stops and keeps what is known; drop a folder to measure on it."


class MeasureStage(Stage):
    """Measurements of the open model on a folder of pictures, and of its samples against each other."""

    key = "measure"
    title = "Measure"

    def __init__(self, state: AppState, bridge: Bridge, parent: QWidget | None = None) -> None:
        super().__init__(state, parent)
        self._bridge = bridge
        shown = self.shown = MeasureScreen(state, bridge, self)
        self.measurements, self.coarse, self.nearest = shown.measurements, shown.coarse, shown.nearest
        self.page, self.points, self.instruments = shown.page, shown.points, shown.instruments
        self.controls, self.view = self.page.controls, self.page.view
        self.pictures = Pictures(bridge, self.page.data, self)
        self.features = FeatureNetworks(state, bridge, self.controls, self)
        self.intent = Intent(state, self.controls, self.pictures, Pace(state, bridge, self))
        self.page.fill(self.content)
        self._connect()
        self._model_changed()
        shown.show_idea()
        folder = Entry("Folder", self._folder, self._recall_folder, (self.pictures.changed,), is_path=True)
        self.remember({"folder": folder, **self.controls.entries(), "measured": self._measured()}, self.controls.settle)

    def awaits(self, memento: Mapping[str, Any]) -> bool:
        folder = memento.get("folder")
        is_coming = bool(folder) and folder != str(self.pictures.folder) and Path(str(folder)).is_dir()
        return super().awaits(memento) or is_coming

    def _measured(self) -> Entry:
        """The measurements there are, which is no setting."""
        listed, ended = self.measurements.listed, self.shown.ended
        told = listed, ended, self.instruments.list.shown_changed, self.nearest.listed, self.coarse.changed
        return Entry("Measurements", self.shown.keeping.told, self._put_back, told, is_view=True)

    def _put_back(self, told: object) -> None:
        self.shown.keeping.put_back(told)
        self.flush()
        if self.shown.record is None:
            self.shown.look_at_last(self.kind)

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
        page, controls, state, shown = self.page, self.controls, self.state, self.shown
        page.start.clicked.connect(self.start)
        page.pause.clicked.connect(self._pause_or_resume)
        page.stop.clicked.connect(self.stop)
        page.smaller.clicked.connect(self.intent.accept)
        controls.changed.connect(self._plan)
        controls.kind_changed.connect(self._kind_changed)
        controls.folder_wanted.connect(self._choose_folder)
        self.pictures.changed.connect(self._pictures_changed)
        self.pictures.refused.connect(self.errors.show_error)
        self.pictures.refused.connect(self._give_up_folder)
        self.features.changed.connect(self._plan)
        shown.flushed.connect(self._show_buttons)
        shown.ended.connect(self._plan)
        shown.said.connect(self._say_point)
        shown.refused.connect(self.errors.show_error)
        self.nearest.accepted.connect(self.errors.dismiss)
        self.nearest.check.nearest.pair_changed.connect(self.commands_changed)
        state.status_changed.connect(self._status_changed)
        state.model_changed.connect(self._model_changed)
        QApplication.instance().lastWindowClosed.connect(self.pictures.cancel)  # type: ignore[union-attr]

    # What the window asks

    @property
    def primary_action(self) -> QPushButton:
        return self.page.start

    @property
    def commands(self) -> frozenset[str]:
        has_pair = self.kind == "nearest" and self.nearest.check.nearest.pair is not None
        can = {"stop"} if self.is_busy or self.pictures.is_reading or has_pair else set()
        return frozenset(can | ({"toggle"} if self.is_busy else set()))

    @property
    def kind(self) -> KindName:
        return self.shown.kind

    @property
    def is_busy(self) -> bool:
        """Something that was asked for here is not done yet."""
        return self.shown.is_busy

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
            self.shown.look_at(self.measurements.start(self.kind, request, data, model))

    def stop(self) -> None:
        if self.pictures.is_reading:
            self.pictures.cancel()
        else:
            self.shown.stop()

    def toggle(self) -> None:
        self._pause_or_resume()

    def seek(self, steps: int) -> None:
        self.view.plot.walk(steps)

    @Slot()
    def flush(self) -> None:
        """Show the newest figures now."""
        self.shown.flush()

    @Slot()
    def _pause_or_resume(self) -> None:
        self.shown.pause_or_resume()

    @Slot()
    def _choose_folder(self) -> None:
        choose_folder(self, "Choose a folder of pictures", self.handle_folder)

    # What follows from settings, model and pictures

    @Slot()
    def _plan(self) -> None:
        """Say what these settings would take, or why they cannot be had."""
        self.intent.renew()
        self.shown.asked = self.intent.request
        self.page.say_cost(self.intent.words, self.intent.proposal_words)
        if self.kind == "coarse" and self.intent.can_begin:
            self.coarse.show_plan(*self.intent.coarse())
        self._show_buttons()
        self.shown.show_record()

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
        self.shown.look_at_last(kind)

    def _offer_training_pictures(self) -> None:
        """Samples are copies of what was trained on, if of anything: those pictures, unless the person chose others."""
        model = self.state.model
        if self.kind == "nearest" and model is not None and self.pictures.folder in (None, EXAMPLE):
            known = known_pictures(self.state, model.ref)
            if known is not None:
                self.pictures.read(known)

    @Slot()
    def _show_buttons(self) -> None:
        self.shown.show_buttons(can_begin=self.intent.can_begin)
        self.commands_changed.emit()

    @Slot(str)
    def _say_point(self, words: str) -> None:
        self.hint_changed.emit(words or HINT)


def _own(folder: Path | None) -> str:
    return "" if folder is None or folder == EXAMPLE else str(folder)
