"""``main.py scan``: what there is in a folder of pictures, and what training on it would meet."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from core.cli.output import Progress, counted, report
from core.cli.reading import said_reading
from core.training.dataset import PictureFolder, open_folder
from core.training.mirroring import flip_suggestion
from core.training.reading import FolderReport, Reading

SHOWN = 20
"""Files and groups that are named one by one; --json names more."""
SIZES, IN_A_GROUP = 3, 3


def scan(options: argparse.Namespace) -> int:
    """Print a folder's report; raises Refusal where there is nothing to train on."""
    progress = Progress(options.progress)
    reading = Reading(options.size, **said_reading(options))
    data = open_folder(options.folder, reading, lambda done, total: progress.step(done, total, unit="file"))
    progress.close()
    suits, why = flip_suggestion(data)
    found = data.report.to_json() | {"folder": str(options.folder), "flip": {"suits": suits, "why": why}}
    report(found, options.json, "\n".join(_lines(data, why)))
    return 0


def _lines(data: PictureFolder, flip: str) -> Iterator[str]:
    found, side = data.report, data.pictures.shape[1]
    grey = "grey" if found.channels == 1 else "in colour"
    yield f"{counted(found.pictures, 'picture')} of {counted(found.files, 'file')}, {grey}, at {side} × {side}"
    yield f"sizes: {_sizes(found)}"
    if found.classes:
        yield f"{len(found.classes)} classes: " + ", ".join(f"{name} ({count:,})" for name, count in found.classes)
    if found.kinds:
        yield "converted: " + ", ".join(f"{count:,} {kind}" for kind, count in found.kinds)
    if found.captions:
        yield f"{counted(found.captions, 'file')} with a caption"
    if found.others:
        yield f"{counted(found.others, 'file')} that by the name {'is' if found.others == 1 else 'are'} no picture"
    if found.duplicate_groups:
        groups = counted(found.duplicate_groups, "group")
        yield f"{counted(found.duplicate_pictures, 'near-duplicate')} in {groups}:"
        yield from (f"  {_named(group)}" for group in found.duplicates[:SHOWN])
        yield from _more(found.duplicate_groups)
    yield f"mirrored: {flip}"
    if found.quarantined:
        yield f"{len(found.quarantined):,} left out:"
        yield from (f"  {name}: {why}" for name, why in found.quarantined[:SHOWN])
        yield from _more(len(found.quarantined))
    if found.cache:
        yield f"kept for training: {found.cache_bytes / 1e6:.1f} MB in {found.cache}"


def _sizes(found: FolderReport) -> str:
    named = ", ".join(f"{width} × {height} ({count:,})" for width, height, count in found.sizes[:SIZES])
    more = found.different_sizes - min(SIZES, len(found.sizes))
    if more <= 0:
        return named
    smallest, largest = (f"{width} × {height}" for width, height in (found.smallest, found.largest))
    return f"{named} and {more:,} more, from {smallest} to {largest}"


def _named(group: tuple[str, ...]) -> str:
    more = f" and {len(group) - IN_A_GROUP:,} more" if len(group) > IN_A_GROUP else ""
    return ", ".join(group[:IN_A_GROUP]) + more


def _more(count: int) -> Iterator[str]:
    if count > SHOWN:
        yield f"  and {count - SHOWN:,} more"
