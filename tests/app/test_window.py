"""The shell: stages, panels, menus, keys, errors, closing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDialog,
    QPlainTextEdit,
    QPushButton,
    QToolButton,
    QWidget,
)
from pytestqt.qtbot import QtBot

from app.preparing import modules
from app.settings import Settings
from app.side_panels import NARROW
from app.state import AppState
from app.theme import palette
from app.widgets.status import Hint
from app.window import STAGES as REAL_STAGES
from app.window import MainWindow
from core.messages import EngineState, Failed, ModelInfo, Status
from tests.app.conftest import WindowBridge, shown_window
from tests.app.fake_engine import DIGITS
from tests.app.toy_stage import STAGES, Denoise, Forward


def stage(window: MainWindow) -> Forward:
    assert isinstance(window.stage, Forward)
    return window.stage


def test_that_the_first_stage_is_shown_with_its_panels_and_its_hint(window: MainWindow) -> None:
    assert type(window.stage) is Forward
    assert stage(window).right.isVisible()
    assert stage(window).bottom.isVisible()
    assert stage(window).calls == ["activate"]
    assert window.status_line._hint.text() == "Drag the slider"


def test_that_ctrl_2_turns_everything_to_the_second_stage_and_ctrl_1_back(window: MainWindow, qtbot: QtBot) -> None:
    forward = stage(window)
    qtbot.keyClick(window, Qt.Key.Key_2, Qt.KeyboardModifier.ControlModifier)
    assert window.state.cursor.stage == "denoise"
    assert type(window.stage) is Denoise
    assert stage(window).right.isVisible()
    assert not forward.right.isVisible()
    assert forward.calls == ["activate", "deactivate"]
    qtbot.keyClick(window, Qt.Key.Key_1, Qt.KeyboardModifier.ControlModifier)
    assert window.stage is forward
    assert forward.bottom.isVisible()


def test_that_a_click_on_a_tab_moves_the_cursor_to_its_stage(window: MainWindow, qtbot: QtBot) -> None:
    tabs = [tab for tab in window.findChildren(QToolButton) if tab.property("role") == "stage"]
    assert [tab.text() for tab in tabs] == ["Forward", "Denoise"]
    qtbot.mouseClick(tabs[1], Qt.MouseButton.LeftButton)
    assert window.state.cursor.stage == "denoise"
    assert [tab.isChecked() for tab in tabs] == [False, True]


def test_that_a_stage_is_not_made_before_it_is_looked_at(window: MainWindow) -> None:
    assert len(window.stages()) == 1
    window.state.move(stage="denoise")
    window.state.move(stage="forward")
    window.state.move(stage="denoise")
    assert len(window.stages()) == 2


def test_that_side_panels_fold_when_the_window_gets_narrow_and_come_back_when_it_widens(
    window: MainWindow, qtbot: QtBot
) -> None:
    assert window.left_panel.isVisible()
    assert window.right_panel.isVisible()
    window.resize(1024, 700)
    assert not window.left_panel.isVisible()
    assert not window.right_panel.isVisible()
    window.resize(NARROW, 700)
    assert window.left_panel.isVisible()
    assert window.right_panel.isVisible()


@pytest.mark.parametrize(("key", "side"), [(Qt.Key.Key_F9, "left_panel"), (Qt.Key.Key_F10, "right_panel")])
def test_that_one_key_brings_a_folded_panel_back(window: MainWindow, qtbot: QtBot, key: Qt.Key, side: str) -> None:
    window.resize(1024, 700)
    panel: QWidget = getattr(window, side)
    qtbot.keyClick(window, key)
    assert panel.isVisible()
    assert window.registry[side].isChecked()
    qtbot.keyClick(window, key)
    assert not panel.isVisible()
    assert not window.registry[side].isChecked()


def test_that_in_a_narrow_window_one_panel_makes_room_for_the_other(window: MainWindow, qtbot: QtBot) -> None:
    window.resize(1024, 700)
    qtbot.keyClick(window, Qt.Key.Key_F9)
    qtbot.keyClick(window, Qt.Key.Key_F10)
    assert not window.left_panel.isVisible()
    assert window.right_panel.isVisible()
    assert not window.registry["left_panel"].isChecked()


def fits(window: MainWindow, width: int, height: int) -> bool:
    least = window.minimumSizeHint()
    return least.width() <= width and least.height() <= height


def test_that_every_stage_has_room_for_its_controls_beside_the_panels(qapp: QApplication, qtbot: QtBot) -> None:
    window = shown_window(qtbot, REAL_STAGES)
    for key, _title, _path in REAL_STAGES:
        window.state.move(stage=key)
        for width, panel in ((NARROW, ""), (1024, "right"), (1024, "left")):
            window.resize(width, 700)
            if panel:
                window.side_panels.toggle(panel)
            qtbot.waitUntil(lambda width=width: fits(window, width, 700))


def test_that_a_panel_folded_by_hand_stays_folded_in_the_next_window(window: MainWindow, qtbot: QtBot) -> None:
    qtbot.keyClick(window, Qt.Key.Key_F10)
    window.close()
    state = AppState()
    second = MainWindow(state, WindowBridge(state), settings=Settings(), stages=STAGES)
    qtbot.addWidget(second)
    second.show()
    assert second.left_panel.isVisible()
    assert not second.right_panel.isVisible()


def test_that_the_size_is_remembered_and_can_be_forgotten(window: MainWindow, qtbot: QtBot) -> None:
    window.resize(1210, 760)
    window.close()
    state = AppState()
    second = MainWindow(state, WindowBridge(state), settings=Settings(), stages=STAGES)
    qtbot.addWidget(second)
    second.show()
    assert (second.width(), second.height()) == (1210, 760)
    second.registry["reset_layout"].trigger()
    assert (second.width(), second.height()) == (1280, 800)


@pytest.mark.parametrize(
    "content",
    [
        b"\x00[window]\ngeometry=nonsense\nleft_panel=maybe\n[recent]\npictures=@Invalid()\n\xff",
        b"[window]\ngeometry=@ByteArray(\\x1\\xd9 nonsense)\nscheme=@Size(1 2)\n[keys]\nopen=@Rect(0 0 1 1)\nrun=Left\n"
        b"[recent]\nmodels=@Rect(0 0 1 1)\ncommands=@Invalid()\npictures=,,,\n[session]\nrestore=@Point(1 2)\n",
        b"[window\n]]]]=\n" + 5000 * b"%%%\n",
        b"",
    ],
    ids=["nonsense", "other types", "no ini", "empty"],
)
def test_that_a_damaged_settings_file_never_prevents_the_start(
    qapp: QApplication, qtbot: QtBot, tmp_path: Path, content: bytes
) -> None:
    damaged = tmp_path / "window.ini"
    damaged.write_bytes(content)
    state = AppState()
    window = MainWindow(state, WindowBridge(state), settings=Settings(damaged), stages=STAGES)
    qtbot.addWidget(window)
    window.show()
    assert window.isVisible()
    assert window.registry.keys("open") == "Ctrl+O"
    window.commands.recent.fill()
    window.keep_layout()


def test_that_the_window_is_never_smaller_than_1024_by_700_and_nothing_is_cut_off(window: MainWindow) -> None:
    window.resize(300, 200)
    assert (window.width(), window.height()) == (1024, 700)
    window.side_panels.show("left")
    window.side_panels.show("right")
    QApplication.processEvents()
    for child in window.centralWidget().findChildren(QPushButton):
        if child.isVisible():
            corner = child.mapTo(window, QPoint(child.width(), 0))
            assert corner.x() <= window.width(), child.text()
            assert child.width() >= child.minimumSizeHint().width(), child.text()


def test_that_space_plays_but_still_presses_a_button_that_has_the_focus(window: MainWindow, qtbot: QtBot) -> None:
    window.setFocus()
    qtbot.keyClick(window, Qt.Key.Key_Space)
    assert stage(window).calls[-1] == "toggle"
    stage(window).button.setFocus()
    qtbot.keyClick(stage(window).button, Qt.Key.Key_Space)
    assert stage(window).calls[-1] == "pressed"
    assert stage(window).calls.count("toggle") == 1


def test_that_single_keys_are_letters_while_a_text_field_has_the_focus(window: MainWindow, qtbot: QtBot) -> None:
    window.state.move(stage="denoise")
    Denoise.can = frozenset({"branch", "step", "toggle"})
    try:
        stage(window).commands_changed.emit()
        stage(window).text.setFocus()
        qtbot.keyClicks(stage(window).text, "r b.")
        assert stage(window).text.text() == "r b."
        assert stage(window).calls == ["activate"]
        stage(window).content.setFocus()
        window.setFocus()
        qtbot.keyClick(window, Qt.Key.Key_B)
        assert stage(window).calls[-1] == "branch"
    finally:
        Denoise.can = frozenset()


def test_that_arrows_that_no_widget_wants_move_the_cursor(window: MainWindow, qtbot: QtBot) -> None:
    window.setFocus()
    qtbot.keyClick(window, Qt.Key.Key_Right)
    qtbot.keyClick(window, Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    assert stage(window).calls[-2:] == [1, -10]


def test_that_commands_are_enabled_by_what_the_stage_can_do_now(window: MainWindow) -> None:
    assert window.registry["toggle"].isEnabled()
    assert not window.registry["run"].isEnabled()
    window.state.move(stage="denoise")
    assert window.registry["run"].isEnabled()
    assert not window.registry["stop"].isEnabled()
    Denoise.can = frozenset({"stop"})
    try:
        window.stage.commands_changed.emit()
        assert window.registry["stop"].isEnabled()
        window.registry["stop"].trigger()
        assert stage(window).calls[-1] == "stop"
    finally:
        Denoise.can = frozenset()


@pytest.mark.parametrize("key", [Qt.Key.Key_Return, Qt.Key.Key_Enter])
def test_that_ctrl_enter_presses_the_filled_button(window: MainWindow, qtbot: QtBot, key: Qt.Key) -> None:
    window.state.move(stage="denoise")
    qtbot.keyClick(window, key, Qt.KeyboardModifier.ControlModifier)
    assert stage(window).calls[-1] == "pressed"


def test_that_r_draws_new_noise(window: MainWindow, qtbot: QtBot) -> None:
    window.setFocus()
    with qtbot.waitSignal(window.state.seed_changed):
        qtbot.keyClick(window, Qt.Key.Key_R)
    assert window.state.seed != 42


def test_that_an_error_of_the_engine_is_said_in_the_stage_and_can_be_copied_and_dismissed(
    window: MainWindow, qtbot: QtBot
) -> None:
    window.bridge.message.emit(Failed(None, "The model is not there. Choose another.", "stack"))
    bar = window.stage.errors
    assert bar.isVisible()
    assert bar.message() == "The model is not there. Choose another."
    buttons = {button.text(): button for button in bar.findChildren(QPushButton)}
    details = bar.findChild(QPlainTextEdit)
    assert not details.isVisible()
    qtbot.mouseClick(buttons["Details"], Qt.MouseButton.LeftButton)
    assert details.isVisible()
    assert details.toPlainText() == "stack"
    qtbot.mouseClick(buttons["Copy"], Qt.MouseButton.LeftButton)
    assert QApplication.clipboard().text() == "The model is not there. Choose another.\n\nstack"
    with qtbot.waitSignal(bar.dismissed):
        qtbot.mouseClick(buttons["Dismiss"], Qt.MouseButton.LeftButton)
    assert not bar.isVisible()


def test_that_a_model_that_does_not_open_leaves_the_one_before_chosen(window: MainWindow) -> None:
    chooser = window.sources.models
    window.commands.open_model("digits")
    window.bridge.ready(DIGITS)
    window.commands.open_model("/no/such/model")
    assert chooser._combo.currentText() == "model"
    window.bridge.fail(None, "There is no model.")
    assert chooser._combo.currentText() == "digits"
    assert window.bridge.calls == [("open_model", "digits"), ("open_model", "/no/such/model")]


def test_that_the_status_line_tells_state_progress_device_and_memory(window: MainWindow) -> None:
    window.state.set_status(Status(EngineState.PAUSED, "cuda:0", None, 1_200_000_000, 8_000_000_000))
    fields = window.status_line.fields
    assert fields["state"].text() == "Paused"
    assert fields["device"].text() == "cuda:0"
    assert fields["memory"].text() == "1.2/8.0 GB"
    assert fields["step"].text() == ""
    assert len({field.minimumWidth() == field.maximumWidth() for field in fields.values()}) == 1


@pytest.mark.parametrize(("seconds", "shown"), [(6.7, "0:07"), (720, "12:00"), (3723, "1:02:03"), (-1, "0:00")])
def test_that_times_are_shown_in_hours_minutes_and_seconds(seconds: float, shown: str) -> None:
    from app.widgets.status import clock

    assert clock(seconds) == shown


def test_that_the_scheme_can_be_chosen_and_is_remembered(window: MainWindow) -> None:
    window.registry["scheme_light"].trigger()
    assert palette().name == "light"
    assert Settings().scheme == "light"
    window.registry["scheme_dark"].trigger()
    assert palette().name == "dark"
    window.registry["scheme_system"].trigger()
    assert Settings().scheme is None


@pytest.mark.parametrize("page", ["keyboard", "report", "about"])
def test_that_a_help_page_opens_and_closes_without_a_trace(window: MainWindow, qtbot: QtBot, page: str) -> None:
    window.registry[page].trigger()
    dialog = window.findChild(QDialog)
    assert dialog.isVisible()
    dialog.close()
    qtbot.waitUntil(lambda: window.findChild(QDialog) is None)


def test_that_the_report_names_versions_device_and_last_error_but_not_the_persons_folder(window: MainWindow) -> None:
    from app.help import report

    window.state.set_model(ModelInfo(DIGITS.ref, (1, 32, 32), DIGITS.schedule, "v"))
    window.state.set_status(Status(EngineState.IDLE, "cpu"))
    text = report(window.state, f"Traceback\n  File {Path.home()}/secret.py")
    assert "torch" in text
    assert "Device cpu, state idle" in text
    assert "Model digits" in text
    assert f"{Path.home()}/secret" not in text
    assert "~/secret.py" in text


def test_that_closing_ends_the_bridge_once_and_asks_nothing(window: MainWindow, qtbot: QtBot) -> None:
    qtbot.keyClick(window, Qt.Key.Key_Q, Qt.KeyboardModifier.ControlModifier)
    assert not window.isVisible()
    assert window.bridge.closings == 1
    assert stage(window).calls[-1] == "deactivate"


def test_that_a_screen_reader_hears_a_name_for_everything_that_can_be_used(window: MainWindow) -> None:
    window.sources.draw()
    for kind in (QAbstractButton, QComboBox, QAbstractSpinBox, QAbstractItemView):
        for widget in window.findChildren(kind):
            if widget.isVisible() and widget.focusPolicy() != Qt.FocusPolicy.NoFocus:
                assert widget.accessibleName() or getattr(widget, "text", str)(), widget


def test_that_the_keyboard_reaches_everything_on_the_left(window: MainWindow, qtbot: QtBot) -> None:
    window.activateWindow()
    window.sources._open.setFocus()
    reached = set()
    for _ in range(40):
        focus = QApplication.focusWidget()
        if focus is None or focus in reached:
            break
        reached.add(focus)
        qtbot.keyClick(focus, Qt.Key.Key_Tab)
    names = {widget.accessibleName() or getattr(widget, "text", str)() for widget in reached}
    assert {"Open…", "Paste", "Draw", "Model", "Open another model", "History of runs"} <= names


def test_that_no_command_puts_its_words_over_the_status_line(window: MainWindow) -> None:
    """A pointer at rest on a tab or in a menu must not hide what the engine does."""
    for command in window.registry:
        window.registry[command.id].showStatusText(window)
        assert window.status_line.fields["state"].isVisible()
        assert window.status_line.currentMessage() == ""


def test_that_a_hint_without_room_ends_in_an_ellipsis_and_is_whole_in_its_tooltip(window: MainWindow) -> None:
    text = "Drag the slider back through every step of the run. " * 4
    window.status_line.set_hint(text)
    window.resize(1024, 700)
    QApplication.processEvents()
    hint = window.status_line.findChild(Hint)
    assert hint is not None
    assert hint.shown().endswith("…")
    assert hint.fontMetrics().horizontalAdvance(hint.shown()) <= hint.width()
    assert hint.toolTip() == text


def test_that_what_is_not_shown_yet_is_imported_bit_by_bit_once_the_engine_has_begun(
    window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "app.widgets.run_list", raising=False)
    window.state.set_status(Status(EngineState.LOADING, "cpu"))
    assert not window.preparation.is_under_way
    window.state.set_status(Status(EngineState.IDLE, "cpu"))
    assert window.preparation.is_under_way
    assert "app.widgets.run_list" not in sys.modules
    qtbot.waitUntil(lambda: "app.widgets.run_list" in sys.modules)
    window.close()
    assert not window.preparation.is_under_way


def test_that_the_parts_of_a_stage_are_imported_before_the_stage() -> None:
    names = list(modules())
    assert len(names) == len(set(names)) > 80
    assert names.index("app.stages.morph_controls") < names.index("app.stages.morph")
    assert names.index("app.widgets.sliders") < names.index("app.stages.train")
