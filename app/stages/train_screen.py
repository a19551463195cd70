"""What Train shows: the training looked at, the one being prepared or an ablation, while the engine tells of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal, Slot
from PySide6.QtWidgets import QStackedWidget

from app.stages.ablation import AblationDesk
from app.stages.nearest_desk import NearestDesk
from app.stages.train_course import Course
from app.stages.train_film import TrainFilm
from app.stages.train_hints import ABLATION as ABLATION_HINT
from app.stages.train_hints import hint, open_hint, said_when_open
from app.stages.train_instruments import TrainInstruments
from app.stages.train_length import is_longer, propose
from app.stages.train_listing import Listing
from app.stages.train_loader import FolderLoader
from app.stages.train_runs import StoredRuns
from app.stages.train_samples_export import SamplesExporter
from app.stages.train_setup import TrainSetup
from app.stages.train_thumbnails import Thumbnails
from app.stages.train_view import TrainView
from app.stages.trainings import Trainings, waits_for
from app.state import AppState
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
from core.training.order import Instruction

if TYPE_CHECKING:
    from app.bridge import Bridge

REFRESH_MS = 200


class TrainScreen(QObject):
    """Attributes: ``course``, the training looked at (None: a new one is being prepared, or it is the ablation);
    ``at_ablation``; ``pages``, of which one is shown: ``setup``, ``view``, ``ablation.view``; ``others``, the trainings
    whose curves are laid over its own.

    Signals: ``turned()`` when something else is looked at; ``hint_changed(str)``; ``commands_changed()``;
    ``refused(message, details)`` and ``accepted()``, what went wrong and that it is over.
    """

    turned = Signal()
    hint_changed = Signal(str)
    commands_changed = Signal()
    refused = Signal(str, str)
    accepted = Signal()

    def __init__(self, state: AppState, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.state = state
        self.course: Course | None = None
        self._in_trouble: Course | None = None
        """The training that rests for a reason, which is shown."""
        self.at_ablation = False
        self.others: tuple[Course, ...] = ()
        self.trainings = Trainings(bridge, self)
        self.stored = StoredRuns(bridge, self)
        self.setup = TrainSetup(FolderLoader(bridge, self), state)
        self.view = TrainView()
        self.instruments = TrainInstruments()
        self.film = TrainFilm(self.view, self.instruments, self)
        self.exporter = SamplesExporter(self.view.samples_page, bridge, self.view)
        self.nearest = NearestDesk(self.view.nearest_page, state, bridge, self)
        self.ablation = AblationDesk(state, bridge, self.trainings, self)
        self.instruments.bottom.addWidget(self.ablation.table)
        self._thumbnails = Thumbnails(self.instruments.runs, bridge, self)
        self._listing = Listing(self.instruments.runs, self.trainings, self.ablation)
        self.pages = QStackedWidget()
        for page in (self.setup, self.view, self.ablation.view):
            self.pages.addWidget(page)
        self._refresh = QTimer(self, singleShot=True)
        self._refresh.timeout.connect(self.flush)
        self.setup.changed.connect(self.show_buttons)
        self.setup.forecaster.answered.connect(self.show_buttons)
        self.view.length.duration_changed.connect(self.show_buttons)
        self.stored.changed.connect(self.show_buttons)
        self.stored.opened.connect(self.look_at)
        self.ablation.opened.connect(self.look_at_ablation)
        self.ablation.changed.connect(self._ablation_changed)
        self.ablation.cell_chosen.connect(self.look_at)
        self.trainings.changed.connect(self._changed)
        self.trainings.opened.connect(self._say_opened)
        self.film.instructed.connect(self._instruct)
        self.film.moved.connect(self._show_nearest)
        self.nearest.refused.connect(self.refused)
        self.nearest.accepted.connect(self.accepted)
        self.view.samples_page.cell_changed.connect(self.commands_changed)
        self.view.nearest_page.pair_changed.connect(self.commands_changed)
        self.exporter.failed.connect(self.refused)
        self.exporter.written.connect(self.hint_changed)
        state.status_changed.connect(self._status_changed)

    # What is looked at

    @Slot(object)
    def look_at(self, course: Course | None) -> None:
        self.course, self.at_ablation = course, False
        self.view.say_used("")
        self.view.enlarge(None)
        if course is not None and not course.is_live:
            propose(course, self.view.length)
        self.show()
        self.say_hint()

    @Slot()
    def look_at_ablation(self) -> None:
        self.course, self.at_ablation = None, True
        self.film.show(None)
        self.pages.setCurrentWidget(self.ablation.view)
        self.instruments.bottom.setCurrentWidget(self.ablation.table)
        self.instruments.bottom.setVisible(True)
        self.ablation.show()
        self.list_runs()
        self.say_hint()
        self.turned.emit()

    def show(self) -> None:
        course = self.course
        self.pages.setCurrentWidget(self.setup if course is None else self.view)
        has_film = course is not None and course.aim.task == "diffusion"
        self.instruments.bottom.setVisible(has_film)  # else the pictures, or the plots, have its room
        self._listing.mark(course, at_ablation=False)
        self.film.show(course)
        self.flush()
        self.turned.emit()

    @Slot()
    def flush(self) -> None:
        """Show the newest figures now."""
        self._refresh.stop()
        course = self.course
        if course is not None:
            self.view.show_losses(course)
            if any(other.is_live for other in self.others):
                self.view.curves.compare(self.others)
            self._show_figures(course)
        self._show_nearest()
        self.show_buttons()

    def _show_figures(self, course: Course) -> None:
        waits = self.trainings.before(course) or waits_for(course, self.state.status)
        self.view.show_course(course, waits)
        means = self.view.plot.means
        loss = float(means[-1]) if len(means) else None
        self.instruments.show_course(course, loss, at_work=not waits)

    @Slot()
    def _show_nearest(self) -> None:
        self.nearest.show(self.course, None if self.course is None else self.view.samples_page.drawn)

    @Slot()
    def show_buttons(self) -> None:
        live, course = self.trainings.live, self.course
        self.setup.show_buttons(
            can_train=self.state.status.state is not EngineState.FAILED,
            at_work="" if live is None else live.name,
            is_ablation=self.ablation.ablations.owns(live),
        )
        if self.at_ablation:
            self.ablation.show()
        elif course is None:
            self.instruments.show_idea(self.setup.controls.aim, self.setup.prospect)
        else:
            can_use = course.saved is not None or course.step > 0
            waits = bool(self.trainings.before(course))
            after = "" if live is None else live.name
            can_resume = self.can_resume(course)
            self.view.show_buttons(course, can_resume=can_resume, can_use=can_use, waits=waits, after=after)
            self.view.show_as_part(course, is_part=self.ablation.ablations.owns(course))
        self.commands_changed.emit()

    @Slot(object)
    def _instruct(self, instruction: Instruction) -> None:
        """Something about its samples is asked of the training looked at."""
        if self.course is not None:
            self.trainings.instruct(self.course, instruction)
            self.film.renew()

    @property
    def can_train(self) -> bool:
        """Whether a training could begin or go on, at once or when those before it are over."""
        return not self.trainings.why_not_queue and self.state.status.state is not EngineState.FAILED

    def can_resume(self, course: Course) -> bool:
        return self.can_train and self.stored.reading is None and is_longer(self.view.length, course)

    def say_hint(self) -> None:
        has_earlier = bool(self.instruments.runs.runs)
        said = ABLATION_HINT if self.at_ablation else hint(self.course, has_earlier, self.trainings.live)
        self.hint_changed.emit(said)

    def list_runs(self) -> None:
        self._listing.renew(self.course, at_ablation=self.at_ablation)

    # What the engine says

    @Slot(object)
    def _status_changed(self, _status: object) -> None:
        if self.course is not None:
            self._show_figures(self.course)
        self.show_buttons()

    @Slot()
    def _ablation_changed(self) -> None:
        if self.at_ablation:
            self.instruments.show_idea(self.ablation.aim)
            self.commands_changed.emit()

    @Slot(object, object)
    def _changed(self, course: Course, message: object) -> None:
        if isinstance(message, TrainingTick):
            self.instruments.runs.set_done(course.folder, course.progress)
            if course in (self.course, *self.others) and not self._refresh.isActive():
                self._refresh.start(REFRESH_MS)
            return
        if isinstance(message, Failed) and not (message.diverged and self.ablation.ablations.owns(course)):
            self.refused.emit(message.message, message.details)
        if isinstance(message, RunPaused) and message.reason:
            self._in_trouble = course
            self.refused.emit(message.reason, "")
        if isinstance(message, RunResumed) or (isinstance(message, RunEnded) and course is self._in_trouble):
            self._in_trouble = None
            self.accepted.emit()
        if isinstance(message, TrainingStarted | TrainingSaved | RunPaused | RunResumed | RunEnded | Failed):
            self.list_runs()
        if isinstance(message, TrainingSamples):
            self._thumbnails.show_course(course)
        if course is not self.course:
            self.show_buttons()
            return
        if isinstance(message, TrainingStarted | TrainingSamples) or not course.samples:
            self.film.renew()
        if isinstance(message, TrainingStarted):
            self.say_hint()
        if isinstance(message, RunEnded | Failed):
            propose(course, self.view.length)
            self.say_hint()
            if course.saved is None:  # nothing came of it: back to what it was made with
                self.look_at(None)
        self.flush()

    @Slot(object, str)
    def _say_opened(self, course: Course, name: str) -> None:
        self.view.say_used(said_when_open(course, name))
        self.hint_changed.emit(open_hint(course, name))

    def leave(self) -> None:
        """The window is closed: nothing that is read is wanted any more."""
        self.setup.loader.cancel()
        self.stored.cancel()
        self.nearest.leave()
        self.ablation.leave()
