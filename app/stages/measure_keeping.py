"""All that stands in the list of measurements, kept in the session and put back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from app.stages.measure_compared import Comparison
from app.stages.measure_drawn_memory import (
    check_read,
    check_told,
    family_read,
    family_told,
    finished,
    requests_of,
)
from app.stages.measure_shared import Family, cells_of
from app.state import AppState
from core.json_file import UNREADABLE
from core.requests import RunRequest

if TYPE_CHECKING:
    from app.bridge import Bridge
    from app.stages.measure_coarse import CoarseToFine
    from app.stages.measure_nearest import Memorisation
    from app.stages.measurements import Measurements

MOST = 20
"""Checks, and families, that are kept: the last ones."""
MOST_BYTES = 32 * 2**20
"""Of the pictures of all checks, and of all families: what is older than those that fit is not kept."""
Told = dict[str, Any]
Drawing = Comparison | Family


class Keeping:
    """Curves are kept by ``measurements``; here are checks and families, whose runs the history keeps."""

    def __init__(
        self,
        state: AppState,
        bridge: Bridge,
        measurements: Measurements,
        nearest: Memorisation,
        coarse: CoarseToFine,
    ) -> None:
        self._state, self._bridge = state, bridge
        self._measurements, self._nearest, self._coarse = measurements, nearest, coarse
        self._written: dict[int, tuple[object, Told]] = {}

    def told(self) -> list[Told]:
        """What there is, as plain JSON."""
        kept = [*_last_that_fit(self._nearest.records), *_last_that_fit(self._coarse.records)]
        self._written = {one.job: self._write(one) for one in kept}
        ours = [self._written[one.job][1] | {"jobs": self._kept(one)} for one in kept]
        return [*self._measurements.told(), *ours]

    def put_back(self, told: object) -> None:
        """Put each in its place by when it was made, but for what is there. Raises ValueError for what is no list."""
        self._measurements.put_back(told)
        assert isinstance(told, list)
        numbers = _Numbers(self._state, self._bridge, (*self._nearest.records, *self._coarse.records))
        checks = self._read("nearest", told, numbers, self._nearest.records)
        families = self._read("coarse", told, numbers, self._coarse.records)
        self._nearest.records = tuple(sorted((*checks, *self._nearest.records), key=attrgetter("made")))
        self._coarse.records = tuple(sorted((*families, *self._coarse.records), key=attrgetter("made")))

    def _read(self, kind: str, told: list[Any], numbers: _Numbers, known: Sequence[Drawing]) -> list[Any]:
        """What is new of it, with its numbers."""
        made = {one.made for one in known if one.made}
        there = [self._write(one)[1] for one in known if _has_pictures(one)]
        found = []
        for one in [one for one in told if isinstance(one, dict) and one.get("kind") == kind][-MOST:]:
            try:
                record = self._one(one)
                if record.made not in made and _written(record, self._state) not in there:
                    numbers.give(record, one["jobs"])
                    made |= {record.made} - {0.0}
                    there.append(_written(record, self._state))
                    found.append(record)
            except UNREADABLE:
                continue
        return found

    def _one(self, told: Told) -> Drawing:
        state = self._state
        if told["kind"] == "coarse":
            return family_read(told, state.pictures)
        return check_read(told, state.pictures, state.folders)

    def _write(self, record: Drawing) -> tuple[object, Told]:
        """Once for all that is known of it by now."""
        now = _known_of(record)
        written = self._written.get(record.job)
        return written if written is not None and written[0] == now else (now, _written(record, self._state))

    def _kept(self, record: Drawing) -> list[int | None]:
        """Its numbers, of those that the history has."""
        return [job if job in self._state.runs else None for job in _jobs_of(record)]


class _Numbers:
    """The runs of the history that checks and families are of, which may have other numbers than they had: the same
    request, on this computer, is the same run. Each is one's alone; what the history has not gets a new number."""

    def __init__(self, state: AppState, bridge: Bridge, records: Iterable[Drawing]) -> None:
        self._bridge = bridge
        self._taken = {job for record in records for job in _jobs_of(record)}
        self._runs: dict[RunRequest, list[int]] = {}
        for run in state.runs.values():
            self._runs.setdefault(run.request, []).append(run.job)

    def give(self, record: Drawing, had: Any) -> None:
        """Number it, where its runs ``had`` these numbers, or None where the history had none. Raises ValueError."""
        requests = requests_of(record) if isinstance(record, Family) else [record.request]
        if not isinstance(had, list) or len(had) != len(requests):
            raise ValueError("each run has a number, or none")
        jobs = [self._one(request, number) for request, number in zip(requests, had, strict=True)]
        if isinstance(record, Family):
            record.job, *others = jobs
            record.cells = dict(zip(others, cells_of(record.shares), strict=True))
            record.ended = set(jobs)
        elif record.drawn is not None:
            record.job, record.drawn = jobs[0], replace(record.drawn, step=jobs[0])

    def _one(self, request: RunRequest, number: Any) -> int:
        alike = [job for job in self._runs.get(request, ()) if job not in self._taken]
        found = self._bridge.reserve() if number is None or not alike else number if number in alike else alike[0]
        self._taken.add(found)
        return found


def _jobs_of(record: Drawing) -> tuple[int, ...]:
    return record.jobs if isinstance(record, Family) else (record.job,)


def _has_pictures(record: Drawing) -> bool:
    return isinstance(record, Family) or record.drawn is not None


def _written(record: Drawing, state: AppState) -> Told:
    if isinstance(record, Family):
        return family_told(record, state.pictures)
    return check_told(record, state.pictures)


def _known_of(record: Drawing) -> object:
    """What changes when more is known."""
    if isinstance(record, Family):
        return finished(record.way), finished(record.shared)
    return record.drawn, record.result


def _size(record: Drawing) -> int:
    """Bytes of its pictures."""
    if isinstance(record, Family):
        return sum(picture.nbytes for shots in (record.way, record.shared) for picture, _is_whole in shots.values())
    found = record.result
    seen = () if found is None else (found.pixels, found.features)
    shown = [] if found is None else [found.samples.nbytes]
    drawn = [] if record.drawn is None else [record.drawn.pictures.nbytes]
    return sum(drawn + shown + [one.pictures.nbytes for one in seen if one is not None])


def _last_that_fit(records: Iterable[Drawing]) -> list[Drawing]:
    kept, room = [], MOST_BYTES
    for record in [one for one in records if _has_pictures(one)][: -MOST - 1 : -1]:
        room -= _size(record)
        if room < 0:
            break
        kept.append(record)
    return kept[::-1]
