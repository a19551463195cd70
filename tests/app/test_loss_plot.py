"""The loss curve: a trailing mean on a logarithmic axis, with the moments at which samples were drawn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QRectF, Qt
from PySide6.QtGui import QFontMetrics, QImage
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.theme import font
from app.widgets.loss_plot import LossPlot, loss_text
from app.widgets.step_lines import every, extremes, smoothed, thin
from app.widgets.step_painting import loss_ticks, short, step_ticks
from app.widgets.step_scale import AXIS, StepScale


@pytest.fixture
def plot(qtbot: QtBot) -> LossPlot:
    made = LossPlot()
    qtbot.addWidget(made)
    made.resize(600, made.height())
    made.show()
    return made


def falling(count: int) -> np.ndarray:
    return np.geomspace(1, 0.01, count).astype(np.float32)


def test_that_the_mean_is_that_of_the_last_steps() -> None:
    losses = np.array([4, 2, 6, 8, 1], np.float32)
    np.testing.assert_allclose(smoothed(losses, 3), [4, 3, 4, 16 / 3, 5])


def test_that_losses_nobody_knows_any_more_are_left_out_of_the_mean() -> None:
    losses = np.array([np.nan, 2, np.nan, 4], np.float32)
    np.testing.assert_allclose(smoothed(losses, 2), [np.nan, 2, 2, 4])


def test_that_equal_factors_are_equally_far_apart(plot: LossPlot) -> None:
    plot.set_losses(falling(100))
    heights = [plot.place(1, loss).y() for loss in (1.0, 0.1, 0.01)]
    assert heights[1] - heights[0] == pytest.approx(heights[2] - heights[1])
    assert heights[0] < heights[1]


def test_that_the_first_and_the_last_step_lie_at_the_ends(plot: LossPlot) -> None:
    plot.set_losses(falling(50))
    assert plot.place(1, 1).x() == plot.plot_rect().left()
    assert plot.place(50, 1).x() == plot.plot_rect().right()


def test_that_a_click_asks_for_the_step_under_it(plot: LossPlot, qtbot: QtBot) -> None:
    plot.set_losses(falling(201))
    with qtbot.waitSignal(plot.step_asked) as asked:
        qtbot.mouseClick(plot, Qt.MouseButton.LeftButton, pos=QPoint(round(plot.place(101, 1).x()), 50))
    assert abs(asked.args[0] - 101) <= 1


def test_that_nothing_is_asked_of_an_empty_plot(plot: LossPlot, qtbot: QtBot) -> None:
    with qtbot.assertNotEmitted(plot.step_asked):
        qtbot.mouseClick(plot, Qt.MouseButton.LeftButton, pos=QPoint(300, 50))


@pytest.mark.parametrize("count", [1, 2, 3, 40, 5000])
def test_that_any_number_of_steps_is_painted_within_the_plot(plot: LossPlot, count: int) -> None:
    losses = falling(count)
    losses[count // 2 :: 7] = np.nan
    plot.set_losses(losses)
    plot.set_moments((0, count))
    plot.look_at(count)
    plot.grab()
    rect = plot.plot_rect().adjusted(-1, -1, 1, 1)
    known = np.flatnonzero(np.isfinite(losses))
    assert all(rect.contains(plot.place(int(step) + 1, float(losses[step]))) for step in known)


def test_that_the_last_mean_is_printed(plot: LossPlot) -> None:
    plot.set_losses(np.full(300, 0.25, np.float32))
    assert plot.summary() == "0.2500"
    assert plot.accessibleDescription() == "0.2500"


@pytest.mark.parametrize(
    ("low", "high", "ticks"), [(0.03, 1.2, (0.05, 0.1, 0.2, 0.5, 1.0)), (0.0005, 2.0, (0.001, 0.01, 0.1, 1.0))]
)
def test_that_the_axis_has_few_round_losses(low: float, high: float, ticks: tuple[float, ...]) -> None:
    assert loss_ticks(low, high) == pytest.approx(ticks)


@pytest.mark.parametrize(
    ("last", "ticks"), [(2, (1, 2)), (60, (10, 20, 30, 40, 50, 60)), (999, (200, 400, 600, 800)), (1, (1,))]
)
def test_that_the_axis_has_few_round_steps(last: int, ticks: tuple[int, ...]) -> None:
    assert step_ticks(last) == ticks


@pytest.mark.parametrize(
    ("loss", "text"), [(0.03125, "0.0312"), (23.45678, "23.4568"), (1204.52, "1,204.5"), (123456.7, "123,456.7")]
)
def test_that_a_loss_is_printed_in_figures_that_mean_something(loss: float, text: str) -> None:
    assert loss_text(loss) == text


def test_that_round_numbers_have_room_beside_the_axis(qapp: QApplication) -> None:
    metrics = QFontMetrics(font("caption", numbers=True))
    assert all(metrics.horizontalAdvance(short(value)) <= AXIS - 6 for value in (7.5e-4, 2.5e-5, 0.005, 5000.0, 50_000))
    assert [short(value) for value in (0.00025, 1e-3 / 2, 1e-4, 3e-6)] == ["2.5e−4", "5e−4", "1e−4", "3e−6"]
    assert [short(value) for value in (0.05, 200.0, 5000.0, 50_000.0, 2e6)] == ["0.05", "200", "5000", "50k", "2M"]


def test_that_a_common_axis_holds_until_it_is_taken_away(plot: LossPlot) -> None:
    plot.set_losses(falling(100))
    own = plot.place(1, 0.1).y()
    plot.set_range((0.001, 1000.0))
    assert plot.place(1, 0.1).y() != own
    plot.set_losses(falling(120))
    assert plot.place(1, 1.0).y() == pytest.approx((plot.place(1, 0.001).y() + plot.place(1, 1000.0).y()) / 2)
    plot.set_range(None)
    assert plot.place(1, 0.1).y() == pytest.approx(own)


def test_that_a_heading_without_room_is_shorter_and_whole(plot: LossPlot) -> None:
    plot.set_words("L_vlb", "bits/dim", "the bound")
    plot.set_losses(falling(100))
    metrics = plot.fontMetrics()
    assert plot._fitting_heading(metrics) == "L_vlb in bits/dim, mean of 100 steps"
    plot.resize(metrics.horizontalAdvance("L_vlb in bits/dim    0.0100    "), plot.height())
    assert plot._fitting_heading(metrics) == "L_vlb in bits/dim"


@pytest.mark.parametrize("count", [0, 1, 7, 950, 1000, 2500, 40_123])
def test_that_thinned_means_are_those_of_the_same_steps(count: int) -> None:
    rows = np.random.default_rng(count).random((count, 3)).astype(np.float32)
    rows[:, 1][1::2] = np.nan
    rows[:, 2] = np.nan
    steps, means = thin(rows, most=500)
    assert len(steps) <= 1000
    assert means.shape == (len(steps), 3)
    if count:
        assert steps[-1] == count
        assert np.isnan(means[:, 2]).all()
    stride = max(1, count // 500)
    width = max(1, 100 // stride) * stride
    for at in range(0, len(steps) - (count % stride > 0), 97):  # the last may stand for fewer steps
        part = rows[max(0, int(steps[at]) - width) : steps[at], :2]
        np.testing.assert_allclose(means[at, :2], np.nanmean(part, axis=0), rtol=1e-4)
    np.testing.assert_allclose(thin(rows[:, :1], most=500)[1], means[:, :1], rtol=1e-5)  # where all are known


def painted(plot: LossPlot, losses: np.ndarray) -> np.ndarray:
    """Where the plot is not as it is without a curve, (height, width)."""
    plot.set_losses(losses)
    image = plot.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).astype(int)


def test_that_a_peak_of_one_step_among_very_many_is_seen(plot: LossPlot) -> None:
    flat = np.full(200_000, 0.1, np.float32)
    flat[0], flat[1] = 1.0, 0.01
    peaked = flat.copy()
    peaked[123_456] = 0.9
    plot.set_range((0.01, 1.0))
    differs = np.abs(painted(plot, peaked) - painted(plot, flat)).max(axis=2) > 20
    at = plot.place(123_457, 0.9)
    assert differs[int(at.y()) + 1 : int(at.y()) + 10, int(at.x()) - 1 : int(at.x()) + 2].any(axis=1).all()
    columns = np.flatnonzero(differs[:, 60:].any(axis=0)) + 60
    assert np.ptp(columns) < 6  # its mean rises a little


def test_that_columns_begin_where_another_pixel_does() -> None:
    scale = StepScale(QRectF(44, 20, 101, 50), 10_000, 0.1, 1.0, True)
    steps = every(np.zeros(10_000))
    firsts = scale.columns(steps)
    pixels = np.floor(scale.xs(steps) + 0.5)
    np.testing.assert_array_equal(firsts, np.flatnonzero(np.diff(pixels, prepend=-1)))


@given(values=st.lists(st.floats(0.01, 100) | st.just(math.nan), min_size=1, max_size=50), parts=st.integers(1, 10))
def test_that_the_extremes_of_parts_are_those_of_their_known_values(values: list[float], parts: int) -> None:
    firsts = np.unique(np.arange(parts) * len(values) // parts)
    least, largest = extremes(np.array(values), firsts)
    for low, high, part in zip(least, largest, np.split(np.array(values), firsts[1:]), strict=True):
        known = part[np.isfinite(part)]
        assert (low, high) == (known.min(), known.max()) if len(known) else math.isnan(low)


def test_that_the_mean_of_known_losses_is_that_of_the_same_losses_one_by_one() -> None:
    losses = np.random.default_rng(0).random(1000, np.float32)
    means = smoothed(losses, 7)
    wanted = [losses[max(0, end - 7) : end].mean(dtype=np.float64) for end in range(1, 1001)]
    np.testing.assert_allclose(means, wanted, rtol=1e-9)


def test_that_two_hundred_thousand_steps_cost_little_to_draw(plot: LossPlot) -> None:
    losses = np.random.default_rng(0).random(200_000, np.float32) + 0.1
    plot.set_losses(losses)
    plot.grab()
    assert sum(len(spans) + curve.size() for _line, spans, curve in plot._layout) < 4 * plot.width()
