"""What a training draws from fixed seeds, as a request: its settings, after which steps, whose weights. Torch-free."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from core.errors import Refusal
from core.training.order import WeightsName
from core.training.request import TrainRequest

SEED = 0
STEPS = 25
MOMENTS = 10
"""How many steps of the way are kept, the first and the last among them."""


@dataclass(frozen=True, slots=True)
class TrainingDraw:
    """``count`` samples of ``training`` after so many steps each (``after``), with ``weights`` averaged or raw: DDIM
    (Song et al. 2021) in 25 steps without guidance, classes in turn, noise of seed 0.

    Raises Refusal where ``after`` and ``weights`` are not alike in number, or are none.
    """

    training: TrainRequest
    after: tuple[int, ...]
    weights: tuple[WeightsName, ...]
    count: int

    def __post_init__(self) -> None:
        if not self.after or len(self.after) != len(self.weights):
            raise Refusal("Samples of a training are drawn after at least one number of steps, each with its weights.")

    @property
    def steps(self) -> int:
        """Of the way to each sample."""
        return min(STEPS, self.training.schedule.T)


def draw_of(training: TrainRequest, drawn: tuple[tuple[int, str], ...], count: int) -> TrainingDraw:
    """The request of these sets, each (after so many steps, with these weights)."""
    after, weights = tuple(step for step, _ in drawn), tuple(cast(WeightsName, name) for _, name in drawn)
    return TrainingDraw(training, after, weights, count)


def moments(steps: int) -> tuple[int, ...]:
    """Which of a walk's ``steps`` steps are kept: at most ``MOMENTS``, evenly spread, the first and the last always."""
    if steps <= MOMENTS:
        return tuple(range(steps))
    return tuple(round(moment * (steps - 1) / (MOMENTS - 1)) for moment in range(MOMENTS))
