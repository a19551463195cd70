"""The Gaussian process: closed forms, Lemma 1 of the DDIM paper, and conversions that invert each other."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from core import process
from core.errors import Refusal
from core.levels import CLEAN, Level
from core.requests import PredictionKind, ScheduleSpec
from core.schedules import make_schedule

alpha_bars = st.floats(1e-6, 1 - 1e-6)
values = st.floats(-4, 4).map(np.float64)


def vp(alpha_bar: float) -> Level:
    return Level.from_alpha_bar(0, alpha_bar)


@st.composite
def falling_pairs(draw: st.DrawFn) -> tuple[Level, Level]:
    """A level and a less noisy one: variance-preserving, or of any other Gaussian process."""
    noisy, clean = sorted((draw(alpha_bars), draw(alpha_bars)))
    assume(clean - noisy > 1e-9)
    scale = draw(st.floats(0.1, 10))
    noisy_level, clean_level = vp(noisy), vp(clean)
    return Level(0, noisy_level.alpha * scale, noisy_level.sigma * scale), clean_level


@given(falling_pairs(), st.floats(0, 1), values)
def test_that_every_eta_leaves_the_marginals_unchanged(pair: tuple[Level, Level], eta: float, x0: np.float64) -> None:
    """Lemma 1: x_t from its marginal, then x_prev from q_sigma(x_prev | x_t, x_0), has x_prev's own marginal.

    The mean is affine in x_t = alpha x_0 + sigma eps, so its value at eps = 0 and its slope in eps say everything.
    """
    level, prev = pair

    def mean(eps: float) -> tuple[np.float64, float]:
        x_t = level.alpha * x0 + level.sigma * eps
        return process.ddim_step(x0, (x_t - level.alpha * x0) / level.sigma, level, prev, eta)

    at_zero, std = mean(0.0)
    slope = mean(1.0)[0] - at_zero
    assert at_zero == pytest.approx(prev.alpha * x0, rel=1e-9, abs=1e-12)
    assert slope**2 + std**2 == pytest.approx(prev.sigma**2, rel=1e-9)


@given(falling_pairs(), values, values)
def test_that_eta_one_is_the_ddpm_posterior(pair: tuple[Level, Level], x0: np.float64, x_t: np.float64) -> None:
    level, prev = pair
    eps = (x_t - level.alpha * x0) / level.sigma
    mean, std = process.ddim_step(x0, eps, level, prev, 1.0)
    expected_mean, expected_variance = process.posterior(x0, x_t, level, prev)
    assert std**2 == pytest.approx(expected_variance, rel=1e-6, abs=1e-12)
    assert mean == pytest.approx(expected_mean, rel=1e-6, abs=1e-9 * (1 + abs(x_t) + abs(x0)) / level.sigma)


@given(falling_pairs(), values, values)
def test_that_the_posterior_is_bayes_rule(pair: tuple[Level, Level], x0: np.float64, x_t: np.float64) -> None:
    """The product of q(x_t | x_prev) and q(x_prev | x_0) as Gaussians in x_prev: precisions add."""
    level, prev = pair
    ratio = level.alpha / prev.alpha
    step = level.sigma**2 - (ratio * prev.sigma) ** 2
    assume(step > 1e-6 * level.sigma**2)
    precision = ratio**2 / step + 1 / prev.sigma**2
    mean, variance = process.posterior(x0, x_t, level, prev)
    assert variance == pytest.approx(1 / precision, rel=1e-6)
    weighted = (ratio * x_t / step + prev.alpha * x0 / prev.sigma**2) / precision
    assert mean == pytest.approx(weighted, rel=1e-6, abs=1e-6)


@given(falling_pairs(), values)
def test_that_marginal_then_markov_step_is_the_marginal(pair: tuple[Level, Level], x0: np.float64) -> None:
    level, prev = pair
    zero, one = np.float64(0), np.float64(1)

    def walked(first: np.float64, second: np.float64) -> np.float64:
        return process.markov_step(process.marginal(x0, first, prev), second, prev, level)

    mean = walked(zero, zero)
    assert mean == pytest.approx(level.alpha * x0, rel=1e-9, abs=1e-12)
    variance = (walked(one, zero) - mean) ** 2 + (walked(zero, one) - mean) ** 2
    assert variance == pytest.approx(level.sigma**2, rel=1e-9)


@pytest.mark.parametrize("name", ["linear", "cosine"])
def test_that_on_neighbouring_timesteps_the_posterior_has_the_tables_coefficients(name: str) -> None:
    schedule = make_schedule(ScheduleSpec(name))
    one, zero = np.float64(1), np.float64(0)
    for t in (1, 2, 250, 500, 998, 999):
        level, prev = schedule.level(t), schedule.level(t - 1)
        of_x0, variance = process.posterior(one, zero, level, prev)
        of_x_t, _ = process.posterior(zero, one, level, prev)
        beta, alpha_bar, before = schedule.betas[t], schedule.alpha_bar[t], schedule.alpha_bar[t - 1]
        assert of_x0 == pytest.approx(math.sqrt(before) * beta / (1 - alpha_bar), rel=1e-8)
        assert of_x_t == pytest.approx(math.sqrt(1 - beta) * (1 - before) / (1 - alpha_bar), rel=1e-8)
        assert variance == pytest.approx((1 - before) / (1 - alpha_bar) * beta, rel=1e-8)


def test_that_the_last_step_lands_on_x0_without_noise() -> None:
    level = vp(0.9)
    x0, x_t = np.array([0.3, -0.7]), np.array([1.0, 2.0])
    mean, variance = process.posterior(x0, x_t, level, CLEAN)
    assert variance == 0
    np.testing.assert_allclose(mean, x0, rtol=1e-12)
    mean, std = process.ddim_step(x0, x_t, level, CLEAN, 1.0)
    assert std == 0
    np.testing.assert_array_equal(mean, x0)


@given(alpha_bars, st.floats(0.2, 5), values, values)
def test_that_conversions_invert_each_other(alpha_bar: float, scale: float, x0: np.float64, eps: np.float64) -> None:
    unit = vp(alpha_bar)
    level = Level(0, unit.alpha * scale, unit.sigma * scale)
    x_t = process.marginal(x0, eps, level)
    v = process.v_from(x0, eps, level)
    close = {"rel": 1e-6, "abs": 1e-9 / min(unit.alpha, unit.sigma)}
    assert process.x0_from_eps(x_t, eps, level) == pytest.approx(x0, **close)
    assert process.eps_from_x0(x_t, x0, level) == pytest.approx(eps, **close)
    assert process.x0_from_v(x_t, v, level) == pytest.approx(x0, **close)
    assert process.eps_from_v(x_t, v, level) == pytest.approx(eps, **close)
    outputs: dict[PredictionKind, np.float64] = {"eps": eps, "x0": x0, "v": v}
    for kind, output in outputs.items():
        assert process.to_x0_and_eps(output, x_t, level, kind) == (
            pytest.approx(x0, **close),
            pytest.approx(eps, **close),
        )


@given(alpha_bars, values, values)
def test_that_v_is_the_velocity_of_the_angle(alpha_bar: float, x0: np.float64, eps: np.float64) -> None:
    """With alpha = cos phi and sigma = sin phi, v = dx / dphi."""
    phi = math.acos(math.sqrt(alpha_bar))
    step = 1e-5
    change = [math.cos(phi + d) * x0 + math.sin(phi + d) * eps for d in (step, -step)]
    assert process.v_from(x0, eps, vp(alpha_bar)) == pytest.approx((change[0] - change[1]) / (2 * step), abs=1e-7)


@given(alpha_bars, values, values)
def test_that_the_score_is_the_gradient_of_the_log_density(alpha_bar: float, x0: np.float64, eps: np.float64) -> None:
    level = vp(alpha_bar)
    x_t = level.alpha * x0 + level.sigma * eps
    gradient = -(x_t - level.alpha * x0) / level.sigma**2
    assert process.score_from_eps(eps, level) == pytest.approx(gradient, rel=1e-6, abs=1e-8 / level.sigma**2)


def test_that_what_is_undefined_is_refused_in_words() -> None:
    x = np.ones(2)
    noisy, cleaner = vp(0.2), vp(0.8)
    with pytest.raises(Refusal, match="without noise has no eps"):
        process.eps_from_x0(x, x, CLEAN)
    with pytest.raises(Refusal, match="no score"):
        process.score_from_eps(x, CLEAN)
    with pytest.raises(Refusal, match="zero signal"):
        process.x0_from_eps(x, x, Level(0, 0.0, 1.0))
    with pytest.raises(Refusal, match="noisier level"):
        process.markov_step(x, x, noisy, cleaner)
    with pytest.raises(Refusal, match="DDIM with eta 0"):
        process.posterior(x, x, cleaner, noisy)
    with pytest.raises(Refusal, match="DDIM with eta 0"):
        process.posterior(x, x, CLEAN, CLEAN)
    for level, target in ((cleaner, noisy), (CLEAN, noisy)):
        with pytest.raises(Refusal, match="eta to 0"):
            process.ddim_step(x, x, level, target, 0.5)
    for eta in (-0.1, 1e3, math.nan):
        with pytest.raises(Refusal, match="eta lies between"):
            process.ddim_step(x, x, noisy, cleaner, eta)


def test_that_ddim_without_noise_walks_in_any_direction() -> None:
    level, target = vp(0.8), vp(0.3)
    mean, std = process.ddim_step(np.array([0.5]), np.array([-1.5]), level, target, 0.0)
    assert std == 0
    np.testing.assert_allclose(mean, math.sqrt(0.3) * 0.5 + math.sqrt(0.7) * -1.5)
    staying, _ = process.ddim_step(np.array([0.5]), np.array([-1.5]), level, level, 0.0)
    np.testing.assert_allclose(staying, math.sqrt(0.8) * 0.5 + math.sqrt(0.2) * -1.5)


def test_that_arrays_and_tensors_get_the_same_answer_and_keep_their_type() -> None:
    random = np.random.default_rng(0)
    x0, eps = (random.normal(size=(2, 3)).astype(np.float32) for _ in range(2))
    level, prev = vp(0.3), vp(0.6)
    for function, extra in [
        (process.marginal, (level,)),
        (process.markov_step, (prev, level)),
        (process.x0_from_eps, (level,)),
        (process.eps_from_x0, (level,)),
        (process.x0_from_v, (level,)),
        (process.eps_from_v, (level,)),
        (process.v_from, (level,)),
    ]:
        array = function(x0, eps, *extra)
        tensor = function(torch.from_numpy(x0), torch.from_numpy(eps), *extra)
        assert array.dtype == np.float32
        assert tensor.dtype == torch.float32
        np.testing.assert_allclose(array, tensor.numpy(), rtol=1e-6, atol=1e-6)


def test_that_from_a_level_without_any_signal_every_formula_of_a_step_is_defined() -> None:
    """At alpha 0 x_t says nothing of x_0, so the posterior is q(x_prev | x_0) and DDIM's step a marginal."""
    top, below = Level(999.0, 0.0, 1.0), Level.from_alpha_bar(998.0, 0.3)
    x0, x_t = np.array([0.5, -1.0]), np.array([2.0, 0.3])
    mean, variance = process.posterior(x0, x_t, top, below)
    np.testing.assert_allclose(mean, below.alpha * x0)
    assert variance == pytest.approx(below.sigma**2)
    assert process.transition_variance(below, top) == 1
    assert process.transition_variance(top, top) == 0
    for eta in (0.0, 0.5, 1.0):
        mean, std = process.ddim_step(x0, x_t, top, below, eta)
        assert std == pytest.approx(eta * below.sigma)
        np.testing.assert_allclose(mean, below.alpha * x0 + math.sqrt(below.sigma**2 - std**2) * x_t)
    np.testing.assert_allclose(process.ddim_step(x0, x_t, below, top, 0.0)[0], x_t)
    of_x0, of_x_t, _ = process.posterior_weights(top, below)
    assert (of_x0, of_x_t) == (below.alpha, 0)
