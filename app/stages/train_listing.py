"""The list of trainings beside Train: those on the disk, those at work, and ablations in the place of their runs."""

from __future__ import annotations

import os

from app.stages.ablation import AblationDesk
from app.stages.ablation_record import words_of_group
from app.stages.train_course import Course
from app.stages.trainings import Trainings
from app.widgets.run_list import RunList
from core.training.ablation import list_ablations
from core.training.claim import holder_of
from core.training.runs import is_interrupted, look_through_runs

ELSEWHERE = "at work in another window or command"


class Listing:
    """Keeps a list true, and marked where it is looked at."""

    def __init__(self, runs: RunList, trainings: Trainings, ablation: AblationDesk) -> None:
        self._runs, self._trainings, self._ablation = runs, trainings, ablation

    def renew(self, course: Course | None, *, at_ablation: bool) -> None:
        """A training has begun, moved on or ended."""
        runs, damaged = look_through_runs()
        interrupted = {run.folder for run in runs if is_interrupted(run)}
        groups = {folder: words_of_group(folder) for folder in list_ablations(runs)}
        elsewhere = {run.folder: ELSEWHERE for run in runs if holder_of(run.folder) not in (None, os.getpid())}
        self._runs.set_runs(runs, elsewhere | self._trainings.states(), groups, damaged, interrupted)
        self.mark(course, at_ablation=at_ablation)

    def mark(self, course: Course | None, *, at_ablation: bool) -> None:
        """Mark the training looked at; one of an ablation's by the ablation."""
        record = self._ablation.record
        is_part = at_ablation or self._ablation.ablations.owns(course)
        if is_part and record is not None:
            self._runs.look_at(record.folder)
        else:
            self._runs.look_at(None if course is None else course.folder)
