"""A branch that a person has begun is a step that can be taken back: away with it, and back to where it left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Slot

from app.state import Cursor
from core.messages import Failed, RunStarted

if TYPE_CHECKING:
    from app.stages.base import Stage
    from app.window import MainWindow


class BranchSteps(QObject):
    """Hears of branches from the stages of a window; each becomes a step when it begins."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._asked: dict[int, Cursor] = {}
        """Where each left that has not begun yet."""
        window.stage_made.connect(self._made)
        for stage in window.stages():
            self._made(stage)
        window.bridge.message.connect(self._receive)

    @Slot(object)
    def _made(self, stage: Stage) -> None:
        stage.branched.connect(self._branched)

    @Slot(int)
    def _branched(self, job: int) -> None:
        self._asked[job] = self._window.state.cursor

    @Slot(object)
    def _receive(self, message: object) -> None:
        if isinstance(message, RunStarted | Failed) and message.job in self._asked:
            place = self._asked.pop(message.job)
            if isinstance(message, RunStarted):
                self._push(message.job, place)

    def _push(self, job: int, place: Cursor) -> None:
        window, state = self._window, self._window.state
        taken = [state.runs[job]]

        def undo() -> None:
            if job in state.runs:
                taken[0] = state.runs[job]
            was_looked_at = state.cursor.run in (job, None)
            window.care.take_out((job,))
            if place.run in state.runs and was_looked_at:
                state.move(stage=place.stage, run=place.run, step=place.step, t=place.t, frame=place.frame)

        def redo() -> None:
            window.care.put_back(taken)
            run = state.runs[job]
            step = min(run.stored, run.steps)
            state.move(run=job, step=step, t=int(run.path[step].t))

        window.undo.push(f"branch of {state.name_of(place.run)}" if place.run else "branch", undo, redo)
