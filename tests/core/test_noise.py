"""numpy's noise is torch's noise."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.noise import initial_noise


def torchs(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    return torch.randn(shape, generator=torch.Generator("cpu").manual_seed(seed)).numpy()


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 15, 16, 17, 24, 31, 32, 33, 100, 1000, 1023, 49_152, 300_007])
@pytest.mark.parametrize("seed", [0, 1, 12345, 2**31, 2**32 - 1, 2**40 + 7])
def test_that_numpy_draws_torchs_numbers(count: int, seed: int) -> None:
    values = initial_noise(seed, (count,))
    assert values.dtype == np.float32
    expected = torchs(seed, (count,))
    allowed = np.maximum(3e-7, 1.001 * np.spacing(np.abs(expected)))
    assert (np.abs(values - expected) <= allowed).all()


@pytest.mark.parametrize("shape", [(3, 32, 32), (2, 1, 28, 28), (1, 3, 17, 19), (5, 2), ()])
def test_that_any_shape_is_filled_in_torchs_order(shape: tuple[int, ...]) -> None:
    values = initial_noise(7, shape)
    assert values.shape == shape
    np.testing.assert_allclose(values, torchs(7, shape), rtol=0, atol=1e-6)


def test_that_a_negative_seed_is_torchs() -> None:
    np.testing.assert_allclose(initial_noise(-3, (64,)), torchs(-3, (64,)), rtol=0, atol=3e-7)
