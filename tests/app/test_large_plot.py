"""The schedule in a window of its own: what it draws, the shared cursor, what it exports, how it opens and ends."""

from __future__ import annotations

import csv
import gc
import subprocess
import sys
import weakref
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QImage, QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QApplication, QFileDialog, QWidget
from pytestqt.qtbot import QtBot

from app.plot_window import PlotWindow
from app.theme import palette, theme
from app.widgets.curves import NAMED, SHOWN
from app.widgets.plot_tables import TABLES
from app.widgets.schedule_plots import SchedulePlots
from app.window import STAGES, MainWindow
from core.requests import ScheduleSpec
from core.schedules import Schedule, make_schedule
from tests.app.conftest import shown_window

LINEAR = make_schedule(ScheduleSpec("linear"))
COSINE = make_schedule(ScheduleSpec("cosine"))

NONE, SHIFT = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier
CONTROL = Qt.KeyboardModifier.ControlModifier


def expected(table: str, schedule: Schedule) -> np.ndarray:
    """Each table from the definition of its quantity, in terms of beta alone."""
    betas = schedule.betas
    alpha_bar = np.cumprod(1 - betas)
    before = np.concatenate(([1.0], alpha_bar[:-1]))
    return {
        "betas": betas,
        "alpha_bar": alpha_bar,
        "noise": 1 - alpha_bar,
        "sqrt_alpha_bar": alpha_bar**0.5,
        "sqrt_noise": (1 - alpha_bar) ** 0.5,
        "snr": alpha_bar / (1 - alpha_bar),
        "log_snr": np.log(alpha_bar / (1 - alpha_bar)),
        "beta_tilde": betas * (1 - before) / (1 - alpha_bar),
        "posterior_mean_x0": betas * before**0.5 / (1 - alpha_bar),
        "posterior_mean_x_t": (1 - before) * (1 - betas) ** 0.5 / (1 - alpha_bar),
    }[table]


@pytest.fixture
def plots(qtbot: QtBot) -> SchedulePlots:
    made = SchedulePlots()
    qtbot.addWidget(made)
    made.set_schedule(LINEAR)
    made.set_cursor(400)
    return made


@pytest.fixture
def large(plots: SchedulePlots, qtbot: QtBot) -> PlotWindow:
    made = PlotWindow(plots)
    made.follow(plots)
    made.show()
    qtbot.waitExposed(made)
    return made


@pytest.fixture
def window(qapp: QApplication, qtbot: QtBot) -> MainWindow:
    """The window with its real stages."""
    return shown_window(qtbot, STAGES)


def opened(window: MainWindow) -> PlotWindow | None:
    return next(iter(window.findChildren(PlotWindow)), None)


def small(window: MainWindow) -> SchedulePlots:
    return next(widget for widget in window.stage.right_widgets() if isinstance(widget, SchedulePlots))


def place(large: PlotWindow, t: float, value: float) -> QPoint:
    """Where (t, value) is, in pixels of pyqtgraph's view."""
    large.plot.view.grab()  # ranges are settled when it is painted
    scene = large.plot.view.plotItem.getViewBox().mapViewToScene(QPointF(t, value))
    return large.plot.view.mapFromScene(scene)


def visible_range(large: PlotWindow, axis: int = 0) -> tuple[float, float]:
    large.plot.view.grab()
    low, high = large.plot.view.plotItem.getViewBox().viewRange()[axis]
    return low, high


def move(view: QWidget, at: QPoint, held: Qt.MouseButton) -> None:
    """Move the mouse with a button held, which the test library does not."""
    event = QMouseEvent(
        QEvent.Type.MouseMove, QPointF(at), QPointF(view.mapToGlobal(at)), Qt.MouseButton.NoButton, held, NONE
    )
    QApplication.sendEvent(view, event)


# What is drawn


@pytest.mark.parametrize("table", TABLES)
def test_that_a_chosen_table_is_drawn_over_t(large: PlotWindow, table: str) -> None:
    large.table.set_value(table)
    t, value = large.plot.drawn(SHOWN)
    np.testing.assert_array_equal(t, np.arange(1000))
    np.testing.assert_allclose(value, expected(table, LINEAR), rtol=1e-6, atol=1e-12)
    assert large.formula.latex == TABLES[table].formula


@pytest.mark.parametrize("name", NAMED)
def test_that_a_check_box_lays_a_named_schedule_of_the_same_length_over_it(
    large: PlotWindow, plots: SchedulePlots, name: str
) -> None:
    plots.set_schedule(make_schedule(ScheduleSpec("cosine" if name == "linear" else "linear", T=500)))
    assert [curve.key for curve in large.plot.curves] == ["shown"]
    large.readings[name].box.setChecked(True)
    t, value = large.plot.drawn(name)
    np.testing.assert_array_equal(t, np.arange(500))
    np.testing.assert_array_equal(value, make_schedule(ScheduleSpec(name, T=500)).alpha_bar)
    large.readings[name].box.setChecked(False)
    assert [curve.key for curve in large.plot.curves] == ["shown"]


def test_that_no_schedule_is_listed_twice(large: PlotWindow, plots: SchedulePlots) -> None:
    def listed() -> list[str]:
        return [row.box.text() for row in large.readings.values() if row.isVisible()]

    assert listed() == ["linear (shown)", "cosine", "quadratic", "sigmoid", "constant"]
    plots.set_schedule(make_schedule(ScheduleSpec("linear", beta_end=0.03)), COSINE)
    assert listed() == ["linear (shown)", "cosine (compared)", "linear", "quadratic", "sigmoid", "constant"]


def test_that_the_schedule_compared_with_comes_and_goes(large: PlotWindow, plots: SchedulePlots) -> None:
    assert not large.readings["ghost"].isVisible()
    plots.set_schedule(LINEAR, COSINE)
    assert large.readings["ghost"].isVisible()
    np.testing.assert_array_equal(large.plot.drawn("ghost")[1], COSINE.alpha_bar)
    plots.set_schedule(LINEAR)
    assert not large.readings["ghost"].isVisible()
    assert [curve.key for curve in large.plot.curves] == ["shown"]


def test_that_a_schedule_compared_with_of_another_length_lies_over_the_same_width(
    large: PlotWindow, plots: SchedulePlots
) -> None:
    plots.set_schedule(LINEAR, make_schedule(ScheduleSpec("cosine", T=100)))
    t, value = large.plot.drawn("ghost")
    assert len(value) == 100
    assert (t[0], t[-1]) == (0, 999)


def test_that_a_named_schedule_that_cannot_be_so_short_says_why(large: PlotWindow, plots: SchedulePlots) -> None:
    plots.set_schedule(make_schedule(ScheduleSpec("cosine", T=10)))
    row = large.readings["linear"]
    assert not row.box.isEnabled()
    assert "beta reaches" in row.box.toolTip()
    assert large.readings["constant"].box.isEnabled()
    plots.set_schedule(COSINE)
    assert row.box.isEnabled()


def test_that_a_logarithmic_axis_leaves_out_what_is_not_above_0(large: PlotWindow) -> None:
    large.table.set_value("beta_tilde")
    large.log_axis.setChecked(True)
    value = large.plot.drawn(SHOWN)[1]
    assert np.isnan(value[0])
    np.testing.assert_allclose(value[1:], expected("beta_tilde", LINEAR)[1:], rtol=1e-6)
    low, high = visible_range(large, 1)
    assert -6 < low < np.log10(value[1])  # the view counts in powers of ten
    assert np.log10(value[-1]) < high < -1


def test_that_log_snr_has_no_logarithmic_axis(large: PlotWindow) -> None:
    large.log_axis.setChecked(True)
    large.table.set_value("log_snr")
    assert not large.log_axis.isEnabled()
    assert not large.plot.is_log
    assert large.plot.drawn(SHOWN)[1].min() < 0
    large.table.set_value("snr")
    assert large.plot.is_log


def test_that_dots_mark_where_a_sampler_visits(large: PlotWindow, plots: SchedulePlots) -> None:
    plots.set_timesteps((999, 500, 0))
    t, value = large.plot.dots()
    assert t.tolist() == [999, 500, 0]
    np.testing.assert_array_equal(value, LINEAR.alpha_bar[[999, 500, 0]])
    plots.set_timesteps(())
    assert len(large.plot.dots()[0]) == 0


def test_that_the_wheel_zooms_and_fit_brings_everything_back(large: PlotWindow) -> None:
    whole = visible_range(large)
    at = place(large, 500, 0.5)
    view = large.plot.view.viewport()
    wheel = QWheelEvent(
        QPointF(at),
        QPointF(view.mapToGlobal(at)),
        QPoint(),
        QPoint(0, 480),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(view, wheel)
    zoomed = visible_range(large)
    assert zoomed[1] - zoomed[0] < 0.7 * (whole[1] - whole[0])
    assert zoomed[0] < 500 < zoomed[1]
    large.readings["cosine"].box.setChecked(True)
    assert visible_range(large) == pytest.approx(zoomed)
    large.plot.fit()
    assert visible_range(large) == pytest.approx(whole)


# The cursor


def test_that_the_values_at_the_cursor_have_fixed_digits(large: PlotWindow, plots: SchedulePlots) -> None:
    plots.set_cursor(123)
    assert large.plot.t == 123
    assert float(large.readings["shown"].value.text()) == pytest.approx(LINEAR.alpha_bar[123], abs=5e-7)
    assert float(large.readings["cosine"].value.text()) == pytest.approx(COSINE.alpha_bar[123], abs=5e-7)
    widths = set()
    for t in (0, 500, 999):
        plots.set_cursor(t)
        widths.add(len(large.readings["shown"].value.text()))
    assert len(widths) == 1


def test_that_below_the_first_timestep_the_cursor_waits_there(large: PlotWindow, plots: SchedulePlots) -> None:
    plots.set_cursor(-1.0)
    assert large.plot.t == 0


def test_that_dragging_the_yellow_line_moves_the_shared_cursor(
    large: PlotWindow, plots: SchedulePlots, qtbot: QtBot
) -> None:
    view = large.plot.view.viewport()
    start, end = place(large, 400, 0.7), place(large, 600, 0.7)
    with qtbot.waitSignal(plots.t_dragged) as dragged:
        move(view, start, Qt.MouseButton.NoButton)
        qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=start)
        for step in range(1, 11):
            move(view, start + (end - start) * step / 10, Qt.MouseButton.LeftButton)
            qtbot.wait(12)  # pyqtgraph takes no more moves than a hundred a second
        qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=end)
    assert dragged.args[0] > 400
    assert plots.cursor_t == pytest.approx(600, abs=4)
    assert large.plot.t == plots.cursor_t
    assert visible_range(large)[0] < 0  # the plot itself stayed


def test_that_a_click_puts_the_cursor_there(large: PlotWindow, plots: SchedulePlots, qtbot: QtBot) -> None:
    with qtbot.waitSignal(plots.t_dragged):
        qtbot.mouseClick(large.plot.view.viewport(), Qt.MouseButton.LeftButton, pos=place(large, 700, 0.5))
    assert plots.cursor_t == pytest.approx(700, abs=4)


def test_that_keys_move_the_cursor_and_stop_at_the_ends(large: PlotWindow, plots: SchedulePlots, qtbot: QtBot) -> None:
    for key, modifier, t in (
        (Qt.Key.Key_Right, NONE, 401),
        (Qt.Key.Key_Left, SHIFT, 391),
        (Qt.Key.Key_End, NONE, 999),
        (Qt.Key.Key_Right, SHIFT, 999),
        (Qt.Key.Key_Home, NONE, 0),
    ):
        qtbot.keyClick(large.plot, key, modifier)
        assert plots.cursor_t == t
        assert large.plot.t == t


def test_that_a_shorter_schedule_keeps_the_cursor_inside(large: PlotWindow, plots: SchedulePlots) -> None:
    plots.set_cursor(900)
    plots.set_schedule(make_schedule(ScheduleSpec("cosine", T=100)))
    assert large.plot.t == 99
    assert visible_range(large)[1] < 110


# Exports


def test_that_a_csv_file_holds_every_digit_of_every_curve_drawn(large: PlotWindow, tmp_path: Path) -> None:
    large.table.set_value("posterior_mean_x0")
    large.readings["sigmoid"].box.setChecked(True)
    path = tmp_path / "table.csv"
    assert large.save(path)
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header[0] == "t"
    assert [len(header), len(rows)] == [3, 1000]
    numbers = np.array(rows, dtype=np.float64)
    np.testing.assert_array_equal(numbers[:, 0], np.arange(1000))
    np.testing.assert_array_equal(numbers[:, 1], LINEAR.posterior_mean_x0)
    np.testing.assert_array_equal(numbers[:, 2], make_schedule(ScheduleSpec("sigmoid")).posterior_mean_x0)


def test_that_a_png_file_has_twice_the_pixels_and_the_curve(large: PlotWindow, tmp_path: Path) -> None:
    large.table.set_value("betas")
    path = tmp_path / "plot.png"
    assert large.save(path)
    image = QImage(str(path))
    size = large.plot.view.size()
    assert (image.width(), image.height()) == (2 * size.width(), pytest.approx(2 * size.height(), abs=2))
    at = place(large, 500, LINEAR.betas[500]) * 2
    lightest = max(image.pixelColor(at.x(), at.y() + dy).lightness() for dy in range(-6, 7))
    assert image.pixelColor(4, 4).name().upper() == palette().panel
    assert lightest > 180


def test_that_a_file_does_not_show_the_cursor_and_the_window_still_does(large: PlotWindow, tmp_path: Path) -> None:
    before = large.plot.view.grab().toImage()
    assert large.save(tmp_path / "there.png")
    large.plot.set_cursor(700)
    assert large.save(tmp_path / "elsewhere.png")
    assert QImage(str(tmp_path / "there.png")) == QImage(str(tmp_path / "elsewhere.png"))
    large.plot.set_cursor(400)
    assert large.plot.view.grab().toImage() == before


@pytest.mark.qt_log_ignore("^This plugin does not support")
def test_that_a_right_click_and_the_keys_open_the_menu_of_every_plot(large: PlotWindow, qtbot: QtBot) -> None:
    qtbot.mouseClick(large.plot.view.viewport(), Qt.MouseButton.RightButton, pos=place(large, 500, 0.5))
    menu = QApplication.activePopupWidget()
    assert menu is not None
    menu.close()
    large.plot.setFocus()
    qtbot.keyClick(large.plot, Qt.Key.Key_E, CONTROL)
    menu = QApplication.activePopupWidget()
    assert menu is not None
    menu.close()


@pytest.mark.parametrize("table", ["betas", "alpha_bar"])
def test_that_an_svg_file_names_its_table_and_draws_the_curve(large: PlotWindow, tmp_path: Path, table: str) -> None:
    large.table.set_value(table)
    path = tmp_path / "plot.svg"
    assert large.save(path)
    root = ElementTree.parse(path).getroot()
    texts = [element.text or "" for element in root.iter() if element.tag.endswith(("text", "title"))]
    assert TABLES[table].name in texts
    assert "linear (shown)" in texts
    drawn = [line for line in root.iter() if line.tag.endswith(("polyline", "path"))]
    longest = max(len((line.get("points") or line.get("d") or "").split()) for line in drawn)
    assert longest >= 500
    assert any(element.tag.endswith("clipPath") for element in root.iter())


def test_that_an_export_that_cannot_be_written_says_why_and_keeps_the_window(large: PlotWindow, tmp_path: Path) -> None:
    assert not large.save(tmp_path / "missing" / "plot.svg")
    assert "does not exist" in large.errors.message()
    assert not large.save(tmp_path / "plot.gif")
    assert "should end in" in large.errors.message()
    assert list(tmp_path.iterdir()) == []
    assert large.save(tmp_path / "plot.csv")
    assert large.errors.message() == ""
    assert "plot.csv" in large.saved.text()


@pytest.mark.parametrize("ending", [".svg", ".png", ".csv"])
def test_that_the_file_dialog_leaves_the_window_usable_and_saves_what_it_is_told(
    large: PlotWindow, tmp_path: Path, qtbot: QtBot, ending: str
) -> None:
    large.choose_file(ending)
    dialog = large.findChild(QFileDialog)
    assert dialog.isVisible()
    assert dialog.selectedFiles()[0].endswith(f"alpha_bar{ending}")
    path = tmp_path / f"mine{ending}"
    dialog.fileSelected.emit(str(path))
    dialog.close()
    assert path.stat().st_size > 1000
    qtbot.waitUntil(lambda: large.findChild(QFileDialog) is None)


# Colours


def test_that_the_plot_follows_the_scheme(large: PlotWindow, qapp: QApplication) -> None:
    theme().override("dark")
    before = large.plot.view.grab().toImage()
    theme().override("light")
    after = large.plot.view.grab().toImage()
    assert before.pixelColor(4, 4).name().upper() == "#1B1E24"
    assert after.pixelColor(4, 4).name().upper() == "#FFFFFF"
    at = place(large, 900, LINEAR.alpha_bar[900])
    darkest = min(after.pixelColor(at.x(), at.y() + dy).lightness() for dy in range(-4, 5))
    assert darkest < 140


# Opening and ending


def test_that_pyqtgraph_waits_until_the_window_is_asked_for() -> None:
    code = (
        "import app.window, app.stages.forward, app.stages.denoise, sys\n"
        "assert 'pyqtgraph' not in sys.modules\n"
        "import app.plot_window\n"
        "assert 'pyqtgraph' in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_that_a_double_click_on_a_small_plot_opens_its_table(window: MainWindow, qtbot: QtBot) -> None:
    assert opened(window) is None
    plots = small(window)
    panel = plots.panels[3]
    qtbot.mouseDClick(panel, Qt.MouseButton.LeftButton, pos=QPoint(panel.width() // 2, panel.height() // 2))
    large = opened(window)
    assert large is not None
    assert large.isVisible()
    assert not large.isModal()
    assert large.table.value() == "beta_tilde"
    qtbot.mouseDClick(plots.panels[0], Qt.MouseButton.LeftButton, pos=QPoint(100, 30))
    assert window.findChildren(PlotWindow) == [large]
    assert large.table.value() == "betas"


def test_that_enter_in_the_small_plots_opens_it(window: MainWindow, qtbot: QtBot) -> None:
    qtbot.keyClick(small(window), Qt.Key.Key_Return)
    large = opened(window)
    assert large is not None
    assert large.table.value() == "alpha_bar"


def test_that_the_cursor_of_the_state_and_of_the_window_are_one(window: MainWindow, qtbot: QtBot) -> None:
    window.registry["large_plot"].trigger()
    large = opened(window)
    assert large is not None
    window.state.move(t=250)
    qtbot.waitUntil(lambda: large.plot.t == 250)
    large.plot.t_dragged.emit(610)
    qtbot.waitUntil(lambda: window.state.cursor.t == 610)


def test_that_a_schedule_chosen_in_forward_is_the_one_shown(window: MainWindow) -> None:
    window.registry["large_plot"].trigger()
    large = opened(window)
    assert large is not None
    window.state.set_schedule(ScheduleSpec("cosine", T=200))
    t, value = large.plot.drawn(SHOWN)
    assert len(t) == 200
    np.testing.assert_array_equal(value, make_schedule(ScheduleSpec("cosine", T=200)).alpha_bar)


def test_that_it_follows_to_the_plots_of_the_next_stage(window: MainWindow) -> None:
    window.registry["large_plot"].trigger()
    large = opened(window)
    assert large is not None
    window.state.move(stage="denoise")
    plots = small(window)
    plots.set_schedule(COSINE)
    plots.set_timesteps((800, 400, 0))
    np.testing.assert_array_equal(large.plot.drawn(SHOWN)[1], COSINE.alpha_bar)
    assert large.plot.dots()[0].tolist() == [800, 400, 0]
    window.state.move(stage="forward")
    assert large.plot.curves[0].schedule.spec == window.state.schedule


@pytest.mark.parametrize(("key", "modifier"), [(Qt.Key.Key_Escape, NONE), (Qt.Key.Key_W, CONTROL)])
def test_that_a_key_closes_it_and_it_opens_afresh(
    window: MainWindow, qtbot: QtBot, key: Qt.Key, modifier: Qt.KeyboardModifier
) -> None:
    window.registry["large_plot"].trigger()
    first = opened(window)
    assert first is not None
    qtbot.keyClick(first.plot, key, modifier)
    qtbot.waitUntil(lambda: opened(window) is None)
    window.state.set_schedule(ScheduleSpec("cosine"))
    window.registry["large_plot"].trigger()
    assert opened(window) is not None


def test_that_it_closes_with_the_window(window: MainWindow, qtbot: QtBot) -> None:
    window.registry["large_plot"].trigger()
    window.close()
    qtbot.waitUntil(lambda: opened(window) is None)


def test_that_nothing_of_it_stays_in_memory(plots: SchedulePlots, qtbot: QtBot) -> None:
    large = PlotWindow(plots)
    large.follow(plots)
    large.show()
    parts = [weakref.ref(part) for part in (large, large.plot, large.plot.view, large.plot.view.plotItem)]
    large.close()
    del large
    qtbot.wait(10)
    gc.collect()
    assert [part() for part in parts] == [None] * 4
    plots.set_schedule(COSINE)  # reaches nobody
    theme().override("light")


def test_that_what_falls_below_every_number_is_left_out_of_the_drawing_and_read_as_it_is(
    plots: SchedulePlots, large: PlotWindow
) -> None:
    rescaled = make_schedule(ScheduleSpec("linear", zero_snr=True))
    plots.set_schedule(rescaled)
    large.enlarge("log_snr")
    _t, drawn = large.plot.drawn(SHOWN)
    assert np.isfinite(drawn[:-1]).all()
    assert np.isnan(drawn[-1])
    curve = large.plot.curves[0]
    assert large.plot.value(curve, 999) == -np.inf
    assert large.plot.value(curve, 998) == rescaled.log_snr[998]
    assert large.plot.value(curve, 500.5) == pytest.approx(rescaled.log_snr[500:502].mean())
    plots.set_cursor(999)
    assert not large.grab().isNull()
