"""Train: a folder of pictures becomes a model, watched while it learns and usable at any moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QMimeData, Qt, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QPushButton, QVBoxLayout, QWidget

from app.stages import train_memory, train_place, train_unbegun
from app.stages.base import Stage
from app.stages.folder_dialog import choose_folder
from app.stages.train_course import Course
from app.stages.train_recall import TrainRecall
from app.stages.train_screen import TrainScreen
from app.stages.train_settings import name_of, order_of
from app.stages.train_shelf import TrainShelf
from app.stages.train_unbegun import Unbegun
from app.state import AppState
from app.theme import GRID, PANEL_PADDING
from core.errors import Refusal
from core.messages import ModelInfo
from core.training.ablation import FILE as ABLATION
from core.training.dataset import PictureFolder
from core.training.order import Instruction
from core.training.runs import new_run_folder
from resources import FOLDER as RESOURCES

if TYPE_CHECKING:
    from app.bridge import Bridge

EXAMPLE = RESOURCES / "samples" / "digits"


class TrainStage(Stage):
    """Trainings: the one that is being prepared, the one at work, and those on the disk."""

    key = "train"
    title = "Train"

    def __init__(self, state: AppState, bridge: Bridge, parent: QWidget | None = None) -> None:
        super().__init__(state, parent)
        shown = self.shown = TrainScreen(state, bridge, self)
        self.trainings, self.stored, self.film = shown.trainings, shown.stored, shown.film
        self.setup, self.view, self.ablation = shown.setup, shown.view, shown.ablation
        self.instruments = shown.instruments
        self.shelf = TrainShelf(shown, bridge, self)
        self.transport, self.strip = self.instruments.transport, self.instruments.strip
        self.runs = self.instruments.runs
        column = QVBoxLayout(self.content)
        column.setContentsMargins(PANEL_PADDING, GRID, PANEL_PADDING, GRID)
        column.addWidget(shown.pages)
        self.unbegun = Unbegun(self.trainings, bridge, self)
        self._connect()
        self.setup.controls.set_model(state.model)
        shown.show()
        places = {train_place.NAME: train_place.entry(self), train_unbegun.NAME: self.unbegun.entry()}
        self.remember({**train_memory.entries(self.setup), **places})
        self.recalling = TrainRecall(self)
        self.recalling.said.connect(self.hint_changed)

    def _connect(self) -> None:
        shown, setup, view = self.shown, self.setup, self.view
        shown.hint_changed.connect(self.hint_changed)
        shown.commands_changed.connect(self.commands_changed)
        shown.accepted.connect(self.errors.dismiss)
        shelf = self.shelf
        shelf.ready.connect(self._go_on)
        shelf.said.connect(self.hint_changed)
        shelf.accepted.connect(self.errors.dismiss)
        self.unbegun.queued.connect(self._look_at_queued)
        for part in (shelf, shown, setup, self.ablation, self.stored, self.trainings, self.unbegun):
            part.refused.connect(self.errors.show_error)
        setup.start.clicked.connect(self.start)
        setup.back.clicked.connect(self._go_back)
        setup.folder_wanted.connect(self._choose_folder)
        setup.accepted.connect(self.errors.dismiss)
        setup.ablation.clicked.connect(self.prepare_ablation)
        self.ablation.view.new.clicked.connect(self._prepare)
        view.use.clicked.connect(self.use)
        view.pause.clicked.connect(self._pause_or_resume)
        view.stop.clicked.connect(self._stop)
        view.offer.accepted.connect(self._accept_offer)
        view.new_wanted.connect(self._prepare)
        self.runs.chosen.connect(self.choose)
        self.stored.folder_wanted.connect(self._choose_pictures_of)
        shown.nearest.folder_wanted.connect(self._choose_pictures_to_compare)
        view.nearest_page.held_out_wanted.connect(self._choose_held_out)
        self.state.model_changed.connect(self._model_changed)
        setup.accepted.connect(self.retry)
        setup.refused.connect(self._give_up_folder)
        QGuiApplication.instance().applicationStateChanged.connect(self._came_back)  # type: ignore[union-attr]
        for part in (shown, self.unbegun):
            QApplication.instance().lastWindowClosed.connect(part.leave)  # type: ignore[union-attr]

    def awaits(self, memento: Mapping[str, Any]) -> bool:
        folder = memento.get("folder")
        is_coming = bool(folder) and folder != str(self.setup.folder) and Path(str(folder)).is_dir()
        return super().awaits(memento) or is_coming

    @Slot()
    def _give_up_folder(self) -> None:
        """The folder that was to be opened cannot be: what else was to be set, is."""
        self.mementos.awaited.pop("folder", None)
        self.retry()

    @Slot(object)
    def _model_changed(self, model: ModelInfo | None) -> None:
        with self.mementos.unasked():
            self.setup.controls.set_model(model)

    # What the window asks

    @property
    def course(self) -> Course | None:
        """The training looked at; None: a new one is being prepared, or it is the ablation."""
        return self.shown.course

    @property
    def primary_action(self) -> QPushButton:
        if self.shown.at_ablation:
            return self.ablation.view.next
        return self.setup.start if self.course is None else self.view.use

    @property
    def commands(self) -> frozenset[str]:
        course = self.course
        if self.shown.at_ablation:
            return frozenset({"stop", "toggle"} if self.ablation.is_busy else ())
        if course is None:
            return frozenset({"stop"} if self.setup.loader.folder is not None else ())
        return frozenset({"toggle", "stop"} if course.is_live or self.view.cell is not None else {"toggle"})

    def right_widgets(self) -> Sequence[QWidget]:
        parts = self.instruments
        return (parts.equation, parts.algorithm, parts.normal, parts.shelf)

    def bottom_widgets(self) -> Sequence[QWidget]:
        return (self.instruments.bottom,)

    def drop_verbs(self, mime: QMimeData) -> str:
        is_folder = any(url.isLocalFile() and Path(url.toLocalFile()).is_dir() for url in mime.urls())
        return "train on this folder" if is_folder else "keep it for the other stages"

    def handle_folder(self, folder: Path) -> bool:
        self.errors.dismiss()
        self._prepare()
        self.setup.open(folder)
        return True

    def activate(self) -> None:
        self.shown.list_runs()
        if self.setup.data is None and self.setup.loader.folder is None and EXAMPLE.is_dir():
            self.setup.open(EXAMPLE, is_example=True)
        self.flush()
        self.shown.say_hint()
        start = self.primary_action if self.primary_action.isEnabled() else self.setup.controls.folder
        (start if self.course is None else self.transport).setFocus()

    def deactivate(self) -> None:
        self.transport.stop()

    def flush(self) -> None:
        """Show the newest figures now."""
        self.shown.flush()

    @Slot(Qt.ApplicationState)
    def _came_back(self, state: Qt.ApplicationState) -> None:
        """Another window, a command or a file manager may have changed the trainings meanwhile."""
        if state is Qt.ApplicationState.ApplicationActive and self.isVisible():
            self.shown.list_runs()

    # Commands

    @Slot()
    def start(self) -> None:
        """Begin the training that was prepared."""
        data, settings = self.setup.data, self.setup.controls.settings()
        if data is None or not self.setup.start.isEnabled():
            return
        try:
            out = new_run_folder(name_of(settings, data.name, self.state.model), self.trainings.states()).resolve()
            order = order_of(settings, out, self.state.model)
        except Refusal as refusal:
            self.errors.show_error(str(refusal), refusal.details)
            return
        self.errors.dismiss()
        course = self.trainings.start(order, data, self.setup.controls.aim)
        course.prospect = self.setup.prospect
        self.shown.list_runs()
        self.shown.look_at(course)

    @Slot()
    def use(self) -> None:
        """Open the model as it is, in every stage."""
        if self.course is not None:
            self.trainings.use(self.course)

    @Slot()
    def stop(self) -> None:
        """Show all samples again; else stop the training looked at, or the reading of a folder."""
        if self.shown.at_ablation:
            self.ablation.stop()
        elif self.course is None:
            self.setup.cancel()
        elif self.view.cell is not None:
            self.view.enlarge(None)
        else:
            self.trainings.stop(self.course)

    @Slot()
    def _stop(self) -> None:
        if self.course is not None:
            self.trainings.stop(self.course)

    def toggle(self) -> None:
        if self.shown.at_ablation:
            self.ablation.ablations.pause_or_resume()
        elif self.course is not None and self.course.is_live:
            self._pause_or_resume()
        else:
            self.transport.toggle_play()

    def go_on(self, folder: Path) -> None:
        """Go on with a training on the disk; one of an ablation is gone on with from the ablation's page."""
        if (folder.parent / ABLATION).is_file():
            self.choose(folder.parent)
        else:
            self.shelf.go_on(folder)

    def seek(self, steps: int) -> None:
        self.film.go(self.film.index + steps)

    @Slot()
    def _pause_or_resume(self) -> None:
        course = self.course
        if course is not None and course.is_live:
            self.trainings.pause_or_resume(course)
        elif course is not None:
            self.errors.dismiss()
            self.stored.read_pictures(course)

    @Slot(object)
    def _accept_offer(self, instruction: Instruction) -> None:
        """Go on in smaller parts that fit into memory."""
        if self.course is not None:
            self.errors.dismiss()
            self.trainings.instruct(self.course, instruction)
            if self.course.state == "paused":
                self.trainings.pause_or_resume(self.course)

    @Slot(object, object)
    def _go_on(self, course: Course, data: PictureFolder) -> None:
        """The pictures of a training that had ended are there again."""
        self.errors.dismiss()
        length = self.view.length
        self.trainings.go_on(course, data, minutes=length.minutes, steps=length.steps)
        self.shown.list_runs()
        self.shown.look_at(course)

    @Slot(object)
    def _look_at_queued(self, course: Course) -> None:
        """One of an earlier session stands in the queue again: that is seen, unless another is looked at."""
        self.shown.list_runs()
        if self.course is None and not self.shown.at_ablation:
            self.shown.look_at(course)
        self.shown.show_buttons()

    @Slot()
    def _choose_folder(self) -> None:
        choose_folder(self, "Choose a folder of pictures", self.handle_folder)

    @Slot(object)
    def _choose_pictures_of(self, course: Course) -> None:
        choose_folder(
            self, f"Where are the pictures of {course.name}?", lambda folder: self.stored.read(course, folder)
        )

    @Slot(object)
    def _choose_pictures_to_compare(self, course: Course) -> None:
        choose_folder(
            self, f"Where are the pictures of {course.name}?", lambda folder: self.shown.nearest.read(course, folder)
        )

    @Slot()
    def _choose_held_out(self) -> None:
        course = self.course
        if course is not None:
            choose_folder(
                self,
                f"Pictures that {course.name} was not trained on",
                lambda folder: self.shown.nearest.hold_out(course, folder),
            )

    # What is looked at

    @Slot()
    def _prepare(self) -> None:
        """Look at the training that is being prepared."""
        self.shown.look_at(None)

    @Slot()
    def _go_back(self) -> None:
        live = self.trainings.live
        if self.ablation.ablations.owns(live):
            self.shown.look_at_ablation()
        else:
            self.shown.look_at(live)

    @Slot()
    def prepare_ablation(self) -> None:
        """Look at the ablation of the pictures and settings that were prepared."""
        if self.setup.data is not None:
            self.errors.dismiss()
            self.ablation.prepare(self.setup.controls.settings(), self.setup.data)

    @Slot(object)
    def choose(self, folder: Path | None) -> None:
        """Look at a training, or an ablation, of the list."""
        self.errors.dismiss()
        known = self.trainings.of(folder)
        if folder is not None and (folder / ABLATION).is_file():
            self.ablation.open(folder)
        elif folder is None or known is not None:
            self.shown.look_at(known)
        elif folder in self.runs.damaged:
            why = f"“{folder.name}” cannot be shown. {self.runs.damaged[folder]}"
            self.errors.show_error(f"{why} Its model may still open: File → Open a model.", str(folder))
        else:
            self.stored.open(next(run for run in self.runs.runs if run.folder == folder))
