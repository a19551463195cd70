"""Pictures of a folder, decoded once; sub-folders are classes."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import Refusal
from core.training import picture_cache as cache
from core.training.decoding import Decoded, decode, decode_all
from core.training.duplicates import find_duplicates
from core.training.picture_folder import PictureFolder, Size
from core.training.picture_writer import PictureWriter
from core.training.reading import FolderReport, Reading
from core.training.scan import Listing, list_pictures

__all__ = ["PictureFolder", "open_folder"]

CACHE_VERSION = 5
SIZES_NAMED = 8
GROUPS_NAMED = 200
"""Of near-duplicates, and at most so many pictures of each."""

Progress = Callable[[int, int], None]


def open_folder(
    folder: Path, reading: Reading | int = 32, on_progress: Progress = lambda done, total: None
) -> PictureFolder:
    """Every picture in ``folder`` and its sub-folders as ``reading`` says; a number is the side of its squares.

    Pictures in a sub-folder at any depth belong to the class of the first sub-folder on the way; with fewer than two
    classes the folder is unconditional. Hidden files and folders are left out. Pictures are decoded once: an unchanged
    folder comes from the cache the next time.
    ``on_progress`` is told how many of how many files are done; what it raises ends the work. Raises Refusal where
    there is nothing to train on, or where some pictures lie in classes and others beside them, or where the folder may
    not be opened.
    """
    reading = Reading(reading) if isinstance(reading, int) else reading
    listing = list_pictures(folder.absolute())
    total = len(listing.files)
    if not total:
        raise Refusal(
            f"There are no pictures in {listing.folder}. Put PNG or JPEG files there, in a sub-folder for each class."
        )
    fingerprint = listing.fingerprint(f"{CACHE_VERSION} {reading}")
    entry = _entry(listing.folder, reading, fingerprint)
    data = _known(entry, listing, reading, fingerprint) or _made(entry, listing, reading, fingerprint, on_progress)
    on_progress(total, total)
    return data.measured()


def _entry(folder: Path, reading: Reading, fingerprint: str) -> Path | None:
    way = f"{reading.size}-{reading.crop}-{bytes(reading.background).hex()}-{reading.frames}"
    try:
        return cache.entry_place(folder, way, fingerprint)
    except Refusal:
        return None


# ------------------------------------------------------------------------------------------------ from the cache


def _known(entry: Path | None, listing: Listing, reading: Reading, fingerprint: str) -> PictureFolder | None:
    """What was decoded before, if all of it is as it was written."""
    if entry is None:
        return None
    made: list[PictureFolder] = []

    def check(pictures: NDArray[np.uint8], index: Mapping[str, Any]) -> bool:
        report = replace(
            FolderReport.from_json(index["report"]),
            captions=listing.captions,
            others=listing.others,
            cache_bytes=cache.entry_bytes(entry),
            cache=str(entry),
        )
        labels, classes, paths = np.array(index["labels"], np.int64), tuple(index["classes"]), tuple(index["paths"])
        data = _folder(listing, reading, pictures, labels, classes, paths, report)
        made.append(data.with_statistics(tuple(index["statistics"])))
        return data.sha256 == str(index["sha256"])

    return made[0] if cache.read_entry(entry, fingerprint, check) else None


def _folder(
    listing: Listing,
    reading: Reading,
    pictures: NDArray[np.uint8],
    labels: NDArray[np.int64],
    classes: tuple[str, ...],
    paths: tuple[str, ...],
    report: FolderReport,
) -> PictureFolder:
    return PictureFolder(
        _readable(listing.folder.resolve().name),
        pictures,
        labels,
        classes,
        report.quarantined,
        listing.folder,
        (report.smallest, report.largest),
        paths,
        reading=reading,
        report=report,
    )


# ------------------------------------------------------------------------------------------------ from the files


def _made(
    entry: Path | None, listing: Listing, reading: Reading, fingerprint: str, on_progress: Progress
) -> PictureFolder:
    """Decode all files, and keep the result for the next time where that can be."""
    staging = cache.begin_entry(entry) if entry is not None else None
    writer: PictureWriter | None = None
    try:
        writer = PictureWriter(staging / cache.PICTURES if staging else None, reading.size, len(listing.files))
        data = _decoded(listing, reading, writer, on_progress)
        if not (writer.is_kept and staging and entry):
            return data
        index = {
            "fingerprint": fingerprint,
            "shape": data.pictures.shape,
            "sha256": data.sha256,
            "statistics": data.statistics,
            "classes": data.classes,
            "labels": data.labels.tolist(),
            "paths": data.paths,
            "report": data.report.to_json(),
        }
        data = replace(data, pictures=data.pictures[:0].copy())  # lets go of the file: some systems rename no open one
        if cache.finish_entry(staging, entry, listing.folder, index):
            known = _known(entry, listing, reading, fingerprint)
            if known is not None:
                return known
        return replace(data, pictures=writer.held())
    finally:
        if writer is not None:
            writer.close()
        cache.discard(staging)


@dataclass(slots=True)
class _Found:
    """What decoding has brought so far, but for the pictures themselves; ``files`` are those each picture came from."""

    owners: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    files: list[int] = field(default_factory=list)
    quarantined: list[tuple[str, str]] = field(default_factory=list)
    sizes: Counter[Size] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)

    def add(self, number: int, name: str, decoded: Decoded) -> None:
        if decoded.trouble:
            self.quarantined.append((name, decoded.trouble))
        if decoded.pictures:
            self.sizes[decoded.size] += 1
            self.kinds.update(decoded.kinds)
            self.owners += [name.split("/")[0] if "/" in name else ""] * len(decoded.pictures)
            self.paths += decoded.names
            self.files += [number] * len(decoded.pictures)


def _decoded(listing: Listing, reading: Reading, writer: PictureWriter, on_progress: Progress) -> PictureFolder:
    _refuse_loose(listing, reading)
    found, total = _Found(quarantined=list(listing.closed)), len(listing.files)
    weight = sum(size for size, _ in listing.facts)
    on_progress(0, total)
    for number, decoded in enumerate(decode_all(listing.folder, listing.files, weight, reading)):
        for picture in decoded.pictures:
            writer.add(picture)
        found.add(number, listing.files[number], decoded)
        if number + 1 < total:
            on_progress(number + 1, total)
    if not listing.folder.is_dir():
        raise Refusal(f"{listing.folder} was moved or deleted while its pictures were read. Open it where it is now.")
    if not found.paths:
        reasons = "\n".join(f"{name}: {why}" for name, why in found.quarantined)
        which = "The one picture" if total == 1 else f"None of the {total:,} pictures"
        cannot = "cannot" if total == 1 else "can"
        why = found.quarantined[-1][1]
        raise Refusal(f"{which} in {listing.folder} {cannot} be read. {why}", reasons)
    classes, labels = _classes(found.owners)
    pictures = writer.finish()
    report = _report(listing, found, pictures, classes, labels, lambda: on_progress(total, total))
    return _folder(listing, reading, pictures, labels, classes, tuple(found.paths), report)


def _refuse_loose(listing: Listing, reading: Reading) -> None:
    """Raises Refusal where readable pictures lie in classes and beside them, before all of them are decoded."""
    loose = [name for name in listing.files if "/" not in name]
    inside = (name for name in listing.files if "/" in name)
    if 0 < len(loose) < len(listing.files) and all(_any_is_read(listing, names, reading) for names in (loose, inside)):
        lie = "One picture lies" if len(loose) == 1 else f"{len(loose):,} pictures lie"
        raise Refusal(
            f"{lie} in {listing.folder.name} itself and others in its sub-folders. "
            "Move all into sub-folders, one for each class, or all out of them."
        )


def _any_is_read(listing: Listing, names: Iterable[str], reading: Reading) -> bool:
    first = replace(reading, frames="first")
    return any(decode(listing.folder / name, name, first).pictures for name in names)


def _classes(owners: list[str]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    names = sorted(set(owners))
    if len(names) < 2:
        return (), np.zeros(len(owners), dtype=np.int64)
    index = {name: label for label, name in enumerate(names)}
    return tuple(map(_readable, names)), np.array([index[owner] for owner in owners], dtype=np.int64)


def _readable(name: str) -> str:
    """The name of a folder, as text also where its bytes are none."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _report(
    listing: Listing,
    found: _Found,
    pictures: NDArray[np.uint8],
    classes: tuple[str, ...],
    labels: NDArray[np.int64],
    check: Callable[[], None],
) -> FolderReport:
    duplicates = find_duplicates(pictures, np.array(found.files, np.int64), check)
    counts = np.bincount(labels, minlength=len(classes)).tolist() if classes else []
    by_area = sorted(found.sizes, key=lambda side: side[0] * side[1])
    return FolderReport(
        files=len(listing.files),
        pictures=len(pictures),
        channels=pictures.shape[3],
        sizes=tuple((*size, count) for size, count in found.sizes.most_common(SIZES_NAMED)),
        different_sizes=len(found.sizes),
        smallest=by_area[0],
        largest=by_area[-1],
        kinds=tuple(found.kinds.most_common()),
        classes=tuple(zip(classes, counts, strict=True)),
        captions=listing.captions,
        duplicates=tuple(
            tuple(found.paths[index] for index in group[:GROUPS_NAMED]) for group in duplicates.groups[:GROUPS_NAMED]
        ),
        duplicate_groups=len(duplicates.groups),
        duplicate_pictures=duplicates.pictures,
        quarantined=tuple(found.quarantined),
        others=listing.others,
    )
