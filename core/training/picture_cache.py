"""Decoded pictures on the disk, at training size: written once, flat in memory, mapped when used. Torch-free.

A folder has a place of its own (core.folders.cache_folder() / "pictures"), and in it an entry for every way it is
read: the pictures as bare bytes, and an index of everything else that carries its own hash. An entry is made under
another name and renamed when it is complete; it is believed where its hashes are right, and made again where not.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.files import beside, clear_leftovers_in
from core.folders import cache_folder

PICTURES, INDEX, SOURCE = "pictures.u8", "index.json", "source.txt"
MOST_BYTES = 20_000_000_000
"""Of all entries together: beyond it those that were not used for longest go."""

Pictures = NDArray[np.uint8]
log = logging.getLogger("diffuscope.training")


@dataclass(frozen=True, slots=True)
class Entry:
    """Pictures that are kept: those of the folder ``source``, read as ``words`` say, ``used`` seconds since 1970."""

    path: Path
    source: str
    words: str
    bytes: int
    used: float


def entry_place(folder: Path, way: str, fingerprint: str) -> Path:
    """Where the pictures of ``folder`` lie, or would lie, that are read in this ``way``. Raises Refusal where there is
    no folder for the cache."""
    return _place(folder) / f"{way}-{fingerprint[:16]}"


def read_entry(
    path: Path, fingerprint: str, check: Callable[[Pictures, Mapping[str, Any]], bool]
) -> tuple[Pictures, dict[str, Any]] | None:
    """The pictures, mapped read-only (n, side, side, channels), and the index of an entry; None where there is none.

    What is damaged, or what ``check`` does not believe, is deleted and counts as none.
    """
    try:
        index = _read_index(path / INDEX)
        shape = tuple(int(length) for length in index["shape"])
        if index["fingerprint"] != fingerprint or (path / PICTURES).stat().st_size != int(np.prod(shape)):
            raise ValueError("not what was written")
        pictures: Pictures = np.asarray(np.memmap(path / PICTURES, np.uint8, "r", shape=shape))
        if not check(pictures, index):
            raise ValueError("the pictures are not those that were written")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("the decoded pictures in %s are made again: %s", path, error)
        _remove(path)
        return None
    with contextlib.suppress(OSError):
        os.utime(path / INDEX)
    return pictures, index


def begin_entry(path: Path) -> Path | None:
    """A folder to write an entry's files to, before ``finish_entry``; None where nothing can be kept."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        clear_leftovers_in(path.parent)
        return Path(tempfile.mkdtemp(prefix=beside(path), dir=path.parent))
    except OSError as error:
        log.warning("decoded pictures cannot be kept in %s: %s", path.parent, error)
        return None


def finish_entry(staging: Path, path: Path, source: Path, index: Mapping[str, Any]) -> bool:
    """Complete an entry, which takes the place of older ones of the same folder read the same way; False where that
    fails. Where another process was faster its entry stays: by its name it holds the same."""
    try:
        _write_source(path.parent / SOURCE, source)
        text = json.dumps(index)
        digest = hashlib.sha256(text.encode()).hexdigest()
        with (staging / INDEX).open("w", encoding="utf-8") as file:
            file.write(f"{digest}\n{text}")
            file.flush()
            os.fsync(file.fileno())
        staging.chmod(0o755)
        staging.rename(path)
    except OSError as error:
        if not (path / INDEX).exists():
            log.warning("decoded pictures were not kept in %s: %s", path, error)
            return False
    way = path.name.rpartition("-")[0]
    for old in path.parent.glob(f"{way}-*"):
        if old != path:
            _remove(old)
    _trim(path)
    return True


def discard(staging: Path | None) -> None:
    """Remove what of an entry was not finished."""
    if staging is not None:
        shutil.rmtree(staging, ignore_errors=True)


def entry_bytes(path: Path) -> int:
    return _bytes(path)


# ------------------------------------------------------------------------------------------------ for people


def cache_entries() -> tuple[Entry, ...]:
    """All that is kept, the last used first; the largest part of an index is not read."""
    found = []
    for path in _root().glob("*/*"):
        if path.is_dir() and not path.name.startswith("."):
            with contextlib.suppress(OSError, ValueError, KeyError):
                source = (path.parent / SOURCE).read_text(encoding="utf-8", errors="surrogateescape")
                used = (path / INDEX).stat().st_mtime
                found.append(Entry(path, source, path.name.rpartition("-")[0], _bytes(path), used))
    return tuple(sorted(found, key=lambda entry: -entry.used))


def cache_size() -> int:
    """Bytes of all decoded pictures, also of what older versions kept."""
    return _bytes(_root())


def delete_cache(folder: Path | None = None) -> int:
    """Delete the decoded pictures of ``folder``, of all folders where it is None; how many bytes that gave back.

    A training that uses them goes on with them where the system keeps open files, and elsewhere they stay.
    """
    place = _root() if folder is None else _place(folder)
    before = _bytes(place)
    shutil.rmtree(place, ignore_errors=True)
    return before - _bytes(place)


# ------------------------------------------------------------------------------------------------ the disk


def _root() -> Path:
    return cache_folder() / "pictures"


def _place(folder: Path) -> Path:
    return _root() / hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:32]


def _write_source(path: Path, source: Path) -> None:
    """Whose the entries beside ``path`` are."""
    content = str(source).encode(errors="surrogateescape")
    if not (path.is_file() and path.read_bytes() == content):
        path.write_bytes(content)


def _remove(path: Path) -> None:
    """Delete an entry, of which nobody finds a part in its place. Who has it mapped keeps it."""
    with contextlib.suppress(OSError):
        doomed = Path(tempfile.mkdtemp(prefix=beside(path), dir=path.parent))
        try:
            path.rename(doomed / path.name)
        finally:
            shutil.rmtree(doomed, ignore_errors=True)
    shutil.rmtree(path, ignore_errors=True)  # where no place for it could be made


def _read_index(path: Path) -> dict[str, Any]:
    digest, _, text = path.read_text(encoding="utf-8").partition("\n")
    if hashlib.sha256(text.encode()).hexdigest() != digest:
        raise ValueError("its index is damaged")
    index: dict[str, Any] = json.loads(text)
    return index


def _bytes(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.stat(os.path.join(parent, name)).st_size
    return total


def _trim(newest: Path) -> None:
    """Keep to the limit: what older versions left goes first, then what was not used for longest."""
    for old in _root().glob("*.npz"):
        with contextlib.suppress(OSError):
            old.unlink()
    entries = [entry for entry in cache_entries() if entry.path != newest]
    total = sum(entry.bytes for entry in entries) + _bytes(newest)
    for entry in reversed(entries):
        if total <= MOST_BYTES:
            break
        log.info("the decoded pictures of %s make room", entry.source)
        _remove(entry.path)
        total -= entry.bytes
