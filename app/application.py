"""Starts the window, then the engine; ends them in the reverse order, whatever happens."""

from __future__ import annotations

import faulthandler
import gc
import locale
import os
import signal
import socket
import sys
from collections.abc import Sequence
from logging import ERROR, INFO
from types import FrameType

from PySide6.QtCore import QObject, QSocketNotifier, QTimer, Signal, Slot
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication

from app.bridge import Bridge
from app.diary import record
from app.log import Log, logger
from app.settings import Settings
from app.state import AppState
from app.style_sheet import ICONS
from app.theme import theme
from app.window import MainWindow
from core.farewell import on_farewell
from core.messages import EngineState, Status

COLLECT_MS = 100
"""Between two looks whether there is enough to collect."""


def run(arguments: Sequence[str] = (), *, new_session: bool = False) -> int:
    """Open the window with these pictures, folders or model (paths or a bundled model's name); the exit code. What was
    there when it was closed is there again, unless a ``new_session`` is asked for.

    Ladder of the exit: the window closes and hides, jobs are cancelled, the engine ends, the loop ends. An engine that
    does not end in time is left behind: its stack goes to the log and the process ends without it.
    """
    app = QApplication(sys.argv[:1])
    locale.setlocale(locale.LC_NUMERIC, "C")
    app.setApplicationName("diffuscope")
    app.setApplicationDisplayName("Diffuscope")
    app.setWindowIcon(QIcon(str(ICONS / "diffuscope.svg")))
    log = Log()
    log.install()
    settings = Settings()
    theme().apply(app)
    theme().override(settings.scheme)

    state = AppState()
    bridge = Bridge(state)
    bridge.message.connect(record)
    window = MainWindow(state, bridge, settings=settings, log=log)
    interrupt = Interrupt(window)
    interrupt.raised.connect(window.close)
    collector = Collector(state)
    window.painted.connect(lambda: window.sessions.start(arguments, is_new=new_session or not settings.restores))
    window.show()
    logger.info("window shown")
    code = bridge.run_loop(app)

    collector.stop()
    code = 130 if interrupt.close() else code
    if not bridge.ended:
        opening = state.status.state in (EngineState.STARTING, EngineState.LOADING)  # neither can be interrupted
        logger.log(INFO if opening else ERROR, "left before the engine ended")
        if log.path is not None and not opening:
            with log.path.open("a", encoding="utf-8") as file:
                faulthandler.dump_traceback(file)
        os._exit(code)
    window.deleteLater()
    app.processEvents()
    log.uninstall()
    return code


class Interrupt(QObject):
    """Turns Ctrl+C in the terminal, a logout or a closed terminal into a signal of Qt. Signals: ``raised()``.

    Python runs its handlers only between two of its own instructions, and an idle Qt loop has none; the interpreter
    therefore also writes a byte to a socket that Qt watches.
    """

    raised = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._count = 0
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)
        self._theirs.setblocking(False)
        self._fd = signal.set_wakeup_fd(self._theirs.fileno(), warn_on_full_buffer=False)
        self._give_back = on_farewell(self._caught)
        self._notifier = QSocketNotifier(self._ours.fileno(), QSocketNotifier.Type.Read, self)
        self._notifier.activated.connect(self._woken)

    def close(self) -> bool:
        """Give the signal back; whether it was raised."""
        self._notifier.setEnabled(False)
        signal.set_wakeup_fd(self._fd)
        self._give_back()
        self._ours.close()
        self._theirs.close()
        return self._count > 0

    def _caught(self, number: int, _frame: FrameType | None) -> None:
        self._count += 1
        if self._count > 1:
            signal.signal(number, signal.SIG_DFL)  # a third one ends the process at once

    @Slot()
    def _woken(self) -> None:
        try:
            self._ours.recv(64)
        except BlockingIOError:
            return
        if self._count:
            self.raised.emit()


class Collector(QObject):
    """Runs Python's garbage collector in the GUI thread alone.

    Left to itself it runs in whatever thread allocates, and widgets that die in cycles would be destroyed in the
    engine's thread. It runs often, so that it has little to look through, and what the start has loaded is set aside
    once, without being looked through: that alone would take an eighth of a second.
    """

    def __init__(self, state: AppState) -> None:
        super().__init__(state)
        self._state = state
        self._frozen = False
        gc.disable()
        self._timer = QTimer(self)
        self._timer.setInterval(COLLECT_MS)
        self._timer.timeout.connect(self._collect)
        self._timer.start()
        state.status_changed.connect(self._freeze)

    def stop(self) -> None:
        self._timer.stop()
        gc.enable()

    @Slot(object)
    def _freeze(self, status: Status) -> None:
        if not self._frozen and status.state is EngineState.IDLE:
            self._frozen = True
            gc.freeze()

    @Slot()
    def _collect(self) -> None:
        for generation, (count, threshold) in reversed(
            list(enumerate(zip(gc.get_count(), gc.get_threshold(), strict=True)))
        ):
            if count > threshold > 0:
                gc.collect(generation)
                return
