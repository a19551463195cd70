"""Pictures of a folder, decoded once; sub-folders are classes."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.conversion import convert, default_conversion
from core.errors import Refusal
from core.files import write_file
from core.folders import cache_folder
from core.images import open_image
from core.likeness import measure

SUFFIXES = frozenset(Image.registered_extensions())
CACHE_VERSION = 4
MEASURED = 10_000
AT_ONCE = 1000
"""Pictures that are converted together."""

Size = tuple[int, int]

log = logging.getLogger("diffuscope.training")


@dataclass(frozen=True, eq=False)
class PictureFolder:
    """A folder's pictures as a network is trained on them.

    ``pictures`` (n, size, size, channels) uint8, one channel where every picture is grey, else three. ``labels``
    int64 (n,) are indices into ``classes`` (the sub-folders' names, sorted), all 0 where there are none.
    ``skipped`` lists what could not be read as (name within the folder, why). ``source`` is the folder itself;
    ``found`` are (width, height) of the smallest and of the largest picture before they were cropped and scaled.
    ``paths`` name each picture's file within the folder; those numbered in ``kept_as_is`` are never mirrored,
    and those in ``aside`` never trained on.
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

    def __len__(self) -> int:
        return len(self.pictures)

    def measured(self) -> PictureFolder:
        """Itself, its statistics and hash computed now, so that nobody waits for them later."""
        _ = self.statistics, self.sha256
        return self

    @cached_property
    def statistics(self) -> tuple[float, ...]:
        """What the pictures look like (core/likeness.py), of very many some, evenly spread."""
        return measure(self.pictures[:: -(-len(self.pictures) // MEASURED)])

    @cached_property
    def sha256(self) -> str:
        """The hash of pictures and labels: what the network sees, wherever the files lie."""
        digest = hashlib.sha256(repr((self.pictures.shape, self.classes)).encode())
        digest.update(self.pictures.tobytes())
        digest.update(self.labels.tobytes())
        digest.update(repr(self.kept_as_is).encode() if self.kept_as_is else b"")
        return digest.hexdigest()

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
        return replace(self, kept_as_is=tuple(matching))

    def in_channels(self, channels: int) -> PictureFolder:
        """The same with grey as equal red, green and blue (3), or with colours as their luma (1; ITU-R BT.601).

        Raises Refusal for another number of channels than the pictures have or can be given.
        """
        has = self.pictures.shape[3]
        if channels == has:
            return self
        if channels not in (1, 3):
            raise Refusal(f"The model takes {channels} channels: pictures cannot be converted to that.")
        pictures = np.empty((*self.pictures.shape[:3], channels), dtype=np.uint8)
        for start in range(0, len(pictures), AT_ONCE):
            part = self.pictures[start : start + AT_ONCE]
            pictures[start : start + AT_ONCE] = part if channels == 3 else _luma(part)
        return replace(self, pictures=pictures)


def _luma(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    weighted = pictures @ np.array([19595, 38470, 7471], dtype=np.uint32)  # 0.299, 0.587, 0.114 in units of 2^-16
    return ((weighted + 32768) >> 16)[..., None].astype(np.uint8)


def open_folder(
    folder: Path, size: int = 32, on_progress: Callable[[int, int], None] = lambda done, total: None
) -> PictureFolder:
    """Every picture in ``folder`` and its sub-folders at ``size`` x ``size``, cropped to the middle square.

    Pictures in a sub-folder at any depth belong to the class of the first sub-folder on the way; with fewer than two
    classes the folder is unconditional. Hidden files and folders are left out. Pictures are decoded once: an unchanged
    folder comes from the cache the next time.
    ``on_progress`` is told how many of how many files are done. Raises Refusal where there is nothing to train on, or
    where some pictures lie in classes and others beside them, or where the folder may not be opened.
    """
    if not os.path.isdir(folder):
        raise Refusal(f"{folder} is not a folder. Give the folder that holds the pictures.")
    folder = folder.absolute()
    try:
        os.listdir(folder)
    except OSError as error:
        raise Refusal(
            f"{folder} may not be opened. Change its permissions, or choose another folder.", repr(error)
        ) from error
    files = sorted(_pictures_in(folder))
    if not files:
        raise Refusal(
            f"There are no pictures in {folder}. Put PNG or JPEG files there, in a sub-folder for each class."
        )
    name, fingerprint = folder.resolve().name, _fingerprint(folder, files)
    known = _from_cache(folder, size, fingerprint, name)
    if known is None:
        known = _decoded(folder, name, files, size, on_progress)
        _to_cache(folder, size, fingerprint, known)
    on_progress(len(files), len(files))
    return known.measured()


def _pictures_in(folder: Path) -> Iterator[Path]:
    """Every picture file below, level by level; links to folders are followed, each real folder is entered once."""
    level, seen = [folder], {folder.resolve()}
    while level:
        below = []
        for parent in level:
            for path in sorted(_listed(parent)):
                if path.name.startswith("."):
                    continue
                if path.suffix.lower() in SUFFIXES and path.is_file():
                    yield path
                elif path.is_dir() and (real := path.resolve()) not in seen:
                    seen.add(real)
                    below.append(path)
        level = below


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        log.warning("the folder %s cannot be read: %s", folder, error)
        return []


def _decoded(
    folder: Path, name: str, files: Sequence[Path], size: int, on_progress: Callable[[int, int], None]
) -> PictureFolder:
    pictures: list[NDArray[np.uint8]] = []
    owners: list[str] = []
    paths: list[str] = []
    skipped: list[tuple[str, str]] = []
    sizes: list[Size] = []
    for done, path in enumerate(files):
        on_progress(done, len(files))
        inside = path.relative_to(folder)
        try:
            pixels = open_image(path).pixels
            pictures.append(_square(pixels, size))
            sizes.append((pixels.shape[1], pixels.shape[0]))
            owners.append(inside.parts[0] if len(inside.parts) > 1 else "")
            paths.append(inside.as_posix())
        except Refusal as refusal:
            skipped.append((str(inside), str(refusal)))
    if not pictures:
        raise Refusal(f"None of the {len(files)} pictures in {folder} can be read.", "\n".join(map(str, skipped)))
    classes, labels = _classes(owners, folder)
    found = tuple(chosen(sizes, key=lambda side: side[0] * side[1]) for chosen in (min, max))
    return PictureFolder(name, _stacked(pictures), labels, classes, tuple(skipped), folder, found, tuple(paths))


def _square(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    return convert(pixels, default_conversion(pixels, (size, size), 1 if pixels.shape[2] == 1 else 3))


def _stacked(pictures: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    channels = max(picture.shape[2] for picture in pictures)
    stacked = np.stack([np.broadcast_to(picture, (*picture.shape[:2], channels)) for picture in pictures])
    is_grey = bool((stacked == stacked[..., :1]).all())  # also where grey was stored as equal red, green and blue
    return np.ascontiguousarray(stacked[..., :1]) if is_grey else stacked


def _classes(owners: list[str], folder: Path) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    names = sorted(set(owners))
    if len(names) < 2:
        return (), np.zeros(len(owners), dtype=np.int64)
    if names[0] == "":
        loose = owners.count("")
        raise Refusal(
            f"{loose} pictures lie in {folder.name} itself and others in its sub-folders. "
            "Move all into sub-folders, one for each class, or all out of them."
        )
    index = {name: label for label, name in enumerate(names)}
    return tuple(names), np.array([index[owner] for owner in owners], dtype=np.int64)


# ------------------------------------------------------------------------------------------------ the cache


def _cached(folder: Path, size: int) -> Path:
    """One file a folder and size: what the folder held before is replaced."""
    place = hashlib.sha256(f"{size} {folder.resolve()}".encode()).hexdigest()[:32]
    return cache_folder() / "pictures" / f"{place}.npz"


def _fingerprint(folder: Path, files: Sequence[Path]) -> str:
    """Changes with every file that is added, removed, renamed or written."""
    digest = hashlib.sha256(str(CACHE_VERSION).encode())
    for path in files:
        facts = path.stat()
        digest.update(f"{path.relative_to(folder)}\0{facts.st_size}\0{facts.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _from_cache(folder: Path, size: int, fingerprint: str, name: str) -> PictureFolder | None:
    try:
        with _cached(folder, size).open("rb") as file, np.load(file, allow_pickle=False) as kept:
            of, classes, skipped, found, paths = json.loads(str(kept["words"]))
            if of != fingerprint:
                return None
            words = tuple(classes), tuple(map(tuple, skipped))
            sizes = tuple((int(width), int(height)) for width, height in found)
            return PictureFolder(name, kept["pictures"], kept["labels"], *words, folder, sizes, tuple(paths))
    except (Refusal, OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None  # it can be made again


def _to_cache(folder: Path, size: int, fingerprint: str, data: PictureFolder) -> None:
    words = np.array(json.dumps([fingerprint, data.classes, data.skipped, data.found, data.paths]))
    try:
        path = _cached(folder, size)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, lambda file: np.savez(file, pictures=data.pictures, labels=data.labels, words=words))
    except (Refusal, OSError) as error:
        log.warning("the pictures of %s are not kept for the next time: %s", data.name, error)
