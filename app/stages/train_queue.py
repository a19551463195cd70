"""Trainings that were queued and have not begun, as plain JSON and back: so they outlast the window. No widget here.

What is read may be damaged: each training that cannot be read is left out by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from app.stages.train_aim import Aim
from core.codec import field_from_json
from core.json_file import UNREADABLE, Fields
from core.training.order import TrainOrder
from core.training.reading import Reading
from core.training.request import TrainRequest

MOST = 100
MOST_SAMPLES = 1000
MOST_TEXT = 4096


@dataclass(frozen=True, slots=True)
class Waiting:
    """What was asked for: on the pictures of a folder, read in this way."""

    order: TrainOrder
    pictures: Path
    reading: Reading

    @property
    def name(self) -> str:
        return self.order.out.name

    @property
    def aim(self) -> Aim:
        order = self.order
        return Aim(
            order.task,
            order.noised,
            order.prediction,
            order.objective,
            order.variance,
            order.schedule,
            order.timestep_sampler,
        )


def told(waiting: Iterable[Waiting]) -> list[dict[str, Any]]:
    """They, in the order of the queue."""
    return [
        {
            "order": asdict(one.order) | {"out": str(one.order.out)},
            "pictures": str(one.pictures),
            "reading": asdict(one.reading),
        }
        for one in waiting
    ]


def read(said: object) -> tuple[Waiting, ...]:
    """The inverse of ``told``, after a trip through JSON text as well. Raises ValueError for what is no list."""
    if not isinstance(said, list):
        raise ValueError("trainings are a list")
    found = []
    for one in said[:MOST]:
        try:
            found.append(_waiting(one))
        except UNREADABLE:
            continue
    return tuple(found)


def _waiting(said: Any) -> Waiting:
    reading = field_from_json(TrainRequest, "reading", _listed(said["reading"]))
    if reading is None:
        raise ValueError("how its pictures are read is not known")
    return Waiting(_order(said["order"]), Path(_text(said["pictures"])), reading)


def _order(said: Any) -> TrainOrder:
    known = {item.name for item in fields(TrainOrder)} - {"out", "never_flipped", "precision"}
    plain = _listed(said)
    values = {name: field_from_json(TrainOrder, name, plain[name]) for name in known & plain.keys()}
    never_flipped = Fields(plain, "it").texts("never_flipped")
    precision = plain["precision"]
    if precision != "auto":
        precision = field_from_json(TrainRequest, "precision", precision)
    order = TrainOrder(Path(_text(said["out"])), never_flipped=never_flipped, precision=precision, **values)
    if not 0 <= order.samples <= MOST_SAMPLES:
        raise ValueError("so many samples are never drawn")
    return order


def _listed(value: Any) -> Any:
    """As JSON has it, which knows no tuples."""
    if isinstance(value, dict):
        return {name: _listed(item) for name, item in value.items()}
    return [_listed(item) for item in value] if isinstance(value, list | tuple) else value


def _text(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MOST_TEXT:
        raise ValueError("a text is expected")
    return value
