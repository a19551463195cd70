"""Plots of measurements: axes, curves with errors, reading by pointer and keys, and what is saved."""

from __future__ import annotations

import csv
import io
import math
import time
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QGuiApplication, QImage
from pytestqt.qtbot import QtBot

from app.plot_files import PlotSaver, export
from app.theme import palette, theme
from app.widgets.accounting_bar import Account, AccountingBar
from app.widgets.axes import axis_of, decade_text, decades, linear_ticks, log_ticks
from app.widgets.measure_plot import MeasurePlot
from app.widgets.measured_curve import MANY, MARKS, STYLES, MeasuredCurve, ink, number
from app.widgets.plot_layout import Frame
from core.errors import Refusal

X = np.array([5.0, 10.0, 20.0, 50.0])
DDIM = MeasuredCurve("DDIM", X, np.array([0.4, 0.2, 0.1, 0.05]), np.array([0.02, 0.01, 0.01, math.nan]), 0)
DDPM = MeasuredCurve("DDPM", X, np.array([0.9, 0.7, 0.4, 0.2]), np.full(4, 0.05), 1, ("5 steps", "10 steps"))
PAPER = MeasuredCurve("paper", X, np.array([0.5, 0.3, 0.2, 0.1]), published=True)
FRAME = Frame("evaluations", "distance")


@pytest.fixture
def plot(qapp, qtbot: QtBot) -> MeasurePlot:
    made = MeasurePlot("Distance by evaluations")
    made.resize(640, 400)
    made.show_curves((DDIM, DDPM, PAPER), FRAME)
    qtbot.addWidget(made)
    made.show()
    qtbot.waitExposed(made)
    return made


def has_near(image: QImage, at: QPointF, tint: QColor, reach: int = 3, ratio: float = 1.0) -> bool:
    """Whether a pixel near a place is as good as this colour."""
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            found = image.pixelColor(round(at.x() * ratio) + dx, round(at.y() * ratio) + dy)
            if all(abs(a - b) < 24 for a, b in zip(found.getRgb()[:3], tint.getRgb()[:3], strict=True)):
                return True
    return False


# Axes


@pytest.mark.parametrize(
    ("values", "ends"), [((0.02, 0.3), (-2, 0)), ((0.5,), (-1, 0)), ((1.0, 1.0), (0, 1)), ((0.0, 0.05), (-12, -1))]
)
def test_that_decades_hold_every_value(values: tuple[float, ...], ends: tuple[int, int]) -> None:
    assert decades(values, 1e-12) == ends


def test_that_a_decade_is_written_with_a_minus_sign() -> None:
    assert [decade_text(power) for power in (-4, 0, 2)] == ["1e\u22124", "1e0", "1e2"]


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.integers(2, 12))
def test_that_ticks_of_a_linear_axis_are_round_and_lie_on_it(low, span, most) -> None:
    high = low + span
    ticks = linear_ticks(low, high, most)
    assert len(ticks) <= most + 1
    room = 1e-6 * span + np.spacing(max(abs(low), abs(high)))
    assert all(low - room <= tick <= high + room for tick in ticks)
    assert np.allclose(np.diff(ticks), np.diff(ticks)[0]) if len(ticks) > 1 else True


@given(st.floats(1e-9, 1e6), st.floats(1.3, 1e9), st.integers(2, 8))
def test_that_ticks_of_a_logarithmic_axis_rise_and_lie_on_it(low, factor, most) -> None:
    ticks = log_ticks(low, low * factor, most)
    assert all(low * 0.999 <= tick <= low * factor * 1.001 for tick in ticks)
    assert list(ticks) == sorted(set(ticks))


@pytest.mark.parametrize("is_log", [False, True])
def test_that_an_axis_puts_every_value_between_its_ends_and_back(is_log) -> None:
    values = np.array([0.001, 0.5, 20.0])
    axis = axis_of([values], is_log=is_log)
    shares = axis.share(values)
    assert ((shares >= 0) & (shares <= 1)).all()
    np.testing.assert_allclose([axis.value(share) for share in shares.tolist()], values)


def test_that_a_logarithmic_axis_leaves_out_what_has_no_logarithm() -> None:
    axis = axis_of([np.array([-1.0, 0.0, 0.01, 1.0])], is_log=True)
    assert axis.low > 0
    assert np.isnan(axis.share(np.array([0.0]))[0])


@pytest.mark.parametrize("values", [[], [math.nan], [3.0], [0.0]])
def test_that_an_axis_of_little_is_an_axis_still(values) -> None:
    for is_log in (False, True):
        axis = axis_of([np.array(values)], is_log=is_log)
        assert axis.high > axis.low
        assert all(math.isfinite(tick) for tick in axis.ticks())


def test_that_numbers_are_written_with_their_figures() -> None:
    assert [number(value) for value in (0.0, -0.5, 1234567.0, 0.000123456, math.nan)] == [
        "0",
        "\u22120.5",
        "1,234,567",
        "0.0001235",
        "unknown",
    ]


# Drawing


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_that_every_point_is_drawn_in_the_colour_of_its_curve(plot, qtbot, scheme) -> None:
    theme().override(scheme)
    image = plot.grab().toImage()
    for curve in (0, 1):
        for point in range(4):
            assert has_near(image, plot.place(curve, point), ink(curve)), (curve, point)


def test_that_curves_differ_in_colour_and_in_mark() -> None:
    assert len(set(MARKS)) == STYLES
    assert len({ink(style).name() for style in range(STYLES)}) == STYLES


def test_that_an_error_bar_reaches_from_below_to_above_its_point(plot) -> None:
    image, at = plot.grab().toImage(), plot.place(1, 1)
    top = plot._laid().place(X[1:2], np.array([0.75]))[1][0]
    assert has_near(image, QPointF(at.x(), top), ink(1), reach=1)
    assert not has_near(image, QPointF(at.x(), top - 8), ink(1), reach=2)


def test_that_a_dense_curve_has_a_band_instead_of_bars(qapp, qtbot) -> None:
    plot = MeasurePlot()
    qtbot.addWidget(plot)
    plot.resize(600, 300)
    x = np.arange(MANY + 200.0)
    plot.show_curves((MeasuredCurve("L_t", x, np.full(len(x), 1.0), np.full(len(x), 0.2)),), FRAME)
    image, middle = plot.grab().toImage(), plot.place(0, 140)
    in_band = plot._laid().place(x[140:141], np.array([1.1]))[1][0]
    outside = plot._laid().place(x[140:141], np.array([0.55]))[1][0]
    window = QColor(palette().window)
    assert not has_near(image, QPointF(middle.x(), in_band), window, reach=0)
    assert has_near(image, QPointF(middle.x(), outside), window, reach=0)


def test_that_a_dense_curve_is_told_apart_by_a_few_marks(qapp, qtbot) -> None:
    plot = MeasurePlot()
    qtbot.addWidget(plot)
    plot.resize(700, 300)
    x = np.arange(400.0)
    plot.show_curves((MeasuredCurve("a", x, x * 0, style=2), MeasuredCurve("b", x, x * 0 + 1, style=1)), FRAME)
    image = plot.grab().toImage()
    for curve, style in ((0, 2), (1, 1)):
        row = plot.place(curve, 0).y() - 3  # above the line: a mark, or nothing
        columns = [has_near(image, QPointF(at, row), ink(style), reach=0) for at in range(60, 690)]
        begun = sum(now and not before for before, now in zip([False, *columns], columns, strict=False))
        assert 7 <= begun <= 9


def test_that_a_thousand_noisy_points_are_drawn_in_no_time(qapp, qtbot) -> None:
    plot = MeasurePlot()
    qtbot.addWidget(plot)
    plot.resize(900, 500)
    rng, x = np.random.default_rng(0), np.arange(1000.0)
    noisy = [rng.uniform(0.1, 1, 1000) for _ in range(2)]
    plot.show_curves([MeasuredCurve(str(k), x, y, 0.1 * y, k) for k, y in enumerate(noisy)], Frame(log_y=True))
    plot.grab()
    began = time.process_time()
    plot.grab()
    assert time.process_time() - began < 0.25  # as one path with dashes it took ten times as long


def test_that_a_logarithmic_axis_moves_the_points(plot) -> None:
    before = plot.place(0, 1)
    plot.show_curves(plot.curves, Frame("evaluations", "distance", log_x=True, log_y=True))
    assert plot.place(0, 1).x() != pytest.approx(before.x(), abs=1)
    steps = [plot.place(0, k).x() for k in range(3)]
    assert steps[1] - steps[0] == pytest.approx(steps[2] - steps[1], abs=0.5)  # 5, 10, 20


def test_that_a_level_is_a_line_with_its_name(plot) -> None:
    plot.show_curves((DDIM,), Frame("x", "y", levels=(("real pictures", 0.3),)))
    y = plot._laid().place(X[:1], np.array([0.3]))[1][0]
    image = plot.grab().toImage()
    quiet = QColor(palette().quiet)
    assert sum(has_near(image, QPointF(x, y), quiet, reach=1) for x in range(120, 600, 6)) > 40


def test_that_a_plot_without_points_says_so(plot) -> None:
    plot.set_placeholder("Nothing is known yet.")
    before = plot.grab().toImage()
    plot.show_curves((), FRAME)
    assert plot.grab().toImage() != before
    assert plot.is_empty


# Reading


def test_that_hovering_reads_the_nearest_point_with_its_error(plot, qtbot) -> None:
    with qtbot.waitSignal(plot.pointed_changed) as said:
        qtbot.mouseMove(plot, plot.place(1, 1).toPoint())
    assert said.args == ["DDPM: 10 steps · distance 0.7 ± 0.05"]
    qtbot.mouseMove(plot, plot.place(0, 3).toPoint())
    assert plot.words(plot.pointed) == "DDIM: evaluations 50 · distance 0.05"
    qtbot.mouseMove(plot, QPointF(plot.width() - 3, 200).toPoint())
    assert plot.pointed is None


def test_that_what_is_read_is_drawn(plot, qtbot) -> None:
    before = plot.grab().toImage()
    plot.point_at((0, 2))
    assert plot.grab().toImage() != before


def test_that_keys_walk_along_a_curve_and_to_another(plot, qtbot) -> None:
    plot.setFocus()
    seen = []
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Down, Qt.Key.Key_Left, Qt.Key.Key_Left, Qt.Key.Key_Left):
        qtbot.keyClick(plot, key)
        seen.append(plot.pointed)
    assert seen == [(0, 0), (0, 1), (1, 1), (1, 0), (1, 0), (1, 0)]
    with qtbot.waitSignal(plot.point_clicked) as clicked:
        qtbot.keyClick(plot, Qt.Key.Key_Return)
    assert clicked.args == [1, 0]


def test_that_a_click_chooses_a_measured_point_and_never_a_published_one(plot, qtbot) -> None:
    with qtbot.waitSignal(plot.point_clicked) as clicked:
        qtbot.mouseClick(plot, Qt.MouseButton.LeftButton, pos=plot.place(0, 2).toPoint())
    assert clicked.args == [0, 2]
    with qtbot.assertNotEmitted(plot.point_clicked):
        qtbot.mouseClick(plot, Qt.MouseButton.LeftButton, pos=plot.place(2, 0).toPoint())


def test_that_a_chosen_point_stays_chosen_while_more_are_measured(plot) -> None:
    plot.choose((1, 3))
    plot.show_curves((DDIM, DDPM), FRAME)
    assert plot.chosen == (1, 3)
    plot.show_curves((DDIM,), FRAME)
    assert plot.chosen is None


def test_that_a_plot_says_what_it_shows_to_who_cannot_see_it(plot) -> None:
    assert plot.accessibleName() == "Distance by evaluations"
    assert "DDPM: 4 points, distance from 0.2 to 0.9" in plot.accessibleDescription()


# Files


def rows_of(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_text("utf-8"))))


def test_that_a_csv_file_holds_every_number_that_is_drawn(plot, tmp_path) -> None:
    export(plot, tmp_path / "plot.csv")
    header, *rows = rows_of(tmp_path / "plot.csv")
    assert header == ["series", "evaluations", "distance", "standard error", "point"]
    assert [row[0] for row in rows] == ["DDIM"] * 4 + ["DDPM"] * 4 + ["paper"] * 4
    np.testing.assert_array_equal([float(row[1]) for row in rows], np.tile(X, 3))
    np.testing.assert_array_equal([float(row[2]) for row in rows], np.concatenate((DDIM.y, DDPM.y, PAPER.y)))
    assert [row[3] for row in rows[:4]] == ["0.02", "0.01", "0.01", ""]
    assert rows[4][4] == "5 steps"


def test_that_an_svg_file_names_its_axes_and_curves(plot, tmp_path) -> None:
    export(plot, tmp_path / "plot.svg")
    root = ElementTree.parse(tmp_path / "plot.svg").getroot()
    texts = [element.text or "" for element in root.iter() if element.tag.endswith(("text", "title"))]
    assert {"Distance by evaluations", "evaluations", "distance", "DDIM", "DDPM", "paper"} <= set(texts)
    assert any(element.tag.endswith("polyline") for element in root.iter())


def test_that_a_png_file_has_twice_the_pixels_and_the_points(plot, tmp_path) -> None:
    export(plot, tmp_path / "plot.png")
    image = QImage(str(tmp_path / "plot.png"))
    assert (image.width(), image.height()) == (1280, 800)
    assert all(has_near(image, plot.place(1, point), ink(1), ratio=2) for point in range(4))


def test_that_a_file_does_not_show_what_is_pointed_at(plot, tmp_path) -> None:
    export(plot, tmp_path / "before.png")
    plot.point_at((0, 1))
    plot.choose((0, 2))
    export(plot, tmp_path / "after.png")
    assert QImage(str(tmp_path / "before.png")) == QImage(str(tmp_path / "after.png"))


def test_that_a_file_that_cannot_be_written_is_refused_in_words(plot, tmp_path) -> None:
    with pytest.raises(Refusal, match="should end in"):
        export(plot, tmp_path / "plot.gif")
    with pytest.raises(Refusal, match="does not exist"):
        export(plot, tmp_path / "nowhere" / "plot.csv")


@pytest.mark.qt_log_ignore("^This plugin does not support")
def test_that_the_menu_opens_by_keys(plot, qtbot) -> None:
    qtbot.keyClick(plot, Qt.Key.Key_E, Qt.KeyboardModifier.ControlModifier)
    menu = QGuiApplication.instance().activePopupWidget()  # type: ignore[union-attr]
    assert menu is not None
    assert [action.text().replace("&", "") for action in menu.actions() if action.text()] == [
        "Save as SVG…",
        "Save as PNG…",
        "Save its numbers as CSV…",
        "Copy its numbers",
    ]
    menu.close()


def test_that_a_saver_says_what_came_of_it(plot, qtbot, tmp_path) -> None:
    saver = PlotSaver(plot)
    path = tmp_path / "a.csv"
    with qtbot.waitSignal(saver.saved) as saved:
        assert saver.save(plot, path)
    assert saved.args == [path]
    with qtbot.waitSignal(saver.refused):
        assert not saver.save(plot, tmp_path / "a.doc")


def test_that_numbers_are_copied_as_a_spreadsheet_takes_them(plot) -> None:
    plot.copy_numbers()
    lines = QGuiApplication.clipboard().text().split("\n")
    assert lines[1].split("\t")[:3] == ["DDIM", "5.0", "0.4"]


# Bits


LINEAR = Account("linear", 0.00001, 1.8, 1.2, 3.00001, 0.02)
COSINE = Account("cosine", 0.0, 1.2, 1.5, 2.7, math.nan)


def test_that_bars_are_as_long_as_their_bits(qapp, qtbot) -> None:
    bar = AccountingBar()
    qtbot.addWidget(bar)
    bar.resize(600, 108)
    bar.show_accounts((LINEAR, COSINE))
    image = bar.grab().toImage()
    surface = QColor(palette().line)
    filled = [sum(not has_near(image, QPointF(x, y), surface, reach=0) for x in range(600)) for y in (20, 74)]
    assert filled[0] == pytest.approx(600, abs=2)
    assert filled[1] == pytest.approx(600 * 2.7 / 3.00001, abs=3)


def test_that_bars_say_three_numbers_and_their_sum(qapp, qtbot, tmp_path) -> None:
    bar = AccountingBar()
    qtbot.addWidget(bar)
    bar.resize(640, 100)
    bar.show_accounts((LINEAR, COSINE))
    assert bar.accessibleDescription() == "linear: 3.000 ± 0.020 bits a value\ncosine: 2.700 bits a value"
    export(bar, tmp_path / "bits.csv")
    header, first, second = rows_of(tmp_path / "bits.csv")
    assert header[1:4] == ["L_T", "L_1 to L_T-1", "L_0"]
    assert [float(value) for value in first[1:]] == [0.00001, 1.8, 1.2, 3.00001, 0.02]
    assert second[5] == ""
    export(bar, tmp_path / "bits.svg")
    text = (tmp_path / "bits.svg").read_text("utf-8")
    assert "L₀ 1.2000" in text


def test_that_bits_that_are_not_known_yet_are_said_to_be(qapp, qtbot) -> None:
    bar = AccountingBar()
    qtbot.addWidget(bar)
    bar.resize(640, 100)
    bar.show_accounts((Account("m", 0.0, math.nan, 1.0, math.nan, math.nan),))
    assert "not all terms are known yet" in bar.accessibleDescription()
    assert not bar.grab().isNull()
