"""Two classes of numbers, each a normal distribution: score and class posterior are known at every level."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from core.denoiser import Condition, Prediction
from core.levels import Level
from core.library import Check, never
from core.messages import ClassifierInfo
from core.requests import ModelRef, ScheduleSpec

MEANS, SHARES, STD = (-0.7, 0.5), (0.3, 0.7), 0.2
EVENT_SHAPE = (1, 1, 1)
INFO = ClassifierInfo(ModelRef("posterior", "b" * 64), EVENT_SHAPE, ("low", "high"), ScheduleSpec("linear"), 1)


def log_joint(x: Tensor, level: Level) -> Tensor:
    """log p(y, x_t) of both classes up to one constant, (n, 2), for x_t (n, 1, 1, 1)."""
    variance = (level.alpha * STD) ** 2 + level.sigma**2
    centres = level.alpha * torch.tensor(MEANS, dtype=x.dtype)
    shares = torch.tensor(SHARES, dtype=x.dtype).log()
    return shares - (x.flatten(1) - centres).square() / (2 * variance)


class Unlabelled:
    """The exact denoiser of the mixture: it has never heard of classes."""

    def __call__(self, x_t: Tensor, level: Level, condition: Condition | None) -> Prediction:
        variance = (level.alpha * STD) ** 2 + level.sigma**2
        weights = log_joint(x_t, level).softmax(1)
        centres = level.alpha * torch.tensor(MEANS, dtype=x_t.dtype)
        score = ((centres - x_t.flatten(1)) * weights).sum(1).view_as(x_t) / variance
        eps = -level.sigma * score
        return Prediction((x_t - level.sigma * eps) / level.alpha, eps)


@dataclass
class Posterior:
    """The exact noisy classifier of the mixture, as a recogniser; ``met`` are the levels it was asked at."""

    info: ClassifierInfo = INFO
    met: list[Level] = field(default_factory=list)

    def features(self, x: Tensor, check: Check = never) -> Tensor:
        return x.flatten(1)

    def log_probabilities(self, x: Tensor, level: Level, check: Check = never) -> Tensor:
        return log_joint(x, level).log_softmax(1)

    def gradient(self, x: Tensor, level: Level, labels: Tensor, check: Check = never) -> tuple[Tensor, Tensor]:
        self.met.append(level)
        check()
        joint = log_joint(x, level)
        log_p = joint.log_softmax(1).gather(1, labels[:, None])[:, 0]
        weights = joint.softmax(1)
        variance = (level.alpha * STD) ** 2 + level.sigma**2
        centres = level.alpha * torch.tensor(MEANS, dtype=x.dtype)
        slope = (centres[labels] - (weights * centres).sum(1)) / variance
        return slope.view_as(x), log_p

    def release(self) -> None:
        pass


def standard_errors(x: Tensor, label: int) -> tuple[float, float]:
    """How many standard errors the mean and the variance of samples lie from those of a class."""
    n = x.numel()
    mean = (float(x.mean()) - MEANS[label]) / (STD / math.sqrt(n))
    variance = (float(x.var()) - STD**2) / (STD**2 * math.sqrt(2 / (n - 1)))
    return mean, variance
