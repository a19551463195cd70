"""What is remembered of a large picture, and for how long."""

from __future__ import annotations

import gc

import numpy as np
import pytest
from numpy.typing import NDArray

from core import kept
from core.conversion import convert, display_pixels, prepare
from core.kept import LARGE, MOST, remembered
from core.requests import Conversion


def picture(side: int = 1100, channels: int = 3) -> NDArray[np.uint8]:
    made = np.random.default_rng(0).integers(0, 256, (side, side, channels), np.uint8)
    made.flags.writeable = False
    return made


def test_that_a_large_picture_is_asked_the_same_only_once() -> None:
    large, calls = picture(), []

    def make() -> NDArray[np.uint8]:
        calls.append(1)
        return np.zeros(3, np.uint8)

    first = remembered(large, "question", make)
    assert remembered(large, "question", make) is first
    assert not first.flags.writeable
    assert len(calls) == 1
    remembered(large, "another", make)
    assert len(calls) == 2


@pytest.mark.parametrize("writeable", [True, False])
def test_that_what_may_change_and_what_is_small_is_not_remembered(writeable: bool) -> None:
    one = np.zeros(LARGE if writeable else 10, np.uint8)
    one.flags.writeable = writeable
    made = [np.zeros(1, np.uint8), np.ones(1, np.uint8)]
    assert remembered(one, 0, lambda: made[0])[0] == 0
    assert remembered(one, 0, lambda: made[1])[0] == 1


def test_that_what_was_asked_last_is_the_last_to_go() -> None:
    large = picture()
    first = remembered(large, "first", lambda: np.zeros(1, np.uint8))
    for question in range(MOST + 3):
        remembered(large, question, lambda: np.zeros(1, np.uint8))
        assert remembered(large, "first", lambda: np.ones(1, np.uint8)) is first
    assert remembered(large, 0, lambda: np.full(1, 7, np.uint8))[0] == 7


def test_that_nothing_outlives_its_picture() -> None:
    large = picture()
    key = id(large)
    remembered(large, 0, lambda: np.zeros(1, np.uint8))
    assert key in kept._kept
    del large
    gc.collect()
    assert key not in kept._kept


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_that_a_remembered_picture_is_the_one_that_is_made_anew(channels: int) -> None:
    large = picture(channels=channels)
    conversion = Conversion(size=(28, 28), channels=1, crop=(0.1, 0.2, 0.7, 0.8))
    prepare(large, (200, 512))
    assert np.array_equal(convert(large, conversion), convert(large.copy(), conversion))
    assert np.array_equal(display_pixels(large, 200), display_pixels(large.copy(), 200))


def test_that_converting_after_preparing_does_not_look_at_the_colours_again(monkeypatch: pytest.MonkeyPatch) -> None:
    large = picture()
    prepare(large, ())
    monkeypatch.setattr("core.conversion._in_channels", lambda *_: pytest.fail("made again"))
    assert convert(large, Conversion(size=(28, 28), channels=1)).shape == (28, 28, 1)
