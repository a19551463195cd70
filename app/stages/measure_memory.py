"""Measurements as plain JSON, pictures by their hash, and back. No widget here.

What is read may be damaged, or a stranger's: each measurement that cannot be read is left out by itself.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Iterable, Mapping
from typing import Any, cast, get_args

import numpy as np
from numpy.typing import NDArray

from app.stages.measure_kinds import KINDS, PLOTLESS, KindName
from app.stages.measure_record import Record
from core.codec import from_json, to_json
from core.errors import Refusal
from core.images import OpenedImage, from_pixels
from core.measure_requests import DistanceRequest, LikelihoodRequest, MetricName, QualityRequest
from core.messages import DistancePoint, Distances, Likelihood, Picture, Quality

MOST = 100
"""Measurements that are kept, the last ones."""
MOST_POINTS = 1000
MOST_NUMBERS = 1_000_000
MOST_TEXT = 1000
REQUESTS: Mapping[str, type[QualityRequest]] = {kind.__name__: kind for kind in (LikelihoodRequest, DistanceRequest)}
BY_T = ("terms", "terms_error", "mse", "mse_error", "distortion")
UNREADABLE = (Refusal, ValueError, KeyError, TypeError, AttributeError, OverflowError)
Pictures = dict[str, OpenedImage]


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
        """Whether one of ``records`` says the same."""
        told = self._write(record)[1]
        return any(self._write(other)[1] == told for other in records if other.result is not None)

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
    found = []
    for one in told[-MOST:]:
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
        "seconds": _number(record.seconds),
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
        model=_text(told["model"]),
        data=_text(told["data"]),
        classes=tuple(_text(name) for name in told["classes"][:MOST_TEXT]),
        weights=_text(told["weights"]),
        state=told["state"],
        result=_likelihood(result) if is_likelihood else _distances(result, pictures),
        done=_count(told["done"]),
        total=_count(told["total"]),
        shown=told["shown"] is True,
        seconds=_float(told["seconds"]),
    )


def _likelihood_told(result: Likelihood) -> dict[str, Any]:
    return {
        "timesteps": _packed(result.timesteps.astype(np.float64)),
        **{name: _packed(getattr(result, name)) for name in BY_T},
        **{name: _number(getattr(result, name)) for name in ("prior", "bits_per_dim", "bits_error")},
        "pictures": result.pictures,
        "per_picture": _packed(result.per_picture),
    }


def _likelihood(told: Any) -> Likelihood:
    timesteps = _unpacked(told["timesteps"])
    by_t = {name: _unpacked(told[name]) for name in BY_T}
    is_whole = bool(np.isfinite(timesteps).all()) and bool((np.diff(timesteps) > 0).all())
    if not len(timesteps) or not is_whole or any(len(values) != len(timesteps) for values in by_t.values()):
        raise ValueError("the curves have different lengths")
    return Likelihood(
        timesteps=_fixed(timesteps.astype(np.int64)),
        **by_t,
        prior=_float(told["prior"]),
        bits_per_dim=_float(told["bits_per_dim"]),
        bits_error=_float(told["bits_error"]),
        pictures=_count(told["pictures"]),
        per_picture=_unpacked(told["per_picture"]),
    )


def _distances_told(result: Distances, pictures: Pictures) -> dict[str, Any]:
    return {
        "points": [_point_told(point, pictures) for point in result.points],
        "metric": result.metric,
        "dimensions": result.dimensions,
        "reference": result.reference,
        "real": _number(result.real),
        "note": result.note,
    }


def _distances(told: Any, pictures: Mapping[str, OpenedImage]) -> Distances:
    if told["metric"] not in get_args(MetricName) or not 1 <= len(told["points"]) <= MOST_POINTS:
        raise ValueError("these are no distances")
    return Distances(
        points=tuple(_point(point, pictures) for point in told["points"]),
        metric=told["metric"],
        dimensions=_count(told["dimensions"]),
        reference=_count(told["reference"]),
        real=_float(told["real"]),
        note=_text(told["note"]),
    )


NUMBERS = ("x", "value", "error", "precision", "recall", "recognised", "seconds")


def _point_told(point: DistancePoint, pictures: Pictures) -> dict[str, Any]:
    """Its samples lie below each other in one picture."""
    samples, picture = point.pictures, ""
    if samples.size:
        column = from_pixels(samples.reshape(-1, *samples.shape[2:]), "samples of a measurement")
        picture = column.sha256
        pictures.setdefault(picture, column)
    return {
        "series": point.series,
        **{name: _number(getattr(point, name)) for name in NUMBERS},
        "count": point.count,
        "evaluations": point.evaluations,
        "picture": picture,
        "samples": len(samples),
    }


def _point(told: Any, pictures: Mapping[str, OpenedImage]) -> DistancePoint:
    return DistancePoint(
        series=_text(told["series"]),
        **{name: _float(told[name]) for name in NUMBERS},
        count=_count(told["count"]),
        evaluations=_count(told["evaluations"]),
        pictures=_samples(pictures.get(told["picture"]), _count(told["samples"])),
    )


def _samples(column: OpenedImage | None, count: int) -> Picture:
    """The pictures of a column; none where it is not there."""
    if column is None or not count or len(column.pixels) % count:
        return _fixed(np.zeros((0, 1, 1, 1), np.uint8))
    high, wide, channels = column.pixels.shape
    return column.pixels.reshape(count, high // count, wide, channels)


def _packed(values: NDArray[np.float64]) -> str:
    """To the bit, and short."""
    return base64.b64encode(np.ascontiguousarray(values, "<f8").tobytes()).decode()


def _unpacked(told: Any) -> NDArray[np.float64]:
    if not isinstance(told, str) or len(told) > 11 * MOST_NUMBERS:
        raise ValueError("numbers are expected")
    try:
        content = base64.b64decode(told, validate=True)
    except binascii.Error as error:
        raise ValueError("these are no numbers") from error
    return _fixed(np.frombuffer(content, "<f8").astype(np.float64))


def _fixed(values: NDArray[Any]) -> NDArray[Any]:
    values.flags.writeable = False
    return values


def _number(value: float) -> float | None:
    """As JSON has it, which knows no NaN."""
    return float(value) if math.isfinite(value) else None


def _float(told: Any) -> float:
    if told is None:
        return math.nan
    if isinstance(told, bool) or not isinstance(told, (int, float)) or not math.isfinite(told):
        raise ValueError("a number is expected")
    return float(told)


def _count(told: Any) -> int:
    if type(told) is not int or not 0 <= told < 2**53:
        raise ValueError("a count is expected")
    return told


def _text(told: Any) -> str:
    if not isinstance(told, str) or len(told) > MOST_TEXT:
        raise ValueError("a text is expected")
    return told
