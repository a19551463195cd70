"""Which timesteps a batch is noised to, and what each picture's loss counts so that its expectation stays the same."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from core.training.order import TimestepSamplerName

HISTORY = 10
"""Losses remembered of every t (Nichol & Dhariwal 2021, section 3.3)."""
UNIFORM_SHARE = 0.001
"""Of the draws that go to all t alike, so that none is forgotten."""


class TimestepSampler(Protocol):
    """Draws timesteps with the run's own generator and learns from the losses. ``state`` and ``restore`` carry what it
    has learned through a checkpoint, as named tensors."""

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Timesteps int64 (count,) of 0..T-1, and the weight of each one's loss, float32 (count,).

        The weighted mean of any function of t has the function's mean over all t as its expectation."""
        ...

    def observe(self, t: Tensor, losses: Tensor) -> None:
        """What the losses of these timesteps were, unweighted, both (n,) on the CPU."""
        ...

    def state(self) -> dict[str, Tensor]: ...

    def restore(self, state: dict[str, Tensor]) -> None:
        """Raises KeyError or ValueError for the state of another sampler or schedule."""
        ...


def timestep_sampler(name: TimestepSamplerName, T: int) -> TimestepSampler:
    return LossSecondMoment(T) if name == "loss_second_moment" else _SAMPLERS[name](T)


class _Even:
    """Of samplers under which every t is as likely as any other: nothing to weigh, nothing to learn."""

    def __init__(self, T: int) -> None:
        self._T = T

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        return self._timesteps(count, generator), torch.ones(count)

    def _timesteps(self, count: int, generator: torch.Generator) -> Tensor:
        raise NotImplementedError

    def observe(self, t: Tensor, losses: Tensor) -> None:
        pass

    def state(self) -> dict[str, Tensor]:
        return {}

    def restore(self, state: dict[str, Tensor]) -> None:
        pass


class Uniform(_Even):
    """Each by itself uniform over 0..T-1 (Ho et al. 2020, algorithm 1)."""

    def _timesteps(self, count: int, generator: torch.Generator) -> Tensor:
        return torch.randint(self._T, (count,), generator=generator)


class Antithetic(_Even):
    """In pairs t and T - 1 - t, whose errors partly cancel: the second half of a batch mirrors its first."""

    def _timesteps(self, count: int, generator: torch.Generator) -> Tensor:
        first = torch.randint(self._T, (-(-count // 2),), generator=generator)
        return torch.cat((first, self._T - 1 - first))[:count]


class Spread(_Even):
    """Each uniform over 0..T-1, together evenly spread.

    t_i = floor(T ((u + i / count) mod 1)) with one u for all (Kingma et al. 2021 (VDM), appendix I.1): the same
    expected loss as independent draws, with less variance.
    """

    def _timesteps(self, count: int, generator: torch.Generator) -> Tensor:
        u = torch.rand((), generator=generator, dtype=torch.float64)
        fractions = (u + torch.arange(count, dtype=torch.float64) / count) % 1.0
        return (fractions * self._T).long().clamp_(max=self._T - 1)


class LossSecondMoment:
    """Oftener where losses are large: p_t in proportion to sqrt(E[L_t^2]) over the last ten losses of each t, uniform
    until there are that many of every t; a loss then counts 1 / (T p_t) (Nichol & Dhariwal 2021, eq. 18).
    """

    def __init__(self, T: int) -> None:
        self._history = torch.zeros(T, HISTORY, dtype=torch.float64)
        self._counts = torch.zeros(T, dtype=torch.int64)

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        p = self.probabilities()
        t = torch.multinomial(p, count, replacement=True, generator=generator)
        return t, (1 / (len(p) * p[t])).float()

    def probabilities(self) -> Tensor:
        """p_t of every t, float64 (T,), with sum 1."""
        T = len(self._counts)
        even = torch.full((T,), 1 / T, dtype=torch.float64)
        size = self._history.square().mean(1).sqrt()
        if int(self._counts.min()) < HISTORY or not size.sum() > 0:
            return even
        return size / size.sum() * (1 - UNIFORM_SHARE) + even * UNIFORM_SHARE

    def observe(self, t: Tensor, losses: Tensor) -> None:
        for time, loss in zip(t.tolist(), losses.tolist(), strict=True):
            self._history[time, self._counts[time] % HISTORY] = loss
            self._counts[time] += 1

    def state(self) -> dict[str, Tensor]:
        return {"history": self._history.clone(), "counts": self._counts.clone()}

    def restore(self, state: dict[str, Tensor]) -> None:
        for mine, name in ((self._history, "history"), (self._counts, "counts")):
            if state[name].shape != mine.shape:
                raise ValueError(f"{name} has the shape {tuple(state[name].shape)}, not {tuple(mine.shape)}")
            mine.copy_(state[name])


_SAMPLERS: dict[str, type[_Even]] = {"spread": Spread, "uniform": Uniform, "antithetic": Antithetic}
