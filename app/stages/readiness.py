"""What a stage with runs can do at this moment; what is asked for while the model is still loading waits for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from app.state import AppState, Run
from core.messages import READY, EngineState

if TYPE_CHECKING:
    from app.bridge import Bridge

LIVE = ("running", "paused")
AT_WORK = {
    EngineState.LOADING: "the model that is being opened",
    EngineState.SAVING: "the model that is being saved",
}
"""What all jobs make way for."""
WAITING_HINT = "The model is still being opened or saved: this starts right after. Esc takes it back."


def live_run(state: AppState, jobs: Iterable[int | None], kind: type = object) -> Run | None:
    """The first of these runs that is under way and of this kind of request; jobs may be None or unknown."""
    runs = (None if job is None else state.runs.get(job) for job in jobs)
    return next((run for run in runs if run and run.state in LIVE and isinstance(run.request, kind)), None)


def pause_or_resume(bridge: Bridge, run: Run | None) -> None:
    """Pause a run after its step, or let it go on; nothing where there is none."""
    if run is not None:
        (bridge.resume if run.state == "paused" else bridge.pause)(run.job)


class Readiness(QObject):
    """Whether there is a model and an engine to work with, and what is to be done as soon as there is.

    Signals: ``waiting_changed(bool)``, whether something waits.
    """

    waiting_changed = Signal(bool)

    def __init__(self, state: AppState, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._awaited: Callable[[], None] | None = None

    @property
    def is_ready(self) -> bool:
        """A run would begin at once."""
        return self._state.status.state in READY and self._state.model is not None

    @property
    def is_starting(self) -> bool:
        """The engine is about to be ready: a model is on its way in or out."""
        state = self._state.status.state
        return state in AT_WORK or (state is EngineState.STARTING and self._state.model is None)

    @property
    def waits(self) -> bool:
        return self._awaited is not None

    def must_wait(self, begin: Callable[[], None]) -> bool:
        """Whether it is too early for ``begin``, which is then kept for ``catch_up``."""
        if self.is_starting:
            self._keep(begin)
        return self.is_starting

    def catch_up(self) -> None:
        """Do what waits, if something does."""
        begin = self._awaited
        self.forget()
        if begin is not None:
            begin()

    def forget(self) -> None:
        self._keep(None)

    def _keep(self, begin: Callable[[], None] | None) -> None:
        before, self._awaited = self.waits, begin
        if before != self.waits:
            self.waiting_changed.emit(self.waits)
