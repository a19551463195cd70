"""Opening any picture safely.

Pixels are uint8, shape (height, width, channels), upright. A file is untrusted data: its size is read from the header
and refused before anything is decoded, only formats that are decoded in-process are tried, and every failure becomes a
``Refusal`` that says what to do.
"""

from __future__ import annotations

import ctypes
import hashlib
import io
import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from PIL.Image import Transpose

from core.conversion import centre_crop, convert, default_conversion, display_pixels
from core.errors import Refusal
from core.pixel_modes import pixels_of

__all__ = [
    "FORMATS",
    "MAX_PIXELS",
    "Frame",
    "OpenedImage",
    "centre_crop",
    "convert",
    "default_conversion",
    "display_pixels",
    "from_pixels",
    "open_frames",
    "open_image",
    "pixels_hash",
]

Pixels = NDArray[np.uint8]

MAX_PIXELS = 100_000_000
"""Larger pictures are refused from their header (a 100-megapixel colour picture takes 300 MB when decoded)."""

FORMATS = (
    "PNG", "JPEG", "GIF", "WEBP", "AVIF", "BMP", "DIB", "TIFF", "ICO", "JPEG2000", "PPM", "TGA", "PCX", "PSD",
)  # fmt: skip

_SIGNATURES = {
    b"\x89PNG": "PNG", b"\xff\xd8": "JPEG", b"GIF8": "GIF", b"RIFF": "WebP", b"BM": "BMP",
    b"II*\0": "TIFF", b"MM\0*": "TIFF",
}  # fmt: skip
_EXIF_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
logging.getLogger("PIL").addHandler(logging.NullHandler())  # else its complaints are printed where nobody logs


@dataclass(frozen=True, slots=True, eq=False)
class OpenedImage:
    """A decoded picture.

    ``pixels`` (H, W, C) uint8, read-only, C is 1 (grey), 3 (RGB) or 4 (RGBA, only where something is transparent).
    ``sha256`` is that of shape and pixels, so the same picture has it whatever its file. ``notes`` say what was done.
    """

    pixels: Pixels
    sha256: str
    name: str
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.pixels.shape[0], self.pixels.shape[1]


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """``pixels`` and ``notes`` as those of an OpenedImage; it is the ``number``-th (from 1) of ``count``."""

    pixels: Pixels
    notes: tuple[str, ...]
    number: int
    count: int


def open_image(source: Path | bytes | BinaryIO, name: str = "") -> OpenedImage:
    """Decode the (first) picture of a file, of bytes or of an open binary stream. Raises Refusal."""
    if isinstance(source, Path):
        with _opened(source) as stream:
            return _decode(stream, name or source.name)
    stream = io.BytesIO(source) if isinstance(source, bytes) else source
    return _decode(stream, name or "The picture")


def open_frames(path: Path, most: int) -> Iterator[Frame]:
    """The first ``most`` pictures of an animation or of a file of several pages; of any other file its only one.

    Raises Refusal, for a frame that is damaged after those before it.
    """
    with _opened(path) as stream:
        yield from _frames(stream, path.name, most)


def from_pixels(pixels: Pixels, name: str = "picture", notes: tuple[str, ...] = ()) -> OpenedImage:
    """An ``OpenedImage`` of pixels that are already there (drawn, pasted, generated); (H, W) or (H, W, 1|3|4) uint8."""
    pixels = np.array(pixels[..., None] if pixels.ndim == 2 else pixels, dtype=np.uint8, order="C")
    if pixels.shape[2] == 4 and pixels[..., 3].min() == 255:
        pixels = np.ascontiguousarray(pixels[..., :3])
    pixels.flags.writeable = False
    return OpenedImage(pixels, pixels_hash(pixels), name, notes)


def pixels_hash(pixels: Pixels) -> str:
    """SHA-256 (hex) of the shape and the decoded values."""
    digest = hashlib.sha256("x".join(map(str, pixels.shape)).encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


# ------------------------------------------------------------------------------------------------ opening


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        if path.is_dir():
            raise Refusal(f"{path.name} is a folder. Choose a picture inside it.")
        if path.exists() and not path.is_file():
            raise Refusal(f"{path.name} is a device or a pipe, not a file. Choose a picture file.")
        stream = path.open("rb")
    except FileNotFoundError as error:
        raise Refusal(f"{path.name} is not there. It may have been moved or renamed.", str(error)) from error
    except PermissionError as error:
        raise Refusal(
            f"{path.name} may not be read. Change its permissions or copy it elsewhere.", str(error)
        ) from error
    except (OSError, ValueError) as error:
        raise Refusal(
            f"{path.name!r} cannot be opened ({error}). Copy it to this computer's disk.", str(error)
        ) from error
    with stream:
        yield stream


def _decode(stream: BinaryIO, name: str) -> OpenedImage:
    (frame,) = _frames(stream, name, 1)
    return from_pixels(frame.pixels, name, frame.notes)


def _frames(stream: BinaryIO, name: str, most: int) -> Iterator[Frame]:
    head = b""
    try:
        head = stream.read(32)
        stream.seek(0)
        if not head:
            raise Refusal(f"{name} is empty (0 bytes). Copy or download it again.")
        with _WITHOUT_WARNINGS:
            yield from _decoded(stream, name, head, most)
    except Refusal:
        raise
    except MemoryError as error:
        raise Refusal(f"There is not enough memory to decode {name}. Close something or scale it down.") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(name, str(error)) from error
    except UnidentifiedImageError as error:
        raise _not_a_picture(name, head, error) from error
    except Exception as error:  # decoders raise OSError, SyntaxError, ValueError, struct.error, ...
        raise _damaged(name, error) from error


def _decoded(stream: BinaryIO, name: str, head: bytes, most: int) -> Iterator[Frame]:
    image = Image.open(stream, formats=FORMATS)
    if image.width * image.height > MAX_PIXELS:
        raise _too_large(name, f"{image.width} × {image.height}")
    if image.format == "TIFF":
        _silence_libtiff()
    image.load()
    count, unit, about_frames = _counted_frames(image)
    for number in range(1, max(1, min(most, count)) + 1):
        if number > 1:
            image.seek(number - 1)
            if image.width * image.height > MAX_PIXELS:
                raise _too_large(name, f"{image.width} × {image.height}")
            about_frames = [f"{number} of {count} {unit}"]
        notes = [*_name_note(name, image.format or ""), *_depth_note(head)]
        pixels = pixels_of(_upright(image, notes), notes)
        yield Frame(pixels, (*notes, *about_frames), number, count)


class _WithoutWarnings:
    """Pillow's complaints become nothing, its alarm about bombs an exception, while anybody decodes.

    Filters belong to the whole process: the first thread to come exchanges them, the last to leave puts them back.
    """

    def __init__(self) -> None:
        self._lock, self._inside = threading.Lock(), 0

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._before = warnings.catch_warnings()
                self._before.__enter__()
                warnings.simplefilter("ignore")
                warnings.simplefilter("error", Image.DecompressionBombWarning)
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._before.__exit__(None, None, None)


_WITHOUT_WARNINGS = _WithoutWarnings()


@cache
def _silence_libtiff() -> None:
    # libtiff prints what is wrong with a file to standard error by itself; pillow raises it as well.
    with suppress(AttributeError, OSError):
        ctypes.CDLL(import_module("PIL._imaging").__file__).TIFFSetErrorHandler(None)


def _too_large(name: str, details: str) -> Refusal:
    limit = MAX_PIXELS // 1_000_000
    return Refusal(f"{name} has more than {limit} megapixels when decoded. Scale it down or crop it first.", details)


def _damaged(name: str, error: Exception) -> Refusal:
    words = str(error).lower()
    if "truncated" in words or "not processed" in words or isinstance(error, EOFError):
        return Refusal(f"{name} ends too early: a part of the file is missing. Copy or download it again.", repr(error))
    return Refusal(f"{name} is damaged and cannot be decoded. Copy or download it again.", repr(error))


def _not_a_picture(name: str, head: bytes, error: Exception) -> Refusal:
    for signature, kind in _SIGNATURES.items():
        if head.startswith(signature):
            return Refusal(f"{name} begins like a {kind} file but its header is damaged. Copy it again.", repr(error))
    if head[4:8] == b"ftyp" and head[8:12] in (b"heic", b"heix", b"mif1", b"hevc"):
        hint = "is a HEIC photograph, which cannot be read here. Save it as JPEG or PNG first."
    elif head[4:8] == b"ftyp" or head.startswith(b"\x1aE\xdf\xa3"):
        hint = "is a film, not a picture. Save one of its frames as PNG or JPEG."
    elif head.startswith(b"%PDF"):
        hint = "is a PDF document, not a picture. Save the page as PNG first."
    elif head.lstrip().startswith((b"<svg", b"<?xml")):
        hint = "is a drawing made of shapes (SVG or XML), not of pixels. Export it as PNG first."
    else:
        hint = "is not a picture that can be read. Use PNG, JPEG, WebP, GIF, BMP or TIFF."
    return Refusal(f"{name} {hint}", repr(error))


# ------------------------------------------------------------------------------------------------ what was done


def _name_note(name: str, kind: str) -> list[str]:
    extensions: dict[str, str] = Image.registered_extensions()
    suffix = Path(name).suffix.lower()
    named = extensions.get(suffix)
    family = {"MPO": "JPEG", "DIB": "BMP"}
    if named is None or family.get(named, named) == family.get(kind, kind):
        return []
    return [f"a {kind} file although its name ends in {suffix}"]


def _depth_note(head: bytes) -> list[str]:
    # Pillow itself keeps only the high byte of 16-bit colour PNG; grey is scaled in _wide_grey, which says so itself.
    return ["16 bits reduced to 8"] if head.startswith(b"\x89PNG") and head[24] == 16 and head[25] != 0 else []


def _counted_frames(image: Image.Image) -> tuple[int, str, list[str]]:
    """How many pictures a file holds, what they are called, and what to say of its first."""
    if image.format == "MPO":
        return 1, "", []
    try:
        frames = int(getattr(image, "n_frames", 1))
    except Exception:  # the frames behind the first may be damaged; the first is here
        return 1, "", ["the first frame; those behind it are damaged"]
    unit = "pages" if image.format == "TIFF" else "layers" if image.format == "PSD" else "frames"
    if frames <= 1 or unit == "layers":
        return 1, unit, []
    return frames, unit, [f"first of {frames} {unit}"]


def _upright(image: Image.Image, notes: list[str]) -> Image.Image:
    try:
        turn = _UPRIGHT.get(image.getexif().get(_EXIF_ORIENTATION, 1))
    except Exception:  # damaged metadata are no reason to refuse a good picture
        turn = None
    if turn is None:
        return image
    notes.append("mirrored as its EXIF says" if turn in _MIRRORS else "rotated as its EXIF says")
    return image.transpose(turn)


_MIRRORS = (Transpose.FLIP_LEFT_RIGHT, Transpose.FLIP_TOP_BOTTOM, Transpose.TRANSPOSE, Transpose.TRANSVERSE)
