"""Coarse to fine: one run whose x̂₀ is watched, and samples that leave it at several t, all of them runs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.panels import column_of
from app.stages.measure_shared import FRAMES, Family, cells_of, width_of
from app.stages.readiness import LIVE
from app.state import AppState
from app.theme import GRID
from app.widgets.controls import label
from app.widgets.sheet import Sheet
from core.evaluation.coarse_to_fine import Sharing, progress_steps
from core.messages import Failed, Inspection, Picture, Preview, RunEnded
from core.requests import InspectStep, SampleRequest

if TYPE_CHECKING:
    from app.bridge import Bridge

GENERATING = "What the network sees on the way: x̂₀ at each t (Ho et al. 2020, figure 6)"
SHARING = "Samples that share x_t: from there on each has noise of its own (Ho et al. 2020, figure 7)"


class CoarsePage(QWidget):
    """Samples by the t they share. Attributes: ``shared``, their sheet; ``way``, that of the one they leave, and
    ``below``, which holds it under the page."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.way, self.shared = Sheet(), Sheet()
        self.way.setAccessibleName("A sample from coarse to fine")
        self.shared.setAccessibleName("Samples that share x_t")
        self.shared.setToolTip("Click a sample to see its run in Denoise")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID // 2)
        column.addWidget(label(SHARING, "caption"))
        column.addWidget(self.shared, 1)
        self.below = column_of(label(GENERATING, "caption"), self.way, spacing=GRID // 2)


class CoarseToFine(QObject):
    """Submits the runs and puts what they make on the page.

    Attributes: ``page``; ``records``, what was drawn in this session; ``current``, the one looked at, None before
    there is any. Signals: ``changed()``; ``failed(message, details)``; ``opened(int)``, a run to be looked at.
    """

    changed = Signal()
    failed = Signal(str, str)
    opened = Signal(int)

    def __init__(self, state: AppState, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._state, self._bridge = state, bridge
        self.page = CoarsePage()
        self.records: tuple[Family, ...] = ()
        self.current: Family | None = None
        bridge.message.connect(self._receive)
        self.page.shared.cell_clicked.connect(self._clicked)
        self.page.way.cell_clicked.connect(self._way_clicked)

    @property
    def jobs(self) -> tuple[int, ...]:
        """The runs looked at."""
        return () if self.current is None else self.current.jobs

    @property
    def live(self) -> tuple[int, ...]:
        """Runs that are not done yet, also those not begun."""
        return tuple(job for family in self.records for job in family.live)

    @property
    def words(self) -> str:
        return "" if self.current is None else self.current.words

    def of(self, job: int) -> Family | None:
        """The family whose parent this run is."""
        return next((family for family in self.records if family.job == job), None)

    def show_plan(self, parent: SampleRequest, shares: Sequence[Sharing]) -> None:
        """Before there is anything: the sheets as they would be, all of them to come."""
        if self.current is None:
            self._lay(parent, shares)

    def begin(self, parent: SampleRequest, shares: Sequence[Sharing]) -> None:
        """Submit the run and its branches."""
        self.stop()
        family = Family(parent, tuple(shares), self._bridge.submit(parent), made=time.time())
        runs = [run for share in shares for run in share.runs]
        family.cells = {self._bridge.submit(run): cell for run, cell in zip(runs, cells_of(shares), strict=True)}
        self.records = (*self.records, family)
        self.look_at(family)

    def look_at(self, family: Family | None) -> None:
        """Show what was drawn; None: nothing, until there is a plan."""
        self.current = family
        if family is not None:
            self._lay(family.parent, family.shares)
            for sheet, shots in ((self.page.way, family.way), (self.page.shared, family.shared)):
                for cell, (picture, finished) in shots.items():
                    sheet.put(cell, picture, finished=finished)
        self.changed.emit()

    def look_at_last(self) -> None:
        """What was looked at, else what was drawn last."""
        if self.current is None and self.records:
            self.look_at(self.records[-1])

    def forget(self, family: Family) -> None:
        """Take one that has ended off the list; its runs stay in the history."""
        if not family.live:
            self.records = tuple(other for other in self.records if other is not family)
            if family is self.current:
                self.look_at(self.records[-1] if self.records else None)

    def _lay(self, parent: SampleRequest, shares: Sequence[Sharing]) -> None:
        names = ["xₜ", *(str(n + 1) for n in range(width_of(shares) - 1))]
        times = [f"t = {parent.timesteps[step]}" for step in progress_steps(parent, FRAMES)]
        self.page.way.set_cells(("",), times)
        self.page.shared.set_cells([f"t = {row.t}" for row in shares], names)

    def stop(self) -> None:
        for job in self.live:
            self._bridge.cancel(job)

    def pause_or_resume(self) -> None:
        run = next((run for run in map(self._state.runs.get, self.live) if run and run.state in LIVE), None)
        if run is not None:
            (self._bridge.resume if run.state == "paused" else self._bridge.pause)(run.job)

    @property
    def is_paused(self) -> bool:
        return any(run and run.state == "paused" for run in map(self._state.runs.get, self.live))

    @Slot(object)
    def _receive(self, message: object) -> None:
        told = message.request if isinstance(message, Inspection) else message
        job = getattr(told, "run" if isinstance(told, InspectStep) else "job", None)
        family = next((family for family in self.records if job in family.jobs), None)
        if family is None:
            return
        match message:
            case Preview(job=job) if job == family.job:
                self._watch(family, message)
            case Preview():
                self._put(family, message)
            case RunEnded(job=job):
                self._end(family, job)
            case Failed(job=job):
                family.ended.add(job or 0)
                self.failed.emit(message.message, message.details)
                self.stop()
                self.changed.emit()
            case Inspection(request=InspectStep(step=step)) if job == family.job:
                self._answer(family, message, step)

    def _show_way(self, family: Family, column: int, picture: Picture) -> None:
        family.way[column] = picture, True
        if family is self.current:
            self.page.way.put(column, picture, finished=True)

    def _show_shared(self, family: Family, cell: int, picture: Picture, *, finished: bool) -> None:
        family.shared[cell] = picture, finished
        if family is self.current:
            self.page.shared.put(cell, picture, finished=finished)

    def _watch(self, family: Family, preview: Preview) -> None:
        """A state of the run that is shared."""
        if preview.step in family.steps and preview.x0_hat is not None:
            self._show_way(family, family.steps.index(preview.step), preview.x0_hat[0])
        for row, share in enumerate(family.shares):
            if share.step == preview.step:
                self._show_shared(family, row * width_of(family.shares), preview.x_t[0], finished=True)

    def _put(self, family: Family, preview: Preview) -> None:
        run = self._state.runs.get(preview.job)
        _picture, is_whole = family.shared.get(family.cells[preview.job], (None, False))
        if is_whole:  # it is made again, bit for bit
            return
        is_last = run is not None and preview.step == run.steps
        picture = preview.x_t if is_last or preview.x0_hat is None else preview.x0_hat
        self._show_shared(family, family.cells[preview.job], picture[0], finished=is_last)

    def _end(self, family: Family, job: int) -> None:
        family.ended.add(job)
        run = self._state.runs.get(job)
        if job == family.job:
            self._fill(family)
        elif run is not None and run.stored == run.steps:
            last = self._bridge.frame(job, run.stored)
            if last is not None:
                self._show_shared(family, family.cells[job], last.x_t[0], finished=True)
        self.changed.emit()

    def _fill(self, family: Family) -> None:
        """What went by without being seen is asked for, one state after the other."""
        for row, share in enumerate(family.shares):
            state = self._bridge.frame(family.job, share.step)
            if state is not None:
                self._show_shared(family, row * width_of(family.shares), state.x_t[0], finished=True)
        family.missing = [step for column, step in enumerate(family.steps) if column not in family.way]
        self._ask(family)

    def _ask(self, family: Family) -> None:
        if family.missing:
            self._bridge.ask(InspectStep(family.job, family.missing[0]))

    def _answer(self, family: Family, answer: Inspection, step: int) -> None:
        if step in family.steps and answer.x0_hat is not None:
            self._show_way(family, family.steps.index(step), answer.x0_hat[0])
        if step in family.missing:
            family.missing.remove(step)
            self._ask(family)

    @Slot(int)
    def _clicked(self, cell: int) -> None:
        family = self.current
        job = None if family is None else next((job for job, at in family.cells.items() if at == cell), family.job)
        if job in self._state.runs:
            self.page.shared.set_current(cell)
            self.opened.emit(job)

    @Slot(int)
    def _way_clicked(self, cell: int) -> None:
        if self.current is not None and self.current.job in self._state.runs:
            self.page.way.set_current(cell)
            self.opened.emit(self.current.job)
