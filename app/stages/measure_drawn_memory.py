"""Memorisation checks, and samples from coarse to fine, as plain JSON, pictures by their hash, and back.

What is read may be damaged, or a stranger's: ValueError, KeyError or TypeError say that it cannot be read.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from app.stages.denoise_nearest import samples_of
from app.stages.measure_compared import GRAVEST, Comparison
from app.stages.measure_json import (
    MOST_TEXT,
    Pictures,
    a_count,
    a_float,
    a_text,
    column_of,
    finite,
    fixed,
    in_column,
    packed,
    unpacked,
    when,
    whole_column,
)
from app.stages.measure_shared import Family, Shot, width_of
from core.codec import from_json, to_json
from core.evaluation.coarse_to_fine import sharing_at
from core.images import OpenedImage
from core.messages import Nearest, Neighbours
from core.requests import SampleRequest
from core.training.events import Drawn

MOST_ROWS = 64
Folders = Mapping[str, str]
"""Where models lie, by their hash."""


def check_told(record: Comparison, pictures: Pictures) -> dict[str, Any]:
    """A check whose samples are there."""
    assert record.course is not None
    assert record.drawn is not None
    samples = record.drawn.pictures
    return {
        "kind": "nearest",
        "request": to_json(record.request),
        "data": record.data,
        "classes": list(record.course.classes),
        "count": len(samples),
        "samples": {"picture": column_of(samples, pictures)},
        "result": None if record.result is None else _nearest_told(record.result, pictures),
        "made": record.made,
    }


def check_read(told: Any, pictures: Mapping[str, OpenedImage], folders: Folders) -> Comparison:
    """A check that has no number yet."""
    request = from_json(SampleRequest, told["request"])
    samples = whole_column(told["samples"], pictures, a_count(told["count"]))
    is_whole = len(request.labels) in (0, request.count) and max(request.samples, default=0) < request.count
    if len(samples) != len(request.samples) or not is_whole:
        raise ValueError("these are not its samples")
    classes = tuple(a_text(name) for name in told["classes"][:MOST_TEXT])
    result = None if told["result"] is None else _nearest(told["result"], pictures)
    sha256 = request.model.sha256
    course = samples_of(request, classes, Path(folders.get(sha256) or sha256), samples.shape[1])
    data = a_text(told["data"])
    return Comparison(0, request, data, "ended", 1.0, course, Drawn(0, samples), result, when(told))


def _nearest_told(result: Nearest, pictures: Pictures) -> dict[str, Any]:
    return {
        "samples": {"picture": column_of(result.samples, pictures)},
        "shown": len(result.samples),
        "count": result.count,
        "pixels": None if result.pixels is None else _neighbours_told(result.pixels, pictures),
        "features": None if result.features is None else _neighbours_told(result.features, pictures),
        "by": result.by,
        "names": [[number, name] for number, name in result.names.items()],
        "classes": [[number, name] for number, name in result.classes.items()],
    }


def _nearest(told: Any, pictures: Mapping[str, OpenedImage]) -> Nearest:
    count, shown = a_count(told["count"]), a_count(told["shown"])
    by = {name: told[name] for name in ("pixels", "features")}
    return Nearest(
        samples=whole_column(told["samples"], pictures, shown),
        count=count,
        **{name: None if one is None else _neighbours(one, pictures, shown, count) for name, one in by.items()},
        by=a_text(told["by"]),
        names={a_count(number): a_text(name) for number, name in told["names"]},
        classes={a_count(number): a_text(name) for number, name in told["classes"]},
    )


def _neighbours_told(found: Neighbours, pictures: Pictures) -> dict[str, Any]:
    flat = found.pictures.reshape(-1, *found.pictures.shape[2:])
    return {
        "each": found.indices.shape[1],
        "indices": packed(found.indices),
        "distances": packed(found.distances),
        "mirrored": packed(found.mirrored),
        "pictures": {"picture": column_of(flat, pictures)},
        "held_out": packed(found.held_out),
        "own": packed(found.own),
        "sign": found.sign,
        "verdict": found.verdict,
        "limit": finite(found.limit),
    }


def _neighbours(told: Any, pictures: Mapping[str, OpenedImage], samples: int, count: int) -> Neighbours:
    shape = samples, a_count(told["each"])
    values = {name: unpacked(told[name]) for name in ("indices", "distances", "mirrored", "held_out", "own")}
    indices, distances, mirrored = (values[name].reshape(shape) for name in ("indices", "distances", "mirrored"))
    column = whole_column(told["pictures"], pictures, samples * shape[1])
    if told["sign"] not in GRAVEST or not all(np.isfinite(one).all() for one in values.values()):
        raise ValueError("these are no neighbours")
    if not ((indices >= 0) & (indices < max(1, count))).all():
        raise ValueError("there are no such pictures")
    return Neighbours(
        indices=fixed(indices.astype(np.int64)),
        distances=fixed(distances),
        mirrored=fixed(mirrored != 0),
        pictures=column.reshape(*shape, *column.shape[1:]),
        held_out=values["held_out"],
        own=values["own"],
        sign=told["sign"],
        verdict=a_text(told["verdict"]),
        limit=a_float(told["limit"]),
    )


# From coarse to fine


def family_told(family: Family, pictures: Pictures) -> dict[str, Any]:
    """A family with those of its pictures that are finished."""
    return {
        "kind": "coarse",
        "parent": to_json(family.parent),
        "steps": [share.step for share in family.shares],
        "copies": width_of(family.shares) - 1,
        "way": _shots_told(family.way, pictures),
        "shared": _shots_told(family.shared, pictures),
        "made": family.made,
    }


def family_read(told: Any, pictures: Mapping[str, OpenedImage]) -> Family:
    """A family whose runs have no numbers yet."""
    parent = from_json(SampleRequest, told["parent"])
    steps, copies = [a_count(step) for step in told["steps"]], a_count(told["copies"])
    if not 1 <= len(steps) <= MOST_ROWS or not 1 <= copies <= MOST_ROWS or max(steps) >= parent.steps:
        raise ValueError("there are no such samples")
    family = Family(parent, sharing_at(parent, steps, copies), 0, made=when(told))
    family.way = _shots(told["way"], pictures, range(len(family.steps)))
    family.shared = _shots(told["shared"], pictures, range(len(steps) * width_of(family.shares)))
    return family


def requests_of(family: Family) -> list[SampleRequest]:
    """What its runs were asked for: the parent, then the branches, row by row."""
    return [family.parent, *(run for share in family.shares for run in share.runs)]


def finished(shots: Mapping[int, Shot]) -> tuple[int, ...]:
    """Where the finished pictures are."""
    return tuple(cell for cell, (_picture, is_whole) in shots.items() if is_whole)


def _shots_told(shots: Mapping[int, Shot], pictures: Pictures) -> dict[str, Any]:
    at = finished(shots)
    column = np.stack([shots[cell][0] for cell in at]) if at else np.zeros((0, 1, 1, 1), np.uint8)
    return {"at": list(at), "pictures": {"picture": column_of(column, pictures)}}


def _shots(told: Any, pictures: Mapping[str, OpenedImage], places: Collection[int]) -> dict[int, Shot]:
    """Without its pictures where they are gone: they can be made again."""
    at = [a_count(cell) for cell in told["at"]]
    if not set(at) <= set(places) or len(set(at)) != len(at):
        raise ValueError("there are no such places")
    column = in_column(pictures.get(told["pictures"]["picture"]), len(at))
    return {cell: (picture, True) for cell, picture in zip(at, column, strict=False)}
