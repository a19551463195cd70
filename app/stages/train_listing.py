"""The list of trainings beside Train: those on the disk, those at work, and ablations in the place of their runs."""

from __future__ import annotations

import time
from collections.abc import Collection
from pathlib import Path

from app.stages.ablation import AblationDesk
from app.stages.ablation_record import words_of_group
from app.stages.train_course import Course
from app.stages.trainings import Trainings
from app.widgets.run_list import RunList
from core.training.ablation import list_ablations
from core.training.claim import is_taken
from core.training.runs import RunSummary, is_interrupted, look_through_runs

ELSEWHERE = "at work in another window or command"


class Listing:
    """Keeps a list true, and marked where it is looked at."""

    def __init__(self, runs: RunList, trainings: Trainings, ablation: AblationDesk) -> None:
        self._runs, self._trainings, self._ablation = runs, trainings, ablation

    def renew(self, course: Course | None, *, at_ablation: bool) -> None:
        """A training has begun, moved on or ended."""
        runs, damaged = look_through_runs()
        runs = (*self._queued({run.folder for run in runs}), *runs)
        interrupted = {run.folder for run in runs if is_interrupted(run)}
        groups = {folder: words_of_group(folder) for folder in list_ablations(runs)}
        elsewhere = {run.folder: ELSEWHERE for run in runs if is_taken(run.folder)}
        self._runs.set_runs(runs, elsewhere | self._trainings.states(), groups, damaged, interrupted)
        self.mark(course, at_ablation=at_ablation)

    def _queued(self, known: Collection[Path]) -> tuple[RunSummary, ...]:
        """Those that were asked for and have no folder yet."""
        return tuple(
            summary_of(course)
            for course in reversed(self._trainings.courses)
            if course.is_live and course.folder not in known
        )

    def mark(self, course: Course | None, *, at_ablation: bool) -> None:
        """Mark the training looked at; one of an ablation's by the ablation."""
        record = self._ablation.record
        is_part = at_ablation or self._ablation.ablations.owns(course)
        if is_part and record is not None:
            self._runs.look_at(record.folder)
        else:
            self._runs.look_at(None if course is None else course.folder)


def summary_of(course: Course) -> RunSummary:
    """What the list needs of a training that has written nothing yet."""
    return RunSummary(
        folder=course.folder,
        name=course.name,
        step=course.step,
        steps=course.total,
        minutes=course.minutes,
        finished=False,
        seconds=0.0,
        loss=None,
        size=course.size,
        data_name=course.data_name,
        count=course.count,
        pictures=course.pictures,
        changed=time.time(),
    )
