"""Which pictures of a folder a training never sees: twins lie on one side. Torch-free."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from core.errors import Refusal
from core.training.duplicates import find_duplicates
from core.training.order import TrainOrder
from core.training.picture_folder import PictureFolder
from core.training.request import TrainRequest

ONE_IN = 20
"""Of the pictures one is kept aside, where the person says nothing else."""
ONE_OF_CLASS_IN = 10
"""Of each class's pictures one is kept aside of a classifier's training."""
MOST = 256
FEWEST = 100
"""Pictures: of a smaller folder every one is wanted for learning."""
ENOUGH = 0.5
"""Of the pictures that should be kept aside, for twins to be heeded."""
ALIKE = (
    "Most of these pictures are nearly the same as others, so that those kept aside are like those trained on: what is "
    "measured on them says little about other pictures."
)

Rows = NDArray[np.int64]


def how_many(pictures: int, count: int | None) -> int:
    """How many of a folder's pictures are kept aside: ``count``, at most half of them; None: one in twenty, at most
    256, none of fewer than 100."""
    if count is None:
        return 0 if pictures < FEWEST else min(MOST, pictures // ONE_IN)
    return max(0, min(count, pictures // 2))


def split(
    order: TrainOrder, before: TrainRequest | None, data: PictureFolder, check: Callable[[], None] = lambda: None
) -> tuple[Rows, bool]:
    """What a run keeps aside of its folder ``data``, as ``before`` where it goes on; see ``choose_aside``.

    Raises Refusal where a classifier's pictures have no classes.
    """
    if (before or order).task == "classifier" and not data.classes:
        raise Refusal(
            f"The pictures in {data.name} have no classes to tell apart. "
            "Put them into sub-folders, one for each class, then train the classifier again."
        )
    if before is not None:
        return aside_of(before, data), True
    if order.task == "classifier":
        return choose_aside_of_classes(data, check)
    return choose_aside(data, how_many(len(data), order.validation), check)


def choose_aside(data: PictureFolder, count: int, check: Callable[[], None] = lambda: None) -> tuple[Rows, bool]:
    """The numbers of ``count`` pictures, rising, and whether none of them has a near-duplicate among the others.

    They are evenly spread over the folder, so that every class has its share. Near-duplicates (core/training/
    duplicates.py) are kept aside together, or not at all; where that leaves too few, no heed is paid to them. It
    depends on the pictures alone. ``check`` is called again and again and may raise.
    """
    if not count:
        return np.zeros(0, np.int64), True
    rows = _spread(_groups(data, check), count)
    if len(rows) < ENOUGH * count:
        return evenly(len(data), count), False
    return rows, True


def choose_aside_of_classes(data: PictureFolder, check: Callable[[], None] = lambda: None) -> tuple[Rows, bool]:
    """The same for one picture in ten of each class; a group of near-duplicates counts to its first one's class."""
    groups = _groups(data, check)
    rows, wanted = [np.zeros(0, np.int64)], 0
    for label in range(len(data.classes)):
        count = int((data.labels == label).sum()) // ONE_OF_CLASS_IN
        rows.append(_spread([group for group in groups if data.labels[group[0]] == label], count))
        wanted += count
    found = np.sort(np.concatenate(rows))
    if len(found) < ENOUGH * wanted:
        return last_of_ten(data), False
    return found, True


def aside_of(request: TrainRequest, data: PictureFolder) -> Rows:
    """What a run keeps aside of its folder ``data``: as its request says, or as was usual before requests did."""
    if request.aside is not None:
        rows = np.array(request.aside, np.int64)
        return rows[rows < len(data)]
    return last_of_ten(data) if request.task == "classifier" else evenly(len(data), request.validation)


def kept_aside(data: PictureFolder, rows: Rows) -> tuple[PictureFolder, PictureFolder]:
    """The folder of which these pictures are not trained on, and these by themselves. The others are not copied."""
    return replace(data, aside=tuple(rows.tolist())), _only(data, rows)


def evenly(pictures: int, count: int) -> Rows:
    """``count`` of so many pictures, at most half of them, whatever they show."""
    chosen = how_many(pictures, count)
    return (np.arange(chosen) * 2 + 1) * pictures // (2 * max(1, chosen))


def last_of_ten(data: PictureFolder) -> Rows:
    """The last of every ten of each class, whatever they show."""
    place = np.zeros(len(data), dtype=np.int64)  # of each picture among those of its class
    for label in range(len(data.classes)):
        own = data.labels == label
        place[own] = np.arange(own.sum())
    return np.flatnonzero(place % ONE_OF_CLASS_IN == ONE_OF_CLASS_IN - 1)


def _groups(data: PictureFolder, check: Callable[[], None]) -> list[tuple[int, ...]]:
    """Every picture in one group, those that belong together in the same, in the order of their first ones."""
    twins = _reported(data)
    if twins is None:
        twins = find_duplicates(data.pictures, check=check).groups
    alone = np.ones(len(data), np.bool_)
    for group in twins:
        alone[list(group)] = False
    return sorted([*twins, *((row,) for row in np.flatnonzero(alone).tolist())])


def _reported(data: PictureFolder) -> tuple[tuple[int, ...], ...] | None:
    """What was found when the folder was read, where that is all of it: frames of one file were not compared then."""
    report, reading = data.report, data.reading
    whole = report.pictures == len(data) == len(data.paths) and reading is not None and reading.frames == "first"
    named = len(report.duplicates), sum(len(group) - 1 for group in report.duplicates)
    if not whole or named != (report.duplicate_groups, report.duplicate_pictures):
        return None
    place = {path: row for row, path in enumerate(data.paths)}
    return tuple(tuple(place[path] for path in group) for group in report.duplicates)


def _spread(groups: list[tuple[int, ...]], count: int) -> Rows:
    """Whole groups with ``count`` pictures, or a few less where they do not come out even, evenly spread."""
    chosen: list[int] = []
    while True:
        wanted, total, seen, taken, left = count - len(chosen), sum(map(len, groups)), 0, 0, []
        for group in groups:
            seen += len(group)
            if 2 * total * (taken + len(group)) <= 2 * wanted * seen + total:  # no more than are due by now
                chosen += group
                taken += len(group)
            else:
                left.append(group)
        if not taken:
            return np.array(sorted(chosen), np.int64)
        groups = left


def _only(data: PictureFolder, rows: Rows) -> PictureFolder:
    paths = tuple(data.paths[row] for row in rows) if data.paths else ()
    pictures, labels = np.ascontiguousarray(data.at(rows)), data.labels[rows]
    return replace(data, pictures=pictures, labels=labels, paths=paths, kept_as_is=(), aside=())
