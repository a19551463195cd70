"""The preview of a training's pictures: originals of the folder, and what the network sees of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QPointF
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QWidget

from app.stages.train_originals import (
    SEEN,
    SHOWN,
    Original,
    Originals,
    chosen,
    coarse_to_fine,
    originals,
    unusual_first,
)
from app.stages.train_preview import Preview, pairs
from app.stages.train_reading import ReadingControls, pattern_of
from app.widgets.pairs import Pair, PairSheet
from core.training.dataset import PictureFolder, open_folder
from core.training.reading import Reading
from tests.app.test_train_loader import LateBackground


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "some"
    for name in ("left", "right"):
        (place / name).mkdir(parents=True)
    for number in range(6):
        pixels = np.random.default_rng(number).integers(0, 256, (16, 16 if number else 32, 3), np.uint8)
        Image.fromarray(pixels).save(place / ("left" if number < 3 else "right") / f"{number}.png")
    return place


def seen(data: PictureFolder) -> tuple[Original, ...]:
    return unusual_first(originals(data, chosen(len(data), 0)))


def test_that_the_first_few_originals_are_spread_over_the_folder() -> None:
    assert coarse_to_fine(8) == [0, 4, 2, 6, 1, 5, 3, 7]
    assert sorted(coarse_to_fine(13)) == list(range(13))
    first = chosen(1000, 0)
    assert len(set(first)) == SEEN
    assert np.diff(sorted(first[:4])).min() > 150
    assert chosen(3, 0) == [0, 2, 1]


def test_that_another_draw_shows_other_pictures() -> None:
    assert set(chosen(1000, 1)) != set(chosen(1000, 2))
    assert chosen(1000, 1) == chosen(1000, 1)
    assert sorted(chosen(5, 3)) == [0, 1, 2, 3, 4]


def test_that_unusual_pictures_come_first(folder) -> None:
    found = seen(open_folder(folder, 8))
    assert len(found) == 6 <= SHOWN
    assert (found[0].path, found[0].size) == ("left/0.png", (32, 16))


def test_that_the_first_few_are_shown_while_the_others_are_opened(folder, qtbot, monkeypatch) -> None:
    monkeypatch.setattr("app.stages.train_originals.FIRST", 2)
    background = LateBackground()
    asked = Originals(background)
    asked.ask(open_folder(folder, 8), 0)
    assert asked.found == ()
    background.run()
    assert len(asked.found) == 2
    background.run()
    assert len(asked.found) == 6
    assert background.waiting == []


def test_that_nothing_comes_of_originals_that_are_asked_for_no_more(folder, qtbot) -> None:
    background = LateBackground()
    asked = Originals(background)
    asked.ask(open_folder(folder, 8), 0)
    asked.forget()
    background.run()
    assert asked.found == ()
    assert background.waiting == []


def test_that_a_smaller_folder_can_take_the_place_of_a_larger_one(folder, tmp_path, qtbot) -> None:
    background, parent = LateBackground(), QWidget()
    qtbot.addWidget(parent)
    preview = Preview(ReadingControls(parent), background, parent)
    preview.set_data(open_folder(folder, 8))
    background.run()
    assert len(preview.sheet.pairs) == 6
    (tmp_path / "few").mkdir()
    for number in range(2):
        Image.fromarray(np.full((16, 16), number, np.uint8)).save(tmp_path / "few" / f"{number}.png")
    preview.set_data(open_folder(tmp_path / "few", 8))
    assert preview.sheet.pairs == ()
    background.run()
    assert [pair.words for pair in preview.sheet.pairs] == ["0.png\n16 × 16", "1.png\n16 × 16"]


def test_that_a_frame_of_an_animation_is_found_again(tmp_path) -> None:
    frames = [Image.fromarray(np.full((9, 9), grey, np.uint8)) for grey in (0, 120, 250)]
    frames[0].save(tmp_path / "moves.gif", save_all=True, append_images=frames[1:])
    found = {original.path: original for original in seen(open_folder(tmp_path, Reading(8, frames="all")))}
    assert sorted(found) == ["moves.gif#1", "moves.gif#2", "moves.gif#3"]
    assert [int(found[f"moves.gif#{number}"].pixels[4, 4, 0]) for number in (1, 2, 3)] == [0, 120, 250]


def test_that_a_file_that_has_gone_is_left_out(folder) -> None:
    data = open_folder(folder, 8)
    (folder / "left" / "1.png").unlink()
    assert "left/1.png" not in [original.path for original in seen(data)]


def test_that_the_network_sees_what_was_read_and_a_first_look_of_what_will_be(folder) -> None:
    data = open_folder(folder, 8)
    found = seen(data)
    for pair, original in zip(pairs(data, found, Reading(8), flip=False, never=()), found, strict=True):
        np.testing.assert_array_equal(pair.after, data.pictures[original.index])
        assert pair.exact
    later = Reading(16, crop="whole", background=(255, 0, 0))
    wide = pairs(data, found, later, flip=False, never=())[0]
    assert not wide.exact
    np.testing.assert_array_equal(wide.after, open_folder(folder, later).pictures[0])
    assert wide.after[0, 0].tolist() == [255, 0, 0]


def test_that_only_the_middle_of_an_oblong_picture_is_marked_as_taken(folder) -> None:
    data = open_folder(folder, 8)
    found = seen(data)
    assert pairs(data, found, Reading(8), flip=False, never=())[0].crop == (0.25, 0.0, 0.75, 1.0)
    assert pairs(data, found, Reading(8, crop="whole"), flip=False, never=())[0].crop == (0.0, 0.0, 1.0, 1.0)


def test_that_every_second_picture_is_mirrored_but_never_those_named(folder) -> None:
    data = open_folder(folder, 8)
    found = seen(data)
    shown = pairs(data, found, Reading(8), flip=True, never=(pattern_of("left"),))
    for pair, original in zip(shown, found, strict=True):
        plain = data.pictures[original.index]
        is_mirrored = pair.mark == "mirrored"
        np.testing.assert_array_equal(pair.after, plain[:, ::-1] if is_mirrored else plain)
        assert not (is_mirrored and original.path.startswith("left"))
        assert (pair.mark == "as it is") is original.path.startswith("left")
    assert [pair.mark for pair in shown].count("mirrored") == 2
    assert {pair.mark for pair in pairs(data, found, Reading(8), flip=False, never=())} == {""}


@pytest.mark.parametrize("name", ["Flags", "a, b", "what?", "[x]", "*"])
def test_that_the_pattern_of_a_class_means_that_class(name) -> None:
    from fnmatch import fnmatchcase

    assert fnmatchcase(f"{name}/1.png", pattern_of(name))
    assert "," not in pattern_of(name)
    assert not fnmatchcase("other/1.png", pattern_of(name))


def test_that_pairs_are_painted_with_what_is_left_out_covered(qtbot) -> None:
    sheet = PairSheet()
    qtbot.addWidget(sheet)
    before = np.full((20, 40, 3), 250, np.uint8)
    after = np.full((8, 8, 1), 90, np.uint8)
    sheet.set_pairs([Pair(before, after, (0.25, 0.0, 0.75, 1.0), "40 × 20")])
    sheet.resize(400, 200)
    image = sheet.grab().toImage()
    cell = sheet._cell(0)
    side = cell.height() - 18
    middle = QPointF(cell.left() + side / 2, cell.top() + side / 2).toPoint()
    edge = QPointF(cell.left() + side * 0.05, cell.top() + side / 2).toPoint()
    made = QPointF(cell.right() - side / 2, cell.top() + side / 2).toPoint()
    assert QColor(image.pixel(middle)).red() == 250
    assert QColor(image.pixel(edge)).red() < 150
    assert QColor(image.pixel(made)).red() == 90


@pytest.mark.parametrize(("width", "height"), [(980, 225), (730, 290), (300, 100), (2000, 900)])
def test_that_pairs_stay_within_their_room(qtbot, width, height) -> None:
    sheet = PairSheet()
    qtbot.addWidget(sheet)
    sheet.set_pairs([Pair(np.zeros((20, 40, 3), np.uint8), np.zeros((32, 32, 3), np.uint8))] * 12)
    sheet.resize(width, height)
    assert sheet.shown >= (1 if width < 700 else 6)
    for index in range(sheet.shown):
        cell = sheet._cell(index)
        assert cell.right() <= width
        assert cell.bottom() <= height
