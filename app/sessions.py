"""Keeps the session of a window, and puts one back: at the start, after a crash, or from a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, QTimer, Slot

from app.kept_runs import KeptRuns, kept_run
from app.log import logger
from app.mementos import Memento
from app.session import Session, to_data
from app.session_contents import Contents
from app.session_dialogs import SessionFiles
from app.session_file import SessionFolder, take, unfinished
from app.state import AppState, Cursor
from core.errors import Refusal
from core.images import OpenedImage

if TYPE_CHECKING:
    from app.stages.base import Stage
    from app.window import MainWindow

SAVE_MS = 5000
"""From a change until it is on the disk, and a little."""
THUMBNAIL_SIDE = 96
AT_ONCE = 2_000_000
"""Bytes of pictures that are opened faster than anybody could see."""
WORKER = "session"


class Sessions(QObject):
    """The session of ``window``, which is saved while it changes.

    Attributes: ``folder``, where it is kept (None: nowhere); ``runs``, which makes the runs of an earlier one again;
    ``files``, sessions that are opened and saved by the person; ``contents``, what there is to keep; ``stages``,
    settings of stages that have not been shown yet; ``wanted``, a session whose crop is to be taken up again when its
    picture meets its model.
    """

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._state: AppState = window.state
        self.folder: SessionFolder | None = None
        self.runs = KeptRuns(window.state, window.bridge, self)
        self.runs.refused.connect(window.show_error)
        self.runs.said.connect(window.status_line.set_hint)
        self.stages: dict[str, Memento] = {}
        self.wanted: Session | None = None
        self._place: Cursor | None = None
        """The run that was looked at, until its model is there."""
        self.contents = Contents(window, self)
        self._is_saving = self._is_restoring = self._has_ended = False
        self._later = QTimer(self, singleShot=True, interval=SAVE_MS)
        self._later.timeout.connect(self.save)
        state = window.state
        for told in (
            *(state.cursor_changed, state.image_changed, state.conversion_changed, state.schedule_changed),
            *(state.seed_changed, state.model_changed, state.runs_changed, state.classifiers_changed),
            *(state.run_removed, state.note_changed, state.thumbnail_changed, state.measuring_changed),
        ):
            told.connect(self.change)
        state.conversion_changed.connect(self._take_up_crop)
        state.model_changed.connect(self._model_came)
        window.stage_made.connect(self._made)
        for stage in window.stages():
            self._made(stage)
        self.files = SessionFiles(window, self)
        window.bridge.ending.connect(self._end, Qt.ConnectionType.DirectConnection)

    # Beginning

    def start(self, arguments: Sequence[str] = (), *, is_new: bool = False) -> None:
        """After the first paint: the last session, and what was asked for."""
        session = self.begin(is_new=is_new)
        has_picture = self._window.commands.begin(arguments, session)
        if session is not None:
            self.restore(session, has_picture=has_picture)

    def begin(self, *, is_new: bool = False) -> Session | None:
        """Take the folder of a session; the one in it, where it is to be restored and can be."""
        try:
            self.folder = take()
        except Refusal as refusal:
            logger.error("sessions cannot be kept: %s", refusal)
        if self.folder is None or is_new:
            return None
        session, damaged = self.folder.read()
        if damaged:
            logger.error("the last session is damaged: %s", damaged)
            self._say_unread(damaged, is_older=session is not None)
        self._say_unfinished()
        if session is None or not (self.folder.is_first or session.is_unfinished):
            return None
        if not self.folder.attempt():
            self._window.told.tell("Restoring the last session has failed twice: this one begins anew.")
            return None
        return session

    def restore(self, session: Session, *, has_picture: bool = False) -> None:
        """Put back a session of this computer's; ``has_picture``: another picture was asked for."""
        folder = self.folder
        assert folder is not None
        self._is_restoring = True
        found: dict[str, OpenedImage] = {}

        def work() -> None:
            for sha256, name in session.pictures.items():
                try:
                    found[sha256] = folder.picture(sha256, name)
                except Refusal as refusal:
                    logger.error("%s", refusal)

        def done(_nothing: None) -> None:
            try:
                self.put_back(session, found, has_picture=has_picture)
            except Exception as error:  # whatever it is, it prevents no start
                self._failed(error)
            else:
                self._is_restoring = False
            folder.succeed()

        if folder.size(session) <= AT_ONCE:  # before the engine's imports slow all threads down
            work()
            done(None)
        else:
            self._window.bridge.in_background(work, done, self._failed, WORKER)

    def put_back(self, session: Session, pictures: Mapping[str, OpenedImage], *, has_picture: bool = False) -> None:
        """Show a session whose pictures are there. Runs of the history stay, the session's come after them."""
        state, window = self._state, self._window
        state.pictures.update(pictures)
        for opened in (*session.models, *session.classifiers, *((session.model,) if session.model else ())):
            if opened.folder:
                state.folders.setdefault(opened.sha256, opened.folder)
        numbers = self._put_back_runs(session, pictures)
        image = pictures.get(session.image)
        self.wanted = session
        state.set_seed(session.seed)
        if image is not None and not has_picture:
            state.set_image(image)
        self.stages = joined(self.stages, session.stages)
        for stage in window.stages():
            self._recall(stage)
        for classifier in session.classifiers:
            if classifier.folder and Path(classifier.folder).exists():
                window.bridge.open_classifier(classifier.folder)
        self._go_to(session.cursor, numbers)
        if window.stage.key in session.stages:  # a run that is looked at has brought its own
            window.stage.recall(session.stages[window.stage.key])
        window.interrupted.offer_queued(session.queued)
        if session.left_out:
            window.told.tell(f"Of the last session was left out: {', '.join(session.left_out)}.")

    def _put_back_runs(self, session: Session, pictures: Mapping[str, OpenedImage]) -> dict[int, int]:
        """Their numbers now by those they had."""
        state = self._state
        numbers: dict[int, int] = {}
        for one in session.runs:
            job = self._window.bridge.reserve(one.job)
            parent = None if one.parent is None else numbers.get(one.parent)
            try:
                run = kept_run(job, one.request, parent, one.parent_step)
            except (Refusal, ValueError) as error:
                logger.error("run %d of the last session cannot be walked: %s", one.job, error)
                continue
            numbers[one.job] = job
            state.notes[job] = one.note
            if one.thumbnail in pictures:
                state.thumbnails[job] = pictures[one.thumbnail].pixels
                self.contents.thumbnails[job] = pictures[one.thumbnail]
            state.put_run(run)
        return numbers

    def _go_to(self, cursor: Cursor, numbers: Mapping[int, int]) -> None:
        known = {command.id for command in self._window.registry}
        if f"stage_{cursor.stage}" not in known:
            return
        run = None if cursor.run is None else numbers.get(cursor.run)
        if run is None:
            self._state.move(stage=cursor.stage, run=None, step=0, t=max(0, cursor.t), shown_t=max(0, cursor.t))
        else:
            self.runs.places[run] = cursor
            t = int(self._state.runs[run].path[0].t)
            self._state.move(stage=cursor.stage, run=run, step=0, t=t, shown_t=t, frame=cursor.frame)
            self._place = self._state.cursor if self._state.model is None else None

    @Slot()
    def _model_came(self) -> None:
        """A picture that meets its model may have taken the place of the run that was looked at: it comes back."""
        place, self._place = self._place, None
        if place is not None and self._state.model is not None:
            QTimer.singleShot(0, self, lambda: self._return(place))

    def _return(self, place: Cursor) -> None:
        cursor = self._state.cursor
        if (cursor.stage, cursor.run) == (place.stage, None) and place.run in self._state.runs:
            self._state.move(run=place.run, step=0, t=place.t, shown_t=place.t, frame=place.frame)

    @Slot(object)
    def _made(self, stage: Stage) -> None:
        stage.settings_changed.connect(self.change)
        self._recall(stage)

    def _recall(self, stage: Stage) -> None:
        """What was set in a stage before is set again."""
        memento = self.stages.pop(stage.key, None)
        if memento is not None:
            lost = stage.recall(memento)
            if lost and not stage.mementos.awaited:
                logger.warning("settings of %s are left as they are: %s", stage.title, ", ".join(lost))

    @Slot()
    def _take_up_crop(self) -> None:
        """How the picture meets the model is decided anew wherever the two meet: then it is as it was."""
        session, state = self.wanted, self._state
        if session is None or state.model is None or state.image is None:
            return
        self.wanted, conversion = None, session.conversion
        if conversion is None or state.image.sha256 != session.image:
            return
        if (conversion.channels, *conversion.size) == state.model.event_shape:
            state.set_conversion(conversion)

    # Keeping

    @Slot()
    def change(self) -> None:
        """Something is otherwise than on the disk."""
        if self.folder is not None and not self._later.isActive() and not self._has_ended:
            self._later.start()

    @Slot()
    def save(self) -> None:
        """Write the session, in a worker."""
        if self.folder is None or self._has_ended or self._is_restoring:
            return
        if self._is_saving:
            self._later.start()
            return
        folder, session = self.folder, self.contents.session()
        pictures = self.contents.pixels(session)
        self._window.keep_layout()
        self._is_saving = True

        def work() -> None:  # a thousand runs take a tenth of a second
            folder.write(to_data(session), pictures)

        self._window.bridge.in_background(work, self._saved, self._not_saved, WORKER)

    def _saved(self, _nothing: None) -> None:
        self._is_saving = False

    def _not_saved(self, error: Exception) -> None:
        self._is_saving = False
        logger.error("the session was not saved: %s", error)

    def _failed(self, error: Exception) -> None:
        logger.exception("the last session cannot be restored", exc_info=error)
        self._is_restoring = False
        self._say_unread("It is damaged.", is_older=False)

    @Slot()
    def _end(self) -> None:
        """The window is closed, and no worker is at work any more."""
        if self.folder is None or self._has_ended:
            return
        self._has_ended = True
        self._later.stop()
        if self._is_restoring:  # what is on the disk is more than what is here
            self.folder.release()
            return
        session = replace(self.contents.session(), is_closed=True)
        try:
            self.folder.write(to_data(session), self.contents.pixels(session))
        except Refusal as refusal:
            logger.error("the session was not saved: %s", refusal)
        self.folder.release()

    def _say_unfinished(self) -> None:
        """Of what other windows left behind nothing would be seen in this one."""
        others = unfinished() if self.folder and self.folder.is_first else []
        runs = sum(len(session.runs) for session in others if not session.is_closed)
        if self._window.told.isVisible():
            return
        if runs:
            of_it = "its run" if runs == 1 else f"its {runs} runs"
            self._window.told.tell(f"Another window was cut off too. Start Diffuscope once more to have {of_it} back.")
        elif any(session.is_closed for session in others):
            self._window.told.tell(
                "Another window was closed while trainings were queued in it. Start Diffuscope once more, beside this "
                "window, to have them back."
            )

    def _say_unread(self, why: str, *, is_older: bool) -> None:
        words = "an earlier one is shown" if is_older else "this one begins anew"
        self._window.told.tell(f"The last session cannot be restored: {words}. {why}")


def joined(here: Mapping[str, Memento], theirs: Mapping[str, Memento]) -> dict[str, Memento]:
    """What is set in stages that were not shown yet, by another session; what was measured here stays."""
    both = {stage: here.get(stage, {}) | theirs.get(stage, {}) for stage in (*here, *theirs)}
    ours, others = (stages.get("measure", {}).get("measured") for stages in (here, theirs))
    if isinstance(ours, list) and isinstance(others, list):
        both["measure"]["measured"] = ours + others
    return both
