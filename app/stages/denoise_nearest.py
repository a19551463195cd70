"""Are the samples of a run copies? Beside them the nearest pictures that their model was trained on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.stages.folder_dialog import choose_folder
from app.stages.nearest_desk import NearestDesk
from app.stages.train_course import Course
from app.stages.train_nearest import NONE, OWN, NearestPage
from app.state import AppState, Run
from app.theme import GRID
from app.widgets.title import Title
from core.messages import Nearest
from core.recipe import Recipe, Shown
from core.requests import SampleRequest
from core.training.events import Drawn
from core.training.runs import RunSummary, list_runs

if TYPE_CHECKING:
    from app.bridge import Bridge

NOT_DONE = "The samples can be compared when the run is done."
NO_FOLDER = "This model lies in no folder, so that nobody knows what it was trained on."
NOT_KEPT = "The samples of this run made room for newer ones. Run it again to compare them."


@dataclass
class Samples(Course):
    """A run's samples, as if its model's training had drawn them. ``labels`` are their classes' names."""

    labels: tuple[str, ...] = ()
    made: Recipe | None = None
    """How they are made again."""

    def recipe(self, drawn: Drawn) -> Recipe | None:
        return self.made

    def class_of(self, sample: int) -> str:
        return self.labels[sample] if sample < len(self.labels) else ""

    def told(self, drawn: Drawn) -> str:
        return f"samples of run {drawn.step}"


class SampleCheck(QObject):
    """Attributes: ``page``, to stand where the run stands; ``nearest`` on it; ``desk``, which does the work.

    Signals: ``refused(message, details)``; ``accepted()``.
    """

    refused = Signal(str, str)
    accepted = Signal()

    def __init__(self, state: AppState, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._state, self._bridge = state, bridge
        self._shown: tuple[Samples, Drawn] | None = None
        self.nearest = NearestPage()
        self.title = Title()
        self.title.setText("Nearest training pictures")
        self.page = QWidget()
        row = QHBoxLayout()
        row.setSpacing(GRID)
        row.addWidget(self.title)
        row.addWidget(self.nearest.controls, 1)
        column = QVBoxLayout(self.page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        column.addLayout(row)
        column.addWidget(self.nearest, 1)
        self.desk = NearestDesk(self.nearest, state, bridge, self)
        self.desk.refused.connect(self.refused)
        self.desk.accepted.connect(self.accepted)
        self.desk.folder_wanted.connect(self._choose_pictures)
        self.nearest.held_out_wanted.connect(self._choose_held_out)

    def why_not(self, run: Run | None) -> str:
        """Why the samples of a run cannot be compared; "" where they can."""
        if run is None or run.stored < run.steps:
            return NOT_DONE
        return "" if self._state.folders.get(run.sampling.model.sha256) else NO_FOLDER

    def show(self, run: Run) -> None:
        """The last state of a run. What was found out about it before is there again."""
        if self._shown is None or self._shown[1].step != run.job:
            last = self._bridge.frame(run.job, run.steps)
            if last is None:
                self.refused.emit(NOT_KEPT, "")
                return
            model, ref = self._state.model, run.sampling.model
            classes = model.labels if model is not None and model.ref == ref else ()
            folder = Path(self._state.folders.get(ref.sha256, ref.sha256))
            course = samples_of(run.sampling, classes, folder, last.x_t.shape[1])
            self._shown = course, Drawn(run.job, last.x_t)
        course, drawn = self._shown
        self.desk.show(course, drawn)

    def compare(self, run: Run, folder: Path) -> None:
        """Compare the last state of a run with the pictures in a folder, whatever its model was trained on."""
        self.show(run)
        if self.why_not(run) and self.nearest.features.value() == OWN:  # its network cannot be opened a second time
            self.nearest.features.set_value(NONE)
        if self._shown is not None and self._shown[1].step == run.job:
            self.desk.read(self._shown[0], folder)

    @property
    def shown(self) -> tuple[Samples, Drawn] | None:
        """Whose samples are looked at."""
        return self._shown

    def look_again(self, course: Samples, drawn: Drawn, known: Nearest | None) -> None:
        """Samples that were looked at before, whether their run is still kept or not."""
        self._shown = course, drawn
        self.desk.show(course, drawn, known)

    def clear(self) -> None:
        """Show nothing, until another run is shown."""
        self._shown = None
        self.desk.show(None, None)

    def stop(self) -> bool:
        """Stop what is under way, or show all samples again; whether there was anything to do."""
        if self.desk.is_busy:
            self.desk.stop()
        elif self.nearest.pair is not None:
            self.nearest.close_pair()
        else:
            return False
        return True

    def leave(self) -> None:
        """The window is closed."""
        self.desk.leave()

    @Slot(object)
    def _choose_pictures(self, course: Course) -> None:
        title = f"Where are the pictures that {course.name} was trained on?"
        choose_folder(self.page, title, lambda folder: self.desk.read(course, folder))

    @Slot()
    def _choose_held_out(self) -> None:
        if self._shown is not None:
            course = self._shown[0]
            title = f"Pictures that {course.name} was not trained on"
            choose_folder(self.page, title, lambda folder: self.desk.hold_out(course, folder))


def samples_of(request: SampleRequest, names: tuple[str, ...], folder: Path, size: int) -> Samples:
    """The samples, ``size`` wide, of a run; ``names`` are those of its model's classes, ``folder`` is where that model
    lies."""
    trained = training_of(folder)
    asked = [request.labels[cell] for cell in request.samples] if request.labels else []
    labels = tuple("" if label is None or label >= len(names) else names[label] for label in asked)
    return Samples(
        folder=folder,
        name=request.model.name,
        size=size,
        count=0,
        data_name="it was trained on" if trained is None else trained.data_name,
        pictures=None if trained is None else trained.pictures,
        classes=names,
        saved=0,
        labels=labels,
        made=Recipe(request, Shown("x_t", request.steps, tuple(range(len(request.samples))), "grid")),
    )


def training_of(folder: Path) -> RunSummary | None:
    """The training whose folder, or a snapshot of which, this is; None where it is not known on this computer."""
    places = {folder.resolve(), folder.resolve().parent.parent}
    return next((run for run in list_runs() if run.folder.resolve() in places), None)
