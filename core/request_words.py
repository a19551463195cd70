"""A request in words: in a line, in all it says, and as the sentence that a file carries."""

from __future__ import annotations

from core.requests import (
    FromImage,
    FromLatent,
    FromMorph,
    FromStep,
    InspectImage,
    InvertRequest,
    MorphRequest,
    NoiseRequest,
    RunRequest,
    SampleRequest,
)
from core.training.draw_request import TrainingDraw
from core.training.request import TrainRequest

LABELS_SHOWN = 16
MOST_LETTERS = 60
SAMPLERS = {"ddim": "DDIM", "ddpm": "DDPM", "heun": "Heun", "dpmpp": "DPM++ 2M"}
VARIANCES = {"small": "β̃_t", "large": "β_t", "learned": "learned"}


def sentence(request: RunRequest | NoiseRequest | InspectImage | TrainingDraw) -> str:
    """What a file tells a person who knows nothing of the program: "DDIM, eta = 0, 50 steps of ..." and so on."""
    if isinstance(request, TrainingDraw):
        return f"{count_of(request)} of {training_words(request.training)}."
    if isinstance(request, NoiseRequest):
        times = ", ".join(map(str, request.timesteps[:LABELS_SHOWN]))
        schedule = f"{request.schedule.name} schedule"
        return f"The forward process: a picture noised to t = {times} ({schedule}), seed {request.seed}."
    if isinstance(request, InspectImage):
        name = printable(request.model.name)
        return f"What the model {name} sees in a picture noised to t = {request.t}, seed {request.seed}."
    ways = {
        FromImage: "from a picture noised to",
        FromStep: "branched off another run at",
        FromLatent: "from the latent of an inversion at",
        FromMorph: "between latents at",
    }
    about = "; ".join(line for line in description(request).split("\n"))
    started = ""
    if isinstance(request, SampleRequest) and type(request.start) in ways and request.timesteps:
        started = f"; {ways[type(request.start)]} t = {request.timesteps[0]}"
    return f"Model {printable(request.model.name)}: {about}{started}."


def count_of(request: TrainingDraw) -> str:
    """ "16 samples after 1,200 steps", "16 samples after 0 to 1,200 steps"."""
    first, last = min(request.after), max(request.after)
    steps = f"{first:,}" if first == last else f"{first:,} to {last:,}"
    raw = ", raw weights," if set(request.weights) == {"raw"} else ""
    return f"{request.count} samples after {steps} steps{raw}"


def training_words(training: TrainRequest) -> str:
    """A training in a line: what it learned from, what, and how."""
    side, schedule = training.network.sides, training.schedule
    size = f" of {side[1]} × {side[0]}" if side else ""
    begun = f", begun from the model {printable(training.base.name)}" if training.base is not None else ""
    return (
        f"a training on the pictures {printable(training.data_name)}{size}{begun}: predicts {training.prediction}, "
        f"objective {training.objective}, {schedule.name} schedule with T = {schedule.T}, batch {training.batch}, "
        f"learning rate {training.lr:g}, seed {training.seed}"
    )


def printable(name: str) -> str:
    """A name, which may be a stranger's, fit to be read: on one line, not long, and nothing invisible in it."""
    shown = "".join(letter if letter.isprintable() else "\ufffd" for letter in name[: MOST_LETTERS + 1])
    return shown if len(shown) <= MOST_LETTERS else f"{shown[: MOST_LETTERS - 1]}…"


def summary(request: RunRequest) -> str:
    """A run in a line: "DDIM 50 · w 1.5", "DDPM 100 · s 4", "invert 50 · refined 2", "slerp 9 · DDIM 50"."""
    if isinstance(request, InvertRequest):
        words = [f"invert {request.steps}"]
        if request.refinements:
            words.append(f"refined {request.refinements}")
    elif isinstance(request, MorphRequest):
        words = [_mixing(request), _walk(request)]
    else:
        words = [_walk(request)]
        if isinstance(request.start, FromImage):
            words.insert(0, f"SDEdit t {request.timesteps[0]}")
        if len(request.cells) == 1:
            words.insert(0, f"sample {request.cells[0] + 1}")
    classifier = request.classifier if isinstance(request, SampleRequest) else None
    if any(label is not None for label in request.labels) and (request.guidance or classifier is None):
        words.append(f"w {request.guidance:g}")
    if isinstance(request, SampleRequest):
        if classifier is not None:
            words.append(f"s {classifier.scale:g}")
        if request.sampler.name == "ddim" and request.sampler.eta:
            words.append(f"η {request.sampler.eta:g}")
    return " · ".join(words)


def description(request: RunRequest) -> str:
    """All that a run is made with, a line each."""
    shown = ", ".join("none" if label is None else str(label) for label in request.labels[:LABELS_SHOWN])
    more = "…" if len(request.labels) > LABELS_SHOWN else ""
    return "\n".join(
        (
            *_what(request),
            f"{request.steps} steps, spacing {request.spacing}",
            f"guidance w = {request.guidance:g}, labels {shown}{more}" if request.labels else "no labels",
            *(_guidance(request) if isinstance(request, SampleRequest) else ()),
        )
    )


def _guidance(request: SampleRequest) -> tuple[str, ...]:
    """What else guides, and when."""
    words: list[str] = []
    if request.classifier is not None:
        spec = request.classifier
        at = f", gradient at {'the mean' if spec.at == 'mean' else spec.at}" if request.sampler.name == "ddpm" else ""
        words.append(f"classifier {printable(spec.model.name)}, scale s = {spec.scale:g}{at}")
    if request.interval is not None:
        words.append(f"guided from t = {max(request.interval)} down to {min(request.interval)}")
    if request.rescale:
        words.append(f"guidance rescaled by {request.rescale:g}")
    return tuple(words)


def _what(request: RunRequest) -> tuple[str, ...]:
    if isinstance(request, InvertRequest):
        count = len(request.images)
        refined = f", {request.refinements} refinements a step" if request.refinements else ""
        return (
            f"DDIM inversion of {'a picture' if count == 1 else f'{count} pictures'}",
            f"convention {request.convention}{refined}, {request.precision}, clip {request.clip}",
        )
    if isinstance(request, MorphRequest):
        return (
            f"morph between {len(request.ends)} end points, {_mixing(request)} frames, {_sampler(request)}",
            f"seed {request.seed}, {request.precision}, clip {request.sampler.clip}",
        )
    starts = {FromImage: ("from the picture",), FromLatent: ("from the latent of an inversion",)}
    temperature = f", temperature {request.temperature:g}" if request.temperature != 1 else ""
    return (
        _sampler(request),
        f"seed {request.seed}, {len(request.samples)} samples, {request.precision}{_clip(request)}{temperature}",
        *starts.get(type(request.start), ()),
    )


def _walk(request: SampleRequest | MorphRequest) -> str:
    return f"{SAMPLERS[request.sampler.name]} {request.steps}"


def _sampler(request: SampleRequest | MorphRequest) -> str:
    sampler = request.sampler
    noise = {"ddim": f", η = {sampler.eta:g}", "ddpm": f", variance {VARIANCES[sampler.variance]}"}
    return f"{SAMPLERS[sampler.name]}{noise.get(sampler.name, '')}"


def _clip(request: SampleRequest) -> str:
    sampler = request.sampler
    if sampler.clip != "dynamic":
        return f", clip {sampler.clip}"
    limit = "" if sampler.limit is None else f", at most {sampler.limit:g}"
    return f", clip dynamic at {100 * sampler.percentile:g} %{limit}"


def _mixing(request: MorphRequest) -> str:
    """ "slerp 9", "lerp 5 × 5", "mixed at t 500, 9"."""
    frames = f"{request.frames} × {request.frames}" if request.layout == "grid" else f"{request.frames}"
    return f"mixed at t {request.timesteps[0]}, {frames}" if request.mix == "ddpm" else f"{request.mix} {frames}"
