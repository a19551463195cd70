"""What the large plot can show: a schedule's tables, each with its formula, its digits and what it means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.schedules import Schedule

Table = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PlotTable:
    """One table of a schedule as it is plotted.

    Attributes: ``name`` for people, ``axis`` (its symbol in letters that any font has), ``formula`` (LaTeX),
    ``meaning`` with its source, ``of`` (schedule to the table over t = 0..T-1), ``number`` (how a value is printed,
    always equally wide), ``has_log`` (whether a logarithmic axis makes sense), ``falls_with_signal`` (coloured from
    the data's blue to the noise's orange).
    """

    name: str
    axis: str
    formula: str
    meaning: str
    of: Callable[[Schedule], Table]
    number: str = ".6f"
    has_log: bool = True
    falls_with_signal: bool = False

    def text(self, value: float) -> str:
        return format(value, f" {self.number}").replace("-", "\u2212")


TABLES: Mapping[str, PlotTable] = {
    "betas": PlotTable(
        "β: noise of a step",
        "β",
        r"\beta_t",
        "Variance of the noise that one step adds (Ho et al. 2020, eq. 2)",
        lambda schedule: schedule.betas,
    ),
    "alpha_bar": PlotTable(
        "ᾱ: signal left",
        "ᾱ",
        r"\bar{\alpha}_t = \prod_{s \leq t} (1 - \beta_s)",
        "How much of the picture's power is left (Ho et al. 2020, eq. 4)",
        lambda schedule: schedule.alpha_bar,
        falls_with_signal=True,
    ),
    "noise": PlotTable(
        "1 − ᾱ: noise so far",
        "1 − ᾱ",
        r"1 - \bar{\alpha}_t",
        "Variance of all the noise added up to t (Ho et al. 2020, eq. 4)",
        lambda schedule: 1 / (1 + schedule.snr),
    ),
    "sqrt_alpha_bar": PlotTable(
        "√ᾱ: factor of x₀",
        "√ᾱ",
        r"\sqrt{\bar{\alpha}_t}",
        "What the picture is multiplied with in x_t (Ho et al. 2020, eq. 4)",
        lambda schedule: np.sqrt(schedule.alpha_bar),
        falls_with_signal=True,
    ),
    "sqrt_noise": PlotTable(
        "√(1 − ᾱ): factor of ε",
        "√(1 − ᾱ)",
        r"\sqrt{1 - \bar{\alpha}_t}",
        "What the noise is multiplied with in x_t (Ho et al. 2020, eq. 4)",
        lambda schedule: np.sqrt(1 / (1 + schedule.snr)),
    ),
    "snr": PlotTable(
        "SNR",
        "SNR",
        r"\mathrm{SNR}_t = \bar{\alpha}_t / (1 - \bar{\alpha}_t)",
        "Signal against noise (Kingma et al. 2021, eq. 2)",
        lambda schedule: schedule.snr,
        number=".4e",
        falls_with_signal=True,
    ),
    "log_snr": PlotTable(
        "log SNR",
        "log SNR",
        r"\log\,\mathrm{SNR}_t",
        "Natural logarithm of signal against noise (Kingma et al. 2021, eq. 2)",
        lambda schedule: schedule.log_snr,
        number=".4f",
        has_log=False,
        falls_with_signal=True,
    ),
    "beta_tilde": PlotTable(
        "β̃: posterior variance",
        "β̃",
        r"\tilde{\beta}_t = \beta_t\,(1 - \bar{\alpha}_{t-1}) / (1 - \bar{\alpha}_t)",
        "Variance of one step back where x_0 is known (Ho et al. 2020, eq. 7); 0 at t = 0",
        lambda schedule: schedule.beta_tilde,
    ),
    "posterior_mean_x0": PlotTable(
        "Posterior mean: factor of x₀",
        "factor of x₀",
        r"\sqrt{\bar{\alpha}_{t-1}}\,\beta_t / (1 - \bar{\alpha}_t)",
        "Share of x_0 in the mean of one step back (Ho et al. 2020, eq. 7)",
        lambda schedule: schedule.posterior_mean_x0,
    ),
    "posterior_mean_x_t": PlotTable(
        "Posterior mean: factor of x_t",
        "factor of x_t",
        r"\sqrt{\alpha_t}\,(1 - \bar{\alpha}_{t-1}) / (1 - \bar{\alpha}_t)",
        "Share of x_t in the mean of one step back (Ho et al. 2020, eq. 7); 0 at t = 0",
        lambda schedule: schedule.posterior_mean_x_t,
    ),
}
"""By the name of the schedule's own table where it has one."""
