"""Requests: everything a run needs, resolved, immutable and serialisable (see core/codec.py).

The window, the command line, picture metadata, the history and the tests all speak these. A request never says
"auto", holds no path and no user name: models and images are named by the hash of their content.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SCHEMA = 1

MAX_BRANCHES = 32
"""How often a branch may leave a branch; deeper requests are refused when read, so none is made."""

ScheduleName = Literal["linear", "cosine", "quadratic", "sigmoid", "sigmoid_alpha_bar", "constant", "drawn", "betas"]
SpacingName = Literal["leading", "linspace", "trailing", "quadratic", "quadratic_full", "log_snr", "hand"]
SamplerName = Literal["ddpm", "ddim", "heun", "dpmpp"]
ClipPolicy = Literal["none", "clamp", "rederive", "dynamic"]
VarianceName = Literal["small", "large", "learned"]
VarianceKind = Literal["fixed", "range", "diagonal"]
GradientPlace = Literal["x_t", "mean"]
Precision = Literal["float32", "bfloat16", "float16"]
PredictionKind = Literal["eps", "x0", "v", "mean"]
InversionConvention = Literal["diffusers", "openai"]
MixName = Literal["slerp", "lerp", "ddpm"]
MorphLayout = Literal["edges", "grid"]


@dataclass(frozen=True, slots=True)
class ScheduleSpec:
    """A noise schedule by name and parameters; ``core.schedules.make_schedule`` turns it into tables.

    ``beta_start`` and ``beta_end`` None mean the name's published values (for "linear" scaled by 1000 / T).
    ``points`` are (t / (T - 1), alpha_bar) control points of a drawn schedule; ``betas`` the explicit list.
    ``zero_snr`` rescales the schedule so that nothing of the picture is left at the last timestep (Lin et al. 2024).
    """

    name: ScheduleName = "linear"
    T: int = 1000
    beta_start: float | None = None
    beta_end: float | None = None
    points: tuple[tuple[float, float], ...] = ()
    betas: tuple[float, ...] = ()
    zero_snr: bool = False


@dataclass(frozen=True, slots=True)
class ModelRef:
    """A model by the SHA-256 of its weights and configuration; the name is for people."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Conversion:
    """How a person's picture becomes the network's input: shown, adjustable, stored.

    ``crop`` is (left, top, right, bottom) as fractions of the upright picture, ``size`` (height, width) in pixels,
    ``channels`` 1 (luma) or 3, ``invert`` swaps dark and light, ``background`` is what transparent pixels become.
    """

    size: tuple[int, int]
    channels: int = 3
    crop: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    invert: bool = False
    background: tuple[int, int, int] = (255, 255, 255)


@dataclass(frozen=True, slots=True)
class ImageRef:
    """A picture by the SHA-256 of its decoded, upright pixels, and how it is converted for the network."""

    sha256: str
    conversion: Conversion


@dataclass(frozen=True, slots=True)
class SamplerSpec:
    """How a path is walked. ``eta`` belongs to DDIM (0 deterministic, 1 the DDPM posterior), ``variance`` to DDPM.

    ``clip`` belongs to all: "dynamic" holds each picture's x0_hat within the ``percentile`` of its own |x0_hat|, where
    that is more than the data's range and at most ``limit`` (None: without limit), and scales it back into the range
    (Saharia et al. 2022 (Imagen), section 2.3).
    """

    name: SamplerName = "ddim"
    eta: float = 0.0
    variance: VarianceName = "small"
    clip: ClipPolicy = "clamp"
    percentile: float = 0.995
    limit: float | None = None


@dataclass(frozen=True, slots=True)
class ClassifierSpec:
    """Guidance by the gradient of a noisy classifier (Dhariwal & Nichol 2021): ``scale`` times grad log p(y | x_t).

    ``labels`` are classes of the classifier, one a sample. "ddpm" shifts the mean by variance times gradient, taken
    ``at`` x_t or at the mean; all others shift the score at x_t.
    """

    model: ModelRef
    labels: tuple[int, ...]
    scale: float = 1.0
    at: GradientPlace = "x_t"


@dataclass(frozen=True, slots=True)
class FromNoise:
    """Start from x_T drawn with the request's seed."""


@dataclass(frozen=True, slots=True)
class FromImage:
    """Start from a picture noised to the first level of the path."""

    image: ImageRef


@dataclass(frozen=True, slots=True)
class FromStep:
    """Start from state ``step`` (0 = the start) of another run, which is replayed if it is no longer there."""

    parent: SampleRequest
    step: int


@dataclass(frozen=True, slots=True)
class FromLatent:
    """Start from the latent of an inversion; that of a single picture serves for every sample."""

    parent: InvertRequest


@dataclass(frozen=True, slots=True)
class FromMorph:
    """Start from these frames of a morph, one for each sample."""

    parent: MorphRequest
    frames: tuple[int, ...]


Start = FromNoise | FromImage | FromStep | FromLatent | FromMorph


@dataclass(frozen=True, slots=True)
class SampleRequest:
    """One run of a sampler.

    ``timesteps`` are the levels visited, in order, as the network is told them; the run ends on ``final_alpha_bar``
    (1.0: the data). ``labels`` has one entry a sample (None: the null label), or is empty for unconditional models.
    ``guidance`` is the paper's w: eps = (1 + w) eps_c - w eps_u; 0 is plain conditional. ``cells`` are the samples of
    the ``count`` that are walked alone, empty for all: noise is drawn for all, so each stays the picture it was.
    Guidance of either kind works at the timesteps of ``interval`` (first and last, both counted; None: at all) (see
    Kynkaanniemi et al. 2024); ``rescale`` is how far guided predictions go back to the conditional one's standard
    deviation (0..1, Lin et al. 2024). ``temperature`` scales the initial noise of a run that starts from it.
    """

    model: ModelRef
    schedule: ScheduleSpec
    timesteps: tuple[int, ...]
    spacing: SpacingName
    sampler: SamplerSpec
    seed: int
    count: int = 1
    labels: tuple[int | None, ...] = ()
    guidance: float = 0.0
    precision: Precision = "float32"
    start: Start = FromNoise()
    final_alpha_bar: float = 1.0
    cells: tuple[int, ...] = ()
    interval: tuple[int, int] | None = None
    rescale: float = 0.0
    classifier: ClassifierSpec | None = None
    temperature: float = 1.0

    @property
    def steps(self) -> int:
        return len(self.timesteps)

    @property
    def samples(self) -> tuple[int, ...]:
        """Which of the batch are walked, by their number in it."""
        return self.cells or tuple(range(self.count))


@dataclass(frozen=True, slots=True)
class InvertRequest:
    """DDIM inversion of pictures, all in one batch: a walk up from x_0 to a latent (Song et al. 2021, section 4.3).

    ``timesteps`` rise. ``convention`` says where the network is asked: "diffusers" at the target's t about an x at the
    source's level, the picture being at ``first_alpha_bar``; "openai" at the x's own t, the picture being x at t = 0.
    ``refinements`` is the number of fixed-point iterations a step, one more evaluation of the network each.
    """

    model: ModelRef
    schedule: ScheduleSpec
    timesteps: tuple[int, ...]
    spacing: SpacingName
    images: tuple[ImageRef, ...]
    labels: tuple[int | None, ...] = ()
    guidance: float = 0.0
    clip: ClipPolicy = "none"
    convention: InversionConvention = "diffusers"
    refinements: int = 0
    precision: Precision = "float32"
    first_alpha_bar: float = 1.0

    @property
    def steps(self) -> int:
        """Steps of the walk: in the "openai" convention a first timestep of 0 is where it begins."""
        return len(self.timesteps) - (self.convention == "openai" and self.timesteps[:1] == (0,))


@dataclass(frozen=True, slots=True)
class SeedEnd:
    """An end point of a morph: sample ``index`` of the ``count`` that a run draws from ``seed``."""

    seed: int
    count: int = 1
    index: int = 0


@dataclass(frozen=True, slots=True)
class ImageEnd:
    """An end point of a morph: a picture, inverted, or only noised in DDPM's interpolation."""

    image: ImageRef


MorphEnd = SeedEnd | ImageEnd


@dataclass(frozen=True, slots=True)
class MorphRequest:
    """From picture to picture by way of their latents, or of their noised selves.

    ``timesteps`` fall; the latents lie at the first. "slerp" and "lerp" mix the inverted pictures and the seeds' noise
    (Song et al. 2021, section 5.3); "ddpm" noises pictures with one noise, drawn from ``seed``, and mixes them
    linearly (Ho et al. 2020, section 4.3). The layout "edges" puts ``frames`` from each end point to the next, both
    counted, and closes a triangle or square; "grid" is ``frames`` x ``frames`` between four corners. ``batch`` frames
    are denoised together, all with the same step noise. ``labels`` has one entry an end point, or is empty for
    unconditional models: a picture is inverted with its own, a frame takes that of the nearest. ``sampler.clip``
    holds on both walks.
    """

    model: ModelRef
    schedule: ScheduleSpec
    timesteps: tuple[int, ...]
    spacing: SpacingName
    sampler: SamplerSpec
    ends: tuple[MorphEnd, ...]
    frames: int
    mix: MixName = "slerp"
    layout: MorphLayout = "edges"
    seed: int = 0
    labels: tuple[int | None, ...] = ()
    guidance: float = 0.0
    precision: Precision = "float32"
    convention: InversionConvention = "diffusers"
    refinements: int = 0
    final_alpha_bar: float = 1.0
    batch: int = 8

    @property
    def steps(self) -> int:
        """Steps of each frame's way down."""
        return len(self.timesteps)


RunRequest = SampleRequest | InvertRequest | MorphRequest
"""What the engine makes a run of."""


@dataclass(frozen=True, slots=True)
class NoiseRequest:
    """The forward process on a picture at its own size: x_t for several t with one noise."""

    image: ImageRef
    schedule: ScheduleSpec
    timesteps: tuple[int, ...]
    seed: int


@dataclass(frozen=True, slots=True)
class InspectImage:
    """What the network sees in a noised picture: x0_hat, eps_hat and score at one t (interactive, latest wins)."""

    model: ModelRef
    schedule: ScheduleSpec
    image: ImageRef
    t: int
    seed: int
    label: int | None = None
    guidance: float = 0.0
    precision: Precision = "float32"


@dataclass(frozen=True, slots=True)
class InspectStep:
    """x0_hat and eps_hat of a stored state of a run, or of one ``frame`` of a morph (interactive, latest wins)."""

    run: int
    step: int
    frame: int | None = None


@dataclass(frozen=True, slots=True)
class GatherStep:
    """All of a state of a run, or of one ``frame`` of a morph, for a file: it replaces no question of the screen's."""

    run: int
    step: int
    frame: int | None = None


Interactive = InspectImage | InspectStep | GatherStep


def branch_depth(request: SampleRequest) -> int:
    """How many branches lie between this run and one that begins by itself: 0 for the latter."""
    depth = 0
    while isinstance(request.start, FromStep):
        depth, request = depth + 1, request.start.parent
    return depth
