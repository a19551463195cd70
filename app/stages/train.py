"""Train: a folder of pictures becomes a model, watched while it learns and usable at any moment."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QMimeData, QTimer, Slot
from PySide6.QtWidgets import QApplication, QPushButton, QStackedWidget, QVBoxLayout, QWidget

from app.stages.ablation import AblationDesk
from app.stages.base import Stage
from app.stages.folder_dialog import choose_folder
from app.stages.train_course import Course
from app.stages.train_film import TrainFilm
from app.stages.train_hints import ABLATION as ABLATION_HINT
from app.stages.train_hints import hint, open_hint, said_when_open
from app.stages.train_instruments import TrainInstruments
from app.stages.train_length import is_longer, propose
from app.stages.train_listing import Listing
from app.stages.train_loader import FolderLoader
from app.stages.train_runs import StoredRuns
from app.stages.train_settings import name_of, order_of
from app.stages.train_setup import TrainSetup
from app.stages.train_view import TrainView
from app.stages.trainings import Trainings, waits_for
from app.state import AppState
from app.theme import GRID, PANEL_PADDING
from app.widgets.controls import label
from core.errors import Refusal
from core.messages import (
    EngineState,
    Failed,
    RunEnded,
    RunPaused,
    RunResumed,
    TrainingSamples,
    TrainingSaved,
    TrainingStarted,
    TrainingTick,
)
from core.training.dataset import PictureFolder
from core.training.runs import new_run_folder
from resources import FOLDER as RESOURCES

if TYPE_CHECKING:
    from app.bridge import Bridge

EXAMPLE = RESOURCES / "samples" / "digits"
REFRESH_MS = 200


class TrainStage(Stage):
    """Trainings: the one that is being prepared, the one at work, and those on the disk."""

    key = "train"
    title = "Train"

    def __init__(self, state: AppState, bridge: Bridge, parent: QWidget | None = None) -> None:
        super().__init__(state, parent)
        self.trainings = Trainings(bridge, self)
        self._course: Course | None = None
        """The training looked at; None: a new one is being prepared, or it is the ablation."""
        self._at_ablation = False
        self.setup = TrainSetup(FolderLoader(bridge, self))
        self.stored = StoredRuns(bridge, self)
        self.view = TrainView()
        self.instruments = TrainInstruments()
        self.transport, self.strip = self.instruments.transport, self.instruments.strip
        self.runs = self.instruments.runs
        self.film = TrainFilm(self.view, self.instruments, self)
        self.ablation = AblationDesk(state, bridge, self.trainings, self)
        self.instruments.bottom.addWidget(self.ablation.table)
        self._listing = Listing(self.runs, self.trainings, self.ablation)
        self._pages = QStackedWidget()
        self._pages.addWidget(self.setup)
        self._pages.addWidget(self.view)
        self._pages.addWidget(self.ablation.view)
        column = QVBoxLayout(self.content)
        column.setContentsMargins(PANEL_PADDING, GRID, PANEL_PADDING, GRID)
        column.addWidget(self._pages)
        self._refresh = QTimer(self, singleShot=True)
        self._refresh.timeout.connect(self.flush)
        self._connect()
        self.setup.controls.set_model(state.model)
        self._show()

    def _connect(self) -> None:
        setup, view, state = self.setup, self.view, self.state
        setup.start.clicked.connect(self.start)
        setup.back.clicked.connect(self._go_back)
        setup.folder_wanted.connect(self._choose_folder)
        setup.changed.connect(self._show_buttons)
        setup.refused.connect(self.errors.show_error)
        setup.accepted.connect(self.errors.dismiss)
        setup.ablation.clicked.connect(self.prepare_ablation)
        ablation = self.ablation
        ablation.opened.connect(self._look_at_ablation)
        ablation.changed.connect(self._ablation_changed)
        ablation.cell_chosen.connect(self._look_at)
        ablation.refused.connect(self.errors.show_error)
        ablation.view.new.clicked.connect(self._prepare)
        view.use.clicked.connect(self.use)
        view.pause.clicked.connect(self._pause_or_resume)
        view.stop.clicked.connect(self._stop)
        view.length.duration_changed.connect(self._show_buttons)
        view.new_wanted.connect(self._prepare)
        self.runs.chosen.connect(self._chosen)
        self.stored.opened.connect(self._look_at)
        self.stored.pictures_read.connect(self._go_on)
        self.stored.refused.connect(self.errors.show_error)
        self.stored.folder_wanted.connect(self._choose_pictures_of)
        self.stored.changed.connect(self._show_buttons)
        self.trainings.changed.connect(self._changed)
        self.trainings.opened.connect(self._say_opened)
        self.trainings.refused.connect(self.errors.show_error)
        state.status_changed.connect(self._status_changed)
        state.model_changed.connect(setup.controls.set_model)
        QApplication.instance().lastWindowClosed.connect(self._leave)  # type: ignore[union-attr]

    # What the window asks

    @property
    def primary_action(self) -> QPushButton:
        if self._at_ablation:
            return self.ablation.view.next
        return self.setup.start if self._course is None else self.view.use

    @property
    def commands(self) -> frozenset[str]:
        course = self._course
        if self._at_ablation:
            return frozenset({"stop", "toggle"} if self.ablation.is_busy else ())
        if course is None:
            return frozenset({"stop"} if self.setup.loader.folder is not None else ())
        return frozenset({"toggle", "stop"} if course.is_live or self.view.cell is not None else {"toggle"})

    def right_widgets(self) -> Sequence[QWidget]:
        parts = self.instruments
        return (parts.equation, parts.algorithm, label("Trainings", "caption"), parts.runs)

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
        self._list_runs()
        if self.setup.data is None and self.setup.loader.folder is None and EXAMPLE.is_dir():
            self.setup.open(EXAMPLE, is_example=True)
        self.flush()
        self._say_hint()
        (self.primary_action if self._course is None else self.transport).setFocus()

    def deactivate(self) -> None:
        self.transport.stop()

    # Commands

    @Slot()
    def start(self) -> None:
        """Begin the training that was prepared."""
        data, settings = self.setup.data, self.setup.controls.settings()
        if data is None or not self.setup.start.isEnabled():
            return
        try:
            out = new_run_folder(name_of(settings, data.name, self.state.model)).resolve()
            order = order_of(settings, out, self.state.model)
        except Refusal as refusal:
            self.errors.show_error(str(refusal), refusal.details)
            return
        self.errors.dismiss()
        self._look_at(self.trainings.start(order, data, self.setup.controls.aim))

    @Slot()
    def use(self) -> None:
        """Open the model as it is, in every stage."""
        if self._course is not None:
            self.trainings.use(self._course)

    @Slot()
    def stop(self) -> None:
        """Show all samples again; else stop the training looked at, or the reading of a folder."""
        if self._at_ablation:
            self.ablation.stop()
        elif self._course is None:
            self.setup.cancel()
        elif self.view.cell is not None:
            self.view.enlarge(None)
        else:
            self.trainings.stop(self._course)

    @Slot()
    def _stop(self) -> None:
        if self._course is not None:
            self.trainings.stop(self._course)

    def toggle(self) -> None:
        if self._at_ablation:
            self.ablation.ablations.pause_or_resume()
        elif self._course is not None and self._course.is_live:
            self._pause_or_resume()
        else:
            self.transport.toggle_play()

    def seek(self, steps: int) -> None:
        self.film.go(self.film.index + steps)

    @Slot()
    def _pause_or_resume(self) -> None:
        course = self._course
        if course is not None and course.is_live:
            self.trainings.pause_or_resume(course)
        elif course is not None:
            self.errors.dismiss()
            self.stored.read_pictures(course)

    @Slot(object, object)
    def _go_on(self, course: Course, data: PictureFolder) -> None:
        """The pictures of a training that had ended are there again."""
        self.errors.dismiss()
        length = self.view.length
        self.trainings.go_on(course, data, minutes=length.minutes, steps=length.steps)
        self._look_at(course)

    @Slot()
    def _choose_folder(self) -> None:
        choose_folder(self, "Choose a folder of pictures", self.handle_folder)

    @Slot(object)
    def _choose_pictures_of(self, course: Course) -> None:
        choose_folder(
            self, f"Where are the pictures of {course.name}?", lambda folder: self.stored.read(course, folder)
        )

    # What is looked at

    @Slot()
    def _prepare(self) -> None:
        """Look at the training that is being prepared."""
        self._look_at(None)

    @Slot()
    def _go_back(self) -> None:
        live = self.trainings.live
        if self.ablation.ablations.owns(live):
            self._look_at_ablation()
        else:
            self._look_at(live)

    @Slot()
    def prepare_ablation(self) -> None:
        """Look at the ablation of the pictures and settings that were prepared."""
        if self.setup.data is not None:
            self.errors.dismiss()
            self.ablation.prepare(self.setup.controls.settings(), self.setup.data)

    @Slot(object)
    def _chosen(self, folder: Path | None) -> None:
        """A training was chosen from the list."""
        self.errors.dismiss()
        known = self.trainings.of(folder)
        if folder is not None and self._listing.is_ablation(folder):
            self.ablation.open(folder)
        elif folder is None or known is not None:
            self._look_at(known)
        else:
            self.stored.open(next(run for run in self.runs.runs if run.folder == folder))

    @Slot(object)
    def _look_at(self, course: Course | None) -> None:
        self._course, self._at_ablation = course, False
        self.view.say_used("")
        self.view.enlarge(None)
        if course is not None and not course.is_live:
            propose(course, self.view.length)
        self._show()
        self._say_hint()

    @Slot()
    def _look_at_ablation(self) -> None:
        self._course, self._at_ablation = None, True
        self.film.show(None)
        self._pages.setCurrentWidget(self.ablation.view)
        self.instruments.bottom.setCurrentWidget(self.ablation.table)
        self.ablation.show()
        self._list_runs()
        self._say_hint()

    @Slot()
    def _ablation_changed(self) -> None:
        if self._at_ablation:
            self.instruments.show_idea(self.ablation.aim)
            self.commands_changed.emit()

    def _show(self) -> None:
        course = self._course
        self._pages.setCurrentWidget(self.setup if course is None else self.view)
        self._listing.mark(course, at_ablation=False)
        self.film.show(course)
        self.flush()

    @Slot()
    def flush(self) -> None:
        """Show the newest figures now."""
        self._refresh.stop()
        course = self._course
        if course is not None:
            self.view.show_losses(course)
            self._show_figures(course)
        self._show_buttons()

    def _show_figures(self, course: Course) -> None:
        waits = waits_for(course, self.state.status)
        self.view.show_course(course, waits)
        means = self.view.plot.means
        loss = float(means[-1]) if len(means) else None
        self.instruments.show_course(course, loss, at_work=not waits)

    @Slot(object)
    def _status_changed(self, _status: object) -> None:
        if self._course is not None:
            self._show_figures(self._course)
        self._show_buttons()

    @Slot()
    def _show_buttons(self) -> None:
        live, course = self.trainings.live, self._course
        can_train = live is None and self.state.status.state is not EngineState.FAILED
        self.setup.show_buttons(can_train=can_train, at_work="" if live is None else live.name)
        if self._at_ablation:
            self.ablation.show()
        elif course is None:
            self.instruments.show_idea(self.setup.controls.aim)
        else:
            can_resume = can_train and self.stored.reading is None and is_longer(self.view.length, course)
            self.view.show_buttons(course, can_resume=can_resume, can_use=course.saved is not None or course.step > 0)
            self.view.show_as_part(course, is_part=self.ablation.ablations.owns(course))
        self.commands_changed.emit()

    def _say_hint(self) -> None:
        said = ABLATION_HINT if self._at_ablation else hint(self._course, bool(self.runs.runs), self.trainings.live)
        self.hint_changed.emit(said)

    def _list_runs(self) -> None:
        self._listing.renew(self._course, at_ablation=self._at_ablation)

    # What the engine says

    @Slot(object, object)
    def _changed(self, course: Course, message: object) -> None:
        if isinstance(message, TrainingTick):
            if course is self._course and not self._refresh.isActive():
                self._refresh.start(REFRESH_MS)
            return
        if isinstance(message, Failed) and not (message.diverged and self.ablation.ablations.owns(course)):
            self.errors.show_error(message.message, message.details)
        if isinstance(message, RunPaused) and message.reason:
            self.errors.show_error(message.reason)
        if isinstance(message, RunResumed):
            self.errors.dismiss()
        if isinstance(message, TrainingStarted | TrainingSaved | RunPaused | RunResumed | RunEnded | Failed):
            self._list_runs()
        if course is not self._course:
            self._show_buttons()
            return
        if isinstance(message, TrainingStarted | TrainingSamples) or not course.samples:
            self.film.renew()
        if isinstance(message, RunEnded | Failed):
            propose(course, self.view.length)
            self._say_hint()
            if course.saved is None:  # nothing came of it: back to what it was made with
                self._look_at(None)
        self.flush()

    @Slot(object, str)
    def _say_opened(self, course: Course, name: str) -> None:
        self.view.say_used(said_when_open(course, name))
        self.hint_changed.emit(open_hint(course, name))

    @Slot()
    def _leave(self) -> None:
        """The window is closed: nothing that is read is wanted any more."""
        self.setup.loader.cancel()
        self.stored.cancel()
        self.ablation.leave()
