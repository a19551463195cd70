"""What a training draws from fixed seeds, gone through along two times: that of training and that of diffusion."""

from __future__ import annotations

from functools import lru_cache

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.stages.train_course import Course
from app.stages.train_map import LearningMap
from app.stages.train_moments import (
    DATA,
    Kind,
    as_one,
    has_moment,
    longest_way,
    pictures_at,
    place_of,
    step_words,
    time_words,
)
from app.stages.train_sample_controls import SampleControls
from app.stages.train_sample_recipe import recipe_of
from app.theme import GRID
from app.widgets.controls import label
from app.widgets.descent import Descent
from app.widgets.picture_pane import PicturePane
from core.messages import Picture
from core.requests import ScheduleSpec
from core.schedules import Schedule, make_schedule
from core.training.events import Drawn

QUANTITIES: dict[Kind, tuple[str, str]] = {"x0_hat": ("x0_hat", r"\hat{x}_0"), "x_t": ("x_t", "x_t")}
WAY = (
    "Diffusion time: from noise above (t = T) to the finished samples below, the way that each of them was drawn\n"
    "(↑ ↓ or the wheel; DDIM, Song et al. 2021, eq. 12). The film below moves in training time (← →)."
)
NO_WAY = "The way to these samples was not kept: only what they became. Later samples have theirs."


class SamplesPage(QWidget):
    """A click on a sample enlarges it and lays out its map of both times; another brings the others back.

    Attributes: ``course`` and ``index``, whose samples and which set of them; ``cell``, the enlarged sample or None;
    ``t``, the moment of diffusion time asked for, ``DATA`` for finished samples; ``controls``, to stand where the page
    is named. Signals: ``changed()`` when the same moments of training show other pictures; ``cell_changed()``;
    ``moment_asked(int)``, another moment of training.
    """

    changed = Signal()
    cell_changed = Signal()
    moment_asked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.cell: int | None = None
        self.t = DATA
        self.course: Course | None = None
        self.index: int | None = None
        self._mapped: object = None
        self.controls = SampleControls()
        self.pane = PicturePane("x_0", "x_0")
        self.descent = Descent()
        self.descent.setAccessibleName("Diffusion time of the samples")
        self.axis = label("diffusion", "caption")
        self.axis.setToolTip(WAY)
        self._beside = QWidget()
        beside = QVBoxLayout(self._beside)
        beside.setContentsMargins(0, 0, 0, 0)
        beside.setSpacing(GRID // 2)
        beside.addWidget(self.axis)
        beside.addWidget(self.descent, 1)
        self.map = LearningMap()
        self.map_axes = label("training →, in steps      ↓ diffusion, t", "caption")
        self._whole = QWidget()
        whole = QVBoxLayout(self._whole)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(GRID // 2)
        whole.addWidget(self.map_axes)
        whole.addWidget(self.map, 1)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID)
        row.addWidget(self.pane, 1)
        row.addWidget(self._beside)
        row.addWidget(self._whole, 1)
        self.pane.cell_clicked.connect(self._clicked)
        self.descent.asked.connect(self._place_asked)
        self.map.moment_asked.connect(self._asked)
        self.controls.kind.value_changed.connect(self._kind_changed)
        self._paint()

    # What is looked at

    @property
    def drawn(self) -> Drawn | None:
        """The set that is shown."""
        return None if self.course is None or self.index is None else self.course.samples[self.index]

    @property
    def kind(self) -> Kind:
        """What is shown of the way: the network's guess x̂₀, or the state x_t."""
        return "x_t" if self.controls.kind.value() == "x_t" else "x0_hat"

    def show_moment(self, course: Course, index: int | None) -> None:
        """The samples of one moment of training; None: there are none yet."""
        self.course, self.index = course, index
        self._paint()

    def step_in_diffusion(self, event: QKeyEvent) -> None:
        """What a key that was pressed elsewhere means to the upright slider."""
        if self.descent.isEnabled():
            self.descent.keyPressEvent(event)

    def look_at_time(self, t: int) -> None:
        """Another moment of diffusion time."""
        if t != self.t:
            self.t = t
            self._paint()
            self.changed.emit()

    def enlarge(self, cell: int | None) -> None:
        """Show one sample alone and its map, or all of them."""
        if cell != self.cell:
            self.cell = cell
            self.pane.fit()
            self._paint()
            self.cell_changed.emit()
            self.changed.emit()

    def picture(self, drawn: Drawn) -> Picture | None:
        """The enlarged (or first) sample of a set at the diffusion time looked at, uint8 (H, W, C)."""
        pictures, cell = pictures_at(drawn, self.t, self.kind), self.cell or 0
        return pictures[cell] if cell < len(pictures) else None

    # What the person does

    @Slot(int)
    def _clicked(self, cell: int) -> None:
        drawn = self.drawn
        if drawn is not None and len(drawn.pictures) > 1:
            self.enlarge(cell if self.cell is None else None)

    @Slot(int)
    def _place_asked(self, place: int) -> None:
        self.look_at_time(self.descent.times[place])

    @Slot(int, int)
    def _asked(self, index: int, t: int) -> None:
        self.look_at_time(t)
        if index != self.index:
            self.moment_asked.emit(index)

    @Slot()
    def _kind_changed(self) -> None:
        self._paint()
        self.changed.emit()

    # What is painted

    def _paint(self) -> None:
        drawn = self.drawn
        has_way = self.course is not None and len(longest_way(self.course.samples)) > 1
        self._beside.setVisible(has_way)
        self._whole.setVisible(has_way and self._is_alone(drawn))
        if drawn is None or self.course is None:
            self._mapped = None
            self.pane.set_quantity("x_0", "x_0")
            self.pane.set_pictures(None)
            self.pane.set_caption("")
            self.pane.set_placeholder("" if self.course is None else _waiting_for_samples(self.course))
            return
        moment = DATA if not has_moment(drawn, self.t) else self.t
        t = (*drawn.timesteps, DATA)[place_of(drawn, moment)]
        self.pane.set_quantity(*(("x_0", "x_0") if t == DATA else QUANTITIES[self.kind]))
        self.pane.set_pictures(as_one(pictures_at(drawn, t, self.kind), self.cell))
        self._say(drawn, t)
        self.pane.setToolTip(_tooltip(drawn, alone=self._is_alone(drawn)))
        self._show_descent(drawn, t)
        if not self._whole.isHidden():
            self._show_map(t)

    def _is_alone(self, drawn: Drawn | None) -> bool:
        return drawn is not None and self.cell is not None and self.cell < len(drawn.pictures)

    def _say(self, drawn: Drawn, t: int) -> None:
        """What it is, and where in both times."""
        assert self.course is not None
        whose = ", raw weights" if drawn.weights == "raw" else ""
        unkept = ", way not kept" if not has_moment(drawn, self.t) else ""
        when = f"{step_words(drawn.step)}{whose}", f"{time_words(t)}{unkept}"
        cells = (self.cell or 0,) if self._is_alone(drawn) else range(len(drawn.pictures))
        names = [self._name(cell, len(drawn.pictures)) for cell in cells]
        recipe = recipe_of(self.course.request, [(drawn, t)], cells[0] if self._is_alone(drawn) else None, self.kind)
        self.pane.set_names([", ".join((self.course.name, name, when[0], time_words(t))) for name in names], (), recipe)
        self.pane.set_caption(" · ".join((names[0] if len(names) == 1 else f"{len(names)} samples", *when)))

    def _name(self, cell: int, count: int) -> str:
        assert self.course is not None
        return ", ".join(filter(None, (f"sample {cell + 1} of {count}", self.course.class_of(cell))))

    def _show_descent(self, drawn: Drawn, t: int) -> None:
        assert self.course is not None
        times = longest_way(self.course.samples) if not drawn.timesteps else (*drawn.timesteps, DATA)
        signal = _schedule(self.course.aim.schedule).alpha_bar
        shares = [1.0 if time == DATA else float(signal[min(time, len(signal) - 1)]) for time in times]
        if self.descent.times != times:
            self.descent.set_positions(times, shares)
        self.descent.set_position(times.index(t), len(times))
        self.descent.setEnabled(bool(drawn.timesteps))
        self.descent.setToolTip(WAY if drawn.timesteps else NO_WAY)

    def _show_map(self, t: int) -> None:
        """Filled anew only where it shows other pictures than before."""
        assert self.course is not None
        assert self.index is not None
        samples, cell = self.course.samples, self.cell or 0
        wanted = (samples, cell, self.kind)
        if wanted != self._mapped:
            self._mapped = wanted
            self.map.show_samples(samples, cell, self.kind)
        self.map.look_at(self.index, t)


@lru_cache(maxsize=4)
def _schedule(spec: ScheduleSpec) -> Schedule:
    return make_schedule(spec)


def _tooltip(drawn: Drawn, *, alone: bool) -> str:
    weights = "averaged weights (EMA)" if drawn.weights == "ema" else "raw weights, without their average,"
    then = "Click for all of them." if alone else "Click one for its map of training time and diffusion time."
    return f"What the {weights} draw from fixed seeds, always from the same noise, class by class.\n{then}"


def _waiting_for_samples(course: Course) -> str:
    if not course.is_live:
        return "No samples were drawn."
    if course.state == "running" and course.saved is not None and not course.step:
        return "Samples are being drawn before the first step."
    return "Samples from fixed seeds appear here."
