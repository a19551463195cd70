"""Errors and statistics against numbers worked out by hand or known of the normal distribution."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from core.measures import latent_statistics, mean_squared_error, psnr


def test_that_the_error_is_a_value_in_units_of_the_datas_range() -> None:
    a = np.zeros((2, 1, 2, 2), np.float32)
    b = np.array([[1, 1, 1, 1], [2, 0, 0, 0]], np.float32).reshape(2, 1, 2, 2)
    np.testing.assert_allclose(mean_squared_error(a, b), [0.25, 0.25])
    np.testing.assert_allclose(mean_squared_error(a, b, low=0, high=4), [1 / 16, 1 / 16])


def test_that_black_for_white_is_an_error_of_1_and_0_decibels() -> None:
    (error,) = mean_squared_error(np.full((1, 3), -1.0), np.full((1, 3), 1.0))
    assert error == 1
    assert psnr(error) == 0
    assert psnr(0.001) == pytest.approx(30)
    assert psnr(0.0) == math.inf


def test_that_noise_looks_like_noise() -> None:
    statistics = latent_statistics(np.random.default_rng(0).standard_normal((4, 3, 64, 64)).astype(np.float32))
    assert statistics.count == 49152
    assert abs(statistics.mean) < 4 * statistics.mean_error
    assert abs(statistics.variance - 1) < 4 * statistics.variance_error
    assert max(map(abs, statistics.autocorrelation)) < 4 * statistics.mean_error
    widths = np.diff(statistics.edges)
    assert np.abs((statistics.density - statistics.normal) * widths).sum() < 0.05
    assert (statistics.normal * widths).sum() == pytest.approx(math.erf(4 / math.sqrt(2)))


def test_that_autocorrelation_tells_down_from_across() -> None:
    rows = np.repeat(np.random.default_rng(0).standard_normal((1, 1, 400, 1)), 50, axis=3)
    down, across = latent_statistics(rows).autocorrelation
    assert across == pytest.approx(1)
    assert abs(down) < 0.2
    assert latent_statistics(rows.swapaxes(2, 3)).autocorrelation == pytest.approx((across, down))


def test_that_a_moving_average_has_the_autocorrelation_that_it_should() -> None:
    noise = np.random.default_rng(1).standard_normal((1, 1, 300, 301))
    down, across = latent_statistics(noise[..., 1:] + noise[..., :-1]).autocorrelation
    assert across == pytest.approx(0.5, abs=0.02)
    assert down == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize("shape", [(1, 1, 4, 4), (3, 1, 2), (2, 5), (1, 1, 1, 1)])
def test_that_what_is_constant_or_small_has_finite_statistics(shape: tuple[int, ...]) -> None:
    statistics = latent_statistics(np.full(shape, 0.5))
    assert (statistics.mean, statistics.variance, statistics.autocorrelation) == (0.5, 0, (0, 0))


@given(arrays.arrays(np.float64, (2, 1, 3, 3), elements=st.floats(-100, 100)))
def test_that_statistics_of_anything_stay_within_their_bounds(latent: np.ndarray) -> None:
    statistics = latent_statistics(latent)
    assert statistics.variance >= 0
    inside = (statistics.density * np.diff(statistics.edges)).sum()
    assert inside == pytest.approx(np.mean(np.abs(latent) <= 4))
