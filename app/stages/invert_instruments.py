"""What stands beside and under the pictures of a walk: plots, equation, algorithm, transport, filmstrip, buttons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from PySide6.QtWidgets import QPushButton

from app.formulas import DDIM_INVERSION
from app.stages.invert_maths import Listing, algorithm_at, formula_at, numbers_at
from app.stages.run_instruments import button
from app.stages.walks import Walk
from app.state import Run
from app.widgets.algorithm import Algorithm
from app.widgets.controls import PrimaryButton
from app.widgets.equation import Equation
from app.widgets.filmstrip import Filmstrip
from app.widgets.miss_plot import MissPlot
from app.widgets.schedule_plots import SchedulePlots
from app.widgets.transport import Transport
from core.requests import InvertRequest, SampleRequest, ScheduleSpec
from core.schedules import make_schedule


class InvertInstruments:
    """The instruments of Invert, moved together along a walk or the plan of one."""

    def __init__(self) -> None:
        self.plots = SchedulePlots()
        self.equation = Equation()
        self.algorithm = Algorithm()
        self.misses = MissPlot()
        self.misses.hide()
        self.transport = Transport()
        self.strip = Filmstrip()
        self._listing: Listing | None = None
        self._laid: object = None

    def show_idea(self, schedule: ScheduleSpec) -> None:
        """While no model is there to plan with."""
        self.plots.set_schedule(make_schedule(schedule))
        self.equation.set_formula(DDIM_INVERSION.latex, {})

    def lay(self, walk: Walk, schedule: ScheduleSpec, timesteps: tuple[int, ...]) -> None:
        """Another walk than before; frames that are already there stay where it is the same one gone on."""
        jobs = tuple(run.job if run is not None else None for run in (walk.up_run, walk.down_run))
        times = [int(level.t) for level in walk.levels]
        if self._laid == (jobs, times, schedule):
            return
        self._laid = (jobs, times, schedule)
        self.plots.set_schedule(make_schedule(schedule))
        self.plots.set_timesteps(timesteps)
        self.transport.set_positions(times)
        self.transport.rail.set_turn(walk.top if walk.up else None, f"latent, t = {walk.level(walk.top).t:.0f}")
        if walk.up:
            self.transport.rail.set_ends("the picture", "what comes back")
        self.strip.set_frames(len(times), times)
        self.set_available(walk)

    def set_available(self, walk: Walk) -> None:
        """How far the walk has come."""
        self.transport.set_available(walk.available)
        self.strip.set_available(walk.available if walk.at(0)[0] is not None else 0)

    def move(self, walk: Walk, position: int, up: InvertRequest | None, down: SampleRequest) -> None:
        """Another position of the walk."""
        self.transport.set_position(position)
        self.strip.set_current(position)
        self.plots.set_cursor(max(0.0, walk.level(position).t))
        formula = formula_at(down, walk, position)
        self.equation.set_formula(formula.latex, numbers_at(down, walk, position))
        self.equation.setToolTip(formula.paper)
        listing, line = algorithm_at(up, down, walk, position)
        if listing != self._listing:
            self._listing = listing
            self.algorithm.set_algorithm(*listing)
        self.algorithm.light(line)
        self.misses.set_current(position if position < walk.top else walk.pair(position)[0] - 1)

    def relay(self, walk: Walk) -> None:
        """Forget the frames of the strip: another sample is wanted in them."""
        current, times = self.strip.current, [int(level.t) for level in walk.levels]
        self.strip.set_frames(len(times), times)
        self.strip.set_current(current)
        self.set_available(walk)

    def show_misses(self, misses: Mapping[int, Sequence[float]], walk: Walk) -> None:
        """What the refinements of this inversion missed, where it has any."""
        self.misses.set_misses(misses, walk.top)


REGENERATE = "Walk down once more from this latent with the label and guidance above; the result appears beside (B)"
MEASURE = "Invert with 10, 20, 50, 100 and 200 steps for the curve of the error; Esc stops"


@dataclass(frozen=True)
class InvertButtons:
    """What can be done with a picture and its latent. The buttons know nothing themselves."""

    run: PrimaryButton = field(default_factory=lambda: PrimaryButton("Invert", ""))
    regenerate: QPushButton = field(default_factory=lambda: button("Regenerate", REGENERATE))
    measure: QPushButton = field(default_factory=lambda: button("Measure", MEASURE))
    pause: QPushButton = field(default_factory=lambda: button("Pause", "Pause after this step, or go on (Space)"))
    stop: QPushButton = field(default_factory=lambda: button("Stop", "Stop now; the steps already made stay (Esc)"))

    def show_method(self, inverts: bool) -> None:
        self.run.setText("Invert" if inverts else "Noise and denoise")
        self.run.setToolTip(
            "Walk the picture up to its latent and down again (Ctrl+Enter)"
            if inverts
            else "Noise the picture to t and denoise it, once for each result (Ctrl+Enter)"
        )
        self.regenerate.setVisible(inverts)
        self.measure.setVisible(inverts)

    def show(self, *, run: bool, live: Run | None, busy: bool, no_regeneration: str, no_measure: str) -> None:
        """What makes sense now; the tooltips of Regenerate and Measure say why they do not, where they do not."""
        self.run.setEnabled(run)
        for one, what, reason in ((self.regenerate, REGENERATE, no_regeneration), (self.measure, MEASURE, no_measure)):
            one.setEnabled(not reason)
            one.setToolTip(f"{what}\n{reason}".rstrip())
        self.pause.setEnabled(live is not None)
        self.pause.setText("Resume" if live is not None and live.state == "paused" else "Pause")
        self.stop.setEnabled(live is not None or busy)
