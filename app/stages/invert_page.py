"""The page of Invert: its controls, what they come to, and what is shown of the run that the cursor is on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QBoxLayout, QVBoxLayout, QWidget

from app.stages.base import Stage
from app.stages.invert_controls import InvertControls
from app.stages.invert_display import InvertDisplay
from app.stages.invert_instruments import InvertButtons
from app.stages.invert_plan import InvertPlan
from app.stages.invert_record import InvertRecord
from app.stages.invert_scene import Scene, scene_of
from app.stages.invert_settings import EACH, settings_of
from app.stages.round_trips import RoundTrips
from app.state import UNMADE, AppState, Cursor, Run, stage_of
from app.theme import GRID, PANEL_PADDING
from core.errors import Refusal
from core.images import OpenedImage
from core.requests import InvertRequest, SampleRequest

if TYPE_CHECKING:
    from app.bridge import Bridge
    from app.exports.ways import Way

HINT = "Ctrl+Enter inverts, Space plays, Esc stops; drag the slider up to the latent and down again."
BACK_HINT = "Choose another label or w and Regenerate: the same latent as something else. Measure draws the curve."
EDIT_HINT = "Choose how far to noise the picture: the less, the more of it stays. Ctrl+Enter denoises it."


class InvertPage(Stage):
    """What is shown is the run and step of ``state.cursor``, either way of an inversion with both; without a run the
    window's picture, ready.

    Signals: ``looked()`` after something else is shown or planned.
    """

    looked = Signal()

    def __init__(self, state: AppState, bridge: Bridge, parent: QWidget | None = None) -> None:
        super().__init__(state, parent)
        self._bridge = bridge
        self._active = self._is_made = False
        self._follows = True
        """Whether the cursor goes along with a run that is under way, until the person goes back in it."""
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
        self._is_made = True

    def _lay_out(self) -> None:
        beside, buttons = self.controls.more.add_beside, self.buttons
        beside(buttons.run, 2)
        for button in (buttons.regenerate, buttons.measure, buttons.pause, buttons.stop):
            beside(button)
        column = QVBoxLayout(self.content)
        column.setContentsMargins(PANEL_PADDING, GRID, PANEL_PADDING, 0)
        column.setSpacing(GRID)
        column.addWidget(self.controls)
        self._body = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._body.setSpacing(2 * GRID)
        self._body.addWidget(self.view, 1)
        self._body.addWidget(self.evidence)
        column.addLayout(self._body, 1)

    def _connect(self) -> None:
        self.controls.changed.connect(self._take_settings)
        self.controls.seed_changed.connect(self.state.set_seed)
        self.controls.conversion.conversion_changed.connect(self.state.set_conversion)
        self.controls.more.open_changed.connect(self.evidence.set_brief)  # pictures keep their size
        self.evidence.stands_beside.connect(self._turn)
        self.transport.position_requested.connect(self._go)
        self.instruments.strip.frame_clicked.connect(self._go)
        self.plots.t_dragged.connect(self._go_to_time)
        self.evidence.curve.point_clicked.connect(self._look_at)
        self.state.cursor_changed.connect(self._follow)
        self.state.model_changed.connect(self._model_changed)
        self.state.seed_changed.connect(self.controls.seed.set_seed)
        self.state.image_changed.connect(self._picture_changed)
        self.state.conversion_changed.connect(self._picture_changed)

    def right_widgets(self) -> Sequence[QWidget]:
        return (self.plots, self.instruments.equation, self.instruments.algorithm, self.instruments.misses)

    def bottom_widgets(self) -> Sequence[QWidget]:
        return (self.transport, self.instruments.strip)

    def ways(self) -> Sequence[Way]:
        from app.exports.round_trip import RoundTrip, fits
        from app.exports.ways import RunWay

        run, scene = self._run(), self.display.scene
        if run is None or run.state in UNMADE:
            return ()
        alone = RunWay(self._bridge, run, self.state.cursor.step, self.view.cell)
        up, down = (None, None) if scene is None else (scene.walk.up_run, scene.walk.down_run)
        if scene is None or up is None or down is None or not fits(up, down):
            return (alone,)
        position = scene.walk.position(run.job, self.state.cursor.step)
        return (RoundTrip(self._bridge, up, down, position, self.view.cell), alone)

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
        self.transport.stop()

    def seek(self, steps: int) -> None:
        self._go(self.transport.position + steps)

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
        if self._active:
            self.hint_changed.emit(hint)
        if run is None:
            self._show()
        elif inverts == (run.job in self._edits) or (not inverts and run.request != self._planned):
            self._leave_run()
        self.looked.emit()

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
        run = self._run()
        is_left = self._active or run is None or run.job not in self._edits  # Denoise shows those of SDEdit as well
        if run is not None and is_left and self._is_made:  # a stage that is made for a run stays on it
            self.state.move(run=None, step=0)
        self.plan.scene = None

    def restore_run(self, job: int) -> None:
        if self._is_own(job):
            self._settled = None
            self._show()

    # What follows from the cursor

    def _run(self) -> Run | None:
        """The run looked at, if it is one of this stage's."""
        job = self.state.cursor.run
        return self.state.runs[job] if job is not None and self._is_own(job) else None

    def _is_own(self, job: int | None) -> bool:
        run = None if job is None else self.state.runs.get(job)
        return run is not None and (stage_of(run.request) == self.key or job in self._edits)

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
        self.looked.emit()

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
        if run.state in UNMADE:
            own = self.plan.converted() if scene.picture == self.plan.own_picture() else None
            self.view.show_meanwhile(own, self.state.thumbnails.get(run.job))

    def _look(self, run: Run) -> Scene:
        self.plan.scene = scene_of(run, self.state.runs, self._ways)
        return self.plan.scene

    @Slot(bool)
    def _turn(self, beside: bool) -> None:
        turned = QBoxLayout.Direction.LeftToRight if beside else QBoxLayout.Direction.TopToBottom
        self._body.setDirection(turned)
        self._body.setSpacing(2 * GRID if beside else GRID)
