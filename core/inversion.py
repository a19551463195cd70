"""DDIM inversion: the sampler's deterministic walk taken the other way, from a picture up to its latent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor

from core.denoiser import Condition, Denoiser, Prediction
from core.errors import Refusal
from core.levels import CLEAN, CLEAN_TIME, Level, Path
from core.library import Library
from core.process import ddim_step
from core.requests import FromLatent, InversionConvention, InvertRequest, SampleRequest, SamplerSpec
from core.run import Run
from core.samplers import Step
from core.schedules import Schedule, make_schedule
from core.store import DEFAULT_CAP


@dataclass(frozen=True, slots=True, eq=False)
class InverseStep(Step):
    """A step up. ``misses`` holds, for each refinement, how far DDIM's step down from the estimate before it led past
    x_t: the root mean square over each sample, (n,)."""

    misses: tuple[Tensor, ...] = ()


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


def ddim_inversion(
    denoise: Denoiser,
    path: Path,
    x: Tensor,
    condition: Condition | None,
    *,
    convention: InversionConvention,
    refinements: int = 0,
    first: int = 0,
) -> Iterator[InverseStep]:
    """Up a rising path from x at ``path[first]``: DDIM's step (Song et al. 2021, eq. 12) towards more noise.

    The network is asked about x_t at the target's time ("diffusers") or at its own ("openai"). Each refinement then
    asks it about the estimate of x_next and moves that by what the step down from it misses x_t by, scaled to the
    target's level: a fixed-point iteration (Pan et al. 2023, section 3) that stands still where the step down from
    x_next is exactly x_t.
    """
    for index in range(first, len(path) - 1):
        level, next_level = path[index], path[index + 1]
        asked = replace(level, t=next_level.t) if convention == "diffusers" else level
        prediction = denoise(x, asked, condition)
        x_next, _ = ddim_step(prediction.x0_hat, prediction.eps_hat, level, next_level, 0.0)
        misses: list[Tensor] = []
        for _ in range(refinements):
            miss = x - step_down(denoise(x_next, next_level, condition), next_level, level)
            misses.append(miss.flatten(1).square().mean(1).sqrt())
            x_next = x_next + miss * (next_level.alpha / level.alpha)
        yield InverseStep(index, level, next_level, x, x_next, prediction, tuple(misses))
        x = x_next


def step_down(prediction: Prediction, level: Level, next_level: Level) -> Tensor:
    """Where DDIM's deterministic step leads from the x that was predicted upon."""
    mean: Tensor = ddim_step(prediction.x0_hat, prediction.eps_hat, level, next_level, 0.0)[0]
    return mean


class InvertRun(Run):
    """One inversion: its walk up, kept like that of a sampler; the last state is the latent."""

    def __init__(
        self, request: InvertRequest, library: Library, device: str = "cpu", *, cap: int = DEFAULT_CAP
    ) -> None:
        """Raises: Refusal where the request does not fit the model, or names what is not open."""
        if not request.images:
            raise Refusal("There is no picture to invert. Open one first.")
        model = library.model(request.model)
        path = inversion_path(request)
        if model.info.prediction == "x0" and path[0].is_clean:
            raise Refusal(
                f"“{model.info.ref.name}” predicts x_0, and a picture without noise has no eps: "
                "choose the convention “openai”, which takes the picture as x at t = 0."
            )
        super().__init__(
            model,
            path,
            len(request.images),
            device,
            labels=request.labels,
            guidance=request.guidance,
            clip=request.clip,
            precision=request.precision,
            noise=None,
            cap=cap,
        )
        self.request = request
        self._library = library

    def latent(self) -> Tensor:
        """The latents (n, *event_shape), float32 on the device; walked for where they are not there yet."""
        if len(self.trajectory) <= self.request.steps:
            self.replay_to(self.request.steps)
        return self.exact(self.request.steps)[0]

    def _begin(self) -> Tensor:
        pictures = [self._library.x0(image, self.model.spec) for image in self.request.images]
        return torch.cat(pictures).to(self._device)

    def _steps_from(self, x: Tensor, first: int) -> Iterator[InverseStep]:
        return ddim_inversion(
            self._denoise,
            self.path,
            x,
            self._condition,
            convention=self.request.convention,
            refinements=self.request.refinements,
            first=first,
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
