"""What the engine tells the window of a training."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.arrays import Picture
from core.training.request import TrainRequest


@dataclass(frozen=True, slots=True)
class TrainingStarted:
    """A training has begun, or goes on at ``step``: what it is, and what it has shown so far.

    ``folder`` is the run's own, a model folder; ``losses`` has one entry a step that is done; ``samples`` are the
    pictures drawn so far. ``total`` counts steps, None where the run lasts ``minutes`` instead. ``path`` says how the
    network is computed ("bfloat16, compiled, 2 threads"); the other curves are as in TrainingTick, of all steps.
    ``notes`` are for the person: what becomes of a fine-tuned model's classes, that an old curve cannot be shown.
    ``request`` is all that decides its bits.
    """

    job: int
    name: str
    folder: str
    pictures: int
    labels: tuple[str, ...]
    parameters: int
    batch: int
    precision: str
    step: int
    total: int | None
    minutes: float | None
    losses: NDArray[np.float32]
    samples: tuple[TrainingSamples, ...] = ()
    notes: tuple[str, ...] = ()
    path: str = ""
    norms: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    rates: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    by_level: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 10), np.float32))
    validated: tuple[TrainingValidated, ...] = ()
    rolled_back: tuple[TrainingRolledBack, ...] = ()
    request: TrainRequest | None = None


@dataclass(frozen=True, slots=True)
class TrainingTick:
    """The losses (L_simple of a batch) of the steps from ``first_step`` on, which counts from 1; ``eta`` in seconds,
    ``progress`` 0..1. Of the same steps: ``norms`` of the gradient before clipping, learning ``rates``, and the losses
    ``by_level`` float32 (k, 10): their means in ten bins of t, NaN where a bin was not met."""

    job: int
    first_step: int
    losses: NDArray[np.float32]
    images_per_second: float
    eta: float
    progress: float
    norms: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    rates: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    by_level: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 10), np.float32))


@dataclass(frozen=True, slots=True)
class TrainingSamples:
    """What the model draws from fixed seeds after ``step`` steps: always the same noise, label by label.

    Drawn with ``weights`` ("ema": the averaged ones, or "raw"). ``x0_hat`` and ``x_t`` uint8 (k, n, H, W, C) show the
    way there at the k moments of diffusion time ``timesteps``, falling; None where it was not kept.
    """

    job: int
    step: int
    pictures: Picture
    weights: str = "ema"
    timesteps: tuple[int, ...] = ()
    x0_hat: Picture | None = None
    x_t: Picture | None = None


@dataclass(frozen=True, slots=True)
class TrainingValidated:
    """The loss of the averaged weights after ``step`` steps on the pictures kept aside, with fixed noise and t;
    ``by_level`` float32 (10,) the same in bins of t."""

    job: int
    step: int
    loss: float
    by_level: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TrainingRolledBack:
    """The loss of step ``at`` was no number, or had exploded: the training goes on from ``step`` with its learning rate
    times ``lr_scale``. ``why`` is for the person."""

    job: int
    at: int
    step: int
    lr_scale: float
    why: str


@dataclass(frozen=True, slots=True)
class TrainingPath:
    """From the step after ``step`` on the network is computed another way, said in ``words``; ``why`` may be ""."""

    job: int
    step: int
    words: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class TrainingOffer:
    """There was not enough memory for a step, and the training is paused: with parts of ``micro_batch`` pictures it
    fits, its batch unchanged. ``Instruction(micro_batch=...)`` accepts, and the training goes on."""

    job: int
    micro_batch: int
    why: str


@dataclass(frozen=True, slots=True)
class TrainingSaved:
    """A checkpoint of ``step`` steps is on the disk: from there the run goes on whatever happens."""

    job: int
    step: int
