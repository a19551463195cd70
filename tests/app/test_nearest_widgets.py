"""The table of samples and their nearest pictures, the plot of their distances, and a pair enlarged."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt

from app.theme import colour, palette
from app.widgets.nearest_pair import NearestPair
from app.widgets.nearest_table import Cell, NearestTable
from app.widgets.strip_plot import Strip, StripPlot
from core.evaluation.nearest_sheet import order_of
from tests.app.nearest import NONE, grey, sixteen, three


@pytest.fixture
def table(qtbot):
    made = NearestTable(2)
    qtbot.addWidget(made)
    made.resize(400, 300)
    made.set_samples(grey(50, 60, 70), ("cat", "dog", "cat"))
    made.show()
    return made


@pytest.fixture
def plot(qtbot):
    made = StripPlot("by pixels", "how near")
    qtbot.addWidget(made)
    made.resize(240, 80)
    return made


def middle(widget, cell: Cell):
    return widget.grab().toImage().pixelColor(widget.cell_rect(cell).center().toPoint())


def strip_of(result) -> Strip:
    seen = result.pixels
    return Strip(seen.distances[:, 0], seen.held_out, seen.own, seen.limit, "in 8-bit values")


def test_that_neighbours_are_dashed_until_they_are_known(table):
    assert middle(table, Cell(1)).red() == 60
    assert middle(table, Cell(1, "pixels", 0)) == middle(table, Cell(0, "features", 1))
    table.set_result(three(), [1, 2, 0])
    assert middle(table, Cell(1, "pixels", 0)).red() == 2
    assert middle(table, Cell(0, "features", 1)).red() == 1


def test_that_the_nearest_sample_stands_first(table):
    result = three()
    table.set_result(result, order_of(result).tolist())
    assert table.order == (1, 2, 0)
    assert table.cell_rect(Cell(1)).top() < table.cell_rect(Cell(2)).top() < table.cell_rect(Cell(0)).top()


def test_that_each_cell_says_what_it_is(table):
    table.set_result(three(), [1, 2, 0])
    assert table.words(Cell(0)) == "sample 1, cat"
    assert table.words(Cell(1, "pixels", 1)) == "15 from sample 2, dog: cats/3.png, mirrored, cats"
    assert table.words(Cell(2, "features", 0)) == "1° from sample 3, cat: cats/4.png, cats"


def test_that_a_click_names_the_cell(table, qtbot):
    table.set_result(three(), [1, 2, 0])
    for cell in (Cell(2), Cell(0, "pixels", 1), Cell(1, "features", 0)):
        with qtbot.waitSignal(table.cell_clicked) as clicked:
            at = table.cell_rect(cell).center().toPoint()
            qtbot.mouseClick(table, Qt.MouseButton.LeftButton, pos=at)
        assert clicked.args == [cell]
    with qtbot.assertNotEmitted(table.cell_clicked):
        qtbot.mouseClick(table, Qt.MouseButton.LeftButton, pos=QPoint(table.width() - 1, table.height() - 1))


def test_that_the_arrows_choose_and_enter_clicks(table, qtbot):
    table.resize(200, 300)
    table.set_result(three(), [1, 2, 0])
    seen = []
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Right, Qt.Key.Key_Down, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Left):
        qtbot.keyClick(table, key)
        seen.append(table.current)
    assert seen == [
        Cell(1),
        Cell(1, "pixels", 0),
        Cell(2, "pixels", 0),
        Cell(2, "pixels", 1),
        Cell(1, "pixels", 1),
        Cell(1, "pixels", 0),
    ]
    with qtbot.waitSignal(table.cell_clicked) as clicked:
        qtbot.keyClick(table, Qt.Key.Key_Return)
    assert clicked.args == [Cell(1, "pixels", 0)]


def test_that_samples_stand_beside_each_other_where_there_is_the_room(table):
    table.set_result(three(), [1, 2, 0])
    table.resize(1000, 300)
    wide = table.minimumHeight()
    assert table.cell_rect(Cell(1)).top() == table.cell_rect(Cell(2)).top()
    assert table.cell_rect(Cell(2)).left() > table.cell_rect(Cell(1, "features", 1)).right()
    table.resize(500, 300)
    assert table.minimumHeight() > wide
    assert table.cell_rect(Cell(1)).top() < table.cell_rect(Cell(2)).top()
    table.resize(200, 300)
    assert table.cell_rect(Cell(1, "features", 1)).right() <= 200


@pytest.mark.parametrize("width", [400, 490, 780, 1130, 1700])
def test_that_no_more_than_a_quarter_of_the_width_stays_empty(qtbot, width):
    table = NearestTable(3)
    qtbot.addWidget(table)
    table.set_samples(np.zeros((16, 32, 32, 3), np.uint8))
    table.resize(width, 400)
    rights = [table.cell_rect(Cell(sample, "features", 2)).right() for sample in range(16)]
    assert 0.75 * width < max(rights) <= width
    zoom = table.cell_rect(Cell(0)).width() / 32
    assert zoom < 2 or zoom == int(zoom)


def test_that_a_check_by_pixels_alone_has_no_place_for_features(table):
    table.set_result(three(), [1, 2, 0])
    both = table.minimumSizeHint().width()
    seen_at = table.cell_rect(Cell(1, "features", 1)).center()
    table.set_result(three(features=False), [1, 2, 0], ("pixels",))
    assert table.minimumSizeHint().width() < both
    found = table.cell_at(seen_at)
    assert found is None or found.by == "pixels"


def test_that_dots_lie_where_their_distances_are(plot):
    plot.set_strip(strip_of(sixteen()))
    rect = plot.plot_rect()
    end = 1.05 * 50
    for sample, distance in ((0, 1.0), (4, 20.0), (15, 40.0)):
        assert plot.place(sample).x() == pytest.approx(rect.left() + distance / end * rect.width())


def test_that_suspicious_dots_have_the_colour_of_danger(plot):
    plot.set_strip(strip_of(sixteen()))
    image = plot.grab().toImage()
    assert image.pixelColor(plot.place(1).toPoint()) == palette().danger
    assert image.pixelColor(plot.place(12).toPoint()) == colour("x_0")


def test_that_its_numbers_are_all_three_sets(plot):
    assert plot.is_empty
    plot.set_strip(strip_of(sixteen()))
    rows = plot.table()
    assert rows[0] == ("pictures", "distance (in 8-bit values)")
    assert [sum(row[0] == name for row in rows) for name in ("sample", "held out", "training")] == [16, 100, 90]
    assert rows[1] == ("sample", 1.0)


def test_that_a_dot_is_clicked_and_framed(plot, qtbot):
    plot.set_strip(strip_of(sixteen()))
    with qtbot.waitSignal(plot.dot_clicked) as clicked:
        qtbot.mouseClick(plot, Qt.MouseButton.LeftButton, pos=plot.place(9).toPoint())
    assert clicked.args == [9]
    before = plot.grab().toImage()
    plot.set_current(9)
    assert plot.grab().toImage() != before


def test_that_samples_that_are_all_the_same_picture_are_drawn(plot):
    plot.set_strip(Strip(np.zeros(3), NONE, NONE, float("nan"), "degrees"))
    assert plot.place(0).x() == plot.plot_rect().left()
    assert not plot.grab().isNull()


def test_that_a_pair_shows_what_differs_with_its_range(qtbot):
    pair = NearestPair()
    qtbot.addWidget(pair)
    sample, picture = grey(200)[0], grey(80)[0].copy()
    picture[0, 0] = 230
    pair.show_pair(sample, picture, "120 from sample 1")
    assert pair.difference.content.values[0, 0, 0, 0] == -30
    assert pair.difference.content.values[0, 1, 1, 0] == 120
    assert pair.difference.content.range_text.startswith("±120")
    assert pair.words.toolTip() == "120 from sample 1"
    with qtbot.waitSignal(pair.closed):
        pair.back.click()
