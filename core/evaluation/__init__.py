"""Measuring a model: how well it codes pictures, and how far its samples are from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from core.errors import Refusal
from core.library import Check, Library
from core.messages import Measurement
from core.requests import MeasureRequest
from core.training.dataset import PictureFolder


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """``done`` parts of a measurement are done; ``result`` is what is known then, None where that is as before."""

    done: int
    result: Measurement | None = None


class Measure(Protocol):
    """A measurement that is made piece by piece."""

    @property
    def total(self) -> int:
        """Parts in all."""
        ...

    def work(self) -> Iterator[Part]: ...


def measurement_of(
    request: MeasureRequest, library: Library, device: str, data: PictureFolder, *, check: Check, breathe: Check
) -> Measure:
    """What the request comes to. ``check`` may raise Cancelled, ``breathe`` also serves others. Raises Refusal."""
    raise Refusal("Nothing can be measured yet.")
