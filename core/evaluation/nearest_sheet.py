"""Samples beside the training pictures nearest to them, as one picture. Torch-free."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.evaluation.verdict import shown
from core.messages import Nearest, Neighbours
from core.render import Pixels, contact_sheet

WIDTH = 96
"""Of a cell at least, in pixels, so that what is written below it can be read."""
ONE_COLUMN = 12
"""Samples in one column; more stand in two."""


def order_of(result: Nearest) -> NDArray[np.int64]:
    """The samples, the nearest to a training picture first: by pixels, among equal ones by features."""
    keys = [one.distances[:, 0] for one in (result.features, result.pixels) if one is not None]
    return np.lexsort(keys) if keys else np.arange(len(result.samples))


def sheet(result: Nearest, most: int = 24) -> Pixels:
    """At most so many samples, the most suspicious first, uint8 (height, width, C): each in a row with its neighbours
    by pixels, then by features, the distance below each."""
    order = order_of(result)[:most]
    halves = 1 if len(order) <= ONE_COLUMN else 2
    rows = -(-len(order) // halves)
    sides = [order[start : start + rows] for start in range(0, len(order), rows)]
    channels = max(pictures.shape[-1] for pictures in _all(result))
    height, width = result.samples.shape[1:3]
    nothing = np.full((height, width, channels), 255, np.uint8)
    cells: list[tuple[Pixels, str]] = []
    columns = 0
    for row in range(rows):
        before = len(cells)
        for side in sides:
            if side is not sides[0]:
                cells.append((nothing, ""))
            cells += _row(result, int(side[row]), channels) if row < len(side) else [(nothing, "")] * _width(result)
        columns = len(cells) - before
    pictures, names = zip(*cells, strict=True)
    return contact_sheet(np.stack(pictures), names, columns, zoom=max(1, -(-WIDTH // width)))


def _row(result: Nearest, sample: int, channels: int) -> list[tuple[Pixels, str]]:
    cells = [(result.samples[sample], f"sample {sample + 1}")]
    for name, found in (("pixels", result.pixels), ("features", result.features)):
        if found is not None:
            cells += [(found.pictures[sample, k], _caption(name, found, sample, k)) for k in _columns(found)]
    return [(np.broadcast_to(picture, (*picture.shape[:2], channels)), words) for picture, words in cells]


def _caption(name: str, found: Neighbours, sample: int, k: int) -> str:
    distance = shown(found.distances[sample, k]) + ("°" if name == "features" else "")
    return f"{distance} mirrored" if found.mirrored[sample, k] else f"{name} {distance}"


def _columns(found: Neighbours) -> range:
    return range(found.indices.shape[1])


def _width(result: Nearest) -> int:
    return 1 + sum(len(_columns(found)) for found in (result.pixels, result.features) if found is not None)


def _all(result: Nearest) -> list[Pixels]:
    found = [one.pictures for one in (result.pixels, result.features) if one is not None]
    return [result.samples, *found]
