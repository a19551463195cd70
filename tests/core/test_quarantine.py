"""Whatever lies in a folder: it is read as it should be, or set aside with a reason that helps."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from core.errors import Refusal
from core.training import decoding
from core.training.dataset import PictureFolder, open_folder
from core.training.reading import Reading


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFUSCOPE_HOME", str(tmp_path / "home"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "pictures"
    place.mkdir()
    return place


NOISE = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)


def encoded(pixels: np.ndarray, kind: str, mode: str | None = None, **options: object) -> bytes:
    stream = io.BytesIO()
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(stream, kind, **options)
    return stream.getvalue()


PNG, JPEG = encoded(NOISE, "PNG"), encoded(NOISE, "JPEG")


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def bomb() -> bytes:
    """A small PNG that would be 40,000 x 40,000 pixels, 1.6 GB, when decoded."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 40_000, 40_000, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


def text_bomb() -> bytes:
    """A PNG whose comment unpacks to 100 MB."""
    comments = PngImagePlugin.PngInfo()
    comments.add_text("Comment", "a" * 100_000_000, zip=True)
    return encoded(NOISE, "PNG", pnginfo=comments)


BAD = {
    "empty.png": (b"", "empty (0 bytes)"),
    "cut.png": (PNG[: len(PNG) // 2], "ends too early"),
    "cut.jpg": (JPEG[: len(JPEG) // 2], "ends too early"),
    "damaged.png": (PNG[:50] + b"\xff" * 40 + PNG[90:], "damaged"),
    "header.png": (b"\x89PNG\r\n\x1a\nnothing", "header is damaged"),
    "letter.png": (b"Dear all, this is a letter.", "not a picture that can be read"),
    "page.jpg": (b"%PDF-1.7 ...", "PDF document"),
    "drawing.png": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "made of shapes"),
    "film.gif": (b"\0\0\0\x18ftypmp42" + b"\0" * 40, "a film"),
    "phone.jpg": (b"\0\0\0\x18ftypheic" + b"\0" * 40, "HEIC photograph"),
    "script.png": (b"#!/bin/sh\ntouch /tmp/never\n", "not a picture that can be read"),
    "drawn.eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture that can be read"),
    "bomb.png": (bomb(), "more than 100 megapixels"),
}


@pytest.mark.parametrize("name", BAD)
def test_that_a_bad_file_is_set_aside_with_its_own_reason(folder: Path, name: str) -> None:
    content, reason = BAD[name]
    (folder / "good.png").write_bytes(PNG)
    (folder / name).write_bytes(content)
    data = open_folder(folder, 16)
    assert data.paths == ("good.png",)
    ((path, why),) = data.report.quarantined
    assert path == name
    assert reason in why
    assert why.startswith(name)
    assert data.skipped == data.report.quarantined


def test_that_all_bad_files_together_leave_the_good_ones(folder: Path) -> None:
    for name, (content, _) in BAD.items():
        (folder / name).write_bytes(content)
    (folder / "good.png").write_bytes(PNG)
    data = open_folder(folder, 16)
    np.testing.assert_array_equal(data.pictures, NOISE[None])
    assert sorted(path for path, _ in data.skipped) == sorted(BAD)
    assert data.report.files == len(BAD) + 1


def test_that_a_comment_that_unpacks_without_end_is_not_unpacked(folder: Path) -> None:
    (folder / "good.png").write_bytes(PNG)
    (folder / "talks.png").write_bytes(text_bomb())
    assert len(open_folder(folder, 16).skipped) == 1


def test_that_a_file_that_may_not_be_read_is_set_aside(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "good.png").write_bytes(PNG)
    (folder / "secret.png").write_bytes(PNG)
    really = Path.open

    def guarded(path: Path, *how: object, **more: object) -> object:
        if path.name == "secret.png":
            raise PermissionError(13, "Permission denied")
        return really(path, *how, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", guarded)
    ((path, why),) = open_folder(folder, 16).skipped
    assert path == "secret.png"
    assert "Change its permissions" in why


def test_that_a_link_to_nowhere_and_a_closed_folder_are_listed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "good.png").write_bytes(PNG)
    (folder / "gone.png").symlink_to(folder / "nowhere.png")
    (folder / "closed").mkdir()
    from core.training import scan

    really = scan.os.scandir

    def guarded(path: Path) -> object:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied")
        return really(path)

    monkeypatch.setattr(scan.os, "scandir", guarded)
    listed = dict(scan.list_pictures(folder).closed)
    assert "not there any more" in listed["gone.png"]
    assert "Change its permissions" in listed["closed"]


def test_that_a_file_that_goes_while_the_folder_is_read_is_set_aside(folder: Path) -> None:
    (folder / "a.png").write_bytes(PNG)
    for name in ("b.png", "c.png"):
        (folder / name).write_bytes(PNG)

    def take_away(done: int, total: int) -> None:
        (folder / "c.png").unlink(missing_ok=True)

    ((path, why),) = open_folder(folder, 16, take_away).skipped
    assert path == "c.png"
    assert "moved or renamed" in why


# ------------------------------------------------------------------------------------------------ what is read


def one(folder: Path, name: str, content: bytes, reading: Reading | int = 16) -> PictureFolder:
    (folder / name).write_bytes(content)
    return open_folder(folder, reading)


def kinds(data: PictureFolder) -> dict[str, int]:
    return dict(data.report.kinds)


def test_that_a_jpeg_called_png_is_read(folder: Path) -> None:
    data = one(folder, "photo.png", JPEG)
    expected = np.asarray(Image.open(io.BytesIO(JPEG)))
    np.testing.assert_array_equal(data.pictures[0], expected)
    assert kinds(data) == {"misnamed": 1}


def test_that_16_bits_become_8_by_their_whole_range(folder: Path) -> None:
    wide = (np.arange(256, dtype=np.uint16) * 257).reshape(16, 16)
    data = one(folder, "wide.png", encoded(wide, "PNG"))
    np.testing.assert_array_equal(data.pictures[0, ..., 0], np.arange(256).reshape(16, 16))
    assert kinds(data) == {"16-bit": 1}


def test_that_cmyk_becomes_red_green_and_blue(folder: Path) -> None:
    ink = np.zeros((16, 16, 4), np.uint8)
    ink[..., 0] = 255  # cyan alone
    stream = io.BytesIO()
    Image.fromarray(ink, "CMYK").save(stream, "TIFF")
    data = one(folder, "ink.tif", stream.getvalue())
    assert data.pictures[0, 8, 8].tolist() == [0, 255, 255]
    assert kinds(data) == {"CMYK": 1}


def test_that_a_palette_becomes_its_colours(folder: Path) -> None:
    flat = np.full((16, 16, 3), (204, 51, 0), np.uint8)
    data = one(folder, "palette.png", encoded(flat, "PNG", "P"))
    np.testing.assert_array_equal(data.pictures[0], flat)
    assert kinds(data) == {"palette": 1}


@pytest.mark.parametrize("background", [(255, 255, 255), (0, 0, 0), (10, 200, 30)])
def test_that_transparent_parts_show_the_chosen_background(folder: Path, background: tuple[int, int, int]) -> None:
    pixels = np.zeros((16, 16, 4), np.uint8)
    pixels[:, :8] = (255, 0, 0, 255)
    data = one(folder, "half.png", encoded(pixels, "PNG"), Reading(16, background=background))
    assert data.pictures[0, 4, 4].tolist() == [255, 0, 0]
    assert data.pictures[0, 4, 12].tolist() == list(background)
    assert kinds(data) == {"transparent": 1}


def test_that_a_photograph_is_turned_upright(folder: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    data = one(folder, "turned.png", encoded(NOISE, "PNG", exif=exif))
    np.testing.assert_array_equal(data.pictures[0], NOISE[::-1, ::-1])
    assert kinds(data) == {"rotated": 1}


def gif(colours: list[tuple[int, int, int]]) -> bytes:
    frames = [Image.new("RGB", (16, 16), colour) for colour in colours]
    stream = io.BytesIO()
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:], duration=50)
    return stream.getvalue()


COLOURS = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]


def test_that_of_an_animation_the_first_frame_is_taken(folder: Path) -> None:
    data = one(folder, "moves.gif", gif(COLOURS))
    assert data.paths == ("moves.gif",)
    assert data.pictures[0, 0, 0].tolist() == [255, 0, 0]
    assert kinds(data)["animated"] == 1


def test_that_of_an_animation_every_frame_is_taken_where_that_is_wanted(folder: Path) -> None:
    (folder / "still.png").write_bytes(PNG)
    data = one(folder, "moves.gif", gif(COLOURS), Reading(16, frames="all"))
    assert data.paths == ("moves.gif#1", "moves.gif#2", "moves.gif#3", "still.png")
    assert [tuple(picture[0, 0].tolist()) for picture in data.pictures[:3]] == COLOURS
    assert (data.report.files, data.report.pictures) == (2, 4)


def test_that_an_animation_without_end_is_cut(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "MOST_FRAMES", 2)
    data = one(folder, "moves.gif", gif(COLOURS), Reading(16, frames="all"))
    assert data.paths == ("moves.gif#1", "moves.gif#2")
    ((path, why),) = data.skipped
    assert path == "moves.gif"
    assert "3 frames: those after the first 2 are left out" in why


def test_that_an_animation_that_ends_too_early_keeps_its_good_frames(folder: Path) -> None:
    noisy = [Image.fromarray(np.roll(NOISE, shift, 0)) for shift in range(3)]
    stream = io.BytesIO()
    noisy[0].save(stream, "WEBP", save_all=True, append_images=noisy[1:], lossless=True, duration=50)
    whole = stream.getvalue()
    data = one(folder, "moves.webp", whole, Reading(16, frames="all"))
    assert len(data) == 3
    cut = gif(COLOURS)[:-30]
    (folder / "cut.gif").write_bytes(cut)
    again = open_folder(folder, Reading(16, frames="all"))
    assert len(again) >= 3  # what is left of it is kept or named, and never a crash
    assert {path.partition("#")[0] for path in again.paths} | {path for path, _ in again.skipped} == {
        "moves.webp",
        "cut.gif",
    }


# ------------------------------------------------------------------------------------------------ all of a picture


def test_that_the_whole_of_a_wide_picture_lies_between_bars(folder: Path) -> None:
    wide = np.full((8, 32, 3), (0, 100, 200), np.uint8)
    data = one(folder, "wide.png", encoded(wide, "PNG"), Reading(16, "whole", (9, 8, 7)))
    picture = data.pictures[0]
    assert (picture[:6] == (9, 8, 7)).all()
    assert (picture[6:10] == (0, 100, 200)).all()
    assert (picture[10:] == (9, 8, 7)).all()


def test_that_grey_pictures_stay_grey_between_grey_bars_alone(folder: Path) -> None:
    tall = np.full((32, 8), 90, np.uint8)
    grey = one(folder, "tall.png", encoded(tall, "PNG"), Reading(16, "whole", (255, 255, 255)))
    assert grey.pictures.shape == (1, 16, 16, 1)
    assert grey.pictures[0, 8, :, 0].tolist() == [255] * 6 + [90] * 4 + [255] * 6
    assert one(folder, "tall.png", encoded(tall, "PNG"), Reading(16, "whole", (255, 0, 0))).pictures.shape[3] == 3


def test_that_a_square_picture_is_the_same_either_way(folder: Path) -> None:
    (folder / "a.png").write_bytes(PNG)
    assert open_folder(folder, Reading(8, "whole")).sha256 == open_folder(folder, Reading(8, "middle")).sha256


def test_that_a_thread_is_a_thin_line_and_no_error(folder: Path) -> None:
    data = one(folder, "thread.png", encoded(np.zeros((1, 3000), np.uint8), "PNG"), Reading(16, "whole"))
    assert (data.pictures[0] == 0).sum() == 16


# ------------------------------------------------------------------------------------------------ what is said of it


def test_that_the_report_counts_sizes_captions_and_others(folder: Path) -> None:
    for index, side in enumerate((8, 8, 8, 20)):
        noise = np.random.default_rng(index).integers(0, 256, (side, side, 3), dtype=np.uint8)
        (folder / f"{index}.png").write_bytes(encoded(noise, "PNG"))
    (folder / "0.txt").write_text("the first, ünusual one\n")
    (folder / "notes.txt").write_text("of nothing")
    (folder / "film.srt").write_text("0")
    data = open_folder(folder, 8)
    report = data.report
    assert report.sizes == ((8, 8, 3), (20, 20, 1))
    assert (report.smallest, report.largest, report.different_sizes) == ((8, 8), (20, 20), 2)
    assert (report.captions, report.others, report.channels) == (1, 2, 3)
    assert data.caption(0) == "the first, ünusual one"
    assert data.caption(1) is None
    (folder / "1.txt").write_text("another")
    assert open_folder(folder, 8).report.captions == 2  # also where the pictures come from the cache


def test_that_a_caption_is_read_within_bounds_whatever_it_holds(folder: Path) -> None:
    (folder / "a.png").write_bytes(PNG)
    (folder / "a.txt").write_bytes(b"\xff\xfe" + b"x" * 1_000_000)
    caption = open_folder(folder, 16).caption(0)
    assert caption is not None
    assert len(caption) <= 64_000


def test_that_the_caption_of_a_frame_is_that_of_its_file(folder: Path) -> None:
    (folder / "moves.txt").write_text("red, green, blue")
    data = one(folder, "moves.gif", gif(COLOURS), Reading(16, frames="all"))
    assert [data.caption(index) for index in range(3)] == ["red, green, blue"] * 3


def test_that_a_folder_of_nothing_readable_says_why_of_each(folder: Path) -> None:
    for name, (content, _) in BAD.items():
        (folder / name).write_bytes(content)
    with pytest.raises(Refusal, match=f"None of the {len(BAD)} pictures") as refused:
        open_folder(folder)
    for name, (_, reason) in BAD.items():
        assert name in refused.value.details
        assert reason in refused.value.details
