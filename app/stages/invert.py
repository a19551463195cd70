"""Invert: a picture walks up to its latent and down again, and what is lost on the way is measured; or SDEdit."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QMimeData, Slot
from PySide6.QtWidgets import QPushButton, QWidget

from app.stages.invert_page import BACK_HINT, InvertPage
from app.stages.invert_plan import why_not
from app.stages.invert_record import is_reconstruction
from app.stages.invert_scene import inversion_before
from app.stages.readiness import WAITING_HINT, Readiness, live_run, pause_or_resume
from app.state import AppState, Run
from core.errors import Refusal
from core.messages import Failed, Preview, Refined, RunEnded, RunPaused
from core.requests import InvertRequest, SampleRequest

if TYPE_CHECKING:
    from app.bridge import Bridge

NOT_NOW = "It can be done when the model is there and nothing is under way."


class InvertStage(InvertPage):
    """Inversions of the picture shown, their reconstructions and regenerations; SDEdit as its second method."""

    key = "invert"
    title = "Invert"

    def __init__(self, state: AppState, bridge: Bridge, parent: QWidget | None = None) -> None:
        super().__init__(state, bridge, parent)
        self.readiness = Readiness(state, self)
        self.readiness.waiting_changed.connect(self._show_waiting)
        buttons = self.buttons
        buttons.run.clicked.connect(self.run)
        buttons.regenerate.clicked.connect(self.branch)
        buttons.measure.clicked.connect(self.measure)
        buttons.pause.clicked.connect(self._pause_or_resume)
        buttons.stop.clicked.connect(self.stop)
        self.looked.connect(self._show_buttons)
        self.trips.begun.connect(self._begun)
        self.trips.returned.connect(self._returned)
        self.trips.changed.connect(self._show_buttons)
        self.view.cell_changed.connect(self.commands_changed)
        bridge.message.connect(self._receive)
        state.runs_changed.connect(self._run_changed)
        state.run_removed.connect(self._removed)
        state.status_changed.connect(self._show_buttons)
        self._show_buttons()
        self.remember(self.controls.entries(), self._settle)

    # What the window asks

    @property
    def primary_action(self) -> QPushButton:
        return self.buttons.run

    @property
    def commands(self) -> frozenset[str]:
        can = {
            "stop": self.buttons.stop.isEnabled() or self.readiness.waits or self.view.cell is not None,
            "toggle": self.buttons.pause.isEnabled() or self._run() is not None,
            "step": self.buttons.pause.isEnabled(),
            "branch": self.buttons.regenerate.isEnabled(),
        }
        return frozenset(name for name, possible in can.items() if possible)

    def drop_verbs(self, mime: QMimeData) -> str:
        return "invert it" if self.controls.settings().method == "invert" else "noise and denoise it"

    def deactivate(self) -> None:
        super().deactivate()
        self.readiness.forget()

    # Commands

    @Slot()
    def run(self) -> None:
        """Do what the controls say with the picture shown; where the model is still loading, then."""

        def begin() -> None:
            request = self.plan.request()
            if isinstance(request, InvertRequest):
                self.trips.travel([request])
            else:
                self.trips.send(request)

        self._when_ready(self.buttons.run, begin)

    @Slot()
    def measure(self) -> None:
        """Invert with each number of steps that the curve does not have yet."""
        self._when_ready(self.buttons.measure, lambda: self.trips.travel(self.plan.unmeasured()))

    @Slot()
    def branch(self) -> None:
        """Walk down from the latent shown with another label or guidance."""

        def begin() -> None:
            self.branched.emit(self.trips.send(self.plan.regeneration()))

        self._when_ready(self.buttons.regenerate, begin)

    @Slot()
    def stop(self) -> None:
        live = self._live()
        if self.trips.is_busy:
            self.trips.stop()
        elif live is not None:
            self._bridge.cancel(live.job)
        elif self.readiness.waits:
            self.readiness.forget()
        else:
            self.view.enlarge(None)

    @Slot()
    def step(self) -> None:
        live = self._live()
        if live is not None:
            self._follows = True
            self._bridge.step(live.job)

    def toggle(self) -> None:
        if self._live() is not None:
            self._pause_or_resume()
        else:
            self.transport.toggle_play()

    @Slot()
    def _pause_or_resume(self) -> None:
        pause_or_resume(self._bridge, self._live())

    def _when_ready(self, button: QPushButton, begin: Callable[[], None]) -> None:
        if not self.readiness.must_wait(lambda: self._when_ready(button, begin)) and button.isEnabled():
            self.errors.dismiss()
            if self.state.image is not None:
                self._bridge.add_image(self.state.image)
            try:
                if self.controls.settings().method == "edit":
                    with self.mementos.unasked():
                        self.controls.seed.next()
                self._follows = True
                begin()
                self.transport.setFocus()  # arrows and Space are for the walk now
            except Refusal as refusal:
                self.errors.show_error(str(refusal), refusal.details)

    def _settle(self) -> None:
        self.state.set_seed(self.controls.seed.seed())
        self.controls.settle()

    # What can be done now

    @Slot()
    def _show_buttons(self) -> None:
        busy = self.trips.is_busy
        ready = self.readiness.is_ready and not busy
        can_run = ready and self._planned is not None
        self.buttons.show(
            run=can_run or self.readiness.is_starting,
            live=self._live(),
            busy=busy,
            no_regeneration=why_not(self.plan.regeneration) if ready else NOT_NOW,
            no_measure=why_not(self.plan.unmeasured) if can_run else NOT_NOW,
        )
        self.commands_changed.emit()
        if can_run:
            self.readiness.catch_up()

    @Slot(bool)
    def _show_waiting(self, waits: bool) -> None:
        if waits:
            self.hint_changed.emit(WAITING_HINT)
        else:
            self._take_settings()
        self.commands_changed.emit()

    def _live(self) -> Run | None:
        """The run that Pause, Step and Stop are about: this stage's, else the one looked at, else the engine's."""
        return live_run(self.state, (self.trips.job, self.state.cursor.run, self.state.status.job))

    # What the engine says

    @Slot(int)
    def _removed(self, _job: int) -> None:
        """What is shown may have been the way up or down of one that is no more."""
        self._show()
        self._show_buttons()

    @Slot(int)
    def _run_changed(self, job: int) -> None:
        run = self._run()
        if run is not None and self._active and self.display.shows(job):
            self.display.refresh(self._look(run))
        self._show_buttons()

    @Slot(int)
    def _begun(self, job: int) -> None:
        run = self.state.runs[job]
        if isinstance(run.request, InvertRequest):
            self._settled = job
        else:
            up = inversion_before(run, self.state.runs)
            if up is not None:
                self._ways[up.job] = job
            else:
                self._edits.add(job)
        if not self._follows:
            return
        if not self._active:
            self._last = job
        else:
            self.state.move(stage=self.key, run=job, step=0, t=int(run.path[0].t))

    @Slot(int, object)
    def _returned(self, job: int, _request: InvertRequest) -> None:
        down = self.state.runs.get(job)
        up = None if down is None else inversion_before(down, self.state.runs)
        if up is not None and down is not None:
            self.record.measure(up, down)
            self._show()
            if self._active:
                self.hint_changed.emit(BACK_HINT)

    def _measure_again(self, job: int) -> None:
        """The way back of an earlier session has been made again: what was known of it is."""
        down = self.state.runs.get(job)
        if down is None or not self._is_own(job) or down.state != "finished" or job == self.trips.job:
            return
        up = inversion_before(down, self.state.runs) if isinstance(down.request, SampleRequest) else None
        if up is not None and is_reconstruction(down, up) and self.record.error(up.job) is None:
            self.record.measure(up, down)

    @Slot(object)
    def _receive(self, message: object) -> None:
        self.view.receive(message)
        if isinstance(message, Refined):
            self.record.note(message)
        asked_for = isinstance(message, Failed) and message.job is not None and message.job == self.trips.job
        self.trips.receive(message)
        looked_at = self._run() if self._active else None
        match message:
            case Preview(job=job, step=step) if looked_at is not None and looked_at.job == job:
                if self.display.scene is not None:
                    self.display.fill_frame(self.display.scene.walk.position(job, step))
                if self._follows:
                    self.state.move(step=step, t=int(message.level.t))
            case RunPaused(job=job, step=step) | RunEnded(job=job, steps=step):
                self._measure_again(job)
                if looked_at is not None and looked_at.job == job:
                    if self._follows:
                        self.state.move(step=step, t=int(looked_at.path[step].t))
                    self._show()
            case Failed(job=job) if asked_for or (job is None and self._active) or self._is_own(job):
                self.readiness.forget()
                self.errors.show_error(message.message, message.details)
