"""Forward: a picture on its way into noise, in closed form, and what a network sees on the way."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QMimeData, Slot
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.formulas import ALGORITHM_1, FORWARD
from app.mementos import Entry, entry_of
from app.stages.base import Stage
from app.stages.forward_controls import NO_GHOST, ForwardControls
from app.stages.forward_pictures import ForwardPictures
from app.stages.forward_scene import ForwardScene, noise_request, schedule_named, snr_words
from app.stages.forward_strips import ForwardStrips
from app.stages.network_eye import NetworkEye
from app.state import AppState, Cursor
from app.theme import GRID, PANEL_PADDING, font
from app.widgets.algorithm import Algorithm
from app.widgets.controls import label
from app.widgets.equation import Equation
from app.widgets.histogram import Histogram
from app.widgets.pictures import PicturePane
from app.widgets.schedule_plots import SchedulePlots
from app.widgets.transport import Transport
from core.codec import from_json, to_json
from core.errors import Refusal
from core.messages import Failed
from core.recipe import Quantity, Recipe, Shown
from core.requests import ScheduleSpec
from core.schedules import Schedule, make_schedule

if TYPE_CHECKING:
    from app.bridge import Bridge
    from app.exports.ways import Way

HINT = "Drag the slider, or drop a picture of your own."
ZERO_HINT = "Nothing is left at the last t: a network must predict v, x₀ or the mean there, not ε."


class ForwardStage(Stage):
    """Works with no model and before the engine is there. Everything shown follows ``state.cursor.t``."""

    key = "forward"
    title = "Forward"

    def __init__(self, state: AppState, bridge: Bridge, parent: QWidget | None = None) -> None:
        super().__init__(state, parent)
        self._bridge = bridge
        self._schedule: Schedule = make_schedule(state.schedule)
        self._ghost: Schedule | None = None
        self._normalised = False
        self._scene: ForwardScene | None = None
        self._active = False
        self._last_t = 0
        self._followed: int | None = None

        self.controls = ForwardControls()
        self.eye = NetworkEye(state, bridge, self)
        self.x_0 = PicturePane("x_0", "x_0")
        self.x_t = PicturePane("x_t", "x_t")
        self.eps = PicturePane("eps", r"\epsilon")
        self.pictures = ForwardPictures(self.x_0, self.x_t, self.eps, (self.eye.x0_hat, self.eye.score))
        self.plots = SchedulePlots()
        self.equation = Equation()
        self.snr = label("", "quiet")
        self.algorithm = Algorithm()
        self.histogram = Histogram()
        self.transport = Transport()
        self.strips = ForwardStrips(self)
        self._lay_out()
        self._connect()
        self.controls.set_seed(state.seed)
        self._set_schedule(state.schedule)
        self.remember(self._entries())

    def _entries(self) -> dict[str, Entry]:
        """Of the schedule all controls together say one thing."""
        controls, eye = self.controls, self.eye
        schedule = Entry(
            "Schedule",
            lambda: to_json(self.state.schedule),
            self._recall_schedule,
            (self.state.schedule_changed,),
            is_gradual=True,
        )
        shown = {name: entry_of(getattr(controls, name)) for name in ("ghost", "mapping", "more")}
        asked = {name: entry_of(getattr(eye, name)) for name in ("label", "guidance", "section")}
        return {"schedule": schedule, **shown, "seed": entry_of(controls.seed, is_shared=True), **asked}

    def _recall_schedule(self, spec: object) -> None:
        try:
            read = from_json(ScheduleSpec, spec)
            make_schedule(read)
        except Refusal as refusal:
            raise ValueError(str(refusal)) from refusal
        self.state.set_schedule(read)

    def _lay_out(self) -> None:
        column = QVBoxLayout(self.content)
        column.setContentsMargins(PANEL_PADDING, GRID, PANEL_PADDING, GRID)
        column.setSpacing(GRID)
        column.addWidget(self.controls)
        column.addWidget(self.pictures, 1)
        column.addWidget(self.eye.section)
        self.x_0.setToolTip("The picture itself, as numbers from −1 (black) to 1 (white)")
        self.x_t.setToolTip("x_t = √ᾱ_t x₀ + √(1 − ᾱ_t) ε: the picture with noise (DDPM, eq. 4)")
        self.eps.setToolTip("The noise ε ∼ N(0, I), the same for every t")
        self.x_t.set_placeholder("Drop a picture here, or choose one on the left.")
        self.snr.setFont(font("body", numbers=True))
        self.snr.setToolTip(
            "Signal-to-noise ratio ᾱ_t / (1 − ᾱ_t) (Kingma et al. 2021), plain, in decibels, as logarithm"
        )
        self.snr.setAccessibleName("Signal-to-noise ratio")
        self.algorithm.set_algorithm(*ALGORITHM_1)
        self.equation.setToolTip(FORWARD.paper)

    def _connect(self) -> None:
        self.controls.schedule_chosen.connect(self._choose_schedule)
        self.controls.ghost_chosen.connect(self._choose_ghost)
        self.controls.normalised_changed.connect(self._normalise)
        self.controls.seed_changed.connect(self.state.set_seed)
        self.controls.more.open_changed.connect(self._fold_network)
        self.eye.section.open_changed.connect(self._fold_more)
        self.plots.points_edited.connect(self._draw)
        self.plots.t_dragged.connect(self._go)
        self.transport.position_requested.connect(self._go)
        self.strips.chosen.connect(self._go_to_frame)
        self.eye.shown.connect(self._seen)
        self.eye.changed.connect(self._look)
        self._bridge.message.connect(self._receive)
        self.state.image_changed.connect(self._new_scene)
        self.state.seed_changed.connect(self._new_seed)
        self.state.schedule_changed.connect(self._set_schedule)
        self.state.conversion_changed.connect(self._new_background)
        self.state.cursor_changed.connect(self._follow)

    # What the window asks

    @property
    def subject(self) -> str:
        return "" if self.state.image is None else Path(self.state.image.name).stem

    def right_widgets(self) -> Sequence[QWidget]:
        return (self.plots, self.equation, self.snr, self.histogram, self.algorithm)

    def bottom_widgets(self) -> Sequence[QWidget]:
        return (self.transport, self.strips.strip, self.strips.ghost)

    def ways(self) -> Sequence[Way]:
        from app.exports.ways import ForwardWay

        image, scene, state = self.state.image, self._scene, self.state
        if image is None or scene is None:
            return ()
        t = min(max(0, state.cursor.t), self._schedule.T - 1)
        return (ForwardWay(image, scene, t, state.seed, self._normalised),)

    def drop_verbs(self, mime: QMimeData) -> str:
        return "noise it"

    def activate(self) -> None:
        self._active = True
        self.hint_changed.emit(HINT)
        if self.state.cursor.t < 0:  # the end of a run
            self._go(self._last_t)
        self._show()
        self.transport.setFocus()

    def deactivate(self) -> None:
        self._active = False
        self._last_t = self.state.cursor.t
        self.transport.stop()

    def toggle(self) -> None:
        self.transport.toggle_play()

    def seek(self, steps: int) -> None:
        self._go(self.state.cursor.t + steps)

    # What the person chooses

    @Slot(object)
    def _choose_schedule(self, spec: ScheduleSpec) -> None:
        try:
            schedule = make_schedule(spec)
        except Refusal as refusal:
            self.errors.show_error(str(refusal), refusal.details)
            self.controls.set_spec(self.state.schedule)
            return
        self.errors.dismiss()
        self.hint_changed.emit(ZERO_HINT if spec.zero_snr else HINT)
        t = round(self.state.cursor.t * (schedule.T - 1) / max(1, self._schedule.T - 1))
        self.state.set_schedule(spec)
        self._go(t)

    @Slot(tuple)
    def _draw(self, points: tuple[tuple[float, float], ...]) -> None:
        self._choose_schedule(ScheduleSpec("drawn", self._schedule.T, points=tuple(points)))

    @Slot(str)
    def _choose_ghost(self, name: str) -> None:
        try:
            spec = None if name == NO_GHOST else schedule_named(name, ScheduleSpec(T=self._schedule.T))
            self._ghost = None if spec is None else make_schedule(spec)
        except Refusal as refusal:
            self.errors.show_error(str(refusal), refusal.details)
            self._ghost = None
        self._show_schedule()
        self._fill_strips()

    @Slot(bool)
    def _normalise(self, normalised: bool) -> None:
        self._normalised = normalised
        self._show_x_t()

    @Slot(int)
    def _go(self, t: int) -> None:
        self.state.move(t=min(max(0, t), self._schedule.T - 1))

    @Slot(int)
    def _go_to_frame(self, t: int) -> None:
        self._go(t)
        self.transport.setFocus()

    # One section open at a time leaves the pictures their room.

    @Slot(bool)
    def _fold_network(self, more_is_open: bool) -> None:
        if more_is_open:
            self.eye.section.set_open(False)

    @Slot(bool)
    def _fold_more(self, network_is_open: bool) -> None:
        if network_is_open:
            self.controls.more.set_open(False)

    # What follows from it

    @Slot(object)
    def _set_schedule(self, spec: ScheduleSpec) -> None:
        self._schedule = make_schedule(spec)
        self.controls.set_spec(spec)
        self.transport.set_positions(range(self._schedule.T))
        self._choose_ghost(self.controls.ghost.value())
        self._new_scene()

    @Slot()
    def _new_scene(self) -> None:
        """Another picture, noise or schedule."""
        image = self.state.image
        if image is None:
            self._scene = None
            for pane in (self.x_0, self.x_t, self.eps):
                pane.set_pictures(None)
            self._fill_strips()
            return
        background = self.state.conversion.background if self.state.conversion else (255, 255, 255)
        self._scene = scene = ForwardScene(image.pixels, self._schedule, self.state.seed, background)
        height, width = scene.size
        self.pictures.set_shape(height, width)
        scaled = ", scaled" if scene.scaled else ""
        x0 = scene.forward.x0
        self.x_0.set_pictures(scene.x0, x0[None], (float(x0.min()), float(x0.max())))
        self.x_0.set_caption(f"{width} × {height}{scaled}")
        self.x_0.set_names([image.name], (f"scaled to {width} × {height}",) if scaled else ())
        self.eps.set_signed(scene.eps)
        self.eps.set_caption(f"seed {self.state.seed}")
        self.eps.set_names([f"ε, seed {self.state.seed}"], (), self._recipe("eps", 0))
        self.algorithm.light(2)
        self._fill_strips()
        self._show()

    @Slot(int)
    def _new_seed(self, seed: int) -> None:
        self.controls.set_seed(seed)
        self._new_scene()
        self.algorithm.light(4)

    @Slot(object)
    def _new_background(self, _conversion: object) -> None:
        if self.state.image is not None and self.state.image.pixels.shape[2] == 4:
            self._new_scene()

    def _fill_strips(self) -> None:
        self.strips.fill(self._scene, self._schedule, self._ghost)
        self.strips.mark(self.state.cursor.t)

    def _show_schedule(self) -> None:
        spec = self.state.schedule
        self.plots.set_schedule(self._schedule, self._ghost)
        self.plots.set_editable(spec.points if spec.name == "drawn" else None)
        self.plots.set_cursor(self.state.cursor.t)

    @Slot(object)
    def _follow(self, cursor: Cursor) -> None:
        if cursor.t != self._followed:
            self._show()

    def _show(self) -> None:
        """Everything that depends on t."""
        if not self._active:
            return
        self._followed = self.state.cursor.t
        t = min(max(0, self._followed), self._schedule.T - 1)
        level = self._schedule.level(t)
        self.transport.set_position(t)
        self.plots.set_cursor(t)
        self.equation.set_formula(FORWARD.latex, {"alpha": level.alpha, "sigma": level.sigma})
        self.snr.setText(snr_words(level))
        self.strips.mark(t)
        self._show_x_t()
        self._look()

    def _recipe(self, quantity: Quantity, t: int) -> Recipe | None:
        """How what a pane shows is made again."""
        image, scene = self.state.image, self._scene
        if image is None or scene is None:
            return None
        request = noise_request(image, scene, self.state.schedule, t, self.state.seed)
        return Recipe(request, Shown(quantity, normalised=self._normalised and quantity == "x_t"))

    def _show_x_t(self) -> None:
        if self._scene is None:
            return
        t = min(max(0, self.state.cursor.t), self._schedule.T - 1)
        shown = self._scene.x_t(t, self._normalised)
        self.x_t.set_pictures(shown.picture, shown.values, shown.value_range)
        self.x_t.set_caption(f"t = {t}, {shown.mapping}")
        named = f"{self.x_0.name(0)}, t = {t}"
        self.x_t.set_names([named], (*self.x_0.notes, shown.mapping), self._recipe("x_t", t))
        self.histogram.set_values(shown.values, "x_t")

    # The network

    @Slot()
    def _look(self) -> None:
        if self._active:
            self.algorithm.light(5 if not self.eye.fits() else 3)
            self.eye.look(min(max(0, self.state.cursor.t), self._schedule.T - 1), self._schedule)

    @Slot(int)
    def _seen(self, t: int) -> None:
        self.transport.set_shown(t)
        self.state.move(shown_t=t)

    @Slot(object)
    def _receive(self, message: object) -> None:
        self.eye.receive(message)
        if isinstance(message, Failed) and message.job is None and self._active:
            self.errors.show_error(message.message, message.details)
