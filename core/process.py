"""The Gaussian process: x_t = alpha_t x_0 + sigma_t eps, and what follows from it in closed form.

Written for any alpha and sigma; for variance-preserving levels these are the formulas of DDPM (Ho et al. 2020) and
DDIM (Song et al. 2021). Values are numpy arrays or tensors of any shape, coefficients are Python floats, so the
values keep their own precision.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from core.errors import Refusal
from core.levels import Level
from core.requests import PredictionKind

if TYPE_CHECKING:
    from torch import Tensor

X = TypeVar("X", NDArray[np.floating[Any]], "Tensor")


def marginal(x0: X, eps: X, level: Level) -> X:
    """A draw of q(x_t | x_0) for eps from N(0, I) (DDPM eq. 4)."""
    return x0 * level.alpha + eps * level.sigma


def transition_variance(level: Level, next_level: Level) -> float:
    """Variance of q(x_next | x): 1 - alpha_bar_next / alpha_bar for variance-preserving levels, else likewise.

    Raises Refusal where ``next_level`` has less noise.
    """
    if next_level.log_snr > level.log_snr:
        raise Refusal("Noise can only be added on the way to a noisier level.")
    ratio = next_level.alpha / level.alpha if level.alpha else 1.0  # both without any signal
    return max(next_level.sigma**2 - (ratio * level.sigma) ** 2, 0.0)


def markov_step(x: X, eps: X, level: Level, next_level: Level) -> X:
    """A draw of q(x_next | x) for eps from N(0, I), next_level at least as noisy (DDPM eq. 2)."""
    return x * (next_level.alpha / level.alpha) + eps * math.sqrt(transition_variance(level, next_level))


def posterior_weights(level: Level, prev: Level) -> tuple[float, float, float]:
    """Of q(x_prev | x_t, x_0): the weights of x_0 and of x_t in its mean, and its variance (DDPM eq. 7).

    Raises Refusal unless prev is less noisy than level.
    """
    if level.is_clean or prev.log_snr < level.log_snr:
        raise Refusal("DDPM walks only towards less noise: for a path that rises choose DDIM with eta 0.")
    transition = transition_variance(prev, level) / level.sigma**2
    kept = (level.alpha / prev.alpha) * (prev.sigma / level.sigma) ** 2 if level.alpha else 0.0
    return prev.alpha * transition, kept, prev.sigma**2 * transition


def posterior(x0: X, x_t: X, level: Level, prev: Level) -> tuple[X, float]:
    """Mean and variance of q(x_prev | x_t, x_0), prev less noisy than level (DDPM eqs. 6 and 7).

    Raises Refusal for any other pair of levels.
    """
    of_x0, of_x_t, variance = posterior_weights(level, prev)
    return x0 * of_x0 + x_t * of_x_t, variance


def ddim_std(level: Level, next_level: Level, eta: float) -> float:
    """DDIM's sigma_t: eta times the posterior's standard deviation (DDIM eq. 16); eta >= 0.

    Raises Refusal where eta > 0 on a step that does not remove noise, or where eta asks for more noise than the next
    level holds.
    """
    if eta == 0:
        return 0.0
    if level.is_clean or next_level.log_snr < level.log_snr:
        raise Refusal("DDIM can add noise only on steps that remove noise: set eta to 0 to walk towards noise.")
    posterior_share = transition_variance(next_level, level) / level.sigma**2
    if not (eta > 0 and eta * eta * posterior_share <= 1):
        raise Refusal("eta lies between 0 (no noise is added) and 1 (as much as in DDPM).")
    return eta * next_level.sigma * math.sqrt(posterior_share)


def ddim_step(x0_hat: X, eps_hat: X, level: Level, next_level: Level, eta: float) -> tuple[X, float]:
    """Mean and standard deviation of q_sigma(x_next | x_t, x_0) (DDIM eq. 7); any direction where eta is 0."""
    std = ddim_std(level, next_level, eta)
    direction = math.sqrt(max(next_level.sigma**2 - std**2, 0.0))
    return x0_hat * next_level.alpha + eps_hat * direction, std


def x0_from_eps(x_t: X, eps: X, level: Level) -> X:
    """x_0 = (x_t - sigma eps) / alpha.

    Errors of eps grow by sigma / alpha: at the end of a cosine schedule (alpha 5e-5) the answer is mostly amplified
    error, which clipping hides and v-prediction avoids. Raises Refusal at alpha 0, where eps says nothing of x_0.
    """
    if level.alpha == 0:
        raise Refusal("At zero signal the noise says nothing of the picture: use a model that predicts v or x_0.")
    return (x_t - eps * level.sigma) / level.alpha


def eps_from_x0(x_t: X, x0: X, level: Level) -> X:
    """eps = (x_t - alpha x_0) / sigma. Raises Refusal at sigma 0, where there is no noise to find."""
    if level.sigma == 0:
        raise Refusal("A picture without noise has no eps: start from a level with some noise.")
    return (x_t - x0 * level.alpha) / level.sigma


def v_from(x0: X, eps: X, level: Level) -> X:
    """v = alpha eps - sigma x_0 (Salimans & Ho 2022, appendix D)."""
    return eps * level.alpha - x0 * level.sigma


def x0_from_v(x_t: X, v: X, level: Level) -> X:
    """x_0 = alpha x_t - sigma v, over alpha^2 + sigma^2 (1 for variance-preserving levels)."""
    norm = level.alpha**2 + level.sigma**2
    return x_t * (level.alpha / norm) - v * (level.sigma / norm)


def eps_from_v(x_t: X, v: X, level: Level) -> X:
    """eps = sigma x_t + alpha v, over alpha^2 + sigma^2 (1 for variance-preserving levels)."""
    norm = level.alpha**2 + level.sigma**2
    return x_t * (level.sigma / norm) + v * (level.alpha / norm)


def score_from_eps(eps: X, level: Level) -> X:
    """The score grad log q(x_t) = -eps / sigma (Song et al. 2021, score SDEs). Raises Refusal at sigma 0."""
    if level.sigma == 0:
        raise Refusal("A picture without noise has no score: choose a later timestep.")
    return eps * (-1 / level.sigma)


def x0_and_eps_from_mean(x_t: X, mean: X, level: Level, own: Level, own_prev: Level) -> tuple[X, X]:
    """x_0 and eps of a network that answers the posterior mean of its own schedule's step from own to own_prev.

    x_0 follows by the posterior's weights (DDPM eq. 7). About an x_t of another level than its own, it is the eps
    so found that holds, as with a network that predicts eps (DDPM eq. 11).
    """
    of_x0, of_x_t, _ = posterior_weights(own, own_prev)
    x0 = (mean - x_t * of_x_t) / of_x0
    eps = eps_from_x0(x_t, x0, own)
    is_own = math.isclose(level.alpha, own.alpha, rel_tol=1e-9) and math.isclose(level.sigma, own.sigma, rel_tol=1e-9)
    return (x0 if is_own else x0_from_eps(x_t, eps, level)), eps


def to_x0_and_eps(output: X, x_t: X, level: Level, kind: PredictionKind) -> tuple[X, X]:
    """What a network's output says of x_0 and eps, whichever of eps, x0 and v it predicts.

    Raises Refusal where its kind of output says nothing there, and for "mean", which depends on a schedule as well
    (see ``x0_and_eps_from_mean``).
    """
    if kind == "mean":
        raise Refusal("A posterior mean says what x_0 is only beside the schedule it was learned on.")
    if kind == "eps":
        return x0_from_eps(x_t, output, level), output
    if kind == "x0":
        return output, eps_from_x0(x_t, output, level)
    return x0_from_v(x_t, output, level), eps_from_v(x_t, output, level)


def range_log_variance(v: X, log_beta: X | float, log_beta_tilde: X | float) -> X:
    """The logarithm of a variance between beta_tilde (v = -1) and beta (v = 1) (Nichol & Dhariwal 2021, eq. 15)."""
    share = (v + 1) / 2
    return share * log_beta + (1 - share) * log_beta_tilde
