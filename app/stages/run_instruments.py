"""What stands beside and under the pictures of a run: plots, equation, algorithm, transport, filmstrip, buttons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PySide6.QtWidgets import QPushButton

from app.formulas import ALGORITHM_DDIM, DDIM_STEP
from app.stages.run_maths import algorithm_of, first_numbers, formula_of, line_of, numbers_of
from app.state import Run
from app.theme import GRID
from app.widgets.algorithm import Algorithm
from app.widgets.controls import PrimaryButton
from app.widgets.equation import Equation
from app.widgets.filmstrip import Filmstrip
from app.widgets.recognition_curve import RecognitionCurve
from app.widgets.schedule_plots import SchedulePlots
from app.widgets.transport import Transport
from core.levels import Path
from core.requests import SampleRequest, ScheduleSpec
from core.schedules import make_schedule


class RunInstruments:
    """The instruments of Denoise, moved together along the path of a run or of the plan of one."""

    def __init__(self) -> None:
        self.plots = SchedulePlots()
        self.equation = Equation()
        self.algorithm = Algorithm()
        self.transport = Transport()
        self.recognition = RecognitionCurve(self.transport.rail)
        self.strip = Filmstrip()
        self.recognition.hide()

    def show_idea(self, schedule: ScheduleSpec) -> None:
        """While no model is there to plan with: a schedule, and the algorithm that a run would follow."""
        self.plots.set_schedule(make_schedule(schedule))
        self.algorithm.set_algorithm(*ALGORITHM_DDIM)
        self.equation.set_formula(DDIM_STEP.latex, {})

    def show_plan(self, request: SampleRequest, path: Path, first: NDArray[np.uint8] | None) -> None:
        """A run that could be made; ``first`` is its first state as a picture (H, W, C), where that is known."""
        self.plots.set_band(request.interval)
        self._lay_path(request, path)
        self.recognition.hide()
        self.set_available(1)
        self.strip.set_available(0)
        if first is not None:
            self.strip.set_frame(0, first)
        self._move(request, path, 0, first_numbers(request, path))

    def show_run(self, run: Run) -> None:
        """Another run than before."""
        self.plots.set_schedule(make_schedule(run.request.schedule))
        self.plots.set_timesteps(run.sampling.timesteps)
        self.plots.set_band(run.sampling.interval)
        self._lay_path(run.sampling, run.path)
        self.set_available(run.stored + 1)
        self.recognition.setVisible(run.sampling.classifier is not None)

    def show_state(self, run: Run, step: int) -> None:
        """Another state of the run shown."""
        self._move(run.sampling, run.path, step, numbers_of(run, step))

    def show_recognised(self, values: Mapping[int, tuple[float, ...]], cell: int | None) -> None:
        """What the guiding classifier made of the states so far, by step, and the sample that is looked at."""
        self.recognition.set_values(values)
        self.recognition.set_cell(cell)

    def set_available(self, states: int) -> None:
        """How many states the run has so far."""
        self.transport.set_available(states)
        self.strip.set_available(states)

    def refill(self, run: Run, step: int) -> None:
        """Forget the frames of the strip: another sample is wanted in them."""
        self.strip.set_frames(run.steps + 1, [int(level.t) for level in run.path])
        self.strip.set_available(run.stored + 1)
        self.strip.set_current(step)

    def _lay_path(self, request: SampleRequest, path: Path) -> None:
        self.algorithm.set_algorithm(*algorithm_of(request))
        self.equation.setToolTip(formula_of(request).paper)
        times = [int(level.t) for level in path]
        self.transport.set_positions(times)
        self.strip.set_frames(len(times), times)

    def _move(self, request: SampleRequest, path: Path, step: int, numbers: Mapping[str, float]) -> None:
        self.transport.set_position(step)
        self.recognition.set_current(step)
        self.strip.set_current(step)
        self.plots.set_cursor(max(0.0, path[step].t))
        self.equation.set_formula(formula_of(request).latex, numbers)
        self.algorithm.light(line_of(request, step))


def button(text: str, tooltip: str, width: int = 8 * GRID) -> QPushButton:
    """One of the quiet ones beside the filled one."""
    made = QPushButton(text)
    made.setMinimumWidth(width)
    made.setToolTip(tooltip)
    return made


NEAREST = (
    "Whether the samples are copies: the nearest training pictures beside each (Carlini et al. 2023); again: the run"
)


@dataclass(frozen=True)
class RunButtons:
    """What can be done with a run. The buttons know nothing themselves: ``show`` says which make sense."""

    run: PrimaryButton = field(
        default_factory=lambda: PrimaryButton("Denoise", "Draw new samples with these settings (Ctrl+Enter)")
    )
    pause: QPushButton = field(
        default_factory=lambda: button("Pause", "Pause after this step, or go on (Space)", 10 * GRID)
    )  # "Resume" is wider than "Pause", and nothing may move
    step: QPushButton = field(default_factory=lambda: button("Step", "Make one step and stay paused (.)"))
    stop: QPushButton = field(default_factory=lambda: button("Stop", "Stop now; the steps already made stay (Esc)"))
    branch: QPushButton = field(
        default_factory=lambda: button(
            "Branch",
            "Go on from the step shown with the settings above (B), with an enlarged sample alone; "
            "go back from the data to a step first",
        )
    )
    sheet: QPushButton = field(
        default_factory=lambda: button("Sheet", "Guidance × noise, or guidance × label, as one sheet; again: the run")
    )

    nearest: QPushButton = field(default_factory=lambda: button("Nearest", NEAREST))

    def __post_init__(self) -> None:
        self.sheet.setCheckable(True)
        self.nearest.setCheckable(True)

    def show(
        self, *, can_run: bool, can_branch: bool, live: Run | None, waits: bool = False, why_not: str = ""
    ) -> None:
        """``waits``: runs that have not begun can be stopped as well; ``why_not``: nothing can be compared."""
        is_sheet = self.sheet.isChecked()
        self.run.setText("Render sheet" if is_sheet else "Denoise")
        self.run.setToolTip(
            "Make a run of each row with these settings (Ctrl+Enter)"
            if is_sheet
            else "Draw new samples with these settings (Ctrl+Enter)"
        )
        self.run.setEnabled(can_run)
        self.branch.setEnabled(can_branch and not is_sheet)
        self.nearest.setEnabled(not why_not or self.nearest.isChecked())
        self.nearest.setToolTip(f"{NEAREST}\n{why_not}".strip())
        for button in (self.pause, self.step):
            button.setEnabled(live is not None)
        self.stop.setEnabled(live is not None or waits)
        self.pause.setText("Resume" if live is not None and live.state == "paused" else "Pause")
