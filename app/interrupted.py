"""After a crash: the training that was cut off is offered at the next start, once."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QObject, Slot

from app.log import logger
from core.messages import EngineState, Status
from core.training.claim import release
from core.training.runs import RunSummary, interrupted_runs

if TYPE_CHECKING:
    from app.stages.train import TrainStage
    from app.window import MainWindow

GO_ON = ("Go on", "Read its pictures and train on from there")
NOT_NOW = ("Not now", "It stays in the list of trainings (Train, on the right) and can be gone on with later")


class Interrupted(QObject):
    """Attributes: ``waiting``, the runs that are still to be offered, the one shown first."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self.waiting: tuple[RunSummary, ...] = ()
        self._is_training = False
        window.offer.accepted.connect(self._go_on)
        window.offer.declined.connect(self._not_now)
        window.state.status_changed.connect(self._follow)

    def look(self) -> None:
        """Look for what was cut off, beside everything else that begins."""
        self._window.bridge.in_background(interrupted_runs, self._found, self._failed, "runs")

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
        if not self.waiting or self._is_training:
            self._window.offer.hide()
            return
        run = self.waiting[0]
        where = f"at step {run.step:,}, as far as it is saved" if run.step else "before a step was saved"
        self._window.offer.offer(f"The training “{run.name}” was interrupted {where}.", GO_ON, NOT_NOW)

    @Slot()
    def _go_on(self) -> None:
        run, self.waiting = self.waiting[0], ()  # one training at a time; the others are offered at the next start
        self._window.offer.hide()
        self._window.state.move(stage="train")
        cast("TrainStage", self._window.stage).go_on(run.folder)

    @Slot()
    def _not_now(self) -> None:
        run, *left = self.waiting
        release(run.folder)
        self.waiting = tuple(left)
        self._show()
