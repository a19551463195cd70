"""Reads a folder of pictures away from the GUI thread; a newer folder or reading replaces an older one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from PySide6.QtCore import QObject, Qt, Signal, Slot

from app.log import logger
from core.errors import Cancelled, Refusal
from core.training.dataset import PictureFolder, open_folder
from core.training.picture_cache import cache_size, delete_cache
from core.training.reading import Reading

TOLD_EVERY = 0.05
"""Seconds between two words about how far it has come."""


class Background(Protocol):
    """What the loader needs of ``app.bridge.Bridge``."""

    def in_background(
        self,
        work: Callable[[], Any],
        done: Callable[[Any], None],
        failed: Callable[[Exception], None],
        worker: str = "",
    ) -> None: ...


class FolderLoader(QObject):
    """Attributes: ``folder``, the one that is being read, or None; ``background``, who works beside the window.

    Signals: ``progressed(done, total)``; ``opened(PictureFolder, folder)``; ``failed(message, details)``. Nothing
    comes of what was cancelled or replaced. ``kept_deleted()``: what was kept of a folder for the next time is gone;
    ``kept(bytes)``: so much is kept of all folders together.
    """

    progressed = Signal(int, int)
    opened = Signal(object, object)
    failed = Signal(str, str)
    kept_deleted = Signal()
    kept = Signal(object)
    _told = Signal(object, int, int)

    def __init__(self, background: Background, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.background = background
        self._token = threading.Event()
        self.folder: Path | None = None
        self._told.connect(self._tell, Qt.ConnectionType.AutoConnection)

    def open(self, folder: Path, reading: Reading | int) -> None:
        """Read the pictures of ``folder`` in this way, or as usual at this size, in the place of what is being read."""
        self.cancel()
        token = self._token = threading.Event()
        self.folder = folder
        told = 0.0

        def progress(done: int, total: int) -> None:
            nonlocal told
            if token.is_set():
                raise Cancelled
            now = time.monotonic()
            if now - told > TOLD_EVERY:
                told = now
                self._told.emit(token, done, total)

        def work() -> PictureFolder | None:
            try:
                return open_folder(folder, reading, progress)
            except Cancelled:
                return None

        def done(data: PictureFolder | None) -> None:
            if data is not None and not token.is_set():
                self.folder = None
                self.opened.emit(data, folder)

        def failed(error: Exception) -> None:
            if not token.is_set():
                self.folder = None
                self._fail(error)

        self.background.in_background(work, done, failed, "folders")

    @Slot()
    def cancel(self) -> None:
        """Read no further."""
        self._token.set()
        self.folder = None

    def delete_kept(self, folder: Path | None) -> None:
        """Delete what is kept of ``folder`` for the next time; None: of all folders."""

        def done(_bytes: int) -> None:
            self.kept_deleted.emit()
            self.ask_kept()

        self.background.in_background(lambda: delete_cache(folder), done, self._fail, "folders")

    def ask_kept(self) -> None:
        """Find out how much is kept."""
        self.background.in_background(cache_size, self.kept.emit, self._fail, "folders")

    @Slot(object, int, int)
    def _tell(self, token: threading.Event, done: int, total: int) -> None:
        if not token.is_set():
            self.progressed.emit(done, total)

    def _fail(self, error: Exception) -> None:
        if isinstance(error, Refusal):
            self.failed.emit(str(error), error.details)
            return
        logger.error("reading a folder failed", exc_info=error)
        words = f"This folder cannot be read ({error}). Look whether it is there and may be opened."
        self.failed.emit(words, repr(error))
