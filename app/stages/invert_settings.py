"""What the controls of Invert say, and the requests they become. No widget here, no tensor."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, cast

from app.stages.denoise_settings import START_T, DenoiseSettings, deal
from app.stages.denoise_settings import resolve as resolve_sample
from core.errors import Refusal
from core.inversion_plan import inversion_path, reconstruction
from core.messages import ModelInfo
from core.paths import model_timesteps
from core.requests import (
    ClipPolicy,
    ImageRef,
    InversionConvention,
    InvertRequest,
    Precision,
    SampleRequest,
    SamplerSpec,
    SpacingName,
)

Method = Literal["invert", "edit"]
EACH = -1
"""The label that stands for every class in turn."""
MEASURED = (10, 20, 50, 100, 200)
"""Numbers of steps that the error is measured at; the paper's table goes on to 500 and 1000."""


@dataclass(frozen=True, slots=True)
class InvertSettings:
    """The controls as one value; ``label`` is a class, None or ``EACH``.

    Of an inversion: ``convention``, ``refinements`` (0-5), ``clip``. Of SDEdit: ``t`` (0..T-1) to which the picture is
    noised, ``count`` results, ``seed``, ``eta`` and ``edit_clip``. The rest serves both.
    """

    method: Method = "invert"
    steps: int = 50
    spacing: SpacingName = "leading"
    label: int | None = None
    guidance: float = 0.0
    precision: Precision = "float32"
    convention: InversionConvention = "diffusers"
    refinements: int = 0
    clip: ClipPolicy = "none"
    t: int = START_T
    count: int = 8
    seed: int = 42
    eta: float = 0.0
    edit_clip: ClipPolicy = "clamp"


def inversion(settings: InvertSettings, model: ModelInfo, picture: ImageRef | None) -> InvertRequest:
    """The walk up these settings mean for this model. Raises Refusal where they cannot be met."""
    if picture is None:
        raise Refusal("There is no picture to invert. Open, paste or draw one.")
    if settings.label == EACH:
        raise Refusal("A picture is inverted with one label. “Each in turn” is for Regenerate: choose one to invert.")
    request = InvertRequest(
        model=model.ref,
        schedule=model.schedule,
        timesteps=model_timesteps(model, settings.steps, settings.spacing)[::-1],
        spacing=settings.spacing,
        images=(picture,),
        labels=(settings.label,) if model.labels else (),
        guidance=settings.guidance if model.labels else 0.0,
        clip=settings.clip,
        convention=settings.convention,
        refinements=settings.refinements,
        precision=settings.precision,
        first_alpha_bar=model.final_alpha_bar,
    )
    if model.prediction == "x0" and inversion_path(request)[0].is_clean:
        raise Refusal(
            f"“{model.ref.name}” predicts x₀, and a picture without noise has no ε: choose the convention “OpenAI” "
            "under More, which takes the picture as x at t = 0."
        )
    return request


def regeneration(parent: InvertRequest, settings: InvertSettings, model: ModelInfo) -> SampleRequest:
    """The walk down from the latent of ``parent`` with another label or guidance. Raises Refusal where it is neither.

    With every class in turn there is a sample for each, all from the one latent.
    """
    labels: tuple[int | None, ...] = ()
    if parent.labels:
        labels = tuple(range(len(model.labels))) if settings.label == EACH else (settings.label,)
    request = replace(
        reconstruction(parent),
        labels=labels,
        guidance=settings.guidance if parent.labels else 0.0,
        count=max(1, len(labels)),
    )
    if request == reconstruction(parent):
        raise Refusal("Choose another label or guidance than the picture was inverted with, then regenerate.")
    return request


def edit(settings: InvertSettings, model: ModelInfo, picture: ImageRef | None) -> SampleRequest:
    """SDEdit (Meng et al. 2022): the picture noised to t, and denoised. Raises Refusal where that cannot be met."""
    if picture is None:
        raise Refusal("There is no picture to start from. Open, paste or draw one.")
    every = tuple(range(len(model.labels)))
    return resolve_sample(
        DenoiseSettings(
            sampler=SamplerSpec("ddim", settings.eta, clip=settings.edit_clip),
            steps=settings.steps,
            spacing=settings.spacing,
            labels=deal(every, settings.count) if settings.label == EACH else (settings.label,),
            guidance=settings.guidance,
            seed=settings.seed,
            count=settings.count,
            precision=settings.precision,
            from_picture=True,
            start_t=settings.t,
        ),
        model,
        picture,
    )


def settings_for(model: ModelInfo, settings: InvertSettings) -> InvertSettings:
    """``settings`` with what this model decides: its spacing, and classes that it has. Precision stays float32, and an
    inversion is not clipped, whatever its sampler does."""
    has_label = settings.label is not None and settings.label < len(model.labels)
    first = 0 if model.labels and model.null_label is None else None
    return replace(
        settings,
        spacing=cast(SpacingName, model.spacing),
        label=settings.label if has_label else first,
        guidance=0.0 if model.null_label is None else settings.guidance,
        t=min(settings.t, model.schedule.T - 1),
        edit_clip=model.sampler.clip,
    )


def settings_of(request: InvertRequest, settings: InvertSettings) -> InvertSettings:
    """The settings that an inversion was made with; those of SDEdit stay as they are."""
    return replace(
        settings,
        method="invert",
        steps=len(request.timesteps),
        spacing=request.spacing,
        label=request.labels[0] if request.labels else None,
        guidance=request.guidance,
        precision=request.precision,
        convention=request.convention,
        refinements=request.refinements,
        clip=request.clip,
    )
