"""Opening a session from a file is one step, which can be taken back: its runs, its settings, where it leads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from app.mementos import Memento
from app.session import Session
from app.state import Cursor
from core.images import OpenedImage
from core.requests import Conversion

if TYPE_CHECKING:
    from app.stages.measure import MeasureStage
    from app.window import MainWindow

WORDS = "open a session"


@dataclass(frozen=True)
class Scene:
    """What opening a session sets, beside its runs. ``stages`` by key, ``unmade``: of those not shown yet."""

    image: OpenedImage | None
    conversion: Conversion | None
    seed: int
    cursor: Cursor
    stages: Mapping[str, Memento]
    unmade: Mapping[str, Memento]


def open_as_step(window: MainWindow, session: Session, pictures: Mapping[str, OpenedImage]) -> None:
    """Show a session of a file beside what is there, as one step of the person's."""
    window.undo.flush()
    before, known, measured = _scene(window), set(window.state.runs), set(_measured(window))
    with ExitStack() as unasked:
        for stage in window.stages():
            unasked.enter_context(stage.mementos.unasked())
        window.sessions.put_back(session, pictures)
    after = _scene(window)
    added = [run for job, run in window.state.runs.items() if job not in known]

    put_back = [job for job in _measured(window) if job not in measured]

    def undo() -> None:
        window.care.take_out([run.job for run in added])
        _forget(window, put_back)
        _show(window, before)

    def redo() -> None:
        window.care.put_back(added)
        had = set(_measured(window))
        _show(window, after)
        put_back[:] = [job for job in _measured(window) if job not in had]

    window.undo.push(WORDS, undo, redo)


def _measure(window: MainWindow) -> MeasureStage | None:
    """Where measurements are shown, if it was made."""
    found = next((stage for stage in window.stages() if stage.key == "measure"), None)
    return cast("MeasureStage | None", found)


def _measured(window: MainWindow) -> tuple[int, ...]:
    stage = _measure(window)
    return () if stage is None else stage.shown.jobs


def _forget(window: MainWindow, measured: Sequence[int]) -> None:
    stage = _measure(window)
    if stage is not None:
        for job in measured:
            stage.shown.forget(job)


def _scene(window: MainWindow) -> Scene:
    state = window.state
    stages = {stage.key: stage.memento() for stage in window.stages()}
    return Scene(state.image, state.conversion, state.seed, state.cursor, stages, dict(window.sessions.stages))


def _show(window: MainWindow, scene: Scene) -> None:
    state = window.state
    window.sessions.wanted = None
    window.sessions.stages = dict(scene.unmade)
    state.set_seed(scene.seed)
    state.set_image(scene.image)
    if scene.conversion is not None:
        state.set_conversion(scene.conversion)
    for stage in window.stages():
        if stage.key in scene.stages:
            stage.recall(scene.stages[stage.key])
    cursor = scene.cursor
    state.move(**{name: getattr(cursor, name) for name in ("stage", "t", "shown_t")})
    run = state.runs.get(cursor.run or 0)
    if run is None:
        state.move(run=None, step=0, frame=0)
    else:
        step = min(cursor.step, run.stored)
        state.move(run=run.job, step=step, t=int(run.path[step].t), frame=cursor.frame)
    if scene.stages.get(cursor.stage):
        window.stage.recall(scene.stages[cursor.stage])  # a run that is looked at has brought its own
