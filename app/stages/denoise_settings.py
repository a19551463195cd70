"""What the controls of Denoise say, and the request it becomes. No widget here, no tensor."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import cycle, islice
from typing import cast

from core.errors import Refusal
from core.messages import ModelInfo
from core.paths import model_timesteps, partial_timesteps
from core.requests import (
    MAX_BRANCHES,
    FromImage,
    FromNoise,
    FromStep,
    ImageRef,
    Precision,
    SampleRequest,
    SamplerSpec,
    SpacingName,
    branch_depth,
)

Labels = tuple[int | None, ...]

START_T = 600


@dataclass(frozen=True, slots=True)
class DenoiseSettings:
    """The controls as one value.

    ``labels`` are dealt out to the samples in turn: one entry is the same class for all, ``(0, 1, .. 9)`` a class for
    each, ``(None,)`` no class. ``start_t`` (0..T-1) holds where the run starts from the person's picture; of the
    ``steps`` that would walk down from noise it then takes those below ``start_t``.
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


def settings_for(model: ModelInfo, settings: DenoiseSettings) -> DenoiseSettings:
    """``settings`` with all that the model's own scheduler decides."""
    return replace(
        settings,
        sampler=model.sampler,
        spacing=cast(SpacingName, model.spacing),
        precision=cast(Precision, model.precision),
        labels=tuple(range(len(model.labels))) or (None,),
        guidance=0.0 if model.null_label is None else settings.guidance,
        start_t=min(settings.start_t, model.schedule.T - 1),
    )


def resolve(settings: DenoiseSettings, model: ModelInfo, picture: ImageRef | None = None) -> SampleRequest:
    """The request these settings mean for this model. Raises Refusal where they cannot be met."""
    timesteps = model_timesteps(model, settings.steps, settings.spacing, settings.hand)
    start: FromNoise | FromImage = FromNoise()
    if settings.from_picture:
        if picture is None:
            raise Refusal("There is no picture to start from. Open one, or start from noise.")
        start = FromImage(picture)
        timesteps = partial_timesteps(timesteps, settings.start_t)
    return SampleRequest(
        model=model.ref,
        schedule=model.schedule,
        timesteps=timesteps,
        spacing=settings.spacing,
        sampler=settings.sampler,
        seed=settings.seed,
        count=settings.count,
        labels=deal(settings.labels, settings.count) if model.labels else (),
        guidance=settings.guidance if model.labels else 0.0,
        precision=settings.precision,
        start=start,
        final_alpha_bar=model.final_alpha_bar,
    )


def branch(parent: SampleRequest, step: int, settings: DenoiseSettings, cell: int | None = None) -> SampleRequest:
    """The request that leaves ``parent`` at state ``step`` (0..steps-1) and goes on with other settings.

    What is left of the parent's path stays, and so do its samples, or of them the one at ``cell`` alone; label,
    guidance, sampler, eta, seed and precision are those of the settings. Raises Refusal at the last state, from which
    no step is left.
    """
    if not 0 <= step < parent.steps:
        raise Refusal("No step is left to branch from here. Go back to an earlier step and branch there.")
    if branch_depth(parent) >= MAX_BRANCHES:
        raise Refusal(
            f"This run is already {MAX_BRANCHES} branches away from its first one. Begin a new run with its settings."
        )
    return replace(
        parent,
        timesteps=parent.timesteps[step:],
        spacing="hand",
        sampler=settings.sampler,
        seed=settings.seed,
        labels=deal(settings.labels, parent.count) if parent.labels else (),
        guidance=settings.guidance if parent.labels else 0.0,
        precision=settings.precision,
        start=FromStep(parent, step),
        cells=parent.cells if cell is None else (parent.samples[cell],),
    )


def settings_of(request: SampleRequest) -> DenoiseSettings:
    """The settings that a run was made with, for showing them in the controls again.

    Those of a branch have the steps of the run it began with, so that they make a whole run.
    """
    if isinstance(request.start, FromStep):
        return replace(
            settings_of(request.start.parent),
            sampler=request.sampler,
            labels=undeal(request.labels),
            guidance=request.guidance,
            seed=request.seed,
            precision=request.precision,
        )
    from_picture = isinstance(request.start, FromImage)
    by_hand = request.spacing == "hand" or from_picture  # a part of a spacing is known by its timesteps alone
    return DenoiseSettings(
        sampler=request.sampler,
        steps=request.steps,
        spacing="hand" if by_hand else request.spacing,
        hand=request.timesteps if by_hand else (),
        labels=undeal(request.labels),
        guidance=request.guidance,
        seed=request.seed,
        count=request.count,
        precision=request.precision,
        from_picture=from_picture,
        start_t=request.timesteps[0] if from_picture else START_T,
    )


def deal(labels: Labels, count: int) -> Labels:
    return tuple(islice(cycle(labels), count))


def undeal(labels: Labels) -> Labels:
    """The shortest pattern that dealt out in turn gives ``labels``."""
    for length in range(1, len(labels)):
        if deal(labels[:length], len(labels)) == labels:
            return labels[:length]
    return labels or (None,)
