"""The terms of the variational bound (Ho et al. 2020, section 2 and 3.3): KL divergences and the discrete decoder.

Everything here works in the dtype it is given, float32 or float64, and is differentiable.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from core.schedules import Schedule

HALF_BIN = 1 / 255
"""Half of the distance between two of the 256 values k / 127.5 - 1 that a picture's data take."""
EDGE = 0.999
"""Beyond it lie only the first and the last of these values, whose bins are open to the outside."""


class Posterior:
    """q(x_{t-1} | x_t, x_0) of every t (Ho et al. 2020, eqs. 6 and 7), float64 tables cast once.

    ``log_variance`` is log beta_tilde, at t = 0, where that is -inf, that of t = 1 (Nichol & Dhariwal 2021).
    """

    def __init__(
        self, schedule: Schedule, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
    ) -> None:
        def cast(table: object) -> Tensor:
            return torch.tensor(table, dtype=dtype, device=device)

        self.x0 = cast(schedule.posterior_mean_x0)
        self.x_t = cast(schedule.posterior_mean_x_t)
        self.log_variance = cast(schedule.log_beta_tilde_clipped)

    def __call__(self, x0: Tensor, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Mean (n, *event_shape) and log-variance (n, 1, ..., 1) for t int64 (n,) on the tables' device."""
        mean = at(self.x0, t, x0.ndim) * x0 + at(self.x_t, t, x0.ndim) * x_t
        return mean, at(self.log_variance, t, x0.ndim)


def at(table: Tensor, t: Tensor, dimensions: int) -> Tensor:
    """The table's values at t int64 (n,), shaped (n, 1, ..., 1) with that many dimensions."""
    return table[t].view(-1, *[1] * (dimensions - 1))


def normal_kl(mean1: Tensor, log_variance1: Tensor, mean2: Tensor, log_variance2: Tensor) -> Tensor:
    """KL(N(mean1, variance1) || N(mean2, variance2)) of each value, in nats; shapes broadcast."""
    difference = log_variance2 - log_variance1
    return 0.5 * (difference + torch.expm1(-difference) + (mean1 - mean2).square() * torch.exp(-log_variance2))


def discretised_gaussian_log_likelihood(x0: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """log p(x0) of each value, in nats, under N(mean, exp(log_scale)^2) gathered in 256 bins (Ho et al. 2020, eq. 13).

    ``x0`` holds values k / 127.5 - 1 of k = 0..255; the outermost bins reach to infinity. The normal distribution
    function is exact, not its approximation by tanh, and nothing is cut off: by symmetry every bin is looked at from
    the side where its probability is a difference of tails, taken with the scaled complementary error function, so that
    the logarithm and its gradient stay right however unlikely the value is.
    """
    scale = math.sqrt(2) * torch.exp(log_scale)
    distance = x0 - mean
    inner = _log_bin(distance.abs() / scale, HALF_BIN / scale)
    lowest, highest = x0 < -EDGE, x0 > EDGE
    outward = torch.where(lowest, distance + HALF_BIN, HALF_BIN - distance) / scale
    return torch.where(lowest | highest, _log_below(outward), inner)


def _log_below(z: Tensor) -> Tensor:
    """log of the probability below sqrt(2) z: log(erfc(-z) / 2)."""
    tail = torch.log(_erfcx(z.clamp(max=0).neg())) - z.clamp(max=0).square() - math.log(2)
    return torch.where(z < 0, tail, torch.log1p(-0.5 * torch.erfc(z.clamp(min=0))))


def _log_bin(distance: Tensor, half: Tensor) -> Tensor:
    """log of the probability of a bin of this half-width at this distance >= 0 from the mean, in sqrt(2) deviations."""
    tiny = torch.finfo(distance.dtype).tiny
    around = distance < half  # the mean lies in the bin, on either side of which is an addition
    near, far = half - distance, half + distance
    holding = torch.log((0.5 * (torch.erf(near) + torch.erf(far))).clamp(min=tiny))
    start = near.clamp(max=0).neg()
    share = _erfcx(start) - torch.exp(-4 * distance * half) * _erfcx(far)
    beside = torch.log(torch.where(around, 1.0, share).clamp(min=tiny)) - start.square() - math.log(2)
    return torch.where(around, torch.where(around, holding, 0.0), beside)


def _erfcx(z: Tensor) -> Tensor:
    """exp(z^2) erfc(z) for z >= 0, on the CPU where the device does not have it."""
    value: Tensor = torch.special.erfcx(z.cpu()).to(z.device) if z.device.type == "mps" else torch.special.erfcx(z)
    return value


def vlb_terms(x0: Tensor, x_t: Tensor, t: Tensor, mean: Tensor, log_variance: Tensor, tables: Posterior) -> Tensor:
    """The bound's term of each t in bits a value, the mean over a picture's values: (n,).

    At t > 0 it is L_t, the KL divergence of q(x_{t-1} | x_t, x_0) from the model's N(``mean``, exp(``log_variance``)),
    at t = 0 the decoder's L_0 (Ho et al. 2020, eqs. 5 and 13; their times count from 1). ``x0``, ``x_t`` and ``mean``
    (n, *event_shape), ``t`` int64 (n,); ``log_variance`` broadcasts. The sum over all t and the prior's term
    (``Schedule.prior_kl``) is the bound on -log2 p(x0) a value.
    """
    wanted, wanted_log_variance = tables(x0, x_t, t)
    divergence = normal_kl(wanted, wanted_log_variance, mean, log_variance).flatten(1).mean(1)
    first = (t == 0).nonzero().squeeze(1)
    if len(first):
        log_scale = 0.5 * log_variance.expand_as(mean)[first]
        decoder = -discretised_gaussian_log_likelihood(x0[first], mean[first], log_scale).flatten(1).mean(1)
        divergence = divergence.index_copy(0, first, decoder)
    return divergence / math.log(2)
