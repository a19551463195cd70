"""The schedule plots: curves, the shared cursor, visited timesteps and the hand-drawn schedule."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.theme import colour, palette, theme
from app.widgets.control_points import HIGHEST, LOWEST, ControlPoints
from app.widgets.schedule_panel import SchedulePanel
from app.widgets.schedule_plots import SchedulePlots
from core.requests import ScheduleSpec
from core.schedules import make_schedule

LINEAR = make_schedule(ScheduleSpec("linear"))
COSINE = make_schedule(ScheduleSpec("cosine"))
POINTS = ((0.0, 0.99), (0.5, 0.5), (1.0, 0.01))


@pytest.fixture
def plots(qtbot: QtBot) -> SchedulePlots:
    made = SchedulePlots()
    qtbot.addWidget(made)
    made.set_schedule(LINEAR)
    made.set_cursor(400)
    made.resize(300, 400)
    made.show()
    return made


@pytest.fixture
def drawing(plots: SchedulePlots) -> SchedulePlots:
    plots.set_schedule(make_schedule(ScheduleSpec("drawn", points=POINTS)))
    plots.set_editable(POINTS)
    return plots


def alpha_bar(plots: SchedulePlots) -> SchedulePanel:
    return plots.panels[1]


def place(plots: SchedulePlots, u: float, value: float) -> QPoint:
    return alpha_bar(plots).place(u * 999, value).toPoint()


def near(image: QImage, at: QPoint, wanted: QColor, reach: int = 1) -> bool:
    """Whether a pixel close by has about this colour."""
    for x in range(at.x() - reach, at.x() + reach + 1):
        for y in range(at.y() - reach, at.y() + reach + 1):
            if image.rect().contains(x, y):
                seen = image.pixelColor(x, y)
                pairs = zip(seen.getRgb()[:3], wanted.getRgb()[:3], strict=True)
                if max(abs(a - b) for a, b in pairs) < 40:
                    return True
    return False


def test_that_the_values_at_the_cursor_are_the_schedules(plots: SchedulePlots) -> None:
    # beta is linear from 1e-4 to 0.02, so its value at t has a closed form.
    assert plots.panels[0].text(400).strip() == f"{1e-4 + (0.02 - 1e-4) * 400 / 999:.5f}"
    share = math.prod(1 - (1e-4 + (0.02 - 1e-4) * t / 999) for t in range(401))
    assert alpha_bar(plots).text(400).strip() == f"{share:.5f}"
    assert plots.panels[2].text(400).strip().replace("−", "-") == f"{math.log(share / (1 - share)):.3f}"


def test_that_printed_values_are_always_equally_wide(plots: SchedulePlots) -> None:
    for panel in (plots.panels[0], plots.panels[1], plots.panels[3]):
        assert len({len(panel.text(t)) for t in range(0, 1000, 50)}) == 1


@pytest.mark.parametrize("panel", [0, 1, 2, 3])
def test_that_a_click_in_any_plot_moves_the_cursor_in_all(qtbot: QtBot, plots: SchedulePlots, panel: int) -> None:
    target = plots.panels[panel].place(750, 0).toPoint()
    with qtbot.waitSignal(plots.t_dragged, timeout=500) as dragged:
        qtbot.mouseClick(plots.panels[panel], Qt.MouseButton.LeftButton, pos=QPoint(target.x(), 40))
    assert dragged.args[0] == pytest.approx(750, abs=3)
    for shown in plots.panels:
        x = round(shown.place(dragged.args[0], 0).x())
        assert near(shown.grab().toImage(), QPoint(x, 24), colour("t"))


def test_that_dragging_sends_the_latest_t_once_a_turn(qtbot: QtBot, plots: SchedulePlots) -> None:
    sent: list[int] = []
    plots.t_dragged.connect(sent.append)
    panel = plots.panels[2]
    qtbot.mousePress(panel, Qt.MouseButton.LeftButton, pos=QPoint(60, 40))
    plots.flush()
    for x in range(60, 200):
        plots.eventFilter(panel, _moved(x))
    plots.flush()
    assert len(sent) == 2
    assert sent[-1] == pytest.approx(panel.time_at(199), abs=1)
    qtbot.mouseRelease(panel, Qt.MouseButton.LeftButton, pos=QPoint(199, 40))
    qtbot.mouseMove(panel, QPoint(80, 40))
    plots.flush()
    assert len(sent) == 2


def _moved(x: int) -> object:
    from PySide6.QtCore import QEvent, QPointF
    from PySide6.QtGui import QMouseEvent

    left = Qt.MouseButton.LeftButton
    return QMouseEvent(QEvent.Type.MouseMove, QPointF(x, 40), QPointF(x, 40), left, left, Qt.KeyboardModifier(0))


def test_that_arrows_move_the_cursor(qtbot: QtBot, plots: SchedulePlots) -> None:
    sent: list[int] = []
    plots.t_dragged.connect(sent.append)
    keys = ((Qt.Key.Key_Right, False), (Qt.Key.Key_Left, True), (Qt.Key.Key_End, False), (Qt.Key.Key_Home, False))
    for key, shift in keys:
        modifier = Qt.KeyboardModifier.ShiftModifier if shift else Qt.KeyboardModifier.NoModifier
        qtbot.keyClick(plots, key, modifier)
        plots.flush()
    assert sent == [401, 391, 999, 0]


def test_that_setting_the_cursor_sends_nothing(plots: SchedulePlots) -> None:
    sent: list[int] = []
    plots.t_dragged.connect(sent.append)
    plots.set_cursor(10)
    plots.flush()
    QApplication.processEvents()
    assert sent == []


def test_that_alpha_bar_goes_from_the_colour_of_the_data_to_that_of_noise(plots: SchedulePlots) -> None:
    image = alpha_bar(plots).grab().toImage()
    assert near(image, place(plots, 0.01, float(LINEAR.alpha_bar[10])), colour("x_0"))
    assert near(image, place(plots, 0.98, float(LINEAR.alpha_bar[979])), colour("x_t"))


def test_that_visited_timesteps_are_dots_on_the_curve(plots: SchedulePlots) -> None:
    plots.set_timesteps((200, 600))
    image = alpha_bar(plots).grab().toImage()
    text = QColor(palette().text)
    for t, dotted in ((200, True), (600, True), (800, False)):
        assert near(image, place(plots, t / 999, float(LINEAR.alpha_bar[t])), text, reach=0) == dotted
    plots.set_timesteps(())
    assert not near(alpha_bar(plots).grab().toImage(), place(plots, 200 / 999, float(LINEAR.alpha_bar[200])), text, 0)


def test_that_a_second_schedule_is_drawn_dashed_behind(plots: SchedulePlots) -> None:
    where = [place(plots, t / 999, float(COSINE.alpha_bar[t])) for t in range(450, 650, 4)]
    before = alpha_bar(plots).grab().toImage()
    plots.set_schedule(LINEAR, COSINE)
    after = alpha_bar(plots).grab().toImage()
    drawn = [before.pixelColor(at) != after.pixelColor(at) for at in where]
    assert len(drawn) // 3 < sum(drawn) < len(drawn)


def test_that_a_schedule_of_another_length_moves_the_cursor_in(plots: SchedulePlots) -> None:
    plots.set_schedule(make_schedule(ScheduleSpec("linear", T=100)))
    assert alpha_bar(plots).grab().toImage().width() == alpha_bar(plots).width()
    plots.set_cursor(99)
    assert alpha_bar(plots).place(99, 0).x() == pytest.approx(alpha_bar(plots).plot_rect().right())


def test_that_the_scheme_switches_live(plots: SchedulePlots) -> None:
    theme().override("dark")
    assert near(alpha_bar(plots).grab().toImage(), place(plots, 0.98, 0), QColor("#E69F00"), 2)
    theme().override("light")
    assert near(alpha_bar(plots).grab().toImage(), place(plots, 0.98, 0), colour("x_t"), 2)


def test_that_a_control_point_can_be_dragged_and_stays_between_its_neighbours(
    qtbot: QtBot, drawing: SchedulePlots
) -> None:
    panel = alpha_bar(drawing)
    qtbot.mousePress(panel, Qt.MouseButton.LeftButton, pos=place(drawing, 0.5, 0.5))
    with qtbot.waitSignal(drawing.points_edited, timeout=500) as edited:
        qtbot.mouseMove(panel, place(drawing, 0.7, 0.3))
    (points,) = edited.args
    assert points[0] == POINTS[0]
    assert points[1] == (pytest.approx(0.7, abs=0.01), pytest.approx(0.3, abs=0.03))
    with qtbot.waitSignal(drawing.points_edited, timeout=500) as edited:
        qtbot.mouseMove(panel, QPoint(5, 0))
    (points,) = edited.args
    assert points[1][1] < points[0][1]
    assert points[1][0] > 0
    qtbot.mouseRelease(panel, Qt.MouseButton.LeftButton, pos=QPoint(5, 0))
    make_schedule(ScheduleSpec("drawn", points=points))


def test_that_a_double_click_adds_a_point_and_a_right_click_takes_it_away(qtbot: QtBot, drawing: SchedulePlots) -> None:
    panel = alpha_bar(drawing)
    with qtbot.waitSignal(drawing.points_edited, timeout=500) as edited:
        qtbot.mouseDClick(panel, Qt.MouseButton.LeftButton, pos=place(drawing, 0.25, 0.8))
    assert len(edited.args[0]) == 4
    qtbot.mouseRelease(panel, Qt.MouseButton.LeftButton, pos=place(drawing, 0.25, 0.8))
    with qtbot.waitSignal(drawing.points_edited, timeout=500) as edited:
        qtbot.mouseClick(panel, Qt.MouseButton.RightButton, pos=place(drawing, 0.25, 0.8))
    assert edited.args[0] == POINTS


def test_that_points_can_be_chosen_moved_and_deleted_with_the_keyboard(qtbot: QtBot, drawing: SchedulePlots) -> None:
    control = Qt.KeyboardModifier.ControlModifier
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Up):
        qtbot.keyClick(drawing, key, control)
    assert drawing.points[1] == (0.5, pytest.approx(0.51))
    with qtbot.waitSignal(drawing.points_edited, timeout=500) as edited:
        qtbot.keyClick(drawing, Qt.Key.Key_Delete)
    assert edited.args[0] == (POINTS[0], POINTS[2])


def test_that_without_control_points_the_curve_cannot_be_edited(qtbot: QtBot, plots: SchedulePlots) -> None:
    edits: list[object] = []
    plots.points_edited.connect(edits.append)
    qtbot.mouseDClick(alpha_bar(plots), Qt.MouseButton.LeftButton, pos=place(plots, 0.25, 0.8))
    qtbot.keyClick(plots, Qt.Key.Key_Delete)
    plots.flush()
    assert edits == []


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["move", "add", "remove"]), st.integers(0, 9), st.floats(-0.5, 1.5), st.floats(-0.5, 1.5)
        ),
        max_size=30,
    )
)
def test_that_drawn_points_always_make_a_schedule(edits: list[tuple[str, int, float, float]]) -> None:
    points = ControlPoints.of(POINTS)
    for kind, index, u, value in edits:
        index %= len(points.points)
        if kind == "move":
            points = points.moved(index, u, value)
        elif kind == "add":
            points, _ = points.added(u, value)
        else:
            points = points.removed(index)
    times = [u for u, _ in points.points]
    values = [value for _, value in points.points]
    assert (times[0], times[-1]) == (0.0, 1.0)
    assert all(a < b for a, b in pairwise(times))
    assert all(a > b for a, b in pairwise(values))
    assert values[0] <= HIGHEST + 1e-12
    assert values[-1] >= LOWEST - 1e-12


def unfolded(plots: SchedulePlots) -> list[str]:
    return [panel.quantity.table for panel in plots.panels if not panel.is_folded]


@pytest.mark.parametrize(
    ("height", "curves"),
    [(400, ["betas", "alpha_bar", "log_snr", "beta_tilde"]), (270, ["betas", "alpha_bar", "log_snr"]),
     (210, ["betas", "alpha_bar"]), (150, ["alpha_bar"])],
)  # fmt: skip
def test_that_only_curves_that_can_be_read_are_unfolded(plots: SchedulePlots, height: int, curves: list[str]) -> None:
    plots.resize(300, height)
    assert unfolded(plots) == curves
    for panel, below in pairwise(plots.panels):
        assert panel.geometry().bottom() < below.geometry().top()
    assert plots.panels[-1].geometry().bottom() < height
    assert all(panel.plot_rect().height() >= 48 for panel in plots.panels if not panel.is_folded)


def test_that_the_least_height_shows_two_curves(plots: SchedulePlots) -> None:
    plots.resize(300, plots.minimumSizeHint().height())
    assert len(unfolded(plots)) == 2
    plots.resize(300, plots.sizeHint().height())
    assert len(unfolded(plots)) == 4


def test_that_a_click_unfolds_a_plot_without_moving_the_cursor(qtbot: QtBot, plots: SchedulePlots) -> None:
    plots.resize(300, 210)
    qtbot.mouseClick(plots.panels[3], Qt.MouseButton.LeftButton, pos=QPoint(120, 8))
    assert unfolded(plots) == ["alpha_bar", "beta_tilde"]
    assert plots.cursor_t == 400
    qtbot.mouseClick(plots.panels[0], Qt.MouseButton.LeftButton, pos=QPoint(120, 8))
    assert unfolded(plots) == ["betas", "beta_tilde"]


def test_that_up_and_down_unfold_a_plot_and_enter_enlarges_it(qtbot: QtBot, plots: SchedulePlots) -> None:
    plots.resize(300, 150)
    for key, table in ((Qt.Key.Key_Down, "log_snr"), (Qt.Key.Key_Down, "beta_tilde"), (Qt.Key.Key_Down, "beta_tilde"),
                       (Qt.Key.Key_Up, "log_snr")):  # fmt: skip
        qtbot.keyClick(plots, key)
        assert unfolded(plots) == [table]
    with qtbot.waitSignal(plots.enlarge_requested, timeout=500) as enlarged:
        qtbot.keyClick(plots, Qt.Key.Key_Return)
    assert enlarged.args == ["log_snr"]


def test_that_a_folded_plot_still_says_its_value(plots: SchedulePlots) -> None:
    plots.resize(300, 150)
    folded = plots.panels[0]
    before = folded.grab().toImage()
    plots.set_cursor(900)
    after = folded.grab().toImage()
    changed = [x for x in range(300) if any(before.pixel(x, y) != after.pixel(x, y) for y in range(before.height()))]
    assert changed[0] > 200


def test_that_the_plot_to_draw_in_has_room_to_draw_in(plots: SchedulePlots) -> None:
    plots.resize(300, 240)
    plots.unfold(plots.panels[3])
    plots.unfold(plots.panels[2])
    assert alpha_bar(plots).is_folded
    plots.set_editable(POINTS)
    assert alpha_bar(plots).plot_rect().height() >= 118
    plots.set_editable(None)
    assert alpha_bar(plots).is_folded
