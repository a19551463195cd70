"""What a run's weights draw from fixed seeds, and the way there, so that one sees it learn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import cast

import numpy as np
import torch

from core.denoiser import Clipped, Condition
from core.library import NetworkModel
from core.messages import Picture, frozen
from core.model_folder import OpenModel
from core.paths import make_path, model_timesteps
from core.requests import SpacingName
from core.samplers import StepNoise, ddim
from core.schedules import make_schedule
from core.training.draw_request import SEED, STEPS, moments
from core.training.events import Drawn
from core.training.order import WeightsName


def draw(
    opened: OpenModel,
    count: int,
    precision: str,
    device: str,
    check: Callable[[], None],
    *,
    step: int = 0,
    weights: WeightsName = "ema",
) -> Iterator[Drawn | None]:
    """None after each step of a sampler, in the end what was drawn: ``count`` pictures and the way there.

    DDIM (Song et al. 2021) in 25 steps without guidance, classes in turn, noise of seed 0: what a run of the saved
    model with these settings draws. ``check`` is called between blocks of the network; it may do other work, or raise.
    ``step`` and ``weights`` say whose pictures they are.
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

    def picture(values: torch.Tensor) -> Picture:
        return frozen(model.spec.to_picture(values.cpu().numpy()))

    kept = set(moments(len(timesteps)))
    times: list[int] = []
    way: list[tuple[Picture, Picture]] = []
    for walked in ddim(denoise, path, x, condition, eta=0.0, noise=noise):
        x = walked.x_next
        if walked.index in kept:
            times.append(int(walked.level.t))
            way.append((picture(walked.prediction.x0_hat), picture(walked.x_t)))
        yield None
    x0_hat, x_t = (frozen(np.stack(states)) for states in zip(*way, strict=True))
    yield Drawn(step, picture(x), weights, tuple(times), x0_hat, x_t)
