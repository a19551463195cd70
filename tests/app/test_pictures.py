"""Pictures on the screen: pixels, zoom, linking and the signed map."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QImage, QWheelEvent
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from app.theme import colour, palette, theme
from app.widgets.picture_caption import PictureCaption
from app.widgets.picture_pane import CAPTION_HEIGHT
from app.widgets.picture_view import GAP, Grid, View, best_grid, next_zoom
from app.widgets.pictures import PicturePane, PictureRow


def shown(qtbot: QtBot, pane: QWidget, width: int, height: int) -> QImage:
    qtbot.addWidget(pane)
    pane.resize(width, height + CAPTION_HEIGHT)
    pane.show()
    return grab(pane)


def grab(widget: QWidget) -> QImage:
    return widget.grab().toImage()


def rgb(image: QImage, x: int, y: int) -> tuple[int, int, int]:
    pixel = image.pixelColor(x, y)
    return pixel.red(), pixel.green(), pixel.blue()


def wheel(widget: QWidget, x: float, y: float, notches: int, modifiers: Qt.KeyboardModifier) -> QWheelEvent:
    event = QWheelEvent(
        QPointF(x, y),
        QPointF(widget.mapToGlobal(QPoint(int(x), int(y)))),
        QPoint(),
        QPoint(0, 120 * notches),
        Qt.MouseButton.NoButton,
        modifiers,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(widget, event)
    return event


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (1, 5, 7, 3), dtype=np.uint8)


def test_that_every_pixel_becomes_a_square_of_its_own_colour(qtbot: QtBot, pixels: np.ndarray) -> None:
    pane = PicturePane("x_t", "x_t")
    pane.set_pictures(pixels)
    image = shown(qtbot, pane, 150, 110)  # 7 x 5 pixels fit 21 times
    assert pane.zoom_text() == "21×"
    for row in range(5):
        for column in range(7):
            square = pane.pixel_rect(0, row, column).toRect()
            for corner in (square.topLeft(), square.bottomRight()):
                assert rgb(image, corner.x(), corner.y()) == tuple(pixels[0, row, column])


def test_that_the_array_may_be_overwritten_after_it_was_handed_over(qtbot: QtBot, pixels: np.ndarray) -> None:
    pane = PicturePane("x_t", "x_t")
    before = tuple(pixels[0, 0, 0])
    pane.set_pictures(pixels)
    pixels[:] = 0
    image = shown(qtbot, pane, 140, 100)
    at = pane.pixel_rect(0, 0, 0).center().toPoint()
    assert rgb(image, at.x(), at.y()) == before


def test_that_grey_pictures_with_odd_widths_keep_their_rows(qtbot: QtBot) -> None:
    grey = np.arange(15, dtype=np.uint8).reshape(1, 3, 5, 1) * 17
    pane = PicturePane("x_0", "x_0")
    pane.set_pictures(grey)
    image = shown(qtbot, pane, 100, 60)
    for row in range(3):
        for column in range(5):
            at = pane.pixel_rect(0, row, column).center().toPoint()
            assert rgb(image, at.x(), at.y()) == (grey[0, row, column, 0],) * 3


def test_that_a_picture_larger_than_the_pane_is_reduced_by_averaging(qtbot: QtBot) -> None:
    stripes = np.zeros((1, 400, 400, 1), np.uint8)
    stripes[:, :, ::2] = 200
    pane = PicturePane("x_0", "x_0")
    pane.set_pictures(stripes)
    image = shown(qtbot, pane, 100, 100)
    assert pane.zoom_text() == "25 %"
    assert rgb(image, 50, 50) == pytest.approx((100, 100, 100), abs=3)


def test_that_signed_values_are_reduced_by_sampling_so_that_their_range_stays_true(qtbot: QtBot) -> None:
    stripes = np.ones((1, 1, 400, 400), np.float32)
    stripes[..., ::2] = -1
    pane = PicturePane("eps", r"\epsilon")
    pane.set_signed(stripes, limit=1)
    image = shown(qtbot, pane, 130, 130)
    seen = {rgb(image, x, 50) for x in range(20, 110)}
    assert seen == {colour("eps").getRgb()[:3], colour("score").getRgb()[:3]}


def test_that_signed_values_meet_the_diverging_map_symmetrically(qtbot: QtBot) -> None:
    values = np.array([-2.0, 0.0, 2.0, 9.0], np.float32).reshape(1, 1, 1, 4)
    pane = PicturePane("eps", r"\epsilon")
    pane.set_signed(values, limit=2.0)
    image = shown(qtbot, pane, 96, 96)
    centres = [pane.pixel_rect(0, 0, column).center().toPoint() for column in range(4)]
    purple, neutral, green, beyond = (rgb(image, at.x(), at.y()) for at in centres)
    assert purple == colour("eps").getRgb()[:3]
    assert green == beyond == colour("score").getRgb()[:3]
    assert neutral == pytest.approx(QColor(palette().raised).getRgb()[:3], abs=2)
    assert pane.content is not None
    assert pane.content.range_text == "±2.00"


def test_that_the_signed_map_without_a_limit_ends_at_the_largest_magnitude(qtbot: QtBot) -> None:
    pane = PicturePane("eps", r"\epsilon")
    qtbot.addWidget(pane)
    pane.set_signed(np.array([-3.25, 1.0], np.float32).reshape(1, 1, 1, 2))
    assert pane.content is not None
    assert pane.content.range_text == "±3.25"


def test_that_small_signed_values_keep_two_digits_in_range_and_reading(qtbot: QtBot) -> None:
    pane = PicturePane("neutral", "d")
    qtbot.addWidget(pane)
    pane.set_signed(np.array([-0.00261, 0.001234], np.float32).reshape(1, 1, 1, 2))
    assert pane.content is not None
    assert pane.content.range_text == "±0.0026"
    assert pane.content.reading(0, 0, 1) == "(0, 1)  0.00123"


def test_that_a_signed_picture_of_three_channels_says_that_it_is_their_mean(qtbot: QtBot) -> None:
    pane = PicturePane("eps", r"\epsilon")
    qtbot.addWidget(pane)
    pane.set_signed(np.ones((1, 3, 2, 2), np.float32), limit=1)
    assert pane.content is not None
    assert "mean of 3 channels" in pane.content.range_text


def test_that_signed_pictures_change_with_the_scheme(qtbot: QtBot) -> None:
    pane = PicturePane("eps", r"\epsilon")
    pane.set_signed(np.full((1, 1, 4, 4), -1.0, np.float32), limit=1)
    try:
        theme().override("dark")
        dark = rgb(shown(qtbot, pane, 96, 96), 48, 48)
        theme().override("light")
        light = rgb(grab(pane), 48, 48)
    finally:
        theme().override(None)
    assert (dark, light) == ((0xCC, 0x79, 0xA7), (0x9B, 0x3F, 0x77))


def test_that_a_click_selects_the_cell_under_the_pointer(qtbot: QtBot) -> None:
    pane = PicturePane("x_t", "x_t")
    pane.set_pictures(np.zeros((6, 8, 8, 1), np.uint8))
    shown(qtbot, pane, 200, 140)
    for cell in range(6):
        at = pane.pixel_rect(cell, 4, 4).center().toPoint()
        with qtbot.waitSignal(pane.cell_clicked, timeout=500) as clicked:
            qtbot.mouseClick(pane, Qt.MouseButton.LeftButton, pos=at)
        assert clicked.args == [cell]


def test_that_a_selected_cell_is_framed(qtbot: QtBot) -> None:
    pane = PicturePane("x_t", "x_t")
    pane.set_pictures(np.zeros((4, 8, 8, 1), np.uint8))
    shown(qtbot, pane, 120, 120)
    pane.select(3)
    cell = pane.pixel_rect(3, 0, 0).topLeft().toPoint()
    assert rgb(grab(pane), cell.x() + 10, cell.y()) == QColor(palette().text).getRgb()[:3]


def test_that_arrows_walk_over_the_grid_and_enter_clicks(qtbot: QtBot) -> None:
    pane = PicturePane("x_t", "x_t")
    pane.set_pictures(np.zeros((4, 8, 8, 1), np.uint8))
    shown(qtbot, pane, 120, 120)
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Down):
        qtbot.keyClick(pane, key)
    assert pane.selected == 3
    with qtbot.waitSignal(pane.cell_clicked, timeout=500) as clicked:
        qtbot.keyClick(pane, Qt.Key.Key_Return)
    assert clicked.args == [3]


def test_that_the_wheel_zooms_about_the_pointer(qtbot: QtBot, pixels: np.ndarray) -> None:
    pane = PicturePane("x_t", "x_t")
    pane.set_pictures(pixels)
    shown(qtbot, pane, 150, 110)
    spot = pane.pixel_rect(0, 1, 5).center()
    for _ in range(4):
        wheel(pane, spot.x(), spot.y(), 1, Qt.KeyboardModifier.NoModifier)
    assert pane.zoom() > 21
    assert pane.zoom() == int(pane.zoom())
    assert pane.pixel_rect(0, 1, 5).contains(spot)


def test_that_the_wheel_with_control_is_left_to_the_stage(qtbot: QtBot, pixels: np.ndarray) -> None:
    pane = PicturePane("x_t", "x_t")
    pane.set_pictures(pixels)
    shown(qtbot, pane, 150, 110)
    event = wheel(pane, 75, 55, 1, Qt.KeyboardModifier.ControlModifier)
    assert not event.isAccepted()
    assert pane.view == View()


def test_that_dragging_pans_without_clicking_and_a_double_click_fits(qtbot: QtBot) -> None:
    pane = PicturePane("x_t", "x_t")
    pane.set_pictures(np.zeros((1, 16, 16, 1), np.uint8))
    shown(qtbot, pane, 128, 128)
    clicks: list[int] = []
    pane.cell_clicked.connect(clicks.append)
    for _ in range(6):
        wheel(pane, 64, 64, 1, Qt.KeyboardModifier.NoModifier)
    before = pane.pixel_rect(0, 8, 8).topLeft()
    qtbot.mousePress(pane, Qt.MouseButton.LeftButton, pos=QPoint(64, 64))
    qtbot.mouseMove(pane, QPoint(94, 44))
    qtbot.mouseRelease(pane, Qt.MouseButton.LeftButton, pos=QPoint(94, 44))
    moved = pane.pixel_rect(0, 8, 8).topLeft() - before
    assert (moved.x(), moved.y()) == (30, -20)
    assert clicks == []
    qtbot.mouseDClick(pane, Qt.MouseButton.LeftButton, pos=QPoint(64, 64))
    assert pane.view == View()


def test_that_hovering_reads_the_same_pixel_in_every_pane(qtbot: QtBot, pixels: np.ndarray) -> None:
    first, second = PicturePane("x_0", "x_0"), PicturePane("eps", r"\epsilon")
    values = np.arange(35, dtype=np.float32).reshape(1, 1, 5, 7)
    first.set_pictures(pixels)
    second.set_signed(values)
    row = PictureRow([first, second])
    shown(qtbot, row, 320, 110)
    with qtbot.waitSignal(first.hovered, timeout=500) as hovered:
        qtbot.mouseMove(first, first.pixel_rect(0, 3, 2).center().toPoint())
    assert hovered.args == [0, 3, 2]
    assert second.pixel == (0, 3, 2)
    assert first.reading() == "(3, 2) " + " ".join(f"{value:3d}" for value in pixels[0, 3, 2])
    assert second.reading() == "(3, 2)  23.000"
    QApplication.sendEvent(first, QEvent(QEvent.Type.Leave))
    assert second.pixel is None


def test_that_zoom_and_place_are_shared_in_a_row(qtbot: QtBot) -> None:
    panes = [PicturePane("x_0", "x_0"), PicturePane("x_t", "x_t")]
    for pane in panes:
        pane.set_pictures(np.zeros((1, 16, 16, 1), np.uint8))
    row = PictureRow(panes)
    shown(qtbot, row, 300, 140)
    wheel(panes[0], 30, 40, 1, Qt.KeyboardModifier.NoModifier)
    assert panes[0].zoom() == panes[1].zoom() > 1
    assert panes[0].pixel_rect(0, 7, 3) == panes[1].pixel_rect(0, 7, 3)
    row.fit()
    assert panes[1].view == View()


def test_that_a_row_wraps_where_that_makes_pictures_larger(qtbot: QtBot) -> None:
    row = PictureRow([PicturePane("x_0", "x_0") for _ in range(4)])
    shown(qtbot, row, 400, 456)
    assert len({pane.y() for pane in row.panes}) == 2
    row.panes[2].hide()
    row.panes[3].hide()
    row.resize(500, 200)
    assert len({pane.y() for pane in row.panes[:2]}) == 1
    assert row.panes[1].geometry().right() == pytest.approx(499, abs=2)


def test_that_grids_get_more_of_a_row_than_the_single_picture_beside_them(qtbot: QtBot) -> None:
    row = PictureRow([PicturePane("x_0", "x_0") for _ in range(3)])
    shown(qtbot, row, 716, 200)
    one, other, third = row.panes
    assert [pane.width() for pane in row.panes] == [233, 234, 233]
    one.set_pictures(np.zeros((1, 8, 8, 1), np.uint8))
    assert one.width() == 233
    other.set_pictures(np.zeros((8, 8, 8, 1), np.uint8))
    assert [pane.width() for pane in row.panes] == [100, 300, 300]
    assert third.geometry().right() == 715
    row.resize(200, 600)
    assert {pane.width() for pane in row.panes} == {200}


def test_that_a_busy_pane_keeps_its_picture_dimmed_with_progress_on_its_frame(qtbot: QtBot) -> None:
    pane = PicturePane("x_t", "x_t")
    pane.set_pictures(np.full((1, 4, 4, 1), 255, np.uint8))
    bright = rgb(shown(qtbot, pane, 128, 128), 64, 64)
    pane.set_busy(True, 0.25)
    image = grab(pane)
    assert sum(rgb(image, 64, 64)) < sum(bright)
    assert rgb(image, 64, 0) == colour("x_t").getRgb()[:3]
    assert rgb(image, 64, 127) != colour("x_t").getRgb()[:3]
    pane.set_busy(False)
    assert rgb(grab(pane), 64, 64) == bright


def test_that_an_empty_pane_reads_nothing_and_says_its_placeholder(qtbot: QtBot) -> None:
    pane = PicturePane("x0_hat", r"\hat{x}_0")
    pane.set_placeholder("Open a model")
    before = shown(qtbot, pane, 128, 128)
    pane.set_placeholder("")
    assert grab(pane) != before
    assert pane.zoom_text() == pane.reading() == ""


def test_that_the_accessible_name_says_symbol_and_caption(qtbot: QtBot) -> None:
    pane = PicturePane("x0_hat", r"\hat{x}_0")
    qtbot.addWidget(pane)
    pane.set_caption("t = 400")
    assert pane.accessibleName() == "x\u0302₀, t = 400"


@pytest.mark.parametrize("count", [1, 2, 3, 5, 16, 64])
def test_that_a_fitting_grid_stays_inside_its_area(count: int) -> None:
    for width, height in ((32, 32), (7, 40), (640, 480)):
        grid = best_grid(count, width, height, 500, 300)
        drawn = grid.size(grid.fit(500, 300))
        assert drawn[0] <= 500
        assert drawn[1] <= 300


def test_that_gaps_between_cells_belong_to_no_cell() -> None:
    grid = Grid(4, 8, 8, 2)
    assert grid.at(8 * 3 - 0.5, 0, 3) == (0, 0, 7)
    assert grid.at(8 * 3 + GAP / 2, 0, 3) is None
    assert grid.at(8 * 3 + GAP, 0, 3) == (1, 0, 0)
    assert grid.at(0, 8 * 6 + GAP + 1, 3) is None


def test_that_zooming_in_and_out_only_visits_whole_zooms() -> None:
    zoom = 1.0
    for _ in range(30):
        zoom = next_zoom(zoom, 1)
        assert zoom == int(zoom)
    assert zoom == 64
    for _ in range(30):
        zoom = next_zoom(zoom, -1)
        assert zoom == int(zoom) or 1 / zoom == pytest.approx(round(1 / zoom))
    assert zoom < 1


@pytest.mark.parametrize(
    ("side", "zoom"), [(500, 1), (599, 1), (600, 1.2), (950, 1.9), (999, 1.998), (1000, 2), (1499, 2)]
)
def test_that_a_picture_is_fitted_at_a_fraction_only_where_a_whole_zoom_leaves_much_empty(
    side: int, zoom: float
) -> None:
    assert Grid(1, 500, 300, 1).fit(side, side) == pytest.approx(zoom)


def test_that_a_fraction_shows_every_pixel_in_its_own_colour(qtbot: QtBot) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (1, 60, 80, 3), dtype=np.uint8)
    pane = PicturePane("x_t", "x_t")
    pane.set_pictures(pixels)
    image = shown(qtbot, pane, 120, 200)
    assert pane.zoom_text() == "1.5×"
    for row in range(60):
        for column in range(80):
            at = pane.pixel_rect(0, row, column).center().toPoint()
            assert rgb(image, at.x(), at.y()) == tuple(pixels[0, row, column])


def test_that_the_wheel_leaves_a_fraction_for_whole_zooms_and_comes_back_to_it(qtbot: QtBot) -> None:
    pane = PicturePane("x_t", "x_t")
    pane.set_pictures(np.zeros((1, 60, 80, 1), np.uint8))
    shown(qtbot, pane, 120, 200)
    seen = []
    for notches in (1, 1, -1, -1):
        wheel(pane, 60, 100, notches, Qt.KeyboardModifier.NoModifier)
        seen.append(pane.zoom())
    assert seen == [2, 3, 2, 1.5]
    assert pane.view == View()


def test_that_a_caption_stands_right_under_an_empty_place_too(qtbot: QtBot) -> None:
    pane = PicturePane("x_0", "x_0")
    pane.set_caption("t = 400")
    image = shown(qtbot, pane, 200, 400)
    written = [y for y in range(301, image.height()) if any(image.pixel(x, y) != image.pixel(0, 0) for x in range(200))]
    assert 300 < written[0] < 300 + CAPTION_HEIGHT  # the square takes 100..299
    assert written[-1] < 300 + CAPTION_HEIGHT


def test_that_long_words_have_all_of_the_pane_that_they_need(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    painted: list[tuple[PictureCaption, int]] = []
    monkeypatch.setattr(
        PictureCaption, "paint", lambda caption, _painter, _widget, place: painted.append((caption, place.width()))
    )
    pane = PicturePane("x_t", "x_t")
    pane.set_pictures(np.zeros((1, 32, 32, 1), np.uint8))
    words = "run 12 with a long name, t = 499 | run 13 with another, t = 500, sample 2"
    for text in ("t = 400", words):
        pane.set_caption(text)
        shown(qtbot, pane, 900, 300)
        caption, width = painted[-1]
        assert width >= caption.width
    assert width < 700, "it stays about the picture"
    short = next(width for caption, width in painted if caption.text == "t = 400")
    assert short < width
    pane.set_caption(words * 3)
    shown(qtbot, pane, 900, 300)
    assert painted[-1][1] == 896
