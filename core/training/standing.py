"""How a training stands, and what can be said of that. Torch-free."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.requests import PredictionKind, ScheduleSpec
from core.training.baseline import averaged_age
from core.training.events import LEVELS, RolledBack, Validated
from core.training.order import ObjectiveName, TaskName

Severity = Literal["fine", "look", "act"]
WINDOW = 100
"""Steps whose mean is "the loss" of a moment."""
Curve = NDArray[np.float32]


def _none(*shape: int) -> Curve:
    return np.zeros(shape, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """What is known of a training. ``losses``, ``norms`` and ``rates`` float32 (step,) and ``by_level`` (step, LEVELS)
    are as in ``History``, NaN where unknown; ``progress`` 0..1 counts steps or minutes, ``pictures`` those trained on.
    """

    step: int
    progress: float
    pictures: int
    batch: int | None = None
    classes: int = 0
    task: TaskName = "diffusion"
    prediction: PredictionKind = "v"
    objective: ObjectiveName = "simple"
    schedule: ScheduleSpec = field(default_factory=ScheduleSpec)
    losses: Curve = field(default_factory=lambda: _none(0))
    norms: Curve = field(default_factory=lambda: _none(0))
    rates: Curve = field(default_factory=lambda: _none(0))
    by_level: Curve = field(default_factory=lambda: _none(0, LEVELS))
    validated: tuple[Validated, ...] = ()
    rolled_back: tuple[RolledBack, ...] = ()
    ema_decay: float = 0.999
    warm_up: int = 100

    @property
    def seen(self) -> int:
        """Pictures that went through the network, each as often as it did."""
        return self.step * (self.batch or 0)

    @property
    def epochs(self) -> float:
        return self.seen / max(1, self.pictures)

    @property
    def age(self) -> float:
        """How many steps old the averaged weights are."""
        return averaged_age(self.step, self.ema_decay)

    def loss_at(self, step: int) -> float:
        """The mean of the ``WINDOW`` losses up to a step, NaN where none is known."""
        return mean_of(self.losses[max(0, step - WINDOW) : step])

    @property
    def loss(self) -> float:
        """The mean of the last losses."""
        return self.loss_at(self.step)


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence, the numbers behind it, what to do ("" for nothing), and what its threshold rests on."""

    severity: Severity
    headline: str
    numbers: str
    advice: str = ""
    source: str = ""


def mean_of(values: NDArray[Any]) -> float:
    """The mean of what is known, NaN where nothing is."""
    known = values[np.isfinite(values)]
    return float(known.mean(dtype=np.float64)) if len(known) else math.nan
