"""Two ways as one process: up to the latent and down again, with one position for the slider and the filmstrip."""

from __future__ import annotations

from dataclasses import dataclass

from app.state import Run
from core.levels import Level, Path


@dataclass(frozen=True, slots=True)
class Place:
    """State ``step`` of the way up, or of the way down."""

    is_up: bool
    step: int


@dataclass(frozen=True, slots=True)
class Walk:
    """A way up and a way down that begins where it ends; either may be missing, but not both.

    Positions count all states from left to right, the latent once. The runs are None while they are only planned.
    """

    up: Path = ()
    down: Path = ()
    up_run: Run | None = None
    down_run: Run | None = None

    @property
    def top(self) -> int:
        """The position of the latent, where the way down begins."""
        return max(0, len(self.up) - 1)

    @property
    def last(self) -> int:
        return self.top + max(0, len(self.down) - 1)

    @property
    def levels(self) -> Path:
        return (*self.up, *self.down[1:]) if self.up else self.down

    @property
    def available(self) -> int:
        """How many positions exist, the first of them always."""
        above = self.up_run.stored if self.up_run is not None else 0
        if above < self.top or self.down_run is None:
            return above + 1
        return self.top + self.down_run.stored + 1

    def place(self, position: int) -> Place:
        is_up = bool(self.up) and position <= self.top
        return Place(is_up, position if is_up else position - self.top)

    def position(self, job: int | None, step: int) -> int:
        """Where state ``step`` of one of the two runs lies."""
        return self.top + step if self.down_run is not None and job == self.down_run.job else step

    def at(self, position: int) -> tuple[Run | None, int]:
        """The run, as far as there is one, and its step at a position; at the latent that of the way up."""
        place = self.place(position)
        return (self.up_run if place.is_up else self.down_run), place.step

    def level(self, position: int) -> Level:
        place = self.place(position)
        return (self.up if place.is_up else self.down)[place.step]

    def nearest(self, t: float, position: int) -> int:
        """The position nearest to a time, on the way that ``position`` lies on."""
        is_up = bool(self.up) and position <= self.top
        way = range(self.top + 1) if is_up else range(self.top, self.last + 1)
        return min(way, key=lambda there: abs(self.level(there).t - t))

    def pair(self, position: int) -> tuple[int, int]:
        """The steps of the way up and of the way down that belong to the same t: where both ways can be compared."""
        place = self.place(position)
        if not place.is_up:
            return max(0, self.top - place.step), place.step
        down = self.top - place.step
        return place.step, len(self.down) - 1 if place.step == 0 else down
