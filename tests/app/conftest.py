"""A window with toy stages and a bridge without an engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.settings import Settings
from app.state import AppState
from app.window import MainWindow
from tests.app.fake_engine import FakeBridge
from tests.app.toy_stage import STAGES


class WindowBridge(FakeBridge):
    """Does background work at once and counts how often it is closed."""

    closings = 0

    def in_background(
        self,
        work: Callable[[], Any],
        done: Callable[[Any], None],
        failed: Callable[[Exception], None],
        worker: str = "",
    ) -> None:
        try:
            result = work()
        except Exception as error:
            failed(error)
        else:
            done(result)

    def close(self) -> None:
        self.closings += 1


def shown_window(qtbot: QtBot, stages: Sequence[tuple[str, str, str]]) -> MainWindow:
    """A window with these stages and a bridge without an engine."""
    state = AppState()
    made = MainWindow(state, WindowBridge(state), settings=Settings(), stages=stages)
    state.setParent(made)
    qtbot.addWidget(made)
    made.show()
    qtbot.waitExposed(made)
    return made


def opener(qtbot: QtBot, stages: Sequence[tuple[str, str, str]], *, ready: bool = False) -> Callable[..., MainWindow]:
    """Windows of one person, one after the other, each as the program opens it; ``ready``: with an engine that is."""

    def open_window(*, is_new: bool = False) -> MainWindow:
        window = shown_window(qtbot, stages)
        window.sessions.start(is_new=is_new)
        if ready:
            cast(WindowBridge, window.bridge).ready()
        return window

    return open_window


@pytest.fixture
def window(qapp: QApplication, qtbot: QtBot) -> MainWindow:
    """The window at 1280 × 800 with two toy stages, shown."""
    return shown_window(qtbot, STAGES)
