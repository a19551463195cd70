"""One interface to a network, whatever it predicts: ``Denoiser(x_t, level, condition)`` answers x0_hat and eps_hat."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from core.errors import Refusal
from core.levels import Level
from core.process import eps_from_x0, to_x0_and_eps
from core.requests import ClipPolicy, PredictionKind


@dataclass(frozen=True, slots=True)
class Prediction:
    """What is seen in x_t, float32 of its shape (n, *event_shape): x_t = alpha x0_hat + sigma eps_hat unless clamped.

    ``variance`` is that of the reverse step, where the network has learned one. Of a guided prediction ``difference``
    is eps_c - eps_u; ``gradient`` that of a classifier's log p(y | x_t) by x_t, and ``log_p`` (n,) that itself.
    """

    x0_hat: Tensor
    eps_hat: Tensor
    variance: Tensor | None = None
    difference: Tensor | None = None
    gradient: Tensor | None = None
    log_p: Tensor | None = None


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
    """x (n, *event_shape), t float32 (n,) and labels int64 (n,) or None to an output of x's shape."""

    def __call__(self, x: Tensor, t: Tensor, labels: Tensor | None) -> Tensor: ...


def _never() -> None:
    pass


@dataclass(frozen=True, slots=True)
class NetworkDenoiser:
    """A network that predicts ``kind`` at the time ``level.t``.

    ``check`` is called before every micro-batch of at most ``micro_batch`` samples (None: all at once) and may raise
    Cancelled. The output is taken in float32 whatever the network computes in; x_t is never rounded.
    """

    network: Network
    kind: PredictionKind
    check: Callable[[], None] = _never
    micro_batch: int | None = None

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
        return Prediction(*to_x0_and_eps(output, x_t, level, self.kind))


@dataclass(frozen=True, slots=True)
class Guided:
    """Classifier-free guidance: eps = (1 + w) eps_c - w eps_u (Ho & Salimans 2022, eq. 6), both in one batch.

    w = 0 is the plain conditional model and w = -1 the unconditional one; either costs a single evaluation. x0_hat is
    linear in eps_hat at a given x_t, so it follows by the same combination, without a division by a small alpha.
    Raises Refusal where guidance is asked of a model without classes.
    """

    denoiser: Denoiser
    w: float

    def __call__(self, x_t: Tensor, level: Level, condition: Condition | None) -> Prediction:
        if self.w == 0:
            return self.denoiser(x_t, level, condition)
        if condition is None:
            raise Refusal("This model knows no classes, so it cannot be guided: set guidance to 0.")
        without = condition.unconditional()
        if self.w == -1:
            return self.denoiser(x_t, level, without)
        both = self.denoiser(torch.cat((x_t, x_t)), level, condition.followed_by(without))
        return Prediction(self._combined(both.x0_hat), self._combined(both.eps_hat))

    def _combined(self, both: Tensor) -> Tensor:
        conditional, unconditional = both.chunk(2)
        return conditional * (1 + self.w) - unconditional * self.w


@dataclass(frozen=True, slots=True)
class Clipped:
    """x0_hat held within the data's range [low, high].

    ``none`` leaves it, ``clamp`` holds x0_hat and keeps eps_hat, ``rederive`` also takes eps_hat from the held x0_hat.
    """

    denoiser: Denoiser
    policy: ClipPolicy
    low: float = -1.0
    high: float = 1.0

    def __call__(self, x_t: Tensor, level: Level, condition: Condition | None) -> Prediction:
        prediction = self.denoiser(x_t, level, condition)
        if self.policy == "none":
            return prediction
        x0_hat = prediction.x0_hat.clamp(self.low, self.high)
        if self.policy == "clamp" or level.is_clean:
            return replace(prediction, x0_hat=x0_hat)
        return replace(prediction, x0_hat=x0_hat, eps_hat=eps_from_x0(x_t, x0_hat, level))
