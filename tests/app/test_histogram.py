"""The histogram of a picture's values against N(0, 1)."""

from __future__ import annotations

import math

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from app.theme import colour
from app.widgets.histogram import BINS, REACH, TALLEST, Histogram


@pytest.fixture
def histogram(qtbot: QtBot) -> Histogram:
    made = Histogram()
    qtbot.addWidget(made)
    made.resize(320, made.height())
    made.show()
    return made


def test_that_the_density_of_normal_numbers_is_the_normal_density(histogram: Histogram) -> None:
    histogram.set_values(np.random.default_rng(0).standard_normal((200, 200, 3)))
    assert histogram.density is not None
    centres = -REACH + (np.arange(BINS) + 0.5) * 2 * REACH / BINS
    np.testing.assert_allclose(histogram.density, np.exp(-(centres**2) / 2) / math.sqrt(2 * math.pi), atol=0.02)


def test_that_the_density_sums_to_one_with_what_lies_beyond_the_axis(histogram: Histogram) -> None:
    histogram.set_values(np.array([-100.0, 0.1, 0.2, 100.0]))
    assert histogram.density is not None
    assert histogram.density.sum() * 2 * REACH / BINS == pytest.approx(1)
    assert histogram.density[0] == histogram.density[-1] > 0


def test_that_mean_and_deviation_are_printed_with_fixed_decimals(histogram: Histogram) -> None:
    histogram.set_values(np.array([-1.5, -0.5]))
    assert histogram.summary() == "mean −1.000   std 0.500"
    histogram.set_values(np.array([0.5, 1.5]))
    assert histogram.summary() == "mean  1.000   std 0.500"


def test_that_thinning_out_a_large_picture_keeps_every_channel(histogram: Histogram) -> None:
    picture = np.zeros((700, 700, 3), np.float32)
    picture[..., 1] = 3.0
    histogram.set_values(picture)
    assert histogram.mean == pytest.approx(1.0, abs=0.01)


def test_that_bars_have_the_quantitys_colour_and_reach_their_density(histogram: Histogram) -> None:
    histogram.set_values(np.random.default_rng(1).uniform(-1, 1, 5000), "eps")
    image = histogram.grab().toImage()
    inside, above = histogram.place(0.52, 0.1).toPoint(), histogram.place(0.52, 0.7).toPoint()
    assert image.pixelColor(inside) == colour("eps")
    assert image.pixelColor(above) != colour("eps")
    outside = histogram.place(2.02, 0.02).toPoint()
    assert image.pixelColor(outside) != colour("eps")


def test_that_a_bar_too_tall_is_marked(histogram: Histogram) -> None:
    histogram.set_values(np.full(100, 0.05), "x_0")
    image = histogram.grab().toImage()
    x = histogram.place(0.06, 0).toPoint().x()
    column = [image.pixelColor(x, y) == colour("x_0") for y in range(int(histogram.place(0, TALLEST).y()), 60)]
    assert column[0]
    assert not all(column)


def test_that_nothing_is_shown_without_values(histogram: Histogram) -> None:
    histogram.set_values(np.ones(4))
    histogram.set_values(None)
    assert histogram.density is None
    assert histogram.summary() == ""
    image = histogram.grab().toImage()
    assert image.pixelColor(histogram.place(1.06, 0.3).toPoint()) != colour("x_t")
