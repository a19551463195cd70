"""The sheet of frames, the slider of a frame's way down, and the strip of a morph."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QSignalSpy

from app.widgets.descent import Descent
from app.widgets.morph_strip import MorphStrip
from app.widgets.sheet import Sheet


def white(side: int = 8) -> np.ndarray:
    return np.full((side, side, 1), 255, np.uint8)


@pytest.fixture
def sheet(qtbot):
    sheet = Sheet()
    qtbot.addWidget(sheet)
    sheet.resize(300, 200)
    sheet.show()
    sheet.set_cells(["t = 9", "t = 5"], ["A", "0.5", "B"])
    return sheet


def test_that_a_click_chooses_the_cell_under_it(sheet, qtbot):
    sheet.put(0, white(), finished=True)
    spy = QSignalSpy(sheet.cell_clicked)
    for cell in (0, 4, 5):
        qtbot.mouseClick(sheet, Qt.MouseButton.LeftButton, pos=sheet.cell_rect(cell).center().toPoint())
    assert [spy.at(k)[0] for k in range(3)] == [0, 4, 5]
    qtbot.mouseClick(sheet, Qt.MouseButton.LeftButton, pos=QPoint(1, 1))
    assert spy.count() == 3


def test_that_arrows_choose_the_cells_around_and_stop_at_the_edges(sheet, qtbot):
    spy = QSignalSpy(sheet.cell_clicked)
    sheet.set_current(2)
    qtbot.keyClick(sheet, Qt.Key.Key_Right)
    assert spy.count() == 0
    qtbot.keyClick(sheet, Qt.Key.Key_Left)
    qtbot.keyClick(sheet, Qt.Key.Key_Down)
    assert [spy.at(k)[0] for k in range(spy.count())] == [1, 5]


def test_that_cells_are_as_large_as_whole_pixels_allow_and_all_are_in_view(sheet):
    sheet.put(0, white(16), finished=True)
    side = sheet.cell_rect(0).width() * sheet.devicePixelRatioF()
    assert side % 16 == 0
    for cell in range(6):
        assert sheet.rect().toRectF().contains(sheet.cell_rect(cell))


def test_that_many_large_pictures_are_made_smaller_to_fit(sheet):
    sheet.set_cells([""] * 20, [""] * 20)
    sheet.put(0, white(512), finished=True)
    assert max(sheet._images[0].width(), sheet._images[0].height()) == 128
    assert sheet.rect().toRectF().contains(sheet.cell_rect(399))


def test_that_unfinished_cells_are_dimmed(sheet):
    sheet.put(0, white(), finished=False)
    place = sheet.cell_rect(0).center().toPoint()
    dimmed = sheet.grab().toImage().pixelColor(place).lightness()
    sheet.put(0, white(), finished=True)
    assert sheet.is_finished(0)
    assert sheet.grab().toImage().pixelColor(place).lightness() == 255 > dimmed


def test_that_the_cell_looked_at_is_told_by_its_names(sheet):
    sheet.set_current(4)
    assert sheet.accessibleDescription() == "row t = 5, column 0.5"


@pytest.fixture
def descent(qtbot):
    descent = Descent()
    qtbot.addWidget(descent)
    descent.resize(52, 240)
    descent.show()
    descent.set_positions([900, 600, 300, 0, -1], [0.0, 0.1, 0.5, 0.9, 1.0])
    descent.set_position(4, 5)
    return descent


def test_that_noise_is_above_and_the_data_below(descent, qtbot):
    assert descent.place_of(0) < descent.place_of(4)
    spy = QSignalSpy(descent.asked)
    for position in (0, 2, 4):
        qtbot.mouseClick(descent, Qt.MouseButton.LeftButton, pos=QPoint(10, round(descent.place_of(position))))
    assert [spy.at(k)[0] for k in range(3)] == [0, 2, 4]


@pytest.mark.parametrize(
    ("key", "position"), [(Qt.Key.Key_Up, 3), (Qt.Key.Key_Down, 4), (Qt.Key.Key_Home, 0), (Qt.Key.Key_End, 4)]
)
def test_that_keys_step_it(descent, qtbot, key, position):
    spy = QSignalSpy(descent.asked)
    qtbot.keyClick(descent, key)
    assert spy.at(0) == [position]


def test_that_what_is_not_made_cannot_be_reached(descent, qtbot):
    descent.set_position(0, 2)
    spy = QSignalSpy(descent.asked)
    qtbot.keyClick(descent, Qt.Key.Key_End)
    assert spy.at(0) == [1]


def test_that_a_strip_says_where_its_frames_lie_and_which_are_finished(qtbot):
    strip = MorphStrip()
    qtbot.addWidget(strip)
    strip.resize(600, 86)
    strip.show()
    strip.set_names(["A", "0.50", "B"])
    strip.put(1, white(32), finished=False)
    place = strip.frame_rect(1).center()
    dimmed = strip.grab().toImage().pixelColor(place).lightness()
    strip.put(1, white(32), finished=True)
    strip.set_current(1)
    assert strip.is_finished(1)
    assert strip.grab().toImage().pixelColor(place).lightness() == 255 > dimmed
    assert strip.accessibleDescription() == "0.50"
    strip.set_names(["A", "B"])
    assert not strip.is_finished(1)
    assert not strip.has_frame(1)
