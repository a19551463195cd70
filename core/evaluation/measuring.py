"""What all measurements have in common: pieces of work, and the pictures they are about."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.errors import Refusal
from core.measure_requests import DataRef
from core.messages import Measurement
from core.training.dataset import PictureFolder

Check = Callable[[], None]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """``done`` pieces are done; ``result`` is what is known by now, None where nothing was added. The last one has the
    whole result."""

    done: int
    result: Measurement | None


class Measuring(Protocol):
    """A measurement under way."""

    @property
    def total(self) -> int:
        """Pieces in all."""
        ...

    def work(self) -> Iterator[Part]:
        """Measure, one short piece an item. What was yielded last stays valid when the work is left."""
        ...


def check_data(asked: DataRef, pictures: tuple[int, ...], data: PictureFolder) -> None:
    """Raise Refusal unless these are the pictures that were asked for, each of them once."""
    if asked.sha256 != data.sha256:
        raise Refusal(f"The pictures in {data.name} are not those this measurement was made for. Begin it anew.")
    if not pictures:
        raise Refusal("There is nothing to measure against: choose at least one picture.")
    if len(set(pictures)) < len(pictures) or not all(0 <= index < len(data) for index in pictures):
        raise Refusal(f"The pictures of a measurement are some of 0 to {len(data) - 1}, each once.")


def pictures_as(data: PictureFolder, event_shape: tuple[int, ...], name: str) -> NDArray[np.uint8]:
    """The folder's pictures, uint8 (n, H, W, C), in the channels of a network's event shape (C, H, W).

    Raises Refusal where their size is another, or the network ``name`` does not work on pictures.
    """
    if len(event_shape) != 3:
        raise Refusal(f"“{name}” does not work on pictures, so it cannot be measured on a folder of them.")
    channels, height, width = event_shape
    if data.pictures.shape[1:3] != (height, width):
        side = "{1} × {0}".format(*data.pictures.shape[1:3])
        raise Refusal(
            f"“{name}” takes pictures of {width} × {height} pixels, those of {data.name} were opened at {side}. "
            f"Open the folder at {width}."
        )
    return data.in_channels(channels).pictures
