import io
import struct
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from core.conversion import centre_crop
from core.errors import Refusal
from core.images import OpenedImage, convert, default_conversion, display_pixels, from_pixels, open_image
from core.likeness import measure
from core.requests import Conversion

RAMP = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3) * 3


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def png_of(width: int, height: int, depth: int, colour: int, rows: bytes) -> bytes:
    """A PNG written from its specification, for what pillow itself does not write."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def refusal_of(source: Path | bytes, name: str = "a.png") -> str:
    with pytest.raises(Refusal) as caught:
        open_image(source, name)
    return str(caught.value)


# ------------------------------------------------------------------------------------------------ opening


def test_that_an_rgb_png_keeps_its_pixels(tmp_path: Path) -> None:
    path = tmp_path / "ramp.png"
    path.write_bytes(encoded(Image.fromarray(RAMP)))
    opened = open_image(path)
    assert np.array_equal(opened.pixels, RAMP)
    assert (opened.name, opened.notes, opened.size) == ("ramp.png", (), (4, 6))
    assert not opened.pixels.flags.writeable


def test_that_the_hash_is_of_the_pixels_and_not_of_the_file() -> None:
    png, bmp = (open_image(encoded(Image.fromarray(RAMP), kind)) for kind in ("PNG", "BMP"))
    other = open_image(encoded(Image.fromarray(RAMP.reshape(6, 4, 3))))
    assert png.sha256 == bmp.sha256 != other.sha256


@pytest.mark.parametrize(
    ("mode", "channels", "value", "expected"),
    [
        ("L", 1, 77, [77]),
        ("RGB", 3, (10, 20, 30), [10, 20, 30]),
        ("RGBA", 4, (10, 20, 30, 40), [10, 20, 30, 40]),
        ("RGBA", 3, (10, 20, 30, 255), [10, 20, 30]),
        ("LA", 4, (50, 60), [50, 50, 50, 60]),
        ("LA", 1, (50, 255), [50]),
        ("1", 1, 1, [255]),
        ("I;16", 1, 65535, [255]),
        ("I;16", 1, 32768, [128]),
        ("I;16", 1, 257 * 3, [3]),
    ],
)
def test_that_every_png_mode_becomes_eight_bits(mode: str, channels: int, value: object, expected: list[int]) -> None:
    opened = open_image(encoded(Image.new(mode, (5, 3), value)))
    assert opened.pixels.shape == (3, 5, channels)
    assert opened.pixels.dtype == np.uint8
    assert opened.pixels[2, 4].tolist() == expected


def test_that_sixteen_bit_grey_keeps_its_order_and_says_so() -> None:
    values = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    opened = open_image(encoded(Image.fromarray(values)))
    assert opened.pixels.ravel().tolist() == list(range(256))
    assert opened.notes == ("16 bits reduced to 8",)


def test_that_sixteen_bit_colour_is_reduced_and_says_so() -> None:
    row = b"\0" + struct.pack(">6H", 65535, 0, 0x8000, 0x1234, 0, 0)
    opened = open_image(png_of(2, 1, 16, 2, row))
    assert opened.pixels.tolist() == [[[255, 0, 128], [0x12, 0, 0]]]
    assert opened.notes == ("16 bits reduced to 8",)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0.0, 0.5, 1.0]], np.float32), [0, 128, 255]),
        (np.array([[-10.0, 0.0, 10.0]], np.float32), [0, 128, 255]),
        (np.array([[7.0, 7.0, 7.0]], np.float32), [0, 0, 0]),
        (np.array([[0.0, np.nan, 1.0]], np.float32), [0, 0, 255]),
        (np.array([[0, 100_000, 200_000]], np.int32), [0, 128, 255]),
    ],
)
def test_that_wide_tiff_values_are_brought_to_eight_bits(values: np.ndarray, expected: list[int]) -> None:
    opened = open_image(encoded(Image.fromarray(values), "TIFF"))
    assert opened.pixels[0, :, 0].tolist() == expected
    assert opened.notes


def test_that_a_palette_becomes_colours_and_keeps_its_transparency() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((1, 0), 1)
    solid, holed = open_image(encoded(image)), open_image(encoded(image, transparency=1))
    assert solid.pixels.tolist() == [[[255, 0, 0], [0, 0, 255]]]
    assert holed.pixels.tolist() == [[[255, 0, 0, 255], [0, 0, 255, 0]]]
    assert holed.notes == ("palette converted", "transparent parts")


@pytest.mark.parametrize(
    ("mode", "value", "kind"),
    [("CMYK", (0, 255, 255, 0), "JPEG"), ("YCbCr", (76, 85, 255), "TIFF"), ("CMYK", (0, 255, 255, 0), "TIFF")],
)
def test_that_print_and_video_colours_become_rgb(mode: str, value: tuple[int, ...], kind: str) -> None:
    opened = open_image(encoded(Image.new(mode, (16, 16), value), kind))
    assert np.abs(opened.pixels[8, 8].astype(int) - [255, 0, 0]).max() <= 3
    assert opened.notes == (f"{mode} converted",)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_that_exif_orientation_is_undone(orientation: int) -> None:
    # How a camera stores an upright picture so that the orientation brings it back (EXIF 2.3, tag 0x0112).
    stored = {
        1: RAMP,
        2: RAMP[:, ::-1],
        3: RAMP[::-1, ::-1],
        4: RAMP[::-1],
        5: RAMP.transpose(1, 0, 2),
        6: np.rot90(RAMP),
        7: RAMP[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(RAMP, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    opened = open_image(encoded(Image.fromarray(np.ascontiguousarray(stored)), exif=exif))
    assert np.array_equal(opened.pixels, RAMP)
    assert bool(opened.notes) == (orientation != 1)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_that_an_animation_gives_its_first_frame(kind: str) -> None:
    frames = [Image.new("RGB", (8, 8), (i * 60, 255 - i * 60, 0)) for i in range(4)]
    opened = open_image(encoded(frames[0], kind, save_all=True, append_images=frames[1:], lossless=True))
    assert np.abs(opened.pixels.astype(int) - [0, 255, 0]).max() <= 2
    assert any(note.startswith("first of 4 ") for note in opened.notes)


def test_that_a_misnamed_file_opens_and_is_said_to_be_misnamed() -> None:
    data = encoded(Image.fromarray(RAMP), "PNG")
    assert open_image(data, "photo.JPG").notes == ("a PNG file although its name ends in .jpg",)
    assert open_image(data, "photo.png").notes == open_image(data, "photo").notes == ()


def test_that_damaged_exif_does_not_refuse_a_good_picture() -> None:
    data = encoded(Image.fromarray(RAMP), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff rubbish", quality=95)
    assert open_image(data).pixels.shape == (4, 6, 3)


# ------------------------------------------------------------------------------------------------ refusing


def failures(folder: Path) -> dict[str, Path | bytes]:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    png, jpeg = encoded(Image.fromarray(noise)), encoded(Image.fromarray(noise), "JPEG")
    middle = len(png) // 2
    rubbish = b"\xff\xd8" + bytes(200)
    return {
        "0 bytes": b"",
        "ends too early": jpeg[: len(jpeg) // 2],
        "damaged and cannot be decoded": png[:middle] + bytes(100) + png[middle + 100 :],
        "header is damaged": rubbish,
        "not a picture that can be read": b"once upon a time",
        "megapixels": png_of(30_000, 30_000, 8, 2, b"\0"),
        "PDF document": b"%PDF-1.7 and so on",
        "shapes": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
        "film": b"\0\0\0\x18ftypmp42" + bytes(40),
        "HEIC": b"\0\0\0\x18ftypheic" + bytes(40),
        "is a folder": folder,
        "is not there": folder / "missing.png",
    }


@pytest.mark.parametrize("words", list(failures(Path())))
def test_that_what_cannot_be_opened_is_refused_in_its_own_words(words: str, tmp_path: Path) -> None:
    assert words in refusal_of(failures(tmp_path)[words])


def test_that_every_refusal_is_one_short_sentence_or_two_and_distinct(tmp_path: Path) -> None:
    told = [refusal_of(source) for source in failures(tmp_path).values()]
    assert len(set(told)) == len(told)
    assert all(len(words) < 160 and "\n" not in words and words.endswith(".") for words in told)


def test_that_a_bomb_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[str] = []
    monkeypatch.setattr(Image.Image, "load", lambda self: decoded.append("decoded"))
    for side in (10_001, 20_000, 60_000):
        assert "100 megapixels" in refusal_of(png_of(side, side, 8, 2, b"\0"))
    assert decoded == []


def test_that_a_truncated_png_is_refused() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert "ends too early" in refusal_of(encoded(Image.fromarray(noise))[:5000])


def test_that_a_damaged_tiff_says_nothing_on_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    data = bytearray(encoded(Image.fromarray(RAMP), "TIFF", compression="tiff_deflate"))
    data[20:30] = bytes(10)
    assert "damaged" in refusal_of(bytes(data))
    assert capfd.readouterr() == ("", "")


def test_that_a_pipe_is_refused_without_waiting_for_it() -> None:
    assert "not a file" in refusal_of(Path("/dev/zero"))


@given(st.data())
def test_that_damaged_bytes_are_opened_or_refused_but_never_raise_anything_else(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "TGA"]))
    good = bytearray(encoded(Image.fromarray(RAMP), kind))
    for _ in range(data.draw(st.integers(1, 6))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    damaged = bytes(good[: data.draw(st.integers(0, len(good)))])
    with suppress(Refusal):
        assert open_image(damaged).pixels.dtype == np.uint8


# ------------------------------------------------------------------------------------------------ converting


@given(
    st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 3, 4]), st.integers(1, 20), st.integers(1, 20),
    st.sampled_from([1, 3]),
)  # fmt: skip
def test_that_a_conversion_has_the_size_asked_for_and_keeps_a_plain_picture_plain(
    height: int, width: int, channels: int, h: int, w: int, c: int
) -> None:
    plain = np.full((height, width, channels), 90, np.uint8)
    plain[..., 3:] = 255
    converted = convert(plain, default_conversion(plain, (h, w), c))
    assert converted.shape == (h, w, c)
    assert np.all(converted == 90)


@given(st.integers(1, 500), st.integers(1, 500), st.integers(1, 64), st.integers(1, 64))
def test_that_the_default_crop_is_centred_inside_and_has_the_aspect_of_the_model(
    height: int, width: int, h: int, w: int
) -> None:
    left, top, right, bottom = centre_crop((height, width), (h, w))
    assert 0 <= left < right <= 1
    assert 0 <= top < bottom <= 1
    assert left + right == pytest.approx(1)
    assert top + bottom == pytest.approx(1)
    assert (right - left) * width / ((bottom - top) * height) == pytest.approx(w / h)
    assert max(right - left, bottom - top) == pytest.approx(1)


def test_that_whole_factors_average_areas_exactly() -> None:
    values = np.random.default_rng(1).integers(0, 256, (96, 64, 1), dtype=np.uint8)
    expected = values.reshape(12, 8, 8, 8).mean(axis=(1, 3))
    converted = convert(values, Conversion(size=(12, 8), channels=1))
    assert np.abs(converted[..., 0] - expected).max() <= 1


def test_that_tiny_pictures_grow_by_whole_factors_as_pixels() -> None:
    values = np.random.default_rng(1).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    assert np.array_equal(convert(values, Conversion(size=(32, 32))), values.repeat(4, 0).repeat(4, 1))


def test_that_a_picture_of_the_right_size_is_left_alone() -> None:
    values = np.random.default_rng(1).integers(0, 256, (100, 90, 3), dtype=np.uint8)
    assert np.array_equal(convert(values, Conversion(size=(100, 90))), values)


def test_that_cropping_takes_the_part_asked_for() -> None:
    values = np.zeros((100, 200, 1), np.uint8)
    values[25:75, 100:150] = 200
    part = Conversion(size=(10, 10), channels=1, crop=(0.5, 0.25, 0.75, 0.75))
    assert np.all(convert(values, part) == 200)


def test_that_luma_is_that_of_itu_r_601() -> None:
    colours = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    grey = convert(colours, Conversion(size=(1, 3), channels=1))
    assert np.abs(grey[0, :, 0] - np.array([0.299, 0.587, 0.114]) * 255).max() <= 1


def test_that_transparent_parts_show_the_background() -> None:
    pixels = np.array([[[200, 100, 0, 255], [200, 100, 0, 0], [200, 100, 0, 51]]], np.uint8)
    converted = convert(pixels, Conversion(size=(1, 3), background=(0, 50, 250)))
    assert converted.tolist() == [[[200, 100, 0], [0, 50, 250], [40, 60, 200]]]


def test_that_inverting_swaps_dark_and_light() -> None:
    straight = convert(RAMP, Conversion(size=(4, 6)))
    assert np.array_equal(convert(RAMP, Conversion(size=(4, 6), invert=True)), 255 - straight)


@pytest.mark.parametrize("crop", [(0.5, 0, 0.5, 1), (0, 0.9, 1, 0.1), (-0.1, 0, 1, 1), (0, 0, 1, 1.5)])
def test_that_an_empty_crop_is_refused(crop: tuple[float, float, float, float]) -> None:
    with pytest.raises(Refusal, match="crop"):
        convert(RAMP, Conversion(size=(4, 4), crop=crop))


def test_that_a_model_with_other_channels_refuses_pictures() -> None:
    with pytest.raises(Refusal, match="takes 2"):
        convert(RAMP, Conversion(size=(4, 4), channels=2))


def strokes(rng: np.random.Generator) -> np.ndarray:
    picture = np.zeros((32, 32, 1), np.uint8)
    top, left = rng.integers(4, 10, 2)
    picture[top : top + 16, left + 6 : left + 9] = 255
    picture[top : top + 3, left : left + 14] = 255
    return picture


def test_that_ink_on_paper_is_inverted_for_a_light_on_dark_model_and_light_ink_is_not() -> None:
    rng = np.random.default_rng(0)
    statistics = measure(np.stack([strokes(rng) for _ in range(100)]))
    ink = np.repeat(255 - strokes(rng), 3, axis=2)
    assert default_conversion(ink, (32, 32), 1, statistics).invert
    assert not default_conversion(255 - ink, (32, 32), 1, statistics).invert
    assert not default_conversion(ink, (32, 32), 1).invert
    assert not default_conversion(ink, (32, 32), 3, statistics).invert


# ------------------------------------------------------------------------------------------------ display


@pytest.mark.parametrize(("shape", "expected"), [((400, 1000, 3), (80, 200, 3)), ((150, 200, 1), (150, 200, 1))])
def test_that_display_pixels_fit_their_longer_side(shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    assert display_pixels(np.full(shape, 7, np.uint8), 200).shape == expected


def test_that_a_picture_one_pixel_high_stays_visible() -> None:
    assert display_pixels(np.full((1, 5000, 3), 7, np.uint8), 100).shape == (1, 100, 3)


def test_that_drawn_pixels_become_an_opened_image_of_their_own() -> None:
    drawn = np.zeros((28, 28), np.uint8)
    opened = from_pixels(drawn, "drawn")
    drawn[:] = 255
    assert isinstance(opened, OpenedImage)
    assert opened.pixels.shape == (28, 28, 1)
    assert opened.pixels.max() == 0


def test_that_opaque_alpha_is_dropped() -> None:
    assert from_pixels(np.full((2, 2, 4), 255, np.uint8)).pixels.shape[2] == 3
    assert from_pixels(np.full((2, 2, 4), 254, np.uint8)).pixels.shape[2] == 4
