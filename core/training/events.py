"""What a training run tells whoever advances it, one event at a time. Torch-free."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.messages import Picture

LEVELS = 10
"""Bins of equal width over t = 0..T-1 in which losses are told."""


def means_by_level(t: NDArray[np.int64], losses: NDArray[np.float32], T: int) -> NDArray[np.float32]:
    """The means of the losses whose t of 0..T-1 fell into each bin, float32 (LEVELS,), NaN where none did; t and losses
    are (n,)."""
    bins = np.minimum(t * LEVELS // T, LEVELS - 1)
    counts = np.bincount(bins, minlength=LEVELS)
    totals = np.bincount(bins, weights=losses, minlength=LEVELS)
    return np.where(counts, totals / np.maximum(counts, 1), np.nan).astype(np.float32)


def _unknown() -> NDArray[np.float32]:
    return np.full(LEVELS, np.nan, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class TrainStep:
    """One step that is done: ``step`` counts from 1, ``loss`` is its batch's mean, ``seconds`` what it took.

    ``by_level`` float32 (LEVELS,) are the means of the losses whose t fell into each bin, NaN where none did;
    ``gradient_norm`` is that before clipping.
    """

    step: int
    loss: float
    lr: float
    gradient_norm: float
    seconds: float
    by_level: NDArray[np.float32] = field(default_factory=_unknown)


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Pictures uint8 (n, H, W, C) drawn from fixed seeds after ``step`` steps with ``weights`` ("ema" or "raw").

    ``x0_hat`` and ``x_t`` uint8 (k, n, H, W, C) show the way there at k moments of diffusion time, ``timesteps`` their
    t, falling; empty where it was not kept.
    """

    step: int
    pictures: Picture
    weights: str = "ema"
    timesteps: tuple[int, ...] = ()
    x0_hat: Picture | None = None
    x_t: Picture | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Validated:
    """The loss of the averaged weights after ``step`` steps on the pictures kept aside, with fixed noise and t;
    ``by_level`` as in TrainStep."""

    step: int
    loss: float
    by_level: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Saved:
    """The run's first ``step`` steps are on the disk."""

    step: int


@dataclass(frozen=True, slots=True)
class RolledBack:
    """The loss of step ``at`` was no number, or had exploded: the run goes on from ``step`` with its learning rate
    times ``lr_scale`` (of all times together). ``why`` is for the person."""

    at: int
    step: int
    lr_scale: float
    why: str


@dataclass(frozen=True, slots=True)
class PathChanged:
    """From the step after ``step`` on the network is computed another way; ``words`` say how, such as "bfloat16,
    compiled, 2 threads, 4 × 16 pictures"; ``why`` is for the person, "" where it needs no reason."""

    step: int
    words: str
    why: str = ""


Event = TrainStep | Drawn | Validated | Saved | RolledBack | PathChanged
