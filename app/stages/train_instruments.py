"""What stands beside and under a training: loss, Algorithm 1, the list of trainings; its moments as a film."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QStackedWidget

from app.panels import column_of
from app.stages.train_aim import Aim
from app.stages.train_course import Course
from app.stages.train_maths import algorithm_of, line_of, loss_of
from app.stages.train_normal import TrainNormal
from app.stages.train_strip import LearningStrip
from app.theme import GRID
from app.widgets.algorithm import Algorithm
from app.widgets.controls import label
from app.widgets.equation import Equation
from app.widgets.run_shelf import RunShelf
from app.widgets.transport import Transport
from core.training.events import Drawn
from core.training.standing import Note

FILM = "What the model draws along the way appears here, as a film of its learning."
RAIL = (
    "Training time: the steps after which samples were drawn (← → one set, with Shift ten, Home and End the ends).\n"
    "Beside the picture stands diffusion time (↑ ↓)."
)


class TrainInstruments:
    """The instruments of Train, moved together along the moments at which samples were drawn."""

    def __init__(self) -> None:
        self.equation = Equation()
        self.algorithm = Algorithm()
        self.normal = TrainNormal()
        self.shelf = RunShelf()
        self.runs = self.shelf.runs
        self.transport = Transport()
        self.transport.export.hide()  # the samples have an export of their own
        self.strip = LearningStrip()
        self.transport.rail.setToolTip(RAIL)
        self.transport.time_label.setText("training step")
        self.transport.entry.setAccessibleName("Training step")
        self.transport.entry.setToolTip("Type a step and press Enter to go to the samples nearest to it")
        self.bottom = QStackedWidget()
        self.waiting = label(FILM, "caption")
        self.bottom.addWidget(self.waiting)
        self.bottom.addWidget(column_of(self.transport, self.strip, spacing=GRID // 2))
        self._aim: Aim | None = None
        self.show_idea(Aim())
        self.show_sets(())

    def show_idea(self, aim: Aim, prospect: tuple[Note, ...] = ()) -> None:
        """Before there is a training: what one would do, and what is to be expected of it."""
        self.normal.show_prospect(prospect)
        self._show_maths(aim, "", None)

    def show_course(self, course: Course, loss: float | None, *, at_work: bool) -> None:
        """Where a training is, and the mean of its last losses."""
        state = course.state if at_work or not course.is_live else "waiting"
        self.normal.show_course(course)
        self._show_maths(course.aim, state, loss)

    def show_sets(self, samples: Sequence[Drawn]) -> None:
        """The sets of samples drawn so far, in order; the pictures of the strip are asked for anew."""
        moments = tuple(drawn.step for drawn in samples)
        self.bottom.setCurrentIndex(1 if moments else 0)
        self.transport.set_positions(moments or (0,))
        first, last = (f"step {step:,}" for step in (moments[0], moments[-1])) if len(moments) > 1 else ("", "")
        self.transport.rail.set_ends(first, last)
        self.strip.show_sets(samples)

    def look_at(self, index: int) -> None:
        self.transport.set_position(index)
        self.transport.set_shown(index)
        self.strip.set_current(index)

    def _show_maths(self, aim: Aim, state: str, loss: float | None) -> None:
        if aim != self._aim:
            self._aim = aim
            listing = algorithm_of(aim)
            self.algorithm.set_algorithm(listing.title, listing.lines)
            self.algorithm.setToolTip(listing.paper)
            self.equation.setToolTip(loss_of(aim).paper)
        self.equation.set_formula(loss_of(aim).latex, {} if loss is None else {"loss": loss})
        self.algorithm.light(line_of(aim, state))
