"""Pictures dragged out of the window: by a handle, from a filmstrip, from the history."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QMimeData, QPoint, QPointF, QRectF, Qt
from PySide6.QtGui import QDragEnterEvent, QMouseEvent, QPixmap
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from app import dragging
from app.dragging import FOLDER, Dragging
from app.widgets.drag_out import HANDLE, handle_of
from app.widgets.picture_pane import PicturePane
from app.window import MainWindow
from core.folders import cache_folder
from core.images import from_pixels, open_image
from core.recipe import Shown, read_recipe
from core.requests import NoiseRequest
from tests.app.scenes import looking_at, with_picture
from tests.app.test_recipes import SAMPLE

PICTURE = from_pixels(np.random.default_rng(3).integers(0, 256, (40, 40, 3), dtype=np.uint8), "flag.png")


@pytest.fixture
def window(qapp: QApplication, qtbot: QtBot) -> MainWindow:
    return with_picture(qtbot, PICTURE)


@pytest.fixture
def run(window: MainWindow) -> MainWindow:
    return looking_at(window, SAMPLE)


@pytest.fixture
def dragged(monkeypatch: pytest.MonkeyPatch) -> list[QMimeData]:
    """What is dragged away, each dropped at once."""
    found: list[QMimeData] = []

    def execute(_self: Dragging, _source: QWidget, mime: QMimeData, picture: QPixmap) -> None:
        assert 0 < max(picture.width(), picture.height()) <= dragging.THUMBNAIL
        found.append(mime)

    monkeypatch.setattr(Dragging, "_execute", execute)
    return found


def drag(qtbot: QtBot, widget: QWidget, start: QPoint) -> None:
    """Press there and move further than a click does."""
    qtbot.mouseMove(widget, start + QPoint(1, 1))
    qtbot.mouseMove(widget, start)
    qtbot.mousePress(widget, Qt.MouseButton.LeftButton, pos=start)
    for far in (5, 20, 40):
        _move_held(widget, start + QPoint(-far, far // 2))
    qtbot.mouseRelease(widget, Qt.MouseButton.LeftButton, pos=start + QPoint(-40, 20))


def _move_held(widget: QWidget, point: QPoint) -> None:
    left = Qt.MouseButton.LeftButton
    place = QPointF(point)
    event = QMouseEvent(
        QEvent.Type.MouseMove, place, widget.mapToGlobal(place), Qt.MouseButton.NoButton, left, Qt.NoModifier
    )
    QApplication.sendEvent(widget, event)


def point_at(qtbot: QtBot, pane: PicturePane, cell: int) -> None:
    qtbot.mouseMove(pane, QPoint(1, 1))
    qtbot.mouseMove(pane, pane.pixel_rect(cell, 1, 1).center().toPoint())


def file_of(mime: QMimeData) -> Path:
    (url,) = mime.urls()
    return Path(url.toLocalFile())


# ------------------------------------------------------------------------------------------------ the handle


def test_that_the_handle_drags_the_picture_with_its_recipe_and_does_not_pan(
    run: MainWindow, qtbot: QtBot, dragged: list[QMimeData]
) -> None:
    pane = run.stage.view.x_t
    before = pane.view
    point_at(qtbot, pane, 2)
    drag(qtbot, pane, pane.handle().center())
    (mime,) = dragged
    content = bytes(mime.data("image/png").data())
    recipe = read_recipe(content)
    assert (recipe.request, recipe.shown) == (SAMPLE, Shown("x_t", 1, (2,)))
    assert np.array_equal(open_image(content).pixels, pane.content.pixels(2))
    assert mime.hasImage()
    assert file_of(mime).read_bytes() == content
    assert file_of(mime).name == "run 1, sample 3, t = 600.png"
    assert pane.view == before
    assert run.stage.view.cell is None  # nor is it a click


def test_that_a_picture_is_still_panned_beside_its_handle(
    run: MainWindow, qtbot: QtBot, dragged: list[QMimeData]
) -> None:
    pane = run.stage.view.x_t
    pane.set_view(pane.view)
    point_at(qtbot, pane, 0)
    inside = pane.pixel_rect(0, 20, 10).center().toPoint()
    qtbot.mouseMove(pane, inside)
    assert not pane.handle().contains(inside)
    drag(qtbot, pane, inside)
    assert dragged == []


def test_that_a_click_on_the_handle_does_nothing(run: MainWindow, qtbot: QtBot, dragged: list[QMimeData]) -> None:
    pane = run.stage.view.x_t
    point_at(qtbot, pane, 1)
    qtbot.mouseClick(pane, Qt.MouseButton.LeftButton, pos=pane.handle().center())
    assert dragged == []
    assert run.stage.view.cell is None


def test_that_the_handle_lies_in_the_picture_pointed_at_and_only_where_there_is_room(
    run: MainWindow, qtbot: QtBot
) -> None:
    pane = run.stage.view.x_t
    assert pane.handle().isEmpty()
    point_at(qtbot, pane, 3)
    corner = pane.pixel_rect(3, 0, 31)
    assert pane.handle().width() == HANDLE
    assert abs(pane.handle().right() - corner.right()) < 12
    assert abs(pane.handle().top() - corner.top()) < 12
    assert handle_of(QRectF(0, 0, 30, 200)).isEmpty()


# ------------------------------------------------------------------------------------------------ strip, history


def test_that_a_frame_is_dragged_at_its_own_size(window: MainWindow, qtbot: QtBot, dragged: list[QMimeData]) -> None:
    strip = window.stage.strips.strip
    frame = strip.shown[3]
    drag(qtbot, strip, strip.frame_rect(frame).center())
    recipe = read_recipe(bytes(dragged[0].data("image/png").data()))
    assert isinstance(recipe.request, NoiseRequest)
    assert recipe.request.timesteps == (333,)
    assert open_image(bytes(dragged[0].data("image/png").data())).pixels.shape == (40, 40, 3)


def test_that_a_frame_of_a_run_says_its_state(run: MainWindow, qtbot: QtBot, dragged: list[QMimeData]) -> None:
    strip = run.stage.strip
    drag(qtbot, strip, strip.frame_rect(2).center())
    recipe = read_recipe(bytes(dragged[0].data("image/png").data()))
    assert recipe.shown == Shown("x_t", 2, (0,))


def test_that_a_frame_that_is_only_clicked_is_not_dragged(
    run: MainWindow, qtbot: QtBot, dragged: list[QMimeData]
) -> None:
    strip = run.stage.strip
    qtbot.mouseClick(strip, Qt.MouseButton.LeftButton, pos=strip.frame_rect(2).center())
    _move_held(strip, strip.frame_rect(0).center())
    assert dragged == []
    assert run.state.cursor.step == 2


def test_that_a_run_is_dragged_from_the_history(run: MainWindow, dragged: list[QMimeData]) -> None:
    run.history.startDrag(Qt.DropAction.CopyAction)
    (mime,) = dragged
    recipe = read_recipe(bytes(mime.data("image/png").data()))
    assert (recipe.request, recipe.shown) == (SAMPLE, Shown("x_t", SAMPLE.steps, (0,)))
    assert np.array_equal(open_image(file_of(mime)).pixels, run.bridge.frame(1, SAMPLE.steps).x_t[0])


def test_that_of_a_run_that_is_not_there_any_more_the_thumbnail_is_dragged(
    run: MainWindow, dragged: list[QMimeData], monkeypatch: pytest.MonkeyPatch
) -> None:
    grey = np.full((8, 8, 1), 7, np.uint8)
    run.state.set_thumbnail(1, grey)
    monkeypatch.setattr(run.bridge, "frame", lambda *_: None)
    run.history.startDrag(Qt.DropAction.CopyAction)
    content = bytes(dragged[0].data("image/png").data())
    assert np.array_equal(open_image(content).pixels, grey)
    assert read_recipe(content) is None


# ------------------------------------------------------------------------------------------------ files, the window


def test_that_every_drag_has_a_file_of_its_own_and_none_is_left_at_the_end(
    run: MainWindow, dragged: list[QMimeData]
) -> None:
    stale = cache_folder() / FOLDER / "999999999"
    stale.mkdir(parents=True)
    for _ in range(2):
        run.history.startDrag(Qt.DropAction.CopyAction)
    files = [file_of(mime) for mime in dragged]
    assert len(set(files)) == 2
    assert all(file.is_file() for file in files)
    assert not stale.exists()
    run.bridge.ending.emit()
    assert not any(file.exists() for file in files)


def test_that_without_room_for_a_file_the_picture_is_dragged_alone_and_it_is_said(
    run: MainWindow, dragged: list[QMimeData]
) -> None:
    (cache_folder() / FOLDER).write_bytes(b"in the way")
    run.history.startDrag(Qt.DropAction.CopyAction)
    assert not dragged[0].hasUrls()
    assert read_recipe(bytes(dragged[0].data("image/png").data())) is not None
    assert "without a file" in run.status_line._hint.text()


@pytest.mark.parametrize("own", [True, False])
def test_that_the_window_does_not_offer_to_take_what_leaves_it(
    run: MainWindow, own: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    source: Callable[[object], object] = (lambda _event: run.history) if own else (lambda _event: None)
    monkeypatch.setattr(QDragEnterEvent, "source", source)
    mime = run.commands.taking.dragging.mime(PICTURE.pixels, "flag", None)
    event = QDragEnterEvent(
        QPoint(400, 300), Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    QApplication.sendEvent(run, event)
    assert run.dropping.overlay.isVisible() != own
    run.dropping.overlay.hide()
