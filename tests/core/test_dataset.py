"""Pictures of a folder."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.errors import Cancelled, Refusal
from core.training import dataset, decoding, picture_folder
from core.training.dataset import PictureFolder, open_folder
from core.training.picture_cache import delete_cache
from core.training.reading import Reading


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DIFFUSCOPE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "pictures"


def put(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def grey(value: int, side: int = 8) -> np.ndarray:
    return np.full((side, side), value, dtype=np.uint8)


def coloured(side: int = 8) -> np.ndarray:
    return np.stack([grey(10, side), grey(120, side), grey(250, side)], axis=2)


def test_that_sub_folders_become_classes_in_the_order_of_their_names(folder: Path) -> None:
    put(folder / "dog" / "a.png", grey(10))
    put(folder / "cat" / "b.png", grey(20))
    put(folder / "cat" / "deeper" / "c.png", grey(30))
    data = open_folder(folder, 8)
    assert data.classes == ("cat", "dog")
    by_value = {int(picture[0, 0, 0]): int(label) for picture, label in zip(data.pictures, data.labels, strict=True)}
    assert by_value == {10: 1, 20: 0, 30: 0}


def test_that_a_folder_without_sub_folders_has_no_classes(folder: Path) -> None:
    put(folder / "a.png", grey(1))
    put(folder / "B.PNG", grey(2))
    data = open_folder(folder, 8)
    assert data.classes == ()
    assert data.labels.tolist() == [0, 0]
    assert data.name == "pictures"


def test_that_pictures_at_their_own_size_keep_every_value(folder: Path) -> None:
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    put(folder / "a.png", pixels)
    np.testing.assert_array_equal(open_folder(folder, 8).pictures[0, :, :, 0], pixels)


def test_that_a_wide_picture_is_cropped_to_its_middle(folder: Path) -> None:
    pixels = np.zeros((8, 24), dtype=np.uint8)
    pixels[:, 8:16] = 200
    put(folder / "a.png", pixels)
    np.testing.assert_array_equal(open_folder(folder, 8).pictures[0, :, :, 0], grey(200))


def test_that_all_grey_pictures_have_one_channel_even_if_stored_in_colour(folder: Path) -> None:
    put(folder / "a.png", grey(5))
    put(folder / "b.png", np.stack([grey(7)] * 3, axis=2))
    assert open_folder(folder, 8).pictures.shape == (2, 8, 8, 1)


def test_that_one_coloured_picture_gives_all_three_channels(folder: Path) -> None:
    put(folder / "a.png", grey(5))
    put(folder / "b.png", coloured())
    data = open_folder(folder, 8)
    assert data.pictures.shape == (2, 8, 8, 3)
    assert data.pictures[0, 0, 0].tolist() == [5, 5, 5]
    assert data.pictures[1, 0, 0].tolist() == [10, 120, 250]


def test_that_unreadable_files_are_skipped_and_listed(folder: Path) -> None:
    put(folder / "good.png", grey(5))
    (folder / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    (folder / "notes.txt").write_text("not a picture at all")
    data = open_folder(folder, 8)
    assert len(data) == 1
    assert [name for name, _ in data.skipped] == ["bad.png"]
    assert open_folder(folder, 8).skipped == data.skipped


def test_that_an_unchanged_folder_is_not_decoded_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(folder / "x" / "a.png", grey(5))
    put(folder / "y" / "b.png", coloured())
    first = open_folder(folder, 8)
    monkeypatch.setattr(dataset, "decode_all", lambda *what: pytest.fail("decoded again"))
    again = open_folder(folder, 8)
    np.testing.assert_array_equal(again.pictures, first.pictures)
    assert (again.sha256, again.classes) == (first.sha256, first.classes)


def test_that_a_changed_picture_is_seen(folder: Path) -> None:
    put(folder / "a.png", grey(5))
    before = open_folder(folder, 8)
    put(folder / "a.png", grey(6))
    os.utime(folder / "a.png", ns=(1, 1))
    after = open_folder(folder, 8)
    assert after.pictures[0, 0, 0, 0] == 6
    assert after.sha256 != before.sha256


def test_that_a_damaged_cache_is_made_again(folder: Path, home: Path) -> None:
    put(folder / "a.png", grey(5))
    open_folder(folder, 8)
    (kept,) = (home / "cache" / "pictures").glob("*/*/pictures.u8")
    kept.write_bytes(kept.read_bytes()[:100])
    assert open_folder(folder, 8).pictures[0, 0, 0, 0] == 5


def test_that_progress_reaches_the_number_of_files(folder: Path) -> None:
    for index in range(3):
        put(folder / f"{index}.png", grey(index))
    told: list[tuple[int, int]] = []
    open_folder(folder, 8, lambda done, total: told.append((done, total)))
    assert list(dict.fromkeys(told)) == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_that_an_empty_folder_is_refused(folder: Path) -> None:
    folder.mkdir()
    with pytest.raises(Refusal, match="no pictures"):
        open_folder(folder)


def test_that_a_missing_folder_is_refused(folder: Path) -> None:
    with pytest.raises(Refusal, match="not a folder"):
        open_folder(folder)


def test_that_a_folder_of_broken_pictures_is_refused(folder: Path) -> None:
    folder.mkdir()
    (folder / "bad.png").write_bytes(b"")
    with pytest.raises(Refusal, match=r"The one picture in .* cannot be read. bad.png is empty \(0 bytes\)"):
        open_folder(folder)


def test_that_pictures_beside_classes_are_refused(folder: Path) -> None:
    put(folder / "class" / "a.png", grey(1))
    put(folder / "loose.png", grey(2))
    with pytest.raises(Refusal, match="One picture lies in pictures itself"):
        open_folder(folder)


def test_that_pictures_beside_classes_are_refused_before_all_are_decoded(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(folder / "class" / "a.png", grey(1))
    put(folder / "loose.png", grey(2))
    monkeypatch.setattr(dataset, "decode_all", lambda *what: pytest.fail("decoded all"))
    with pytest.raises(Refusal, match="lies in pictures itself"):
        open_folder(folder, 8)


def test_that_what_cannot_be_read_beside_classes_is_left_out_as_anywhere(folder: Path) -> None:
    put(folder / "cats" / "a.png", grey(1))
    put(folder / "dogs" / "a.png", grey(2))
    (folder / "thumbs.png").write_bytes(b"no picture")
    data = open_folder(folder, 8)
    assert data.classes == ("cats", "dogs")
    assert [name for name, _ in data.skipped] == ["thumbs.png"]


def test_that_hidden_files_and_folders_are_left_out(folder: Path) -> None:
    put(folder / "cat" / "a.png", grey(1))
    put(folder / "dog" / "b.png", grey(2))
    put(folder / "dog" / ".b.png", grey(3))
    put(folder / ".ipynb_checkpoints" / "c.png", grey(4))
    data = open_folder(folder, 8)
    assert data.classes == ("cat", "dog")
    assert len(data) == 2


def test_that_training_needs_no_cache(folder: Path, home: Path) -> None:
    put(folder / "a.png", grey(1))
    home.touch()
    assert len(open_folder(folder, 8)) == 1


def test_that_a_folder_that_changes_does_not_fill_the_cache(folder: Path, home: Path) -> None:
    for value in range(3):
        put(folder / f"{value}.png", grey(value))
        assert len(open_folder(folder, 8)) == value + 1
    assert len(list((home / "cache" / "pictures").iterdir())) == 1


# ---------------------------------------------------------------------------------------------------- links


def test_that_a_linked_folder_is_a_class_like_any_other(folder: Path, tmp_path: Path) -> None:
    put(tmp_path / "elsewhere" / "a.png", grey(10))
    put(folder / "cat" / "b.png", grey(20))
    (folder / "dog").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    data = open_folder(folder, 8)
    assert data.classes == ("cat", "dog")
    assert len(data) == 2


def test_that_links_in_a_circle_end_and_no_picture_counts_twice(folder: Path) -> None:
    put(folder / "cat" / "a.png", grey(10))
    put(folder / "dog" / "b.png", grey(20))
    (folder / "cat" / "home").symlink_to(folder, target_is_directory=True)
    (folder / "cat" / "aside").symlink_to(folder / "dog", target_is_directory=True)
    (folder / "dog" / "self").symlink_to(folder / "dog", target_is_directory=True)
    data = open_folder(folder, 8)
    assert [data.classes[label] for label in data.labels] == ["cat", "dog"]


def test_that_links_to_nowhere_and_to_single_pictures_are_taken_as_files_are(folder: Path, tmp_path: Path) -> None:
    put(tmp_path / "elsewhere" / "a.png", grey(10))
    put(folder / "b.png", grey(20))
    (folder / "c.png").symlink_to(tmp_path / "elsewhere" / "a.png")
    (folder / "d.png").symlink_to(tmp_path / "gone.png")
    assert len(open_folder(folder, 8)) == 2


# ---------------------------------------------------------------------------------------------------- channels


def test_that_colours_become_their_luma_as_pillow_has_it() -> None:
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
    data = PictureFolder("colours", pictures, np.zeros(3, np.int64), ())
    luma = data.in_channels(1)
    expected = np.stack([np.asarray(Image.fromarray(picture).convert("L")) for picture in pictures])
    np.testing.assert_array_equal(luma.pictures[..., 0], expected)
    assert luma.sha256 != data.sha256


def test_that_grey_becomes_equal_red_green_and_blue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_folder, "AT_ONCE", 2)
    pictures = np.arange(5, dtype=np.uint8)[:, None, None, None].repeat(8, 1).repeat(8, 2)
    data = PictureFolder("grey", pictures, np.zeros(5, np.int64), ())
    assert data.in_channels(1) is data
    np.testing.assert_array_equal(data.in_channels(3).pictures, pictures.repeat(3, axis=3))


def test_that_other_channels_are_refused() -> None:
    data = PictureFolder("grey", np.zeros((1, 8, 8, 1), np.uint8), np.zeros(1, np.int64), ())
    with pytest.raises(Refusal, match="takes 4 channels"):
        data.in_channels(4)


def test_that_pictures_know_the_folder_they_came_from(folder: Path) -> None:
    put(folder / "a.png", grey(10))
    assert open_folder(folder, 8).source == folder
    assert open_folder(folder, 8).source == folder  # from the cache too


def test_that_the_smallest_and_the_largest_size_are_known_also_from_the_cache(folder: Path) -> None:
    put(folder / "a.png", np.zeros((10, 30), dtype=np.uint8))
    put(folder / "b.png", np.zeros((40, 20), dtype=np.uint8))
    put(folder / "c.png", np.zeros((16, 20), dtype=np.uint8))
    assert open_folder(folder, 8).found == ((30, 10), (20, 40))
    assert open_folder(folder, 8).found == ((30, 10), (20, 40))


def test_that_a_folder_that_may_not_be_opened_is_not_called_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(path: Path) -> list[str]:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("core.training.scan.os.listdir", forbidden)
    with pytest.raises(Refusal, match=r"may not be opened\. Change its permissions"):
        open_folder(tmp_path)


# ---------------------------------------------------------------------------------------------------- several at once


def test_that_decoding_several_files_at_once_changes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    for index in range(60):
        put(folder / f"{index % 3}" / f"{index}.png", rng.integers(0, 256, (index + 8, 20, 3), dtype=np.uint8))
    (folder / "1" / "bad.png").write_bytes(b"no")
    one_by_one = open_folder(folder, 8)
    delete_cache()
    monkeypatch.setattr(decoding, "LARGE", 0)
    monkeypatch.setattr(decoding.os, "cpu_count", lambda: 4)
    at_once = open_folder(folder, 8)
    assert at_once.sha256 == one_by_one.sha256
    assert (at_once.paths, at_once.skipped) == (one_by_one.paths, one_by_one.skipped)


def test_that_decoding_several_files_at_once_holds_few_and_can_be_cancelled(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for index in range(100):
        put(folder / f"{index:03}.png", grey(index))
    monkeypatch.setattr(decoding, "LARGE", 0)
    monkeypatch.setattr(decoding.os, "cpu_count", lambda: 2)
    begun: list[str] = []
    really = decoding.decode

    def counted(path: Path, name: str, reading: Reading) -> decoding.Decoded:
        begun.append(name)
        return really(path, name, reading)

    monkeypatch.setattr(decoding, "decode", counted)

    def cancel(done: int, total: int) -> None:
        if done == 10:
            raise Cancelled

    with pytest.raises(Cancelled):
        open_folder(folder, 8, cancel)
    assert len(begun) <= 10 + decoding.AHEAD * 2 + 2
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("decoding")]


def test_that_a_colour_after_many_grey_pictures_widens_them_all(folder: Path) -> None:
    for index in range(20):
        put(folder / f"{index:02}.png", grey(index))
    put(folder / "last.png", coloured())
    data = open_folder(folder, 8)
    assert data.pictures.shape == (21, 8, 8, 3)
    assert data.pictures[:20, 3, 3].tolist() == [[value] * 3 for value in range(20)]
    assert data.pictures[20, 3, 3].tolist() == [10, 120, 250]
