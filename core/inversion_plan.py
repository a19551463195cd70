"""Inversions on paper, with numpy alone: their levels, the way back, and what keeps it from leading home."""

from __future__ import annotations

from itertools import pairwise

from core.errors import Refusal
from core.levels import CLEAN, CLEAN_TIME, Level, Path
from core.requests import FromLatent, InvertRequest, SampleRequest, SamplerSpec
from core.schedules import Schedule, make_schedule


def inversion_path(request: InvertRequest) -> Path:
    """The levels of the walk up, as many as its steps and one.

    Raises Refusal for timesteps that do not rise, or that leave no step to walk.
    """
    schedule, timesteps = make_schedule(request.schedule), request.timesteps
    if any(later <= earlier for earlier, later in pairwise(timesteps)):
        raise Refusal("An inversion walks up: its timesteps must rise, without repeats.")
    if request.steps < 1:
        raise Refusal("No step is left to walk: take more steps.")
    if timesteps[0] < 0 or timesteps[-1] >= schedule.T:
        raise Refusal(f"This schedule has the timesteps 0 to {schedule.T - 1}, not {timesteps[0]} to {timesteps[-1]}.")
    levels = tuple(schedule.level(t) for t in timesteps)
    return levels if len(levels) > request.steps else (_first(request, schedule), *levels)


def _first(request: InvertRequest, schedule: Schedule) -> Level:
    if request.convention == "openai":
        return schedule.level(0)
    if request.first_alpha_bar == 1:
        return CLEAN
    if request.first_alpha_bar < schedule.alpha_bar[request.timesteps[0]] * (1 - 1e-6):
        raise Refusal("The picture would be noisier than the first timestep: set first_alpha_bar to 1.")
    return Level.from_alpha_bar(CLEAN_TIME, request.first_alpha_bar)


def reconstruction(request: InvertRequest) -> SampleRequest:
    """The walk down from the latent of an inversion to the data, through the same timesteps."""
    return SampleRequest(
        model=request.model,
        schedule=request.schedule,
        timesteps=request.timesteps[::-1],
        spacing=request.spacing,
        sampler=SamplerSpec("ddim", clip=request.clip),
        seed=0,
        count=len(request.images),
        labels=request.labels,
        guidance=request.guidance,
        precision=request.precision,
        start=FromLatent(request),
        final_alpha_bar=request.first_alpha_bar,
    )


def obstacles(request: InvertRequest) -> tuple[str, ...]:
    """What in a request keeps its latent from leading back to the picture, the worst first; one sentence each."""
    found = []
    if request.clip != "none":
        found.append("Clipping x0_hat throws away what lies beyond the data's range: it cannot be walked back.")
    worse = abs(1 + request.guidance) + abs(request.guidance)
    if worse > 1:
        advice = "refinement takes longer to find the way" if request.refinements else "invert with w = 0, or refine"
        found.append(
            f"Guidance (w = {request.guidance:g}) can make the error of a step {worse:g} times as large: {advice}."
        )
    if request.precision != "float32":
        found.append(
            f"{request.precision} rounds each answer of the network by about 1 %: with many steps that error stays."
        )
    if request.steps < 50 and not request.refinements:
        found.append(f"{request.steps} steps are few: the network is asked far from where it is asked on the way back.")
    if request.convention == "openai" and request.timesteps[0] > 0:
        found.append("The picture is taken as x at t = 0, where the walk back does not come by: use leading spacing.")
    return tuple(found)
