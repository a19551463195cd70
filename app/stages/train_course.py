"""The course of a training: what is known of it, at work or from its folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.stages.train_aim import Aim
from app.stages.train_folder import computed, read_run_folder, recomputed
from app.stages.train_moments import DATA
from app.stages.train_sample_recipe import recipe_of
from core.classifier_config import classifier_parameters
from core.messages import (
    Failed,
    RunEnded,
    RunPaused,
    RunResumed,
    TrainingOffer,
    TrainingPath,
    TrainingRolledBack,
    TrainingSamples,
    TrainingSaved,
    TrainingStarted,
    TrainingTick,
    TrainingValidated,
)
from core.recipe import Recipe
from core.training.claim import is_taken
from core.training.dataset import PictureFolder
from core.training.events import LEVELS, Drawn, PathChanged, RolledBack, Validated
from core.training.film import Film, as_drawn
from core.training.history import History
from core.training.order import TrainOrder, WeightsName
from core.training.presets import parameters_of
from core.training.reading import Reading
from core.training.request import TrainRequest
from core.training.runs import RunSummary
from core.training.standing import Note

LIVE = ("queued", "running", "paused")
ELSEWHERE = "Another window or command trains it now: what is shown here is what it had last saved."
Curve = NDArray[np.float32]


@dataclass
class Course:
    """A training on the ``count`` pictures of the folder ``pictures``.

    ``job`` is its number in the engine, None where it only lies on the disk; ``state`` is "queued", "running",
    "paused", "finished", "stopped" or "failed". ``losses`` are float32 (step,); ``norms`` of the gradient, learning
    ``rates`` and losses ``by_level`` float32 (step, 10) are of the same steps, NaN where unknown. ``path`` says how the
    network is computed, ``recomputed`` since when where that has changed, and ``offer`` what would make it fit into
    memory. ``film`` is what it has drawn. ``saved`` is the step of the last checkpoint, None before the first;
    ``seconds`` of work are known of a training that ended; ``notes`` are for the person.
    """

    folder: Path
    name: str
    size: int
    count: int
    data_name: str = ""
    pictures: Path | None = None
    job: int | None = None
    state: str = "queued"
    classes: tuple[str, ...] = ()
    parameters: int | None = None
    batch: int | None = None
    precision: str = ""
    aim: Aim = field(default_factory=Aim)
    total: int | None = None
    minutes: float | None = None
    losses: Curve = field(default_factory=lambda: np.zeros(0, np.float32))
    norms: Curve = field(default_factory=lambda: np.zeros(0, np.float32))
    rates: Curve = field(default_factory=lambda: np.zeros(0, np.float32))
    by_level: Curve = field(default_factory=lambda: np.zeros((0, LEVELS), np.float32))
    validated: tuple[Validated, ...] = ()
    rolled_back: tuple[RolledBack, ...] = ()
    path: str = ""
    recomputed: tuple[PathChanged, ...] = ()
    offer: TrainingOffer | None = None
    film: Film = field(default_factory=Film)
    images_per_second: float = 0.0
    eta: float | None = None
    progress: float = 0.0
    saved: int | None = None
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    diverged: int | None = None
    """The step whose loss was no number any more, where it failed by that."""
    samples_from: WeightsName = "ema"
    """Whose weights samples to come are drawn with."""
    will_draw: bool = False
    """Whether samples were asked for that have not come yet."""
    prospect: tuple[Note, ...] = ()
    """What was to be expected of it before it began."""
    reading: Reading | None = None
    """How its pictures were read, None where nobody knows."""
    request: TrainRequest | None = None
    """All that decides its bits, None where nobody knows."""
    accuracy: tuple[tuple[int, float], ...] = ()
    """Of a classifier: (t, share of the pictures kept aside that it recognised), as it was last saved."""

    @property
    def step(self) -> int:
        return len(self.losses)

    def class_of(self, sample: int) -> str:
        """The class that a sample was drawn of: they take turns."""
        return self.classes[sample % len(self.classes)] if self.classes else ""

    def told(self, drawn: Drawn) -> str:
        """Which samples these are."""
        return f"samples after {drawn.step:,} steps"

    def recipe(self, drawn: Drawn) -> Recipe | None:
        """How the finished samples of a set are made again, as far as that is known."""
        return recipe_of(self.request, [(drawn, DATA)], None, "x0_hat")

    @property
    def is_live(self) -> bool:
        return self.state in LIVE

    @property
    def samples(self) -> tuple[Drawn, ...]:
        """What it has drawn, in the order of its steps."""
        return self.film.sets

    @property
    def moments(self) -> tuple[int, ...]:
        """The steps after which samples were drawn."""
        return tuple(drawn.step for drawn in self.samples)

    def receive(self, message: object) -> bool:
        """Take what the engine tells of this training; whether it is told something."""
        match message:
            case TrainingStarted():
                self._begin(message)
            case TrainingTick():
                self._tick(message)
            case TrainingSamples():
                self.film.add(as_drawn(message))
                self.will_draw = False
            case TrainingSaved(step=step):
                self.saved = step
            case TrainingValidated(step=step, loss=loss, by_level=by_level):
                earlier = (known for known in self.validated if known.step < step)
                self.validated = (*earlier, Validated(step, loss, by_level))
            case TrainingRolledBack(at=at, step=step, lr_scale=scale, why=why):
                self._cut_to(step)
                self.film.cut_to(step)
                self.recomputed = tuple(known for known in self.recomputed if known.step <= step)
                self.rolled_back = (*self.rolled_back, RolledBack(at, step, scale, why))
            case TrainingPath(step=step, words=words, why=why):
                self._recompute(PathChanged(step, words, why))
            case TrainingOffer():
                self.offer = message
            case RunPaused():
                self.state = "paused"
            case RunResumed():
                self.state, self.offer = "running", None
            case RunEnded(reason=reason):
                self.state, self.eta, self.offer = reason, None, None
                self.progress = 1.0 if reason == "finished" else self.progress
            case Failed(diverged=diverged):
                self.state, self.eta, self.offer, self.diverged = "failed", None, None, diverged
            case _:
                return False
        return True

    def _begin(self, message: TrainingStarted) -> None:
        self.state, self.job, self.folder, self.name = "running", message.job, Path(message.folder), message.name
        self.count, self.classes = message.pictures, message.labels
        self.parameters, self.batch, self.precision = message.parameters, message.batch, message.precision
        self.total, self.minutes = message.total, message.minutes
        self.request = message.request
        self.losses, self.film = message.losses, Film([as_drawn(drawn) for drawn in message.samples])
        self.norms, self.rates, self.by_level = message.norms, message.rates, message.by_level
        self.validated = tuple(Validated(kept.step, kept.loss, kept.by_level) for kept in message.validated)
        self.rolled_back = tuple(
            RolledBack(back.at, back.step, back.lr_scale, back.why) for back in message.rolled_back
        )
        self.path, self.will_draw = message.path, False
        self.recomputed = recomputed(self.folder, message.step)
        self.saved, self.notes = message.step or None, message.notes

    def _tick(self, message: TrainingTick) -> None:
        """Some more steps are done; those from ``first_step`` on that were known before count no more."""
        self._cut_to(message.first_step - 1)
        self.losses = np.concatenate((self.losses, message.losses))
        self.norms = np.concatenate((self.norms, message.norms))
        self.rates = np.concatenate((self.rates, message.rates))
        self.by_level = np.concatenate((self.by_level, message.by_level))
        self._cut_to(self.step)
        self.images_per_second, self.eta = message.images_per_second, message.eta
        self.progress = message.progress

    def _recompute(self, change: PathChanged) -> None:
        """The network is computed another way; one that goes on says so again where it was so before."""
        before = self.recomputed[-1].words if self.recomputed else self.path
        if change.why and change.words == self.path:  # nothing but something to know
            self.notes = (*self.notes, f"At step {change.step:,}: {change.why.removesuffix('.')}.")
        if before and change.step and change.words != before:
            earlier = (known for known in self.recomputed if known.step < change.step)
            self.recomputed = (*earlier, change)
        self.path = change.words

    def _cut_to(self, step: int) -> None:
        """What came after ``step`` counts no more."""
        self.losses = self.losses[:step]
        self.norms, self.rates, self.by_level = (
            _as_long(curve, self.step) for curve in (self.norms, self.rates, self.by_level)
        )
        if self.validated and self.validated[-1].step > step:
            self.validated = tuple(kept for kept in self.validated if kept.step <= step)


def _as_long(curve: Curve, steps: int) -> Curve:
    """Its first ``steps`` steps, unknown where they were not told."""
    missing = np.full((max(0, steps - len(curve)), *curve.shape[1:]), np.nan, np.float32)
    return np.concatenate((curve[:steps], missing)) if len(missing) else curve[:steps]


def ordered(order: TrainOrder, data: PictureFolder, job: int, aim: Aim) -> Course:
    """A training that was asked for and has not begun."""
    side, channels = data.pictures.shape[1], data.pictures.shape[3]
    return Course(
        folder=order.out,
        name=order.out.name,
        size=side,
        count=len(data),
        data_name=data.name,
        pictures=data.source,
        job=job,
        classes=data.classes,
        parameters=_parameters_of(order, side, channels, len(data.classes)),
        batch=order.batch,
        precision="" if order.precision == "auto" else order.precision,
        aim=aim,
        total=order.steps,
        minutes=order.minutes,
        samples_from=order.samples_from,
        reading=data.reading,
    )


def _parameters_of(order: TrainOrder, side: int, channels: int, classes: int) -> int | None:
    """How many numbers are learned; None where a model that is fine-tuned brings its own."""
    if order.base is not None:
        return None
    if order.task == "classifier":
        return classifier_parameters(order.preset, side, channels, classes)
    return parameters_of(order.preset, side, channels, classes, order.variance)


def stored(summary: RunSummary, history: History, film: Film) -> Course:
    """A training that lies on the disk."""
    says = read_run_folder(summary.folder)
    return Course(
        folder=summary.folder,
        name=summary.name,
        size=summary.size,
        count=summary.count,
        data_name=summary.data_name,
        pictures=summary.pictures,
        state="finished" if summary.finished else "stopped",
        classes=says.classes,
        aim=says.aim,
        accuracy=says.accuracy,
        total=summary.steps,
        minutes=summary.minutes,
        parameters=summary.parameters,
        batch=summary.batch,
        precision=summary.precision,
        losses=history.losses,
        norms=history.norms,
        rates=history.rates,
        by_level=history.by_level,
        validated=history.validated,
        rolled_back=history.rolled_back,
        path=computed(summary.folder, summary.step),
        recomputed=recomputed(summary.folder, summary.step),
        film=film,
        progress=summary.done,
        saved=summary.step,
        seconds=summary.seconds,
        notes=tuple(filter(None, (ELSEWHERE if is_taken(summary.folder) else "", history.note, film.note))),
    )
