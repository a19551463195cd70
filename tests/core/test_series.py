"""Numbers of every step in bounded memory."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.training.series import MAX_STRIDE, Series

ALL = slice(None)


def of(steps: int, most: int = 10) -> Series:
    """Of the step, and of its square in every third step."""
    series = Series(2, most)
    for step in range(steps):
        series.add(float(step), float(step**2) if step % 3 == 0 else math.nan)
    return series


def test_that_a_short_series_keeps_every_step() -> None:
    np.testing.assert_array_equal(of(4).rows(ALL), [[0, 0], [1, math.nan], [2, math.nan], [3, 9]])


@given(steps=st.integers(0, 120), most=st.sampled_from([4, 6, 10]))
def test_that_a_long_series_keeps_the_means_of_its_steps(steps: int, most: int) -> None:
    rows = of(steps, most).rows(ALL)
    assert rows.shape == (steps, 2)
    stride = 1
    while steps // stride >= most:
        stride *= 2
    for first in range(0, steps, stride):
        block = np.arange(first, min(first + stride, steps))
        np.testing.assert_allclose(rows[block, 0], block.mean(), rtol=1e-6)
    assert len(of(steps, most).means) < most


def test_that_what_is_unknown_is_left_out_of_a_mean() -> None:
    assert of(10, 10).rows(slice(1, 2))[:2, 0].tolist() == [0, 0]  # of steps 0 and 1, only step 0 is known


@given(steps=st.integers(0, 60), cut=st.integers(0, 80), more=st.integers(0, 30))
def test_that_a_series_can_be_cut_and_gone_on_with(steps: int, cut: int, more: int) -> None:
    series = of(steps)
    series.cut_to(cut)
    rows = series.rows(slice(0, 1))[:, 0]
    assert series.step == len(rows) == cut
    assert np.isfinite(rows[: min(cut, steps)]).all()
    for _ in range(more):
        series.add(1.0, 1.0)
    assert series.step == len(series.rows(ALL)) == cut + more


@given(steps=st.integers(0, 60), more=st.integers(0, 60))
def test_that_a_series_that_was_kept_and_restored_goes_on_with_the_same_bits(steps: int, more: int) -> None:
    kept, whole = of(steps), of(steps + more)
    again = Series(2, 10)
    again.restore(kept.means, kept.stride, kept.open)
    for step in range(steps, steps + more):
        again.add(float(step), float(step**2) if step % 3 == 0 else math.nan)
    np.testing.assert_array_equal(again.means, whole.means)
    np.testing.assert_array_equal(again.open, whole.open)
    assert (again.step, again.stride) == (whole.step, whole.stride)


@pytest.mark.parametrize(
    ("means", "stride", "rows"),
    [
        (np.zeros((2, 3), np.float32), 1, np.zeros((0, 2))),
        (np.zeros((2, 2)), 1, np.zeros((0, 2))),
        (np.zeros((2, 2), np.float32), 0, np.zeros((0, 2))),
        (np.zeros((2, 2), np.float32), 2 * MAX_STRIDE, np.zeros((0, 2))),
        (np.zeros((10, 2), np.float32), 1, np.zeros((0, 2))),
        (np.zeros((2, 2), np.float32), 2, np.zeros((2, 2))),
    ],
)
def test_that_what_is_no_series_is_refused(means: np.ndarray, stride: int, rows: np.ndarray) -> None:
    with pytest.raises(ValueError, match="its curves"):
        Series(2, 10).restore(means, stride, rows)
