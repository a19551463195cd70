"""What the controls of Denoise say, and the request it becomes. No widget here, no tensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import cycle, islice
from typing import TypeVar, cast

from core.errors import Refusal
from core.messages import ClassifierInfo, ModelInfo
from core.paths import make_path, model_timesteps, partial_timesteps, steps_of_whole
from core.requests import (
    MAX_BRANCHES,
    ClassifierSpec,
    FromImage,
    FromNoise,
    FromStep,
    GradientPlace,
    ImageRef,
    Precision,
    SampleRequest,
    SamplerSpec,
    SpacingName,
    branch_depth,
)
from core.sampling_plan import check_fits
from core.schedules import make_schedule

Labels = tuple[int | None, ...]
Label = TypeVar("Label")

START_T = 600


@dataclass(frozen=True, slots=True)
class ClassifierSettings:
    """Guidance by a classifier as the controls say it. ``targets`` are its classes, dealt out to the samples in turn;
    () takes every sample towards the class of that name that the network is asked for."""

    info: ClassifierInfo
    targets: tuple[int, ...] = ()
    scale: float = 1.0
    at: GradientPlace = "x_t"


@dataclass(frozen=True, slots=True)
class DenoiseSettings:
    """The controls as one value.

    ``labels`` are dealt out to the samples in turn: one entry is the same class for all, ``(0, 1, .. 9)`` a class for
    each, ``(None,)`` no class. ``start_t`` (0..T-1) holds where the run starts from the person's picture; of the
    ``steps`` that would walk down from noise it then takes those below ``start_t``. Guidance works at the timesteps
    from the first of ``interval`` down to the second, None: at all.
    """

    sampler: SamplerSpec = field(default_factory=SamplerSpec)
    steps: int = 50
    spacing: SpacingName = "leading"
    hand: tuple[int, ...] = ()
    labels: Labels = (None,)
    guidance: float = 0.5
    seed: int = 42
    count: int = 10
    precision: Precision = "float32"
    from_picture: bool = False
    start_t: int = START_T
    interval: tuple[int, int] | None = None
    rescale: float = 0.0
    temperature: float = 1.0
    classifier: ClassifierSettings | None = None


def settings_for(model: ModelInfo, settings: DenoiseSettings) -> DenoiseSettings:
    """``settings`` with all that the model's own scheduler decides, and as it is usually sampled."""
    usual = usual_guidance(model)
    return replace(
        settings,
        sampler=model.sampler,
        spacing=cast(SpacingName, model.spacing),
        precision=cast(Precision, model.precision),
        labels=tuple(range(len(model.labels))) or (None,),
        steps=usual_steps(model),
        guidance=usual,
        start_t=min(settings.start_t, model.schedule.T - 1),
        interval=None,
        classifier=None if settings.classifier and misfit(settings.classifier.info, model) else settings.classifier,
    )


def usual_guidance(model: ModelInfo) -> float:
    """The w that a model is sampled with where nobody chose another."""
    if model.null_label is None:
        return 0.0
    return DenoiseSettings().guidance if model.usual_guidance is None else model.usual_guidance


def usual_steps(model: ModelInfo) -> int:
    """As many steps as a model is sampled with where nobody chose another number."""
    return min(model.schedule.T, model.usual_steps or DenoiseSettings().steps)


def misfit(classifier: ClassifierInfo, model: ModelInfo) -> str:
    """Why this classifier cannot guide this model, in words; "" where it can."""
    name = classifier.ref.name
    if not classifier.labels:
        return f"“{name}” tells no classes apart, so there is nothing to guide towards."
    if not classifier.noisy:
        return f"“{name}” has only seen clean pictures: it can judge, not guide. Train one on noised pictures."
    if classifier.event_shape != model.event_shape:
        return (
            f"“{name}” looks at {_size(classifier.event_shape)}, “{model.ref.name}” draws {_size(model.event_shape)}. "
            "Choose a classifier and a model of the same pictures."
        )
    return ""


def named_alike(classifier: ClassifierInfo, model: ModelInfo) -> bool:
    """Whether every class of the model is, by its name, one of the classifier's."""
    return bool(model.labels) and set(model.labels) <= set(classifier.labels)


def resolve(settings: DenoiseSettings, model: ModelInfo, picture: ImageRef | None = None) -> SampleRequest:
    """The request these settings mean for this model. Raises Refusal where they cannot be met."""
    timesteps = model_timesteps(model, settings.steps, settings.spacing, settings.hand)
    start: FromNoise | FromImage = FromNoise()
    if settings.from_picture:
        if picture is None:
            raise Refusal("There is no picture to start from. Open one, or start from noise.")
        start = FromImage(picture)
        timesteps = partial_timesteps(timesteps, settings.start_t)
    labels = deal(settings.labels, settings.count) if model.labels else ()
    request = SampleRequest(
        model=model.ref,
        schedule=model.schedule,
        timesteps=timesteps,
        spacing=settings.spacing,
        sampler=settings.sampler,
        seed=settings.seed,
        count=settings.count,
        labels=labels,
        guidance=settings.guidance if model.labels else 0.0,
        precision=settings.precision,
        start=start,
        final_alpha_bar=model.final_alpha_bar,
        interval=settings.interval,
        rescale=settings.rescale,
        classifier=_classifier(settings.classifier, labels, settings.count, model),
        temperature=1.0 if settings.from_picture else settings.temperature,
    )
    check_fits(request, model, make_path(make_schedule(model.schedule), timesteps, model.final_alpha_bar))
    return request


def _classifier(
    chosen: ClassifierSettings | None, labels: Labels, count: int, model: ModelInfo
) -> ClassifierSpec | None:
    """What guides samples that have these labels of the model. Raises Refusal where they name no class to go to."""
    if chosen is None:
        return None
    why_not = misfit(chosen.info, model)
    if why_not:
        raise Refusal(f"{why_not} Choose another classifier, or none.")
    targets = deal(chosen.targets, count) if chosen.targets else _namesakes(chosen.info, labels, model)
    return ClassifierSpec(chosen.info.ref, targets, chosen.scale, chosen.at)


def _namesakes(classifier: ClassifierInfo, labels: Labels, model: ModelInfo) -> tuple[int, ...]:
    names = [None if label is None else model.labels[label] for label in labels]
    if not names or any(name not in classifier.labels for name in names):
        raise Refusal("The classifier guides towards a class: choose a label, or one of its classes under More.")
    return tuple(classifier.labels.index(name) for name in names if name is not None)


def branch(
    parent: SampleRequest, step: int, settings: DenoiseSettings, model: ModelInfo, cell: int | None = None
) -> SampleRequest:
    """The request that leaves ``parent`` at state ``step`` (0..steps-1) and goes on with other settings.

    What is left of the parent's path stays, and so do its samples, or of them the one at ``cell`` alone; label, all
    of guidance, sampler, seed and precision are those of the settings. Raises Refusal at the last state, from which no
    step is left.
    """
    if not 0 <= step < parent.steps:
        raise Refusal("No step is left to branch from here. Go back to an earlier step and branch there.")
    if branch_depth(parent) >= MAX_BRANCHES:
        raise Refusal(
            f"This run is already {MAX_BRANCHES} branches away from its first one. Begin a new run with its settings."
        )
    labels = deal(settings.labels, parent.count) if parent.labels else ()
    return replace(
        parent,
        timesteps=parent.timesteps[step:],
        spacing="hand",
        sampler=settings.sampler,
        seed=settings.seed,
        labels=labels,
        guidance=settings.guidance if parent.labels else 0.0,
        interval=settings.interval,
        rescale=settings.rescale,
        classifier=_classifier(settings.classifier, labels, parent.count, model),
        precision=settings.precision,
        start=FromStep(parent, step),
        cells=parent.cells if cell is None else (parent.samples[cell],),
    )


def settings_of(
    request: SampleRequest, classifiers: Sequence[ClassifierInfo] = (), model: ModelInfo | None = None
) -> DenoiseSettings:
    """The settings that a run was made with, for showing them in the controls again.

    Where a run begins from a picture, its timesteps are known as a part of the ``model``'s spacing, or else taken by
    hand. Those of a branch have the steps of the run it began with, so that they make a whole run. Of ``classifiers``,
    those that are open, the one that guided it is found by its hash.
    """
    spec = request.classifier
    info = next((one for one in classifiers if spec is not None and one.ref.sha256 == spec.model.sha256), None)
    guiding = ClassifierSettings(info, shortest(spec.labels), spec.scale, spec.at) if spec and info else None
    if isinstance(request.start, FromStep):
        return replace(
            settings_of(request.start.parent, model=model),
            sampler=request.sampler,
            labels=undeal(request.labels),
            guidance=request.guidance,
            seed=request.seed,
            precision=request.precision,
            interval=request.interval,
            rescale=request.rescale,
            classifier=guiding,
        )
    from_picture = isinstance(request.start, FromImage)
    steps: int | None = request.steps
    if from_picture:
        part = request.timesteps, request.spacing
        steps = None if model is None else steps_of_whole(model, *part, usual_steps(model))
    by_hand = request.spacing == "hand" or steps is None
    return DenoiseSettings(
        sampler=request.sampler,
        steps=request.steps if steps is None else steps,
        spacing="hand" if by_hand else request.spacing,
        hand=request.timesteps if by_hand else (),
        labels=undeal(request.labels),
        guidance=request.guidance,
        seed=request.seed,
        count=request.count,
        precision=request.precision,
        from_picture=from_picture,
        start_t=request.timesteps[0] if from_picture else START_T,
        interval=request.interval,
        rescale=request.rescale,
        temperature=request.temperature,
        classifier=guiding,
    )


def deal(labels: tuple[Label, ...], count: int) -> tuple[Label, ...]:
    return tuple(islice(cycle(labels), count))


def undeal(labels: Labels) -> Labels:
    """The shortest pattern that dealt out in turn gives ``labels``; no class where there is none."""
    return shortest(labels) or (None,)


def shortest(dealt: tuple[Label, ...]) -> tuple[Label, ...]:
    """The shortest pattern that dealt out in turn gives ``dealt``."""
    lengths = (length for length in range(1, len(dealt)) if deal(dealt[:length], len(dealt)) == dealt)
    return dealt[: next(lengths, len(dealt))]


def _size(shape: tuple[int, ...]) -> str:
    """ "32 × 32 grey"."""
    if len(shape) != 3:
        return " × ".join(map(str, shape))
    channels, height, width = shape
    return f"{width} × {height} {({1: 'grey', 3: 'colour'}).get(channels, f'with {channels} channels')}"
