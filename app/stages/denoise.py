"""Denoise: a network walks from noise to a picture, live; every step can be gone back to and branched from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QMimeData, Slot
from PySide6.QtWidgets import QApplication, QPushButton, QVBoxLayout, QWidget

from app.mementos import entries_of
from app.stages.base import Stage
from app.stages.classifier_desk import ClassifierDesk
from app.stages.denoise_controls import DenoiseControls
from app.stages.denoise_fields import GUIDANCE, START
from app.stages.denoise_nearest import SampleCheck
from app.stages.denoise_pages import DenoisePages
from app.stages.denoise_plan import CELL_HINT, HINT, first_state, hint_of, path_of
from app.stages.denoise_settings import branch, resolve, settings_of
from app.stages.guidance_sheet import GuidanceSheet
from app.stages.readiness import WAITING_HINT, Readiness, live_run, pause_or_resume
from app.stages.run_instruments import RunButtons
from app.stages.shown_run import ShownRun
from app.state import UNMADE, AppState, Run
from app.theme import GRID, PANEL_PADDING
from core.checkpoints.description import Answers
from core.errors import Refusal
from core.images import OpenedImage
from core.messages import Failed, ModelInfo
from core.requests import FromImage, ImageRef, SampleRequest
from core.schedules import make_schedule

if TYPE_CHECKING:
    from app.bridge import Bridge
    from app.exports.ways import Way


class DenoiseStage(Stage):
    """Runs of a sampler on the open model. What is shown is the run and step of ``state.cursor``."""

    key = "denoise"
    title = "Denoise"

    def __init__(self, state: AppState, bridge: Bridge, parent: QWidget | None = None) -> None:
        super().__init__(state, parent)
        self._bridge = bridge
        self._planned: SampleRequest | None = None
        self._goes_back = False
        """Whether the sample looked at was opened from the sheet, to which Esc leads back."""
        self.readiness = Readiness(state, self)
        self.controls = DenoiseControls()
        self.buttons = RunButtons()
        self.shown = ShownRun(self.key, state, bridge, self)
        self.view, self.instruments = self.shown.view, self.shown.instruments
        self.transport, self.strip = self.instruments.transport, self.instruments.strip
        self.plots = self.instruments.plots
        self.sheet = GuidanceSheet(state, bridge, self)
        self.desk = ClassifierDesk(state, bridge, self.controls.classifier, self)
        self.check = SampleCheck(state, bridge, self)
        self.pages = DenoisePages(self.view, self.sheet, self.buttons.sheet, self.check.page, self.buttons.nearest)
        self._lay_out()
        self._connect()
        self.controls.seed.set_seed(state.seed)
        self._model_changed()
        self._show_buttons()
        self.remember(self.controls.entries() | entries_of(self.sheet.page, prefix="sheet."), self._settle)

    def _lay_out(self) -> None:
        beside, buttons = self.controls.more.add_beside, self.buttons
        beside(buttons.run, 2)
        for button in (buttons.pause, buttons.step, buttons.stop, buttons.branch, buttons.sheet, buttons.nearest):
            beside(button)
        column = QVBoxLayout(self.content)
        column.setContentsMargins(PANEL_PADDING, GRID, PANEL_PADDING, GRID)
        column.setSpacing(GRID)
        column.addWidget(self.controls)
        column.addWidget(self.pages, 1)

    def _connect(self) -> None:
        self.buttons.run.clicked.connect(self.run)
        self.buttons.pause.clicked.connect(self._pause_or_resume)
        self.buttons.step.clicked.connect(self.step)
        self.buttons.stop.clicked.connect(self.stop)
        self.buttons.branch.clicked.connect(self.branch)
        self.pages.turned.connect(self._turn_page)
        self.sheet.page.changed.connect(self._plan)
        self.sheet.opened.connect(self._open_cell)
        self.sheet.moved.connect(self._show_buttons)
        self.sheet.moved.connect(self._follow_in_sheet)
        self.sheet.said.connect(self.hint_changed)
        self.sheet.failed.connect(self.errors.show_error)
        self.desk.refused.connect(self.errors.show_error)
        self.check.refused.connect(self.errors.show_error)
        self.check.accepted.connect(self.errors.dismiss)
        QApplication.instance().lastWindowClosed.connect(self.check.leave)  # type: ignore[union-attr]
        self.transport.position_requested.connect(self._leave_foreign_sheet)
        self.strip.frame_clicked.connect(self._leave_foreign_sheet)
        self.controls.changed.connect(self._plan)
        self.controls.seed_changed.connect(self.state.set_seed)
        self.controls.conversion.conversion_changed.connect(self.state.set_conversion)
        self.readiness.waiting_changed.connect(self._show_waiting)
        self.shown.turned.connect(self._turned)
        self.shown.moved.connect(self._show_buttons)
        self.shown.moved.connect(self._follow_in_sheet)
        self.shown.emptied.connect(self._model_changed)
        self._bridge.message.connect(self._receive)
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
        can_go_back = self.pages.is_sheet or self.pages.is_nearest or self.view.cell is not None
        buttons = {
            "stop": self.buttons.stop.isEnabled() or self.readiness.waits or can_go_back,
            "toggle": self.buttons.pause.isEnabled() or self.shown.run is not None,
            "step": self.buttons.step.isEnabled(),
            "branch": self.buttons.branch.isEnabled(),
        }
        return frozenset(name for name, can in buttons.items() if can)

    def right_widgets(self) -> Sequence[QWidget]:
        return (self.plots, self.instruments.equation, self.instruments.algorithm)

    def bottom_widgets(self) -> Sequence[QWidget]:
        return (self.transport, self.instruments.recognition, self.strip)

    def ways(self) -> Sequence[Way]:
        from app.exports.ways import RunWay

        run = self.shown.run
        if run is None or run.state in UNMADE:
            return ()
        return (RunWay(self._bridge, run, self.state.cursor.step, self.view.cell),)

    def drop_verbs(self, mime: QMimeData) -> str:
        return "denoise it"

    def handle_drop(self, image: OpenedImage) -> None:
        super().handle_drop(image)
        self.pages.leave_sheet()
        self.controls.start.set_value("picture")
        self.controls.tabs.set_current(START)
        self.controls.more.set_open(True)

    def handle_classifier(self, path: Path, answers: Answers | None = None) -> bool:
        self.controls.tabs.set_current(GUIDANCE)
        self.controls.more.set_open(True)
        self.desk.open(path, answers)
        return True

    def activate(self) -> None:
        self.hint_changed.emit(HINT)
        self.shown.activate()
        if self.shown.run is None or self.pages.is_sheet:
            self._plan()
        self.transport.setFocus()

    def deactivate(self) -> None:
        self.shown.deactivate()
        self.readiness.forget()
        self.transport.stop()

    # Commands

    @Slot()
    def run(self) -> None:
        """Draw new samples with the settings of the controls, or a whole sheet; where the model is loading, then."""
        if self.readiness.must_wait(self.run) or not self.buttons.run.isEnabled():
            return
        with self.mementos.unasked():
            self.controls.seed.next()
        if self.pages.is_sheet:
            self.errors.dismiss()
            self._lend_picture(self._request())
            self.pages.render_sheet()
            self.shown.expected.update(self.sheet.jobs[:1])  # its slider and curves are those of its first row
            self._show_buttons()
        else:
            self._submit(self._request)

    @Slot()
    def branch(self) -> None:
        """Go on from the state shown with the settings of the controls; where a sample is enlarged, with it alone."""
        run, model = self.shown.run, self.state.model
        if run is not None and model is not None and self.buttons.branch.isEnabled():
            step, cell = self.state.cursor.step, self.view.cell
            job = self._submit(lambda: branch(run.sampling, step, self.controls.settings(), model, cell))
            if job is not None:
                self.branched.emit(job)

    @Slot()
    def stop(self) -> None:
        if self.pages.is_nearest:
            if not self.check.stop():
                self.pages.leave_sheet()
            return
        run = self._live()
        is_row = run is not None and run.job in self.sheet.jobs
        if self.sheet.is_busy and (is_row or self.pages.is_sheet):
            self.sheet.stop()
        elif run is not None:
            self._bridge.cancel(run.job)
        elif self.readiness.waits:
            self.readiness.forget()
        elif self.pages.is_sheet:
            self.pages.leave_sheet()
        elif self._goes_back and self.view.cell is not None:
            self.buttons.sheet.setChecked(True)
        else:
            self.view.enlarge(None)

    @Slot()
    def step(self) -> None:
        run = self._live()
        if run is not None:
            self.shown.follows = True
            self._bridge.step(run.job)

    def toggle(self) -> None:
        if self._live() is not None:
            self._pause_or_resume()
        else:
            self.transport.toggle_play()

    def seek(self, steps: int) -> None:
        self.shown.go(self.state.cursor.step + steps)

    @Slot()
    def _pause_or_resume(self) -> None:
        pause_or_resume(self._bridge, self._live())

    def _submit(self, make: Callable[[], SampleRequest]) -> int | None:
        try:
            request = make()
        except Refusal as refusal:
            self.errors.show_error(str(refusal), refusal.details)
            return None
        self.errors.dismiss()
        self._lend_picture(request)
        job = self._bridge.submit(request)
        self.shown.expected.add(job)
        self._show_buttons()
        return job

    def _lend_picture(self, request: SampleRequest) -> None:
        """The engine has to know the picture that a run begins from."""
        if isinstance(request.start, FromImage) and self.state.image is not None:
            self._bridge.add_image(self.state.image)

    def _request(self) -> SampleRequest:
        return resolve(self.controls.settings(), self._model(), self._picture())

    def _model(self) -> ModelInfo:
        if self.state.model is None:
            raise Refusal("No model is open. Open one on the left.")
        return self.state.model

    def _picture(self) -> ImageRef | None:
        image, conversion = self.state.image, self.state.conversion
        return ImageRef(image.sha256, conversion) if image is not None and conversion is not None else None

    def _settle(self) -> None:
        self.state.set_seed(self.controls.seed.seed())
        self.controls.settle()

    # What follows from settings, model and picture

    @Slot()
    def _plan(self) -> None:
        """Show the timesteps that these settings would visit, or why they cannot be had."""
        self._planned = None
        if self.state.model is None:
            return
        try:
            if not self.controls.classifier.awaited:
                self._planned = self._request()
                self.pages.plan_sheet(self.controls.settings(), self.state.model, self._picture())
        except Refusal as refusal:
            self._planned = None
            self.errors.show_error(str(refusal), refusal.details)
        else:
            self.errors.dismiss()
        if self._planned is not None:
            self.plots.set_timesteps(self._planned.timesteps)
            self.plots.set_band(self._planned.interval)
            if self.shown.run is None:
                self._show_plan(self._planned, self.state.model)
            self.hint_changed.emit(hint_of(self._planned, self.pages.is_sheet))
        self._show_buttons()

    def _show_plan(self, request: SampleRequest, model: ModelInfo) -> None:
        """While there is no run: its start, its path and its mathematics, ready to be walked."""
        start, path = first_state(request, model, self.state.image), path_of(request)
        if start is not None:
            self.view.show_start(*start, path[0].t)
        self.instruments.show_plan(request, path, None if start is None else start[0][0])

    @Slot()
    def _model_changed(self) -> None:
        model = self.state.model
        self.controls.set_model(model)
        if model is None:
            self.instruments.show_idea(self.state.schedule)
        else:
            self.plots.set_schedule(make_schedule(model.schedule))
        self._picture_changed()
        if self.shown.run is None:
            self.view.show_nothing("The model is being loaded." if model is None else "Press Denoise.")
        self._plan()

    @Slot()
    def _picture_changed(self) -> None:
        model = self.state.model if self.state.conversion is not None else None
        self.controls.conversion.set_picture(self.state.image, model)
        self.controls.conversion.set_conversion(self.state.conversion)
        if self.controls.start.value() == "picture":
            self._plan()

    @Slot()
    def _show_buttons(self) -> None:
        ready = self.readiness.is_ready
        run, live = self.shown.run, self._live()
        can_branch = run is not None and self.state.cursor.step < run.steps and self.state.cursor.step <= run.stored
        can_run = ready and self._planned is not None
        self.buttons.show(
            can_run=can_run or self.readiness.is_starting,
            can_branch=ready and can_branch,
            live=live,
            waits=self.pages.is_sheet and self.sheet.is_busy,
            why_not=self.check.why_not(run),
        )
        self.commands_changed.emit()
        if can_run:
            self.readiness.catch_up()

    @Slot(bool)
    def _show_waiting(self, waits: bool) -> None:
        self.hint_changed.emit(WAITING_HINT if waits else HINT)
        self.commands_changed.emit()

    # Runs

    @Slot(int, int)
    def _open_cell(self, job: int, sample: int) -> None:
        """The trajectory of a cell: its row's run, with that sample enlarged."""
        run = self.state.runs.get(job)
        if run is None:
            self.hint_changed.emit("This row was deleted from the history. Ctrl+Z brings it back.")
            return
        step = run.stored if self.sheet.step is None else min(self.sheet.step, run.stored)
        self.sheet.mark(job, sample)
        self.pages.leave_sheet()
        self.state.move(stage=self.key, run=job, step=step, t=int(run.path[step].t))
        self.view.enlarge(sample if len(run.sampling.samples) > 1 else None)
        self._goes_back = True
        self.hint_changed.emit(CELL_HINT)

    @Slot()
    def _turn_page(self) -> None:
        self._goes_back = False
        self._plan()
        self._follow_in_sheet()
        if self.pages.is_nearest and self.shown.run is not None:
            self.check.show(self.shown.run)

    @Slot()
    def _follow_in_sheet(self) -> None:
        """The rows of the sheet show the state that the cursor is on, where it is on one of them."""
        run = self.shown.run
        if self.pages.is_sheet and run is not None and run.job in self.sheet.jobs:
            self.sheet.show_state(self.state.cursor.step)

    @Slot()
    def _leave_foreign_sheet(self) -> None:
        """The slider of a run that is no row of the sheet is about that run."""
        run = self.shown.run
        if run is None or run.job not in self.sheet.jobs:
            self.pages.leave_sheet()

    def _live(self) -> Run | None:
        """The run that Pause, Step and Stop are about: the one looked at if it is under way, else the engine's."""
        looked_at = self.shown.run
        return live_run(self.state, (None if looked_at is None else looked_at.job, self.state.status.job))

    @Slot(int)
    def _turned(self, job: int) -> None:
        """Another run is shown; where it was not asked for just now, its settings are."""
        request = self.state.runs[job].sampling
        if job not in self.shown.expected:
            self.pages.leave_sheet()  # for what was chosen in the history
            self.controls.set_settings(settings_of(request, self.state.classifiers, self.state.model))
        self._planned = request
        if self.pages.is_nearest:
            self.pages.leave_sheet()

    def restore_run(self, job: int) -> None:
        if self.shown.is_own(job):
            self._turned(job)

    @Slot(object)
    def _receive(self, message: object) -> None:
        self.shown.receive(message)
        self.sheet.receive(message)
        if isinstance(message, Failed):
            job = message.job
            is_own = job in self.shown.expected or job in self.sheet.jobs or self.shown.is_own(job)
            if is_own or (job is None and self.shown.active):
                self.readiness.forget()
                self.errors.show_error(message.message, message.details)
