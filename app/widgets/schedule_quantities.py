"""What the small plots of a schedule show: a table each, how it is printed and what it means."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Quantity:
    """What a plot shows: a table of the schedule, its symbol, how it is printed and what it means."""

    table: str
    symbol: str
    decimals: int
    meaning: str
    falls_with_signal: bool = False


BETA = Quantity("betas", r"\beta_t", 5, "Variance of the noise that one step adds (Ho et al. 2020, eq. 2)")
ALPHA_BAR = Quantity(
    "alpha_bar",
    r"\bar{\alpha}_t",
    5,
    "Product of 1 − β up to t: how much of the picture's power is left (Ho et al. 2020, eq. 4)",
    falls_with_signal=True,
)
LOG_SNR = Quantity(
    "log_snr",
    r"\log\,\mathrm{SNR}_t",
    3,
    "log ᾱ / (1 − ᾱ): signal against noise (Kingma et al. 2021, eq. 2)",
    falls_with_signal=True,
)
BETA_TILDE = Quantity(
    "beta_tilde",
    r"\tilde{\beta}_t",
    5,
    "β (1 − ᾱ one step before) / (1 − ᾱ): variance of one step back where x_0 is known (Ho et al. 2020, eq. 7)",
)


def between(values: NDArray[np.float64], place: float) -> float:
    """A table at a place 0..len - 1, between two entries on the straight line; an entry may be infinite."""
    before = int(min(max(place, 0), len(values) - 1))
    share = place - before
    if share <= 0 or before == len(values) - 1:
        return float(values[before])
    return float(values[before] + share * (values[before + 1] - values[before]))
