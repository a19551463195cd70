"""The left panel: the picture in use, samples, recent files, models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QPoint, Qt, QUrl
from PySide6.QtGui import QDrag
from PySide6.QtWidgets import QComboBox, QFileDialog, QLabel, QPushButton
from pytestqt.qtbot import QtBot

from app.widgets.labels import Lines
from app.widgets.model_chooser import ModelChooser, describe
from app.widgets.sources import Gallery, Sources, facts
from app.window import MainWindow
from core.images import OpenedImage, from_pixels
from core.messages import ModelInfo, ModelOpened
from resources import models, samples
from tests.app.fake_engine import DIGITS


def picture(height: int = 20, width: int = 30, value: int = 100) -> OpenedImage:
    return from_pixels(np.full((height, width, 3), value, np.uint8), "a picture.png", ("rotated as its EXIF says",))


def test_that_size_colours_and_what_was_done_to_a_picture_are_told() -> None:
    assert facts(picture()) == "30 × 20, colour\nrotated as its EXIF says"


def test_that_a_model_is_described_in_two_lines() -> None:
    assert describe(DIGITS) == "32 × 32 grey, predicts v\n10 classes"
    points = ModelInfo(DIGITS.ref, (2,), DIGITS.schedule, "eps", parameters=1_240_000)
    assert describe(points) == "2, predicts ε\nno classes, 1.2 M parameters"


def test_that_a_name_too_long_for_the_panel_is_cut_and_whole_in_the_tooltip(qtbot: QtBot) -> None:
    lines = Lines()
    qtbot.addWidget(lines)
    lines.resize(80, 20)
    lines.show()
    lines.set_lines("a very long name of a picture.png\nshort")
    first, second = lines.text().split("\n")
    assert first.endswith("…")
    assert lines.fontMetrics().horizontalAdvance(first) <= 80
    assert second == "short"
    assert lines.toolTip() == "a very long name of a picture.png\nshort"


def test_that_the_picture_in_use_is_shown_with_its_name(qtbot: QtBot) -> None:
    sources = Sources()
    qtbot.addWidget(sources)
    sources.resize(196, 600)
    sources.show()
    sources.set_image(picture(value=200))
    texts = [label.text() for label in sources.findChildren(QLabel)]
    assert "a picture.png" in texts
    shown = sources._portrait.grab().toImage()
    assert shown.pixelColor(shown.rect().center()).red() == 200


def test_that_a_small_picture_is_enlarged_by_a_whole_factor_with_sharp_pixels(qtbot: QtBot) -> None:
    sources = Sources()
    qtbot.addWidget(sources)
    sources.resize(196, 600)
    sources.show()
    checks = np.indices((10, 10)).sum(axis=0) % 2 * 255
    sources.set_image(from_pixels(np.repeat(checks[..., None], 1, 2).astype(np.uint8), "checks"))
    shown = sources._portrait.grab().toImage()
    zoom = min(shown.width(), shown.height()) // 10
    left, top = (shown.width() - 10 * zoom) // 2, (shown.height() - 10 * zoom) // 2
    row = {shown.pixelColor(left + x, top + zoom // 2).red() for x in range(10 * zoom)}
    assert row == {0, 255}


def test_that_the_gallery_says_which_picture_was_chosen_and_keeps_known_thumbnails(qtbot: QtBot) -> None:
    gallery = Gallery()
    qtbot.addWidget(gallery)
    one, two = Path("/one.png"), Path("/two.png")
    gallery.set_entries([("one", one), ("two", two)])
    assert gallery.wanting() == (one, two)
    gallery.set_thumbnail(one, np.zeros((8, 12, 3), np.uint8))
    gallery.set_entries([("two", two), ("one", one)])
    assert gallery.paths() == (two, one)
    assert gallery.wanting() == (two,)
    with qtbot.waitSignal(gallery.chosen) as chosen:
        qtbot.mouseClick(gallery.button(two), Qt.MouseButton.LeftButton)
    assert chosen.args == [two]
    assert gallery.button(two).accessibleName() == "two"


def test_that_a_model_is_announced_when_the_person_chooses_another_one(qtbot: QtBot) -> None:
    chooser = ModelChooser()
    qtbot.addWidget(chooser)
    chooser.set_models([("digits", "digits"), ("mine", "/models/mine")])
    chooser.request("digits")
    chooser.set_model(DIGITS)
    combo = chooser.findChild(QComboBox)
    with qtbot.assertNotEmitted(chooser.chosen, wait=10):
        combo.activated.emit(0)
    with qtbot.waitSignal(chooser.chosen) as chosen:
        combo.setCurrentIndex(1)
        combo.activated.emit(1)
    assert chosen.args == ["/models/mine"]


def test_that_the_window_begins_with_a_sample_in_place_and_the_bundled_model_on_its_way(window: MainWindow) -> None:
    window.commands.begin()
    assert window.state.image is not None
    assert window.state.image.name == samples()[0].name
    assert window.settings.recent_pictures == ()
    assert window.sources.gallery.wanting() == ()
    expected = [("open_model", models()[0].name)] if models() else []
    assert window.bridge.calls == expected


def test_that_a_picture_and_a_model_given_at_the_start_are_opened_instead(window: MainWindow, tmp_path: Path) -> None:
    Image.new("RGB", (5, 4), (1, 2, 3)).save(tmp_path / "mine.png")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model_index.json").write_text("{}")
    window.commands.begin([str(tmp_path / "mine.png"), str(tmp_path / "model")])
    assert window.state.image is not None
    assert window.state.image.name == "mine.png"
    assert window.bridge.calls == [("open_model", str(tmp_path / "model"))]


def test_that_a_picture_that_is_not_there_is_told_and_a_sample_takes_its_place(window: MainWindow) -> None:
    window.commands.begin(["/no/such/picture.png"])
    assert "is not there" in window.stage.errors.message()
    assert window.state.image is not None


def test_that_choosing_a_sample_makes_it_the_picture(window: MainWindow, qtbot: QtBot) -> None:
    last = samples()[min(2, len(samples()) - 1)]
    qtbot.mouseClick(window.sources.gallery.button(last.path), Qt.MouseButton.LeftButton)
    assert window.state.image is not None
    assert window.state.image.name == last.name


def test_that_a_sample_is_dragged_as_the_file_that_it_is(window: MainWindow, qtbot: QtBot, monkeypatch) -> None:
    sample = samples()[3]
    button, dragged = window.sources.gallery.button(sample.path), []
    monkeypatch.setattr(QDrag, "exec", lambda drag, _action: dragged.append(drag.mimeData().urls()))
    before = window.state.image
    qtbot.mousePress(button, Qt.MouseButton.LeftButton, pos=QPoint(10, 10))
    qtbot.mouseMove(button, QPoint(12, 10))
    assert dragged == []
    qtbot.mouseMove(button, QPoint(40, 40))
    qtbot.mouseRelease(button, Qt.MouseButton.LeftButton, pos=QPoint(40, 40))
    assert dragged == [[QUrl.fromLocalFile(str(sample.path))]]
    assert window.state.image is before


def test_that_drawing_replaces_the_picture_and_brings_the_panel_back(window: MainWindow, qtbot: QtBot) -> None:
    from tests.app.test_canvas import stroke

    window.resize(1024, 700)
    qtbot.keyClick(window, Qt.Key.Key_D, Qt.KeyboardModifier.ControlModifier)
    board = window.sources.board
    assert board.isVisible()
    stroke(qtbot, board.canvas, (8, 8), (24, 24))
    use = next(button for button in board.findChildren(QPushButton) if button.text() == "Use")
    qtbot.mouseClick(use, Qt.MouseButton.LeftButton)
    assert window.state.image is not None
    assert window.state.image.name == "drawing"
    assert not board.isVisible()


def test_that_opening_shows_a_dialog_that_opens_what_it_is_given(
    window: MainWindow, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (5, 4)).save(tmp_path / "chosen.png")
    shown: list[QFileDialog] = []
    for module in ("app.commands", "app.opening"):
        monkeypatch.setattr(f"{module}.open_dialog", shown.append)
    qtbot.keyClick(window, Qt.Key.Key_O, Qt.KeyboardModifier.ControlModifier)
    shown[0].filesSelected.emit([str(tmp_path / "chosen.png")])
    assert window.state.image is not None
    assert window.state.image.name == "chosen.png"
    qtbot.keyClick(window, Qt.Key.Key_O, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    shown[1].fileSelected.emit(str(tmp_path))
    assert window.bridge.calls[-1] == ("open_model", str(tmp_path))
    for dialog in shown:
        dialog.deleteLater()


def test_that_a_model_opened_by_a_stage_is_among_the_recent_ones_and_a_bundled_one_is_not(
    window: MainWindow, tmp_path: Path
) -> None:
    pinned = tmp_path / "mine step 275"
    pinned.mkdir()
    window.bridge.message.emit(ModelOpened(DIGITS, str(pinned)))
    window.bridge.message.emit(ModelOpened(DIGITS, str(models()[0].path)))
    assert window.settings.recent_models == (pinned,)


def test_that_a_model_opened_by_a_stage_is_listed_and_chosen(qtbot: QtBot) -> None:
    chooser = ModelChooser()
    qtbot.addWidget(chooser)
    chooser.set_models([("digits", "digits")])
    chooser.request("digits")
    chooser.set_model(DIGITS)
    chooser.opened("digits", "digits")
    assert chooser.keys() == ("digits",)
    chooser.opened("/runs/mine/snapshots/step-000275", "mine step 275")
    assert chooser.keys() == ("digits", "/runs/mine/snapshots/step-000275")
    with qtbot.waitSignal(chooser.chosen) as chosen:
        chooser._activated(0)
    assert chosen.args == ["digits"]


def test_that_tab_comes_to_the_samples_after_the_buttons_above_them(qtbot: QtBot, tmp_path: Path) -> None:
    sources = Sources()
    qtbot.addWidget(sources)
    sources.show()
    sources.activateWindow()
    for paths in ([tmp_path / "cat.png"], [tmp_path / "dog.png", tmp_path / "cat.png"]):
        sources.gallery.set_entries([(path.stem, path) for path in paths])
    qtbot.waitUntil(lambda: sources.gallery.button(tmp_path / "dog.png").isVisible())
    draw = next(button for button in sources.findChildren(QPushButton) if button.text() == "Draw")
    draw.setFocus()
    met = []
    for _ in range(3):
        qtbot.keyClick(sources.focusWidget(), Qt.Key.Key_Tab)
        met.append(sources.focusWidget())
    assert met[:2] == [sources.gallery.button(path) for path in paths]
    assert isinstance(met[2], QComboBox)
