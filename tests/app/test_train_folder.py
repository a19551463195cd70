"""What Train tells of a folder before anything is learned from it: pages of pictures, of those alike, of trouble."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QGuiApplication

from app.stages.train_data import ALIKE, FOLDER, LEFT_OUT, PICTURES, DataView
from app.stages.train_facts import facts_of, in_bytes, sizes
from app.stages.train_left_out import LISTED, LeftOut
from app.stages.train_setup import changes_nothing
from app.stages.train_sides import own_side, sides
from core.training.dataset import open_folder
from core.training.reading import FolderReport, Reading


def noise(seed: int, height: int = 24, width: int = 24) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes: five pictures, two of them the same, one transparent, one oblong; and a file that is none."""
    place = tmp_path / "mixed"
    for name in ("a", "b"):
        (place / name).mkdir(parents=True)
    noise(0).save(place / "a" / "one.png")
    noise(0).save(place / "a" / "twin.png")
    noise(1, 24, 48).save(place / "a" / "wide.png")
    noise(2).convert("RGBA").save(place / "b" / "plain.png")
    glass = np.asarray(noise(3).convert("RGBA")).copy()
    glass[:12, :, 3] = 0
    Image.fromarray(glass).save(place / "b" / "glass.png")
    (place / "b" / "empty.png").write_bytes(b"")
    return place


def test_that_pages_of_trouble_are_there_only_where_there_is_trouble(qtbot, folder, tmp_path) -> None:
    view = DataView()
    qtbot.addWidget(view)
    view.show_data(open_folder(folder, 8))
    assert view.tabs.offered() == (PICTURES, ALIKE, LEFT_OUT, FOLDER)
    view.tabs.set_current(LEFT_OUT)
    (tmp_path / "fine").mkdir()
    noise(5).save(tmp_path / "fine" / "5.png")
    view.show_data(open_folder(tmp_path / "fine", 8))
    assert view.tabs.offered() == (PICTURES, FOLDER)
    assert view.tabs.current() == PICTURES


def test_that_pictures_that_are_the_same_stand_side_by_side(qtbot, folder) -> None:
    view = DataView()
    qtbot.addWidget(view)
    view.show_data(open_folder(folder, 8))
    (row,) = view.alike.sheet.rows
    assert row.names == ("a/one.png", "a/twin.png")
    assert row.note == "2 alike"
    np.testing.assert_array_equal(row.pictures[0], row.pictures[1])


def test_that_a_picture_of_the_sheet_says_its_file(qtbot, folder) -> None:
    view = DataView()
    qtbot.addWidget(view)
    view.show_data(open_folder(folder, 8))
    view.resize(600, 400)
    view.show()
    view.sheet.grab()
    box, _ = view.sheet._places[1]
    assert view.sheet.name_at(box.center()) == "a/twin.png"
    assert view.sheet.name_at(QPointF(-5, -5)) == ""


def test_that_lines_of_what_was_left_out_are_copied_and_found(qtbot, tmp_path) -> None:
    page = LeftOut()
    qtbot.addWidget(page)
    page.set_files([("a/one.png", "is empty"), ("b/two.png", "is damaged")], tmp_path)
    page.copy.click()
    assert QGuiApplication.clipboard().text() == "a/one.png\tis empty\nb/two.png\tis damaged"
    page.table.setCurrentItem(page.table.topLevelItem(1))
    page.show()
    qtbot.waitExposed(page)
    page.table.setFocus()
    qtbot.keyClick(page.table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == "b/two.png\tis damaged"
    assert page.place() == tmp_path / "b"


def test_that_the_folder_of_the_chosen_file_is_opened(qtbot, tmp_path, monkeypatch) -> None:
    opened = []
    monkeypatch.setattr("app.stages.train_left_out.QDesktopServices.openUrl", lambda url: opened.append(url))
    page = LeftOut()
    qtbot.addWidget(page)
    page.set_files([("b/two.png", "is damaged")], tmp_path)
    page.show_folder.click()
    page.table.setCurrentItem(page.table.topLevelItem(0))
    page.show_folder.click()
    assert [Path(url.toLocalFile()) for url in opened] == [tmp_path, tmp_path / "b"]


def test_that_very_many_files_are_counted_and_still_copied(qtbot, tmp_path) -> None:
    page = LeftOut()
    qtbot.addWidget(page)
    page.set_files([(f"{number}.png", "is empty") for number in range(LISTED + 7)], tmp_path)
    assert page.table.topLevelItemCount() == LISTED
    assert "7 more" in page.rest.text()
    assert page.text().count("\n") == LISTED + 6


def test_that_every_fact_of_a_folder_is_told(folder) -> None:
    data = open_folder(folder, 8)
    (folder / "a" / "one.txt").write_text("a caption")
    told = facts_of(open_folder(folder, 8), open_folder(folder, 8).report)
    assert told["Pictures"].startswith("5 from 6 files, 1 could not be read")
    assert told["Sizes"] == "24 × 24 (4), 48 × 24 (1)"
    assert told["Kinds"] == "1 transparent"
    assert told["Classes"] == "2 sub-folders, from b (2) to a (3)"
    assert told["Captions"] == "1 pictures have a text beside them"
    assert told["Nearly the same"].startswith("1 groups")
    assert told["Learned at"] == "8 × 8"
    assert facts_of(data, data.report)["Captions"] == "none"


def test_that_many_sizes_are_counted() -> None:
    few = tuple((8 + number, 8, 9 - number) for number in range(8))
    report = FolderReport(sizes=few, different_sizes=30, smallest=(4, 4), largest=(900, 600))
    assert sizes(report) == (
        "8 × 8 (9), 9 × 8 (8), 10 × 8 (7), 11 × 8 (6), 12 × 8 (5), 13 × 8 (4) and 24 more, from 4 × 4 to 900 × 600"
    )


def test_that_a_number_of_bytes_is_short() -> None:
    assert [in_bytes(count) for count in (12_345, 12_345_678, 3_100_000_000)] == ["12 kB", "12.3 MB", "3.1 GB"]


def test_that_what_would_change_nothing_about_a_folder_says_why(folder, tmp_path) -> None:
    report = open_folder(folder, 8).report
    crop, background, frames = changes_nothing(report, Reading(8))
    assert (crop, background) == ("", "")
    assert "animated" in frames
    (tmp_path / "squares").mkdir()
    noise(5).save(tmp_path / "squares" / "5.png")
    crop, background, _frames = changes_nothing(open_folder(tmp_path / "squares", 8).report, Reading(8))
    assert "square" in crop
    assert "transparent" in background


def test_that_bars_make_the_background_count() -> None:
    report = FolderReport(files=2, sizes=((10, 20, 2),), different_sizes=1)
    assert changes_nothing(report, Reading(8))[1] != ""
    assert changes_nothing(report, Reading(8, crop="whole"))[1] == ""


def test_that_the_folders_own_size_is_offered_where_most_pictures_have_it() -> None:
    report = FolderReport(sizes=((28, 28, 90), (64, 64, 10)), different_sizes=2)
    assert own_side(report) == 28
    assert sides(report)["28"] == "28 × 28, as they are"
    assert "28" not in sides(FolderReport())
    assert own_side(FolderReport(sizes=((640, 480, 90),), different_sizes=1)) is None


def test_that_a_folders_own_size_is_read_as_it_is(folder, tmp_path) -> None:
    place = tmp_path / "own"
    place.mkdir()
    noise(1, 28, 28).save(place / "1.png")
    report = open_folder(place, 28).report
    assert sides(report, also=40)["40"] == "40 × 40"
    assert list(sides(report, also=40)) == ["16", "24", "28", "32", "40", "48", "64", "96", "128"]
