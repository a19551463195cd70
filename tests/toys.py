"""Models whose answers are known in closed form, for tests of everything that is not a network."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from core.dataspec import DataSpec, ImageSpec, PointSpec
from core.denoiser import Condition, Denoiser, Prediction
from core.levels import Level, Path
from core.library import Check, GaussianProcess, Process
from core.messages import ModelInfo
from core.requests import ModelRef, SampleRequest, SamplerSpec, ScheduleSpec
from core.samplers import Before, Step, StepNoise


@dataclass(frozen=True)
class NormalDenoiser:
    """Data x_0 ~ N(mean, variance) in every value, so E[x_0 | x_t] is known; the mean may depend on the label."""

    means: tuple[float, ...] = (0.25,)
    variance: float = 0.04
    seconds: float = 0.0
    between_batches: Check = lambda: None

    def __call__(self, x_t: Tensor, level: Level, condition: Condition | None) -> Prediction:
        self.between_batches()
        time.sleep(self.seconds)
        mean = torch.full((len(x_t),), self.means[0])
        if condition is not None:
            mean = torch.tensor(self.means)[condition.labels]
        mean = mean.view(-1, *(1 for _ in x_t.shape[1:]))
        gain = level.alpha * self.variance / (level.alpha**2 * self.variance + level.sigma**2)
        x0_hat = mean + gain * (x_t - level.alpha * mean)
        return Prediction(x0_hat, (x_t - level.alpha * x0_hat) / level.sigma)


@dataclass(frozen=True)
class MixtureDenoiser:
    """Data from a mixture of normal distributions N(mean, std^2 I), so that E[x_0 | x_t] is known in closed form.

    ``means`` (k, d) and ``weights`` (k,) in the dtype to compute in; x_t is (n, d).
    """

    means: Tensor
    weights: Tensor
    std: float

    def __call__(self, x_t: Tensor, level: Level, condition: Condition | None) -> Prediction:
        variance = (level.alpha * self.std) ** 2 + level.sigma**2
        away = x_t[:, None, :] - level.alpha * self.means
        shares = torch.softmax(self.weights.log() - away.square().sum(-1) / (2 * variance), dim=1)
        x0_hat = (shares[..., None] * (self.means + away * (level.alpha * self.std**2 / variance))).sum(1)
        return Prediction(x0_hat, (x_t - level.alpha * x0_hat) / level.sigma)


ONE_D = MixtureDenoiser(torch.tensor([[-0.8], [0.1], [0.9]]).double(), torch.tensor([0.3, 0.2, 0.5]).double(), 0.2)
TWO_D = MixtureDenoiser(
    torch.tensor([[-0.7, -0.5], [0.8, -0.3], [0.0, 0.9]]).double(), torch.tensor([0.5, 0.3, 0.2]).double(), 0.25
)


class Toy:
    """A model in the library's sense around ``NormalDenoiser``; ``seconds`` makes each evaluation that slow."""

    process: Process = GaussianProcess()

    def __init__(
        self,
        spec: DataSpec | None = None,
        name: str = "toy",
        means: tuple[float, ...] = (0.25,),
        seconds: float = 0.0,
        labels: tuple[str, ...] = (),
    ) -> None:
        self.spec: DataSpec = spec or ImageSpec((1, 4, 4))
        self.means = means
        self.seconds = seconds
        self.evaluations = 0
        null = len(labels) if labels else None
        self.info = ModelInfo(
            ModelRef(name, name.ljust(64, "0")),
            self.spec.event_shape,
            ScheduleSpec("linear"),
            "eps",
            labels=labels,
            null_label=null,
        )

    def denoiser(self, device: str, precision: str, *, between_batches: Check, within: Check) -> Denoiser:
        def counted() -> None:
            self.evaluations += 1
            between_batches()

        return NormalDenoiser(self.means, seconds=self.seconds, between_batches=counted)

    def release(self) -> None:
        pass

    def request(self, **changes: object) -> SampleRequest:
        values: dict[str, object] = {
            "model": self.info.ref,
            "schedule": self.info.schedule,
            "timesteps": tuple(range(900, -1, -100)),
            "spacing": "hand",
            "sampler": SamplerSpec("ddim", clip="none"),
            "seed": 7,
            "count": 2,
        }
        return SampleRequest(**(values | changes))  # type: ignore[arg-type]


class PointsToy(Toy):
    """A 2-D point set."""

    def __init__(self) -> None:
        super().__init__(PointSpec(), "points")


class MaskingProcess:
    """Absorbing-state diffusion on integers: noise is the mask, a walk uncovers a share of it at every step."""

    MASK = 4

    def begin(self, noise: StepNoise, level: Level) -> Tensor:
        return torch.full(noise.shape, self.MASK)

    def noised(self, x0: Tensor, noise: StepNoise, level: Level) -> Tensor:
        return torch.where(noise.initial() > 0, self.MASK, x0)

    def walk(
        self,
        request: SampleRequest,
        denoise: Denoiser,
        path: Path,
        x: Tensor,
        condition: Condition | None,
        noise: StepNoise,
        first: int,
        before: Before | None = None,
    ) -> Iterator[Step]:
        for index in range(first, len(path) - 1):
            level, next_level = path[index], path[index + 1]
            prediction = denoise(x, level, condition)
            share = 1.0 if next_level.is_clean else (level.sigma - next_level.sigma) / level.sigma
            uncovered = (noise().sigmoid() < share) | next_level.is_clean
            x_next = torch.where((x == self.MASK) & uncovered, prediction.x0_hat, x)
            yield Step(index, level, next_level, x, x_next, prediction)
            x = x_next


class _IntegerSpec:
    event_shape = (4, 4)
    low, high = 0.0, 4.0

    def from_picture(self, picture, conversion=None):  # type: ignore[no-untyped-def]
        raise NotImplementedError

    def to_picture(self, x):  # type: ignore[no-untyped-def]
        return (x[..., None] * 60).astype("uint8")


class IntegersToy(Toy):
    """4×4 integers 0..3, whose denoiser always sees the column's number; 4 is the mask."""

    process: Process = MaskingProcess()

    def __init__(self) -> None:
        super().__init__(_IntegerSpec(), "integers")

    def denoiser(self, device: str, precision: str, *, between_batches: Check, within: Check) -> Denoiser:
        def columns(x_t: Tensor, level: Level, condition: Condition | None) -> Prediction:
            return Prediction(torch.arange(4).expand_as(x_t), None)  # type: ignore[arg-type]

        return columns
