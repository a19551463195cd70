"""What is known of an ablation: its plan, and of each of its trainings how far it has come and what was measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from app.stages.train_aim import Aim
from app.stages.train_course import Course, stored
from core.errors import Refusal
from core.training.ablation import Ablation, Cell, Figures, exploded_at, outcomes, read
from core.training.film import read_film
from core.training.history import read_history
from core.training.runs import list_runs

ROWS = {"mean": "μ̃", "eps": "ε"}
LOSSES = {"vlb": "L", "simple": "L_simple", "hybrid": "L_hybrid"}
VARIANCES = {"fixed": "fixed Σ", "range": "learned Σ, range", "diagonal": "learned Σ"}


@dataclass
class CellRecord:
    """``course`` is its training, None before it began; ``diverged`` the step whose loss was no number any more."""

    cell: Cell
    course: Course | None = None
    diverged: int | None = None
    figures: Figures = field(default_factory=Figures)
    _looked: tuple[int, int | None] = (0, None)
    """How many losses were looked through for an explosion, and its step."""

    @property
    def exploded(self) -> int | None:
        """The step from which on the loss is far above what it was, None where it is not."""
        if self._looked[0] != self.step and self.course is not None:
            self._looked = self.step, exploded_at(self.course.losses)
        return self._looked[1]

    @property
    def name(self) -> str:
        """ "ε, L_simple", "μ̃, L, learned Σ"."""
        cell = self.cell
        variance = VARIANCES[cell.variance] if cell.objective == "vlb" else ""
        return ", ".join(filter(None, (ROWS[cell.prediction], LOSSES[cell.objective], variance)))

    @property
    def is_trained(self) -> bool:
        return self.diverged is None and self.course is not None and self.course.state == "finished"

    @property
    def is_over(self) -> bool:
        return self.diverged is not None or self.is_trained

    @property
    def is_live(self) -> bool:
        return self.course is not None and self.course.is_live

    @property
    def state(self) -> str:
        """In words: where it is, or how it ended."""
        course = self.course
        if self.diverged is not None:
            return f"diverged at step {self.diverged:,}"
        if course is None:
            return "waits for its turn"
        if course.state == "finished":
            return "trained" if self.exploded is None else f"exploded at step {self.exploded:,}"
        return f"{course.state}, step {course.step:,} of {course.total or 0:,}"

    @property
    def step(self) -> int:
        return self.course.step if self.course is not None else 0


class AblationRecord:
    """Attributes: ``folder``; ``plan``; ``cells``, in the table's order; ``pictures``, where its pictures lie, None
    where nobody knows; ``is_begun``, whether anything of it is on the disk."""

    def __init__(self, folder: Path, plan: Ablation, pictures: Path | None = None) -> None:
        self.folder, self.plan, self.pictures = folder, plan, pictures
        self.is_begun = False
        self.cells = tuple(CellRecord(cell) for cell in plan.cells)

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def next(self) -> CellRecord | None:
        """The first that is not over."""
        return next((one for one in self.cells if not one.is_over), None)

    @property
    def live(self) -> CellRecord | None:
        return next((one for one in self.cells if one.is_live), None)

    @property
    def trained(self) -> tuple[CellRecord, ...]:
        return tuple(one for one in self.cells if one.is_trained)

    @property
    def is_measured(self) -> bool:
        return bool(self.trained) and all(one.figures.bits_per_dim is not None for one in self.trained)

    def of(self, course: Course) -> CellRecord | None:
        return next((one for one in self.cells if one.course is course), None)

    def take(self, figures: dict[str, Figures]) -> None:
        """What was measured, by the cells' keys."""
        for one in self.cells:
            one.figures = figures.get(one.cell.key, one.figures)

    def planned(self, plan: Ablation) -> None:
        """Other settings, before anything has begun."""
        self.plan = plan
        self.cells = tuple(CellRecord(cell) for cell in plan.cells)


def aim_of(plan: Ablation, cell: Cell) -> Aim:
    """What a cell's training is after."""
    return Aim(
        prediction=cell.prediction,
        objective=cell.objective,
        variance=cell.variance,
        schedule=plan.schedule,
        timestep_sampler=plan.timestep_sampler,
    )


def recorded(folder: Path, known: Callable[[Path], Course | None]) -> AblationRecord:
    """An ablation as it lies on the disk; ``known`` gives the course of a run that this session knows. Raises Refusal
    or OSError."""
    record = AblationRecord(folder, read(folder))
    record.is_begun = True
    places = {run.folder: run.pictures for run in list_runs()}
    for one, outcome in zip(record.cells, outcomes(folder), strict=True):
        one.diverged, one.figures = outcome.diverged, outcome.figures
        if outcome.run is None:
            continue
        path = outcome.run.folder.resolve()
        record.pictures = record.pictures or places.get(path)
        run = replace(outcome.run, pictures=places.get(path))
        one.course = known(path) or stored(run, read_history(path), read_film(path))
    return record


def words_of_group(folder: Path) -> tuple[str, str]:
    """An ablation in a list: how far it has come, and what it is. "" where its folder cannot be read."""
    try:
        plan, found = read(folder), outcomes(folder)
    except (Refusal, OSError):
        return "", ""
    diverged = sum(outcome.diverged is not None for outcome in found)
    trained = sum(outcome.is_over for outcome in found) - diverged
    what = f"DDPM's table 2 on {plan.data_name}, {plan.steps:,} steps each\n{folder}"
    return f"ablation · {how_far(trained, diverged, len(found))}", what


def how_far(trained: int, diverged: int, total: int) -> str:
    """ "3 of 6 trained, 1 diverged"."""
    return f"{trained} of {total} trained" + (f", {diverged} diverged" if diverged else "")
