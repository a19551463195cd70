"""Two requests beside each other: what differs between them, in words. Imports no numpy and no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from core.request_words import LABELS_SHOWN, SAMPLERS, VARIANCES, printable
from core.requests import (
    FromImage,
    FromLatent,
    FromMorph,
    FromStep,
    ImageEnd,
    ImageRef,
    InvertRequest,
    ModelRef,
    MorphRequest,
    RunRequest,
    SampleRequest,
    SamplerSpec,
    ScheduleSpec,
)

NONE = "–"
"""What a request says of a setting that it does not have."""
HASH_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a request: its ``value``, and the ``words`` for it."""

    name: str
    value: Any
    words: str


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting that two requests have otherwise, in words."""

    name: str
    first: str
    second: str


def differences(first: RunRequest, second: RunRequest) -> tuple[Difference, ...]:
    """The settings in which two requests differ, in the order in which a run is described; none where they are equal.

    Of requests of two kinds only what both have is compared. Where the words for two values are the same, the second
    is said to be "another".
    """
    ours = {setting.name: setting for setting in settings_in(first)}
    theirs = {setting.name: setting for setting in settings_in(second)}
    names = [*ours, *(name for name in theirs if name not in ours)]
    if type(first) is not type(second):
        names = [name for name in names if name in ours and name in theirs]
    found: dict[str, Difference] = {}
    for name in names:
        one, other = ours.get(name), theirs.get(name)
        if one is None or other is None or one.value != other.value:
            left, right = (NONE if setting is None else setting.words for setting in (one, other))
            found[name] = Difference(name, left, f"{right}, another" if left == right else right)
    if "Timesteps" in found and ("Steps" in found or "Spacing" in found):
        del found["Timesteps"]  # they follow
    return tuple(found.values())


def settings_in(request: RunRequest) -> Iterator[Setting]:
    """All settings of a request that mean something for its kind."""
    yield Setting("Kind", type(request), _KINDS[type(request)])
    yield Setting("Model", request.model, _model(request.model))
    yield Setting("Noise schedule", request.schedule, _schedule(request.schedule))
    if isinstance(request, InvertRequest):
        yield from _inversion(request)
    else:
        yield from _sampler(request.sampler)
        yield from _morph(request) if isinstance(request, MorphRequest) else _samples(request)
    yield Setting("Steps", request.steps, str(request.steps))
    yield Setting("Spacing", request.spacing, request.spacing)
    yield Setting("Timesteps", request.timesteps, _timesteps(request.timesteps))
    yield Setting("Labels", request.labels, _labels(request.labels))
    yield Setting("Guidance w", request.guidance, f"{request.guidance:g}")
    yield Setting("Precision", request.precision, request.precision)


def _samples(request: SampleRequest) -> Iterator[Setting]:
    yield Setting("Start", request.start, _start(request))
    yield Setting("Seed", request.seed, str(request.seed))
    yield Setting("Samples", (request.count, request.samples), _cells(request))
    spec = request.classifier
    if spec is not None:
        yield Setting("Classifier", spec.model, _model(spec.model))
        yield Setting("Classifier scale s", spec.scale, f"{spec.scale:g}")
        yield Setting("Classes", spec.labels, _labels(spec.labels))
        yield Setting("Gradient at", spec.at, "the mean" if spec.at == "mean" else spec.at)
    interval = request.interval
    yield Setting("Guided", interval, "always" if interval is None else f"t {max(interval)} to {min(interval)}")
    yield Setting("Rescale", request.rescale, f"{request.rescale:g}")
    yield Setting("Temperature", request.temperature, f"{request.temperature:g}")
    yield Setting("Last ᾱ", request.final_alpha_bar, f"{request.final_alpha_bar:.6g}")


def _sampler(spec: SamplerSpec) -> Iterator[Setting]:
    yield Setting("Sampler", spec.name, SAMPLERS[spec.name])
    if spec.name == "ddim":
        yield Setting("η", spec.eta, f"{spec.eta:g}")
    if spec.name == "ddpm":
        yield Setting("Variance", spec.variance, VARIANCES[spec.variance])
    yield Setting("Clip x̂₀", spec.clip, spec.clip)
    if spec.clip == "dynamic":
        yield Setting("Percentile", spec.percentile, f"{100 * spec.percentile:g} %")
        yield Setting("Threshold at most", spec.limit, "no limit" if spec.limit is None else f"{spec.limit:g}")


def _inversion(request: InvertRequest) -> Iterator[Setting]:
    yield Setting("Picture", request.images, _pictures(request.images))
    yield Setting("Convention", request.convention, request.convention)
    yield Setting("Refinements", request.refinements, str(request.refinements))
    yield Setting("Clip x̂₀", request.clip, request.clip)
    yield Setting("First ᾱ", request.first_alpha_bar, f"{request.first_alpha_bar:.6g}")


def _morph(request: MorphRequest) -> Iterator[Setting]:
    yield Setting("End points", request.ends, ", ".join(_end(end) for end in request.ends))
    yield Setting("Mixing", request.mix, request.mix)
    yield Setting("Frames", request.frames, str(request.frames))
    yield Setting("Layout", request.layout, request.layout)
    yield Setting("Seed", request.seed, str(request.seed))
    yield Setting("Convention", request.convention, request.convention)
    yield Setting("Refinements", request.refinements, str(request.refinements))
    yield Setting("Made at once", request.batch, str(request.batch))
    yield Setting("Last ᾱ", request.final_alpha_bar, f"{request.final_alpha_bar:.6g}")


_KINDS: dict[type[RunRequest], str] = {SampleRequest: "denoised", InvertRequest: "inverted", MorphRequest: "morph"}


def _model(ref: ModelRef) -> str:
    return f"{printable(ref.name)} ({ref.sha256[:HASH_SHOWN]}…)"


def _schedule(spec: ScheduleSpec) -> str:
    ends = [f"{name} {beta:g}" for name, beta in (("from", spec.beta_start), ("to", spec.beta_end)) if beta is not None]
    return ", ".join((f"{spec.name}, T = {spec.T}", *ends, *(("zero SNR at T",) if spec.zero_snr else ())))


def _timesteps(timesteps: Sequence[int]) -> str:
    if len(timesteps) <= 4:
        return ", ".join(map(str, timesteps))
    return f"{timesteps[0]}, {timesteps[1]} … {timesteps[-1]}"


def _labels(labels: Sequence[int | None]) -> str:
    if not labels:
        return "none"
    if len(set(labels)) == 1:
        return "none" if labels[0] is None else str(labels[0])
    shown = ", ".join("none" if label is None else str(label) for label in labels[:LABELS_SHOWN])
    return shown + ("…" if len(labels) > LABELS_SHOWN else "")


def _cells(request: SampleRequest) -> str:
    if request.samples == tuple(range(request.count)):
        return str(request.count)
    return f"{', '.join(str(cell + 1) for cell in request.samples[:LABELS_SHOWN])} of {request.count}"


def _start(request: SampleRequest) -> str:
    match request.start:
        case FromImage(image=image):
            return f"picture {_picture(image)}"
        case FromStep(step=step):
            return f"a run's state at t = {request.timesteps[0]} (step {step})"
        case FromLatent():
            return "an inversion's latent"
        case FromMorph(frames=frames):
            return f"{len(frames)} latents of a morph"
    return "noise"


def _end(end: object) -> str:
    return _picture(end.image) if isinstance(end, ImageEnd) else f"seed {getattr(end, 'seed', NONE)}"


def _pictures(images: Sequence[ImageRef]) -> str:
    return ", ".join(_picture(image) for image in images[:LABELS_SHOWN])


def _picture(image: ImageRef) -> str:
    width, height = image.conversion.size[1], image.conversion.size[0]
    return f"{image.sha256[:HASH_SHOWN]}… at {width} × {height}"
