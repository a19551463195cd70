"""What the averaged weights of a run draw from fixed seeds, so that one sees it learn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import cast

import torch

from core.denoiser import Clipped, Condition
from core.library import NetworkModel
from core.messages import Picture
from core.model_folder import OpenModel
from core.paths import make_path, model_timesteps
from core.requests import SpacingName
from core.samplers import StepNoise, ddim
from core.schedules import make_schedule

SEED = 0
STEPS = 25


def draw(
    opened: OpenModel, count: int, precision: str, device: str, check: Callable[[], None]
) -> Iterator[Picture | None]:
    """None after each step of a sampler, in the end pictures uint8 (count, H, W, C).

    DDIM (Song et al. 2021) in 25 steps without guidance, classes in turn, noise of seed 0: what a run of the saved
    model with these settings draws. ``check`` is called between blocks of the network; it may do other work, or raise.
    """
    model, info = NetworkModel(opened), opened.info
    schedule = make_schedule(info.schedule)
    timesteps = model_timesteps(info, min(STEPS, schedule.T), cast(SpacingName, info.spacing))
    path = make_path(schedule, timesteps, info.final_alpha_bar)
    denoise = model.denoiser(device, precision, between_batches=check, within=check)
    if info.sampler.clip != "none":
        denoise = Clipped(denoise, info.sampler.clip, model.spec.low, model.spec.high)
    labels = [index % len(info.labels) for index in range(count)] if info.labels else []
    condition = Condition(torch.tensor(labels), info.null_label) if labels else None
    noise = StepNoise(SEED, (count, *info.event_shape))
    x = noise.initial().to(device)
    for step in ddim(denoise, path, x, condition, eta=0.0, noise=noise):
        x = step.x_next
        yield None
    yield model.spec.to_picture(x.cpu().numpy())
