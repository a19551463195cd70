"""Morph: from picture to picture by way of their latents; every frame can be followed down from its noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QMimeData, QObject, Qt, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from app.stages.base import Stage
from app.stages.morph_controls import MorphControls
from app.stages.morph_ends import MorphEnds
from app.stages.morph_exporter import MorphExporter
from app.stages.morph_instruments import MorphButtons
from app.stages.morph_maths import Geometry, mixed_pixels, planned_latents
from app.stages.morph_record import Record
from app.stages.morph_screen import MorphScreen
from app.stages.morph_settings import NAMES, PicturePoint, converted, resolve, resolve_rows, settings_of
from app.stages.morph_sheet import Rows
from app.stages.readiness import WAITING_HINT, Readiness, live_run, pause_or_resume
from app.state import AppState, Run
from app.theme import GRID, PANEL_PADDING
from core.errors import Refusal
from core.images import OpenedImage
from core.messages import Failed
from core.requests import MorphRequest

if TYPE_CHECKING:
    from app.bridge import Bridge
    from app.exports.ways import Way

HINT = "Drag pictures onto the cards. Ctrl+Enter morphs, Space plays, ← → follow the frames, ↑ ↓ one frame’s way down."


class MorphStage(Stage):
    """Morphs with the open model. What is shown is the run, frame and step of ``state.cursor``."""

    key = "morph"
    title = "Morph"

    def __init__(self, state: AppState, bridge: Bridge, parent: QWidget | None = None) -> None:
        super().__init__(state, parent)
        self._bridge = bridge
        self._plan: Record | None = None
        self._asked_here: set[int] = set()
        self.readiness = Readiness(state, self)
        self.ends = MorphEnds(state, bridge, self)
        self.controls = MorphControls()
        self.buttons = MorphButtons()
        self.shown = screen = MorphScreen(state, bridge, self)
        self.exporter = MorphExporter(screen, bridge, self)
        self.view, self.instruments = screen.view, screen.instruments
        self.transport, self.strip = screen.instruments.transport, screen.instruments.strip
        self._lay_out()
        self._connect()
        self.controls.seed.set_seed(state.seed)
        self._model_changed()
        self._show_buttons()
        self.remember({"ends": self.ends.entry(), **self.controls.entries()}, self._settle)

    def _lay_out(self) -> None:
        beside, buttons = self.controls.more.add_beside, self.buttons
        beside(buttons.run, 2)
        for button in (buttons.pause, buttons.stop, buttons.export):
            beside(button)
        column = QVBoxLayout(self.content)
        column.setContentsMargins(PANEL_PADDING, GRID, PANEL_PADDING, GRID)
        column.setSpacing(GRID)
        column.addWidget(self.ends.cards)
        column.addWidget(self.controls)
        column.addWidget(self.view, 1)
        for widget in (self.transport.rail, self.strip):
            widget.installEventFilter(self)

    def _connect(self) -> None:
        self.buttons.run.clicked.connect(self.run)
        self.buttons.pause.clicked.connect(self._pause_or_resume)
        self.buttons.stop.clicked.connect(self.stop)
        self.buttons.export.clicked.connect(self._offer_export)
        self.readiness.waiting_changed.connect(self._show_waiting)
        self.exporter.written.connect(self.hint_changed)
        self.exporter.failed.connect(self.errors.show_error)
        self.ends.changed.connect(self._ends_changed)
        self.ends.failed.connect(self.errors.show_error)
        self.controls.changed.connect(self._plan_anew)
        self.controls.seed.seed_changed.connect(self.state.set_seed)
        self.state.seed_changed.connect(self.controls.seed.set_seed)
        self.controls.conversion.conversion_changed.connect(self.state.set_conversion)
        self.state.image_changed.connect(self._show_conversion)
        self.state.conversion_changed.connect(self._show_conversion)
        self.shown.turned.connect(self._turned)
        self.shown.moved.connect(self._show_buttons)
        self.shown.emptied.connect(self._plan_anew)
        self.shown.finished.connect(self.ends.show_frame)
        self._bridge.message.connect(self._receive)
        self.state.status_changed.connect(self._show_buttons)
        self.state.model_changed.connect(self._model_changed)

    # What the window asks

    @property
    def primary_action(self) -> QPushButton:
        return self.buttons.run

    @property
    def commands(self) -> frozenset[str]:
        can_stop = self.buttons.stop.isEnabled() or self.readiness.waits
        return frozenset({"toggle", "stop"} if can_stop else {"toggle"})

    def right_widgets(self) -> Sequence[QWidget]:
        beside = self.instruments
        return (beside.norms, beside.equation, beside.reading, beside.algorithm, beside.plots)

    def bottom_widgets(self) -> Sequence[QWidget]:
        return (self.transport, self.strip)

    def ways(self) -> Sequence[Way]:
        from app.exports.ways import MorphWay, RunWay

        run, record, cursor = self.shown.run, self.shown.record, self.state.cursor
        if run is None or record is None or not record.finished:
            return ()
        frames = sorted(record.finished)
        along: tuple[Way, ...] = (MorphWay(self._bridge, run, cursor.frame, record.names, frames),)
        if cursor.frame in record.finished:
            along += (RunWay(self._bridge, run, cursor.step, frame=cursor.frame),)
        return along

    def drop_verbs(self, mime: QMimeData) -> str:
        place = self.ends.place_under_pointer()
        return f"end point {NAMES[self.ends.next_place() if place is None else place]}"

    def handle_drop(self, image: OpenedImage) -> None:
        super().handle_drop(image)
        self.ends.put_picture(image)

    def activate(self) -> None:
        self.hint_changed.emit(HINT)
        self.shown.activate()
        if self.shown.run is None:
            self._plan_anew()
        self.transport.setFocus()

    def deactivate(self) -> None:
        self.readiness.forget()
        self.shown.deactivate()

    # Commands

    @Slot()
    def run(self) -> None:
        """Make the frames between the end points with the settings shown; where the model is still loading, then."""
        if self.readiness.must_wait(self.run) or not self.buttons.run.isEnabled():
            return
        try:
            requests = self._requests()
        except Refusal as refusal:
            self.errors.show_error(str(refusal), refusal.details)
            return
        self.errors.dismiss()
        self.hint_changed.emit(HINT)
        for image in self.ends.images():
            self._bridge.add_image(image)
        plans = {self._bridge.submit(request): self._plan_of(request) for request in requests}
        self._asked_here.update(plans)
        self.shown.expect(plans, self._rows(tuple(plans), requests) if self.controls.is_sheet else None)
        self._show_buttons()

    @Slot()
    def stop(self) -> None:
        """Stop what runs, and what waits to run."""
        self.readiness.forget()
        live = self._live()
        for job in (*reversed(self.shown.expected), *((live.job,) if live is not None else ())):
            self._bridge.cancel(job)
        self.shown.expected.clear()
        self._show_buttons()

    def toggle(self) -> None:
        self.transport.toggle_play()

    def seek(self, steps: int) -> None:
        self.shown.go_to_place(self.transport.position + steps)

    @Slot()
    def _pause_or_resume(self) -> None:
        pause_or_resume(self._bridge, self._live())

    @Slot()
    def _offer_export(self) -> None:
        self.exporter.menu.open_at(self.buttons.export)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Up and Down belong to the frame's own way down, wherever the focus is among the frames."""
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent) and self._steps_by(event):
            return True
        return super().eventFilter(watched, event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not self._steps_by(event):
            super().keyPressEvent(event)

    def _steps_by(self, event: QKeyEvent) -> bool:
        is_mine = event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down)
        if is_mine:
            self.view.descent.keyPressEvent(event)
        return is_mine

    # What follows from settings, end points and model

    def _requests(self) -> tuple[MorphRequest, ...]:
        model, settings, ends = self.state.model, self.controls.settings(), self.ends.points
        if model is None:
            raise Refusal("No model is open. Open one on the left.")
        return resolve_rows(settings, ends, model) if self.controls.is_sheet else (resolve(settings, ends, model),)

    def _plan_of(self, request: MorphRequest) -> Record:
        """The request on paper, with the latents that are known without the network."""
        assert self.state.model is not None
        latents = planned_latents(request, self.ends.points, self.state.model)
        known = [latent for latent in latents if latent is not None]
        return Record(request, Geometry.of(known) if len(known) == len(latents) else None)

    def _rows(self, jobs: tuple[int, ...], requests: Sequence[MorphRequest]) -> Rows:
        sources = [point.source for point in self.ends.points]
        pictures = [converted(source) for source in sources if isinstance(source, PicturePoint)]
        times = tuple(request.timesteps[0] for request in requests)
        return Rows(jobs, times, mixed_pixels(requests[0], pictures))

    @Slot()
    def _plan_anew(self) -> None:
        """Show what these settings would make, or why they cannot be had."""
        if self.state.model is None:
            return
        try:
            self._plan = self._plan_of(self._requests()[0])
        except Refusal as refusal:
            self._plan = None
            self.errors.show_error(str(refusal), refusal.details)
        else:
            self.errors.dismiss()
            if self.shown.run is None:
                self._show_plan(self._plan)
        self._show_buttons()

    def _show_plan(self, plan: Record) -> None:
        names = ", ".join(NAMES[: len(self.ends.points)])
        self.shown.show_plan(plan, self.ends.portraits(), f"{names}: press Morph for what lies between")

    @Slot()
    def _ends_changed(self) -> None:
        self.controls.set_ends(len(self.ends.points), self.ends.pictures)
        self._show_conversion()
        self._plan_anew()

    def _settle(self) -> None:
        self.state.set_seed(self.controls.seed.seed())
        self.controls.set_ends(len(self.ends.points), self.ends.pictures)
        self._show_conversion()
        self.controls.settle()

    @Slot()
    def _show_conversion(self) -> None:
        """How the window's picture meets the network, where it is one of the end points."""
        image, box = self.state.image, self.controls.conversion
        is_used = image is not None and any(image.sha256 == other.sha256 for other in self.ends.images())
        model = self.state.model if self.state.conversion is not None and is_used else None
        box.setVisible(model is not None)
        box.set_picture(image if is_used else None, model)
        box.set_conversion(self.state.conversion if is_used else None)

    @Slot()
    def _model_changed(self) -> None:
        self.controls.set_model(self.state.model)
        self.ends.set_model(self.state.model)
        if self.state.model is None:
            self.view.show_ends(None, "", "The model is being loaded.")
            self._show_buttons()
        else:
            self._ends_changed()

    @Slot(int)
    def _turned(self, job: int) -> None:
        """Another morph is looked at: its settings and end points, where it was not asked for just now."""
        request = self.state.runs[job].request
        if job in self._asked_here:
            self._asked_here.discard(job)
        elif isinstance(request, MorphRequest):
            settings = settings_of(request, self.controls.settings())
            self.controls.set_settings(settings, is_sheet=self.shown.rows is not None)
            self.ends.restore(request)
            self.controls.set_ends(len(self.ends.points), self.ends.pictures)

    def restore_run(self, job: int) -> None:
        if job in self.state.runs:
            self._turned(job)

    @Slot()
    def _show_buttons(self) -> None:
        record, can_run = self.shown.record, self.readiness.is_ready and self._plan is not None
        self.buttons.show(
            can_run=can_run or self.readiness.is_starting,
            can_export=record is not None and bool(record.finished),
            waits=bool(self.shown.expected),
            live=self._live(),
        )
        self.commands_changed.emit()
        if can_run:
            self.readiness.catch_up()

    @Slot(bool)
    def _show_waiting(self, waits: bool) -> None:
        self.hint_changed.emit(WAITING_HINT if waits else HINT)
        self.commands_changed.emit()

    def _live(self) -> Run | None:
        """The morph that Pause and Stop are about: the one looked at if it is under way, else the engine's."""
        looked_at = self.shown.run
        jobs = (None if looked_at is None else looked_at.job, self.state.status.job)
        return live_run(self.state, jobs, MorphRequest)

    @Slot(object)
    def _receive(self, message: object) -> None:
        if isinstance(message, Failed) and (self.shown.active or message.job in self._asked_here):
            self.errors.show_error(message.message, message.details)
