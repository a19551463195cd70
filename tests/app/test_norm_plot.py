"""The plot of norms along a morph."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QSignalSpy

from app.theme import colour
from app.widgets.norm_plot import NormPlot

WAY = {"slerp": np.ones(5), "lerp": np.array([1, 0.8, 0.7, 0.8, 1])}


@pytest.fixture
def plot(qtbot):
    plot = NormPlot()
    qtbot.addWidget(plot)
    plot.resize(300, 148)
    plot.show()
    plot.set_way(WAY, [(0, "A"), (1, "B")], "slerp", 0.02)
    return plot


def test_that_the_axis_holds_the_curves_and_all_points(plot):
    assert plot.reach()[0] < 0.65
    assert plot.reach()[1] > 1.05
    plot.set_points({0: (0.0, 0.3), 1: (1.0, 1.6)})
    low, high = plot.reach()
    assert low < 0.3
    assert high > 1.6


def test_that_larger_norms_lie_higher_and_later_frames_further_right(plot):
    assert plot.at(0.5, 1.0).y() < plot.at(0.5, 0.7).y()
    assert plot.at(0.2, 1.0).x() < plot.at(0.8, 1.0).x()


def test_that_a_click_goes_to_the_nearest_frame(plot, qtbot):
    plot.set_points({0: (0.0, 1.0), 3: (0.5, 0.9), 4: (1.0, 1.0)})
    spy = QSignalSpy(plot.frame_clicked)
    qtbot.mouseClick(plot, Qt.MouseButton.LeftButton, pos=plot.at(0.52, 0.8).toPoint())
    assert spy.at(0) == [3]


def test_that_a_click_where_no_frame_has_begun_goes_nowhere(plot, qtbot):
    spy = QSignalSpy(plot.frame_clicked)
    qtbot.mouseClick(plot, Qt.MouseButton.LeftButton, pos=QPoint(150, 70))
    assert spy.count() == 0


def test_that_a_point_is_painted_where_it_lies(plot):
    before = plot.grab().toImage()
    plot.set_points({2: (0.5, 0.9)})
    place = plot.at(0.5, 0.9).toPoint()
    after = plot.grab().toImage()
    assert after.pixelColor(place) == colour("x_t") != before.pixelColor(place)


def test_that_the_frame_looked_at_is_told_to_who_does_not_see(plot):
    plot.set_points({2: (0.5, 0.9)})
    plot.set_current(2, 0.5)
    assert "0.900" in plot.accessibleDescription()


def test_that_an_empty_plot_says_why(plot):
    plot.set_way({}, [], "slerp", None, "not yet")
    empty = plot.grab().toImage()
    plot.set_way({}, [], "slerp", None, "")
    assert empty != plot.grab().toImage()
