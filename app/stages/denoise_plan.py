"""A run that could be made: where it would begin, by the numbers that the engine starts from, and what is worth knowing
of its settings. Without torch."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from core.conversion import convert
from core.dataspec import ImageSpec
from core.images import OpenedImage
from core.levels import Path
from core.messages import ModelInfo
from core.noise import initial_noise
from core.paths import make_path
from core.process import marginal
from core.requests import FromImage, FromNoise, SampleRequest
from core.schedules import make_schedule

HINT = "Ctrl+Enter denoises, Space pauses, Esc stops; drag the slider back through every step."
SHEET_HINT = "Ctrl+Enter renders the sheet, a click on a picture opens its trajectory, Esc stops."
CELL_HINT = "Drag the slider back through every step of this sample; Esc goes back to the sheet."
BOTH_HINT = "Both w and the classifier guide, which adds up: switch one of them off."
CLAMP_HINT = "Clamping x₀ alone works against guidance: under More, choose to re-derive ε, or not to clip."
FEW_STEPS = 25
FIRST_SHARE = 0.98
"""Of T: a path that begins below it takes for pure noise what is not quite."""
LARGEST = 1_000_000
"""Numbers that are drawn for this; more would hold up the window."""


def hint_of(request: SampleRequest, is_sheet: bool) -> str:
    """What is most worth knowing of these settings."""
    if request.classifier is not None and request.guidance not in (0, -1):
        return BOTH_HINT
    if request.sampler.name == "ddim" and request.sampler.clip == "clamp" and request.guidance > 0:
        return CLAMP_HINT
    begins_late = isinstance(request.start, FromNoise) and request.timesteps[0] < FIRST_SHARE * request.schedule.T - 1
    if begins_late and request.spacing != "hand" and request.steps <= FEW_STEPS:
        return (
            f"So few steps begin at t = {request.timesteps[0]} with {request.spacing} spacing, which is not quite "
            "noise: trailing begins at T − 1 (More, Sampler)."
        )
    return SHEET_HINT if is_sheet else HINT


def path_of(request: SampleRequest) -> Path:
    """The levels that the request walks along."""
    return make_path(make_schedule(request.schedule), request.timesteps, request.final_alpha_bar)


def first_state(
    request: SampleRequest, model: ModelInfo, image: OpenedImage | None
) -> tuple[NDArray[np.uint8], tuple[float, float]] | None:
    """Pictures (n, H, W, C) and range of the state the run begins with; None where that cannot be shown at once."""
    shape = (request.count, *model.event_shape)
    if len(model.event_shape) != 3 or math.prod(shape) > LARGEST:
        return None
    spec = ImageSpec(model.event_shape)
    x = initial_noise(request.seed, shape)
    if isinstance(request.start, FromImage):
        if image is None:
            return None
        x0 = spec.from_picture(convert(image.pixels, request.start.image.conversion))
        x = marginal(x0[None], x, path_of(request)[0]).astype(np.float32)
    return spec.to_picture(x), (float(x.min()), float(x.max()))
