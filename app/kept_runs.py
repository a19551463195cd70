"""Runs of an earlier session, and those whose states made room for newer ones: known by their requests, made again,
bit for bit, when somebody looks at them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from app.state import COMPARE, UNMADE, AppState, Cursor, Run
from core.inversion_plan import inversion_path, reconstruction
from core.levels import Path as Levels
from core.messages import Failed, RunEnded, RunStarted
from core.morph_plan import batches, inversion_of
from core.paths import make_path
from core.requests import (
    FromImage,
    FromLatent,
    FromMorph,
    FromStep,
    ImageEnd,
    ImageRef,
    InvertRequest,
    ModelRef,
    MorphRequest,
    RunRequest,
    SampleRequest,
)
from core.schedules import make_schedule

if TYPE_CHECKING:
    from app.bridge import Bridge

KEPT, AWAITED = UNMADE
ENDED = ("finished", "stopped")


def kept_run(job: int, request: RunRequest, parent: int | None = None, parent_step: int = 0) -> Run:
    """A run of which nothing is there but its request. Raises Refusal where it cannot be walked."""
    return Run(job, request, path_of(request), total_of(request), state=KEPT, parent=parent, parent_step=parent_step)


def path_of(request: RunRequest) -> Levels:
    """The levels that a run goes through; of a morph, those of each frame's way down."""
    if isinstance(request, InvertRequest):
        return inversion_path(request)
    return make_path(make_schedule(request.schedule), request.timesteps, request.final_alpha_bar)


def total_of(request: RunRequest) -> int:
    """How many steps the engine makes of it."""
    if not isinstance(request, MorphRequest):
        return request.steps
    inversion = inversion_of(request)
    return request.steps * len(batches(request)) + (0 if inversion is None else inversion.steps)


def pictures_of(request: RunRequest) -> tuple[ImageRef, ...]:
    """The pictures that it needs, those of the runs that it goes on from as well."""
    if isinstance(request, InvertRequest):
        return request.images
    if isinstance(request, MorphRequest):
        return tuple(end.image for end in request.ends if isinstance(end, ImageEnd))
    match request.start:
        case FromImage(image=image):
            return (image,)
        case FromStep(parent=parent) | FromLatent(parent=parent) | FromMorph(parent=parent):
            return pictures_of(parent)
    return ()


_back = lru_cache(maxsize=16)(reconstruction)
"""It is asked for at every step that is looked at."""


def _first(runs: Iterable[Run], request: RunRequest) -> int | None:
    return next((run.job for run in runs if run.request == request), None)


class KeptRuns(QObject):
    """Has the run that is looked at made again, under its own number. Signals: ``refused(message, details)``;
    ``said(str)``, why it is not there yet.

    Attributes: ``places``, where in a run the person was, to go back there when it is made again.
    """

    refused = Signal(str, str)
    said = Signal(str)

    def __init__(self, state: AppState, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._state, self._bridge = state, bridge
        self._asked: set[int] = set()
        self._making: set[int] = set()
        """What is made again, waiting or under way."""
        self._left: set[int] = set()
        """Of these, what nobody looks at any more: it makes way for what is."""
        self._known: set[str] = set()
        self._model = state.model
        self._refused: set[int | None] = set()
        """What cannot be made again, said once as long as it is looked at."""
        self._again: set[int | None] = set()
        """What is made again because it had made room: two that leave no room for each other are not made in turns."""
        self.places: dict[int, Cursor] = {}
        self._soon = QTimer(self, singleShot=True, interval=0)
        """After everybody else has heard: what goes wrong is said last."""
        self._soon.timeout.connect(self.look)
        state.cursor_changed.connect(self._look_soon)
        state.model_changed.connect(self._look_soon)
        bridge.message.connect(self._receive)

    @Slot()
    def _look_soon(self) -> None:
        self._soon.start()

    @Slot()
    def look(self) -> None:
        """Make again what the cursor is on, and what is shown with it."""
        cursor, state = self._state.cursor, self._state
        looked_at = {cursor.run, self._other_way(cursor.run), cursor.beside if cursor.stage == COMPARE else None}
        self._refused = self._refused & looked_at if self._model is state.model else set()
        self._again &= looked_at
        self._model = state.model
        self._make_way(self._making - looked_at)
        for job in sorted(job for job in looked_at if job in state.runs):
            if state.runs[job].state in ENDED and not self._bridge.keeps(job):
                self._let_go(state.runs[job])
            if state.runs[job].state != KEPT:
                continue
            if state.model is None:
                self.said.emit(f"{state.name_of(job)} is from before: it is made again when its model is there.")
            elif job not in self._refused:
                self._make_again(state.runs[job])

    def _make_way(self, jobs: set[int]) -> None:
        """Leave what nobody looks at any more; it is begun anew when somebody does."""
        for job in jobs - self._left:
            self._left.add(job)
            self._bridge.cancel(job)

    def _let_go(self, run: Run) -> None:
        """Its states have made room for newer ones: all that is left of it is its request."""
        state = self._state
        if run.job in self._again:
            self.said.emit(f"The steps of {state.name_of(run.job)} made room for others. Choose it again to see them.")
            return
        self._again.add(run.job)
        state.put_run(replace(run, state=KEPT, stored=0, store_bytes=0))
        if state.cursor.run == run.job:
            self.places[run.job] = state.cursor
            state.move(step=0, t=int(run.path[0].t))

    def _make_again(self, run: Run) -> None:
        why_not = self._open_model(run.request.model)
        if why_not:
            self._refused.add(run.job)
            self.refused.emit(f"{self._state.name_of(run.job)} cannot be shown: {why_not}", "")
            return
        self._asked.add(run.job)
        self._making.add(run.job)
        self._state.put_run(replace(run, state=AWAITED))
        for picture in pictures_of(run.request):
            if picture.sha256 in self._state.pictures:
                self._bridge.add_image(self._state.pictures[picture.sha256])
        self._bridge.submit(run.request, run.job)

    def _other_way(self, job: int | None) -> int | None:
        """The way up or down that is looked at together with a run."""
        runs = self._state.runs
        run = None if job is None else runs.get(job)
        start = run.request.start if run is not None and isinstance(run.request, SampleRequest) else None
        if run is not None and isinstance(start, FromLatent):
            above = runs.get(run.parent or 0)
            known = above is not None and above.request == start.parent
            return run.parent if known else _first(runs.values(), start.parent)
        if run is not None and isinstance(run.request, InvertRequest):
            own = [one for one in runs.values() if one.parent == job]
            return _first(own, _back(run.request)) or _first(runs.values(), _back(run.request))
        return None

    def _open_model(self, model: ModelRef) -> str:
        """Have a run's own model opened beside the window's, where it is another; why it cannot be, "" where it can."""
        state = self._state
        if (state.model is not None and model == state.model.ref) or model.sha256 in self._known:
            return ""
        folder = state.folders.get(model.sha256, "")
        if not folder or not Path(folder).exists():
            return f"its model “{model.name}” is not open. Open it, then choose the run again."
        self._known.add(model.sha256)
        self._bridge.know_model(folder, model.sha256)
        return ""

    @Slot(object)
    def _receive(self, message: object) -> None:
        self._listen(message)
        if isinstance(message, RunEnded | Failed) and message.job is not None:
            for jobs in (self._asked, self._making, self._left):
                jobs.discard(message.job)

    def _listen(self, message: object) -> None:
        match message:
            case RunStarted(job=job) if job in self._asked:
                self._asked.discard(job)
            case Failed(job=int(job)) if job in self._asked:
                self._refused.add(job)
                self._state.put_run(replace(self._state.runs[job], state=KEPT))
            case RunEnded(job=job, reason="stopped") if job in self._left and job in self._state.runs:
                self._state.put_run(replace(self._state.runs[job], state=KEPT, stored=0))
                self._look_soon()
            case RunEnded(job=job, reason=reason) if job in self.places:
                place = self.places.pop(job)
                if reason == "finished":
                    QTimer.singleShot(0, self, lambda: self._go_back(job, place))

    def _go_back(self, job: int, place: Cursor) -> None:
        """To where the person was in a run, unless they have gone elsewhere meanwhile."""
        run, cursor = self._state.runs.get(job), self._state.cursor
        is_untouched = cursor.step == 0 or run is None or cursor.step >= min(run.stored, run.steps)
        if run is not None and cursor.run == job and is_untouched:
            step = min(place.step, run.steps)
            self._state.move(step=step, t=int(run.path[step].t), frame=place.frame)
