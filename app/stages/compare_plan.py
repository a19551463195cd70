"""Two runs beside each other: which states of them belong together, and what keeps them apart. No widget here."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from app.state import AppState, Run
from core.levels import Level
from core.morph_plan import Place, places
from core.requests import InvertRequest, MorphRequest

MORPHS = "A morph has frames, a run has steps: a morph is compared with a morph."
ENDS = "These morphs lie between different numbers of end points: none of their frames belong together."


@dataclass(frozen=True, slots=True)
class Spot:
    """A state of a run that is looked at: its ``step``; of a morph, the ``frame`` as well; which ``cells`` of the batch
    that is stored there, and their ``numbers`` for a person (from 1)."""

    job: int
    step: int
    frame: int | None
    cells: tuple[int, ...]
    numbers: tuple[int, ...]


@dataclass(frozen=True)
class Pair:
    """Two runs. The first leads: its states (of a morph: its frames) are the positions, and for each the nearest of
    the second is looked at: the nearest t, or where the two have different noise schedules, the nearest noise level."""

    first: Run
    second: Run

    @property
    def why_not(self) -> str:
        """What keeps the two from being compared, in words; "" where nothing does."""
        return why_not(self.first, self.second)

    @property
    def is_morph(self) -> bool:
        return isinstance(self.first.request, MorphRequest)

    @cached_property
    def times(self) -> tuple[int, ...]:
        """What the transport calls each position: t, or the number of a frame from 1."""
        if isinstance(self.first.request, MorphRequest):
            return tuple(range(1, len(places(self.first.request)) + 1))
        return tuple(int(level.t) for level in self.first.path)

    @cached_property
    def numbers(self) -> tuple[int, ...]:
        """The samples of the first by their number in the batch (from 0), where it has several."""
        return numbers_of(self.first)

    @property
    def can_show_all(self) -> bool:
        """Whether each sample of the one has its own beside it in the other."""
        return len(self.numbers) > 1 and self.numbers == numbers_of(self.second)

    @property
    def available(self) -> int:
        """How many positions there are to look at by now."""
        if self.is_morph:
            return len(self.times)
        return min(self.first.stored, self.first.steps) + 1

    @property
    def by_level(self) -> bool:
        """Whether states belong together by their noise level, because t means something else in each."""
        return self.first.request.schedule != self.second.request.schedule

    def position(self, step: int, frame: int) -> int:
        """Where the cursor stands."""
        return min(frame if self.is_morph else step, self.available - 1)

    def spots(self, position: int, cell: int | None) -> tuple[Spot, Spot]:
        """What is looked at in both at a position, for one ``cell`` of the first, or for all of them (None)."""
        if self.is_morph:
            return (
                Spot(self.first.job, self.first.steps, position, (0,), (position + 1,)),
                Spot(self.second.job, self.second.steps, self._frames[position], (0,), (self._frames[position] + 1,)),
            )
        there, step = numbers_of(self.second), self.nearest(position)
        if cell is None and self.can_show_all:
            cells = tuple(range(len(self.numbers)))
            shown = tuple(number + 1 for number in self.numbers)
            return Spot(self.first.job, position, None, cells, shown), Spot(self.second.job, step, None, cells, shown)
        cell = min(cell or 0, len(self.numbers) - 1)
        number = self.numbers[cell]
        other = there.index(number) if number in there else min(cell, len(there) - 1)
        return (
            Spot(self.first.job, position, None, (cell,), (number + 1,)),
            Spot(self.second.job, step, None, (other,), (there[other] + 1,)),
        )

    def nearest(self, step: int) -> int:
        """The state of the second run that belongs to this one of the first, among those there are."""
        here, reached = self.first.path[step], min(self.second.stored, self.second.steps)
        levels = self.second.path[: reached + 1]
        return min(range(len(levels)), key=lambda other: self._apart(here, levels[other]))

    def is_exact(self, position: int) -> bool:
        """Whether both are at the same place of their way."""
        if self.is_morph:
            first, second = self._shares
            return bool(np.allclose(first[position], second[self._frames[position]]))
        return self._apart(self.first.path[position], self.second.path[self.nearest(position)]) < 1e-6

    def is_within(self, position: int) -> bool:
        """Whether the second run has been anywhere near there: a branch has nothing before it left."""
        if self.is_morph:
            return True
        levels = self.second.path[: min(self.second.stored, self.second.steps) + 1]
        apart = self._apart(self.first.path[position], levels[self.nearest(position)])
        return apart <= self._apart(levels[0], levels[-1]) / max(1, len(levels) - 1) + 1e-9

    def _apart(self, here: Level, there: Level) -> float:
        if self.by_level:
            return abs(math.atan2(here.sigma, here.alpha) - math.atan2(there.sigma, there.alpha))
        return abs(here.t - there.t)

    @cached_property
    def _shares(self) -> tuple[np.ndarray, np.ndarray]:
        return _shares(self.first), _shares(self.second)

    @cached_property
    def _frames(self) -> tuple[int, ...]:
        """For each frame of the first the one of the second with the most similar shares of the end points."""
        first, second = self._shares
        return tuple(int(np.square(second - shares).sum(axis=1).argmin()) for shares in first)


def why_not(first: Run, second: Run) -> str:
    """What keeps two runs from being compared, in words; "" where nothing does."""
    one, other = first.request, second.request
    if isinstance(one, MorphRequest) != isinstance(other, MorphRequest):
        return MORPHS
    if isinstance(one, MorphRequest) and isinstance(other, MorphRequest) and len(one.ends) != len(other.ends):
        return ENDS
    return ""


def partners(state: AppState, first: int | None = None) -> tuple[int | None, int | None]:
    """Two runs worth comparing: ``first``, else the one looked at, else the latest; with the one it was branched from,
    else the latest other that it can be compared with."""
    runs = state.runs
    first = next((job for job in (first, state.cursor.run, *reversed(runs)) if job in runs), None)
    if first is None:
        return None, None
    run = runs[first]
    others = [run.parent, *(job for job in reversed(runs) if job != first)]
    return first, next((job for job in others if job in runs and not why_not(run, runs[job])), None)


def numbers_of(run: Run) -> tuple[int, ...]:
    """The samples (or pictures) of a run by their number in the batch, from 0."""
    request = run.request
    if isinstance(request, MorphRequest):
        return (0,)
    return tuple(range(len(request.images))) if isinstance(request, InvertRequest) else request.samples


def _shares(run: Run) -> np.ndarray:
    """What each end point contributes to each frame of a morph (frames, ends)."""
    request = run.request
    assert isinstance(request, MorphRequest)
    found: tuple[Place, ...] = places(request)
    return np.array([place.weights(len(request.ends)) for place in found])
