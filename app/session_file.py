"""Where sessions lie: a folder for each window that is open at once, and single files to take elsewhere.

A file is written whole or not at all, and the three before it are kept: a damaged one falls back to an older one.
Pictures lie beside it by their hash, so that each is written once.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PySide6.QtCore import QLockFile

from app.session import HASH, MOST_PICTURES, Session, from_data
from core.errors import Refusal
from core.files import check_writable, clear_leftovers, write_file
from core.folders import data_folder
from core.images import OpenedImage, from_pixels

NAME = "session.json"
UNREAD = "session.unread.json"
"""The last one that could not be read: damaged, or a newer version's."""
KEPT = 3
"""Earlier sessions beside the present one."""
KEEP_SECONDS = 600.0
"""How often the present one becomes an earlier one while the program runs; when it starts, it always does."""
WINDOWS = 16
"""That can be open at once, each with a session of its own."""
ATTEMPTS = 2
"""To restore a session that ends the program each time."""
LARGEST_JSON = 64 * 2**20
LARGEST_PICTURE = 256 * 2**20
"""Bytes of a picture's pixels; larger ones are left out of a session."""
ALL_PICTURES = 1024 * 2**20
ENDING = ".diffuscope"
PICTURE = re.compile(r"([0-9a-f]{64})\.png")
CHANNELS = {"L": 1, "RGB": 3, "RGBA": 4}
Pixels = NDArray[np.uint8]


class SessionFolder:
    """One window's session, held by a lock until ``release``. Attributes: ``folder``, ``is_first``: no other window
    was open when this one took it."""

    def __init__(self, folder: Path, lock: QLockFile, *, is_first: bool) -> None:
        self.folder, self.is_first = folder, is_first
        self._lock = lock
        self._kept = 0.0

    def read(self) -> tuple[Session | None, str]:
        """The last session, or the latest that can be read; and why it is not the last, "" where it is. None where
        there has been none."""
        damaged = ""
        for place in range(KEPT + 1):
            path = self._path(place)
            if not path.exists():
                continue
            try:
                session = from_data(_parsed(_content(path)))
            except Refusal as refusal:
                if not damaged:
                    damaged = str(refusal)
                    self._set_aside(path)
                continue
            return session, damaged
        return None, damaged

    def write(self, data: Mapping[str, Any], pictures: Mapping[str, Pixels]) -> None:
        """Keep a session and its pictures, by their hash. Raises Refusal where nothing can be written."""
        inside = self.folder / "pictures"
        inside.mkdir(parents=True, exist_ok=True)
        for sha256, pixels in bounded(pictures).items():
            path = inside / f"{sha256}.png"
            if not path.exists():
                content = encoded(pixels)
                write_file(path, lambda stream, content=content: stream.write(content))  # type: ignore[misc]
        now = time.monotonic()
        if not self._kept or now - self._kept > KEEP_SECONDS:
            self._keep_the_last()
            self._kept = now
        write_file(self._path(0), lambda stream: stream.write(_text(data)))
        self._sweep()

    def size(self, session: Session) -> int:
        """Bytes of a session's pictures on the disk."""
        paths = (self.folder / "pictures" / f"{sha256}.png" for sha256 in session.pictures)
        return sum(path.stat().st_size for path in paths if path.exists())

    def picture(self, sha256: str, name: str) -> OpenedImage:
        """A picture of the session. Raises Refusal where it is not there, or is another."""
        try:
            with (self.folder / "pictures" / f"{sha256}.png").open("rb") as stream:
                return _opened(stream, sha256, name)
        except OSError as error:
            raise Refusal(f"The picture “{name}” of this session is gone.", repr(error)) from error

    def attempt(self) -> bool:
        """A session is about to be restored; False where that has failed again and again, and is better left."""
        path = self.folder / "restoring"
        tried = 0
        with contextlib.suppress(OSError):
            tried = path.stat().st_size if path.exists() else 0
            path.write_bytes(b"." * (tried + 1))
        if tried >= ATTEMPTS:
            self.succeed()
        return tried < ATTEMPTS

    def succeed(self) -> None:
        """It has been restored."""
        with contextlib.suppress(OSError):
            (self.folder / "restoring").unlink(missing_ok=True)

    def release(self) -> None:
        self._lock.unlock()

    def _path(self, place: int) -> Path:
        """The present one, or the ``place``-th before it."""
        return self.folder / (NAME if place == 0 else f"session.{place}.json")

    def _set_aside(self, path: Path) -> None:
        """Another version may read it, or a person."""
        with contextlib.suppress(OSError):
            if path.is_file() and path.stat().st_size <= LARGEST_JSON:
                shutil.copyfile(path, self.folder / UNREAD)

    def _keep_the_last(self) -> None:
        clear_leftovers(self._path(0))
        if not self._path(0).exists() or self._path(0).stat().st_size > LARGEST_JSON:
            return
        with contextlib.suppress(OSError):
            for place in range(KEPT, 1, -1):
                if self._path(place - 1).exists():
                    os.replace(self._path(place - 1), self._path(place))
            shutil.copyfile(self._path(0), self._path(1))

    def _sweep(self) -> None:
        """Remove pictures that none of the sessions names."""
        with contextlib.suppress(OSError):
            paths = [path for path in (self.folder / "pictures").iterdir() if PICTURE.fullmatch(path.name)]
            if paths:
                sessions = [*(self._path(place) for place in range(KEPT + 1)), self.folder / UNREAD]
                named = set[str]().union(*map(_named, sessions))
                for path in paths:
                    if path.stem not in named:
                        path.unlink()


def take() -> SessionFolder | None:
    """The first folder that no other window holds; None where none can be had."""
    for place in range(1, WINDOWS + 1):
        folder = _folder(place)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            return None
        lock = _lock(folder)
        if lock.tryLock(0):
            return SessionFolder(folder, lock, is_first=place == 1)
    return None


def unfinished() -> list[Session]:
    """The sessions of other windows that left something behind, and are not open any more."""
    found = []
    for folder in (_folder(place) for place in range(2, WINDOWS + 1)):
        lock = _lock(folder)
        with contextlib.suppress(OSError):
            if (folder / NAME).exists() and lock.tryLock(0):
                session, _why = SessionFolder(folder, lock, is_first=False).read()
                lock.unlock()
                if session is not None and session.is_unfinished:
                    found.append(session)
    return found


def _folder(place: int) -> Path:
    return data_folder() / "sessions" / str(place)


def _lock(folder: Path) -> QLockFile:
    lock = QLockFile(str(folder / "lock"))
    lock.setStaleLockTime(0)  # a window may be open for days; a process that is no more holds nothing
    return lock


def write_archive(path: Path, data: Mapping[str, Any], pictures: Mapping[str, Pixels]) -> None:
    """A session as one file. Raises Refusal where it cannot be written."""
    check_writable(path)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(NAME, _text(data), zipfile.ZIP_DEFLATED)
        for sha256, pixels in bounded(pictures).items():
            archive.writestr(f"pictures/{sha256}.png", encoded(pixels))
    write_file(path, lambda stream: stream.write(made.getbuffer()))


def read_archive(path: Path) -> tuple[Session, dict[str, OpenedImage]]:
    """A session from a file, with its pictures by their hash. It is a stranger's: the places of folders that it names
    are left out, and so is every picture that is not what its name says. Raises Refusal for what is no session."""
    try:
        with zipfile.ZipFile(path) as archive:
            data = _parsed(_inside(archive, NAME, LARGEST_JSON))
            session = from_data(data)
            found = {}
            for sha256, name in session.pictures.items():
                with contextlib.suppress(Refusal, KeyError):
                    content = _inside(archive, f"pictures/{sha256}.png", LARGEST_PICTURE)
                    found[sha256] = _opened(io.BytesIO(content), sha256, name)
            return session, found
    except (OSError, KeyError, NotImplementedError, RuntimeError, ValueError, zipfile.BadZipFile) as error:
        raise Refusal(f"“{path.name}” is not a session of Diffuscope, or is damaged.", repr(error)) from error


def bounded(pictures: Mapping[str, Pixels]) -> dict[str, Pixels]:
    """Those that a session has room for, the last ones first of all."""
    kept: dict[str, Pixels] = {}
    room = ALL_PICTURES
    for sha256, pixels in reversed(list(pictures.items())):
        if pixels.nbytes <= min(room, LARGEST_PICTURE) and len(kept) < MOST_PICTURES:
            kept[sha256] = pixels
            room -= pixels.nbytes
    return kept


def encoded(pixels: Pixels) -> bytes:
    """As PNG, quickly."""
    made = io.BytesIO()
    shown = pixels[..., 0] if pixels.shape[2] == 1 else pixels
    Image.fromarray(np.ascontiguousarray(shown)).save(made, "PNG", compress_level=1)
    return made.getvalue()


def _text(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data, ensure_ascii=False, allow_nan=False, indent=1).encode(errors="backslashreplace")


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(LARGEST_JSON + 1)
    except OSError as error:
        raise Refusal(f"{path.name} cannot be read ({error.strerror or error}).", repr(error)) from error


def _named(path: Path) -> set[str]:
    """The hashes in a file, which may be damaged, or not there."""
    try:
        return {found.group() for found in HASH.finditer(_content(path).decode("latin-1"))}
    except Refusal:
        return set()


def _parsed(content: bytes) -> object:
    if len(content) > LARGEST_JSON:
        raise Refusal("It is larger than a session can be.")
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Refusal("It is damaged: it is no valid JSON.", repr(error)) from error


def _inside(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    with archive.open(name) as stream:
        content = stream.read(most + 1)
    if len(content) > most:
        raise Refusal("It is larger than a session can be.")
    return content


def _opened(stream: BinaryIO, sha256: str, name: str) -> OpenedImage:
    """A picture that ``encoded`` made. Raises Refusal where it is damaged, or is another than its hash says."""
    try:
        with Image.open(stream, formats=["PNG"]) as image:
            width, height = image.size
            if image.mode not in CHANNELS or width * height * CHANNELS[image.mode] > LARGEST_PICTURE:
                raise Refusal("This is no picture of a session.")
            pixels = np.array(image, np.uint8).reshape(height, width, CHANNELS[image.mode])
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise Refusal(f"The picture “{name}” of this session is damaged.", repr(error)) from error
    opened = from_pixels(pixels, name)
    if opened.sha256 != sha256:
        raise Refusal(f"The picture “{name}” of this session is not what it was.")
    return opened
