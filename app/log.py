"""One log for everything that goes wrong: Python, its threads, asyncio, Qt, and crashes of the interpreter."""

from __future__ import annotations

import faulthandler
import logging
import logging.handlers
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from PySide6.QtCore import QMessageLogContext, QObject, QtMsgType, Signal, qInstallMessageHandler

from core.errors import Refusal
from core.folders import log_folder

logger = logging.getLogger("diffuscope")

LOG_NAME = "diffuscope.log"
_LEVELS = {
    QtMsgType.QtDebugMsg: logging.DEBUG,
    QtMsgType.QtInfoMsg: logging.INFO,
    QtMsgType.QtWarningMsg: logging.WARNING,
    QtMsgType.QtCriticalMsg: logging.ERROR,
    QtMsgType.QtFatalMsg: logging.CRITICAL,
}
_Hook = Callable[[type[BaseException], BaseException, TracebackType | None], Any]


class Log(QObject):
    """The log of this process, from ``install`` to ``uninstall``.

    Attributes: ``path`` of the file (None where no file can be written), ``last_error`` with its traceback ("" while
    all is well). Signals: ``error(message, details)`` for what no one else has handled, from any thread.
    """

    error = Signal(str, str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.path: Path | None = None
        self.last_error = ""
        self._handler: logging.Handler = logging.NullHandler()
        self._faults: TextIO | None = None
        self._telling = False
        self._hooks: tuple[_Hook, Any] | None = None

    def install(self) -> None:
        try:
            self.path = log_folder() / LOG_NAME
            self._handler = logging.handlers.RotatingFileHandler(
                self.path, maxBytes=1_000_000, backupCount=2, encoding="utf-8"
            )
            self._faults = self.path.with_suffix(".crash").open("w", encoding="utf-8")
            faulthandler.enable(self._faults)
        except (OSError, Refusal) as error:
            self.path = None
            self.last_error = f"No log is written: {error}"
        self._handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(threadName)s %(name)s: %(message)s"))
        logger.addHandler(self._handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
        self._hooks = (sys.excepthook, threading.excepthook)
        sys.excepthook = self._unhandled
        threading.excepthook = self._unhandled_in_thread
        qInstallMessageHandler(_from_qt)

    def uninstall(self) -> None:
        if self._hooks is None:
            return
        qInstallMessageHandler(None)
        sys.excepthook, threading.excepthook = self._hooks
        self._hooks = None
        if self._faults is not None:
            faulthandler.disable()
            self._faults.close()
            self._faults = None
        logger.removeHandler(self._handler)
        self._handler.close()

    def report(self, error: BaseException, where: str = "") -> None:
        """Log an error and tell the window, from any thread."""
        details = "".join(traceback.format_exception(error))
        logger.error("%s%s", f"{where}: " if where else "", details)
        self.last_error = details
        if self._telling:
            return  # telling the window is what failed
        self._telling = True
        try:
            self._tell(error, details)
        finally:
            self._telling = False

    def _tell(self, error: BaseException, details: str) -> None:
        if isinstance(error, Refusal):
            self.error.emit(str(error), error.details)
        else:
            self.error.emit(
                "Something went wrong inside the program; what you made is still there. "
                "If it happens again, send the report from the Help menu.",
                details,
            )

    def from_asyncio(self, _loop: Any, context: dict[str, Any]) -> None:
        """An asyncio exception handler (``loop.set_exception_handler``)."""
        error = context.get("exception")
        if isinstance(error, BaseException):
            self.report(error, str(context.get("message", "asyncio")))
        else:
            logger.error("asyncio: %s", context.get("message"))

    def _unhandled(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        sys.__excepthook__(kind, error, trace)
        if not issubclass(kind, KeyboardInterrupt):
            self.report(error)

    def _unhandled_in_thread(self, unhandled: threading.ExceptHookArgs) -> None:
        if unhandled.exc_value is not None:
            self.report(unhandled.exc_value, unhandled.thread.name if unhandled.thread else "thread")


def _from_qt(kind: QtMsgType, _context: QMessageLogContext, message: str) -> None:
    logger.log(_LEVELS.get(kind, logging.WARNING), "Qt: %s", message)
