import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.dataspec import DataSpec, ImageSpec, PointSpec
from core.errors import Refusal
from core.requests import Conversion


def test_that_black_is_minus_one_and_white_is_one() -> None:
    x = ImageSpec((1, 1, 3)).from_picture(np.array([[[0], [255], [51]]], np.uint8))
    assert x.dtype == np.float32
    assert x.tolist() == [[[-1, 1, pytest.approx(-0.6)]]]


def test_that_channels_come_first_in_an_event_and_last_in_a_picture() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    spec = ImageSpec((3, 5, 7))
    x = spec.from_picture(picture)
    assert x.shape == (3, 5, 7)
    assert x[2, 4, 6] == pytest.approx(picture[4, 6, 2] / 127.5 - 1)
    assert np.array_equal(spec.to_picture(x[None])[0], picture)


def test_that_every_level_survives_the_round_trip() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    spec = ImageSpec((1, 16, 16))
    assert np.array_equal(spec.to_picture(spec.from_picture(levels)[None])[0], levels)


def test_that_values_out_of_range_are_clamped_and_no_numbers_are_black() -> None:
    x = np.array([-7.0, 7.0, np.inf, -np.inf, np.nan, 0.0], np.float32).reshape(1, 1, 1, 6)
    assert ImageSpec((1, 1, 6)).to_picture(x).ravel().tolist() == [0, 255, 255, 0, 0, 128]


@given(st.floats(-1.5, 1.5, width=32))
def test_that_a_shown_level_is_the_nearest_one(value: float) -> None:
    shown = int(ImageSpec((1, 1, 1)).to_picture(np.full((1, 1, 1, 1), value, np.float32)).item())
    assert abs(shown - min(255.0, max(0.0, (value + 1) * 127.5))) <= 0.5 + 1e-4


def test_that_a_picture_is_converted_when_told_how() -> None:
    picture = np.full((40, 60, 3), 255, np.uint8)
    x = ImageSpec((1, 8, 8)).from_picture(picture, Conversion(size=(8, 8), channels=1, invert=True))
    assert x.shape == (1, 8, 8)
    assert np.all(x == -1)


def test_that_a_picture_of_the_wrong_size_is_refused_with_both_sizes() -> None:
    with pytest.raises(Refusal, match=r"60 × 40 RGB, the model takes 8 × 9 grey"):
        ImageSpec((1, 9, 8)).from_picture(np.zeros((40, 60, 3), np.uint8))


def test_that_events_with_other_channels_are_shown_by_their_first() -> None:
    x = np.zeros((2, 5, 4, 4), np.float32)
    x[:, 0] = 1
    assert np.all(ImageSpec((5, 4, 4)).to_picture(x) == np.full((2, 4, 4, 1), 255))


def test_that_points_are_drawn_where_they_lie() -> None:
    spec: DataSpec = PointSpec(points=3, side=61, reach=3.0)
    picture = spec.to_picture(np.array([[[0, 0], [3, 3], [-1, 2]]], np.float32))
    assert picture.shape == (1, 61, 61, 1)
    assert sorted(zip(*np.nonzero(picture[0, ..., 0]), strict=True)) == [(0, 60), (10, 20), (30, 30)]


def test_that_points_out_of_view_are_left_out() -> None:
    x = np.array([[[99, 0], [np.nan, 0], [0, -99]]], np.float32)
    assert PointSpec(points=3).to_picture(x).max() == 0


def test_that_a_picture_is_no_set_of_points() -> None:
    with pytest.raises(Refusal, match="points"):
        PointSpec(5).from_picture(np.zeros((4, 4, 3), np.uint8))
