"""DDIM inversion: the sampler's deterministic walk taken the other way, from a picture up to its latent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from core.codec import request_hash
from core.denoiser import Condition, Denoiser, Prediction
from core.errors import Refusal
from core.inversion_plan import inversion_path
from core.levels import Level, Path
from core.library import Library
from core.process import ddim_step
from core.requests import InversionConvention, InvertRequest, SamplerSpec
from core.run import Exact, Run
from core.samplers import Before, Step
from core.steering import Guidance
from core.store import DEFAULT_CAP


@dataclass(frozen=True, slots=True, eq=False)
class InverseStep(Step):
    """A step up. ``misses`` holds, for each refinement, how far DDIM's step down from the estimate before it led past
    x_t: the root mean square over each sample, (n,)."""

    misses: tuple[Tensor, ...] = ()


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
            guidance=Guidance(request.guidance),
            sampler=SamplerSpec("ddim", clip=request.clip),
            precision=request.precision,
            noise=None,
            cap=cap,
        )
        self.request = request
        self._library = library

    @property
    def sha256(self) -> str:
        return request_hash(self.request)

    def latent(self) -> Tensor:
        """The latents (n, *event_shape), float32 on the device; walked for where they are not there yet."""
        if len(self.trajectory) <= self.request.steps:
            self.replay_to(self.request.steps)
        return self.exact(self.request.steps).x

    def _begin(self) -> Exact:
        pictures = [self._library.x0(image, self.model.spec) for image in self.request.images]
        return Exact(torch.cat(pictures).to(self._device), None)

    def _steps_from(self, x: Tensor, first: int, before: Before | None) -> Iterator[InverseStep]:
        return ddim_inversion(
            self._denoise,
            self.path,
            x,
            self._condition,
            convention=self.request.convention,
            refinements=self.request.refinements,
            first=first,
        )
