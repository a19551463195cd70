"""Pictures of one size with their classes: what a network is trained on, and measured with."""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import Refusal
from core.likeness import measure
from core.training.mapped import check_whole
from core.training.picture_writer import room_for
from core.training.reading import FolderReport, Reading
from core.training.scan import caption_of

MEASURED = 10_000
AT_ONCE = 1000
"""Pictures that are converted together."""

Size = tuple[int, int]
Rows = NDArray[np.int64]
NOTHING_FOUND = FolderReport()


@dataclass(frozen=True, eq=False)
class PictureFolder:
    """A folder's pictures as a network is trained on them.

    ``pictures`` (n, size, size, channels) uint8, one channel where every picture is grey, else three. ``labels``
    int64 (n,) are indices into ``classes`` (the sub-folders' names, sorted), all 0 where there are none.
    ``skipped`` lists what could not be read as (name within the folder, why). ``source`` is the folder itself;
    ``found`` are (width, height) of the smallest and of the largest picture before they were cropped and scaled.
    ``paths`` name each picture's file within the folder ("name.gif#3" is its third frame); those numbered in
    ``kept_as_is`` are never mirrored, and those in ``aside`` never trained on. ``reading`` says how the files were
    read, ``report`` what was found in them; None, and empty, of pictures that come from no folder. ``pictures`` may be
    a file that is mapped into memory: it cannot be written to, is never to be copied whole, and is read with ``at``
    where much time may have passed.
    """

    name: str
    pictures: NDArray[np.uint8]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...] = ()
    source: Path | None = None
    found: tuple[Size, ...] = ()
    paths: tuple[str, ...] = ()
    kept_as_is: tuple[int, ...] = ()
    aside: tuple[int, ...] = ()
    reading: Reading | None = None
    report: FolderReport = NOTHING_FOUND
    _known: list[tuple[str, tuple[object, ...], Any]] = field(default_factory=list, repr=False)

    def __len__(self) -> int:
        return len(self.pictures)

    def at(self, rows: Rows) -> NDArray[np.uint8]:
        """Some of the pictures, a copy. Raises CutShort where their file has been."""
        check_whole(self.pictures)
        some: NDArray[np.uint8] = self.pictures[rows]
        return some

    def measured(self) -> PictureFolder:
        """Itself, its statistics and hash computed now, so that nobody waits for them later."""
        _ = self.statistics, self.sha256
        return self

    @property
    def statistics(self) -> tuple[float, ...]:
        """What the pictures look like (core/likeness.py), of very many some, evenly spread."""
        few = slice(None, None, -(-len(self.pictures) // MEASURED))
        found: tuple[float, ...] = self._once("statistics", (self.pictures,), lambda: measure(self.pictures[few]))
        return found

    def with_statistics(self, statistics: tuple[float, ...]) -> PictureFolder:
        """Itself, with what was measured of these pictures before."""
        self._once("statistics", (self.pictures,), lambda: statistics)
        return self

    @property
    def sha256(self) -> str:
        """The hash of pictures and labels: what the network sees, wherever the files lie."""
        digest = self._once("digest", (self.pictures, self.labels, self.classes), self._digest).copy()
        digest.update(repr(self.kept_as_is).encode() if self.kept_as_is else b"")
        return str(digest.hexdigest())

    def _digest(self) -> Any:
        digest = hashlib.sha256(repr((self.pictures.shape, self.classes)).encode(errors="surrogateescape"))
        for start in range(0, len(self), AT_ONCE):
            check_whole(self.pictures)
            digest.update(np.ascontiguousarray(self.pictures[start : start + AT_ONCE]).data)
        digest.update(self.labels.tobytes())
        return digest

    def _once(self, what: str, of: tuple[object, ...], find: Callable[[], Any]) -> Any:
        """What ``find`` finds out about the very objects ``of``: also of other folders that were made from this one."""
        for name, objects, value in self._known:
            if name == what and all(map(operator.is_, objects, of)):
                return value
        value = find()
        self._known.append((what, of, value))
        return value

    @property
    def flippable(self) -> NDArray[np.bool_]:
        """Which pictures may be mirrored, (n,)."""
        may = np.ones(len(self), dtype=np.bool_)
        may[list(self.kept_as_is)] = False
        return may

    @property
    def trained_on(self) -> NDArray[np.int64]:
        """The numbers of the pictures that a network learns from, int64, rising."""
        rows: NDArray[np.int64] = np.delete(np.arange(len(self), dtype=np.int64), self.aside)
        return rows

    def unflipped(self, patterns: tuple[str, ...]) -> PictureFolder:
        """The same where no picture is mirrored whose path matches one of ``patterns``, such as "Flags/*"."""
        matching = [index for index, path in enumerate(self.paths) if any(fnmatchcase(path, one) for one in patterns)]
        return self if tuple(matching) == self.kept_as_is else replace(self, kept_as_is=tuple(matching))

    def only(self, rows: NDArray[np.int64]) -> PictureFolder:
        """The pictures numbered ``rows`` by themselves."""
        pictures = room_for((len(rows), *self.pictures.shape[1:]))
        for start in range(0, len(rows), AT_ONCE):
            pictures[start : start + AT_ONCE] = self.at(rows[start : start + AT_ONCE])
        place = {int(row): index for index, row in enumerate(rows)}
        return replace(
            self,
            pictures=pictures,
            labels=self.labels[rows],
            paths=tuple(self.paths[row] for row in rows) if self.paths else (),
            kept_as_is=tuple(sorted(place[row] for row in self.kept_as_is if row in place)),
            aside=tuple(sorted(place[row] for row in self.aside if row in place)),
        )

    def caption(self, index: int) -> str | None:
        """The text that lies beside a picture's file; None where there is none."""
        if self.source is None or not self.paths:
            return None
        path, is_frame = self.paths[index], self.reading is not None and self.reading.frames == "all"
        name, mark, number = path.rpartition("#")
        return caption_of(self.source / (name if is_frame and mark and number.isdigit() else path))

    def in_channels(self, channels: int) -> PictureFolder:
        """The same with grey as equal red, green and blue (3), or with colours as their luma (1; ITU-R BT.601).

        Raises Refusal for another number of channels than the pictures have or can be given.
        """
        has = self.pictures.shape[3]
        if channels == has:
            return self
        if channels not in (1, 3):
            raise Refusal(f"The model takes {channels} channels: pictures cannot be converted to that.")
        if channels == 3:
            return replace(self, pictures=np.broadcast_to(self.pictures, (*self.pictures.shape[:3], 3)))
        pictures = room_for((*self.pictures.shape[:3], 1))
        for start in range(0, len(pictures), AT_ONCE):
            check_whole(self.pictures)
            pictures[start : start + AT_ONCE] = _luma(self.pictures[start : start + AT_ONCE])
        return replace(self, pictures=pictures)


def _luma(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    weighted = pictures @ np.array([19595, 38470, 7471], dtype=np.uint32)  # 0.299, 0.587, 0.114 in units of 2^-16
    return ((weighted + 32768) >> 16)[..., None].astype(np.uint8)
