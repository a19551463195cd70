"""Runs looked for by words, and the panel that they are in."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt

from app.widgets.panel_button import PanelButton
from app.window import STAGES, MainWindow
from core.requests import FromStep
from tests.app.conftest import shown_window
from tests.app.scenes import finished_runs as run
from tests.app.test_history import REQUEST

BRANCH = replace(REQUEST, timesteps=(300, 0), seed=77, start=FromStep(REQUEST, 2))


@pytest.fixture
def window(qapp, qtbot) -> MainWindow:
    made = shown_window(qtbot, [stage for stage in STAGES if stage[0] in ("forward", "denoise")])
    made.bridge.ready()
    made.state.move(stage="denoise")
    return made


def in_sight(window: MainWindow) -> list[int]:
    return [job for job, item in window.history._items.items() if not item.isHidden()]


def test_that_the_line_comes_when_it_is_asked_for_and_goes_when_it_is_left_empty(window, qtbot) -> None:
    assert not window.registry["find_run"].isEnabled()
    run(window, REQUEST)
    assert not window.run_search.isVisible()
    window.registry["find_run"].trigger()
    assert window.run_search.isVisible()
    window.stage.transport.setFocus()
    assert not window.run_search.isVisible()
    window.registry["find_run"].trigger()
    window.run_search.setText("seed")
    window.stage.transport.setFocus()
    assert window.run_search.isVisible()
    qtbot.keyClick(window.run_search, Qt.Key.Key_Escape)
    assert not window.run_search.isVisible()


def test_that_only_runs_are_shown_that_have_all_words_in_their_name_or_settings(window) -> None:
    run(window, REQUEST, replace(REQUEST, seed=77), replace(REQUEST, seed=5))
    window.history.rename(3, "a winged seven")
    window.run_search.setText("WINGED sev")
    assert in_sight(window) == [3]
    window.run_search.setText("seed 77")
    assert in_sight(window) == [2]
    window.run_search.clear()
    assert in_sight(window) == [1, 2, 3]


def test_that_what_a_found_branch_left_from_is_shown_with_it(window) -> None:
    run(window, REQUEST, BRANCH, replace(REQUEST, seed=5))
    window.run_search.setText("seed 77")
    assert in_sight(window) == [1, 2]


def test_that_words_and_stars_are_asked_of_the_same_run(window) -> None:
    run(window, REQUEST, replace(REQUEST, seed=77), replace(REQUEST, seed=77, guidance=2.0))
    window.state.set_note(3, is_starred=True)
    window.run_search.setText("seed 77")
    window.registry["starred_only"].trigger()
    assert in_sight(window) == [3]
    window.state.set_note(2, is_starred=True)
    assert in_sight(window) == [2, 3]


def test_that_return_leads_to_the_first_that_was_found_and_esc_to_all(window, qtbot) -> None:
    run(window, REQUEST, replace(REQUEST, seed=77), replace(REQUEST, seed=77, guidance=2.0))
    window.registry["find_run"].trigger()
    assert window.run_search.isVisible()
    qtbot.keyClicks(window.run_search, "seed 77")
    qtbot.keyClick(window.run_search, Qt.Key.Key_Return)
    assert window.state.cursor.run == 2
    qtbot.keyClick(window.run_search, Qt.Key.Key_Escape)
    assert in_sight(window) == [1, 2, 3]
    assert not window.run_search.text()


def test_that_esc_in_the_line_stops_no_run(window, qtbot) -> None:
    run(window, REQUEST)
    window.bridge.begin(window.bridge.submit(replace(REQUEST, seed=2)))
    window.history.choose(2)
    assert window.registry["stop"].isEnabled()
    window.registry["find_run"].trigger()
    qtbot.keyClicks(window.run_search, "seed")
    qtbot.keyClick(window.run_search, Qt.Key.Key_Escape)
    assert not window.run_search.text()
    assert ("cancel", 2) not in window.bridge.calls


def test_that_a_run_that_is_out_of_sight_is_neither_deleted_nor_starred(window) -> None:
    run(window, REQUEST, replace(REQUEST, seed=77))
    window.history.choose(1)
    assert window.history.jobs() == (1,)
    window.run_search.setText("seed 77")
    assert window.history.jobs() == ()


def test_that_a_search_without_result_says_so(window) -> None:
    run(window, REQUEST)
    before = window.history.viewport().grab().toImage()
    window.run_search.setText("no such thing")
    assert in_sight(window) == []
    assert window.history.viewport().grab().toImage() != before


def test_that_looking_for_a_run_unfolds_the_panel_it_is_in(window) -> None:
    run(window, REQUEST)
    window.registry["left_panel"].trigger()
    assert window.left_panel.isHidden()
    window.registry["find_run"].trigger()
    assert not window.left_panel.isHidden()


def test_that_both_panels_fold_by_the_buttons_at_the_ends_of_the_tabs(window, qtbot) -> None:
    left, right = window.findChildren(PanelButton)
    for button, panel in ((left, window.left_panel), (right, window.right_panel)):
        assert button.isChecked()
        unfolded = button.grab().toImage()
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
        assert panel.isHidden()
        assert button.grab().toImage() != unfolded
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
        assert not panel.isHidden()


def test_that_in_a_narrow_window_the_history_comes_back_by_its_button(window, qtbot) -> None:
    window.resize(1024, 700)
    assert window.left_panel.isHidden()
    left = window.findChildren(PanelButton)[0]
    assert not left.isChecked()
    qtbot.mouseClick(left, Qt.MouseButton.LeftButton)
    assert window.history.isVisible()


def test_that_the_palette_restores_a_run_as_the_history_does(window) -> None:
    run(window, REQUEST, replace(REQUEST, seed=77))
    window.state.set_seed(1)
    entry = next(entry for entry in window.commands.finding.entries() if entry.key == "run/2")
    entry.act()
    assert (window.state.cursor.run, window.state.seed) == (2, 77)
