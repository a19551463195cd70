"""The curves of a training, one kind at a time: its loss, by noise level, on pictures kept aside, gradient and rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QStackedWidget, QVBoxLayout, QWidget

from app.stages.train_aim import PREDICTIONS, Aim
from app.stages.train_course import Course
from app.stages.train_maths import loss_of, words_of
from app.theme import GRID, colour, palette, signal_colour
from app.widgets.choices import Choice
from app.widgets.controls import label
from app.widgets.loss_plot import LossPlot, loss_text
from app.widgets.measured_curve import STYLES, ink
from app.widgets.step_lines import SMOOTHED, Numbers, StepLine, every, smoothed, thin
from app.widgets.step_painting import value_text
from app.widgets.step_plot import StepPlot
from app.widgets.step_scale import StepMark
from core.training.events import LEVELS, PathChanged

LOWEST, HIGHEST = 9 * GRID, 18 * GRID
"""Of a plot, in pixels."""
BESIDE = 22 * GRID
CLIP = 1.0
"""The norm that longer gradients are shortened to."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A curve that can be chosen: its title, what it means, what is said while there is none, and its lines."""

    title: str
    meaning: str
    waiting: str
    missing: str
    lines: Callable[[Course], tuple[tuple[StepLine, ...], str]]
    is_log: bool = True


class TrainCurves(QWidget):
    """Attributes: ``plot``, the loss; ``other``, the plot of any other kind; ``choice``. Signals: ``step_asked(int)``
    where a curve was clicked."""

    step_asked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._course: Course | None = None
        self._others: tuple[Course, ...] = ()
        self.choice = Choice(
            "Curve",
            {"loss": "Loss"} | {key: kind.title for key, kind in KINDS.items()},
            tooltip="What is drawn over the steps\n"
            + "\n".join(f"{kind.title}: {kind.meaning}" for kind in KINDS.values()),
        )
        self.path = label("", "caption")
        self.path.setWordWrap(True)
        self.path.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.plot = LossPlot()
        self.other = StepPlot("Curve")
        self._plots = QStackedWidget()
        for plot in (self.plot, self.other):
            plot.step_asked.connect(self.step_asked)
            plot.setMinimumHeight(LOWEST)
            plot.setMaximumHeight(HIGHEST)
            plot.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
            self._plots.addWidget(plot)
        beside = QWidget()
        beside.setFixedWidth(BESIDE)
        said = QVBoxLayout(beside)
        said.setContentsMargins(0, 0, 0, 0)
        said.setSpacing(GRID // 2)
        said.addWidget(self.choice)
        said.addWidget(self.path, 1)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID)
        row.addWidget(beside)
        row.addWidget(self._plots, 1)
        self._plots.setMaximumHeight(HIGHEST)
        self.choice.value_changed.connect(self._chosen)

    def show_course(self, course: Course) -> None:
        """The curves of a training as they are now."""
        self._course = course
        words = words_of(course.aim)
        for plot in (self.plot, self.other):
            plot.subject = course.name
            plot.set_moments(course.moments)
            plot.set_marks(_marks(course))
        self.plot.set_words(words.name, words.unit, words.meaning)
        self.plot.set_placeholder(_waiting(course, "The loss appears here with the first steps.", "No step was made."))
        self.plot.set_losses(course.losses)
        self.path.setText(_path_words(course))
        self.path.setToolTip("How the network is computed. A change takes effect at a step that the run remembers.")
        self._show_other()

    def look_at(self, step: int | None) -> None:
        """The step whose samples are looked at."""
        self.plot.look_at(step)
        self.other.look_at(step)

    def compare(self, courses: Sequence[Course]) -> None:
        """Draw the curves of other trainings beside it; none: no more."""
        self._others = tuple(courses)
        own = self._course.aim if self._course is not None else None
        beside = [_compared(other, style, other.losses) for style, other in enumerate(self._others)]
        self.plot.compare(
            [replace(line, legend=_told(other, own)) for line, other in zip(beside, courses, strict=True)]
        )
        self._show_other()

    def summary(self) -> str:
        """The mean of the last losses as it is printed, "" before the first."""
        return self.plot.summary()

    @Slot(str)
    def _chosen(self, _key: str) -> None:
        self._show_other()

    def _show_other(self) -> None:
        key, course = self.choice.value(), self._course
        self._plots.setCurrentWidget(self.plot if key == "loss" else self.other)
        if key == "loss" or course is None:
            return
        kind, plot = KINDS[key], self.other
        lines, summary = kind.lines(course)
        others = (_OVERLAID[key](other, style) for style, other in enumerate(self._others) if key in _OVERLAID)
        plot.title = kind.title
        plot.levels = ((f"clipped above {CLIP:g}", CLIP),) if key == "norm" else ()
        plot.explain(f"{kind.meaning}\nClick to see the samples nearest to that step.")
        plot.setAccessibleName(kind.title)
        plot.set_placeholder(_waiting(course, kind.waiting, kind.missing))
        plot.set_lines((*(line for line in others if line is not None), *lines), summary, is_log=kind.is_log)


def _waiting(course: Course, waiting: str, missing: str) -> str:
    return waiting if course.is_live else missing


def _marks(course: Course) -> list[StepMark]:
    """Where it was rolled back to, and where its network came to be computed another way."""
    back = (
        StepMark(one.step, "rolled back", f"rolled back to step {one.step:,}: {one.why}") for one in course.rolled_back
    )
    path = (StepMark(one.step, "computed", _since(one), is_alarm=False) for one in course.recomputed)
    return [*back, *path]


def _since(change: PathChanged) -> str:
    why = f" ({change.why.rstrip('.')})" if change.why else ""
    return f"after step {change.step:,}: {change.words}{why}"


def _path_words(course: Course) -> str:
    """How the network is computed, and how often it was rolled back."""
    times = len(course.rolled_back)
    back = f"rolled back {times} times" if times > 1 else "rolled back once" if times else ""
    return " · ".join(filter(None, (course.path, back)))


def _by_level(course: Course) -> tuple[tuple[StepLine, ...], str]:
    """A line for every tenth of the noise levels, from the data's blue to the noise's orange."""
    T = course.aim.schedule.T
    lines = []
    steps, means = thin(course.by_level)
    for level in range(LEVELS):
        first, last = level * T // LEVELS, (level + 1) * T // LEVELS - 1
        name = f"t {first}–{last}"
        values = means[:, level]
        tint = partial(signal_colour, 1 - level / (LEVELS - 1))
        legend = name if level in (0, LEVELS - 1) else ""
        if np.isfinite(values).any():
            lines.append(StepLine(name, steps, values, tint, "thin", legend))
    ends = [_last_text(line.values) for line in lines[:: max(1, len(lines) - 1)]]
    return tuple(lines), " … ".join(filter(None, ends))


def _validation(course: Course) -> tuple[tuple[StepLine, ...], str]:
    if not course.validated:
        return (), ""
    steps = np.array([kept.step for kept in course.validated])
    losses = np.array([kept.loss for kept in course.validated])
    means = smoothed(course.losses)
    since = int(steps[0]) - 1  # what comes before it would only press both curves flat
    training = StepLine(
        "training", every(means)[since:], means[since:], _quiet, legend=f"training, mean of {SMOOTHED} steps"
    )
    aside = StepLine("pictures kept aside", steps, losses, _text, "dots", "pictures kept aside")
    best = int(np.argmin(losses))
    lowest = f", lowest {loss_text(float(losses[best]))} at step {steps[best]:,}" if best < len(losses) - 1 else ""
    return (training, aside), f"{loss_text(float(losses[-1]))}{lowest}"


def _norm(course: Course) -> tuple[tuple[StepLine, ...], str]:
    if not np.isfinite(course.norms).any():
        return (), ""
    means, green = smoothed(course.norms), partial(colour, "gradient")
    mean = StepLine(f"mean of the last {SMOOTHED} steps", every(means), means, green)
    return (StepLine("every step", every(course.norms), course.norms, _quiet, "each"), mean), _last_text(means)


def _rate(course: Course) -> tuple[tuple[StepLine, ...], str]:
    if not np.isfinite(course.rates).any():
        return (), ""
    return (StepLine("learning rate", every(course.rates), course.rates, _text),), _last_text(course.rates)


def _last_text(values: Numbers) -> str:
    last = float(values[-1]) if len(values) else math.nan
    return value_text(last) if math.isfinite(last) else ""


def _compared(other: Course, style: int, values: Numbers) -> StepLine:
    means = smoothed(values)
    return StepLine(other.name, every(means), means, partial(ink, style % STYLES), "dashed", other.name)


def _told(other: Course, own: Aim | None) -> str:
    """The name of another training, with its loss where that is not the same: such curves cannot be compared."""
    if own is None or loss_of(other.aim) == loss_of(own):
        return other.name
    of = f" of {PREDICTIONS[other.aim.prediction]}" if other.aim.task == "diffusion" else ""
    return f"{other.name} (another loss: {words_of(other.aim).name}{of})"


def _compared_validation(other: Course, style: int) -> StepLine | None:
    if not other.validated:
        return None
    steps = np.array([kept.step for kept in other.validated])
    losses = np.array([kept.loss for kept in other.validated])
    return StepLine(other.name, steps, losses, partial(ink, style % STYLES), "dashed", other.name)


def _quiet() -> QColor:
    return QColor(palette().quiet)


def _text() -> QColor:
    return QColor(palette().text)


_OVERLAID: Mapping[str, Callable[[Course, int], StepLine | None]] = {
    "validation": _compared_validation,
    "norm": lambda other, style: _compared(other, style, other.norms),
    "rate": lambda other, style: _compared(other, style, other.rates),
}
"""Of which kinds other trainings can be drawn beside: ten lines are enough."""

KINDS: Mapping[str, Kind] = {
    "levels": Kind(
        "By noise level",
        f"The loss in ten bins of t, each the mean of its last {SMOOTHED} steps, from data (blue) to noise (orange): "
        "how hard the levels are, and which of them is still learned (Nichol & Dhariwal 2021, figure 2).",
        "The loss at each noise level appears here with the first steps.",
        "The loss at each noise level was not recorded.",
        _by_level,
    ),
    "validation": Kind(
        "Validation",
        "The loss of the averaged weights on pictures that are never trained on, always with the same noise. Where it "
        "rises while that of training falls, the model begins to learn by heart (Prechelt 1998).",
        "The loss on the pictures kept aside appears here as the training goes on; of fewer than 100 none are, unless "
        "they are asked for.",
        "It was never measured: no pictures were kept aside, or too few steps were made.",
        _validation,
    ),
    "norm": Kind(
        "Gradient",
        f"The norm of the gradient before it is clipped to {CLIP:g} (Pascanu et al. 2013). Peaks far above the others "
        "say that the learning rate is near what the network bears.",
        "The norm of the gradient appears here with the first steps.",
        "The norms of its gradients were not recorded.",
        _norm,
    ),
    "rate": Kind(
        "Learning rate",
        "The learning rate: rises linearly in the warm-up, then falls to 0 along half a cosine "
        "(Loshchilov & Hutter 2017).",
        "The learning rate appears here with the first steps.",
        "Its learning rates were not recorded.",
        _rate,
        is_log=False,
    ),
}
