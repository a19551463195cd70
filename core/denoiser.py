"""One interface to a network, whatever it predicts: ``Denoiser(x_t, level, condition)`` answers x0_hat and eps_hat."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import torch
from torch import Tensor

from core.errors import Refusal
from core.levels import Level
from core.process import (
    eps_from_v,
    eps_from_x0,
    posterior_weights,
    range_log_variance,
    to_x0_and_eps,
    transition_variance,
    v_from,
    x0_and_eps_from_mean,
    x0_from_v,
)
from core.requests import ClipPolicy, PredictionKind, VarianceKind
from core.schedules import Schedule

Shift = Callable[[Tensor, Level], Tensor]
"""Of the mean (n, *event_shape) of a step to a level: what is added to it for each unit of the step's variance."""


@dataclass(frozen=True, slots=True, eq=False)
class LearnedVariance:
    """What a network has learned of the reverse step's variance: its raw ``output``, float32 (n, *event_shape).

    "range" places the logarithm between those of beta_tilde (-1) and beta (1), "diagonal" is the logarithm itself.
    """

    kind: Literal["range", "diagonal"]
    output: Tensor

    def log_variance(self, level: Level, next_level: Level, log_beta_tilde: float | None = None) -> Tensor:
        """The logarithm of the variance of the step from level to next_level, float32 (n, *event_shape).

        A range lies between beta_tilde and beta of the very step that is walked, so on a path that leaves timesteps
        out both follow from the levels that are kept (Nichol & Dhariwal 2021, eqs. 15 and 19). beta_tilde of a step
        that ends on the data is 0; ``log_beta_tilde`` stands in for it, as that of t = 1 does in the papers' tables.
        Raises Refusal where there is none, and where a diagonal meets a step of more than one timestep.
        """
        if self.kind == "diagonal":
            if level.t - next_level.t != 1:
                raise Refusal(
                    "This model has learned the variance of single timesteps, which says nothing of longer steps: "
                    "walk all timesteps, or choose the variance “small” or “large”."
                )
            return self.output
        beta, (_, _, beta_tilde) = transition_variance(next_level, level), posterior_weights(level, next_level)
        if log_beta_tilde is None:
            if beta_tilde == 0:
                raise Refusal("A step that ends on the data has no beta_tilde.")
            log_beta_tilde = math.log(beta_tilde)
        return range_log_variance(self.output, math.log(beta), log_beta_tilde)

    def __getitem__(self, index: slice) -> LearnedVariance:
        return replace(self, output=self.output[index])


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """What is seen in x_t, float32 of its shape (n, *event_shape): x_t = alpha x0_hat + sigma eps_hat unless clamped.

    ``learned`` is what the network says of the reverse step's variance, where it has learned one. Of a guided
    prediction ``difference`` is eps_c - eps_u; ``gradient`` that of a classifier's log p(y | x_t) by x_t, and
    ``log_p`` (n,) that itself. ``shift`` is how a classifier moves the mean of an ancestral step, which is why it is
    not yet in x0_hat and eps_hat (Dhariwal & Nichol 2021, algorithm 1).
    """

    x0_hat: Tensor
    eps_hat: Tensor
    learned: LearnedVariance | None = None
    difference: Tensor | None = None
    gradient: Tensor | None = None
    log_p: Tensor | None = None
    shift: Shift | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """What a batch is conditioned on: ``labels`` int64 (n,); ``null`` is the index of "no class" where there is one."""

    labels: Tensor
    null: int | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: slice) -> Condition:
        return replace(self, labels=self.labels[index])

    def unconditional(self) -> Condition:
        """The same batch without its condition. Raises Refusal where the model has no null label."""
        return self.dropped(torch.ones_like(self.labels, dtype=torch.bool))

    def dropped(self, where: Tensor) -> Condition:
        """The null label where ``where`` (bool, (n,)) holds. Raises Refusal where the model has no null label."""
        if self.null is None:
            raise Refusal(
                "This model has not learned to do without a class, so it cannot be guided: set guidance to 0."
            )
        return replace(self, labels=self.labels.masked_fill(where, self.null))

    def followed_by(self, other: Condition) -> Condition:
        """Both batches as one."""
        return replace(self, labels=torch.cat((self.labels, other.labels)))


class Denoiser(Protocol):
    """Anything that looks at x_t (n, *event_shape) float32 at one level and says what is picture and what is noise."""

    def __call__(self, x_t: Tensor, level: Level, condition: Condition | None) -> Prediction: ...


class Network(Protocol):
    """x (n, *event_shape), t float32 (n,) and labels int64 (n,) or None to an output of x's shape, or one of twice as
    many channels where it has learned its variance."""

    def __call__(self, x: Tensor, t: Tensor, labels: Tensor | None) -> Tensor: ...


def _never() -> None:
    pass


@dataclass(frozen=True, slots=True)
class NetworkDenoiser:
    """A network that predicts ``kind`` at the time ``level.t``, and its variance in a second half of its channels
    unless that is "fixed".

    ``check`` is called before every micro-batch of at most ``micro_batch`` samples (None: all at once) and may raise
    Cancelled. The output is taken in float32 whatever the network computes in; x_t is never rounded. ``schedule`` is
    the one it was trained on, which the kind "mean" needs.
    """

    network: Network
    kind: PredictionKind
    check: Callable[[], None] = _never
    micro_batch: int | None = None
    variance: VarianceKind = "fixed"
    schedule: Schedule | None = None

    @torch.no_grad()
    def __call__(self, x_t: Tensor, level: Level, condition: Condition | None) -> Prediction:
        outputs = []
        for start in range(0, len(x_t), self.micro_batch or len(x_t)):
            self.check()
            x = x_t[start : start + (self.micro_batch or len(x_t))]
            t = torch.full((1,), level.t, dtype=torch.float32, device=x.device).expand(len(x))
            labels = None if condition is None else condition.labels[start : start + len(x)].to(x.device)
            outputs.append(self.network(x, t, labels).float())
        output = outputs[0] if len(outputs) == 1 else torch.cat(outputs)
        if self.variance == "fixed":
            return Prediction(*self._x0_and_eps(output, x_t, level))
        said, variance = output.chunk(2, dim=1)
        return Prediction(*self._x0_and_eps(said, x_t, level), learned=LearnedVariance(self.variance, variance))

    def _x0_and_eps(self, output: Tensor, x_t: Tensor, level: Level) -> tuple[Tensor, Tensor]:
        if self.kind != "mean" or self.schedule is None:
            return to_x0_and_eps(output, x_t, level, self.kind)
        t = int(level.t)
        return x0_and_eps_from_mean(x_t, output, level, self.schedule.level(t), self.schedule.level(t - 1))


Interval = tuple[int, int]


def is_within(level: Level, interval: Interval | None) -> bool:
    """Whether guidance works at this level: its time lies between both ends of the interval, or there is none."""
    return interval is None or min(interval) <= level.t <= max(interval)


@dataclass(frozen=True, slots=True)
class Guided:
    """Classifier-free guidance: eps = (1 + w) eps_c - w eps_u (Ho & Salimans 2022, eq. 6), both in one batch.

    w = 0 is the plain conditional model and w = -1 the unconditional one; either costs a single evaluation, as does
    the conditional model where the ``interval`` of times leaves guidance out (Kynkaanniemi et al. 2024). x0_hat is
    linear in eps_hat at a given x_t, so it follows by the same combination, without a division by a small alpha.
    ``rescale`` is how far the guided v goes back to the standard deviation of the conditional one (``rescaled``).
    ``watched`` evaluates both wherever there is guidance at all, for the sake of their ``difference`` alone.
    Raises Refusal where guidance is asked of a model without classes.
    """

    denoiser: Denoiser
    w: float
    interval: Interval | None = None
    rescale: float = 0.0
    watched: bool = False

    def __call__(self, x_t: Tensor, level: Level, condition: Condition | None) -> Prediction:
        w = self.w if is_within(level, self.interval) else 0.0
        if self.w == 0 or (w == 0 and not self.watched):
            return self.denoiser(x_t, level, condition)
        if condition is None:
            raise Refusal("This model knows no classes, so it cannot be guided: set guidance to 0.")
        without = condition.unconditional()
        if w == -1 and not self.watched:
            return self.denoiser(x_t, level, without)
        both = self.denoiser(torch.cat((x_t, x_t)), level, condition.followed_by(without))
        (x0_c, x0_u), (eps_c, eps_u) = both.x0_hat.chunk(2), both.eps_hat.chunk(2)
        x0_hat, eps_hat = x0_c * (1 + w) - x0_u * w, eps_c * (1 + w) - eps_u * w
        if self.rescale and w not in (0, -1):
            x0_hat, eps_hat = rescaled(x_t, (x0_hat, eps_hat), (x0_c, eps_c), level, self.rescale)
        kept = slice(len(x_t), None) if w == -1 else slice(len(x_t))  # whose variance: the conditional half's
        learned = None if both.learned is None else both.learned[kept]
        return Prediction(x0_hat, eps_hat, learned, difference=eps_c - eps_u)


def rescaled(
    x_t: Tensor, guided: tuple[Tensor, Tensor], plain: tuple[Tensor, Tensor], level: Level, share: float
) -> tuple[Tensor, Tensor]:
    """Guided x0_hat and eps_hat whose v goes ``share`` (0..1) of the way back to the standard deviation that the plain
    conditional v has, each sample's over all its values (Lin et al. 2024, eqs. 15 and 16).

    The paper's network answers v; taking v here, whatever the network answers, makes the result a matter of what is
    predicted alone, and defined at every level.
    """
    v, aim = v_from(*guided, level), v_from(*plain, level)
    of = tuple(range(1, x_t.dim()))
    ratio = aim.std(of, keepdim=True) / v.std(of, keepdim=True).clamp_min(torch.finfo(v.dtype).tiny)
    v = v * (share * ratio + (1 - share))
    return x0_from_v(x_t, v, level), eps_from_v(x_t, v, level)


@dataclass(frozen=True, slots=True)
class Clipped:
    """x0_hat held within the data's range [low, high].

    ``none`` leaves it, ``clamp`` holds x0_hat and keeps eps_hat, ``rederive`` also takes eps_hat from the held x0_hat.
    ``dynamic`` holds each picture within the ``percentile`` (0..1) of its own distances from the middle of the range,
    at least the range itself and at most ``limit`` (None: without), scales it back into the range and re-derives
    eps_hat (Saharia et al. 2022 (Imagen), section 2.3).
    """

    denoiser: Denoiser
    policy: ClipPolicy
    low: float = -1.0
    high: float = 1.0
    percentile: float = 0.995
    limit: float | None = None

    def __post_init__(self) -> None:
        """Raises Refusal for a limit that leaves nothing."""
        if self.limit is not None and self.limit <= 0:
            raise Refusal("The limit of dynamic thresholding lies above 0; leave it out for none.")

    def __call__(self, x_t: Tensor, level: Level, condition: Condition | None) -> Prediction:
        prediction = self.denoiser(x_t, level, condition)
        if self.policy == "none":
            return prediction
        if self.policy == "dynamic":
            x0_hat = self._dynamic(prediction.x0_hat)
        else:
            x0_hat = prediction.x0_hat.clamp(self.low, self.high)
        if self.policy == "clamp" or level.is_clean:
            return replace(prediction, x0_hat=x0_hat)
        return replace(prediction, x0_hat=x0_hat, eps_hat=eps_from_x0(x_t, x0_hat, level))

    def _dynamic(self, x0_hat: Tensor) -> Tensor:
        middle, half = (self.low + self.high) / 2, (self.high - self.low) / 2
        away = x0_hat - middle
        reach = quantile(away.abs().flatten(1), self.percentile).clamp_min(half)
        if self.limit is not None:
            reach = reach.clamp_max(self.limit)
        reach = reach.view(-1, *(1 for _ in x0_hat.shape[1:]))
        return away.clamp(-reach, reach) * (half / reach) + middle


def quantile(values: Tensor, share: float) -> Tensor:
    """The quantile ``share`` (0..1) of each row of (n, k), between neighbours linearly: (n,). Rows of any length."""
    ordered = values.sort(dim=1).values
    place = share * (values.shape[1] - 1)
    below = math.floor(place)
    above = min(below + 1, values.shape[1] - 1)
    return torch.lerp(ordered[:, below], ordered[:, above], place - below)
