"""At the next start: the training that a crash cut off is offered, and those that were still queued, once."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QObject, Slot

from app.log import logger
from app.stages.train_queue import Waiting, read
from core.messages import EngineState, Status
from core.training.claim import release
from core.training.runs import RunSummary, interrupted_runs

if TYPE_CHECKING:
    from app.stages.train import TrainStage
    from app.window import MainWindow

GO_ON = ("Go on", "Read its pictures and train on from there")
NOT_NOW = ("Not now", "It stays in the list of trainings (Train, on the right) and can be gone on with later")
START = ("Start", "Read the pictures and train on them, as was set")
FORGET = ("Forget", "What was set is forgotten; what is on the disk stays as it is")


class Interrupted(QObject):
    """Attributes: ``waiting``, the runs that are still to be offered, the one shown first; ``queued``, the trainings
    that had not begun, offered together after these."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self.waiting: tuple[RunSummary, ...] = ()
        self.queued: tuple[Waiting, ...] = ()
        self._is_training = False
        window.offer.accepted.connect(self._accept)
        window.offer.declined.connect(self._decline)
        window.state.status_changed.connect(self._follow)

    def look(self) -> None:
        """Look for what was cut off, beside everything else that begins."""
        self._window.bridge.in_background(interrupted_runs, self._found, self._failed, "runs")

    def offer_queued(self, said: object) -> None:
        """Offer the trainings of a session that had not begun, as it says them, if it does."""
        if not said:
            return
        try:
            self.queued = read(said)
        except ValueError as error:
            logger.error("the trainings that were queued are not known: %s", error)
        self._show()

    def _found(self, runs: tuple[RunSummary, ...]) -> None:
        for run in runs:
            logger.warning("the training %s was interrupted at step %d", run.name, run.step)
        self.waiting = runs
        self._show()

    def _failed(self, error: Exception) -> None:
        logger.error("interrupted trainings are not known", exc_info=error)

    @Slot(object)
    def _follow(self, status: Status) -> None:
        """While another training is at work, none is offered."""
        was, state = self._is_training, status.state
        self._is_training = state is EngineState.TRAINING or (was and state is not EngineState.IDLE)
        if was != self._is_training:
            self._show()

    def _show(self) -> None:
        offer = self._window.offer
        if self._is_training or not (self.waiting or self.queued):
            offer.hide()
        elif self.waiting:
            run = self.waiting[0]
            where = f"at step {run.step:,}, as far as it is saved" if run.step else "before a step was saved"
            offer.offer(f"The training “{run.name}” was interrupted {where}.", GO_ON, NOT_NOW)
        else:
            offer.offer(words_of(self.queued), START, FORGET)

    def _train(self) -> TrainStage:
        self._window.offer.hide()
        self._window.state.move(stage="train")
        return cast("TrainStage", self._window.stage)

    @Slot()
    def _accept(self) -> None:
        if self.waiting:
            run, self.waiting = self.waiting[0], ()  # one training at a time; the others are offered at the next start
            self._train().go_on(run.folder)
        else:
            self.queued = ()
            self._train().unbegun.queue()

    @Slot()
    def _decline(self) -> None:
        if self.waiting:
            run, *left = self.waiting
            release(run.folder)
            self.waiting = tuple(left)
        else:
            self.queued = ()
            self._forget_queued()
        self._show()

    def _forget_queued(self) -> None:
        sessions = self._window.sessions
        sessions.stages.get("train", {}).pop("queued", None)
        for stage in self._window.stages():
            if stage.key == "train":
                cast("TrainStage", stage).unbegun.forget()
        sessions.change()


def words_of(queued: tuple[Waiting, ...]) -> str:
    """What is offered of trainings that had not begun."""
    names = [f"“{one.name}”" for one in queued]
    if len(names) == 1:
        return f"The training {names[0]} was still queued when the window was closed, and has not begun."
    listed = f"{', '.join(names[:-1])} and {names[-1]}"
    return f"The trainings {listed} were still queued when the window was closed, and have not begun."
