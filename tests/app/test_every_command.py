"""Every command of every menu is pressed in every stage, with nothing open and while a run is going."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QApplication, QDialog, QWidget
from pytestqt.qtbot import QtBot

from app.window import STAGES, MainWindow
from tests.app.conftest import WindowBridge, shown_window

STAGE_KEYS = [key for key, _, _ in STAGES]


def in_front_of(window: MainWindow) -> list[QWidget]:
    """Dialogs, menus and windows that stand before the window or beside it."""
    return [one for one in QApplication.topLevelWidgets() if one.isVisible() and one is not window]


def close_all(window: MainWindow) -> None:
    """As Esc does, and where something holds up the event loop from within it."""
    for one in in_front_of(window):
        if isinstance(one, QDialog):
            one.reject()
        else:
            one.close()


@pytest.fixture
def whole(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Iterator[MainWindow]:
    """The window with all its stages and a bridge without an engine."""
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda _url: True)
    window = shown_window(qtbot, STAGES)
    closing = QTimer()
    closing.timeout.connect(lambda: close_all(window))
    closing.start(200)
    yield window
    closing.stop()
    close_all(window)


def press_all(window: MainWindow, stage: str) -> set[str]:
    """Those that could be pressed, of all but the one that closes the window."""
    pressed = set()
    for command in window.registry:
        if command.id == "quit":
            continue
        window.state.move(stage=stage)
        action = window.registry[command.id]
        if action.isEnabled():
            pressed.add(command.id)
        action.trigger()
        QApplication.processEvents()
        close_all(window)
        QApplication.processEvents()
        assert window.isVisible(), command.id
    return pressed


@pytest.mark.parametrize("stage", STAGE_KEYS)
def test_that_every_command_can_be_pressed_with_nothing_open(whole: MainWindow, stage: str) -> None:
    pressed = press_all(whole, stage)
    assert pressed >= {"open", "open_weights", "open_session", "paste", "keyboard", "palette", "report", "about"}
    assert not pressed & {"about_model", "export_diffusers", "step", "branch"}


@pytest.mark.parametrize("stage", STAGE_KEYS)
def test_that_every_command_can_be_pressed_while_a_run_is_going(whole: MainWindow, stage: str) -> None:
    bridge = whole.bridge
    assert isinstance(bridge, WindowBridge)
    bridge.ready()
    whole.state.move(stage="denoise")
    whole.registry["run"].trigger()
    job = len(bridge.submitted)
    bridge.advance(job, 2)
    assert whole.state.runs[job].state == "running"
    pressed = press_all(whole, stage)
    assert pressed >= {"open", "export_copy", "save_session", "copy_command", "new_seed"}


def test_that_the_window_is_closed_by_its_command_while_a_dialog_is_open(whole: MainWindow) -> None:
    whole.registry["keyboard"].trigger()
    assert in_front_of(whole)
    whole.registry["quit"].trigger()
    assert not whole.isVisible()
