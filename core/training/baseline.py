"""What can be said of a training without looking at it: the loss of a network that answers nothing, and how old the
averaged weights are. Torch-free."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from core.requests import PredictionKind
from core.schedules import Schedule, Table
from core.training.events import LEVELS
from core.training.order import ObjectiveName


def losses_of_nothing(
    prediction: PredictionKind, objective: ObjectiveName, schedule: Schedule, power: float = 1.0, gamma: float = 5.0
) -> Table | None:
    """The expected loss of the answer 0 at every t, float64 (T,); None for a loss that is no weighted squared error.

    That of eps is E[eps^2] = 1, that of x_0 the ``power`` E[x_0^2] of a value, that of v = alpha eps - sigma x_0
    alpha^2 + sigma^2 E[x_0^2] (Salimans & Ho 2022, appendix D), each times its weight (Hang et al. 2023).
    """
    if objective not in ("simple", "hybrid", "min_snr") or prediction == "mean":
        return None
    alpha2, sigma2 = schedule.alpha_bar, 1 - schedule.alpha_bar
    error = {"eps": np.ones(schedule.T), "x0": np.full(schedule.T, power), "v": alpha2 + sigma2 * power}[prediction]
    if objective != "min_snr":
        return error
    over = {"eps": schedule.snr, "x0": np.ones(schedule.T), "v": schedule.snr + 1}[prediction]
    weighted: Table = error * np.minimum(schedule.snr, gamma) / over
    return weighted


def nothing_by_level(losses: Table) -> Table:
    """The means of ``losses`` (T,) in the bins in which a training's are told, float64 (LEVELS,)."""
    bins = np.minimum(np.arange(len(losses)) * LEVELS // len(losses), LEVELS - 1)
    counts = np.bincount(bins, minlength=LEVELS)
    means: Table = np.bincount(bins, weights=losses, minlength=LEVELS) / np.maximum(counts, 1)
    return means


@lru_cache(maxsize=4096)
def averaged_age(steps: int, decay: float) -> float:
    """How many steps old the averaged weights are after ``steps``, the mean over the weights that they are made of.

    The decay of the n-th update is min(decay, (1 + n) / (10 + n)) (Song et al. 2021), so that it is about a tenth of
    the steps at first and decay / (1 - decay) in the end.
    """
    if not 0 <= decay < 1:
        return math.nan
    settled = math.ceil((9 * decay) / (1 - decay)) + math.ceil(20 / (1 - decay))
    age = 0.0
    for update in range(min(steps, settled)):
        age = min(decay, (1 + update) / (10 + update)) * (age + 1)
    return age
