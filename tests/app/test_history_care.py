"""What can be done with the runs of the history, in the window: starred, renamed, deleted, chosen again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLineEdit

from app.history_care import neighbour
from app.widgets.history_entry import star_rect
from app.window import STAGES, MainWindow
from core.images import from_pixels
from core.messages import ModelOpened
from core.requests import Conversion, FromImage, FromStep, ImageRef, ModelRef, SamplerSpec, ScheduleSpec
from tests.app.conftest import shown_window
from tests.app.fake_engine import DIGITS
from tests.app.scenes import finished_runs as run
from tests.app.test_history import MORPH, REQUEST

BRANCH = replace(REQUEST, timesteps=(300, 0), seed=2, start=FromStep(REQUEST, 2))
TWIG = replace(BRANCH, timesteps=(0,), seed=3, start=FromStep(BRANCH, 1))


@pytest.fixture
def window(qapp, qtbot) -> MainWindow:
    made = shown_window(qtbot, [stage for stage in STAGES if stage[0] in ("forward", "denoise", "morph")])
    made.bridge.ready()
    made.state.move(stage="denoise")
    return made


def item(window: MainWindow, job: int):
    return window.history._items[job]


def rect(window: MainWindow, job: int):
    return window.history.visualItemRect(item(window, job))


def click(qtbot, window: MainWindow, job: int, modifier=Qt.KeyboardModifier.NoModifier) -> None:
    qtbot.mouseClick(window.history.viewport(), Qt.MouseButton.LeftButton, modifier, rect(window, job).center())


# Stars and names


def test_that_a_click_on_the_star_stars_a_run_without_choosing_it(window, qtbot) -> None:
    run(window, REQUEST, replace(REQUEST, seed=2))
    window.state.move(run=2, step=1)
    star = star_rect(rect(window, 1)).center()
    qtbot.mouseClick(window.history.viewport(), Qt.MouseButton.LeftButton, pos=star)
    assert window.state.note(1).is_starred
    assert (window.state.cursor.run, window.state.cursor.step) == (2, 1)
    qtbot.mouseClick(window.history.viewport(), Qt.MouseButton.LeftButton, pos=star)
    assert not window.state.note(1).is_starred


def test_that_a_star_is_seen(window) -> None:
    run(window, REQUEST)
    window.state.move(run=None, step=0)

    def ink() -> int:
        shot = window.history.viewport().grab(star_rect(rect(window, 1))).toImage()
        return sum(shot.pixelColor(x, y).lightness() > 128 for x in range(shot.width()) for y in range(shot.height()))

    before = ink()
    window.state.set_note(1, is_starred=True)
    assert ink() != before


def test_that_stars_are_taken_back_and_given_again(window) -> None:
    run(window, REQUEST, replace(REQUEST, seed=2))
    window.state.move(run=1, step=4)
    window.registry["star_run"].trigger()
    assert window.registry["undo"].text() == "&Undo star of a run"
    window.registry["undo"].trigger()
    assert not window.state.note(1).is_starred
    window.registry["redo"].trigger()
    assert window.state.note(1).is_starred
    window.care.star((1, 2))
    assert [window.state.note(job).is_starred for job in (1, 2)] == [True, True]
    window.registry["undo"].trigger()
    assert [window.state.note(job).is_starred for job in (1, 2)] == [True, False]


def test_that_only_starred_runs_are_shown_with_what_they_were_branched_from(window) -> None:
    run(window, REQUEST, BRANCH, replace(REQUEST, seed=9))
    window.registry["starred_only"].trigger()
    assert all(item(window, job).isHidden() for job in (1, 2, 3))
    window.state.set_note(2, is_starred=True)
    assert [item(window, job).isHidden() for job in (1, 2, 3)] == [False, False, True]
    run(window, replace(REQUEST, seed=10))
    assert item(window, 4).isHidden()
    window.registry["starred_only"].trigger()
    assert not any(item(window, job).isHidden() for job in (1, 2, 3, 4))


def test_that_a_run_is_renamed_by_its_menu_and_that_is_taken_back(window, qtbot) -> None:
    run(window, REQUEST)
    window.state.move(run=1, step=4)
    window.registry["rename_run"].trigger()
    editor = window.history.findChild(QLineEdit)
    editor.setText("threes")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: window.state.name_of(1) == "threes")
    window.registry["undo"].trigger()
    assert window.state.name_of(1) == "Run 1"


# Deleted


def test_that_delete_takes_a_run_with_its_branches_and_undo_brings_them_back(window, qtbot) -> None:
    run(window, REQUEST, BRANCH, TWIG, replace(REQUEST, seed=9))
    window.state.set_note(2, name="better", is_starred=True)
    click(qtbot, window, 2)
    qtbot.keyClick(window.history, Qt.Key.Key_Delete)
    assert list(window.state.runs) == [1, 4]
    assert item(window, 1).childCount() == 0
    assert window.state.cursor.run == 1
    assert window.registry["undo"].text() == "&Undo delete 2 runs"
    window.registry["undo"].trigger()
    assert list(window.state.runs) == [1, 2, 3, 4]
    assert item(window, 2).parent() is item(window, 1)
    assert item(window, 3).parent() is item(window, 2)
    assert window.state.name_of(2) == "better"
    assert (window.state.cursor.run, window.state.runs[2].state) == (2, "finished")
    window.registry["redo"].trigger()
    assert list(window.state.runs) == [1, 4]


def test_that_several_chosen_runs_are_deleted_as_one_step(window, qtbot) -> None:
    run(window, *(replace(REQUEST, seed=seed) for seed in range(5)))
    click(qtbot, window, 2)
    click(qtbot, window, 4, Qt.KeyboardModifier.ShiftModifier)
    assert window.history.jobs() == (2, 3, 4)
    qtbot.keyClick(window.history, Qt.Key.Key_Delete)
    assert list(window.state.runs) == [1, 5]
    window.registry["undo"].trigger()
    assert list(window.state.runs) == [1, 2, 3, 4, 5]
    assert [window.history.topLevelItem(row).run.job for row in range(5)] == [1, 2, 3, 4, 5]


def test_that_what_the_engine_has_forgotten_is_made_again_when_it_is_brought_back(window) -> None:
    run(window, REQUEST, replace(REQUEST, seed=2))
    window.state.move(run=1, step=4)
    window.care.delete((1,))
    assert window.state.cursor.run == 2
    window.bridge.let_go.add(1)
    window.registry["undo"].trigger()
    window.sessions.runs.look()
    assert window.state.runs[1].state == "awaited"
    assert window.bridge.calls[-1] == ("submit", 1)


def test_that_a_run_under_way_is_stopped_and_then_deleted(window, qtbot) -> None:
    run(window, REQUEST)
    job = window.bridge.submit(replace(REQUEST, seed=2))
    window.bridge.advance(job, 2)
    window.state.move(run=job, step=2)
    window.care.delete((job,))
    assert window.bridge.calls[-1] == ("cancel", job)
    assert job in window.state.runs
    window.bridge.end(job, "stopped")
    qtbot.waitUntil(lambda: job not in window.state.runs)
    assert window.state.cursor.run == 1
    window.registry["undo"].trigger()
    assert (window.state.runs[job].state, window.state.runs[job].stored) == ("stopped", 2)


def test_that_after_the_last_run_the_stage_shows_what_could_be_made(window) -> None:
    run(window, REQUEST)
    window.state.move(run=1, step=4)
    window.care.delete((1,))
    assert window.state.cursor.run is None
    assert window.stage.shown.run is None
    assert window.stage.view.x_t.content is not None  # the noise that the plan begins with
    assert window.stage.view.x0_hat.content is None
    assert window.history.topLevelItemCount() == 0


def test_that_a_deleted_morph_leaves_a_plan_and_comes_back_whole(window) -> None:
    run(window, MORPH)
    window.state.move(stage="morph", run=1, frame=1, step=4)
    window.care.delete((1,))
    assert window.stage.shown.run is None
    window.registry["undo"].trigger()
    assert (window.state.cursor.stage, window.state.cursor.run, window.state.cursor.frame) == ("morph", 1, 1)
    assert len(window.stage.shown.pictures(1)) == 5


def test_that_the_run_looked_at_next_is_the_parent_then_the_one_before_then_the_one_after(window) -> None:
    run(window, REQUEST, replace(REQUEST, seed=8), BRANCH, TWIG, replace(REQUEST, seed=9))
    runs = window.state.runs
    assert neighbour(runs, {3, 4}, 4).job == 1
    assert neighbour(runs, {5}, 5).job == 4
    assert neighbour(runs, {1, 3, 4}, 1).job == 2
    assert neighbour(runs, {1, 2, 3, 4, 5}, 1) is None


# The menu


@pytest.mark.qt_log_ignore("^This plugin does not support")
def test_that_the_menu_is_about_the_run_under_the_pointer_and_chooses_nothing(window, qtbot) -> None:
    run(window, REQUEST, BRANCH, MORPH)
    window.state.move(stage="denoise", run=2, step=0)
    view = window.history.viewport()
    qtbot.mouseClick(view, Qt.MouseButton.RightButton, pos=rect(window, 1).center())
    assert window.state.cursor.run == 2
    menu = window.care.menu(view, view.mapToGlobal(rect(window, 1).center()))
    partners, _rename, star, delete = menu.actions()[:4]
    assert [action.text() for action in partners.menu().actions()] == ["Run 2"]  # no morph
    assert (star.text(), delete.text()) == ("Star", "Delete 2 runs")
    star.trigger()
    assert window.state.note(1).is_starred
    partners.menu().actions()[0].trigger()
    assert (window.state.cursor.stage, window.state.cursor.run, window.state.cursor.beside) == ("compare", 1, 2)
    menu.close()


# Chosen again


def test_that_choosing_runs_in_turn_brings_back_all_that_each_was_made_with(window, qtbot) -> None:
    ones = (
        replace(REQUEST, timesteps=tuple(range(980, -1, -20)), spacing="leading", seed=7, count=3, labels=(1, 2, 3)),
        replace(REQUEST, sampler=SamplerSpec("ddpm", variance="large"), seed=8, guidance=3.0, temperature=0.8),
    )
    run(window, *ones)
    seen = {}
    for job in (1, 2, 1, 2):
        click(qtbot, window, job)
        settings = window.stage.controls.settings()
        assert seen.setdefault(job, settings) == settings
        assert (settings.seed, window.state.seed) == (ones[job - 1].seed,) * 2
        assert (settings.sampler, settings.guidance) == (ones[job - 1].sampler, ones[job - 1].guidance)
    assert (seen[1].steps, seen[1].spacing, seen[1].count, seen[1].labels) == (50, "leading", 3, (1, 2, 3))
    assert (seen[2].hand, seen[2].temperature) == (REQUEST.timesteps, 0.8)
    assert not window.undo.stack.canUndo()


def test_that_a_run_from_a_picture_brings_its_picture_and_crop_back(window, qtbot) -> None:
    first, second = (from_pixels(np.full((40, 40, 1), grey, np.uint8), f"grey {grey}") for grey in (40, 200))
    crop = Conversion((32, 32), 1, crop=(0.1, 0.1, 0.9, 0.9))
    for image in (first, second):
        window.state.set_image(image)
    run(window, replace(REQUEST, start=FromImage(ImageRef(first.sha256, crop))), REQUEST)
    click(qtbot, window, 2)
    assert window.state.image is second
    click(qtbot, window, 1)
    assert (window.state.image, window.state.conversion) == (first, crop)
    assert window.stage.controls.start.value() == "picture"
    window.undo.flush()
    assert "picture" not in window.registry["undo"].text()


def test_that_a_run_of_another_model_opens_it_again_and_keeps_its_settings(window, qtbot, tmp_path) -> None:
    other = replace(DIGITS, ref=ModelRef("other", "b" * 64), schedule=ScheduleSpec("cosine"))
    window.state.folders[other.ref.sha256] = str(tmp_path)
    run(window, replace(REQUEST, model=other.ref, schedule=other.schedule, guidance=4.0, seed=11), REQUEST)
    click(qtbot, window, 2)
    click(qtbot, window, 1)
    assert window.state.schedule == other.schedule
    qtbot.waitUntil(lambda: ("open_model", str(tmp_path)) in window.bridge.calls)
    assert window.bridge.meant == other.ref.sha256  # of a file that can be several models
    window.bridge.ready(other)
    window.bridge.say(ModelOpened(other))
    qtbot.waitUntil(lambda: window.stage.controls.settings().guidance == 4.0)
    assert (window.state.cursor.run, window.state.seed) == (1, 11)


def test_that_walking_along_the_list_opens_no_model(window, qtbot, tmp_path) -> None:
    other = ModelRef("other", "b" * 64)
    window.state.folders[other.sha256] = str(tmp_path)
    run(window, replace(REQUEST, model=other), REQUEST)
    click(qtbot, window, 1)
    click(qtbot, window, 2)
    window.recalling._open_model()
    assert not any(call == "open_model" for call, _ in window.bridge.calls)


def test_that_a_model_that_is_not_here_is_named(window, qtbot) -> None:
    run(window, replace(REQUEST, model=ModelRef("elsewhere", "b" * 64)), REQUEST)
    click(qtbot, window, 1)
    window.recalling._open_model()
    assert "“elsewhere”" in window.status_line._hint.text()
