"""Noise levels: what a sampler walks along."""

from __future__ import annotations

import math
from dataclasses import dataclass

CLEAN_TIME = -1.0


@dataclass(frozen=True, slots=True)
class Level:
    """One noise level of a Gaussian process: x = alpha * x_0 + sigma * eps.

    ``t`` is the time the network is told (an integer 0..T-1 in the discrete process, ``CLEAN_TIME`` for the data
    themselves). For variance-preserving processes alpha**2 + sigma**2 = 1 and alpha**2 is the paper's alpha_bar.
    """

    t: float
    alpha: float
    sigma: float

    @property
    def alpha_bar(self) -> float:
        return self.alpha * self.alpha

    @property
    def snr(self) -> float:
        return math.inf if self.sigma == 0 else (self.alpha / self.sigma) ** 2

    @property
    def log_snr(self) -> float:
        if self.sigma == 0:
            return math.inf
        return -math.inf if self.alpha == 0 else 2 * (math.log(self.alpha) - math.log(self.sigma))

    @property
    def is_clean(self) -> bool:
        return self.sigma == 0

    @classmethod
    def from_alpha_bar(cls, t: float, alpha_bar: float) -> Level:
        """The variance-preserving level with this alpha_bar (0..1)."""
        return cls(t, math.sqrt(alpha_bar), math.sqrt(1 - alpha_bar))


CLEAN = Level(CLEAN_TIME, 1.0, 0.0)

Path = tuple[Level, ...]
"""Levels in the order they are visited; a walk of n steps has n + 1 of them."""
