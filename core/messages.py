"""What the engine tells the window: frozen dataclasses with read-only numpy arrays, nothing else.

Pictures are uint8, shape (n, height, width, channels) with 1 or 3 channels, except signed quantities (eps_hat,
score), which stay float32 in the data's own event shape so that the window can map them with a printed range.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.levels import Level, Path
from core.requests import (
    Interactive,
    MeasureRequest,
    MetricName,
    ModelRef,
    PredictionKind,
    RunRequest,
    SamplerSpec,
    ScheduleSpec,
    VarianceKind,
)

Picture = NDArray[np.uint8]
Signed = NDArray[np.float32]


class EngineState(Enum):
    """The one word from which every button derives."""

    STARTING = "starting"
    IDLE = "idle"
    LOADING = "loading"
    SAMPLING = "sampling"
    MEASURING = "measuring"
    TRAINING = "training"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    FAILED = "failed"


READY = (EngineState.IDLE, EngineState.PAUSED, EngineState.MEASURING, EngineState.TRAINING)
"""Where a run that is asked for begins at once: measurements and trainings make way for it."""


@dataclass(frozen=True, slots=True)
class Status:
    """The engine as a whole. Memory in bytes: of the device where it has its own, else of this process."""

    state: EngineState
    device: str
    job: int | None = None
    memory_used: int = 0
    memory_total: int = 0


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model that is open in the engine, as far as a window needs to know it.

    ``event_shape`` is (channels, height, width) for images; ``labels`` are the classes' names in index order (empty
    for unconditional models), ``null_label`` the index of "no class". ``sampler`` and ``spacing`` are what the
    folder's scheduler says, as are ``final_alpha_bar``, the level a run ends on (1.0: the data), and
    ``steps_offset``, by which leading timesteps are shifted up; they hold until the person overrides them.
    ``precision`` is what "auto" resolves to here; ``variance`` what the network has learned of the reverse step's
    variance: nothing ("fixed"), where it lies between beta_tilde and beta ("range", Nichol & Dhariwal 2021), or its
    logarithm ("diagonal").
    """

    ref: ModelRef
    event_shape: tuple[int, ...]
    schedule: ScheduleSpec
    prediction: PredictionKind
    labels: tuple[str, ...] = ()
    null_label: int | None = None
    sampler: SamplerSpec = field(default_factory=SamplerSpec)
    spacing: str = "leading"
    final_alpha_bar: float = 1.0
    steps_offset: int = 0
    precision: str = "float32"
    parameters: int = 0
    description: str = ""
    licence: str = ""
    data_statistics: tuple[float, ...] = ()
    """What the training data look like, for telling that a picture is unlike them (see core/likeness.py)."""
    variance: VarianceKind = "fixed"


@dataclass(frozen=True, slots=True)
class ModelOpened:
    """A model is open; ``folder`` is where it lies, "" where it comes from no folder."""

    info: ModelInfo
    folder: str = ""


@dataclass(frozen=True, slots=True)
class ModelKnown:
    """A model is open beside the one that is worked with, so that requests can name it."""

    info: ModelInfo
    folder: str = ""


@dataclass(frozen=True, slots=True)
class ClassifierInfo:
    """A noisy classifier that is open in the engine. ``labels`` are its classes' names in index order; ``schedule`` is
    the one it has met noise of, and ``features`` the length of what it answers before its last layer. ``noisy`` says
    whether it was trained on noised pictures: only then does it guide."""

    ref: ModelRef
    event_shape: tuple[int, ...]
    labels: tuple[str, ...]
    schedule: ScheduleSpec
    features: int
    noisy: bool = True
    parameters: int = 0
    description: str = ""
    licence: str = ""


@dataclass(frozen=True, slots=True)
class ClassifierOpened:
    """A classifier is open, for guidance and for its features; ``folder`` is where it lies."""

    info: ClassifierInfo
    folder: str = ""


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A run has begun; ``path`` has steps + 1 levels, that of a morph is its frames' way down. ``total`` steps will be
    made in all. ``store_cap`` (bytes) belongs to its trajectory."""

    job: int
    request: RunRequest
    path: Path
    store_cap: int
    total: int


@dataclass(frozen=True, slots=True)
class Progress:
    """``step`` steps of ``total`` are stored; ``rate`` in steps a second, ``eta`` in seconds, pauses excluded."""

    job: int
    step: int
    total: int
    rate: float
    eta: float
    store_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Refined:
    """Step ``step`` of an inversion, which counts from 1: for each refinement, how far the step down from the estimate
    before it led past x_t (root mean square over the batch)."""

    job: int
    step: int
    misses: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Recognised:
    """What the guiding classifier made of state ``step``, from which step ``step`` + 1 was made: log p(y | x_t) of the
    label asked for, one a sample."""

    job: int
    step: int
    log_p: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """State ``step`` of a run and what the network sees in it; x0_hat and eps_hat are None where not yet computed.
    ``difference`` and ``gradient`` are those of ``Inspection``, where guidance has computed them.

    Of a morph the samples are these ``frames``; without any they are the end points' pictures on their way up.
    """

    job: int
    step: int
    level: Level
    x_t: Picture
    x0_hat: Picture | None
    eps_hat: Signed | None
    x_t_range: tuple[float, float]
    frames: tuple[int, ...] = ()
    difference: Signed | None = None
    gradient: Signed | None = None


@dataclass(frozen=True, slots=True)
class Inspection:
    """The answer to an interactive request; ``request`` says to which, so that stale answers are dropped.

    At a clean level there is nothing to predict: x0_hat is x_t, eps_hat and score are None. Of a guided run's state
    ``difference`` is eps_c - eps_u, ``gradient`` that of log p(y | x_t) without its scale, ``log_p`` one a sample; they
    are there at every level but a clean one, also where the guidance's interval leaves them out.
    """

    request: Interactive
    level: Level
    x_t: Picture
    x0_hat: Picture | None
    eps_hat: Signed | None
    score: Signed | None
    milliseconds: float
    difference: Signed | None = None
    gradient: Signed | None = None
    log_p: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class RunPaused:
    """``reason`` is empty where the person asked for it; else what made the job pause, and what to do."""

    job: int
    step: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RunResumed:
    job: int


@dataclass(frozen=True, slots=True)
class RunEnded:
    """``reason`` is "finished" or "stopped"; a stopped run keeps its ``steps`` stored states."""

    job: int
    reason: str
    steps: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Failed:
    """Something went wrong; ``message`` says in words what and what to do, ``details`` can be copied.

    ``diverged`` is the step whose loss is no number any more, where it is that which ended a training.
    """

    job: int | None
    message: str
    details: str = ""
    diverged: int | None = None


@dataclass(frozen=True, slots=True)
class TrainingStarted:
    """A training has begun, or goes on at ``step``: what it is, and what it has shown so far.

    ``folder`` is the run's own, a model folder; ``losses`` has one entry a step that is done; ``samples`` are the
    pictures drawn so far. ``total`` counts steps, None where the run lasts ``minutes`` instead. ``path`` says how the
    network is computed ("bfloat16, compiled, 2 threads"); the other curves are as in TrainingTick, of all steps.
    ``notes`` are for the person: what becomes of a fine-tuned model's classes, that an old curve cannot be shown.
    """

    job: int
    name: str
    folder: str
    pictures: int
    labels: tuple[str, ...]
    parameters: int
    batch: int
    precision: str
    step: int
    total: int | None
    minutes: float | None
    losses: NDArray[np.float32]
    samples: tuple[TrainingSamples, ...] = ()
    notes: tuple[str, ...] = ()
    path: str = ""
    norms: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    rates: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    by_level: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 10), np.float32))
    validated: tuple[TrainingValidated, ...] = ()
    rolled_back: tuple[TrainingRolledBack, ...] = ()


@dataclass(frozen=True, slots=True)
class TrainingTick:
    """The losses (L_simple of a batch) of the steps from ``first_step`` on, which counts from 1; ``eta`` in seconds,
    ``progress`` 0..1. Of the same steps: ``norms`` of the gradient before clipping, learning ``rates``, and the losses
    ``by_level`` float32 (k, 10): their means in ten bins of t, NaN where a bin was not met."""

    job: int
    first_step: int
    losses: NDArray[np.float32]
    images_per_second: float
    eta: float
    progress: float
    norms: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    rates: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    by_level: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 10), np.float32))


@dataclass(frozen=True, slots=True)
class TrainingSamples:
    """What the model draws from fixed seeds after ``step`` steps: always the same noise, label by label.

    Drawn with ``weights`` ("ema": the averaged ones, or "raw"). ``x0_hat`` and ``x_t`` uint8 (k, n, H, W, C) show the
    way there at the k moments of diffusion time ``timesteps``, falling; None where it was not kept.
    """

    job: int
    step: int
    pictures: Picture
    weights: str = "ema"
    timesteps: tuple[int, ...] = ()
    x0_hat: Picture | None = None
    x_t: Picture | None = None


@dataclass(frozen=True, slots=True)
class TrainingValidated:
    """The loss of the averaged weights after ``step`` steps on the pictures kept aside, with fixed noise and t;
    ``by_level`` float32 (10,) the same in bins of t."""

    job: int
    step: int
    loss: float
    by_level: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TrainingRolledBack:
    """The loss of step ``at`` was no number, or had exploded: the training goes on from ``step`` with its learning rate
    times ``lr_scale``. ``why`` is for the person."""

    job: int
    at: int
    step: int
    lr_scale: float
    why: str


@dataclass(frozen=True, slots=True)
class TrainingPath:
    """From the step after ``step`` on the network is computed another way, said in ``words``; ``why`` may be ""."""

    job: int
    step: int
    words: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class TrainingOffer:
    """There was not enough memory for a step, and the training is paused: with parts of ``micro_batch`` pictures it
    fits, its batch unchanged. ``Instruction(micro_batch=...)`` accepts, and the training goes on."""

    job: int
    micro_batch: int
    why: str


@dataclass(frozen=True, slots=True)
class TrainingSaved:
    """A checkpoint of ``step`` steps is on the disk: from there the run goes on whatever happens."""

    job: int
    step: int


@dataclass(frozen=True, slots=True, eq=False)
class Likelihood:
    """What is known so far of how well a model codes pictures; arrays by t are float64 (k,) along rising ``timesteps``.

    ``terms`` are the means over pictures of L_t in bits a value (t = 0: the decoder's, by the discretised Gaussian),
    NaN where t has not been met yet; ``mse`` that of eps_hat, ``distortion`` the root of the mean squared error of
    x0_hat in 8-bit values (0..255). ``*_error`` are standard errors over the ``pictures`` pictures that are done.
    ``prior`` is L_T, and ``bits_per_dim`` the sum of all, fewer timesteps standing for their strata.
    """

    timesteps: NDArray[np.int64]
    terms: NDArray[np.float64]
    terms_error: NDArray[np.float64]
    mse: NDArray[np.float64]
    mse_error: NDArray[np.float64]
    distortion: NDArray[np.float64]
    prior: float
    bits_per_dim: float
    bits_error: float
    pictures: int
    per_picture: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    """Bits a value of every picture that is done, for comparing two models picture by picture."""


@dataclass(frozen=True, slots=True, eq=False)
class DistancePoint:
    """A trial that is done: ``value`` of the metric with its standard error ``error`` (NaN where there is none), over
    ``count`` samples. ``precision`` and ``recall`` 0..1; ``recognised`` is the share that the feature network takes for
    the class asked for (NaN without classes); ``evaluations`` of the network a sample, ``seconds`` for all samples.
    ``pictures`` are the first samples."""

    series: str
    x: float
    value: float
    error: float
    precision: float
    recall: float
    recognised: float
    count: int
    evaluations: int
    seconds: float
    pictures: Picture


@dataclass(frozen=True, slots=True, eq=False)
class Distances:
    """The trials that are done, in their order. ``metric`` is what was measured (see ``note`` where that is another
    than asked for), ``real`` the same distance of as many real pictures from outside the reference, NaN where there are
    none; ``dimensions`` of the features, ``reference`` pictures."""

    points: tuple[DistancePoint, ...]
    metric: MetricName
    dimensions: int
    reference: int
    real: float = float("nan")
    note: str = ""


Quality = Likelihood | Distances


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """For each of n samples the k pictures it was trained on that are nearest by one distance, nearest first.

    ``indices`` int64 and ``distances`` float64 (n, k); ``mirrored`` (n, k) is true where the picture's mirror image is
    meant; ``pictures`` uint8 (n, k, H, W, C) are as they are meant. ``held_out`` and ``own`` are distances of pictures
    kept aside, and of pictures trained on, to the nearest other one. ``sign`` is what follows of learning by heart:
    "none", "nearer", "copies" or "unknown"; ``verdict`` says it in words. What is nearer than ``limit`` is nearer than
    (nearly) all of the yardstick; NaN where there is no such limit.
    """

    indices: NDArray[np.int64]
    distances: NDArray[np.float64]
    mirrored: NDArray[np.bool_]
    pictures: Picture
    held_out: NDArray[np.float64]
    own: NDArray[np.float64]
    sign: str
    verdict: str
    limit: float = float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class Nearest:
    """The nearest of ``count`` pictures to each of ``samples`` uint8 (n, H, W, C), None by what is not yet measured.

    ``pixels`` are root mean squares of differences in 8-bit values (0..255), ``features`` angles (0..180 degrees)
    between what ``by`` sees in them. ``names`` are files, and ``classes`` the classes, of the pictures met, by index.
    """

    samples: Picture
    count: int
    pixels: Neighbours | None = None
    features: Neighbours | None = None
    by: str = ""
    names: Mapping[int, str] = field(default_factory=dict)
    classes: Mapping[int, str] = field(default_factory=dict)


Measurement = Quality | Nearest


@dataclass(frozen=True, slots=True)
class MeasureStarted:
    """A measurement has begun; ``total`` counts its parts."""

    job: int
    request: MeasureRequest
    total: int


@dataclass(frozen=True, slots=True)
class Measured:
    """What is known after ``done`` of ``total`` parts; ``eta`` in seconds. The last one is the whole."""

    job: int
    result: Measurement
    done: int
    total: int
    eta: float


Message = (
    Status
    | ModelOpened
    | ModelKnown
    | ClassifierOpened
    | Recognised
    | MeasureStarted
    | Measured
    | RunStarted
    | Progress
    | Refined
    | Preview
    | Inspection
    | RunPaused
    | RunResumed
    | RunEnded
    | Failed
    | TrainingStarted
    | TrainingTick
    | TrainingSamples
    | TrainingValidated
    | TrainingRolledBack
    | TrainingPath
    | TrainingOffer
    | TrainingSaved
)


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """The same array, contiguous and read-only, fit for a message."""
    array = np.ascontiguousarray(array)
    array.flags.writeable = False
    return array
