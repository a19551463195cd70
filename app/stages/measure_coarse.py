"""Coarse to fine: one run whose x̂₀ is watched, and samples that leave it at several t, all of them runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.panels import column_of
from app.stages.readiness import LIVE
from app.state import AppState
from app.theme import GRID
from app.widgets.controls import label
from app.widgets.sheet import Sheet
from core.evaluation.coarse_to_fine import Sharing, progress_steps
from core.messages import Failed, Inspection, Preview, RunEnded
from core.requests import InspectStep, SampleRequest

if TYPE_CHECKING:
    from app.bridge import Bridge

FRAMES = 12
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

    Attributes: ``page``. Signals: ``changed()``; ``failed(message, details)``; ``opened(int)``, a run to be looked at.
    """

    changed = Signal()
    failed = Signal(str, str)
    opened = Signal(int)

    def __init__(self, state: AppState, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._state, self._bridge = state, bridge
        self.page = CoarsePage()
        self._parent: int | None = None
        self._steps: tuple[int, ...] = ()
        self._cells: dict[int, int] = {}
        """Cell of the sheet by job."""
        self._shares: tuple[Sharing, ...] = ()
        self._width = 1
        self._ended: set[int] = set()
        self._missing: list[int] = []
        bridge.message.connect(self._receive)
        self.page.shared.cell_clicked.connect(self._clicked)
        self.page.way.cell_clicked.connect(self._way_clicked)

    @property
    def jobs(self) -> tuple[int, ...]:
        return () if self._parent is None else (self._parent, *self._cells)

    @property
    def live(self) -> tuple[int, ...]:
        """Runs that are not done yet, also those not begun."""
        return tuple(job for job in self.jobs if job not in self._ended)

    @property
    def words(self) -> str:
        done = len(self.jobs) - len(self.live)
        return f"{done} of {len(self.jobs)} runs made." if self.live else ""

    def show_plan(self, parent: SampleRequest, shares: Sequence[Sharing]) -> None:
        """Before there is anything: the sheets as they would be, all of them to come."""
        if self._parent is None:
            self._lay(parent, shares)

    def begin(self, parent: SampleRequest, shares: Sequence[Sharing]) -> None:
        """Submit the run and its branches."""
        self.stop()
        self._ended, self._missing = set(), []
        self._lay(parent, shares)
        self._parent = self._bridge.submit(parent)
        self._cells = {
            self._bridge.submit(run): row * self._width + column + 1
            for row, share in enumerate(shares)
            for column, run in enumerate(share.runs)
        }
        self.changed.emit()

    def _lay(self, parent: SampleRequest, shares: Sequence[Sharing]) -> None:
        self._shares, self._steps = tuple(shares), progress_steps(parent, FRAMES)
        copies = len(shares[0].runs)
        self._width = copies + 1
        names = ["xₜ", *(str(n + 1) for n in range(copies))]
        self.page.way.set_cells(("",), [f"t = {parent.timesteps[step]}" for step in self._steps])
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
        match message:
            case Preview(job=job) if job == self._parent:
                self._watch(message)
            case Preview(job=job) if job in self._cells:
                self._put(job, message)
            case RunEnded(job=job) if job in self.jobs:
                self._end(job)
            case Failed(job=job) if job in self.jobs:
                self._ended.add(job or 0)
                self.failed.emit(message.message, message.details)
                self.stop()
                self.changed.emit()
            case Inspection(request=InspectStep(run=job, step=step)) if job == self._parent:
                self._answer(message, step)

    def _watch(self, preview: Preview) -> None:
        """A state of the run that is shared."""
        if preview.step in self._steps and preview.x0_hat is not None:
            column = self._steps.index(preview.step)
            self.page.way.put(column, preview.x0_hat[0], finished=True)
        for row, share in enumerate(self._shares):
            if share.step == preview.step:
                self.page.shared.put(row * self._width, preview.x_t[0], finished=True)

    def _put(self, job: int, preview: Preview) -> None:
        run = self._state.runs.get(job)
        is_last = run is not None and preview.step == run.steps
        picture = preview.x_t if is_last or preview.x0_hat is None else preview.x0_hat
        self.page.shared.put(self._cells[job], picture[0], finished=is_last)

    def _end(self, job: int) -> None:
        self._ended.add(job)
        if job == self._parent:
            self._fill()
        else:
            run = self._state.runs.get(job)
            last = None if run is None else self._bridge.frame(job, run.stored)
            if last is not None and run is not None and run.stored == run.steps:
                self.page.shared.put(self._cells[job], last.x_t[0], finished=True)
        self.changed.emit()

    def _fill(self) -> None:
        """What went by without being seen is asked for, one state after the other."""
        assert self._parent is not None
        for row, share in enumerate(self._shares):
            state = self._bridge.frame(self._parent, share.step)
            if state is not None:
                self.page.shared.put(row * self._width, state.x_t[0], finished=True)
        self._missing = [step for column, step in enumerate(self._steps) if not self.page.way.has(column)]
        self._ask()

    def _ask(self) -> None:
        if self._missing and self._parent is not None:
            self._bridge.ask(InspectStep(self._parent, self._missing[0]))

    def _answer(self, answer: Inspection, step: int) -> None:
        if step in self._steps and answer.x0_hat is not None:
            self.page.way.put(self._steps.index(step), answer.x0_hat[0], finished=True)
        if step in self._missing:
            self._missing.remove(step)
            self._ask()

    @Slot(int)
    def _clicked(self, cell: int) -> None:
        job = next((job for job, at in self._cells.items() if at == cell), self._parent)
        if job in self._state.runs:
            self.page.shared.set_current(cell)
            self.opened.emit(job)

    @Slot(int)
    def _way_clicked(self, cell: int) -> None:
        if self._parent in self._state.runs:
            self.page.way.set_current(cell)
            self.opened.emit(self._parent)
