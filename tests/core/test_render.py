from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.errors import Refusal
from core.render import CAPTION, contact_sheet, enlarged, grid, strip, write_animation, write_npy, write_png


def cells(n: int, channels: int = 1) -> np.ndarray:
    return np.stack([np.full((3, 4, channels), 10 * (i + 1), np.uint8) for i in range(n)])


def test_that_a_grid_holds_its_pictures_row_by_row_with_gaps_between_them() -> None:
    sheet = grid(cells(5), columns=3, gap=2)
    assert sheet.shape == (3 + 2 + 3, 4 + 2 + 4 + 2 + 4, 1)
    assert sheet[:3, 12:, 0].tolist() == [[30] * 4] * 3
    assert sheet[5:, 6:10, 0].tolist() == [[50] * 4] * 3
    assert np.all(sheet[3:5] == 255)
    assert np.all(sheet[5:, 12:] == 255)


@pytest.mark.parametrize(("n", "columns"), [(1, 1), (2, 2), (4, 2), (5, 3), (16, 4), (17, 5)])
def test_that_a_grid_is_as_square_as_it_can_be(n: int, columns: int) -> None:
    assert grid(cells(n), gap=0).shape[1] == columns * 4


def test_that_one_picture_is_its_own_grid() -> None:
    assert np.array_equal(grid(cells(1, 3)), cells(1, 3)[0])


def test_that_a_strip_is_one_row() -> None:
    assert strip(cells(3), gap=1).shape == (3, 14, 1)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_that_a_png_holds_the_pixels_and_nothing_else(tmp_path: Path, channels: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 6, channels), dtype=np.uint8)
    write_png(tmp_path / "a.png", pixels)
    with Image.open(tmp_path / "a.png") as image:
        assert np.array_equal(np.asarray(image).reshape(pixels.shape), pixels)
        assert image.info == {}
    assert str(tmp_path).encode() not in (tmp_path / "a.png").read_bytes()


def test_that_npy_keeps_every_bit(tmp_path: Path) -> None:
    values = np.array([1.5, -7.25, 1e-20], np.float32)
    write_npy(tmp_path / "a.npy", values)
    assert np.load(tmp_path / "a.npy").tobytes() == values.tobytes()


def test_that_an_array_that_finds_no_room_says_why(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, before[1]))
    try:
        with pytest.raises(Refusal, match="File too large"):
            write_npy(tmp_path / "x.npy", np.zeros((1, 1, 32, 32), np.float32))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


def test_that_an_enlarged_picture_has_every_pixel_as_a_square() -> None:
    pixels = np.arange(12, dtype=np.uint8).reshape(1, 2, 3, 2)
    shown = enlarged(pixels, 3)
    assert shown.shape == (1, 6, 9, 2)
    assert np.array_equal(shown[:, ::3, ::3], pixels)
    assert np.array_equal(shown[:, 2::3, 2::3], pixels)


def test_that_a_contact_sheet_has_its_names_below_its_pictures() -> None:
    pictures = np.zeros((3, 20, 40, 3), np.uint8)
    sheet = contact_sheet(pictures, ["A", "", "B"], columns=2)
    cell = 20 + CAPTION + 4
    assert sheet.shape == (2 * cell + 4, 2 * 40 + 4, 3)
    assert np.all(sheet[:20, :40] == 0)
    assert sheet[20:cell, :40].min() < 128
    assert np.all(sheet[20:cell, 44:] == 255)
    assert not np.array_equal(sheet[20:cell, :40], sheet[cell + 24 :, :40])


def test_that_a_name_wider_than_its_picture_is_written_smaller() -> None:
    sheet = contact_sheet(np.zeros((1, 4, 48, 1), np.uint8), ["A–B 0.25"], columns=1)
    assert sheet.shape[1] == 48
    ink = np.flatnonzero((sheet[4:, :, 0] < 128).any(axis=0))
    assert ink.min() > 0
    assert ink.max() < 47


@pytest.mark.parametrize("ending", [".gif", ".webp", ".apng"])
def test_that_an_animation_has_its_frames_and_their_time(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a{ending}"
    write_animation(path, cells(4), milliseconds=70)
    with Image.open(path) as image:
        assert image.n_frames == 4
        shown = []
        for frame in range(4):
            image.seek(frame)
            image.load()
            assert image.info["duration"] == 70
            shown.append(np.asarray(image.convert("L"))[..., None])
    assert np.array_equal(np.stack(shown), cells(4))
