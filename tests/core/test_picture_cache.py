"""Decoded pictures on the disk: reused, checked, bounded, and done without where they cannot be kept."""

from __future__ import annotations

import errno
import io
import os
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from core.errors import Cancelled, Refusal
from core.training import classification, dataset, picture_cache, picture_folder, picture_writer
from core.training.dataset import PictureFolder, open_folder
from core.training.picture_cache import cache_entries, cache_size, delete_cache
from core.training.picture_writer import PictureWriter
from core.training.reading import Reading
from core.training.split import last_of_ten


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DIFFUSCOPE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return filled(tmp_path / "pictures")


def filled(place: Path, n: int = 6, channels: int = 3) -> Path:
    place.mkdir()
    rng = np.random.default_rng(n)
    for index in range(n):
        pixels = rng.integers(0, 256, (8, 8, channels), dtype=np.uint8)
        Image.fromarray(pixels[..., 0] if channels == 1 else pixels).save(place / f"{index}.png")
    return place


def is_mapped(pictures: np.ndarray) -> bool:
    base = pictures
    while base is not None:
        if isinstance(base, np.memmap):
            return True
        base = getattr(base, "base", None)
    return False


@pytest.fixture
def decoding(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Filled by every reading of files."""
    begun: list[int] = []
    really = dataset.decode_all

    def counted(*what: object) -> object:
        begun.append(1)
        return really(*what)  # type: ignore[arg-type]

    monkeypatch.setattr(dataset, "decode_all", counted)
    return begun


# ------------------------------------------------------------------------------------------------ reused


def test_that_pictures_are_mapped_and_cannot_be_written_to(folder: Path) -> None:
    for _ in range(2):
        data = open_folder(folder, 8)
        assert is_mapped(data.pictures)
        assert not data.pictures.flags.writeable


def test_that_what_is_kept_is_what_was_decoded(folder: Path) -> None:
    first, again = open_folder(folder, 8), open_folder(folder, 8)
    np.testing.assert_array_equal(first.pictures, again.pictures)
    assert first.report == again.report
    assert (first.paths, first.statistics, first.sha256) == (again.paths, again.statistics, again.sha256)
    assert first.reading == again.reading == Reading(8)
    assert first.report.cache_bytes == cache_size() - len(str(folder))  # beside it lies whose it is
    assert Path(first.report.cache).is_dir()


def test_that_every_way_of_reading_is_kept_by_itself(folder: Path, decoding: list[int]) -> None:
    ways = [Reading(8), Reading(16), Reading(8, "whole"), Reading(8, background=(0, 0, 0)), Reading(8, frames="all")]
    for reading in (*ways, *ways):
        assert open_folder(folder, reading).reading == reading
    assert len(decoding) == len(ways)


@pytest.mark.parametrize(
    "change",
    [
        lambda place: (place / "9.png").write_bytes((place / "0.png").read_bytes()),
        lambda place: (place / "0.png").unlink(),
        lambda place: (place / "0.png").rename(place / "z.png"),
        lambda place: os.utime(place / "0.png", ns=(1, 1)),
        lambda place: (place / "0.png").write_bytes((place / "1.png").read_bytes() + b" "),
    ],
    ids=["added", "removed", "renamed", "written", "longer"],
)
def test_that_a_changed_folder_is_decoded_again(
    folder: Path, decoding: list[int], change: Callable[[Path], object]
) -> None:
    open_folder(folder, 8)
    change(folder)
    open_folder(folder, 8)
    assert len(decoding) == 2
    assert len(cache_entries()) == 1


# ------------------------------------------------------------------------------------------------ checked


@pytest.mark.parametrize("place", [0, 500, -1])
def test_that_one_flipped_bit_of_the_pictures_is_found(folder: Path, decoding: list[int], place: int) -> None:
    data = open_folder(folder, 8)
    kept = Path(data.report.cache) / "pictures.u8"
    content = bytearray(kept.read_bytes())
    del data
    content[place] ^= 4
    kept.write_bytes(bytes(content))
    again = open_folder(folder, 8)
    assert len(decoding) == 2
    np.testing.assert_array_equal(again.pictures[0], np.asarray(Image.open(folder / "0.png")))


@given(st.integers(0, 2000), st.integers(1, 255))
def test_that_any_flipped_byte_of_the_index_is_found(place: int, by: int) -> None:
    path = Path(os.environ["DIFFUSCOPE_HOME"]) / f"entry-{os.getpid()}"
    path.mkdir(parents=True, exist_ok=True)
    staging = path / ".staging"
    staging.mkdir(exist_ok=True)
    entry = path / "8-middle-ffffff-first-0000"
    (staging / "pictures.u8").write_bytes(b"12345678")
    assert picture_cache.finish_entry(staging, entry, path, {"fingerprint": "0", "shape": [2, 2, 2, 1]})
    assert picture_cache.read_entry(entry, "0", lambda pictures, index: True) is not None
    index = bytearray((entry / "index.json").read_bytes())
    index[place % len(index)] ^= by
    (entry / "index.json").write_bytes(bytes(index))
    assert picture_cache.read_entry(entry, "0", lambda pictures, index: True) is None
    assert not entry.exists()


@pytest.mark.parametrize("name", ["pictures.u8", "index.json"])
@pytest.mark.parametrize("content", [None, b"", b"short"])
def test_that_an_entry_that_is_cut_or_incomplete_is_made_again(
    folder: Path, decoding: list[int], name: str, content: bytes | None
) -> None:
    data = open_folder(folder, 8)
    file = Path(data.report.cache) / name
    expected = np.array(data.pictures)
    del data
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    np.testing.assert_array_equal(open_folder(folder, 8).pictures, expected)
    assert len(decoding) == 2


def test_that_what_is_cancelled_leaves_nothing(folder: Path) -> None:
    def cancel(done: int, total: int) -> None:
        if done == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        open_folder(folder, 8, cancel)
    assert cache_size() == 0
    assert len(open_folder(folder, 8)) == 6


def test_that_a_folder_that_goes_away_while_it_is_read_is_refused_not_kept_in_part(folder: Path) -> None:
    def goes_away(done: int, total: int) -> None:
        if done == 3:
            folder.rename(folder.with_name("elsewhere"))

    with pytest.raises(Refusal, match="moved or deleted while"):
        open_folder(folder, 8, goes_away)
    assert cache_size() == 0
    assert len(open_folder(folder.with_name("elsewhere"), 8)) == 6


def test_that_another_process_may_have_been_faster(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    really = picture_cache.finish_entry
    raced: list[bool] = []

    def race(staging: Path, path: Path, source: Path, index: object) -> bool:
        if not raced:
            raced.append(True)
            open_folder(folder, 8)
        return really(staging, path, source, index)  # type: ignore[arg-type]

    monkeypatch.setattr(dataset.cache, "finish_entry", race)
    data = open_folder(folder, 8)
    assert len(data) == 6
    assert is_mapped(data.pictures)
    assert len(cache_entries()) == 1


def test_that_all_who_read_a_folder_at_the_same_moment_end_with_what_is_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    together, really = threading.Barrier(4), picture_cache.finish_entry

    def finish(*what: object) -> bool:
        together.wait(10)
        return really(*what)  # type: ignore[arg-type]

    monkeypatch.setattr(dataset.cache, "finish_entry", finish)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: open_folder(folder, 8), range(4)))
    assert all(is_mapped(data.pictures) for data in found)
    assert len({data.report.cache for data in found}) == len(cache_entries()) == 1
    assert [path.name for path in Path(found[0].report.cache).parent.iterdir() if path.name[0] == "."] == []
    assert not caplog.records


def test_that_whoever_comes_last_does_not_take_away_what_others_have_just_made(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = picture_cache.finish_entry

    def twice(staging: Path, path: Path, source: Path, index: dict[str, object]) -> bool:
        later = path.parent / ".later"
        shutil.copytree(staging, later)
        assert really(staging, path, source, index)
        made = (path / "pictures.u8").stat().st_ino
        assert really(later, path, source, index)
        assert (path / "pictures.u8").stat().st_ino == made
        return True

    monkeypatch.setattr(dataset.cache, "finish_entry", twice)
    assert is_mapped(open_folder(folder, 8).pictures)


# ------------------------------------------------------------------------------------------------ bounded


def test_that_the_size_is_known_and_can_be_deleted(tmp_path: Path) -> None:
    a, b = filled(tmp_path / "a", 5), filled(tmp_path / "b", 7)
    open_folder(a, 8)
    open_folder(b, 8)
    open_folder(b, 16)
    assert {(entry.source, entry.words) for entry in cache_entries()} == {
        (str(a), "8-middle-ffffff-first"),
        (str(b), "8-middle-ffffff-first"),
        (str(b), "16-middle-ffffff-first"),
    }
    before = cache_size()
    assert before > 5 * 192 + 7 * 192 + 7 * 768
    given_back = delete_cache(b)
    assert given_back > 7 * 192 + 7 * 768
    assert cache_size() == before - given_back
    assert delete_cache() == before - given_back
    assert cache_size() == 0
    assert delete_cache() == 0


def test_that_pictures_in_use_outlive_their_deletion(folder: Path) -> None:
    data = open_folder(folder, 8)
    expected = np.array(data.pictures)
    delete_cache()
    np.testing.assert_array_equal(data.pictures, expected)


def test_that_beyond_the_limit_what_was_not_used_for_longest_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [filled(tmp_path / name, 5) for name in "abc"]
    for place in folders[:2]:
        open_folder(place, 8)
    old, new = sorted(cache_entries(), key=lambda entry: entry.source)
    os.utime(old.path / "index.json", (1, 1))
    os.utime(new.path / "index.json", (2, 2))
    open_folder(folders[0], 8)  # now "a" was used last
    monkeypatch.setattr(picture_cache, "MOST_BYTES", old.bytes * 5 // 2)
    open_folder(folders[2], 8)
    assert {entry.source for entry in cache_entries()} == {str(folders[0]), str(folders[2])}


def test_that_what_an_older_version_kept_makes_room(folder: Path, home: Path) -> None:
    (home / "cache" / "pictures").mkdir(parents=True)
    (home / "cache" / "pictures" / "0123.npz").write_bytes(b"old")
    assert cache_size() == 3
    open_folder(folder, 8)
    assert not list((home / "cache" / "pictures").glob("*.npz"))


def test_that_what_a_killed_process_left_makes_room(folder: Path) -> None:
    kept = Path(open_folder(folder, 8).report.cache)
    left = kept.parent / f".{kept.name[:40]}-999999999-abcd1234"
    left.mkdir()
    (left / "pictures.u8").write_bytes(b"half")
    (kept / "index.json").unlink()
    open_folder(folder, 8)
    assert not left.exists()


# ------------------------------------------------------------------------------------------------ full disks


class FullDisk(io.FileIO):
    """A file that takes so many bytes and no more."""

    room = 0

    def write(self, content: object) -> int:  # type: ignore[override]
        size = memoryview(content).nbytes  # type: ignore[arg-type]
        if size > FullDisk.room:
            super().write(memoryview(content)[: FullDisk.room])  # type: ignore[arg-type]
            raise OSError(errno.ENOSPC, "No space left on device")
        FullDisk.room -= size
        return super().write(content)  # type: ignore[arg-type]


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    really = Path.open

    def opened(path: Path, mode: str = "r", **more: object) -> object:
        if path.suffix in (".u8", ".wide") and "+" in mode:
            return FullDisk(path, mode.replace("b", ""))
        return really(path, mode, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", opened)


@pytest.mark.parametrize("room", [0, 3 * 192, 5 * 192 + 100])
def test_that_a_full_disk_leaves_a_small_folder_in_memory(
    folder: Path, full_disk: None, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    FullDisk.room = room
    data = open_folder(folder, 8)
    for index in range(6):
        np.testing.assert_array_equal(data.pictures[index], np.asarray(Image.open(folder / f"{index}.png")))
    assert not is_mapped(data.pictures)
    assert not data.pictures.flags.writeable
    assert (data.report.cache, data.report.cache_bytes) == ("", 0)
    assert cache_size() == 0


def test_that_a_full_disk_refuses_what_memory_cannot_hold(
    folder: Path, full_disk: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    FullDisk.room = 400
    monkeypatch.setattr(picture_writer, "IN_MEMORY", 1000)
    with pytest.raises(Refusal, match=r"too much to hold in memory\. The disk is full.* smaller size"):
        open_folder(folder, 8)
    assert cache_size() == 0


def test_that_an_index_that_cannot_be_written_leaves_the_pictures_in_memory(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset.cache, "finish_entry", lambda *what: False)
    data = open_folder(folder, 8)
    np.testing.assert_array_equal(data.pictures[5], np.asarray(Image.open(folder / "5.png")))
    assert not is_mapped(data.pictures)
    assert data.sha256 == PictureFolder("x", np.array(data.pictures), data.labels, ()).sha256


def test_that_no_cache_folder_refuses_what_memory_cannot_hold(
    folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.touch()
    monkeypatch.setattr(picture_writer, "IN_MEMORY", 1000)
    with pytest.raises(Refusal, match="cache folder cannot be written"):
        open_folder(folder, 8)


# ------------------------------------------------------------------------------------------------ the writer


@given(st.lists(st.booleans(), min_size=1, max_size=12), st.booleans())
def test_that_grey_is_one_channel_until_the_first_colour(coloured: list[bool], to_file: bool) -> None:
    path = Path(os.environ["DIFFUSCOPE_HOME"]).parent / f"{time.monotonic_ns()}.u8" if to_file else None
    writer, expected = PictureWriter(path, 2, len(coloured)), []
    for index, is_coloured in enumerate(coloured):
        picture = np.full((2, 2, 3), index, np.uint8)
        picture[..., 2] += 9 * is_coloured
        expected.append(picture)
        writer.add(picture if is_coloured or index % 2 else picture[..., :1])
    pictures = writer.finish()
    assert pictures.shape[3] == (3 if any(coloured) else 1)
    np.testing.assert_array_equal(np.broadcast_to(pictures, (len(coloured), 2, 2, 3)), np.stack(expected))
    assert is_mapped(pictures) == to_file
    writer.close()


# ------------------------------------------------------------------------------------------------ never copied whole


def test_that_a_mapped_folder_is_worked_with_without_copying_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where an array is worth a file, what is made of a mapped folder lies in one, or shows the same pictures."""
    monkeypatch.setattr(picture_writer, "SMALL", 100)
    data = open_folder(folder, 8)
    luma = data.in_channels(1)
    assert is_mapped(luma.pictures)
    wide = luma.in_channels(3)
    assert wide.pictures.base is not None
    np.testing.assert_array_equal(wide.pictures[..., 2], luma.pictures[..., 0])
    few = data.only(np.array([4, 1]))
    assert is_mapped(few.pictures)
    np.testing.assert_array_equal(few.pictures, data.pictures[[4, 1]])
    assert few.paths == ("4.png", "1.png")


def test_that_what_is_known_of_pictures_is_known_of_all_folders_that_hold_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = open_folder(filled(tmp_path / "many", 8), 8)
    colours = np.array(data.pictures)
    fresh = PictureFolder("fresh", colours, data.labels, ()).unflipped(("x",))
    expected = PictureFolder("x", colours, data.labels, (), kept_as_is=(1, 2)).sha256
    statistics = data.statistics
    monkeypatch.setattr(picture_folder, "measure", lambda pictures: pytest.fail("measured again"))
    monkeypatch.setattr(PictureFolder, "_digest", lambda data: pytest.fail("hashed again"))
    assert replace(data, aside=(3,)).sha256 == data.sha256
    assert replace(data, kept_as_is=(1, 2)).sha256 == expected
    assert replace(data, aside=(3,)).statistics == statistics
    with pytest.raises(pytest.fail.Exception):
        _ = fresh.sha256
    with pytest.raises(pytest.fail.Exception):
        _ = data.in_channels(1).sha256


def test_that_the_hash_is_that_of_all_bytes_in_one(folder: Path) -> None:
    import hashlib

    data = open_folder(folder, 8)
    whole = repr((data.pictures.shape, data.classes)).encode() + data.pictures.tobytes() + data.labels.tobytes()
    assert data.sha256 == hashlib.sha256(whole).hexdigest()


def test_that_what_is_kept_apart_keeps_its_own_paths(tmp_path: Path) -> None:
    for name in ("cats", "dogs"):
        (tmp_path / "pets").mkdir(exist_ok=True)
        filled(tmp_path / "pets" / name, 12)
    data = open_folder(tmp_path / "pets", 8).unflipped(("dogs/*",))
    train, aside = classification.apart(data, last_of_ten(data))
    assert (len(train), len(aside)) == (22, 2)
    assert aside.paths == ("cats/7.png", "dogs/7.png")  # the tenth of 0, 1, 10, 11, 2, ...
    assert aside.flippable.tolist() == [True, False]
    assert [path.startswith("cats") for path in train.paths] == train.flippable.tolist()
