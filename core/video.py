"""Films as MP4, through PyAV where it is installed: H.264, which players, browsers and slides show. Files of films by
their ending."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from core.errors import Refusal
from core.files import write_file
from core.recipe import Recipe
from core.render import ANIMATIONS, write_animation, write_beside

Pixels = NDArray[np.uint8]

ENDING = ".mp4"
FILMS = (*ANIMATIONS, ENDING)
"""Endings of all files of films."""
HOW_TO_INSTALL = "MP4 needs PyAV. Install it with: pip install av"
QUALITY = "12"
"""The encoder's constant rate factor: nothing to be seen is lost, and the noise of x_t keeps its grain."""


def why_not() -> str:
    """Why no MP4 can be written here; "" where it can."""
    return "" if importlib.util.find_spec("av") is not None else HOW_TO_INSTALL


def check_film(path: Path | None) -> None:
    """Raise Refusal before the work is done where it is to end in a film that cannot be written here."""
    if path is not None and path.suffix.lower() == ENDING and why_not():
        raise Refusal(f"{HOW_TO_INSTALL} – or name a .gif, .apng or .webp instead.")


def write_film(path: Path, pictures: Pixels, milliseconds: int, recipe: Recipe, *, hold: int = 0) -> None:
    """Write frames (n, H, W, 1|3) as a film of the kind that the ending names. Raises Refusal."""
    if path.suffix.lower() == ENDING:
        write_video(path, pictures, milliseconds, recipe, hold=hold)
    else:
        write_animation(path, pictures, milliseconds, recipe, hold=hold)


def write_video(
    path: Path,
    frames: Iterable[Pixels],
    milliseconds: int,
    recipe: Recipe | None = None,
    *,
    hold: int = 0,
    on_frame: Callable[[int], object] = lambda _: None,
) -> None:
    """Write frames (H, W, 1|3) uint8 as a film, and its recipe beside it as <name>.mp4.json.

    The last frame stays ``hold`` milliseconds longer. Odd sizes grow by a row or a column, which H.264 cannot do
    without. ``on_frame`` hears how many frames there were so far, and may raise to leave; then nothing is written.
    Raises Refusal.
    """
    check_film(path)
    av = importlib.import_module("av")

    def write(stream: BinaryIO) -> None:
        try:
            _encode(av, stream, frames, milliseconds, hold, "" if recipe is None else recipe.sentence, on_frame)
        except av.FFmpegError as error:
            if isinstance(error, OSError) and error.errno:
                raise OSError(error.errno, error.strerror) from error
            raise Refusal("The film could not be encoded. Name a .gif, .apng or .webp instead.", repr(error)) from error

    write_file(path, write)
    write_beside(path, recipe)


def _encode(
    av: Any,
    stream: BinaryIO,
    frames: Iterable[Pixels],
    milliseconds: int,
    hold: int,
    about: str,
    on_frame: Callable[[int], object],
) -> None:
    with av.open(stream, "w", format="mp4") as container:
        container.metadata["comment"] = about
        video = None
        for number, pixels in enumerate(_held(frames, round(hold / milliseconds), on_frame)):
            if video is None:
                video = container.add_stream("libx264", rate=Fraction(1000, milliseconds))
                video.height, video.width = pixels.shape[:2]
                video.pix_fmt = "yuv420p"
                video.options = {"crf": QUALITY, "preset": "medium"}
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts = number
            container.mux(video.encode(frame))
        if video is not None:
            container.mux(video.encode(None))


def _held(frames: Iterable[Pixels], times: int, on_frame: Callable[[int], object]) -> Iterator[Pixels]:
    """The frames as they are encoded, the last one so many times more."""
    last: list[Pixels] = []
    for done, pixels in enumerate(frames):
        on_frame(done)
        last = [_even(pixels)]
        yield from last
    yield from last * times


def _even(pixels: Pixels) -> Pixels:
    """The same in colour, with an even number of rows and columns."""
    height, width, channels = pixels.shape
    padded = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return np.ascontiguousarray(padded.repeat(3, axis=2) if channels == 1 else padded)
