"""A picture on the screen is taken elsewhere: used, copied, saved at its own pixels."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtWidgets import QApplication, QFileDialog, QMenu
from pytestqt.qtbot import QtBot

from app.stages.run_view import RunView
from app.taking import NOTHING, SIGNED, file_name
from app.widgets.picture_pane import PicturePane
from app.window import STAGES, MainWindow
from core.images import from_pixels
from tests.app.conftest import shown_window

NOISE = np.random.default_rng(1)


@pytest.fixture
def window(qapp: QApplication, qtbot: QtBot) -> MainWindow:
    """The window with its real stages and a picture in Forward."""
    made = shown_window(qtbot, STAGES)
    made.state.set_image(from_pixels(NOISE.integers(0, 256, (20, 30, 3), dtype=np.uint8), "flag.png"))
    made.state.move(t=400)
    return made


@pytest.fixture
def run(window: MainWindow) -> RunView:
    """The panes of a finished run of four samples, at t = 500."""
    window.bridge.ready()
    window.state.move(stage="denoise")
    stage = window.stage
    stage.controls.steps.set_value(2)
    stage.controls.count.set_value(4)
    stage.buttons.run.click()
    window.bridge.run_to_end(1)
    window.state.move(step=0, t=500)
    # each sample another grey, so that they can be told apart
    pictures = np.repeat(np.array([10, 60, 110, 160], np.uint8), 32 * 32).reshape(4, 32, 32, 1)
    stage.view.x_t.set_pictures(pictures)
    stage.view.x0_hat.set_pictures(pictures + 5)
    return stage.view


def hint(window: MainWindow) -> str:
    return window.status_line._hint.text()


def point_at(qtbot: QtBot, pane: PicturePane, cell: int) -> None:
    qtbot.mouseMove(pane, QPoint(1, 1))
    qtbot.mouseMove(pane, pane.pixel_rect(cell, 1, 1).center().toPoint())


def press(window: MainWindow, qtbot: QtBot, key: Qt.Key, control: bool = False) -> None:
    held = Qt.KeyboardModifier.ControlModifier if control else Qt.KeyboardModifier.NoModifier
    qtbot.keyClick(window, key, held)


def test_that_the_noised_picture_becomes_the_picture(window: MainWindow, qtbot: QtBot) -> None:
    shown = window.stage.x_t.content.image
    press(window, qtbot, Qt.Key.Key_U)
    image = window.state.image
    assert image.name == "flag.png, t = 400"
    assert "clamped to [-1, 1]" in image.notes
    assert image.pixels.shape == (20, 30, 3)
    for x, y in ((0, 0), (29, 0), (7, 19)):
        assert tuple(image.pixels[y, x]) == shown.pixelColor(x, y).getRgb()[:3]
    assert "flag.png, t = 400" in hint(window)
    assert window.stage.x_0.content.pixels(0).tolist() == image.pixels.tolist()


@pytest.mark.parametrize(("cell", "grey"), [(0, 10), (2, 110)])
def test_that_the_sample_under_the_pointer_is_meant(
    window: MainWindow, run: RunView, qtbot: QtBot, cell: int, grey: int
) -> None:
    point_at(qtbot, run.x_t, cell)
    press(window, qtbot, Qt.Key.Key_U)
    image = window.state.image
    assert image.name == f"run 1, sample {cell + 1}, t = 500"
    assert image.pixels.shape == (32, 32, 1)
    assert set(image.pixels.ravel()) == {grey}


def test_that_what_the_network_sees_can_be_taken_too(window: MainWindow, run: RunView, qtbot: QtBot) -> None:
    point_at(qtbot, run.x0_hat, 3)
    press(window, qtbot, Qt.Key.Key_U)
    assert window.state.image.name == "x̂₀ of run 1, sample 4, t = 500"
    assert set(window.state.image.pixels.ravel()) == {165}


def test_that_the_enlarged_sample_is_meant(window: MainWindow, run: RunView, qtbot: QtBot) -> None:
    run.enlarge(2)
    run.x_t.setFocus()
    press(window, qtbot, Qt.Key.Key_U)
    assert window.state.image.name == "run 1, sample 3, t = 500"


def test_that_the_end_of_a_run_is_named_without_a_time(window: MainWindow, run: RunView, qtbot: QtBot) -> None:
    window.state.move(step=2, t=-1)
    point_at(qtbot, run.x_t, 1)
    press(window, qtbot, Qt.Key.Key_U)
    assert window.state.image.name == "run 1, sample 2"


def test_that_signed_numbers_are_not_used_as_a_picture(window: MainWindow, qtbot: QtBot) -> None:
    before = window.state.image
    point_at(qtbot, window.stage.eps, 0)
    press(window, qtbot, Qt.Key.Key_U)
    assert window.state.image is before
    assert hint(window) == SIGNED


def test_that_without_a_picture_it_is_said(window: MainWindow, qtbot: QtBot) -> None:
    window.state.set_image(None)
    for key, control in ((Qt.Key.Key_U, False), (Qt.Key.Key_C, True), (Qt.Key.Key_S, True)):
        window.status_line.set_hint("")
        press(window, qtbot, key, control)
        assert hint(window) == NOTHING


def test_that_a_copy_has_the_pixels_of_the_picture(window: MainWindow, qtbot: QtBot) -> None:
    point_at(qtbot, window.stage.x_0, 0)
    press(window, qtbot, Qt.Key.Key_C, control=True)
    copied = QApplication.clipboard().image()
    assert (copied.width(), copied.height()) == (30, 20)
    pixels = window.state.image.pixels
    assert copied.pixelColor(29, 3).getRgb()[:3] == tuple(pixels[3, 29])


def test_that_a_picture_is_saved_at_its_own_pixels(window: MainWindow, qtbot: QtBot, tmp_path) -> None:
    point_at(qtbot, window.stage.x_t, 0)
    press(window, qtbot, Qt.Key.Key_S, control=True)
    dialog = window.findChild(QFileDialog)
    assert dialog.selectedFiles()[0].endswith("flag, t = 400.png")
    wanted = window.stage.x_t.content.pixels(0)
    window.state.move(t=700)  # what is saved is what was there when it was asked for
    path = tmp_path / "x.png"
    dialog.fileSelected.emit(str(path))
    dialog.close()
    np.testing.assert_array_equal(np.asarray(Image.open(path)), wanted)
    assert str(path) in hint(window)
    assert sorted(tmp_path.iterdir()) == [path]


def test_that_a_place_that_cannot_be_written_is_said_in_words(window: MainWindow, tmp_path) -> None:
    window.commands.taking.write(window.state.image, tmp_path / "nowhere" / "x.png")
    assert "does not exist" in window.stage.errors.message()


@pytest.mark.qt_log_ignore("^This plugin does not support")
def test_that_the_context_menu_of_a_pane_means_that_pane(window: MainWindow, run: RunView, qtbot: QtBot) -> None:
    point_at(qtbot, run.x0_hat, 1)
    at = run.x0_hat.pixel_rect(1, 1, 1).center().toPoint()
    menus = window.findChildren(QMenu)
    event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, at, run.x0_hat.mapToGlobal(at))
    QApplication.sendEvent(run.x0_hat, event)
    menu = next(menu for menu in window.findChildren(QMenu) if menu not in menus)
    texts = [action.text().replace("&", "") for action in menu.actions() if not action.isSeparator()]
    assert texts[:4] == ["Use as picture", "Copy picture", "Save picture…", "Export…"]
    assert texts[4:] == ["Copy as command line", "Copy as Python"]
    run.x0_hat.show_pixel(-1, 0, 0)  # the pointer is over the menu now
    point = menu.actionGeometry(menu.actions()[0]).center()
    qtbot.mouseClick(menu, Qt.MouseButton.LeftButton, pos=point)
    assert window.state.image.name == "x̂₀ of run 1, sample 2, t = 500"


@pytest.mark.qt_log_ignore("^This plugin does not support")
def test_that_the_menu_key_offers_the_framed_sample_of_the_pane_with_the_focus(
    window: MainWindow, run: RunView, qtbot: QtBot
) -> None:
    run.x_t.setFocus()
    run.x_t.select(2)
    event = QContextMenuEvent(QContextMenuEvent.Reason.Keyboard, QPoint(5, 5), run.x_t.mapToGlobal(QPoint(5, 5)))
    menus = window.findChildren(QMenu)
    QApplication.sendEvent(run.x_t, event)
    menu = next(menu for menu in window.findChildren(QMenu) if menu not in menus)
    qtbot.keyClick(menu, Qt.Key.Key_A)  # its letter: "Use &as picture"
    assert window.state.image.name == "run 1, sample 3, t = 500"


def test_that_outside_a_picture_there_is_no_such_menu(window: MainWindow) -> None:
    assert window.commands.taking.menu(window.stage.transport, QPoint(5, 5)) is None
    window.state.set_image(None)
    assert window.commands.taking.menu(window.stage.x_t, QPoint(5, 5)) is None


def test_that_taking_the_picture_itself_changes_nothing(window: MainWindow, qtbot: QtBot) -> None:
    before = window.state.image
    point_at(qtbot, window.stage.x_0, 0)
    press(window, qtbot, Qt.Key.Key_U)
    assert window.state.image is before


def test_that_a_name_becomes_that_of_a_file() -> None:
    assert file_name("flag.png, t = 400") == "flag, t = 400.png"
    assert file_name("a/b:c.JPG") == "a_b_c.png"
    assert file_name("x̂₀ of run 3").endswith("run 3.png")
    assert file_name("…") == "_.png"


def test_that_of_panes_alike_the_walk_is_taken_and_not_the_picture_again(window: MainWindow) -> None:
    window.bridge.ready()
    window.state.move(stage="invert")
    stage = window.stage
    stage.controls.steps.set_value(2)
    stage.buttons.run.click()
    window.bridge.run_to_end(1)
    window.bridge.run_to_end(2)
    window.state.move(run=1, step=1, t=0)
    window.registry["use_picture"].trigger()
    assert window.state.image is not None
    assert window.state.image.name == "run 1, sample 1, t = 0"
    assert window.state.cursor.run is None, "it stands ready to be inverted"
