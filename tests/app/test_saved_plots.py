"""Every plot is saved as it is drawn: its numbers as a table, its words in the drawing, by one menu and one dialog."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QContextMenuEvent, QImage
from PySide6.QtWidgets import QApplication, QFileDialog, QMenu, QWidget
from pytestqt.qtbot import QtBot

from app.plot_files import PlotSaver, export, proposed
from app.theme import colour, palette, theme
from app.widgets.accuracy_plot import AccuracyPlot
from app.widgets.drawn_plot import KEYS, DrawnPlot, cell
from app.widgets.error_curve import ErrorCurve, ErrorPoint
from app.widgets.histogram import Histogram
from app.widgets.loss_plot import LossPlot
from app.widgets.miss_plot import MissPlot
from app.widgets.norm_plot import NormPlot
from app.widgets.rail import Rail
from app.widgets.recognition_curve import RecognitionCurve
from app.widgets.schedule_plots import SchedulePlots
from app.widgets.status import Hint
from app.widgets.strip_plot import Strip, StripPlot
from app.window import STAGES, MainWindow
from core.requests import ScheduleSpec
from core.schedules import make_schedule
from tests.app.conftest import shown_window

Rows = list[list[str]]
CONTROL = Qt.KeyboardModifier.ControlModifier


@dataclass(frozen=True)
class Case:
    """A plot with data, and what its files are to hold: the rows of its table, words, and a colour."""

    make: Callable[[], DrawnPlot]
    rows: Rows
    words: frozenset[str]
    tint: Callable[[], QColor]


def loss() -> DrawnPlot:
    made = LossPlot()
    made.set_words("L_vlb", "bits/dim", "the bound")
    made.set_losses(np.array([4.0, 2.0, 1.0], np.float32))
    made.set_moments((0, 2))
    made.look_at(2)
    return made


def error() -> DrawnPlot:
    made = ErrorCurve()
    made.set_reference("DDIM paper", {100: 0.0009, 10: 0.014})
    made.set_points([ErrorPoint(7, 50, 0.002), ErrorPoint(3, 10, 0.01), ErrorPoint(9, 10, 1e-5, "refined 3")], 7)
    return made


def norm() -> DrawnPlot:
    made = NormPlot()
    curves = {"slerp": np.array([1.0, 1.01, 1.0]), "lerp": np.array([1.0, 0.7, 1.0])}
    made.set_way(curves, [(0, "A"), (1, "B")], "slerp", 0.02)
    made.set_points({4: (0.5, 0.98)})
    made.set_current(4, 0.5)
    return made


def miss() -> DrawnPlot:
    made = MissPlot()
    made.set_misses({0: (0.1, 0.01), 2: (0.02,)}, 3)
    return made


def histogram() -> DrawnPlot:
    made = Histogram()
    made.set_values(np.repeat([0.05, 0.3], [3, 5]), "eps")
    return made


def recognition() -> DrawnPlot:
    holder = QWidget()
    rail = Rail(holder)
    rail.setRange(0, 2)
    made = RecognitionCurve(rail, holder)
    made.kept = holder  # type: ignore[attr-defined]
    made.set_values({0: (-2.0, -4.0), 1: (-1.0, -1.5)})
    return made


def accuracy() -> DrawnPlot:
    made = AccuracyPlot()
    made.set_accuracy([(500, 0.5), (0, 0.98)], 4)
    return made


def strip() -> DrawnPlot:
    made = StripPlot("by pixels", "how near")
    dots, held_out, own = np.array([10.0, 2.0]), np.array([12.0, 20.0]), np.array([8.0])
    made.set_strip(Strip(dots, held_out, own, 5.0, "in 8-bit values"))
    return made


def alpha_bar() -> DrawnPlot:
    made = SchedulePlots()
    made.resize(296, 500)
    made.set_schedule(make_schedule(LINEAR), make_schedule(COSINE))
    panel = made.panels[1]
    panel.kept = made  # type: ignore[attr-defined]
    return panel


LINEAR, COSINE = ScheduleSpec("linear", T=100, beta_start=1e-3, beta_end=0.2), ScheduleSpec("cosine", T=50)
ALPHA_BAR = np.cumprod(1 - np.linspace(1e-3, 0.2, 100))
DENSITY = {"0.0": 3 / 8 / 0.125, "0.25": 5 / 8 / 0.125}


def alpha_bar_of(spec: ScheduleSpec, t: int) -> str:
    return repr(float(make_schedule(spec).alpha_bar[t])) if t < spec.T else ""


def histogram_rows() -> Rows:
    lows = [-4 + k * 0.125 for k in range(64)]
    normal = [math.exp(-((low + 0.0625) ** 2) / 2) / math.sqrt(2 * math.pi) for low in lows]
    rows = zip(lows, normal, strict=True)
    bins = [[repr(low), repr(low + 0.125), repr(DENSITY.get(repr(low), 0.0)), repr(n)] for low, n in rows]
    return [["from", "to", "density of eps", "N(0, 1)"], *bins]


CASES = {
    "loss": Case(
        loss,
        [
            ["step", "L_vlb in bits/dim", "mean of the last 100 steps", "samples"],
            ["1", "4.0", "4.0", ""],
            ["2", "2.0", "3.0", "drawn"],
            ["3", "1.0", repr(7 / 3), ""],
        ],
        frozenset({"L_vlb in bits/dim, mean of 100 steps", "2.3333", "2", "3"}),
        lambda: QColor(palette().text),
    ),
    "error": Case(
        error,
        [
            ["series", "steps", "mean squared error"],
            ["DDIM paper", "10", "0.014"],
            ["DDIM paper", "100", "0.0009"],
            ["inversion", "10", "0.01"],
            ["inversion", "50", "0.002"],
            ["inversion, refined 3", "10", "1e-05"],
        ],
        frozenset({"DDIM paper", "error by steps", "1e\u22122", "1000"}),
        lambda: colour("x_0"),
    ),
    "norm": Case(
        norm,
        [
            ["series", "position", "‖x‖ / √d", "±", "point"],
            ["slerp", "0.0", "1.0", "", ""],
            ["slerp", "0.5", "1.01", "", ""],
            ["slerp", "1.0", "1.0", "", ""],
            ["lerp", "0.0", "1.0", "", ""],
            ["lerp", "0.5", "0.7", "", ""],
            ["lerp", "1.0", "1.0", "", ""],
            ["frames", "0.5", "0.98", "", "frame 5"],
            ["N(0, I)", "", "1.0", "0.02", ""],
        ],
        frozenset({"‖x‖ / √d", "slerp", "lerp", "N(0, I)", "A", "B", "0.7"}),
        lambda: colour("x_t"),
    ),
    "miss": Case(
        miss,
        [
            ["step", "miss of the plain step (rms)", "miss after refinement 1 (rms)"],
            ["0", "0.1", "0.01"],
            ["2", "0.02", ""],
        ],
        frozenset({"what each iteration misses, step by step (rms)", "plain step", "after 1", "step 2", "1e\u22122"}),
        lambda: QColor(palette().quiet),
    ),
    "histogram": Case(
        histogram,
        histogram_rows(),
        frozenset({"pixels against N(0, 1)", "mean  0.206   std 0.121", "\u22123", "3"}),
        lambda: colour("eps"),
    ),
    "recognition": Case(
        recognition,
        [
            ["step", "log p(y|x_t) of sample 1, in nats", "log p(y|x_t) of sample 2, in nats", "mean"],
            ["0", "-2.0", "-4.0", "-3.0"],
            ["1", "-1.0", "-1.5", "-1.25"],
        ],
        frozenset({"log p of the class, by the guiding classifier", "0", "\u22124", "step 2"}),
        lambda: colour("gradient"),
    ),
    "accuracy": Case(
        accuracy,
        [["t", "share recognised", "guessing"], ["0", "0.98", "0.25"], ["500", "0.5", "0.25"]],
        frozenset({"Recognised, 98.0% at t = 0, 50.0% at t = 500", "75%", "t = 0, the picture"}),
        lambda: colour("score"),
    ),
    "strip": Case(
        strip,
        [
            ["pictures", "distance (in 8-bit values)"],
            ["sample", "10.0"],
            ["sample", "2.0"],
            ["held out", "12.0"],
            ["held out", "20.0"],
            ["training", "8.0"],
        ],
        frozenset({"by pixels, in 8-bit values", "0, the same", "21"}),
        lambda: colour("x_0"),
    ),
    "alpha_bar": Case(
        alpha_bar,
        [
            ["t", "ᾱ", "ᾱ of the schedule compared"],
            *([str(t), alpha_bar_of(LINEAR, t), alpha_bar_of(COSINE, t)] for t in range(100)),
        ],
        frozenset({"ᾱ: signal left", "0 data", "noise 99", "1"}),
        lambda: colour("x_0"),
    ),
}


@pytest.fixture(params=CASES, ids=str)
def case(request: pytest.FixtureRequest, qapp: QApplication) -> Case:
    return CASES[request.param]


@pytest.fixture
def plot(case: Case, qtbot: QtBot) -> DrawnPlot:
    made = case.make()
    qtbot.addWidget(made if made.parent() is None else made.parentWidget())
    return made


def read(path: Path) -> Rows:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def like(a: QColor, b: QColor) -> bool:
    return all(abs(x - y) < 24 for x, y in zip(a.getRgb()[:3], b.getRgb()[:3], strict=True))


def has(image: QImage, tint: QColor) -> bool:
    """Whether there are pixels of this colour away from the words at the top."""
    return any(
        like(image.pixelColor(x, y), tint)
        for y in range(image.height() // 6, image.height(), 2)
        for x in range(0, image.width(), 3)
    )


# What is in the files


def test_that_a_table_holds_the_numbers_that_were_set(case: Case, plot: DrawnPlot, tmp_path: Path) -> None:
    export(plot, tmp_path / "a.csv")
    assert read(tmp_path / "a.csv") == case.rows


def test_that_the_tables_of_schedules_are_the_papers(qtbot: QtBot) -> None:
    """The table of alpha_bar is compared with the program's schedule above; that one with its definition here."""
    np.testing.assert_allclose([float(row[1]) for row in CASES["alpha_bar"].rows[1:]], ALPHA_BAR, rtol=1e-12)


def test_that_a_drawing_says_what_it_shows(case: Case, plot: DrawnPlot, tmp_path: Path) -> None:
    export(plot, tmp_path / "a.svg")
    root = ElementTree.parse(tmp_path / "a.svg").getroot()
    texts = {(element.text or "").strip() for element in root.iter() if element.tag.endswith(("text", "title"))}
    assert {word.strip() for word in case.words} <= texts


@pytest.mark.parametrize("size", [(200, 90), (700, 300)])
def test_that_a_picture_is_large_enough_and_has_the_curve(
    case: Case, plot: DrawnPlot, tmp_path: Path, size: tuple[int, int]
) -> None:
    plot.setFixedSize(*size)
    export(plot, tmp_path / "a.png")
    image = QImage(str(tmp_path / "a.png"))
    assert (image.width(), image.height()) == (2 * max(480, size[0]), 2 * max(240, size[1]))
    assert has(image, case.tint())
    assert not has(image, colour("t")), "the cursor is of the moment"
    assert like(image.pixelColor(1, 1), plot.surface)


def test_that_files_have_the_colours_of_the_scheme(case: Case, plot: DrawnPlot, tmp_path: Path) -> None:
    for scheme in ("light", "dark"):
        theme().override(scheme)
        export(plot, tmp_path / f"{scheme}.png")
        assert like(QImage(str(tmp_path / f"{scheme}.png")).pixelColor(1, 1), plot.surface)
    assert QImage(str(tmp_path / "light.png")) != QImage(str(tmp_path / "dark.png"))


def test_that_the_screen_is_as_before_after_a_file_was_made(case: Case, plot: DrawnPlot, tmp_path: Path) -> None:
    before = plot.grab().toImage()
    export(plot, tmp_path / "a.png")
    assert plot.grab().toImage() == before


def test_that_numbers_are_written_with_all_digits_and_nothing_where_there_is_none() -> None:
    assert [cell(0.1 + 0.2), cell(3), cell(math.nan), cell("name")] == ["0.30000000000000004", "3", "", "name"]


def test_that_a_plot_that_shows_nothing_has_nothing_to_save(qtbot: QtBot) -> None:
    for made in (LossPlot(), Histogram(), MissPlot(), AccuracyPlot(), NormPlot(), ErrorCurve()):
        qtbot.addWidget(made)
        assert made.is_empty
        assert not any(action.isEnabled() for action in made.menu().actions())


# How one gets there


def opened_menu(qtbot: QtBot) -> QMenu:
    qtbot.waitUntil(lambda: isinstance(QApplication.activePopupWidget(), QMenu))
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    return menu


@pytest.mark.qt_log_ignore("^This plugin does not support")
def test_that_every_plot_has_its_menu_by_keys(plot: DrawnPlot, qtbot: QtBot) -> None:
    owner = plot if plot.focusPolicy() != Qt.FocusPolicy.NoFocus else plot.parentWidget()
    assert owner.focusPolicy() & Qt.FocusPolicy.TabFocus
    owner.window().show()
    owner.window().activateWindow()
    qtbot.waitExposed(owner.window())
    owner.setFocus()
    qtbot.waitUntil(owner.hasFocus)
    qtbot.keyClick(owner, Qt.Key.Key_E, CONTROL)
    opened_menu(qtbot).close()
    QApplication.sendEvent(owner, QContextMenuEvent(QContextMenuEvent.Reason.Keyboard, QPoint(5, 5), QPoint(5, 5)))
    opened_menu(qtbot).close()


def test_that_every_plot_says_so_and_has_a_name(plot: DrawnPlot) -> None:
    assert KEYS in plot.toolTip()
    assert plot.accessibleName()


def test_that_the_keyboards_place_is_seen(plot: DrawnPlot, qtbot: QtBot) -> None:
    owner = plot if plot.focusPolicy() != Qt.FocusPolicy.NoFocus else plot.parentWidget()
    plot.window().show()
    plot.window().activateWindow()
    owner.setFocus()
    qtbot.waitUntil(owner.hasFocus)
    assert plot.grab().toImage().pixelColor(0, plot.height() // 3) == QColor(palette().quiet)
    owner.clearFocus()
    assert plot.grab().toImage().pixelColor(0, plot.height() // 3) != QColor(palette().quiet)


@pytest.mark.parametrize(
    ("subject", "own", "name"), [("digits", "", "digits-L_vlb.csv"), ("digits", "run 3", "run-3-L_vlb.csv")]
)
def test_that_a_file_is_named_after_the_plot_and_what_it_is_of(qtbot: QtBot, subject: str, own: str, name: str) -> None:
    made = loss()
    qtbot.addWidget(made)
    made.subject = own
    assert proposed(made, ".csv", subject) == name


@pytest.fixture
def window(qapp: QApplication, qtbot: QtBot) -> MainWindow:
    return shown_window(qtbot, STAGES)


def wanted(plot: DrawnPlot, window: MainWindow, ending: str) -> QFileDialog:
    """The dialog that an action of the plot's menu opens."""
    next(action for action in plot.menu().actions() if ending[1:].upper() in action.text()).trigger()
    dialog = window.findChild(QFileDialog)
    assert isinstance(dialog, QFileDialog)
    return dialog


@pytest.mark.parametrize("ending", [".svg", ".png", ".csv"])
def test_that_the_window_saves_what_a_plot_is_asked_for(
    window: MainWindow, qtbot: QtBot, tmp_path: Path, ending: str
) -> None:
    plots = window.stage.right_widgets()[0]
    assert isinstance(plots, SchedulePlots)
    dialog = wanted(plots.panels[0], window, ending)
    assert dialog.selectedFiles()[0].endswith(f"betas{ending}")
    assert dialog.testOption(QFileDialog.Option.DontConfirmOverwrite) is False
    path = tmp_path / f"mine{ending}"
    dialog.fileSelected.emit(str(path))
    dialog.done(0)
    assert path.stat().st_size > 500
    assert str(path) in {shown.text().removeprefix("Saved ") for shown in window.status_line.findChildren(Hint)}
    qtbot.waitUntil(lambda: window.findChild(QFileDialog) is None and window.findChild(PlotSaver) is None)


def test_that_nothing_is_written_when_the_dialog_is_cancelled(
    window: MainWindow, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    plots = window.stage.right_widgets()[0]
    assert isinstance(plots, SchedulePlots)
    wanted(plots.panels[0], window, ".svg").reject()
    qtbot.waitUntil(lambda: window.findChild(QFileDialog) is None)
    assert list(tmp_path.iterdir()) == []


def test_that_a_folder_that_cannot_be_written_is_said_in_the_stage(window: MainWindow, tmp_path: Path) -> None:
    plots = window.stage.right_widgets()[0]
    assert isinstance(plots, SchedulePlots)
    dialog = wanted(plots.panels[0], window, ".csv")
    dialog.fileSelected.emit(str(tmp_path / "nowhere" / "a.csv"))
    dialog.done(0)
    assert "does not exist" in window.stage.errors.message()


@pytest.mark.parametrize("key", [key for key, _title, _path in STAGES])
def test_that_every_plot_of_every_stage_is_heard_by_the_window(window: MainWindow, key: str) -> None:
    window.state.move(stage=key)
    plots = window.findChildren(DrawnPlot)
    assert plots
    assert all(plot.window() is window for plot in plots)


@pytest.mark.qt_log_ignore("^This plugin does not support")
def test_that_a_right_click_that_takes_a_point_away_opens_no_menu(qtbot: QtBot) -> None:
    plots = SchedulePlots()
    qtbot.addWidget(plots)
    plots.resize(296, 560)
    plots.set_schedule(make_schedule(LINEAR))
    plots.set_editable([(0.0, 1.0), (0.5, 0.4), (1.0, 0.0)])
    plots.show()
    panel = plots.panels[1]
    point = panel.place(0.5 * 99, 0.4).toPoint()
    for place, opens in ((point, False), (QPoint(point.x() + 40, point.y() - 30), True)):
        qtbot.mouseClick(panel, Qt.MouseButton.RightButton, pos=place)
        event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, place, panel.mapToGlobal(place))
        QApplication.sendEvent(panel, event)
        menu = QApplication.activePopupWidget()
        assert (menu is not None) == opens
        if menu is not None:
            menu.close()
    assert len(plots.points) == 2
