"""From the files of a folder to pictures of one size, several files at once. Torch-free."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.conversion import Pixels, convert, default_conversion
from core.errors import Refusal
from core.images import Frame, open_frames
from core.requests import Conversion
from core.training.reading import Reading

MOST_FRAMES = 1000
"""Of one file; the rest of a longer animation is left out."""
MOST_THREADS = 8
AHEAD = 4
"""Files a thread that are decoded before they are asked for."""
LARGE = 50_000
"""Bytes of a file from which on its decoding, which threads share, outweighs the rest, which they cannot."""

KINDS = (
    ("although its name", "misnamed"),
    ("16 bits", "16-bit"),
    ("float values", "float"),
    ("stretched to 8 bits", "32-bit"),
    ("1 bit", "1-bit"),
    ("CMYK", "CMYK"),
    ("palette", "palette"),
    ("transparent", "transparent"),
    ("as its EXIF says", "rotated"),
    ("frames", "animated"),
    ("pages", "several pages"),
    ("behind it are damaged", "animated"),
)
"""What stands in a note of core/images.py, and the kind of file that it tells of."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """What became of one file: ``pictures`` uint8 (side, side, 1 or 3) with their ``names``, its (width, height).

    ``trouble`` says why nothing came of it, or what is missing behind the pictures that came.
    """

    pictures: tuple[Pixels, ...] = ()
    names: tuple[str, ...] = ()
    size: tuple[int, int] = (0, 0)
    kinds: tuple[str, ...] = ()
    trouble: str = ""


def decode(path: Path, name: str, reading: Reading) -> Decoded:
    """The picture of a file, or its frames: "name.gif#1", "name.gif#2", ... Raises nothing for a file."""
    pictures: list[Pixels] = []
    names: list[str] = []
    kinds: set[str] = set()
    size, trouble = (0, 0), ""
    most = MOST_FRAMES if reading.frames == "all" else 1
    try:
        for frame in open_frames(path, most):
            size = size if pictures else (frame.pixels.shape[1], frame.pixels.shape[0])
            kinds.update(_kinds(frame))
            pictures.append(square(frame.pixels, reading))
            names.append(name if most == 1 or frame.count == 1 else f"{name}#{frame.number}")
            if most > 1 and frame.count > most:
                trouble = f"{path.name} has {frame.count:,} frames: those after the first {most:,} are left out."
    except Refusal as refusal:
        trouble = f"Only {len(pictures)} frames: {refusal}" if pictures else str(refusal)
    return Decoded(tuple(pictures), tuple(names), size, tuple(sorted(kinds)), trouble)


def square(pixels: Pixels, reading: Reading) -> Pixels:
    """A picture, uint8 (H, W, 1, 3 or 4), as ``reading`` says: uint8 (size, size, 1 or 3)."""
    channels, side = 1 if pixels.shape[2] == 1 else 3, reading.size
    if reading.crop == "middle":
        middle = default_conversion(pixels, (side, side), channels)
        return convert(pixels, Conversion(middle.size, channels, middle.crop, background=reading.background))
    longest = max(pixels.shape[:2])
    height, width = (max(1, round(side * length / longest)) for length in pixels.shape[:2])
    inner = convert(pixels, Conversion((height, width), channels, background=reading.background))
    if (height, width) == (side, side):
        return inner
    bars = np.array(reading.background, np.uint8)
    whole = np.empty((side, side, 1 if channels == 1 and (bars == bars[0]).all() else 3), np.uint8)
    whole[:] = bars[: whole.shape[2]]
    top, left = (side - height) // 2, (side - width) // 2
    whole[top : top + height, left : left + width] = inner
    return whole


def decode_all(folder: Path, names: Sequence[str], weight: int, reading: Reading) -> Iterator[Decoded]:
    """What became of each file, in order; only few are held at a time. ``weight`` is the sum of the files' bytes."""

    def one(name: str) -> Decoded:
        return decode(folder / name, name, reading)

    threads = min(MOST_THREADS, os.cpu_count() or 1)
    if threads == 1 or weight < LARGE * len(names):
        return map(one, names)
    return _ahead(one, names, threads)


def _ahead(one: Callable[[str], Decoded], names: Sequence[str], threads: int) -> Iterator[Decoded]:
    waiting: deque[Future[Decoded]] = deque()
    pool = ThreadPoolExecutor(threads, "decoding")
    try:
        for name in names:
            waiting.append(pool.submit(one, name))
            if len(waiting) > AHEAD * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _kinds(frame: Frame) -> set[str]:
    return {kind for note in frame.notes for words, kind in KINDS if words in note}
