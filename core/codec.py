"""Requests to JSON and back. What is read is a stranger's data: typed and bounded before it is believed."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
import types
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from core.errors import Refusal
from core.measure_requests import DataRef, DistanceRequest, LikelihoodRequest, Trial
from core.migration import migrated
from core.requests import (
    MAX_BRANCHES,
    SCHEMA,
    ClassifierSpec,
    Conversion,
    FromMorph,
    FromStep,
    ImageRef,
    InvertRequest,
    ModelRef,
    MorphRequest,
    SampleRequest,
    SamplerSpec,
    ScheduleSpec,
)

R = TypeVar("R")

MAX_TEXT = 1000
MAX_T = 10_000
MAX_COUNT = 4096
MAX_SIDE = 8192
MAX_REFINEMENTS = 5
MAX_FRAMES = 1024
MAX_PICTURES = 1_000_000

Json = dict[str, Any]

NUMBERS: Mapping[tuple[type, str], tuple[float, float]] = {
    (ScheduleSpec, "T"): (1, MAX_T),
    (Conversion, "size"): (1, MAX_SIDE),
    (Conversion, "crop"): (0, 1),
    (Conversion, "background"): (0, 255),
    (SamplerSpec, "eta"): (0, 1),
    (SamplerSpec, "percentile"): (0, 1),
    (SamplerSpec, "limit"): (0, 1000),
    (ClassifierSpec, "scale"): (-1000, 1000),
    (SampleRequest, "interval"): (0, MAX_T - 1),
    (SampleRequest, "rescale"): (0, 1),
    (SampleRequest, "temperature"): (0, 100),
    (LikelihoodRequest, "pictures"): (0, 2**31 - 1),
    (LikelihoodRequest, "draws"): (1, 1000),
    (DistanceRequest, "pictures"): (0, 2**31 - 1),
    (DistanceRequest, "neighbours"): (1, 100),
    (Trial, "batches"): (1, MAX_PICTURES),
    (FromMorph, "frames"): (0, MAX_FRAMES - 1),
    (InvertRequest, "refinements"): (0, MAX_REFINEMENTS),
    (MorphRequest, "refinements"): (0, MAX_REFINEMENTS),
    (MorphRequest, "frames"): (2, MAX_FRAMES),
    (MorphRequest, "batch"): (1, MAX_FRAMES),
}
"""What the numbers of a field may be, also those within its tuples."""

NUMBERS_BY_NAME: Mapping[str, tuple[float, float]] = {
    "seed": (-(2**63), 2**64 - 1),
    "timesteps": (0, MAX_T - 1),
    "t": (0, MAX_T - 1),
    "labels": (0, 2**31 - 1),
    "label": (0, 2**31 - 1),
    "guidance": (-1000, 1000),
    "count": (1, MAX_COUNT),
    "index": (0, MAX_COUNT - 1),
    "aside": (0, 2**31 - 1),
    "final_alpha_bar": (0, 1),
    "first_alpha_bar": (0, 1),
    "step": (0, MAX_T),
    "steps": (0, 2**31 - 1),  # of a training too
    "after": (0, 2**31 - 1),
    "cells": (0, MAX_COUNT - 1),
    "columns": (0, MAX_COUNT),
    "zoom": (1, 64),
    "milliseconds": (1, 60_000),
    "hold": (0, 60_000),
    "low": (0, 255),
    "zero": (0, 255),
    "high": (0, 255),
}
ANY_NUMBER = (-(2.0**63), 2.0**63)
MAX_LENGTHS: Mapping[str, int] = {
    "timesteps": MAX_T,
    "betas": MAX_T,
    "points": 1000,
    "labels": MAX_COUNT,
    "images": MAX_COUNT,
    "frames": MAX_COUNT,
    "cells": MAX_COUNT,
    "ends": 4,
    "pictures": MAX_PICTURES,
    "trials": 1000,
    "aside": MAX_PICTURES,
    "rows": 64,
    "names": MAX_COUNT,
    "row_names": 65,
    "steps": MAX_T + 1,
    "after": 1024,
    "weights": 1024,
}
SHA256 = re.compile("[0-9a-f]{64}")


def to_json(request: Any) -> Json:
    """A request as plain JSON values, with ``schema`` beside its fields.

    Raises Refusal for a number that is not finite.
    """
    return {"schema": SCHEMA, **_fields_to_json(request, type(request).__name__)}


def from_json(cls: type[R], data: object) -> R:
    """The request of class ``cls`` that ``to_json`` wrote.

    Older schemas are brought to the present one. Raises Refusal, naming the field, for a newer schema, for fields that
    are unknown, missing, of another type, not finite or absurdly large, and for branches nested deeper than 32.
    """
    if not isinstance(data, dict):
        raise Refusal("This is not a request: a request is a JSON object.")
    request: R = _Reader().dataclass(cls, migrated(data), "request")
    return request


def field_from_json(cls: type, name: str, value: object) -> Any:
    """One field of a dataclass, as ``from_json`` would read it. Raises Refusal."""
    return _Reader().field(cls, name, _hints(cls)[name], value, cls.__name__)


def request_hash(request: Any) -> str:
    """SHA-256 (hexadecimal) of the canonical JSON: equal requests have equal hashes."""
    text = json.dumps(to_json(request), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(f"{type(request).__name__}{text}".encode()).hexdigest()


@cache
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)


def _is_union(hint: Any) -> bool:
    return get_origin(hint) in (Union, types.UnionType)


def _fields_to_json(value: Any, where: str) -> Json:
    cls: Any = type(value)
    return {name: _to_json(getattr(value, name), hint, f"{where}.{name}") for name, hint in _hints(cls).items()}


def _to_json(value: Any, hint: Any, where: str) -> Any:
    """By declared type, so that equal requests (guidance 0 and 0.0) are written alike."""
    if hasattr(value, "to_json"):
        return value.to_json()  # it knows best
    if dataclasses.is_dataclass(value):
        is_one_of_several = _is_union(hint) and type(None) not in get_args(hint)
        kind = {"kind": type(value).__name__} if is_one_of_several else {}
        return {**kind, **_fields_to_json(value, where)}
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (tuple, list)):
        items = get_args(hint)
        return [_to_json(item, items[0] if items[-1] is ... else items[i], where) for i, item in enumerate(value)]
    if hint is float or float in get_args(hint):
        if not math.isfinite(value):
            raise Refusal(f"{where} is not a finite number.")
        return float(value) + 0.0  # also makes -0.0 and 0.0 one
    return int(value)


class _Reader:
    """Reads one request; knows how deep it is in branches of branches."""

    def __init__(self) -> None:
        self.depth = 0

    def dataclass(self, cls: type, data: object, where: str) -> Any:
        if not isinstance(data, dict):
            raise Refusal(f"{where} must be an object, not {_shown(data)}.")
        if hasattr(cls, "from_json"):
            return cls.from_json(data)
        hints = _hints(cls)
        for name in data:
            if name not in hints:
                raise Refusal(f"{where} has an unknown field {_shown(name)}.")
        for field in dataclasses.fields(cls):
            required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
            if required and field.name not in data:
                raise Refusal(f"{where}.{field.name} is missing.")
        if cls is FromStep:
            self.depth += 1
            if self.depth > MAX_BRANCHES:
                raise Refusal(f"start.parent is nested more than {MAX_BRANCHES} branches deep.")
        return cls(**{name: self.field(cls, name, hints[name], value, where) for name, value in data.items()})

    def field(self, cls: type, name: str, hint: Any, value: object, where: str) -> Any:
        limits = NUMBERS.get((cls, name)) or NUMBERS_BY_NAME.get(name, ANY_NUMBER)
        where = f"{where}.{name}"
        if isinstance(value, list) and len(value) > MAX_LENGTHS.get(name, 16):
            raise Refusal(f"{where} has {len(value)} entries; at most {MAX_LENGTHS.get(name, 16)} are allowed.")
        read = self.value(hint, value, limits, where)
        if cls in (ModelRef, ImageRef, DataRef) and name == "sha256" and not SHA256.fullmatch(read):
            raise Refusal(f"{where} must be a SHA-256 in 64 hexadecimal digits, not {_shown(read)}.")
        if cls is Conversion and name == "channels" and read not in (1, 3):
            raise Refusal(f"{where} must be 1 (grey) or 3 (colour), not {_shown(read)}.")
        return read

    def value(self, hint: Any, value: object, limits: tuple[float, float], where: str) -> Any:
        if _is_union(hint):
            return self.union(hint, value, limits, where)
        if get_origin(hint) is Literal:
            if not isinstance(value, str) or value not in get_args(hint):
                raise Refusal(f"{where} must be one of {', '.join(get_args(hint))}, not {_shown(value)}.")
            return value
        if get_origin(hint) is tuple:
            return self.tuple(hint, value, limits, where)
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            return self.dataclass(hint, value, where)
        if hint is bool:
            if not isinstance(value, bool):
                raise Refusal(f"{where} must be true or false, not {_shown(value)}.")
            return value
        if hint is str:
            if not isinstance(value, str) or len(value) > MAX_TEXT:
                raise Refusal(f"{where} must be a text of at most {MAX_TEXT} characters, not {_shown(value)}.")
            return value
        return _number(hint, value, limits, where)

    def union(self, hint: Any, value: object, limits: tuple[float, float], where: str) -> Any:
        options = get_args(hint)
        if type(None) in options:
            (option,) = (option for option in options if option is not type(None))
            return None if value is None else self.value(option, value, limits, where)
        kinds = {option.__name__: option for option in options}
        kind = value.get("kind") if isinstance(value, dict) else None
        if not isinstance(value, dict) or not isinstance(kind, str) or kind not in kinds:
            raise Refusal(f"{where}.kind must be one of {', '.join(kinds)}, not {_shown(kind)}.")
        return self.dataclass(kinds[kind], {name: item for name, item in value.items() if name != "kind"}, where)

    def tuple(self, hint: Any, value: object, limits: tuple[float, float], where: str) -> Any:
        items = get_args(hint)
        if not isinstance(value, list):
            raise Refusal(f"{where} must be a list, not {_shown(value)}.")
        if items[-1] is ...:
            items = (items[0],) * len(value)
        if len(value) != len(items):
            raise Refusal(f"{where} must have {len(items)} entries, not {len(value)}.")
        return tuple(self.value(item, entry, limits, where) for item, entry in zip(items, value, strict=True))


def _number(hint: Any, value: object, limits: tuple[float, float], where: str) -> int | float:
    low, high = limits
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Refusal(f"{where} must be a number, not {_shown(value)}.")
    if isinstance(value, float) and not math.isfinite(value):
        raise Refusal(f"{where} is not a finite number.")
    if hint is int and not isinstance(value, int):
        raise Refusal(f"{where} must be a whole number, not {_shown(value)}.")
    if not low <= value <= high:
        raise Refusal(f"{where} must lie between {low:g} and {high:g}, not {_shown(value)}.")
    return value if hint is int else float(value)


def _shown(value: object) -> str:
    """A stranger's value, short enough for a sentence."""
    if isinstance(value, (dict, list)):
        return "a list" if isinstance(value, list) else "an object"
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 100:
        return "a number of many digits"
    text = json.dumps(value) if isinstance(value, str) or value is None or isinstance(value, bool) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
