"""Some pictures of a folder as they lie on the disk, read away from the GUI thread."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from app.log import logger
from app.stages.train_loader import Background
from core.conversion import display_pixels
from core.errors import Refusal
from core.images import Frame, open_frames
from core.training.dataset import PictureFolder

FIRST, SEEN, SHOWN = 8, 32, 12
"""The first few are shown at once; of so many pictures so many are: best those of which something has to be made."""
KEPT_SIDE = 384
"""Pixels of the longer side that an original is kept with."""


@dataclass(frozen=True, eq=False)
class Original:
    """Picture ``index`` of the folder: ``pixels`` uint8 (H, W, 1|3|4), scaled down from ``size`` (width, height);
    ``notes`` say what was done to open it."""

    index: int
    path: str
    pixels: NDArray[np.uint8]
    size: tuple[int, int]
    notes: tuple[str, ...] = ()

    @property
    def is_plain(self) -> bool:
        """A square picture that needed nothing to be done."""
        return self.size[0] == self.size[1] and not self.notes


class Originals(QObject):
    """Attributes: ``found``, unusual ones first. Signals: ``read()`` when they are others."""

    read = Signal()

    def __init__(self, background: Background, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._background = background
        self._token = threading.Event()
        self.found: tuple[Original, ...] = ()

    def ask(self, data: PictureFolder, draw: int) -> None:
        """Read some pictures of ``data``, in the place of those before: evenly spread ones, for another ``draw``
        others."""
        self._token.set()
        token = self._token = threading.Event()
        indices = chosen(min(len(data.paths), len(data)), draw)

        def look(found: tuple[Original, ...], now: Sequence[int], later: Sequence[int]) -> None:
            def done(more: tuple[Original, ...]) -> None:
                if token.is_set():
                    return
                self.found = unusual_first(found + more)
                self.read.emit()
                if later:
                    look(found + more, later, ())

            def failed(error: Exception) -> None:
                logger.error("originals cannot be shown", exc_info=error)

            self._background.in_background(lambda: originals(data, now, token.is_set), done, failed, "originals")

        look((), indices[:FIRST], indices[FIRST:])

    def forget(self) -> None:
        self._token.set()
        self.found = ()


def originals(
    data: PictureFolder, indices: Sequence[int], is_cancelled: Callable[[], bool] = lambda: False
) -> tuple[Original, ...]:
    """Those of these pictures that can still be read."""
    if data.source is None:
        return ()
    found: list[Original] = []
    for index in indices:
        if is_cancelled():
            break
        path = data.paths[index]
        try:
            frame = opened(data.source, path)
        except Refusal:  # it has gone since the folder was read
            continue
        height, width = frame.pixels.shape[:2]
        found.append(Original(index, path, display_pixels(frame.pixels, KEPT_SIDE), (width, height), frame.notes))
    return tuple(found)


def unusual_first(found: Sequence[Original]) -> tuple[Original, ...]:
    """At most SHOWN of them, otherwise in their order."""
    return tuple(sorted(found, key=lambda original: original.is_plain)[:SHOWN])


def opened(folder: Path, name: str) -> Frame:
    """A picture by its name within the folder; "name.gif#3" is the third frame of an animation. Raises Refusal."""
    file, _, number = name.rpartition("#")
    if file and number.isdecimal() and not (folder / name).exists():
        return deque(open_frames(folder / file, int(number)), maxlen=1)[0]
    return next(open_frames(folder / name, 1))


def chosen(count: int, draw: int) -> list[int]:
    """The numbers of at most SEEN pictures of ``count``, from coarse to fine."""
    if draw == 0:
        spread = np.linspace(0, count - 1, min(SEEN, count)).round().astype(int)
        return [int(spread[place]) for place in coarse_to_fine(len(spread))]
    drawn: list[int] = np.random.default_rng(draw).choice(count, min(SEEN, count), replace=False).tolist()
    return drawn


def coarse_to_fine(count: int) -> list[int]:
    """0 to ``count`` - 1 by their bits read backwards: the first few are spread over all (van der Corput 1935)."""
    bits = max(1, (count - 1).bit_length())
    backwards = [int(f"{place:0{bits}b}"[::-1], 2) for place in range(2**bits)]
    return [place for place in backwards if place < count]
