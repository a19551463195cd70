"""What becomes an end point of a morph: bundled pictures, the window's, drops, seeds, samples of runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, QUrl
from PySide6.QtWidgets import QMenu

from app.stages.denoise_settings import DenoiseSettings, resolve
from app.stages.morph_ends import MorphEnds
from app.stages.morph_settings import MorphSettings, PicturePoint
from app.stages.morph_settings import resolve as resolve_morph
from app.state import AppState
from core.images import open_image
from core.requests import Conversion, ModelRef, SeedEnd
from resources import models, samples
from tests.app.conftest import WindowBridge
from tests.app.fake_engine import DIGITS, gradient


@pytest.fixture
def scene(qtbot):
    state = AppState()
    bridge = WindowBridge(state)
    ends = MorphEnds(state, bridge)
    qtbot.addWidget(ends.cards)
    state.set_model(DIGITS)
    ends.set_model(DIGITS)
    yield state, bridge, ends
    state.deleteLater()


@pytest.fixture(scope="module")
def bundled():
    """The bundled model's description, with the statistics of its training data."""
    from core.model_folder import open_model

    return open_model(models()[0].path).info


def test_that_the_first_look_has_bundled_pictures_like_the_training_data(scene, bundled):
    state, _, ends = scene
    state.set_model(bundled)
    ends.set_model(bundled)
    assert [point.name for point in ends.points] == ["digit 3", "digit 8"]
    assert [point.label for point in ends.points] == [3, 8]


def test_that_a_picture_of_the_window_that_is_like_them_comes_first(scene, bundled):
    state, _, ends = scene
    seven = next(sample for sample in samples() if sample.name == "digit 7")
    state.set_image(open_image(seven.path, seven.name))
    state.set_model(bundled)
    ends.set_model(bundled)
    assert [point.name for point in ends.points] == ["digit 7", "digit 3"]
    photo = samples()[0]
    state.set_image(open_image(photo.path, photo.name))
    ends.set_model(bundled)
    assert [point.name for point in ends.points] == ["digit 3", "digit 8"]


def test_that_a_bundled_picture_under_another_name_is_not_its_own_other_end(scene, bundled):
    state, _, ends = scene
    three = next(sample for sample in samples() if sample.name == "digit 3")
    state.set_image(open_image(three.path, "a copy.png"))
    state.set_model(bundled)
    ends.set_model(bundled)
    assert [point.name for point in ends.points] == ["a copy.png", "digit 8"]
    ends.cards.add.click()
    ends.cards.add.click()
    assert [point.name for point in ends.points][2:] == ["digit 0", "digit 5"]


def test_that_a_bundled_picture_is_chosen_from_the_menu_of_a_card(scene):
    state, _, ends = scene
    menu = ends.cards.cards[1].bundled
    menu.aboutToShow.emit()
    assert [action.text() for action in menu.actions()] == [sample.name for sample in samples()]
    assert not any(action.icon().isNull() for action in menu.actions())
    next(action for action in menu.actions() if action.text() == "digit 7").trigger()
    assert ends.points[1].name == "digit 7"
    assert ends.points[1].label == 7
    assert state.image.name == "digit 7"  # its crop can be chosen


def test_that_what_the_person_chose_stays_when_another_model_is_opened(scene, bundled):
    state, _, ends = scene
    ends.put_picture(gradient(), 0)
    ends.cards.label_chosen.emit(0, "4")
    colour = replace(DIGITS, event_shape=(3, 16, 16), labels=("cat", "dog"))
    state.set_model(colour)
    ends.set_model(colour)
    source = ends.points[0].source
    assert isinstance(source, PicturePoint)
    assert (source.conversion.size, source.conversion.channels) == ((16, 16), 3)
    assert ends.points[0].label is None


def test_that_the_window_s_picture_is_converted_as_the_person_said(scene):
    state, _, ends = scene
    own = Conversion((32, 32), 1, (0.0, 0.0, 0.5, 0.5), invert=True)
    state.set_image(gradient())
    state.set_conversion(own)
    ends.cards.picture_wanted.emit(1)
    source = ends.points[1].source
    assert isinstance(source, PicturePoint)
    assert source.conversion == own


def test_that_another_crop_of_the_window_s_picture_is_another_end_point(scene, qtbot):
    state, _, ends = scene
    whole, half = Conversion((32, 32), 1), Conversion((32, 32), 1, (0.0, 0.0, 0.5, 0.5))
    state.set_image(gradient())
    state.set_conversion(whole)
    ends.cards.picture_wanted.emit(1)
    ends.cards.label_chosen.emit(1, "6")
    with qtbot.waitSignal(ends.changed):
        state.set_conversion(half)
    assert ends.points[1].source.conversion == half
    assert ends.points[1].label == 6
    assert isinstance(ends.points[0].source, SeedEnd)


def test_that_without_a_picture_in_the_window_there_is_none_to_use(scene, qtbot):
    _, _, ends = scene
    with qtbot.waitSignal(ends.failed) as failed:
        ends.cards.picture_wanted.emit(0)
    assert "no picture" in failed.args[0]


def test_that_a_model_without_pictures_refuses_them_in_words(scene, qtbot):
    state, _, ends = scene
    points = replace(DIGITS, event_shape=(8, 2), labels=(), null_label=None)
    state.set_model(points)
    ends.set_model(points)
    assert all(isinstance(point.source, SeedEnd) for point in ends.points)
    with qtbot.waitSignal(ends.failed) as failed:
        ends.put_picture(gradient())
    assert "no pictures" in failed.args[0]
    assert ends.portraits() is None


def test_that_a_model_that_must_be_told_a_class_is_told_one(scene):
    state, _, ends = scene
    strict = replace(DIGITS, null_label=None)
    state.set_model(strict)
    ends.set_model(strict)
    assert [point.label for point in ends.points] == [0, 0]
    assert ends.cards.cards[0].label.findData("none") < 0


def test_that_the_end_points_of_another_models_morph_are_as_the_open_model_takes_them(scene):
    state, _, ends = scene
    plain = replace(DIGITS, ref=ModelRef("plain", "b" * 64), labels=(), null_label=None)
    points = [replace(point, label=None) for point in ends.points]
    request = resolve_morph(MorphSettings(steps=4), points, plain)
    strict = replace(DIGITS, null_label=None)
    state.set_model(strict)
    ends.set_model(strict)
    ends.restore(request)
    assert [point.label for point in ends.points] == [0, 0]
    ends.restore(replace(request, model=strict.ref, labels=(4, None)))
    assert [point.label for point in ends.points] == [4, None]


def test_that_end_points_are_added_and_removed(scene, qtbot):
    _, _, ends = scene
    with qtbot.waitSignal(ends.changed):
        ends.cards.added.emit()
    assert ends.points[2].source == SeedEnd(44)
    ends.cards.seed_typed.emit(2, 1000)
    ends.cards.removed.emit(0)
    assert [point.source for point in ends.points] == [SeedEnd(43), SeedEnd(1000)]
    ends.cards.removed.emit(0)
    assert len(ends.points) == 2


def test_that_a_file_dropped_on_a_card_replaces_it(scene, tmp_path: Path):
    _, _, ends = scene
    Image.fromarray(np.full((40, 40), 90, np.uint8)).save(tmp_path / "digit 5.png")
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(tmp_path / "digit 5.png"))])
    ends.cards.dropped.emit(1, mime)
    assert ends.points[0].source == SeedEnd(42)
    assert ends.points[1].name == "digit 5.png"
    assert ends.points[1].label == 5
    assert scene[0].image.name == "digit 5.png"
    assert ends.portraits()[1].tolist() == np.full((32, 32, 1), 90).tolist()


def test_that_a_drop_that_is_no_picture_is_refused_in_words(scene, qtbot, tmp_path: Path):
    _, _, ends = scene
    (tmp_path / "note.txt").write_text("hello")
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(tmp_path / "note.txt"))])
    with qtbot.waitSignal(ends.failed):
        ends.cards.dropped.emit(0, mime)
    assert ends.points[0].source == SeedEnd(42)


def finished_run(bridge, **changes: object) -> None:
    bridge.submit(replace(resolve(DenoiseSettings(steps=3, count=4, labels=(1, 2), seed=9), DIGITS), **changes))
    bridge.run_to_end(len(bridge.submitted))


def chosen_sample(ends, run: int, sample: int) -> None:
    menu = QMenu()
    ends.cards.menu_opened.emit(0, menu)
    menu.actions()[run].menu().actions()[sample].trigger()


def test_that_a_sample_of_a_run_from_noise_is_its_own_noise(scene):
    _, bridge, ends = scene
    bridge.ready()
    finished_run(bridge)
    chosen_sample(ends, 0, 2)
    assert ends.points[0].source == SeedEnd(9, 4, 2)
    assert ends.points[0].label == 1


def test_that_a_sample_that_was_walked_alone_keeps_its_place_in_the_batch(scene):
    _, bridge, ends = scene
    bridge.ready()
    finished_run(bridge, cells=(3,))
    chosen_sample(ends, 0, 0)
    assert ends.points[0].source == SeedEnd(9, 4, 3)
    assert ends.points[0].label == 2
    finished_run(bridge, cells=(3,), labels=(7,))
    chosen_sample(ends, 0, 0)
    assert ends.points[0].label == 7


def test_that_a_sample_of_another_model_is_a_picture(scene):
    _, bridge, ends = scene
    bridge.ready()
    finished_run(bridge, model=replace(DIGITS.ref, sha256="e" * 64))
    chosen_sample(ends, 0, 3)
    assert isinstance(ends.points[0].source, PicturePoint)
    assert ends.portraits()[0, 0, 0, 0] == 10


def test_that_without_a_finished_run_the_menu_says_so(scene):
    _, bridge, ends = scene
    bridge.ready()
    menu = QMenu()
    ends.cards.menu_opened.emit(0, menu)
    assert "No run" in menu.actions()[0].text()
    assert not menu.actions()[0].isEnabled()
