"""What the controls of Morph say, and the requests it becomes. No widget here, no tensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.conversion import convert
from core.images import OpenedImage
from core.messages import ModelInfo
from core.morph_plan import places
from core.paths import model_timesteps, partial_timesteps
from core.requests import (
    ClipPolicy,
    Conversion,
    ImageEnd,
    ImageRef,
    InversionConvention,
    MixName,
    MorphEnd,
    MorphLayout,
    MorphRequest,
    Precision,
    SamplerName,
    SamplerSpec,
    SeedEnd,
    SpacingName,
)
from core.schedules import make_schedule

NAMES = "ABCD"
MOST_ENDS = len(NAMES)
ROWS = 8
"""Noised rows of the sheet over t and lambda, as in figure 9 of Ho et al. 2020; below them the pixels are mixed."""


@dataclass(frozen=True, slots=True, eq=False)
class PicturePoint:
    """A picture as an end point, and how it meets the network."""

    image: OpenedImage
    conversion: Conversion


@dataclass(frozen=True, slots=True, eq=False)
class EndPoint:
    """One end point; ``name`` is what a person calls it, ``label`` its class (None: no class)."""

    source: SeedEnd | PicturePoint
    label: int | None = None
    name: str = ""

    @property
    def end(self) -> MorphEnd:
        """As a request names it."""
        if isinstance(self.source, SeedEnd):
            return self.source
        return ImageEnd(ImageRef(self.source.image.sha256, self.source.conversion))


@dataclass(frozen=True, slots=True)
class MorphSettings:
    """The controls as one value. ``t`` (0..T-1) counts where the mix is "ddpm". ``clip`` None follows the end points:
    none where a picture is inverted, which clipping would keep from being walked back, else the model's own."""

    mix: MixName = "slerp"
    frames: int = 9
    steps: int = 50
    t: int = 500
    layout: MorphLayout = "edges"
    sampler: SamplerName = "ddim"
    eta: float = 0.0
    spacing: SpacingName = "leading"
    guidance: float = 0.0
    convention: InversionConvention = "diffusers"
    refinements: int = 0
    seed: int = 42
    clip: ClipPolicy | None = None
    precision: Precision = "float32"
    batch: int = 8


def resolve(settings: MorphSettings, ends: Sequence[EndPoint], model: ModelInfo) -> MorphRequest:
    """The request that these settings mean for this model. Raises Refusal where they cannot be met."""
    timesteps = model_timesteps(model, settings.steps, settings.spacing)
    if settings.mix == "ddpm":
        timesteps = partial_timesteps(timesteps, min(settings.t, model.schedule.T - 1))
    inverts = settings.mix != "ddpm" and any(isinstance(end.source, PicturePoint) for end in ends)
    clip = settings.clip or ("none" if inverts else model.sampler.clip)
    request = MorphRequest(
        model=model.ref,
        schedule=model.schedule,
        timesteps=timesteps,
        spacing=settings.spacing,
        sampler=SamplerSpec(
            settings.sampler, settings.eta if settings.sampler == "ddim" else 0.0, model.sampler.variance, clip
        ),
        ends=tuple(end.end for end in ends),
        frames=settings.frames,
        mix=settings.mix,
        layout=settings.layout,
        seed=settings.seed,
        labels=tuple(end.label for end in ends) if model.labels else (),
        guidance=settings.guidance if model.null_label is not None else 0.0,
        precision=settings.precision,
        convention=settings.convention,
        refinements=settings.refinements,
        final_alpha_bar=model.final_alpha_bar,
        batch=settings.batch,
    )
    places(request)
    return request


def row_times(T: int) -> tuple[int, ...]:
    """The rows of figure 9 (Ho et al. 2020): t = T, 7/8 T, ... 1/8 T; T itself is the last timestep there is."""
    return tuple(dict.fromkeys(min(T - 1, round(row * T / ROWS)) for row in range(ROWS, 0, -1)))


def resolve_rows(settings: MorphSettings, ends: Sequence[EndPoint], model: ModelInfo) -> tuple[MorphRequest, ...]:
    """One morph for each row of the sheet over t and lambda, the noisiest first. Raises Refusal."""
    ddpm = replace(settings, mix="ddpm", layout="edges")
    return tuple(resolve(replace(ddpm, t=t), ends, model) for t in row_times(make_schedule(model.schedule).T))


def settings_of(request: MorphRequest, before: MorphSettings) -> MorphSettings:
    """The settings that a morph was made with, for showing them again; what its request does not say stays."""
    ddpm = request.mix == "ddpm"
    return replace(
        before,
        mix=request.mix,
        frames=request.frames,
        steps=before.steps if ddpm else request.steps,  # a part of a spacing does not tell how many steps all had
        t=request.timesteps[0] if ddpm else before.t,
        layout=request.layout,
        sampler=request.sampler.name,
        eta=request.sampler.eta,
        spacing=request.spacing,
        guidance=request.guidance,
        convention=request.convention,
        refinements=request.refinements,
        seed=request.seed,
        clip=request.sampler.clip,
        precision=request.precision,
        batch=request.batch,
    )


def converted(point: PicturePoint) -> NDArray[np.uint8]:
    """The picture as the network gets it, uint8 (H, W, C)."""
    return convert(point.image.pixels, point.conversion)


def label_for(name: str, labels: Sequence[str]) -> int | None:
    """The class that a picture's name names ("digit 3.png": 3), if it names one."""
    words = name.lower().rsplit(".", 1)[0].replace("_", " ").replace("-", " ").split()
    return next((index for index, known in enumerate(labels) if known.lower() in words), None)
