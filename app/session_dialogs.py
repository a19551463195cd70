"""Sessions as files of one's own: saved under a name, and opened again, here or elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QFileDialog

from app.exports.saving import ask_file
from app.log import logger
from app.session import Session, to_data
from app.session_file import ENDING, read_archive, write_archive
from app.session_step import open_as_step
from core.errors import Refusal
from core.images import OpenedImage
from resources import models

if TYPE_CHECKING:
    from app.sessions import Sessions
    from app.window import MainWindow

PLACES = ("folder", "looked_at", "queued")
"""Settings that name paths."""
KIND = f"Sessions of Diffuscope (*{ENDING})"


class SessionFiles(QObject):
    """The commands of the File menu that are about sessions."""

    def __init__(self, window: MainWindow, sessions: Sessions) -> None:
        super().__init__(sessions)
        self._window, self._sessions = window, sessions
        registry = window.registry
        registry.connect_to(
            {"open_session": self.choose, "save_session": self.choose_place, "restores": self._choose_restoring}
        )
        registry["restores"].setChecked(window.settings.restores)

    def choose(self) -> None:
        dialog = QFileDialog(self._window, "Open a session", "", f"{KIND};;All files (*)")
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        self._show(dialog, self.open)

    def choose_place(self) -> None:
        ask_file(self._window, "Save the session as", f"session{ENDING}", KIND, (ENDING,), self.save)

    def open(self, path: Path) -> None:
        """Put back a session from a file, in a worker; what was there stays."""

        def done(read: tuple[Session, dict[str, OpenedImage]]) -> None:
            session, pictures = read
            open_as_step(self._window, strangers(session), pictures)
            self._open_model(session)

        self._window.bridge.in_background(lambda: read_archive(path), done, self._failed, "session")

    def save(self, path: Path) -> None:
        """Write all that is there now to a file, in a worker."""
        session = strangers(self._sessions.contents.session())
        pictures = self._sessions.contents.pixels(session)

        def done(_nothing: None) -> None:
            self._window.status_line.set_hint(f"Saved {path}")

        def work() -> None:
            write_archive(path, to_data(session), pictures)

        self._window.bridge.in_background(work, done, self._failed, "session")

    def _open_model(self, session: Session) -> None:
        """The model that was worked with, where it is known here: no file says what else is opened."""
        wanted, state = session.model, self._window.state
        if wanted is None or (state.model is not None and state.model.ref.sha256 == wanted.sha256):
            return
        bundled = {model.name for model in models()}
        known = state.folders.get(wanted.sha256, wanted.name if wanted.name in bundled else "")
        if known:
            self._window.commands.open_model(known)
        else:
            self._window.told.tell(f"This session was made with the model “{wanted.name}”. Open it to see its runs.")

    def _choose_restoring(self) -> None:
        self._window.settings.restores = self._window.registry["restores"].isChecked()

    def _failed(self, error: Exception) -> None:
        if isinstance(error, Refusal):
            self._window.show_error(str(error), error.details)
        else:
            logger.exception("a session could not be opened or saved", exc_info=error)
            self._window.show_error("This session cannot be opened, or not be saved there.", repr(error))

    @staticmethod
    def _show(dialog: QFileDialog, take: Callable[[Path], None]) -> None:
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(lambda name: take(Path(name)))
        dialog.open()


def strangers(session: Session) -> Session:
    """A session without the places of files and folders, which are nobody else's business, and are opened for none."""
    stages = {
        stage: {name: value for name, value in memento.items() if name not in PLACES}
        for stage, memento in session.stages.items()
    }
    nowhere = {
        "models": tuple(replace(one, folder="") for one in session.models),
        "classifiers": tuple(replace(one, folder="") for one in session.classifiers),
        "model": None if session.model is None else replace(session.model, folder=""),
    }
    return replace(session, stages=stages, **nowhere)  # type: ignore[arg-type]
