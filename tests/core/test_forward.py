"""The forward process on a picture, before torch is there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core.errors import Refusal
from core.forward import Forward, to_picture
from core.noise import initial_noise
from core.requests import ScheduleSpec
from core.schedules import make_schedule

SCHEDULE = make_schedule(ScheduleSpec())


def picture(height: int, width: int, channels: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), dtype=np.uint8)


def test_that_every_grey_level_survives_the_way_there_and_back() -> None:
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    forward = Forward(pixels, SCHEDULE, 0)
    assert forward.x0.min() == -1
    assert forward.x0.max() == 1
    np.testing.assert_allclose(forward.x0, pixels / 127.5 - 1, atol=1e-7)
    np.testing.assert_array_equal(to_picture(forward.x0), pixels)
    np.testing.assert_array_equal(forward.picture(-1), pixels)


def test_that_pictures_are_rounded_and_clamped() -> None:
    x = np.array([-3.0, -1.0, 0.0, 0.499 / 127.5, 1.0, 1.5], dtype=np.float32)
    assert to_picture(x).tolist() == [0, 0, 128, 128, 255, 255]
    assert to_picture(np.float32([0.6 / 127.5 - 1])).tolist() == [1]


@pytest.mark.parametrize("t", [0, 123, 999])
def test_that_x_t_is_the_marginal_with_the_seeds_noise(t: int) -> None:
    pixels = picture(9, 14, 3)
    forward = Forward(pixels, SCHEDULE, seed=5)
    noise = initial_noise(5, (3, 9, 14)).transpose(1, 2, 0)
    np.testing.assert_array_equal(forward.eps, noise)
    alpha_bar = SCHEDULE.alpha_bar[t]
    expected = np.sqrt(alpha_bar) * (pixels / 127.5 - 1) + np.sqrt(1 - alpha_bar) * noise
    assert forward.at(t).dtype == np.float32
    np.testing.assert_allclose(forward.at(t), expected, atol=1e-6)
    np.testing.assert_array_equal(forward.picture(t), to_picture(forward.at(t)))
    assert forward.level(t).alpha_bar == pytest.approx(alpha_bar)


def test_that_answers_are_arrays_of_their_own() -> None:
    forward = Forward(picture(8, 8, 3), SCHEDULE, 0)
    first, first_picture = forward.at(10), forward.picture(10)
    kept, kept_picture = first.copy(), first_picture.copy()
    forward.at(900)
    forward.picture(900)
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(first_picture, kept_picture)


def test_that_a_strip_shows_one_noise_at_several_times() -> None:
    forward = Forward(picture(8, 6, 1), SCHEDULE, 0)
    strip = forward.strip((0, 500, 999))
    assert strip.shape == (3, 8, 6, 1)
    for t, shown in zip((0, 500, 999), strip, strict=True):
        np.testing.assert_array_equal(shown, forward.picture(t))
    assert forward.strip(()).shape == (0, 8, 6, 1)


def test_that_what_is_no_picture_or_no_time_is_refused() -> None:
    for wrong in (picture(4, 4, 4), picture(4, 4, 2), picture(4, 4, 3)[:, :, 0], np.zeros((4, 4, 3), np.float32)):
        with pytest.raises(Refusal, match="grey or colour picture"):
            Forward(wrong, SCHEDULE, 0)
    with pytest.raises(Refusal, match="grey or colour picture"):
        Forward(np.zeros((0, 4, 3), np.uint8), SCHEDULE, 0)
    with pytest.raises(Refusal, match="0 to 999"):
        Forward(picture(4, 4, 3), SCHEDULE, 0).at(1000)


@pytest.mark.parametrize(
    "module", ["schedules", "paths", "process", "noise", "forward", "codec", "requests", "messages"]
)
def test_that_torch_is_not_imported(module: str) -> None:
    code = (
        f"import sys, core.{module}; sys.exit(any(name.split('.')[0] in ('torch', 'PySide6') for name in sys.modules))"
    )
    root = Path(__file__).resolve().parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, timeout=60).returncode == 0


def test_that_at_zero_terminal_snr_nothing_but_the_noise_is_left() -> None:
    schedule = make_schedule(ScheduleSpec(zero_snr=True))
    forward = Forward(picture(4, 5, 3), schedule, 3)
    assert np.array_equal(forward.at(999), forward.eps)
    assert not np.allclose(forward.at(998), forward.eps, atol=1e-6)
    assert forward.strip((0, 500, 999)).shape == (3, 4, 5, 3)
