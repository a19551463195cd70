"""Pictures put one behind the other into a file, or into memory where no file can be written. Torch-free."""

from __future__ import annotations

import io
import logging
import math
import os
import tempfile
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from core.errors import Refusal
from core.files import write_refusal
from core.folders import cache_folder

IN_MEMORY = 1_000_000_000
"""Bytes of pictures that are held in memory where they cannot be kept on the disk."""
BLOCK = 1 << 24
"""Bytes that are copied at once."""
SMALL = 1 << 28
"""Bytes of an array that is not worth a file."""

Pictures = NDArray[np.uint8]
log = logging.getLogger("diffuscope.training")


def room_for(shape: tuple[int, ...]) -> Pictures:
    """An array to be filled: in memory where it is small, else in a file that goes with it."""
    if math.prod(shape) > SMALL:
        try:
            with tempfile.TemporaryFile(dir=cache_folder()) as file:
                _reserve(file.fileno(), math.prod(shape))
                return np.asarray(np.memmap(file, np.uint8, "r+", shape=shape))
        except (OSError, Refusal) as error:
            log.warning("pictures are held in memory, for no file can be made: %s", error)
    return np.empty(shape, np.uint8)


def _reserve(file: int, length: int) -> None:
    """Make a file so long that it can be written to through memory, where a full disk would end the process."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, length)
    else:
        os.truncate(file, length)


def _unbuffered(path: Path) -> BinaryIO:
    """What could not be written would be lost in a buffer."""
    return path.open("w+b", buffering=0)


def _at_its_end(path: Path) -> BinaryIO:
    file = path.open("r+b", buffering=0)
    file.seek(0, os.SEEK_END)
    return file


def _put(file: BinaryIO, content: memoryview) -> None:
    content = content.cast("B")
    while content:
        content = content[file.write(content) :]


class PictureWriter:
    """Takes pictures uint8 (side, side, 1 or 3); one channel is kept as long as all of them are grey.

    Attributes: ``count``; ``channels``, 1 or 3; ``is_kept``, whether they are in the file ``path`` and not in memory.
    """

    def __init__(self, path: Path | None, side: int, expected: int) -> None:
        """``expected`` pictures will come, or about so many. Raises Refusal where they fit nowhere."""
        self._path, self._side, self._expected = path, side, expected
        self.count, self.channels, self.is_kept = 0, 1, path is not None
        self._file: BinaryIO = io.BytesIO()
        if path is None:
            self._refuse_too_many(None)
            return
        try:
            self._file = _unbuffered(path)
        except OSError as error:
            self._give_up_the_file(error)

    def add(self, picture: Pictures) -> None:
        """Put one more behind the others. Raises Refusal where there is no room left for it."""
        if self.channels == 1 and picture.shape[2] == 3:
            if (picture == picture[..., :1]).all():  # grey that is stored as equal red, green and blue
                picture = picture[..., :1]
            else:
                self._widen()
        if picture.shape[2] < self.channels:
            picture = np.repeat(picture, 3, axis=2)
        self._write(np.ascontiguousarray(picture))
        self.count += 1

    def finish(self) -> Pictures:
        """All of them, (n, side, side, channels), that cannot be written to: the file's, mapped, or those in memory."""
        if self.is_kept and self._path is not None:
            try:
                self._file.flush()
                return np.asarray(np.memmap(self._path, np.uint8, "r", shape=self._shape))
            except OSError as error:
                self._give_up_the_file(error)
        return self._in_memory()

    def held(self) -> Pictures:
        """The same where the file will not keep its name: in memory, or still mapped where that is too much and the
        system keeps open files. Raises Refusal where neither can be."""
        if self.is_kept and os.name == "posix" and math.prod(self._shape) > IN_MEMORY:
            return np.asarray(np.memmap(self._file, np.uint8, "r", shape=self._shape))
        if self.is_kept:
            self._give_up_the_file(OSError("the cache's entry could not be completed"))
        return self._in_memory()

    def close(self) -> None:
        """Let go of the file."""
        if self.is_kept:
            self._file.close()

    @property
    def _shape(self) -> tuple[int, int, int, int]:
        return self.count, self._side, self._side, self.channels

    def _in_memory(self) -> Pictures:
        assert isinstance(self._file, io.BytesIO)
        pictures = np.frombuffer(self._file.getbuffer(), np.uint8).reshape(self._shape)
        pictures.flags.writeable = False
        return pictures

    def _write(self, picture: Pictures) -> None:
        try:
            _put(self._file, picture.data)
        except OSError as error:
            self._give_up_the_file(error)
            self._file.write(picture.data)

    def _widen(self) -> None:
        """Give all pictures so far three equal channels; happens once at most."""
        if self.is_kept and self._path is not None:
            beside = self._path.with_suffix(".wide")
            try:
                with _unbuffered(beside) as wide:
                    self._copy(self._file, wide, self._side**2, 3)
                self._file.close()  # some systems rename no file that is open
                os.replace(beside, self._path)
                self._file = _at_its_end(self._path)
            except OSError as error:
                if self._file.closed:
                    self._file = _at_its_end(self._path)
                self._give_up_the_file(error)
        if not self.is_kept:
            grey, self._file = self._file, io.BytesIO()
            self._copy(grey, self._file, self._side**2, 3)
        self.channels = 3

    def _copy(self, source: BinaryIO, target: BinaryIO, each: int, times: int) -> None:
        """Copy ``count`` pictures of ``each`` bytes, every byte as often as ``times`` says."""
        source.seek(0)
        left = self.count * each
        while left:
            block = np.frombuffer(source.read(min(left, BLOCK)), np.uint8)
            if not len(block):
                raise OSError("the file of pictures is shorter than what was written to it")
            _put(target, np.repeat(block, times).data if times > 1 else block.data)
            left -= len(block)

    def _give_up_the_file(self, error: OSError) -> None:
        """Go on in memory with what has been written. Raises Refusal where that is too much for it."""
        self._refuse_too_many(error)
        log.warning("pictures are held in memory, for the cache cannot be written: %s", error)
        kept, self._file, self.is_kept = self._file, io.BytesIO(), False
        if self.count:
            self._copy(kept, self._file, self._side**2 * self.channels, 1)
        kept.close()

    def _refuse_too_many(self, error: OSError | None) -> None:
        bytes_needed = max(self._expected, self.count) * self._side**2 * 3
        if bytes_needed <= IN_MEMORY:
            return
        why = str(write_refusal(self._path, error)) if self._path and error else "The cache folder cannot be written."
        raise Refusal(
            f"These pictures take up to {bytes_needed / 1e9:.1f} GB when decoded, too much to hold in memory. {why} "
            "Or choose a smaller size of pictures.",
            repr(error),
        ) from error
