"""The menus as a person reads them: letters that lead to one line alone, keys that nothing else listens to."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from app.own_keys import OF_WIDGETS
from app.window import STAGES, MainWindow
from tests.app.conftest import shown_window

Standard = QKeySequence.StandardKey
IN_TEXT = (
    *("MoveToNextChar", "MoveToPreviousChar", "MoveToNextWord", "MoveToPreviousWord", "MoveToNextLine"),
    *("MoveToPreviousLine", "MoveToStartOfLine", "MoveToEndOfLine", "MoveToStartOfBlock", "MoveToEndOfBlock"),
    *("SelectNextChar", "SelectPreviousChar", "SelectNextWord", "SelectPreviousWord", "SelectStartOfLine"),
    *("SelectEndOfLine", "SelectAll", "Delete", "Backspace", "DeleteStartOfWord", "DeleteEndOfWord", "Cut"),
)
"""What a line of text does by its keys; Copy, Paste and Undo are meant where the focus is."""
SHARED = {"Space", "Esc"}
"""Meant of what has the focus first: a button is pressed, a list or dialog is closed."""


@pytest.fixture
def whole(qtbot: QtBot) -> MainWindow:
    """The window with all its stages."""
    return shown_window(qtbot, STAGES)


def letter(text: str) -> str:
    """The letter that is underlined; "" for none."""
    marked = text.replace("&&", "").partition("&")[2]
    return marked[:1].lower()


def test_that_a_letter_leads_to_one_line_of_its_menu(whole: MainWindow) -> None:
    bars = [action.text() for action in whole.menuBar().actions()]
    assert len({letter(text) for text in bars}) == len(bars)
    for name, menu in whole.menus.items():
        letters = Counter(letter(action.text()) for action in menu.actions() if letter(action.text()))
        assert [one for one, times in letters.items() if times > 1] == [], name


def test_that_every_line_but_the_stages_has_a_letter(whole: MainWindow) -> None:
    for name, menu in whole.menus.items():
        bare = {action.text() for action in menu.actions() if not action.isSeparator() and not letter(action.text())}
        assert bare == ({title for _, title, _ in STAGES} if name == "View" else set()), name


def test_that_no_line_begins_or_ends_a_menu_and_none_follows_another(whole: MainWindow) -> None:
    for name, menu in whole.menus.items():
        lines = [action.isSeparator() for action in menu.actions()]
        assert not lines[0], name
        assert not lines[-1], name
        assert (True, True) not in set(pairwise(lines)), name


def test_that_what_asks_further_ends_in_an_ellipsis_and_submenus_do_not(whole: MainWindow) -> None:
    for name, menu in whole.menus.items():
        for action in menu.actions():
            if isinstance(action.menu(), QMenu):
                assert not action.text().endswith("…"), name
            assert "..." not in action.text(), name


def test_that_no_command_has_the_keys_of_lists_pictures_and_lines_of_text(whole: MainWindow) -> None:
    theirs = {QKeySequence(keys).toString() for keys in OF_WIDGETS}
    for standard in IN_TEXT:
        theirs |= {keys.toString() for keys in QKeySequence.keyBindings(getattr(Standard, standard))}
    for command in whole.registry:
        keys = QKeySequence(whole.registry.keys(command.id)).toString()
        assert keys in SHARED or keys not in theirs, f"{command.id} has {keys}"


def test_that_files_come_before_models_sessions_what_is_saved_and_the_end(whole: MainWindow) -> None:
    order = [whole.registry[name] for name in ("open", "open_weights", "open_session", "save_picture", "quit")]
    shown = whole.menus["File"].actions()
    places = [shown.index(action) for action in order]
    assert places == sorted(places)
    for before, after in pairwise(places):
        assert any(action.isSeparator() for action in shown[before:after])
