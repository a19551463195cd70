"""Invert: a picture walks up to its latent and down again, and what is lost on the way is measured; or SDEdit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QMimeData, Slot
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from app.stages.base import Stage
from app.stages.invert_controls import InvertControls
from app.stages.invert_display import InvertDisplay
from app.stages.invert_instruments import InvertButtons
from app.stages.invert_plan import InvertPlan, is_possible
from app.stages.invert_record import InvertRecord
from app.stages.invert_scene import Scene, inversion_before, scene_of
from app.stages.invert_settings import EACH, settings_of
from app.stages.round_trips import RoundTrips
from app.state import AppState, Cursor, Run, stage_of
from app.theme import GRID, PANEL_PADDING
from core.errors import Refusal
from core.images import OpenedImage
from core.messages import READY, EngineState, Failed, Preview, Progress, RunEnded, RunPaused
from core.requests import InvertRequest, SampleRequest

if TYPE_CHECKING:
    from app.bridge import Bridge

HINT = "Ctrl+Enter inverts, Space plays, Esc stops; drag the slider up to the latent and down again."
BACK_HINT = "Choose another label or w and Regenerate: the same latent as something else. Measure draws the curve."
EDIT_HINT = "Choose how far to noise the picture: the less, the more of it stays. Ctrl+Enter denoises it."
WAITING_HINT = "The model is still loading: this starts when it is there. Esc takes it back."
LIVE = ("running", "paused")


class InvertStage(Stage):
    """Inversions of the window's picture, their reconstructions and regenerations; SDEdit as its second method.

    What is shown is the run and step of ``state.cursor``: either way of an inversion shows both.
    """

    key = "invert"
    title = "Invert"

    def __init__(self, state: AppState, bridge: Bridge, parent: QWidget | None = None) -> None:
        super().__init__(state, parent)
        self._bridge = bridge
        self._active = False
        self._follows = True
        """Whether the cursor goes along with a run that is under way, until the person goes back in it."""
        self._awaited: Callable[[], None] | None = None
        """What was asked for before there was a model to do it with."""
        self._planned: InvertRequest | SampleRequest | None = None
        self._followed: tuple[int | None, int] | None = None
        self._last: int | None = None
        """The run to come back to."""
        self._edits: set[int] = set()
        self._settled: int | None = None
        """The inversion that the controls belong to: another one brings its settings along."""
        self._ways: dict[int, int] = {}
        """Of an inversion: the way down that was last looked at."""

        self.trips = RoundTrips(bridge, self)
        self.record = InvertRecord(bridge)
        self.controls = InvertControls()
        self.buttons = InvertButtons()
        self.plan = InvertPlan(state, self.controls.settings, self.record)
        self.display = InvertDisplay(state, bridge, self.record, self.plan, self)
        self.view, self.evidence, self.instruments = self.display.view, self.display.evidence, self.display.instruments
        self.transport, self.plots = self.instruments.transport, self.instruments.plots
        self._lay_out()
        self._connect()
        self.controls.seed.set_seed(state.seed)
        self.instruments.show_idea(state.schedule)
        self._model_changed()

    def _lay_out(self) -> None:
        beside, buttons = self.controls.more.add_beside, self.buttons
        beside(buttons.run, 2)
        for button in (buttons.regenerate, buttons.measure, buttons.pause, buttons.stop):
            beside(button)
        column = QVBoxLayout(self.content)
        column.setContentsMargins(PANEL_PADDING, GRID, PANEL_PADDING, GRID)
        column.setSpacing(GRID)
        column.addWidget(self.controls)
        column.addWidget(self.view, 1)
        column.addWidget(self.evidence)

    def _connect(self) -> None:
        self.buttons.run.clicked.connect(self.run)
        self.buttons.regenerate.clicked.connect(self.branch)
        self.buttons.measure.clicked.connect(self.measure)
        self.buttons.pause.clicked.connect(self._pause_or_resume)
        self.buttons.stop.clicked.connect(self.stop)
        self.controls.changed.connect(self._take_settings)
        self.controls.seed_changed.connect(self.state.set_seed)
        self.controls.conversion.conversion_changed.connect(self.state.set_conversion)
        self.controls.more.open_changed.connect(self._make_room)
        self.transport.position_requested.connect(self._go)
        self.instruments.strip.frame_clicked.connect(self._go)
        self.plots.t_dragged.connect(self._go_to_time)
        self.evidence.curve.point_clicked.connect(self._look_at)
        self.trips.begun.connect(self._begun)
        self.trips.returned.connect(self._returned)
        self.trips.changed.connect(self._show_buttons)
        self.view.cell_changed.connect(self.commands_changed)
        self._bridge.message.connect(self._receive)
        self.state.cursor_changed.connect(self._follow)
        self.state.runs_changed.connect(self._run_changed)
        self.state.status_changed.connect(self._show_buttons)
        self.state.model_changed.connect(self._model_changed)
        self.state.seed_changed.connect(self.controls.seed.set_seed)
        self.state.image_changed.connect(self._picture_changed)
        self.state.conversion_changed.connect(self._picture_changed)

    # What the window asks

    @property
    def primary_action(self) -> QPushButton:
        return self.buttons.run

    @property
    def commands(self) -> frozenset[str]:
        can = {
            "stop": self.buttons.stop.isEnabled() or self._awaited is not None or self.view.cell is not None,
            "toggle": self.buttons.pause.isEnabled() or self._run() is not None,
            "step": self.buttons.pause.isEnabled(),
            "branch": self.buttons.regenerate.isEnabled(),
        }
        return frozenset(name for name, possible in can.items() if possible)

    def right_widgets(self) -> Sequence[QWidget]:
        return (self.plots, self.instruments.equation, self.instruments.algorithm, self.instruments.misses)

    def bottom_widgets(self) -> Sequence[QWidget]:
        return (self.transport, self.instruments.strip)

    def drop_verbs(self, mime: QMimeData) -> str:
        return "invert it" if self.controls.settings().method == "invert" else "noise and denoise it"

    def handle_drop(self, image: OpenedImage) -> None:
        super().handle_drop(image)
        self._leave_run()

    def activate(self) -> None:
        self._active = True
        if self._run() is None:
            self._look_back()
        self._take_settings()
        self._show()
        self.transport.setFocus()

    def deactivate(self) -> None:
        self._active = False
        self._awaited = None
        self.transport.stop()

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
        self._when_ready(self.buttons.regenerate, lambda: self.trips.send(self.plan.regeneration()))

    @Slot()
    def stop(self) -> None:
        live = self._live()
        if self.trips.is_busy:
            self.trips.stop()
        elif live is not None:
            self._bridge.cancel(live.job)
        elif self._awaited is not None:
            self._awaited = None
            self._take_settings()
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

    def seek(self, steps: int) -> None:
        self._go(self.transport.position + steps)

    @Slot()
    def _pause_or_resume(self) -> None:
        live = self._live()
        if live is not None:
            (self._bridge.resume if live.state == "paused" else self._bridge.pause)(live.job)

    def _when_ready(self, button: QPushButton, begin: Callable[[], None]) -> None:
        if self._is_starting():
            self._awaited = lambda: self._when_ready(button, begin)
            self.hint_changed.emit(WAITING_HINT)
            self.commands_changed.emit()
        elif button.isEnabled():
            self.errors.dismiss()
            if self.state.image is not None:
                self._bridge.add_image(self.state.image)
            try:
                if self.controls.settings().method == "edit":
                    self.controls.seed.next()
                self._follows = True
                begin()
                self.transport.setFocus()  # arrows and Space are for the walk now
            except Refusal as refusal:
                self.errors.show_error(str(refusal), refusal.details)

    # What settings, model and picture come to

    @Slot()
    def _take_settings(self) -> None:
        """Take in what the controls say; show it where there is no run to look at."""
        settings, run = self.controls.settings(), self._run()
        inverts = settings.method == "invert"
        self.buttons.show_method(inverts)
        self.evidence.show_method(inverts)
        if self.state.model is None:
            return
        hint = EDIT_HINT if not inverts else HINT if run is None else BACK_HINT
        try:
            self._planned = self.plan.request()
        except Refusal as refusal:
            self._planned = None
            if settings.label == EACH and run is not None:
                hint = str(refusal)  # it is there to regenerate with
            else:
                self.errors.show_error(str(refusal), refusal.details)
        else:
            self.errors.dismiss()
        self.hint_changed.emit(hint)
        if run is None:
            self._show()
        elif inverts == (run.job in self._edits) or (not inverts and run.request != self._planned):
            self._leave_run()
        self._show_buttons()

    @Slot()
    def _model_changed(self) -> None:
        self.controls.set_model(self.state.model)
        if self.state.model is None:
            self.instruments.show_idea(self.state.schedule)
        self._picture_changed()

    @Slot()
    def _picture_changed(self) -> None:
        """Another picture, or the same for another network: it stands ready to be inverted."""
        model = self.state.model if self.state.conversion is not None else None
        self.controls.conversion.set_picture(self.state.image, model)
        self.controls.conversion.set_conversion(self.state.conversion)
        self._leave_run()
        self._take_settings()

    def _leave_run(self) -> None:
        """Look at the window's picture instead of a run, even of one that is still under way."""
        self._last = None
        self._follows = False
        if self._run() is not None:
            self.state.move(run=None, step=0)
        self.plan.scene = None

    @Slot()
    def _show_buttons(self) -> None:
        busy = self.trips.is_busy
        ready = self.state.status.state in READY and self.state.model is not None and not busy
        can_run = ready and self._planned is not None
        self.buttons.show(
            run=can_run or self._is_starting(),
            regenerate=ready and is_possible(self.plan.regeneration),
            measure=can_run and is_possible(self.plan.unmeasured),
            live=self._live(),
            busy=busy,
        )
        self.commands_changed.emit()
        if can_run and self._awaited is not None:
            awaited, self._awaited = self._awaited, None
            awaited()

    def _is_starting(self) -> bool:
        state = self.state.status.state
        return state is EngineState.LOADING or (state is EngineState.STARTING and self.state.model is None)

    # What follows from the cursor

    def _run(self) -> Run | None:
        """The run looked at, if it is one of this stage's."""
        job = self.state.cursor.run
        return self.state.runs[job] if job is not None and self._is_own(job) else None

    def _is_own(self, job: int | None) -> bool:
        run = None if job is None else self.state.runs.get(job)
        return run is not None and (stage_of(run.request) == self.key or job in self._edits)

    def _live(self) -> Run | None:
        """The run that Pause, Step and Stop are about: this stage's, else the one looked at, else the engine's."""
        jobs = (self.trips.job, self.state.cursor.run, self.state.status.job)
        runs = (None if job is None else self.state.runs.get(job) for job in jobs)
        return next((run for run in runs if run is not None and run.state in LIVE), None)

    @Slot(int)
    def _look_at(self, job: int) -> None:
        """Go to the end of a run, or of the reconstruction that followed it."""
        walk = scene_of(self.state.runs[job], self.state.runs, self._ways).walk
        end, step = walk.at(walk.available - 1)
        if end is not None:
            self.state.move(stage=self.key, run=end.job, step=step, t=int(end.path[step].t))

    def _look_back(self) -> None:
        """Where the cursor is on no run of this stage: to the state shown last, or to what has begun meanwhile."""
        run = None if self._last is None else self.state.runs.get(self._last)
        if run is not None and self._followed is not None and self._followed[0] == run.job:
            step = min(self._followed[1], run.stored)
            self.state.move(stage=self.key, run=run.job, step=step, t=int(run.path[step].t))
        elif run is not None:
            self._look_at(run.job)

    @Slot(int)
    def _go(self, position: int) -> None:
        if self._run() is None or self.display.scene is None:
            return
        walk = self.display.scene.walk
        position = min(max(0, position), walk.available - 1)
        self._follows = position >= max(self.transport.position, walk.available - 2)
        run, step = walk.at(position)
        if run is not None:
            self.state.move(run=run.job, step=step, t=int(walk.level(position).t))

    @Slot(int)
    def _go_to_time(self, t: int) -> None:
        """To the nearest t on the way that is looked at."""
        if self.display.scene is not None:
            self._go(self.display.scene.walk.nearest(t, self.transport.position))

    @Slot(object)
    def _follow(self, cursor: Cursor) -> None:
        if (cursor.run, cursor.step) != self._followed:
            self._show()

    def _show(self) -> None:
        if not self._active:
            return
        run, cursor = self._run(), self.state.cursor
        self._followed = cursor.run, cursor.step
        if run is None:
            self.plan.scene = None
            self.display.show_plan(self._planned, self.controls.conversion.warning())
        else:
            self._show_run(run, min(cursor.step, run.stored))
        self._show_buttons()

    def _show_run(self, run: Run, step: int) -> None:
        scene = self._look(run)
        up, down = scene.walk.up_run, scene.walk.down_run
        if scene.up is not None and up is not None and up.job != self._settled:
            self._settled = up.job
            self.controls.set_settings(settings_of(scene.up, self.controls.settings()))
            self._take_settings()
        self._last = run.job
        if up is not None and down is not None:
            self._ways[up.job] = down.job
        warning = self.controls.conversion.warning() if scene.picture == self.plan.own_picture() else ""
        is_coming = self._follows and (run.state == "running" or self.trips.is_busy)  # the way down sees the latent
        self.display.show_scene(scene, scene.walk.position(run.job, step), warning, is_coming=is_coming)

    def _look(self, run: Run) -> Scene:
        self.plan.scene = scene_of(run, self.state.runs, self._ways)
        return self.plan.scene

    @Slot(int)
    def _run_changed(self, job: int) -> None:
        run = self._run()
        if run is not None and self._active and self.display.shows(job):
            self.display.refresh(self._look(run))
        self._show_buttons()

    @Slot(bool)
    def _make_room(self, more_is_open: bool) -> None:
        """Pictures keep their size: the evidence gives way to the controls while those are open."""
        self.evidence.set_brief(more_is_open)

    # What the engine says

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
        if not self._active:
            self._last = job
        elif self._follows:
            self.state.move(stage=self.key, run=job, step=0, t=int(run.path[0].t))

    @Slot(int, object)
    def _returned(self, job: int, _request: InvertRequest) -> None:
        down = self.state.runs[job]
        up = inversion_before(down, self.state.runs)
        if up is not None:
            self.record.measure(up, down)
            self._show()
            if self._active:
                self.hint_changed.emit(BACK_HINT)

    @Slot(object)
    def _receive(self, message: object) -> None:
        self.view.receive(message)
        if isinstance(message, Progress):
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
                if looked_at is not None and looked_at.job == job:
                    if self._follows:
                        self.state.move(step=step, t=int(looked_at.path[step].t))
                    self._show()
            case Failed(job=job) if asked_for or (job is None and self._active) or self._is_own(job):
                self._awaited = None
                self.errors.show_error(message.message, message.details)
