"""Measurements as plain JSON, pictures by their hash, and back. No widget here.

What is read may be damaged, or a stranger's: each measurement that cannot be read is left out by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast, get_args

import numpy as np

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
)
from app.stages.measure_kinds import KINDS, PLOTLESS, KindName
from app.stages.measure_record import Record
from core.codec import from_json, to_json
from core.images import OpenedImage
from core.json_file import UNREADABLE
from core.measure_requests import DistanceRequest, LikelihoodRequest, MetricName, QualityRequest
from core.messages import DistancePoint, Distances, Likelihood, Quality

MOST = 100
"""Measurements that are kept, the last ones."""
MOST_POINTS = 1000
REQUESTS: Mapping[str, type[QualityRequest]] = {kind.__name__: kind for kind in (LikelihoodRequest, DistanceRequest)}
BY_T = ("terms", "terms_error", "mse", "mse_error", "distortion")


class Album:
    """Measurements as JSON; what is known of each is written once. ``pictures`` gets those that it names."""

    def __init__(self, pictures: Pictures) -> None:
        self._pictures = pictures
        self._written: dict[int, tuple[Quality, dict[str, Any]]] = {}

    def told(self, records: Iterable[Record]) -> list[dict[str, Any]]:
        """The last ones of which something is known; of one under way that is all there is so far."""
        known = [record for record in records if record.result is not None][-MOST:]
        self._written = {record.job: self._write(record) for record in known}
        return [{**self._written[record.job][1], **_outside(record)} for record in known]

    def is_known(self, record: Record, records: Iterable[Record]) -> bool:
        """Whether one of ``records`` is the same, or says it."""
        told = self._write(record)[1]
        known = [other for other in records if other.result is not None]
        return any((record.made and other.made == record.made) or self._write(other)[1] == told for other in known)

    def _write(self, record: Record) -> tuple[Quality, dict[str, Any]]:
        written = self._written.get(record.job)
        assert record.result is not None
        if written is None or written[0] is not record.result:
            written = record.result, _told(record, record.result, self._pictures)
        return written


def read(told: object, pictures: Mapping[str, OpenedImage]) -> list[Record]:
    """The measurements that an ``Album`` told, with job 0. Raises ValueError for what is no list."""
    if not isinstance(told, list):
        raise ValueError("measurements are a list")
    plotted = [one for one in told if not (isinstance(one, dict) and one.get("kind") in [*PLOTLESS])]
    found = []
    for one in plotted[-MOST:]:
        try:
            found.append(_record(one, pictures))
        except UNREADABLE:
            continue
    return found


def _told(record: Record, result: Quality, pictures: Pictures) -> dict[str, Any]:
    request = record.request
    said = _likelihood_told(result) if isinstance(result, Likelihood) else _distances_told(result, pictures)
    return {
        "kind": record.kind,
        "asked": type(request).__name__,
        "request": to_json(request),
        "model": record.model,
        "data": record.data,
        "classes": list(record.classes),
        "weights": record.weights,
        "result": said,
    }


def _outside(record: Record) -> dict[str, Any]:
    """What may change without another result."""
    state = "stopped" if record.is_live else record.state
    return {
        "state": state,
        "done": record.done,
        "total": record.total,
        "seconds": finite(record.seconds),
        "made": record.made,
        "shown": record.shown,
    }


def _record(told: Any, pictures: Mapping[str, OpenedImage]) -> Record:
    kind, result = told["kind"], told["result"]
    if kind not in KINDS or kind in PLOTLESS or told["state"] not in ("finished", "stopped", "failed"):
        raise ValueError("this is no measurement")
    asked = REQUESTS[told["asked"]]
    is_likelihood = asked is LikelihoodRequest
    if is_likelihood != (kind == "likelihood"):
        raise ValueError("this was asked for otherwise")
    return Record(
        job=0,
        kind=cast(KindName, kind),
        request=from_json(asked, told["request"]),
        model=a_text(told["model"]),
        data=a_text(told["data"]),
        classes=tuple(a_text(name) for name in told["classes"][:MOST_TEXT]),
        weights=a_text(told["weights"]),
        state=told["state"],
        result=_likelihood(result) if is_likelihood else _distances(result, pictures),
        done=a_count(told["done"]),
        total=a_count(told["total"]),
        shown=told["shown"] is True,
        seconds=a_float(told["seconds"]),
        made=when(told),
    )


def _likelihood_told(result: Likelihood) -> dict[str, Any]:
    return {
        "timesteps": packed(result.timesteps.astype(np.float64)),
        **{name: packed(getattr(result, name)) for name in BY_T},
        **{name: finite(getattr(result, name)) for name in ("prior", "bits_per_dim", "bits_error")},
        "pictures": result.pictures,
        "per_picture": packed(result.per_picture),
    }


def _likelihood(told: Any) -> Likelihood:
    timesteps = unpacked(told["timesteps"])
    by_t = {name: unpacked(told[name]) for name in BY_T}
    is_whole = bool(np.isfinite(timesteps).all()) and bool((np.diff(timesteps) > 0).all())
    if not len(timesteps) or not is_whole or any(len(values) != len(timesteps) for values in by_t.values()):
        raise ValueError("the curves have different lengths")
    return Likelihood(
        timesteps=fixed(timesteps.astype(np.int64)),
        **by_t,
        prior=a_float(told["prior"]),
        bits_per_dim=a_float(told["bits_per_dim"]),
        bits_error=a_float(told["bits_error"]),
        pictures=a_count(told["pictures"]),
        per_picture=unpacked(told["per_picture"]),
    )


def _distances_told(result: Distances, pictures: Pictures) -> dict[str, Any]:
    return {
        "points": [_point_told(point, pictures) for point in result.points],
        "metric": result.metric,
        "dimensions": result.dimensions,
        "reference": result.reference,
        "real": finite(result.real),
        "note": result.note,
    }


def _distances(told: Any, pictures: Mapping[str, OpenedImage]) -> Distances:
    if told["metric"] not in get_args(MetricName) or not 1 <= len(told["points"]) <= MOST_POINTS:
        raise ValueError("these are no distances")
    return Distances(
        points=tuple(_point(point, pictures) for point in told["points"]),
        metric=told["metric"],
        dimensions=a_count(told["dimensions"]),
        reference=a_count(told["reference"]),
        real=a_float(told["real"]),
        note=a_text(told["note"]),
    )


NUMBERS = ("x", "value", "error", "precision", "recall", "recognised", "seconds")


def _point_told(point: DistancePoint, pictures: Pictures) -> dict[str, Any]:
    """Its samples lie below each other in one picture."""
    return {
        "series": point.series,
        **{name: finite(getattr(point, name)) for name in NUMBERS},
        "count": point.count,
        "evaluations": point.evaluations,
        "picture": column_of(point.pictures, pictures),
        "samples": len(point.pictures),
    }


def _point(told: Any, pictures: Mapping[str, OpenedImage]) -> DistancePoint:
    return DistancePoint(
        series=a_text(told["series"]),
        **{name: a_float(told[name]) for name in NUMBERS},
        count=a_count(told["count"]),
        evaluations=a_count(told["evaluations"]),
        pictures=in_column(pictures.get(told["picture"]), a_count(told["samples"])),
    )
