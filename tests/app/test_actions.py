"""One registry: every command has words, a menu and keys of its own."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QMainWindow, QMenu
from pytestqt.qtbot import QtBot

from app.actions import COMMANDS, MENUS, Actions, Command, fill_menu_bar
from app.window import MainWindow


def test_that_no_two_commands_share_their_keys(window: MainWindow) -> None:
    keys = [QKeySequence(command.shortcut).toString() for command in window.registry if command.shortcut]
    assert len(keys) == len(set(keys))
    assert all(keys)


def test_that_every_command_has_words_a_tooltip_and_a_place_in_a_menu(window: MainWindow) -> None:
    def texts(menu: QMenu) -> set[str]:
        found = set()
        for action in menu.actions():
            found |= texts(action.menu()) if action.menu() else {action.text()}
        return found

    shown = set().union(*(texts(window.menus[name]) for name in MENUS))
    for command in window.registry:
        assert command.tooltip
        assert command.text in shown
        assert window.registry[command.id].toolTip().startswith(command.tooltip)


def test_that_every_command_does_something(window: MainWindow) -> None:
    from PySide6.QtCore import SIGNAL

    for command in window.registry:
        assert window.registry[command.id].receivers(SIGNAL("triggered(bool)")) > 0, command.id


def test_that_taken_keys_and_names_are_refused(qtbot: QtBot) -> None:
    window = QMainWindow()
    qtbot.addWidget(window)
    actions = Actions(window, (Command("one", "File", "One", "First", "Ctrl+1"),))
    with pytest.raises(ValueError, match="share the keys"):
        actions.add(Command("two", "File", "Two", "Second", "Ctrl+1"))
    with pytest.raises(ValueError, match="called 'one'"):
        actions.add(Command("one", "File", "Uno", "Again"))


def test_that_the_menus_stand_in_their_usual_order(qtbot: QtBot) -> None:
    window = QMainWindow()
    qtbot.addWidget(window)
    fill_menu_bar(window.menuBar(), Actions(window))
    assert [action.text() for action in window.menuBar().actions()] == ["&File", "&Edit", "&Run", "&View", "&Help"]


def test_that_the_keys_of_the_brief_are_there() -> None:
    keys = {command.shortcut: command.id for command in COMMANDS}
    assert keys["Ctrl+Enter"] == "run"
    assert keys["Esc"] == "stop"
    assert keys["Space"] == "toggle"
    assert keys["Ctrl+Q"] == "quit"
    assert keys["Ctrl+O"] == "open"
    assert keys["Ctrl+V"] == "paste"
