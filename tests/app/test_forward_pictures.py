"""Where the pictures of Forward stand."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from app.stages.forward_pictures import ForwardPictures
from app.widgets.pictures import PicturePane


@pytest.fixture
def pictures(qtbot: QtBot) -> ForwardPictures:
    x_0, x_t, eps, x0_hat, score = (PicturePane("x_t", "x_t") for _ in range(5))
    made = ForwardPictures(x_0, x_t, eps, (x0_hat, score))
    qtbot.addWidget(made)
    made.resize(714, 490)
    made.show()
    return made


def show(pictures: ForwardPictures, height: int, width: int) -> tuple[int, int]:
    """Width and height that x_t is drawn with."""
    pictures.set_shape(height, width)
    pane = pictures.panes[1]
    pane.set_pictures(np.zeros((1, height, width, 3), np.uint8))
    return round(pane.zoom() * width), round(pane.zoom() * height)


def test_that_a_wide_photo_takes_the_width_that_is_there(pictures: ForwardPictures) -> None:
    width, height = show(pictures, 300, 451)
    assert (width, height) == (451, 300)


def test_that_a_square_picture_takes_the_height_that_is_there(pictures: ForwardPictures) -> None:
    assert show(pictures, 32, 32) == (320, 320)
    x_0, x_t, eps = pictures.panes
    assert x_0.geometry().right() < x_t.geometry().left()
    assert eps.geometry().right() < x_t.geometry().left()


@pytest.mark.parametrize("shape", [(32, 32), (300, 451), (100, 900), (900, 100)])
@pytest.mark.parametrize("size", [(714, 490), (1000, 250), (460, 372), (714, 266)])
def test_that_no_pane_lies_on_another_or_outside(
    pictures: ForwardPictures, shape: tuple[int, int], size: tuple[int, int]
) -> None:
    pictures.resize(*size)
    show(pictures, *shape)
    seen = pictures._seen
    assert seen is not None
    places = [widget.geometry() for widget in (*pictures.panes, seen)]
    assert not any(one.intersects(other) for one, other in combinations(places, 2))
    assert all(pictures.rect().contains(place) for place in places)
