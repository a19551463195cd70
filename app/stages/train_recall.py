"""What a recipe of a training leads back to: the training itself, where it drew, or its settings in Train."""

from __future__ import annotations

import math
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from app.restored_training import beyond_controls, memento_of
from app.stages.train_course import Course
from app.stages.train_moments import DATA
from core.recipe import Shown
from core.request_words import printable
from core.training.draw_request import TrainingDraw, moments
from core.training.request import TrainRequest
from core.training.runs import RunSummary

if TYPE_CHECKING:
    from app.stages.train import TrainStage

OTHERS = "These are not the very pictures of that training: some were added, removed or changed."


class TrainRecall(QObject):
    """Signals: ``said(str)``."""

    said = Signal(str)

    def __init__(self, stage: TrainStage) -> None:
        super().__init__(stage)
        self._stage = stage
        self._looked_for: tuple[Path, TrainingDraw, Shown] | None = None
        """What is to be shown of a training that is being read."""
        self._prepared: TrainRequest | None = None
        """Whose pictures are still to be chosen, and whether they are to be mirrored."""
        self._takes_flip = False
        stage.stored.opened.connect(self._opened)
        stage.setup.accepted.connect(self._pictures_came)

    def look_at(self, run: RunSummary, draw: TrainingDraw, shown: Shown) -> None:
        """Show what a training on this computer drew."""
        stage, known = self._stage, self._stage.trainings.of(run.folder)
        self._looked_for = run.folder, draw, shown
        if known is None:
            stage.stored.open(run)
        else:
            stage.shown.look_at(known)
            self._opened(known)

    def prepare(self, draw: TrainingDraw, fields: frozenset[str]) -> None:
        """Set these settings of the training that drew, ready to be started."""
        stage, setup, training = self._stage, self._stage.setup, draw.training
        model = None if stage.state.model is None else stage.state.model.ref
        self._looked_for = None
        stage.shown.look_at(None)
        memento = memento_of(draw, fields, model)
        missing = list(beyond_controls(training, fields, model))
        entries = {name: entry for name, entry in stage.mementos.entries.items() if name in memento}
        for name, entry in entries.items():
            with suppress(ValueError, TypeError, OverflowError):
                entry.write(memento[name])
        others = [entry.name for name, entry in entries.items() if not _is_alike(entry.read(), memento[name])]
        missing += [f"there is no such {name.lower() if len(name) > 1 else name} here" for name in others]
        setup.controls.more.set_open(True)
        data = setup.data
        is_there = data is not None and data.sha256 == training.data_sha256
        self._prepared, self._takes_flip = None if is_there else training, "flip" in fields
        words = "Train is set as it was then."
        words += f" Not so: {'; '.join(missing)}." if missing else ""
        if not is_there:
            words += f" Choose the folder of its pictures, “{printable(training.data_name)}”, and press Start."
        self.said.emit(words)

    @Slot(object)
    def _opened(self, course: Course) -> None:
        if self._looked_for is None or self._looked_for[0] != course.folder:
            return
        (_, draw, shown), self._looked_for = self._looked_for, None
        sets, stage = course.samples, self._stage
        if not sets:
            return
        place = _nearest(course, draw.after[-1], draw.weights[-1])
        page, drawn = stage.view.samples_page, sets[place]
        step = shown.steps[-1] if shown.steps else shown.step
        kept = moments(draw.steps)
        is_way = step < draw.steps and step in kept and len(drawn.timesteps) == len(kept)
        if is_way and shown.quantity in ("x_t", "x0_hat"):
            page.controls.kind.set_value(shown.quantity)
        page.look_at_time(drawn.timesteps[kept.index(step)] if is_way else DATA)
        stage.film.go(place)
        alone = len(shown.cells) == 1 and len(drawn.pictures) > max(1, shown.cells[0])
        stage.view.enlarge(shown.cells[0] if alone else None)

    @Slot()
    def _pictures_came(self) -> None:
        """Another folder brings its own mind about mirroring; that of the recipe holds for the recipe's pictures."""
        training, setup = self._prepared, self._stage.setup
        if training is None or setup.data is None or setup.folder == setup.example:
            return
        if setup.data.sha256 == training.data_sha256:
            self._prepared = None
            if self._takes_flip:
                setup.controls.reading.choose_flip(training.flip)
                setup.controls.never.setText(", ".join(training.never_flipped))
                setup.controls.never.editingFinished.emit()
            self.said.emit("These are the pictures of that training. Press Start.")
        elif setup.data.name == training.data_name:
            self.said.emit(OTHERS)


def _is_alike(found: object, wanted: object) -> bool:
    """Whether a control says what it was told; numbers as far as a person can see."""
    if isinstance(found, float | int) and isinstance(wanted, float | int):
        return math.isclose(found, wanted, rel_tol=1e-9)
    return found == wanted


def _nearest(course: Course, step: int, weights: str) -> int:
    """Which set was drawn then, or next to it."""
    sets = course.samples
    return min(range(len(sets)), key=lambda place: (abs(sets[place].step - step), sets[place].weights != weights))
