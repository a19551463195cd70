"""What the window knows: small, observable, without a tensor. Everything on the screen derives from it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from core.images import OpenedImage
from core.levels import Path
from core.messages import ClassifierInfo, EngineState, ModelInfo, Status
from core.requests import (
    Conversion,
    FromLatent,
    FromMorph,
    FromStep,
    InvertRequest,
    MorphRequest,
    RunRequest,
    SampleRequest,
    ScheduleSpec,
)


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where the person looks: a stage, a run (None: the forward process), a step of it, a timestep.

    In the forward process ``t`` (0..T-1) leads and ``step`` is 0; in a run ``step`` (0..steps) leads and ``t`` is the
    time of that state; in a morph it is that of the ``frame`` looked at. ``shown_t`` is the t of the picture on the
    screen where it lags behind what was asked for. ``beside`` is the run that is compared with, while two are.
    """

    stage: str = "forward"
    run: int | None = None
    step: int = 0
    t: int = 400
    shown_t: int = 400
    frame: int = 0
    beside: int | None = None


COMPARE = "compare"
"""The stage that shows two runs; it has no tab, and lies over that of the first."""
UNMADE = ("kept", "awaited")
"""States of a run of which nothing is there but its request."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run as the history shows it: ``stored`` of ``total`` steps are made, ``path`` has the levels of its walk (of a
    morph: of each frame's way down). ``parent`` is the run it was branched from at ``parent_step``, or the inversion
    whose latent it began from. ``state`` is "running", "paused", "finished", "stopped" or "failed"; or "kept", where
    the request of an earlier session is all there is, and "awaited" from when it is asked for again to its start."""

    job: int
    request: RunRequest
    path: Path
    total: int
    stored: int = 0
    state: str = "running"
    rate: float = 0.0
    eta: float = 0.0
    parent: int | None = None
    parent_step: int = 0
    store_bytes: int = 0
    store_cap: int = 0

    @property
    def steps(self) -> int:
        """Of the walk: the last of its states."""
        return len(self.path) - 1

    @property
    def sampling(self) -> SampleRequest:
        """The request of a run that is one of a sampler's."""
        assert isinstance(self.request, SampleRequest)
        return self.request


@dataclass(frozen=True, slots=True)
class Note:
    """What a person has said of a run: a name ("": none of its own), and that it is worth coming back to."""

    name: str = ""
    is_starred: bool = False


def stage_of(request: RunRequest) -> str:
    """The stage that shows such a run."""
    if isinstance(request, MorphRequest):
        return "morph"
    if isinstance(request, InvertRequest) or isinstance(request.start, FromLatent):
        return "invert"
    return "denoise"


def parent_of(request: RunRequest) -> RunRequest | None:
    """The run that this one goes on from, if it does."""
    start = request.start if isinstance(request, SampleRequest) else None
    return start.parent if isinstance(start, FromStep | FromLatent | FromMorph) else None


@dataclass(frozen=True, slots=True)
class Training:
    """A training under way, or ended: ``state`` is "running", "paused", "finished", "stopped" or "failed".

    ``progress`` is 0..1; ``total`` counts steps, None where the run lasts a time instead; ``loss`` is the mean
    of the ``recent`` ones, those of the last 100 steps; ``eta`` in seconds.
    """

    job: int
    name: str
    step: int
    total: int | None
    state: str = "running"
    progress: float = 0.0
    loss: float = 0.0
    eta: float = 0.0
    recent: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Measuring:
    """A measurement under way, or ended: state as of a training; ``done`` of ``total`` parts, ``eta`` in seconds."""

    job: int
    state: str = "running"
    done: int = 0
    total: int = 0
    eta: float = 0.0


class AppState(QObject):
    """The observable model of the window.

    Attributes: ``cursor``, ``image`` (the person's picture), ``conversion`` (how it meets the network, None until a
    model is open), ``schedule`` (of the forward process), ``seed``, ``model`` (open model or None), ``status`` (of
    the engine), ``runs`` (by job id, in order of start), ``training`` (the last that began, or None),
    ``measuring`` (the last measurement, or None), ``classifiers`` (open ones, the last opened last), ``folders`` (of
    the models and classifiers that have been opened, by their hash; nobody is told of it), ``pictures`` (that runs or
    end points may name, by their hash; nobody is told of it).

    Of runs also ``notes`` (see ``note``) and ``thumbnails`` (uint8 (H, W, 1 or 3), by job).

    Signals: ``<attribute>_changed(value)`` after each change; ``runs_changed(job)`` for a run that began or moved on,
    ``run_removed(job)``, ``note_changed(job)``, ``thumbnail_changed(job)``.
    """

    cursor_changed = Signal(object)
    image_changed = Signal(object)
    conversion_changed = Signal(object)
    schedule_changed = Signal(object)
    seed_changed = Signal(int)
    model_changed = Signal(object)
    status_changed = Signal(object)
    runs_changed = Signal(int)
    training_changed = Signal(object)
    measuring_changed = Signal(object)
    classifiers_changed = Signal(object)
    run_removed = Signal(int)
    note_changed = Signal(int)
    thumbnail_changed = Signal(int)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.cursor = Cursor()
        self.image: OpenedImage | None = None
        self.conversion: Conversion | None = None
        self.schedule = ScheduleSpec("linear")
        self.seed = 42
        self.model: ModelInfo | None = None
        self.status = Status(EngineState.STARTING, "")
        self.runs: dict[int, Run] = {}
        self.training: Training | None = None
        self.measuring: Measuring | None = None
        self.classifiers: tuple[ClassifierInfo, ...] = ()
        self.folders: dict[str, str] = {}
        self.pictures: dict[str, OpenedImage] = {}
        self.notes: dict[int, Note] = {}
        self.thumbnails: dict[int, NDArray[np.uint8]] = {}

    def move(self, **changes: Any) -> None:
        """Move the cursor: ``state.move(t=500)``."""
        self._set("cursor", replace(self.cursor, **changes))

    def set_image(self, image: OpenedImage | None) -> None:
        if image is not None:
            self.pictures[image.sha256] = image
        self._set("image", image)

    def set_conversion(self, conversion: Conversion | None) -> None:
        self._set("conversion", conversion)

    def set_schedule(self, schedule: ScheduleSpec) -> None:
        self._set("schedule", schedule)

    def set_seed(self, seed: int) -> None:
        self._set("seed", seed)

    def set_model(self, model: ModelInfo | None) -> None:
        self._set("model", model)

    def set_status(self, status: Status) -> None:
        self._set("status", status)

    def put_run(self, run: Run) -> None:
        if self.runs.get(run.job) != run:
            is_earlier = run.job not in self.runs and any(job > run.job for job in reversed(self.runs))
            self.runs[run.job] = run
            if is_earlier:  # put back where it was
                self.runs = dict(sorted(self.runs.items()))
            self.runs_changed.emit(run.job)

    def remove_run(self, job: int) -> None:
        """Take a run out of the history. What was said of it stays, for when it is put back."""
        if self.runs.pop(job, None) is not None:
            if self.cursor.run == job:
                self.move(run=None, step=0, frame=0)
            self.run_removed.emit(job)

    def note(self, job: int) -> Note:
        return self.notes.get(job, Note())

    def set_note(self, job: int, **changes: Any) -> None:
        """Say something of a run: ``set_note(3, name="the good one")``, ``set_note(3, is_starred=True)``."""
        before = self.note(job)
        self.notes[job] = replace(before, **changes)
        if self.notes[job] != before:
            self.note_changed.emit(job)

    def name_of(self, job: int) -> str:
        """The name the person gave to a run, or "Run <job>"."""
        return self.note(job).name or f"Run {job}"

    def set_thumbnail(self, job: int, picture: NDArray[np.uint8]) -> None:
        self.thumbnails[job] = picture
        self.thumbnail_changed.emit(job)

    def set_training(self, training: Training | None) -> None:
        self._set("training", training)

    def set_measuring(self, measuring: Measuring | None) -> None:
        self._set("measuring", measuring)

    def add_classifier(self, classifier: ClassifierInfo) -> None:
        others = tuple(known for known in self.classifiers if known.ref.sha256 != classifier.ref.sha256)
        self._set("classifiers", (*others, classifier))

    def _set(self, name: str, value: object) -> None:
        if getattr(self, name) != value:
            setattr(self, name, value)
            getattr(self, f"{name}_changed").emit(value)
