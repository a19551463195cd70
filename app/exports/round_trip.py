"""An inversion and what comes down from its latent, gone through as one way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from app.exports.ways import RunWay, State, Way
from app.state import Run
from core.recipe import Quantity, Recipe, Shown
from core.requests import GatherStep, InvertRequest

if TYPE_CHECKING:
    from app.bridge import Bridge


class RoundTrip(Way):
    """The states of the way up, then those of the way down but for its first, which is the latent again."""

    along = "both ways"

    def __init__(self, bridge: Bridge, up: Run, down: Run, position: int, cell: int | None = None) -> None:
        """``position`` counts the states of both."""
        self._up, self._down = RunWay(bridge, up, up.steps, cell), RunWay(bridge, down, 0, cell)
        self._requests = up.request, down.request
        self._top = len(self._up.captions) - 1
        self.name = f"runs {up.job} and {down.job}"
        self.count, self.cell = self._up.count, cell
        self.times = (*self._up.times, *self._down.times[1:])
        rising = [f"{caption} ↑" for caption in self._up.captions[:-1]]
        falling = [f"{caption} ↓" for caption in self._down.captions[1:]]
        self.captions = (*rising, f"{self._up.captions[-1]}, latent", *falling)
        self.current = min(position, len(self.captions) - 1)

    def find(self, position: int, quantities: Sequence[Quantity], numbers: bool) -> State | None:
        way, step = self._at(position)
        return way.find(step, quantities, numbers)

    def question(self, position: int) -> GatherStep | None:
        way, step = self._at(position)
        return way.question(step)

    def recipe(self, positions: Sequence[int], quantity: Quantity, cells: Sequence[int]) -> Recipe:
        up, down = self._requests
        if positions[-1] <= self._top:
            return self._up.recipe(positions, quantity, cells)
        shown = Shown(quantity, positions[-1] - self._top, tuple(cells), steps=tuple(positions))
        return Recipe(up, replace(shown, onward=True), (down,))

    def _at(self, position: int) -> tuple[RunWay, int]:
        return (self._up, position) if position <= self._top else (self._down, position - self._top)


def fits(up: Run, down: Run) -> bool:
    """Whether both ways are whole enough to be one: the latent is reached, and each of its samples comes down."""
    request = down.sampling
    pictures = up.request.images if isinstance(up.request, InvertRequest) else ()
    return up.stored == up.steps and down.stored > 0 and len(request.samples) == len(pictures)
