"""End points of a morph as plain JSON, pictures by their hash, and back. No widget here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.stages.morph_points import seed_name
from app.stages.morph_settings import MOST_ENDS, EndPoint, PicturePoint
from core.codec import from_json, to_json
from core.errors import Refusal
from core.images import OpenedImage
from core.messages import ModelInfo
from core.requests import Conversion, SeedEnd


def told(point: EndPoint) -> dict[str, Any]:
    """One end point: where it comes from, and its class."""
    if isinstance(point.source, SeedEnd):
        return {"label": point.label, "seed": to_json(point.source)}
    conversion = to_json(point.source.conversion)
    return {"label": point.label, "picture": point.source.image.sha256, "conversion": conversion}


def read(points: object, pictures: Mapping[str, OpenedImage], model: ModelInfo | None) -> list[EndPoint]:
    """The end points that ``told`` wrote. Raises ValueError for what is none, or names a picture that is not there."""
    if not isinstance(points, list) or not 2 <= len(points) <= MOST_ENDS:
        raise ValueError("there are two to four end points")
    return [_point(point, pictures, model) for point in points]


def _point(point: object, pictures: Mapping[str, OpenedImage], model: ModelInfo | None) -> EndPoint:
    if not isinstance(point, dict):
        raise ValueError("an end point is an object")
    label = point.get("label")
    classes = 0 if model is None else len(model.labels)
    if label is not None and not (type(label) is int and 0 <= label < classes):
        raise ValueError("there is no such class")
    try:
        if "seed" in point:
            end = from_json(SeedEnd, point["seed"])
            if not 0 <= end.index < end.count:
                raise ValueError("there is no such sample")
            return EndPoint(end, label, seed_name(end))
        image = pictures[str(point.get("picture"))]
        return EndPoint(PicturePoint(image, from_json(Conversion, point.get("conversion"))), label, image.name)
    except (Refusal, KeyError) as error:
        raise ValueError("this end point is not known") from error
