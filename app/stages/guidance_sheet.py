"""The guidance sheet: which run is which row, filled while they are made, and each of its cells as a trajectory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal, Slot

from app.exports.saving import ask_file
from app.stages.guidance_export import export
from app.stages.guidance_page import GuidancePage
from app.stages.guidance_plan import SheetPlan
from app.state import AppState
from core.errors import Refusal
from core.messages import Failed, Preview, RunEnded
from core.requests import SampleRequest

if TYPE_CHECKING:
    from app.bridge import Bridge

NOTHING: Mapping[SampleRequest, int] = MappingProxyType({})


class GuidanceSheet(QObject):
    """Attributes: ``page``; ``plan``, of the sheet shown or None; ``jobs``, one a row once it is rendered; ``step``,
    the state of their walks that the rows show once they are made, None: the last.

    Signals: ``opened(job, sample)``, a cell was chosen; ``said(str)``, what went where; ``failed(str, str)``, words and
    details; ``moved()`` after a row has begun, moved on or ended.
    """

    opened = Signal(int, int)
    said = Signal(str)
    failed = Signal(str, str)
    moved = Signal()

    def __init__(self, state: AppState, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._state, self._bridge = state, bridge
        self.page = GuidancePage()
        self.plan: SheetPlan | None = None
        self.jobs: tuple[int, ...] = ()
        self.step: int | None = None
        self._waiting: set[int] = set()
        self._pictures: dict[int, NDArray[np.uint8]] = {}
        self.page.sheet.cell_clicked.connect(self._open)
        self.page.save.clicked.connect(self._choose_file)
        self._show_note()

    @property
    def is_busy(self) -> bool:
        """Whether rows are being made, or wait to be."""
        return bool(self._waiting)

    def show_plan(self, plan: SheetPlan) -> None:
        """A sheet that could be rendered; where one is there that says the same, or is being made, it stays."""
        if not self.is_busy and (self.plan is None or plan.requests != self.plan.requests):
            self._lay_out(plan)

    def render(self, plan: SheetPlan, made: Mapping[SampleRequest, int] = NOTHING) -> None:
        """Queue a run for each row but those that are ``made`` (jobs by their requests); those of a sheet before this
        one that still wait are taken back."""
        self.stop()
        self._lay_out(plan)
        there = {request: job for request, job in made.items() if self._bridge.keeps(job)}
        self.jobs = tuple(there.get(request) or self._bridge.submit(request) for request in plan.requests)
        self._waiting = set(self.jobs) - set(there.values())
        for job in self.jobs:
            if job not in self._waiting:
                self._show(job)
        self._show_note()

    def stop(self) -> None:
        """Stop the row that is being made, and all that wait."""
        for job in reversed(self.jobs):
            if job in self._waiting:
                self._bridge.cancel(job)
        self._waiting.clear()
        self._show_note()

    def mark(self, job: int | None, sample: int | None) -> None:
        """Frame the cell whose trajectory is looked at, if it is one of this sheet."""
        is_here = job in self.jobs and sample is not None
        width = len(self.plan.columns) if self.plan else 1
        self.page.sheet.set_current(self.jobs.index(job or 0) * width + (sample or 0) if is_here else None)

    def show_state(self, step: int) -> None:
        """Take every row that is made to this state of its walk, those of their pictures that are stored."""
        if step != self.step:
            self.step = step
            for job in self.jobs:
                if job not in self._waiting:
                    self._show(job)
            self._show_note()

    @Slot(object)
    def receive(self, message: object) -> None:
        """Take what the engine says of the rows."""
        match message:
            case Preview(job=job) if job in self._waiting:
                self._fill(job, message.x_t if message.x0_hat is None else message.x0_hat, False)
            case RunEnded(job=job) if job in self.jobs:
                self._show(job)
                self._end(job)
            case Failed(job=int(job)) if job in self.jobs:
                self._end(job)

    def write(self, path: Path) -> None:
        """Save what is finished of the sheet."""
        try:
            if self.plan is None:
                raise Refusal("There is no sheet yet. Render it first.")
            self.said.emit(export(path, self.plan, self._pictures, self.step))
        except Refusal as refusal:
            self.failed.emit(str(refusal), refusal.details)

    def _lay_out(self, plan: SheetPlan) -> None:
        self.plan, self.jobs, self.step = plan, (), None
        self._pictures.clear()
        self.page.sheet.set_cells(plan.rows, plan.columns)
        self._show_note()

    def _show(self, job: int) -> None:
        """A row as it was at ``step``; where it was stopped before, as it was last, unfinished."""
        run = self._state.runs.get(job)
        if run is not None:
            step = run.steps if self.step is None else self.step
            state = self._bridge.frame(job, min(step, run.stored))
            if state is not None:
                self._fill(job, state.x_t, step <= run.stored)

    def _fill(self, job: int, pictures: NDArray[np.uint8], is_finished: bool) -> None:
        assert self.plan is not None
        first = self.jobs.index(job) * len(self.plan.columns)
        for column, picture in enumerate(pictures):
            self.page.sheet.put(first + column, picture, finished=is_finished)
            if is_finished:
                self._pictures[first + column] = picture
            else:
                self._pictures.pop(first + column, None)
        self._show_note()

    def _end(self, job: int) -> None:
        self._waiting.discard(job)
        self._show_note()
        self.moved.emit()

    def _show_note(self) -> None:
        plan, done = self.plan, len(self.jobs) - len(self._waiting)
        self.page.save.setEnabled(bool(self._pictures))
        if plan is None:
            self.page.note.set_lines("")
        elif self.is_busy:
            self.page.note.set_lines(f"Row {min(done + 1, len(self.jobs))} of {len(self.jobs)} is being made.")
        elif self.jobs:
            ways = "Click a picture to see its trajectory; drag the slider to take all rows through t."
            self.page.note.set_lines(self._time() + ways)
        else:
            runs = f"{len(plan.rows)} runs of {len(plan.columns)} samples"
            self.page.note.set_lines(f"{runs}, all with the noise of seed {plan.requests[0].seed}.")

    def _time(self) -> str:
        """Which state of the rows is shown, unless it is the last."""
        run = self._state.runs.get(self.jobs[0])
        if run is None or self.step is None or self.step >= run.steps:
            return ""
        return f"x_t at t = {run.path[self.step].t:.0f}. "

    @Slot(int)
    def _open(self, cell: int) -> None:
        if self.plan is not None and self.jobs:
            row, sample = divmod(cell, len(self.plan.columns))
            if self.jobs[row] in self._state.runs:
                self.opened.emit(self.jobs[row], sample)

    @Slot()
    def _choose_file(self) -> None:
        ask_file(self.page.window(), "Save the sheet", "guidance.png", "Picture (*.png)", (".png",), self.write)
