"""What a run was made with is set again when it is chosen in the history: picture, seed, schedule, model, controls."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Slot

from app.kept_runs import pictures_of
from app.state import Run, stage_of
from core.request_words import printable
from core.requests import ImageRef, InvertRequest, MorphRequest

if TYPE_CHECKING:
    from app.window import MainWindow

PATIENCE_MS = 400
"""How long a run is looked at before its model is opened: whoever walks along the list opens none."""


class Recalling(QObject):
    """The controls are set by the stage of the run; what the whole window has but once is set here."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._job: int | None = None
        """The run chosen last."""
        self._opened_for: int | None = None
        """The run whose model is on its way."""
        self._soon = QTimer(self, singleShot=True, interval=PATIENCE_MS)
        self._soon.timeout.connect(self._open_model)
        window.history.run_selected.connect(self.recall)
        window.state.model_changed.connect(self._model_came)

    @Slot(int)
    def recall(self, job: int) -> None:
        """Set again what a run was made with, but for its controls; none of it is a change to take back."""
        state = self._window.state
        run, place = state.runs[job], state.cursor
        self._job = job
        with ExitStack() as unasked:
            for stage in self._window.stages():
                unasked.enter_context(stage.mementos.unasked())
            state.set_schedule(run.request.schedule)
            if not isinstance(run.request, InvertRequest):
                state.set_seed(run.request.seed)
            self._set_picture(run)
        if state.cursor.run != job:  # a stage has left the run for the picture
            state.move(stage=place.stage, run=job, step=place.step, t=place.t, shown_t=place.shown_t)
        if state.model is not None and state.model.ref.sha256 != run.request.model.sha256:
            self._soon.start()

    def _set_picture(self, run: Run) -> None:
        """The picture that it begins from, with its crop, where it is known."""
        named: tuple[ImageRef, ...] = () if isinstance(run.request, MorphRequest) else pictures_of(run.request)
        state = self._window.state
        picture = state.pictures.get(named[0].sha256) if len(named) == 1 else None
        if picture is None:
            return
        if state.image is None or state.image.sha256 != picture.sha256:
            state.set_image(picture)
        crop = named[0].conversion
        if state.model is not None and (crop.channels, *crop.size) == state.model.event_shape:
            state.set_conversion(crop)

    @Slot()
    def _open_model(self) -> None:
        state = self._window.state
        run = None if self._job is None else state.runs.get(self._job)
        if run is None or state.cursor.run != run.job or state.model is None:
            return
        ref = run.request.model
        folder = state.folders.get(ref.sha256, "")
        if ref.sha256 == state.model.ref.sha256:
            return
        if folder and Path(folder).exists():
            self._opened_for = run.job
            self._window.commands.open_model(folder, ref.sha256)
        else:
            words = f"{state.name_of(run.job)} was made with “{printable(ref.name)}”, which is not open here."
            self._window.status_line.set_hint(words)

    @Slot(object)
    def _model_came(self, _model: object) -> None:
        """A model brings settings of its own: those of the run that it was opened for come after them."""
        QTimer.singleShot(0, self, self._set_again)

    def _set_again(self) -> None:
        state = self._window.state
        run = None if self._opened_for is None else state.runs.get(self._opened_for)
        self._opened_for = None
        if run is None or state.model is None or state.model.ref.sha256 != run.request.model.sha256:
            return
        if state.cursor.stage == stage_of(run.request) and state.cursor.run in (run.job, None):
            if state.cursor.run is None:  # a stage has left the run for the picture
                step = min(run.stored, run.steps)
                state.move(run=run.job, step=step, t=int(run.path[step].t))
            self.recall(run.job)
            self._window.stage.restore_run(run.job)
