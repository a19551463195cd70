"""Noise schedules of the discrete variance-preserving process, and every table that follows from their betas.

Notation of Ho et al. 2020 (DDPM): alpha_t = 1 - beta_t, alpha_bar_t = prod_{s <= t} alpha_s, times counted from 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from core.errors import Refusal
from core.levels import CLEAN, Level
from core.requests import PredictionKind, ScheduleSpec

Table = NDArray[np.float64]

MAX_T = 10_000
MAX_BETA = 0.999  # the cosine schedule's clip, Nichol & Dhariwal 2021


class Schedule:
    """A noise schedule as tables: float64, shape (T,), read-only.

    ``alpha_bar_prev`` is alpha_bar shifted by one with 1 in front; ``snr`` = alpha_bar / (1 - alpha_bar) and
    ``log_snr`` its natural logarithm. ``beta_tilde`` is the posterior variance (DDPM eq. 7), 0 at t = 0;
    ``log_beta_tilde_clipped`` its logarithm with entry 0 replaced by entry 1. ``posterior_mean_x0`` and
    ``posterior_mean_x_t`` are the coefficients of x_0 and x_t in the posterior mean (DDPM eq. 7).

    At the end of a schedule with ``spec.zero_snr`` nothing of the picture is left: there beta is 1, alpha_bar and snr
    are 0 and log_snr is -inf; all other entries of all tables are finite.
    """

    def __init__(self, spec: ScheduleSpec, betas: Table) -> None:
        """Raises Refusal unless every beta lies between 0 and 1 and alpha_bar stays above 0, but for the last of a
        schedule with zero terminal SNR."""
        regular = len(betas) - spec.zero_snr
        _check_betas(betas, regular)
        # Through logarithms, so that 1 - alpha_bar keeps its digits where alpha_bar is nearly 1.
        with np.errstate(divide="ignore"):
            log_alpha_bar = np.cumsum(np.log1p(-betas))
        noise = -np.expm1(log_alpha_bar)
        noise_prev = np.concatenate(([0.0], noise[:-1]))

        self.spec = spec
        self.T = len(betas)
        self.betas = _frozen(betas)
        self.alphas = _frozen(1 - betas)
        self.alpha_bar = _frozen(np.exp(log_alpha_bar))
        self.alpha_bar_prev = _frozen(np.concatenate(([1.0], self.alpha_bar[:-1])))
        if self.alpha_bar[regular - 1] < np.finfo(np.float64).tiny:
            raise Refusal("This schedule destroys the picture completely before its last step: choose smaller betas.")
        self.log_snr = _frozen(log_alpha_bar - np.log(noise))
        self.snr = _frozen(np.exp(self.log_snr))
        self.beta_tilde = _frozen(betas * noise_prev / noise)
        second = self.beta_tilde[1] if self.T > 1 else betas[0]
        self.log_beta_tilde_clipped = _frozen(np.log(np.concatenate(([second], self.beta_tilde[1:]))))
        self.posterior_mean_x0 = _frozen(betas * np.sqrt(self.alpha_bar_prev) / noise)
        self.posterior_mean_x_t = _frozen(noise_prev * np.sqrt(self.alphas) / noise)
        self._noise = _frozen(noise)

    def level(self, t: int) -> Level:
        """The level at time t, 0..T-1; -1 is the data themselves. Raises Refusal for any other t."""
        if t == -1:
            return CLEAN
        if not 0 <= t < self.T:
            raise Refusal(f"There is no timestep {t}: this schedule has the timesteps 0 to {self.T - 1}.")
        return Level(float(t), math.sqrt(self.alpha_bar[t]), math.sqrt(self._noise[t]))

    def sigma(self, t: int, t_prev: int, eta: float) -> float:
        """Standard deviation of the noise in DDIM's step from t to t_prev < t (Song et al. 2021, eq. 16)."""
        now, prev = self.level(t), self.level(t_prev)
        if not prev.log_snr > now.log_snr:
            raise ValueError(f"t_prev must lie below t; got t={t}, t_prev={t_prev}")
        return eta * (prev.sigma / now.sigma) * math.sqrt(1 - now.alpha_bar / prev.alpha_bar)

    def prior_kl(self, mean_square: float) -> float:
        """L_T = KL(q(x_T | x_0) || N(0, I)) in bits per dimension, for data whose mean of x_0 ** 2 is given."""
        alpha_bar = float(self.alpha_bar[-1])
        return 0.5 * (alpha_bar * (mean_square - 1) - math.log1p(-alpha_bar)) / math.log(2)


@lru_cache(maxsize=64)
def make_schedule(spec: ScheduleSpec) -> Schedule:
    """The tables of a schedule. Raises Refusal where its parameters make no schedule."""
    if not 1 <= spec.T <= MAX_T:
        raise Refusal(f"A schedule has between 1 and {MAX_T} timesteps, not {spec.T}.")
    for end in (spec.beta_start, spec.beta_end):
        if end is not None and not math.isfinite(end):
            raise Refusal("beta_start and beta_end must be ordinary numbers.")
    betas = _BETAS[spec.name](spec)
    return Schedule(spec, zero_snr_betas(Schedule(replace(spec, zero_snr=False), betas)) if spec.zero_snr else betas)


def zero_snr_betas(schedule: Schedule) -> Table:
    """The betas of the schedule, shifted and scaled in sqrt(alpha_bar) so that its first entry stays and its last
    becomes 0 (Lin et al. 2024, algorithm 1): float64 (T,), the last one 1. Raises Refusal for a single timestep."""
    if schedule.T < 2:
        raise Refusal("A schedule that ends without any signal needs at least two timesteps.")
    root = np.sqrt(schedule.alpha_bar)
    alpha_bar = ((root - root[-1]) * (root[0] / (root[0] - root[-1]))) ** 2
    alphas = alpha_bar[1:] / alpha_bar[:-1]
    betas: Table = np.concatenate((schedule.betas[:1], 1 - alphas))
    return betas


DEFINED_WITHOUT_SIGNAL: tuple[PredictionKind, ...] = ("x0", "v", "mean")
"""What a network can predict where alpha_bar is 0 so that it says what x_0 is; eps is x_t itself there."""


def check_prediction(spec: ScheduleSpec, kind: PredictionKind) -> None:
    """Raises Refusal where the schedule ends without any signal and what is predicted says nothing there."""
    if spec.zero_snr and kind not in DEFINED_WITHOUT_SIGNAL:
        raise Refusal(
            "With zero terminal SNR nothing of the picture is left at the last timestep, where x_t is the noise itself "
            "and predicting it says nothing of the picture: predict v, x_0 or the posterior mean instead."
        )


def _linear(spec: ScheduleSpec) -> Table:
    """DDPM, section 4; ends scaled to keep alpha_bar_T for other T (Nichol & Dhariwal 2021), unless given."""
    scale = 1000 / spec.T
    start, end = _ends(spec, 1e-4 * scale, 0.02 * scale)
    return np.linspace(start, end, spec.T) if spec.T > 1 else np.array([end])


def _quadratic(spec: ScheduleSpec) -> Table:
    """Linear in the square root of beta."""
    start, end = _ends(spec)
    if start < 0 or end < 0:
        raise Refusal("The quadratic schedule needs positive beta_start and beta_end.")
    return np.square(np.linspace(math.sqrt(start), math.sqrt(end), spec.T))


def _sigmoid(spec: ScheduleSpec) -> Table:
    """A logistic curve over [-6, 6] between beta_start and beta_end."""
    start, end = _ends(spec)
    return start + (end - start) / (1 + np.exp(-np.linspace(-6, 6, spec.T)))


def _sigmoid_alpha_bar(spec: ScheduleSpec) -> Table:
    """alpha_bar falls from 1 to 0 like a logistic curve over [-3, 3], beta at most 0.999 (Jabri et al. 2022, algorithm
    1, with start -3, end 3 and tau 1; the betas as in Nichol & Dhariwal)."""
    curve = 1 / (1 + np.exp(-np.linspace(-3, 3, spec.T + 1)))
    alpha_bar = (curve[-1] - curve) / (curve[-1] - curve[0])
    betas: Table = np.minimum(1 - alpha_bar[1:] / alpha_bar[:-1], MAX_BETA)
    return betas


def _constant(spec: ScheduleSpec) -> Table:
    """The same beta everywhere: beta_end, or else beta_start."""
    given = spec.beta_start if spec.beta_end is None else spec.beta_end
    return np.full(spec.T, 0.02 if given is None else given)


def _cosine(spec: ScheduleSpec) -> Table:
    """alpha_bar(u) = cos^2((u + s) / (1 + s) pi / 2) with s = 0.008, beta at most 0.999 (Nichol & Dhariwal, eq. 17)."""
    s = 0.008
    alpha_bar = np.cos((np.linspace(0, 1, spec.T + 1) + s) / (1 + s) * math.pi / 2) ** 2
    betas: Table = np.minimum(1 - alpha_bar[1:] / alpha_bar[:-1], MAX_BETA)
    return betas


def _drawn(spec: ScheduleSpec) -> Table:
    """A curve through the control points, monotone between them because it is monotone in log-SNR."""
    if len(spec.points) < 2:
        raise Refusal("A drawn schedule needs at least two points.")
    u, alpha_bar = np.array(spec.points, dtype=np.float64).T
    if not (u[0] == 0 and u[-1] == 1 and np.all(np.diff(u) > 0)):
        raise Refusal("The points of a drawn schedule run from the first timestep (0) to the last (1), left to right.")
    if not (np.all(alpha_bar > 0) and np.all(alpha_bar < 1)):
        raise Refusal("alpha_bar of a drawn schedule must stay between 0 and 1, without touching them.")
    if not np.all(np.diff(alpha_bar) < 0):
        raise Refusal("A drawn schedule must fall from each point to the next: noise is only ever added.")
    log_snr = monotone_cubic(u, np.log(alpha_bar) - np.log1p(-alpha_bar), np.linspace(0, 1, spec.T))
    log_alpha_bar = -np.logaddexp(0, -log_snr)
    betas: Table = -np.expm1(np.diff(log_alpha_bar, prepend=0.0))
    return betas


def _explicit(spec: ScheduleSpec) -> Table:
    if len(spec.betas) != spec.T:
        raise Refusal(f"The schedule lists {len(spec.betas)} betas for {spec.T} timesteps: they must be as many.")
    return np.array(spec.betas, dtype=np.float64)


_BETAS: dict[str, Callable[[ScheduleSpec], Table]] = {
    "linear": _linear,
    "cosine": _cosine,
    "quadratic": _quadratic,
    "sigmoid": _sigmoid,
    "sigmoid_alpha_bar": _sigmoid_alpha_bar,
    "constant": _constant,
    "drawn": _drawn,
    "betas": _explicit,
}


def monotone_cubic(x: Table, y: Table, at: Table) -> Table:
    """Piecewise cubic Hermite interpolation that is monotone where the data are (Fritsch & Butland 1984).

    ``x`` (n,) rising, ``y`` (n,), n >= 2, ``at`` (m,) within [x[0], x[-1]]; returns (m,).
    """
    width = np.diff(x)
    slope = np.diff(y) / width
    tangent = np.empty_like(y)
    if len(x) == 2:
        tangent[:] = slope[0]
    else:
        left, right = slope[:-1], slope[1:]
        heavy_left, heavy_right = width[:-1] + 2 * width[1:], 2 * width[:-1] + width[1:]
        with np.errstate(divide="ignore", invalid="ignore"):
            harmonic = (heavy_left + heavy_right) / (heavy_left / left + heavy_right / right)
        tangent[1:-1] = np.where(left * right > 0, harmonic, 0.0)
        tangent[0] = _end_tangent(width[0], width[1], slope[0], slope[1])
        tangent[-1] = _end_tangent(width[-1], width[-2], slope[-1], slope[-2])
    i = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(width) - 1)
    h, s = width[i], (at - x[i]) / width[i]
    value: Table = (
        (1 + 2 * s) * (1 - s) ** 2 * y[i]
        + s * (1 - s) ** 2 * h * tangent[i]
        + s**2 * (3 - 2 * s) * y[i + 1]
        + s**2 * (s - 1) * h * tangent[i + 1]
    )
    return value


def _end_tangent(width: float, next_width: float, slope: float, next_slope: float) -> float:
    """The three-point estimate at an end, held within what monotony allows."""
    tangent = ((2 * width + next_width) * slope - width * next_slope) / (width + next_width)
    if tangent * slope <= 0:
        return 0.0
    return math.copysign(min(abs(tangent), 3 * abs(slope)), slope)


def _ends(spec: ScheduleSpec, start: float = 1e-4, end: float = 0.02) -> tuple[float, float]:
    return (
        start if spec.beta_start is None else spec.beta_start,
        end if spec.beta_end is None else spec.beta_end,
    )


def _check_betas(betas: Table, regular: int) -> None:
    """All must be above 0, and below 1 but for those from ``regular`` on."""
    if not (np.all(np.isfinite(betas)) and np.all(betas > 0)):
        raise Refusal("Every beta of a schedule must be greater than 0: each step adds some noise.")
    if betas[:regular].max(initial=0) >= 1 or betas.max() > 1:
        t = int(np.argmax(betas >= 1))
        raise Refusal(
            f"With {len(betas)} timesteps beta reaches {betas[t]:.3g} at t = {t}, but it must stay below 1: "
            "choose more timesteps or smaller betas."
        )


def _frozen(table: Table) -> Table:
    table = np.array(table, dtype=np.float64)
    table.flags.writeable = False
    return table
