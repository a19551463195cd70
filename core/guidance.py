"""Classifier guidance: towards pictures that a classifier takes for the class asked for.

Sohl-Dickstein et al. 2015, section 2.5; Dhariwal & Nichol 2021, section 4.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from core.denoiser import Condition, Denoiser, Interval, Prediction, is_within
from core.errors import Refusal
from core.levels import Level
from core.library import Check, Recogniser, never
from core.requests import ClassifierSpec, GradientPlace, SamplerName


def guided_by_classifier(
    denoise: Denoiser,
    recogniser: Recogniser,
    spec: ClassifierSpec,
    labels: Sequence[int],
    *,
    sampler: SamplerName,
    event_shape: tuple[int, ...],
    interval: Interval | None = None,
    check: Check = never,
    device: str = "cpu",
) -> Denoiser:
    """A denoiser whose answers are guided as ``spec`` says; ``labels`` are those of the samples that are walked,
    kept on the ``device`` that they are walked on, so that no step waits for them.

    Raises Refusal where the classifier does not fit: it has met no noise, takes other pictures, knows no such class.
    """
    info, count = recogniser.info, len(labels)
    if not info.noisy:
        raise Refusal(
            f"“{info.ref.name}” was trained on clean pictures, so it judges and cannot guide. "
            "Guide with a classifier that was trained on noisy ones."
        )
    if info.event_shape != event_shape:
        raise Refusal(
            f"“{info.ref.name}” looks at pictures of {_words(info.event_shape)}, and this model draws "
            f"{_words(event_shape)}. Choose a classifier of the model's pictures."
        )
    if not count or not all(0 <= label < len(info.labels) for label in labels):
        wrong = next((label for label in labels if not 0 <= label < len(info.labels)), None)
        raise Refusal(
            f"“{info.ref.name}” has no class {wrong}; its classes are {', '.join(info.labels)}."
            if count
            else "Classifier guidance needs to know which class to guide to: give one label for each sample."
        )
    if not math.isfinite(spec.scale):
        raise Refusal("The scale of classifier guidance is a number: 0 leaves the samples unguided.")
    chosen = torch.tensor(labels, dtype=torch.int64, device=device)
    return ClassifierGuided(denoise, recogniser, chosen, spec.scale, sampler == "ddpm", spec.at, interval, check)


@dataclass(frozen=True, slots=True, eq=False)
class ClassifierGuided:
    """A denoiser guided by g = grad log p(y | x_t), labels y int64 (n,), where the ``interval`` of times lets it.

    For deterministic samplers the score is shifted: eps_hat - scale sigma_t g, and x0_hat with it (Dhariwal & Nichol
    2021, algorithm 2). With ``shifts_mean`` the prediction stays, and its ``shift`` moves the mean of an ancestral step
    by variance times scale times g (algorithm 1): g taken at x_t, as their published code does, or at the step's mean
    and its level, about which the algorithm is derived. Where nothing of the picture is left in x_t there is nothing to
    recognise, and no guidance. ``gradient`` (g at x_t, without the scale) and ``log_p`` are always told.
    """

    denoiser: Denoiser
    recogniser: Recogniser
    labels: Tensor
    scale: float
    shifts_mean: bool = False
    at: GradientPlace = "x_t"
    interval: Interval | None = None
    check: Check = never

    def __call__(self, x_t: Tensor, level: Level, condition: Condition | None) -> Prediction:
        prediction = self.denoiser(x_t, level, condition)
        gradient, log_p = self.recogniser.gradient(x_t, level, self.labels, self.check)
        prediction = replace(prediction, gradient=gradient, log_p=log_p)
        if self.scale == 0 or level.alpha == 0 or not is_within(level, self.interval):
            return prediction
        if self.shifts_mean:
            return replace(prediction, shift=_Shift(self, gradient))
        step = gradient * (self.scale * level.sigma)
        return replace(
            prediction,
            x0_hat=prediction.x0_hat + step * (level.sigma / level.alpha),
            eps_hat=prediction.eps_hat - step,
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Shift:
    """What is added to the mean of a step for each unit of its variance: scale times g, at x_t or at the mean."""

    guided: ClassifierGuided
    at_x_t: Tensor

    def __call__(self, mean: Tensor, next_level: Level) -> Tensor:
        guided, gradient = self.guided, self.at_x_t
        if guided.at == "mean":
            gradient, _ = guided.recogniser.gradient(mean, next_level, guided.labels, guided.check)
        return gradient * guided.scale


def _words(event_shape: tuple[int, ...]) -> str:
    if len(event_shape) != 3:
        return " × ".join(map(str, event_shape))
    channels, height, width = event_shape
    return f"{width} × {height} in {'grey' if channels == 1 else 'colour'}"
