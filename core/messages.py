"""What the engine tells the window: frozen dataclasses with read-only numpy arrays, nothing else.

Those of trainings and measurements stand in files of their own; all can be imported from here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from core.arrays import Picture, Signed, frozen
from core.checkpoints.description import Description, Kind
from core.levels import Level, Path
from core.measure_messages import (
    DistancePoint,
    Distances,
    Likelihood,
    Measured,
    Measurement,
    MeasureStarted,
    Nearest,
    Neighbours,
    Quality,
)
from core.requests import (
    GatherStep,
    Interactive,
    ModelRef,
    PredictionKind,
    RunRequest,
    SamplerSpec,
    ScheduleSpec,
    VarianceKind,
)
from core.training_messages import (
    TrainingOffer,
    TrainingPath,
    TrainingRolledBack,
    TrainingSamples,
    TrainingSaved,
    TrainingStarted,
    TrainingTick,
    TrainingValidated,
)

__all__ = [
    "ClassifierInfo",
    "ClassifierOpened",
    "DistancePoint",
    "Distances",
    "EngineState",
    "Failed",
    "Gathered",
    "Inspection",
    "Likelihood",
    "MeasureStarted",
    "Measured",
    "Measurement",
    "Message",
    "ModelAsks",
    "ModelExported",
    "ModelInfo",
    "ModelKnown",
    "ModelLoading",
    "ModelOpened",
    "ModelSaving",
    "Nearest",
    "Neighbours",
    "Picture",
    "Preview",
    "Progress",
    "Quality",
    "Recognised",
    "Refined",
    "RunEnded",
    "RunPaused",
    "RunResumed",
    "RunStarted",
    "Signed",
    "Status",
    "TrainingOffer",
    "TrainingPath",
    "TrainingRolledBack",
    "TrainingSamples",
    "TrainingSaved",
    "TrainingStarted",
    "TrainingTick",
    "TrainingValidated",
    "frozen",
]


class EngineState(Enum):
    """The one word from which every button derives."""

    STARTING = "starting"
    IDLE = "idle"
    LOADING = "loading"
    SAVING = "saving"
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
    usual_guidance: float | None = None
    """The w that its samples look best with, and below the steps that they take, where whoever made it says so."""
    usual_steps: int | None = None


@dataclass(frozen=True, slots=True)
class ModelOpened:
    """A model is open; ``folder`` is where it, or its file, lies, "" where it comes from none. ``description`` is what
    is known of it from there."""

    info: ModelInfo
    folder: str = ""
    description: Description | None = None


@dataclass(frozen=True, slots=True)
class ModelExported:
    """The model or classifier called ``name`` is written to ``folder``, in a form that opens without questions."""

    name: str
    folder: str
    kind: Kind = "model"


@dataclass(frozen=True, slots=True)
class ModelKnown:
    """A model is open beside the one that is worked with, so that requests can name it."""

    info: ModelInfo
    folder: str = ""


@dataclass(frozen=True, slots=True)
class ModelLoading:
    """A model or a classifier is being opened: ``done`` of ``total`` bytes of its weights are read."""

    name: str
    done: int
    total: int
    kind: Kind = "model"


@dataclass(frozen=True, slots=True)
class ModelSaving:
    """A model is being written to a new ``folder``: ``done`` of ``total`` bytes of its weights are."""

    name: str
    folder: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class ModelAsks:
    """A checkpoint at ``path`` does not say all that must be known: ``description.questions``, to be answered by
    opening it again with answers; ``answers`` are those given before. Or it is a classifier, to be opened as one."""

    path: str
    description: Description
    answers: tuple[tuple[str, str], ...] = ()


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
class Gathered:
    """A state in pictures, as the screen shows them, and in numbers, float32 (n, *event_shape). At a clean level
    ``eps_hat`` is None. ``refusal`` says in words why nothing of it is there."""

    request: GatherStep
    x_t: Picture | None = None
    x0_hat: Picture | None = None
    x_t_values: Signed | None = None
    x0_hat_values: Signed | None = None
    eps_hat: Signed | None = None
    refusal: str = ""
    details: str = ""


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


Message = (
    Status
    | ModelOpened
    | ModelKnown
    | ModelLoading
    | ModelSaving
    | ModelAsks
    | ModelExported
    | ClassifierOpened
    | Recognised
    | MeasureStarted
    | Measured
    | RunStarted
    | Progress
    | Refined
    | Preview
    | Inspection
    | Gathered
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
