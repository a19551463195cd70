"""The terms of the variational bound, against closed forms, quadrature and other implementations."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core.likelihood import Posterior, discretised_gaussian_log_likelihood, normal_kl, vlb_terms
from core.requests import ScheduleSpec
from core.schedules import Schedule, make_schedule

VALUES = torch.arange(256, dtype=torch.float64) / 127.5 - 1
MEAN, STD = 0.2, 0.4
"""Of the Gaussian data whose best denoiser and whose bound are known in closed form."""

finite = st.floats(-3, 3)


def full(value: float, like: torch.Tensor) -> torch.Tensor:
    return torch.full_like(like, value)


# ---------------------------------------------------------------------------------------------------- divergence


def test_that_the_divergence_of_a_normal_distribution_from_itself_is_0() -> None:
    mean, log_variance = torch.randn(50, generator=torch.Generator().manual_seed(0)), torch.linspace(-12, 12, 50)
    assert torch.equal(normal_kl(mean, log_variance, mean, log_variance), torch.zeros(50))


@given(mean1=finite, log_variance1=finite, mean2=finite, log_variance2=finite)
def test_that_the_divergence_is_the_integral_it_stands_for(
    mean1: float, log_variance1: float, mean2: float, log_variance2: float
) -> None:
    nodes, weights = np.polynomial.hermite_e.hermegauss(8)  # exact for what is quadratic
    x = mean1 + math.exp(log_variance1 / 2) * nodes

    def log_density(mean: float, log_variance: float) -> np.ndarray:
        return -0.5 * (log_variance + math.log(2 * math.pi) + (x - mean) ** 2 / math.exp(log_variance))

    ratio = log_density(mean1, log_variance1) - log_density(mean2, log_variance2)
    wanted = float((weights * ratio).sum() / weights.sum())
    arguments = (torch.tensor(value, dtype=torch.float64) for value in (mean1, log_variance1, mean2, log_variance2))
    assert float(normal_kl(*arguments)) == pytest.approx(wanted, rel=1e-9, abs=1e-9)


def test_that_the_divergence_keeps_its_digits_where_the_variances_are_nearly_equal() -> None:
    zero, nearly = torch.zeros(1), torch.full((1,), 1e-4)
    assert float(normal_kl(zero, zero, zero, nearly)) == pytest.approx(1e-8 / 4, rel=1e-3)


# ---------------------------------------------------------------------------------------------------- the decoder


@given(mean=st.floats(-2, 2), log_scale=st.floats(-7, 1))
def test_that_the_probabilities_of_the_256_values_add_up_to_1(mean: float, log_scale: float) -> None:
    for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 1e-5)):
        x = VALUES.to(dtype)
        log_p = discretised_gaussian_log_likelihood(x, full(mean, x), full(log_scale, x))
        assert float(log_p.double().exp().sum()) == pytest.approx(1, abs=tolerance)


def test_that_each_bin_holds_what_the_normal_distribution_function_says() -> None:
    norm = pytest.importorskip("scipy.stats").norm
    for mean, scale in ((0.0, 0.5), (0.3, 0.02), (-0.95, 0.1), (1.4, 0.3)):
        cumulative = norm.cdf((VALUES.numpy()[:-1] + 1 / 255 - mean) / scale)  # of the bins' upper edges but the last
        wanted = np.diff(np.concatenate(([0.0], cumulative, [1.0])))
        found = discretised_gaussian_log_likelihood(VALUES, full(mean, VALUES), full(math.log(scale), VALUES))
        assert found.exp().numpy() == pytest.approx(wanted, abs=1e-13)


def test_that_the_logarithm_stays_right_far_out_in_the_tails() -> None:
    special = pytest.importorskip("scipy.special")
    scale = 0.004
    lower, upper = (VALUES.numpy()[1:-1] + side / 255 for side in (-1, 1))
    above = [(special.log_ndtr((-1.5 - edge) / scale)) for edge in (lower, upper)]  # the mean lies 1.5 below 0
    wanted = above[0] + np.log1p(-np.exp(above[1] - above[0]))
    for dtype, tolerance in ((torch.float64, 1e-11), (torch.float32, 1e-6)):
        x = VALUES[1:-1].to(dtype)
        found = discretised_gaussian_log_likelihood(x, full(-1.5, x), full(math.log(scale), x))
        assert found.double().numpy() == pytest.approx(wanted, rel=tolerance)


def test_that_a_value_within_its_bin_has_the_density_times_the_bins_width() -> None:
    x = VALUES[100:101]
    found = discretised_gaussian_log_likelihood(x, x + 0.3, full(math.log(0.7), x))
    density = -0.5 * (0.3 / 0.7) ** 2 - math.log(0.7 * math.sqrt(2 * math.pi))
    assert float(found) == pytest.approx(density + math.log(2 / 255), abs=1e-5)


@pytest.mark.parametrize("log_scale", [-12.0, -5.0, -1.0, 3.0])
@pytest.mark.parametrize("mean", [-4.0, -1.0, 0.001, 0.7, 9.0])
def test_that_the_decoders_gradient_is_finite_and_that_of_a_difference(mean: float, log_scale: float) -> None:
    def value(mean: torch.Tensor, log_scale: torch.Tensor) -> torch.Tensor:
        return discretised_gaussian_log_likelihood(VALUES, mean, log_scale)

    for dtype in (torch.float32, torch.float64):
        m, s = (full(number, VALUES).to(dtype).requires_grad_() for number in (mean, log_scale))
        discretised_gaussian_log_likelihood(VALUES.to(dtype), m, s).sum().backward()
        assert torch.isfinite(m.grad).all()
        assert torch.isfinite(s.grad).all()
    m, s, step = full(mean, VALUES), full(log_scale, VALUES), 1e-7 * math.exp(min(log_scale, 0))
    slope = (value(m + step, s) - value(m - step, s)) / (2 * step)
    exact = torch.autograd.functional.vjp(lambda at: value(at, s), m, torch.ones_like(m))[1]
    assert torch.allclose(exact, slope, rtol=1e-3, atol=1e-3 * float(exact.abs().max()) + 1e-6)


# ---------------------------------------------------------------------------------------------------- the bound


def reverse(schedule: Schedule, t: int) -> tuple[float, float, float]:
    """Of Gaussian data: the slope and offset of E[x_0 | x_t] in x_t, and the variance of x_0 given x_t."""
    alpha, variance = math.sqrt(schedule.alpha_bar[t]), 1 - schedule.alpha_bar[t]
    slope = alpha * STD**2 / (alpha**2 * STD**2 + variance)
    return slope, MEAN * (1 - slope * alpha), STD**2 * variance / (alpha**2 * STD**2 + variance)


def divergence(schedule: Schedule, t: int, sigma2: float) -> float:
    """L_t in bits: E KL(q(x_{t-1} | x_t, x_0) || N(mean of the best denoiser, sigma2)) for Gaussian data."""
    tilde, unexplained = schedule.beta_tilde[t], schedule.posterior_mean_x0[t] ** 2 * reverse(schedule, t)[2]
    return 0.5 * (math.log(sigma2 / tilde) - 1 + (tilde + unexplained) / sigma2) / math.log(2)


def terms(schedule: Schedule, t: int, x0: torch.Tensor, eps: torch.Tensor, sigma2: float) -> torch.Tensor:
    """``vlb_terms`` of the best denoiser, x0 and eps (n, 1)."""
    slope, offset, _ = reverse(schedule, t)
    x_t = math.sqrt(schedule.alpha_bar[t]) * x0 + math.sqrt(1 - schedule.alpha_bar[t]) * eps
    mean = schedule.posterior_mean_x0[t] * (slope * x_t + offset) + schedule.posterior_mean_x_t[t] * x_t
    times = torch.full((len(x0),), t)
    log_variance = torch.full((1, 1), math.log(sigma2), dtype=x0.dtype)
    return vlb_terms(x0, x_t, times, mean, log_variance, Posterior(schedule, dtype=x0.dtype))


CASES = [
    (ScheduleSpec("linear", 1000), (1, 2, 250, 999)),
    (ScheduleSpec("cosine", 1000), (1, 500, 999)),
    (ScheduleSpec("cosine", 4000), (1, 3999)),
]


@pytest.mark.parametrize(("spec", "times"), CASES)
def test_that_the_divergences_of_gaussian_data_are_their_closed_form_by_quadrature(
    spec: ScheduleSpec, times: tuple[int, ...]
) -> None:
    schedule = make_schedule(spec)
    nodes, weights = np.polynomial.hermite_e.hermegauss(12)
    x0, eps = (torch.from_numpy(grid.reshape(-1, 1)) for grid in np.meshgrid(MEAN + STD * nodes, nodes, indexing="ij"))
    shares = torch.from_numpy(np.outer(weights, weights).ravel() / weights.sum() ** 2)
    for t in times:
        for sigma2 in (schedule.betas[t], schedule.beta_tilde[t]):
            found = float((shares * terms(schedule, t, x0, eps, sigma2)).sum())
            assert found == pytest.approx(divergence(schedule, t, sigma2), abs=1e-6)


@pytest.mark.parametrize(("spec", "times"), CASES)
def test_that_their_estimate_from_samples_lies_within_three_standard_errors(
    spec: ScheduleSpec, times: tuple[int, ...]
) -> None:
    schedule, generator = make_schedule(spec), torch.Generator().manual_seed(1)
    x0 = MEAN + STD * torch.randn(4000, 1, generator=generator)
    for t in times:
        eps = torch.randn(4000, 1, generator=generator)
        found = terms(schedule, t, x0, eps, schedule.betas[t]).double()
        error = float(found.std()) / math.sqrt(len(found))
        assert float(found.mean()) == pytest.approx(divergence(schedule, t, schedule.betas[t]), abs=3 * error)


def test_that_the_whole_bound_of_a_chain_that_knows_its_data_is_their_entropy() -> None:
    """With the exact reverse distributions nothing is lost: L_0 + .. + L_T is -log2 p(x_0), here of a value's bins."""
    schedule = make_schedule(ScheduleSpec("linear", 1000))
    total = schedule.prior_kl(MEAN**2 + STD**2)
    for t in range(1, 1000):
        _, _, unexplained = reverse(schedule, t)
        sigma2 = schedule.beta_tilde[t] + schedule.posterior_mean_x0[t] ** 2 * unexplained
        total += divergence(schedule, t, sigma2)
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    x0, eps = (torch.from_numpy(grid.reshape(-1, 1)) for grid in np.meshgrid(MEAN + STD * nodes, nodes, indexing="ij"))
    shares = torch.from_numpy(np.outer(weights, weights).ravel() / weights.sum() ** 2)
    inside = x0.abs() < 0.99  # a Gaussian reaches further than pictures do
    x0 = torch.where(inside, x0, MEAN)
    total += float((shares * terms(schedule, 0, x0, eps, reverse(schedule, 0)[2])).sum())
    entropy = 0.5 * math.log2(2 * math.pi * math.e * STD**2) + math.log2(255 / 2)
    assert total == pytest.approx(
        entropy, abs=2e-3
    )  # what a bin's width of 2 / 255 and a prior that is not quite reached


def test_that_the_first_term_is_the_decoders() -> None:
    schedule = make_schedule(ScheduleSpec("linear", 1000))
    generator = torch.Generator().manual_seed(2)
    x0 = VALUES[torch.randint(0, 256, (3, 1, 2, 2), generator=generator)]
    x_t, mean = x0 + 0.01, x0 - 0.003
    log_variance = torch.full((1, 1, 1, 1), -9.0, dtype=torch.float64)
    found = vlb_terms(x0, x_t, torch.tensor([0, 5, 0]), mean, log_variance, Posterior(schedule, dtype=torch.float64))
    decoder = -discretised_gaussian_log_likelihood(x0, mean, 0.5 * log_variance).flatten(1).mean(1) / math.log(2)
    assert torch.equal(found[[0, 2]], decoder[[0, 2]])
    posterior = schedule.posterior_mean_x0[5] * x0[1] + schedule.posterior_mean_x_t[5] * x_t[1]
    wanted = torch.distributions.kl_divergence(
        torch.distributions.Normal(posterior, math.sqrt(schedule.beta_tilde[5])),
        torch.distributions.Normal(mean[1], math.exp(-4.5)),
    )
    assert float(found[1]) == pytest.approx(float(wanted.mean()) / math.log(2), rel=1e-9)


def test_that_a_schedule_without_any_signal_at_its_end_has_finite_terms() -> None:
    schedule = make_schedule(ScheduleSpec("linear", 1000, zero_snr=True))
    x0, eps = torch.zeros(2, 1), torch.ones(2, 1)
    tables = Posterior(schedule)
    found = vlb_terms(x0, eps, torch.tensor([999, 998]), x0, torch.zeros(1, 1), tables)
    assert torch.isfinite(found).all()
