"""Keys of commands: listed, given to other commands, remembered, and taken back."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QMainWindow
from pytestqt.qtbot import QtBot

from app.actions import COMMANDS, KEYS_WITHOUT_COMMAND, Actions
from app.keyboard import KeyboardPage
from app.own_keys import OwnKeys
from app.settings import Settings
from app.window import MainWindow


@pytest.fixture
def actions(qtbot: QtBot) -> Actions:
    window = QMainWindow()
    qtbot.addWidget(window)
    made = Actions(window)
    made.setProperty("window", window)
    return made


@pytest.fixture
def page(actions: Actions, qtbot: QtBot) -> KeyboardPage:
    made = KeyboardPage(actions, OwnKeys(actions, Settings()))
    qtbot.addWidget(made)
    made.show()
    return made


def press(page: KeyboardPage, keys: str) -> None:
    page.keys.setKeySequence(QKeySequence(keys))


def click(page: KeyboardPage, qtbot: QtBot, name: str) -> None:
    qtbot.mouseClick(getattr(page, name), Qt.MouseButton.LeftButton)


def test_that_every_command_and_every_key_without_one_is_listed(page: KeyboardPage) -> None:
    groups = [page.list.topLevelItem(index) for index in range(page.list.topLevelItemCount())]
    rows = [group.child(row) for group in groups if group for row in range(group.childCount())]
    assert {row.data(0, Qt.ItemDataRole.UserRole) for row in rows} - {None} == {command.id for command in COMMANDS}
    assert {row.text(1) for row in rows} >= set(KEYS_WITHOUT_COMMAND)


def test_that_searching_leaves_what_holds_every_word_typed(page: KeyboardPage, qtbot: QtBot) -> None:
    qtbot.keyClicks(page.search, "noise ctrl")
    shown = [page.list.topLevelItem(index) for index in range(page.list.topLevelItemCount())]
    assert all(group is not None and group.isHidden() for group in shown)
    page.search.setText("draw another")
    visible = [
        row.data(0, Qt.ItemDataRole.UserRole)
        for group in shown
        if group
        for row in (group.child(index) for index in range(group.childCount()))
        if row is not None and not row.isHidden()
    ]
    assert visible == ["new_seed"]


def test_that_other_keys_trigger_a_command_and_the_old_ones_no_longer(window: MainWindow, qtbot: QtBot) -> None:
    own, before = window.commands.own_keys, window.state.seed
    own.set("new_seed", "Ctrl+J")
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    qtbot.keyClick(window, Qt.Key.Key_R)
    assert window.state.seed == before
    qtbot.keyClick(window, Qt.Key.Key_J, Qt.KeyboardModifier.ControlModifier)
    assert window.state.seed != before
    assert window.registry["new_seed"].toolTip().endswith("(Ctrl+J)")


def test_that_keys_typed_on_the_page_are_the_commands_from_then_on_and_at_the_next_start(
    page: KeyboardPage, actions: Actions, qtbot: QtBot
) -> None:
    page.choose("branch")
    press(page, "Ctrl+B")
    click(page, qtbot, "give")
    assert actions.keys("branch") == "Ctrl+B"
    again = Actions(QMainWindow(page))
    OwnKeys(again, Settings())
    assert again.keys("branch") == "Ctrl+B"
    click(page, qtbot, "default")
    assert actions.keys("branch") == "B"
    assert Settings().own_keys == {}


def test_that_keys_of_another_command_are_said_to_be_and_taken_from_it(
    page: KeyboardPage, actions: Actions, qtbot: QtBot
) -> None:
    page.choose("branch")
    press(page, "Ctrl+O")
    assert "keys of “Open picture”" in page.words.text()
    click(page, qtbot, "give")
    assert actions.keys("branch") == "Ctrl+O"
    assert actions.keys("open") == ""
    click(page, qtbot, "all_defaults")
    assert actions.keys("branch") == "B"
    assert actions.keys("open") == "Ctrl+O"
    assert not page.all_defaults.isEnabled()


@pytest.mark.parametrize("keys", ["Left", "Tab", "F2", "Ctrl+A"])
def test_that_keys_that_widgets_use_are_refused_in_words(page: KeyboardPage, keys: str) -> None:
    page.choose("branch")
    press(page, keys)
    assert "use this key themselves" in page.words.text()
    assert not page.give.isEnabled()


def test_that_a_command_may_have_no_keys(page: KeyboardPage, actions: Actions, qtbot: QtBot) -> None:
    page.choose("new_seed")
    click(page, qtbot, "none")
    assert actions.keys("new_seed") == ""
    assert actions["new_seed"].shortcuts() == []
    assert Settings().own_keys == {"new_seed": ""}


def test_that_damaged_settings_leave_the_keys_that_commands_come_with(actions: Actions) -> None:
    settings = Settings()
    for command, keys in {"open": "no keys at all", "branch": "Left", "nobody": "Ctrl+J", "draw": "Ctrl+S"}.items():
        settings.set_own_keys(command, keys)
    OwnKeys(actions, settings)
    assert actions.keys("open") == "Ctrl+O"
    assert actions.keys("branch") == "B"
    assert actions.keys("save_picture") == "Ctrl+S"
    assert actions.keys("draw") == "Ctrl+D"


def test_that_two_commands_that_change_keys_have_each_others_at_the_next_start(actions: Actions) -> None:
    own = OwnKeys(actions, Settings())
    own.set("open", "")
    own.set("draw", "Ctrl+O")
    own.set("open", "Ctrl+D")
    again = Actions(QMainWindow())
    OwnKeys(again, Settings())
    assert (again.keys("open"), again.keys("draw")) == ("Ctrl+D", "Ctrl+O")
