"""What refinement misses: a line an iteration, and the numbers of the step looked at."""

from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot

from app.widgets.miss_plot import MissPlot

MISSES = {0: (0.1, 0.01), 1: (0.05, 0.001), 3: (0.02, 0.0001)}


@pytest.fixture
def plot(qtbot: QtBot) -> MissPlot:
    made = MissPlot()
    qtbot.addWidget(made)
    made.resize(300, made.height())
    made.set_misses(MISSES, 5)
    return made


def test_that_the_numbers_are_those_of_the_step(plot: MissPlot) -> None:
    plot.set_current(1)
    assert plot.summary() == "5.0e\u221202 → 1.0e\u221203"
    plot.set_current(2)
    assert plot.summary() == "", "this step was not heard of"
    plot.set_current(-1)
    assert plot.summary().startswith("1.0e\u221201")


def test_that_tenfold_is_the_same_height_everywhere(plot: MissPlot) -> None:
    heights = [plot.place(0, miss).y() for miss in (0.1, 0.01, 0.001)]
    assert heights[1] - heights[0] == pytest.approx(heights[2] - heights[1]) != 0
    assert plot.place(4, 0.1).x() - plot.place(2, 0.1).x() == pytest.approx(
        plot.place(2, 0.1).x() - plot.place(0, 0.1).x()
    )


def test_that_without_refinement_it_is_not_there(plot: MissPlot) -> None:
    assert not plot.isHidden()
    plot.grab()
    plot.set_misses({}, 5)
    assert plot.isHidden()


def test_that_a_miss_of_nothing_is_drawn_at_the_bottom(plot: MissPlot) -> None:
    plot.set_misses({0: (0.1, 0.0)}, 1)
    assert plot.rect().contains(plot.place(0, 0.0).toPoint())
    plot.grab()
