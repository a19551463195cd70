"""How a person's picture meets the network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QCheckBox, QPushButton

from app.widgets.controls import Choice
from app.widgets.conversion import ConversionBox, CropView, conversion_for, conversion_words, moved, scaled
from core.likeness import measure
from core.requests import Conversion
from tests.app.fake_engine import DIGITS, gradient, opened

CENTRE = (0.125, 0.0, 0.875, 1.0)


@pytest.fixture
def box(qtbot):
    box = ConversionBox()
    qtbot.addWidget(box)
    image = gradient(48, 64)
    box.set_picture(image, DIGITS)
    box.set_conversion(conversion_for(image, DIGITS))
    box.show()
    return box


def test_that_a_wide_picture_meets_a_square_network_with_its_centre():
    conversion = conversion_for(gradient(48, 64), DIGITS)
    assert conversion == Conversion((32, 32), 1, CENTRE)
    assert conversion_words(gradient(48, 64), conversion) == "64 × 48 RGB → 32 × 32 grey, centre"


def test_that_dragging_moves_the_crop_and_says_so(box, qtbot):
    crop = box.findChild(CropView)
    middle = crop.rect().center()
    with qtbot.waitSignal(box.conversion_changed) as changed:
        qtbot.mousePress(crop, Qt.MouseButton.LeftButton, pos=middle)
        qtbot.mouseMove(crop, middle + QPoint(200, 0))
    left, top, right, bottom = changed.args[0].crop
    assert (left, top, right, bottom) == pytest.approx((0.25, 0, 1, 1))


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (Qt.Key.Key_Left, (0.115, 0.0, 0.865, 1.0)),
        (Qt.Key.Key_Right, (0.135, 0.0, 0.885, 1.0)),
        (Qt.Key.Key_Plus, (0.5 - 0.375 / 1.1, 0.5 - 0.5 / 1.1, 0.5 + 0.375 / 1.1, 0.5 + 0.5 / 1.1)),
    ],
)
def test_that_keys_move_and_scale_the_crop(box, qtbot, key, expected):
    crop = box.findChild(CropView)
    with qtbot.waitSignal(box.conversion_changed) as changed:
        qtbot.keyClick(crop, key)
    assert changed.args[0].crop == pytest.approx(expected)


def test_that_the_wheel_takes_a_smaller_part_and_reset_the_centre_again(box, qtbot):
    crop = box.findChild(CropView)
    middle = QPointF(crop.rect().center())
    with qtbot.waitSignal(box.conversion_changed) as changed:
        QApplication.sendEvent(
            crop,
            QWheelEvent(
                middle,
                crop.mapToGlobal(middle),
                QPoint(),
                QPoint(0, 120),
                Qt.MouseButton.NoButton,
                Qt.KeyboardModifier.NoModifier,
                Qt.ScrollPhase.NoScrollPhase,
                False,
            ),
        )
    assert changed.args[0].crop[3] - changed.args[0].crop[1] == pytest.approx(1 / 1.1)
    with qtbot.waitSignal(box.conversion_changed) as changed:
        qtbot.mouseClick(box.findChild(QPushButton), Qt.MouseButton.LeftButton)
    assert changed.args[0].crop == CENTRE


def test_that_invert_is_in_the_conversion(box, qtbot):
    with qtbot.waitSignal(box.conversion_changed) as changed:
        box.findChild(QCheckBox).click()
    assert changed.args[0].invert is True


def test_that_a_background_is_asked_for_only_where_something_is_transparent(box, qtbot):
    choice = box.findChild(Choice)
    assert not choice.isVisible()
    box.set_picture(opened(np.zeros((8, 8, 4), np.uint8)), DIGITS)
    assert choice.isVisible()
    with qtbot.waitSignal(box.conversion_changed) as changed:
        choice.set_value("black")
    assert changed.args[0].background == (0, 0, 0)


def test_that_a_picture_unlike_the_training_data_is_said_to_be_so(box):
    assert box.warning() == ""
    strokes = np.zeros((20, 32, 32, 1), np.uint8)
    strokes[:, 8:24, 14:18] = 255
    box.set_picture(gradient(), replace(DIGITS, data_statistics=measure(strokes)))
    assert box.warning().startswith("Unlike the training data")


boxes = st.tuples(st.floats(0, 0.5), st.floats(0, 0.5), st.floats(0.55, 1), st.floats(0.55, 1))


@given(boxes, st.floats(-2, 2), st.floats(-2, 2))
def test_that_a_moved_crop_keeps_its_size_and_stays_inside(crop, dx, dy):
    left, top, right, bottom = moved(crop, dx, dy)
    assert min(left, top) >= -1e-12
    assert max(right, bottom) <= 1 + 1e-12
    assert (right - left, bottom - top) == pytest.approx((crop[2] - crop[0], crop[3] - crop[1]))


@given(boxes, st.floats(0.01, 100))
def test_that_a_scaled_crop_keeps_its_proportions_and_stays_inside(crop, factor):
    left, top, right, bottom = scaled(crop, factor)
    assert min(left, top) >= 0
    assert max(right, bottom) <= 1
    assert (right - left) * (crop[3] - crop[1]) == pytest.approx((bottom - top) * (crop[2] - crop[0]))
    assert right - left > 0.03
