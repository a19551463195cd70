"""The command palette: what it finds, and what comes of it."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.stages.denoise import DenoiseStage
from app.widgets.palette import NOTHING, CommandPalette
from app.widgets.sections import MoreSection
from app.window import STAGES as REAL_STAGES
from app.window import MainWindow
from tests.app.conftest import WindowBridge, shown_window
from tests.app.fake_engine import DIGITS
from tests.app.toy_stage import Forward


def opened(window: MainWindow, qtbot: QtBot) -> CommandPalette:
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    both = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    qtbot.keyClick(window, Qt.Key.Key_P, both)
    palette = window.commands.finding.palette
    assert palette.isVisible()
    return palette


def titles(palette: CommandPalette) -> list[str]:
    return [entry.title for entry in palette.found]


def test_that_every_command_is_found_first_by_its_own_words(window: MainWindow, qtbot: QtBot) -> None:
    palette = opened(window, qtbot)
    for command in window.registry:
        if command.id == "palette":
            continue
        words = window.registry.text(command.id)
        palette.line.setText(words)
        assert words.lower() in palette.found[0].title.lower(), words


def test_that_enter_does_what_is_chosen_and_the_focus_goes_back(window: MainWindow, qtbot: QtBot) -> None:
    stage = window.stage
    assert isinstance(stage, Forward)
    stage.button.setFocus()
    palette = opened(window, qtbot)
    assert palette.line.hasFocus()
    qtbot.keyClicks(palette.line, "denoise")
    qtbot.keyClick(palette.line, Qt.Key.Key_Return)
    assert palette.isHidden()
    assert window.state.cursor.stage == "denoise"


def test_that_escape_closes_it_and_gives_the_focus_back(window: MainWindow, qtbot: QtBot) -> None:
    stage = window.stage
    assert isinstance(stage, Forward)
    stage.text.setFocus()
    palette = opened(window, qtbot)
    qtbot.keyClick(palette.line, Qt.Key.Key_Escape)
    assert palette.isHidden()
    assert stage.text.hasFocus()
    assert stage.calls == ["activate"]


def test_that_letters_that_are_keys_of_commands_are_only_typed(window: MainWindow, qtbot: QtBot) -> None:
    palette, seed = opened(window, qtbot), window.state.seed
    qtbot.keyClicks(palette.line, "r u.")
    assert palette.line.text() == "r u."
    assert window.state.seed == seed


def test_that_arrows_choose_and_a_click_does(window: MainWindow, qtbot: QtBot) -> None:
    palette = opened(window, qtbot)
    palette.line.setText("appearance")
    first = palette.found[0]
    qtbot.keyClick(palette.line, Qt.Key.Key_Down)
    assert palette.list.currentIndex().row() == 1
    qtbot.keyClick(palette.line, Qt.Key.Key_Up)
    rect = palette.list.visualRect(palette.list.currentIndex())
    qtbot.mouseClick(palette.list.viewport(), Qt.MouseButton.LeftButton, pos=rect.center())
    assert palette.isHidden()
    assert window.registry[first.key].isChecked()


def test_that_what_cannot_be_done_now_says_why_and_does_nothing(window: MainWindow, qtbot: QtBot) -> None:
    palette = opened(window, qtbot)
    palette.line.setText("branch here")
    assert "from a step" in palette.found[0].why_not
    qtbot.keyClick(palette.line, Qt.Key.Key_Return)
    assert palette.isVisible()


def test_that_what_was_done_last_comes_first_next_time(window: MainWindow, qtbot: QtBot) -> None:
    palette = opened(window, qtbot)
    palette.line.setText("new noise")
    qtbot.keyClick(palette.line, Qt.Key.Key_Return)
    assert titles(opened(window, qtbot))[0] == "New noise"
    assert window.settings.recent_commands == ("new_seed",)


def test_that_letters_that_fit_nothing_say_so(window: MainWindow, qtbot: QtBot) -> None:
    palette = opened(window, qtbot)
    palette.line.setText("xqzj")
    assert titles(palette) == [NOTHING]
    qtbot.keyClick(palette.line, Qt.Key.Key_Return)
    assert palette.isVisible()


def test_that_going_elsewhere_closes_it(window: MainWindow, qtbot: QtBot) -> None:
    stage = window.stage
    assert isinstance(stage, Forward)
    palette = opened(window, qtbot)
    qtbot.mouseClick(stage.text, Qt.MouseButton.LeftButton)
    stage.text.setFocus(Qt.FocusReason.MouseFocusReason)
    assert palette.isHidden()
    assert stage.text.hasFocus()


def test_that_pictures_and_models_are_found_by_their_names(
    window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(window.commands, "open_model", asked.append)
    palette = opened(window, qtbot)
    palette.line.setText("digits")
    assert palette.found[0].about == "Model · bundled"
    qtbot.keyClick(palette.line, Qt.Key.Key_Return)
    assert asked == ["digits"]


def test_that_a_control_that_is_folded_away_is_unfolded_and_gets_the_focus(qtbot: QtBot, qapp: QApplication) -> None:
    window = shown_window(qtbot, REAL_STAGES[:2])
    bridge = window.bridge
    assert isinstance(bridge, WindowBridge)
    bridge.ready()
    window.state.set_model(DIGITS)
    window.state.move(stage="denoise")
    stage = window.stage
    assert isinstance(stage, DenoiseStage)
    more = next(section for section in stage.findChildren(MoreSection) if section.title() == "More")
    assert not more.is_open()
    palette = opened(window, qtbot)
    palette.line.setText("temperature")
    assert palette.found[0].about == "Denoise · go to this control"
    qtbot.keyClick(palette.line, Qt.Key.Key_Return)
    focus = qapp.focusWidget()
    assert focus is not None
    assert focus.isVisible()
    assert focus.accessibleName().startswith("Temperature")
