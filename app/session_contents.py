"""What of a window belongs into its session."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from app.kept_runs import pictures_of
from app.session import MOST_PICTURES, KeptRun, Opened, Session
from app.session_file import Pixels
from app.state import COMPARE, UNMADE, Cursor, Run, stage_of
from core.conversion import display_pixels
from core.images import OpenedImage, from_pixels
from core.requests import ModelRef

if TYPE_CHECKING:
    from app.sessions import Sessions
    from app.window import MainWindow

THUMBNAIL_SIDE = 96


class Contents:
    """Reads ``window`` when it is asked. Attributes: ``thumbnails``, small pictures of runs by job."""

    def __init__(self, window: MainWindow, sessions: Sessions) -> None:
        self._window, self._sessions = window, sessions
        self._state = window.state
        self.thumbnails: dict[int, OpenedImage] = {}

    def session(self) -> Session:
        """All that is there now."""
        state, window = self._state, self._window
        runs = [run for run in state.runs.values() if run.state != "failed" or run.stored]
        named = {picture.sha256 for run in runs for picture in pictures_of(run.request)}
        stages = self._sessions.stages | {stage.key: stage.memento() for stage in window.stages()}
        named |= _pictures_in(list(stages.values()))
        image = "" if state.image is None else state.image.sha256
        names = {sha256: one.name for sha256, one in state.pictures.items() if sha256 in named or sha256 == image}
        kept = tuple(self._kept(run) for run in runs)
        small = {self.thumbnails[run.job].sha256: "thumbnail" for run in runs if run.job in self.thumbnails}
        names = dict([*small.items(), *names.items()][-MOST_PICTURES:])  # rather a thumbnail less than a picture
        models = {run.request.model for run in runs}
        return Session(
            image=image,
            pictures=names,
            conversion=state.conversion if self._sessions.wanted is None else self._sessions.wanted.conversion,
            seed=state.seed,
            cursor=self._cursor(),
            model=None if state.model is None else self._opened(state.model.ref),
            models=tuple(self._opened(ref) for ref in models),
            classifiers=tuple(self._opened(one.ref) for one in state.classifiers),
            runs=kept,
            stages=stages,
            panels=(window.settings.left_panel, window.settings.right_panel),
        )

    def pixels(self, session: Session) -> dict[str, Pixels]:
        """The pictures that a session names, by their hash."""
        known = self._state.pictures | {one.sha256: one for one in self.thumbnails.values()}
        return {sha256: known[sha256].pixels for sha256 in session.pictures if sha256 in known}

    def _kept(self, run: Run) -> KeptRun:
        thumbnail = self._state.thumbnails.get(run.job)
        if thumbnail is not None:
            known = self.thumbnails.get(run.job)
            if known is None or known.pixels is not thumbnail:
                small = from_pixels(display_pixels(thumbnail, THUMBNAIL_SIDE), "thumbnail")
                self.thumbnails[run.job] = small
                self._state.thumbnails[run.job] = small.pixels
        sha256 = self.thumbnails[run.job].sha256 if thumbnail is not None else ""
        return KeptRun(run.job, run.request, self._state.note(run.job), sha256, run.parent, run.parent_step)

    def _cursor(self) -> Cursor:
        """Where the person looks; in a run that is being made again, where they will."""
        cursor = self._state.cursor
        run = None if cursor.run is None else self._state.runs.get(cursor.run)
        if cursor.stage == COMPARE:
            cursor = replace(cursor, stage="denoise" if run is None else stage_of(run.request), beside=None)
        place = None if run is None else self._sessions.runs.places.get(run.job)
        if run is not None and place is not None and run.state in (*UNMADE, "running"):
            return replace(cursor, step=place.step, frame=place.frame)
        return cursor

    def _opened(self, ref: ModelRef) -> Opened:
        return Opened(ref.name, ref.sha256, self._state.folders.get(ref.sha256, ""))


def _pictures_in(memento: object) -> set[str]:
    """The pictures that settings name, wherever they do: end points of morphs, samples of measurements."""
    if isinstance(memento, list):
        return set[str]().union(*map(_pictures_in, memento))
    if not isinstance(memento, dict):
        return set()
    named = memento.get("picture")
    return {named} if isinstance(named, str) else _pictures_in(list(memento.values()))
