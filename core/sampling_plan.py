"""A sampling run on paper, with numpy alone: what a model can be asked for, and what one run shares with another."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from core.errors import Refusal
from core.levels import Path
from core.messages import ModelInfo
from core.requests import FromNoise, SampleRequest, VarianceName
from core.schedules import make_schedule


def variances_of(info: ModelInfo) -> tuple[VarianceName, ...]:
    """The variances of an ancestral step that this model can be asked for."""
    return ("small", "large") if info.variance == "fixed" else ("small", "large", "learned")


def check_fits(request: SampleRequest, info: ModelInfo, path: Path) -> None:
    """Raises Refusal, with what to do, for a run that the model's network has no answer for."""
    if info.prediction == "eps" and any(level.alpha == 0 for level in path):
        raise Refusal(
            f"At t = {path[0].t:g} nothing of the picture is left, and “{info.ref.name}” predicts noise, which says "
            "nothing of it there. Begin at an earlier timestep, or choose a model that predicts v or x_0."
        )
    if request.sampler.name != "ddpm" or request.sampler.variance != "learned":
        return
    if info.variance == "fixed":
        raise Refusal(f"“{info.ref.name}” has not learned its variance: choose the variance “small” or “large”.")
    if info.variance == "diagonal":
        strides = any(level.t - later.t != 1 for level, later in pairwise(path))
        if strides or make_schedule(request.schedule) is not make_schedule(info.schedule):
            raise Refusal(
                f"“{info.ref.name}” has learned the variance of single timesteps of its own schedule, which says "
                "nothing of longer steps: walk all timesteps, or choose the variance “small” or “large”."
            )


def is_continued(request: SampleRequest, parent: SampleRequest) -> bool:
    """Whether a branch asks the same of the network as the run that it leaves, so that what a multistep sampler has
    seen there still holds."""
    return _asked(request) == _asked(parent)


def _asked(request: SampleRequest) -> SampleRequest:
    return replace(
        request,
        timesteps=(),
        spacing="hand",
        seed=0,
        start=FromNoise(),
        final_alpha_bar=1.0,
        cells=(),
        temperature=1.0,
    )
