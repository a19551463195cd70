"""The states of runs, under the numbers of their jobs, as long as there is room: readable from any thread."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from core.arrays import Signed
from core.messages import Preview

if TYPE_CHECKING:
    from core.run import Run, Work

KEPT_CAPS = 4
"""All trajectories together may take as much as this many at their cap."""


class Shelf:
    """Runs that can be looked at. Only the engine's thread puts something on it."""

    def __init__(self, cap: int) -> None:
        """``cap`` is what one trajectory may take, in bytes."""
        self.cap = cap
        self._works: dict[int, Work] = {}
        self._index: dict[str, tuple[int, Run]] = {}

    def keep(self, number: int, work: Work, at_work: Collection[int]) -> None:
        """Keep a job's states, and let the oldest of jobs that are not ``at_work`` go: they can be replayed from their
        requests."""
        self._works[number] = work
        for run in work.parts:
            self._index[run.sha256] = (number, run)
        for old in [other for other in self._works if other not in at_work]:
            if sum(kept.nbytes for kept in self._works.values()) <= KEPT_CAPS * self.cap:
                return
            del self._works[old]
            self._index = {name: known for name, known in self._index.items() if known[0] != old}

    def __contains__(self, number: int) -> bool:
        return number in self._works

    def get(self, number: int) -> Work | None:
        return self._works.get(number)

    def works(self) -> tuple[Work, ...]:
        return tuple(self._works.values())

    def find_run(self, sha256: str) -> Run | None:
        """The run that was asked for by the request of this hash."""
        known = self._index.get(sha256)
        return None if known is None else known[1]

    def frame(self, number: int, step: int, frame: int | None) -> Preview | None:
        """A state as pictures; None where it is not kept."""
        work = self._works.get(number)
        if work is None:
            return None
        from core.jobs import stored_preview

        stored = stored_preview(work, step, frame)
        return None if stored is None else replace(stored, job=number)

    def values(self, number: int, step: int, frame: int | None) -> Signed | None:
        """The same state unclamped, float32 (n, *event_shape)."""
        work = self._works.get(number)
        if work is None:
            return None
        from core.jobs import stored_values

        return stored_values(work, step, frame)
