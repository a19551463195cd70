"""Whether samples lie nearer to the training pictures than pictures do that were never trained on. Torch-free."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Distances = NDArray[np.float64]
Sign = Literal["none", "nearer", "copies", "unknown"]

CHANCE = 0.01
"""What chance explains with a smaller probability is a sign."""
SHARE = 0.01
"""Of the yardstick's distances: what is nearer than all but these is near."""
FEWEST_SAMPLES = 4
FEWEST = 20


@dataclass(frozen=True, slots=True)
class Verdict:
    """``sign``: samples are copies, or nearer on the whole, or neither ("none"), or there are too few ("unknown").
    ``near`` of the samples are nearer than ``limit``; ``words`` are for the person."""

    sign: Sign
    words: str
    near: int
    limit: float


def judged(samples: Distances, held_out: Distances, own: Distances) -> Verdict:
    """What distances to the nearest training picture, (n,) each, say of learning by heart.

    Where the model knows nothing but what all such pictures have in common, samples lie as far from the training
    pictures as ``held_out`` ones; without any the yardstick is ``own``, how far training pictures lie from each other.
    Two tests, neither of which asks how distances are distributed: how many samples are nearer than the r-th smallest
    of m distances, r = m / 100 (of n exchangeable ones their number is beta-binomial with parameters r, m + 1 - r), and
    the rank sum of Mann & Whitney (1947), as Meehan et al. (2020) use it against data copying.
    """
    is_held_out = len(held_out) > 0
    yardstick = held_out if is_held_out else own
    n, m = len(samples), len(yardstick)
    if n < FEWEST_SAMPLES or m < FEWEST:
        return Verdict("unknown", _too_few(n, m, is_held_out), 0, math.nan)
    rank = max(1, int(SHARE * m))
    limit = float(np.partition(yardstick, rank - 1)[rank - 1])
    near = int((samples < limit).sum())
    whose = "held-out pictures" if is_held_out else "training pictures to each other"
    medians = f"median {shown(np.median(samples))} against {shown(np.median(yardstick))}"
    if near and more_than_chance(near, n, rank, m) < CHANCE:
        than = f"{1 - rank / m:.0%} of {whose}" if m >= 1 / SHARE else f"any of {m} {whose}"
        words = f"{near} of {n} samples are closer to a training picture than {than} are: look at them, they may be "
        return Verdict("copies", words + "learned by heart.", near, limit)
    if is_lower(samples, yardstick) < CHANCE:
        words = f"Samples are closer to the training pictures than {whose} are ({medians}). Smooth pictures are close "
        return Verdict("nearer", words + "to many, so look at the pairs: are they the same picture?", near, limit)
    farther = is_lower(yardstick, samples) < CHANCE
    compared, than = ("farther", "than") if farther else ("at least as far", "as")
    words = (
        f"Samples are {compared} from the training pictures {than} {whose} are ({medians}): no sign of learning by "
        "heart."
    )
    return Verdict("none", words, near, limit)


def more_than_chance(near: int, n: int, rank: int, m: int) -> float:
    """The probability that of n + m exchangeable values at least ``near`` of the n lie below the ``rank``-th smallest
    of the m."""
    a, b = rank, m + 1 - rank
    return math.fsum(
        math.exp(_log_choose(n, k) + _log_beta(k + a, n - k + b) - _log_beta(a, b)) for k in range(near, n + 1)
    )


def is_lower(a: Distances, b: Distances) -> float:
    """The probability, were both drawn alike, of a rank sum of ``a`` as low as it is: by the normal distribution, with
    ties, corrected for continuity (Mann & Whitney 1947)."""
    n, m = len(a), len(b)
    _values, place, counts = np.unique(np.concatenate((a, b)), return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    u = ranks[:n].sum() - n * (n + 1) / 2
    total = n + m
    variance = n * m / 12 * (total + 1 - (counts**3 - counts).sum() / (total * (total - 1)))
    if variance <= 0:
        return 1.0
    return 0.5 * math.erfc((n * m / 2 - u - 0.5) / math.sqrt(2 * variance))


def shown(distance: float) -> str:
    """Three significant digits."""
    return f"{distance:.3g}" if distance < 1000 else f"{distance:.0f}"


def _too_few(n: int, m: int, is_held_out: bool) -> str:
    whose = "held-out" if is_held_out else "training"
    return (
        f"{n} samples and {m} {whose} pictures are too few to say more than the pairs show: take at least "
        f"{FEWEST_SAMPLES} and {FEWEST}."
    )


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
