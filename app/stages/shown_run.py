"""Which run of a sampler is shown, and which state of it: what follows from the cursor, and what moves it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from app.stages.run_instruments import RunInstruments
from app.stages.run_view import RunView
from app.state import UNMADE, AppState, Cursor, Run, stage_of
from core.messages import Inspection, Preview, Recognised, RunEnded, RunPaused, RunStarted
from core.requests import InspectStep

if TYPE_CHECKING:
    from app.bridge import Bridge


class ShownRun(QObject):
    """The run of this stage that the cursor is on, in the panes of ``view`` and on ``instruments``.

    Attributes: ``view``, ``instruments``; ``active``, whether the stage is looked at; ``expected``, the jobs asked for
    here that are still to be shown; ``follows``, whether the cursor goes along with a run that is under way, until the
    person goes back in it.

    Signals: ``turned(int)``, another run than before, before it is shown; ``moved()`` after another state is shown or
    the run has moved on; ``emptied()``, the run that was shown is no more.
    """

    turned = Signal(int)
    moved = Signal()
    emptied = Signal()

    def __init__(self, key: str, state: AppState, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._key = key
        self._state = state
        self.view = RunView(bridge)
        self.instruments = RunInstruments()
        self.active = False
        self.expected: set[int] = set()
        self.follows = True
        self._job: int | None = None
        self._followed: tuple[int | None, int] | None = None
        self._left: int | None = None
        self._recognised: dict[int, dict[int, tuple[float, ...]]] = {}
        strip = self.instruments.strip
        self.view.shown.connect(self._shown)
        self.view.cell_changed.connect(self._fill_strip)
        self.instruments.transport.position_requested.connect(self.go)
        strip.frame_clicked.connect(self.go)
        strip.wanted.connect(self._fill_frame)
        self.instruments.plots.t_dragged.connect(self._go_to_time)
        state.cursor_changed.connect(self._follow)
        state.runs_changed.connect(self._run_changed)
        state.run_removed.connect(self._forget)

    @property
    def run(self) -> Run | None:
        """The run looked at, if it is one of this stage's."""
        job = self._state.cursor.run
        return self._state.runs[job] if job is not None and self.is_own(job) else None

    def is_own(self, job: int | None) -> bool:
        run = None if job is None else self._state.runs.get(job)
        return run is not None and stage_of(run.request) == self._key

    def activate(self) -> None:
        """Show the run that the cursor is on; where it is on none of this stage's, go to the state shown last, else to
        the end of the latest run. In a run that was under way and followed, as far as it has come meanwhile."""
        self.active = True
        cursor = self._state.cursor
        own = [job for job in self._state.runs if self.is_own(job)]
        job, step = (cursor.run, cursor.step) if self.run is not None else self._followed or (None, 0)
        if job not in own and own:
            job, step = own[-1], self._state.runs[own[-1]].stored
        if job is not None:
            run = self._state.runs[job]
            self._move(run, run.stored if job == self._left else min(step, run.stored))
        self.show()

    def deactivate(self) -> None:
        """Another stage is shown from now on."""
        run = self.run
        self.active = False
        self._left = run.job if run is not None and self.follows and run.state == "running" else None

    @Slot(int)
    def go(self, step: int) -> None:
        """Go to a state of the run, as far as there are."""
        run = self.run
        if run is not None:
            step = min(max(0, step), run.stored)
            self.follows = step >= self._state.cursor.step and step >= run.stored - 1
            self._move(run, step)

    def show(self) -> None:
        """Show what the cursor is on."""
        run, cursor = self.run, self._state.cursor
        if not self.active or run is None:
            return
        self._followed = cursor.run, cursor.step
        if run.job != self._job:
            self._job = run.job
            self.turned.emit(run.job)
            self.expected.discard(run.job)
            self.instruments.show_run(run)
            self._show_recognised()
        step = min(cursor.step, run.stored)
        self.instruments.show_state(run, step)
        self.view.show_state(run, step, is_coming=self.follows and run.state == "running")
        if run.state in UNMADE:
            self.view.show_meanwhile(self._state.thumbnails.get(run.job))
        self.moved.emit()

    @Slot(object)
    def receive(self, message: object) -> None:
        """Take what the engine says of a run."""
        self.view.receive(message)
        match message:
            case Recognised(job=job, step=step, log_p=log_p):
                self._recognise(job, step, log_p)
            case Inspection(request=InspectStep(run=job, step=step, frame=None), log_p=log_p) if log_p:
                self._recognise(job, step, log_p)
            case RunStarted(job=job) if job in self.expected:
                self.follows = True
                if self.active:
                    self._move(self._state.runs[job], 0)
                else:
                    self._followed, self._left = (job, 0), job  # to come back to
            case Preview(job=job, step=step) if job == self._job:
                self._fill_frame(step)
                if self.follows and self.active and self._state.cursor.run == job:
                    self._move(self._state.runs[job], step)
            case RunPaused(job=job, step=step) | RunEnded(job=job, steps=step) if job == self._job:
                if self.follows and self.active:
                    self._move(self._state.runs[job], step)
                self.show()

    def _recognise(self, job: int, step: int, log_p: tuple[float, ...]) -> None:
        """What the guiding classifier made of a state."""
        self._recognised.setdefault(job, {})[step] = log_p
        if job == self._job:
            self._show_recognised()

    def _show_recognised(self) -> None:
        if self._job is not None:
            self.instruments.show_recognised(self._recognised.get(self._job, {}), self.view.cell)

    def _move(self, run: Run, step: int) -> None:
        self._state.move(stage=self._key, run=run.job, step=step, t=int(run.path[step].t))

    @Slot(int)
    def _go_to_time(self, t: int) -> None:
        run = self.run
        if run is not None:
            self.go(min(range(run.stored + 1), key=lambda step: abs(run.path[step].t - t)))

    @Slot(object)
    def _follow(self, cursor: Cursor) -> None:
        if (cursor.run, cursor.step) != self._followed:
            self.show()

    @Slot(int)
    def _run_changed(self, job: int) -> None:
        if job == self._job:
            self.instruments.set_available(self._state.runs[job].stored + 1)
            if self._state.runs[job].state in UNMADE:
                self.show()
        self.moved.emit()

    @Slot(int)
    def _forget(self, job: int) -> None:
        """A run that is no more is looked at no more."""
        self._recognised.pop(job, None)
        if self._followed is not None and self._followed[0] == job:
            self._followed = None
        if job == self._job:
            self._job = None
            self.emptied.emit()

    @Slot(int)
    def _shown(self, step: int) -> None:
        self.instruments.transport.set_shown(step)
        run = self.run
        if run is not None:
            self._state.move(shown_t=int(run.path[step].t))

    @Slot(int)
    def _fill_frame(self, step: int) -> None:
        if self._job is not None:
            picture = self.view.thumbnail(self._job, step)
            if picture is not None:
                self.instruments.strip.set_frame(step, picture)

    @Slot()
    def _fill_strip(self) -> None:
        """The strip shows the enlarged sample, or the first."""
        run = self.run
        if run is not None:
            self.instruments.refill(run, self._state.cursor.step)
            self._show_recognised()
            self.moved.emit()
