"""The filmstrip: which frames are shown, asked for, clicked and marked."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.theme import colour
from app.widgets.filmstrip import Filmstrip, _Preview


@pytest.fixture
def strip(qtbot: QtBot) -> Filmstrip:
    made = Filmstrip()
    qtbot.addWidget(made)
    made.resize(800, 88)
    made.show()
    return made


def wanted(strip: Filmstrip) -> list[int]:
    asked: list[int] = []
    strip.wanted.connect(asked.append)
    return asked


def grey(value: int, size: int = 8) -> np.ndarray:
    return np.full((size, size, 1), value, np.uint8)


def test_that_a_short_process_is_shown_whole(strip: Filmstrip) -> None:
    strip.set_frames(6, (999, 799, 599, 399, 199, -1))
    assert strip.shown == (0, 1, 2, 3, 4, 5)


@pytest.mark.parametrize("width", [300, 800, 1600])
def test_that_a_long_process_is_shown_by_evenly_chosen_frames(strip: Filmstrip, width: int) -> None:
    strip.resize(width, 88)
    strip.set_frames(1000, range(1000))
    distances = np.diff(strip.shown)
    assert (strip.shown[0], strip.shown[-1]) == (0, 999)
    assert distances.max() - distances.min() <= 1
    assert strip.frame_rect(999).right() < width
    rects = [strip.frame_rect(index) for index in strip.shown]
    assert not any(left.intersects(right) for left, right in pairwise(rects))


def test_that_frames_in_view_without_a_picture_are_asked_for(qtbot: QtBot, strip: Filmstrip) -> None:
    asked = wanted(strip)
    strip.set_frames(1000, range(1000))
    strip.set_frame(strip.shown[1], grey(9))
    qtbot.waitUntil(lambda: bool(asked), timeout=500)
    assert asked == [index for index in strip.shown if index != strip.shown[1]]


def test_that_frames_that_do_not_exist_yet_are_asked_for_when_they_do(qtbot: QtBot, strip: Filmstrip) -> None:
    asked = wanted(strip)
    strip.set_frames(6, (999, 799, 599, 399, 199, -1))
    strip.set_available(2)
    strip.flush()
    assert asked == [0, 1]
    strip.set_frame(0, grey(1))
    strip.set_frame(1, grey(1))
    strip.set_available(3)
    strip.flush()
    assert asked == [0, 1, 2]


def test_that_a_wider_strip_asks_for_the_frames_it_can_now_show(qtbot: QtBot, strip: Filmstrip) -> None:
    strip.set_frames(1000, range(1000))
    for index in strip.shown:
        strip.set_frame(index, grey(1))
    strip.flush()
    asked = wanted(strip)
    strip.resize(1600, 88)
    qtbot.waitUntil(lambda: len(asked) > 5, timeout=500)
    assert set(asked) <= set(strip.shown)


def test_that_a_hidden_strip_asks_for_nothing(strip: Filmstrip) -> None:
    strip.hide()
    asked = wanted(strip)
    strip.set_frames(6, range(6))
    strip.flush()
    assert asked == []


def test_that_a_click_goes_to_the_frame_under_the_pointer(qtbot: QtBot, strip: Filmstrip) -> None:
    strip.set_frames(1000, range(1000))
    for index in (strip.shown[0], strip.shown[3], strip.shown[-1]):
        with qtbot.waitSignal(strip.frame_clicked, timeout=500) as clicked:
            qtbot.mouseClick(strip, Qt.MouseButton.LeftButton, pos=strip.frame_rect(index).center())
        assert clicked.args == [index]


def test_that_arrows_walk_over_the_frames_shown(qtbot: QtBot, strip: Filmstrip) -> None:
    strip.set_frames(1000, range(1000))
    strip.set_current(strip.shown[2])
    clicked: list[int] = []
    strip.frame_clicked.connect(clicked.append)
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Left, Qt.Key.Key_Home, Qt.Key.Key_End):
        qtbot.keyClick(strip, key)
    assert clicked == [strip.shown[3], strip.shown[1], 0, 999]


def test_that_pictures_are_painted_sharp_in_their_frames(strip: Filmstrip) -> None:
    strip.set_frames(3, (2, 1, 0))
    picture = np.zeros((2, 2, 3), np.uint8)
    picture[0, 0], picture[1, 1] = (250, 10, 20), (10, 20, 250)
    strip.set_frame(1, picture)
    image, rect = strip.grab().toImage(), strip.frame_rect(1)
    middle = rect.center()
    assert image.pixelColor(middle + QPoint(-1, -1)) == QColor(250, 10, 20)
    assert image.pixelColor(middle + QPoint(2, 2)) == QColor(10, 20, 250)


def test_that_the_current_frame_is_framed_in_the_cursors_yellow(strip: Filmstrip) -> None:
    strip.set_frames(6, range(6))
    for current in (0, 4):
        strip.set_current(current)
        image = strip.grab().toImage()
        framed = [
            image.pixelColor(strip.frame_rect(i).center().x(), strip.frame_rect(i).top() - 1) == colour("t")
            for i in range(6)
        ]
        assert framed == [index == current for index in range(6)]


def test_that_the_current_frame_takes_the_nearest_place_where_not_all_fit(qtbot: QtBot, strip: Filmstrip) -> None:
    strip.set_frames(1000, range(1000))
    evenly = strip.shown
    asked = wanted(strip)
    strip.set_current(evenly[4] + 3)
    assert strip.shown == (*evenly[:4], evenly[4] + 3, *evenly[5:])
    strip.flush()
    assert evenly[4] + 3 in asked
    strip.set_current(2)
    assert (strip.shown[0], strip.shown[1], strip.shown[2:]) == (0, 2, evenly[2:])
    strip.set_current(evenly[6])
    assert strip.shown == evenly


def test_that_the_current_frame_borrows_its_neighbours_picture_until_it_has_its_own(strip: Filmstrip) -> None:
    strip.set_frames(1000, range(1000))
    near = strip.shown[4]
    strip.set_frame(near, grey(90))
    strip.set_current(near + 1)
    middle = strip.frame_rect(near + 1).center()
    assert strip.grab().toImage().pixelColor(middle) == QColor(90, 90, 90)
    strip.set_frame(near + 1, grey(200))
    assert strip.grab().toImage().pixelColor(middle) == QColor(200, 200, 200)


def test_that_hovering_shows_the_frame_larger_and_leaving_takes_it_away(qtbot: QtBot, strip: Filmstrip) -> None:
    strip.set_frames(3, (2, 1, 0))
    strip.set_frame(1, grey(200))
    (preview,) = strip.findChildren(_Preview)
    qtbot.mouseMove(strip, strip.frame_rect(1).center())
    assert preview.isVisible()
    assert preview.grab().toImage().pixelColor(preview.rect().center()) == QColor(200, 200, 200)
    qtbot.mouseMove(strip, strip.frame_rect(2).center())
    assert not preview.isVisible()
    qtbot.mouseMove(strip, strip.frame_rect(1).center())
    QApplication.sendEvent(strip, QEvent(QEvent.Type.Leave))
    assert not preview.isVisible()


def test_that_large_pictures_are_kept_small(strip: Filmstrip) -> None:
    strip.set_frames(1, (0,))
    strip.set_frame(0, np.full((600, 900, 3), 77, np.uint8))
    image = strip._images[0]
    assert (image.width(), image.height()) == (128, 85)
    assert image.pixelColor(60, 40) == QColor(77, 77, 77)


def test_that_clearing_forgets_everything(strip: Filmstrip) -> None:
    strip.set_frames(3, (2, 1, 0))
    strip.set_frame(1, grey(3))
    strip.clear()
    assert strip.shown == ()
    assert not strip.has_frame(1)
    strip.grab()


def test_that_few_frames_are_spread_over_the_whole_width(strip: Filmstrip) -> None:
    strip.resize(1200, 88)
    strip.set_frames(10, range(10))
    assert strip.frame_rect(0).left() <= 4
    assert strip.frame_rect(9).right() >= 1194


def test_that_frames_are_as_wide_as_wide_pictures_while_all_keep_their_place(strip: Filmstrip) -> None:
    strip.resize(1200, 86)
    strip.set_frames(10, range(10))
    for index in range(10):
        strip.set_frame(index, np.zeros((20, 30, 3), np.uint8))
    assert strip.frame_rect(3).size().toTuple() == (96, 64)
    assert strip.shown == tuple(range(10))
    strip.resize(300, 86)
    assert strip.frame_rect(0).size().toTuple() == (64, 64)


def test_that_a_frame_has_room_for_32_pixels_doubled_at_the_least_height(strip: Filmstrip) -> None:
    strip.resize(800, strip.minimumSizeHint().height())
    strip.set_frames(6, range(6))
    assert strip.frame_rect(0).height() == 64


def test_that_a_named_strip_says_so_under_its_first_frame(strip: Filmstrip) -> None:
    strip.set_frames(10, range(10))
    unnamed = strip.grab().toImage()
    strip.set_name("Cosine")
    named = strip.grab().toImage()
    second = strip.frame_rect(1).left()
    below = range(strip.frame_rect(0).bottom() + 3, strip.height())
    changed = {x for x in range(strip.width()) for y in below if named.pixel(x, y) != unnamed.pixel(x, y)}
    assert len(changed) > 30
    assert max(changed) < second + 8
