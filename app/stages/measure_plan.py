"""The request that the settings of Measure mean, what it costs, and what would do nearly as well for less."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from app.stages.measure_kinds import PLOTLESS
from app.stages.measure_settings import MeasureSettings, why_not
from core.errors import Refusal
from core.evaluation.coarse_to_fine import Sharing, parent_of, sharing
from core.evaluation.distance import FRECHET_SAMPLES, SMALLEST_STRATUM, may_use_frechet
from core.evaluation.plans import (
    Draws,
    classifier_sweep,
    distance_request,
    evaluations_of,
    guidance_sweep,
    likelihood_request,
    sampler_comparison,
    skip_sweep,
    temperature_sweep,
)
from core.measure_requests import DistanceRequest, LikelihoodRequest, QualityRequest, Trial
from core.messages import ClassifierInfo, ModelInfo
from core.requests import SampleRequest
from core.training.dataset import PictureFolder

LONG = 300.0
"""Seconds from which on something smaller is proposed."""
SURE_PICTURES = 100
"""Fewer than these say little of a distance."""
QUICK_TIMESTEPS, QUICK_STEPS, QUICK_PICTURES, QUICK_SAMPLES = 50, 20, 50, 100


@dataclass(frozen=True)
class Proposal:
    """Values of controls, by their names; they take this ``share`` of the time."""

    words: str
    values: Mapping[str, float]
    share: float


def plan(
    settings: MeasureSettings,
    model: ModelInfo | None,
    data: PictureFolder | None,
    classifiers: Sequence[ClassifierInfo],
) -> QualityRequest:
    """What the engine is to measure. Raises Refusal where the settings cannot be met."""
    words = why_not(model)
    if words or model is None:
        raise Refusal(words)
    if data is None:
        raise Refusal("Choose a folder of pictures to measure the model on.")
    if data.pictures.shape[1] != model.event_shape[1]:
        raise Refusal(
            f"The folder is not yet read at {model.event_shape[2]} × {model.event_shape[1]} pixels. Wait a moment."
        )
    if settings.kind == "likelihood":
        return likelihood_request(
            model,
            data,
            pictures=settings.pictures,
            timesteps=settings.timesteps if settings.timesteps < model.schedule.T else None,
            draws=settings.draws,
            seed=settings.seed,
            labelled=settings.labelled,
            variance=settings.variance,
            clip=settings.likelihood_clip,
            precision=settings.precision,
        )
    judge = next((one for one in classifiers if one.ref.sha256 == settings.features), None)
    if judge is None:
        raise Refusal("Open a network whose features are compared: under More, at “Features of”.")
    if judge.labels and judge.event_shape[1:] != model.event_shape[1:]:  # Inception, without labels, takes any size
        sizes = "{2} × {1}".format(*judge.event_shape), "{2} × {1}".format(*model.event_shape)
        raise Refusal(
            f"“{judge.ref.name}” looks at pictures of {sizes[0]} pixels, “{model.ref.name}” makes {sizes[1]}. "
            "Open another network under More, at “Features of”."
        )
    return distance_request(
        trials_of(settings, model, classifiers),
        data,
        judge.ref,
        metric=settings.metric,
        neighbours=settings.neighbours,
        seed=settings.seed,
    )


def trials_of(settings: MeasureSettings, model: ModelInfo, classifiers: Sequence[ClassifierInfo]) -> tuple[Trial, ...]:
    """The points of a comparison, or the only one. Raises Refusal where there is none."""
    draws = draws_of(settings, model)
    match settings.kind:
        case "samplers":
            if not settings.compared or not settings.evaluations:
                raise Refusal("Choose at least one sampler and one number of evaluations, under More.")
            return sampler_comparison(draws, settings.compared, settings.evaluations)
        case "fidelity":
            return _fidelity(settings, draws, classifiers)
        case "skip":
            if not settings.skipped:
                raise Refusal("Write down at least one share to skip, such as 0, 0.2, 0.4, under More.")
            return skip_sweep(draws, settings.skipped)
    return (draws.trial("", float(settings.samples), draws.request()),)


def draws_of(settings: MeasureSettings, model: ModelInfo) -> Draws:
    return Draws(
        model,
        samples=settings.samples,
        seed=settings.seed,
        steps=settings.steps,
        sampler=settings.sampler,
        spacing=settings.spacing,
        guidance=settings.guidance if settings.kind != "fidelity" and model.null_label is not None else 0.0,
        precision=settings.precision,
        labels=settings.labels,
    )


def coarse_plan(settings: MeasureSettings, model: ModelInfo | None) -> tuple[SampleRequest, tuple[Sharing, ...]]:
    """The run whose states are shared, and those that leave it. Raises Refusal."""
    if model is None:
        raise Refusal("No model is open. Open one on the left.")
    if not settings.shared:
        raise Refusal("Write down at least one share of the way, such as 1, 0.5, under More.")
    if settings.labels is None and model.labels:  # one sample has one class: which one follows from the seed
        settings = replace(settings, labels=(settings.seed % len(model.labels),))
    parent = parent_of(draws_of(settings, model).request())
    return parent, sharing(parent, sorted(settings.shared, reverse=True), settings.copies)


def nearest_plan(settings: MeasureSettings, model: ModelInfo | None, data: PictureFolder | None) -> SampleRequest:
    """The run whose samples are compared with the pictures. Raises Refusal."""
    words = why_not(model)
    if words or model is None:
        raise Refusal(words)
    if data is None:
        raise Refusal("Choose a folder of pictures to compare samples with: best those that the model was trained on.")
    draws = draws_of(settings, model)
    return replace(draws, samples=settings.checked, batch=settings.checked).request()


def remarks(request: QualityRequest, classifiers: Sequence[ClassifierInfo]) -> str:
    """What one should know of a distance before it is measured: that there are too few pictures, or too few of both for
    the metric that is chosen."""
    if not isinstance(request, DistanceRequest):
        return ""
    said, reference = [], len(request.pictures)
    if reference < SURE_PICTURES:
        said.append(f"Only {reference} pictures to compare with: a distance to so few says little.")
    if request.metric == "kernel" and any(_least_of_a_class(trial) < SMALLEST_STRATUM for trial in request.trials):
        said.append(
            f"With fewer than {SMALLEST_STRATUM} samples of each class the kernel distance comes out too small: "
            "draw more, or one class alone."
        )
    judge = next((one for one in classifiers if one.ref == request.features), None)
    if request.metric == "frechet" and judge is not None:
        counts = [trial.batches * trial.request.count for trial in request.trials]
        if not all(may_use_frechet(count, reference, judge.features) for count in counts):
            needed = FRECHET_SAMPLES * judge.features
            said.append(
                f"A Fréchet distance of {judge.features:,} features needs {needed:,} samples and as many pictures: the "
                "kernel distance is measured instead."
            )
    return " ".join(said)


def _least_of_a_class(trial: Trial) -> float:
    """How many samples of a class there are, where a trial draws several classes."""
    request = trial.request
    labels = [request.labels[cell] for cell in request.samples] if request.labels else []
    if request.classifier is not None and not any(label is not None for label in labels):
        labels = [request.classifier.labels[cell] for cell in request.samples]
    counts = Counter(labels)
    return trial.batches * min(counts.values()) if len(counts) > 1 else math.inf


def cost_of(request: QualityRequest) -> int:
    """How often the network is asked about one picture."""
    match request:
        case LikelihoodRequest():
            return len(request.pictures) * len(request.timesteps) * request.draws
        case DistanceRequest():
            return sum(trial.batches * cost_of_run(trial.request) for trial in request.trials)


def cost_of_run(request: SampleRequest) -> int:
    """The same of a run; a classifier's gradient counts as another look at every step."""
    guided = request.steps if request.classifier is not None else 0
    return len(request.samples) * (evaluations_of(request) + guided)


def smaller(settings: MeasureSettings, seconds: float | None) -> Proposal | None:
    """What would do nearly as well where this takes long; None where it does not, or is small already."""
    if seconds is None or seconds < LONG or settings.kind in PLOTLESS:
        return None
    if settings.kind == "likelihood":
        if settings.timesteps > QUICK_TIMESTEPS:
            return Proposal(
                f"{QUICK_TIMESTEPS} timesteps", {"timesteps": QUICK_TIMESTEPS}, QUICK_TIMESTEPS / settings.timesteps
            )
        if settings.pictures > QUICK_PICTURES:
            return Proposal(
                f"{QUICK_PICTURES} pictures", {"pictures": QUICK_PICTURES}, QUICK_PICTURES / settings.pictures
            )
        return None
    if settings.kind != "samplers" and settings.steps > QUICK_STEPS:
        return Proposal(f"{QUICK_STEPS} steps", {"steps": QUICK_STEPS}, QUICK_STEPS / settings.steps)
    if settings.samples > QUICK_SAMPLES:
        return Proposal(f"{QUICK_SAMPLES} samples", {"samples": QUICK_SAMPLES}, QUICK_SAMPLES / settings.samples)
    return None


def _fidelity(settings: MeasureSettings, draws: Draws, classifiers: Sequence[ClassifierInfo]) -> tuple[Trial, ...]:
    guide = next((one for one in classifiers if one.ref.sha256 == settings.guide), None)
    trials: tuple[Trial, ...] = ()
    if settings.ws and draws.info.null_label is not None:
        trials += guidance_sweep(draws, settings.ws)
    if settings.scales and guide is not None:
        trials += classifier_sweep(draws, guide.ref, guide.labels, settings.scales)
    if settings.temperatures:
        trials += temperature_sweep(draws, settings.temperatures)
    if not trials:
        raise Refusal("Write down values of w, of a classifier's scale or of the temperature, under More.")
    return trials
