"""What a person changed is taken back, in the stage where it was changed, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from app import undo as undoing
from app.stages.denoise import DenoiseStage
from app.stages.forward import ForwardStage
from app.stages.invert import InvertStage
from app.window import STAGES, MainWindow
from core.images import from_pixels
from core.messages import ModelOpened
from core.requests import ModelRef, ScheduleSpec
from tests.app.conftest import shown_window
from tests.app.fake_engine import DIGITS, FakeBridge

THREE = [stage for stage in STAGES if stage[0] in ("forward", "denoise", "invert")]
PICTURE, OTHER = (from_pixels(np.full((40, 40, 1), grey, np.uint8), f"grey {grey}") for grey in (40, 200))


@pytest.fixture
def window(qapp, qtbot) -> MainWindow:
    made = shown_window(qtbot, THREE)
    made.bridge.ready()
    made.state.set_image(PICTURE)
    made.undo.flush()
    return made


def denoise(window: MainWindow) -> DenoiseStage:
    window.state.move(stage="denoise")
    assert isinstance(window.stage, DenoiseStage)
    window.undo.flush()
    return window.stage


def after(window: MainWindow, *changes: Callable[[], object]) -> None:
    """Each change as an event of its own."""
    for change in changes:
        change()
        window.undo.flush()


def test_that_nothing_can_be_undone_in_a_new_window(window) -> None:
    assert not window.undo.stack.canUndo()
    assert not window.registry["undo"].isEnabled()
    assert window.registry["undo"].text() == "&Undo"


def test_that_a_setting_is_taken_back_and_done_again(window) -> None:
    controls = denoise(window).controls
    after(window, lambda: controls.guidance.set_value(3.0), lambda: controls.sampler.set_value("heun"))
    assert window.registry["undo"].text() == "&Undo Sampler"
    window.registry["undo"].trigger()
    assert (controls.sampler.value(), controls.guidance.value()) == ("ddim", 3.0)
    assert window.registry["redo"].text() == "&Redo Sampler"
    window.registry["undo"].trigger()
    assert controls.guidance.value() == 0.5
    window.registry["redo"].trigger()
    window.registry["redo"].trigger()
    assert (controls.sampler.value(), controls.guidance.value()) == ("heun", 3.0)
    assert not window.undo.stack.canRedo()


def test_that_what_is_taken_back_reaches_the_engine(window) -> None:
    stage = denoise(window)
    after(window, lambda: stage.controls.steps.set_value(7))
    window.registry["undo"].trigger()
    stage.primary_action.click()
    assert window.bridge.submitted[-1].steps == 50


def test_that_undoing_goes_back_to_the_stage_of_the_change(window) -> None:
    controls = denoise(window).controls
    after(window, lambda: controls.steps.set_value(7), lambda: window.state.move(stage="forward"))
    window.registry["undo"].trigger()
    assert window.state.cursor.stage == "denoise"
    assert controls.steps.value() == 50


def test_that_a_dragged_slider_is_one_step(window, qtbot) -> None:
    controls = denoise(window).controls
    track = controls.guidance._track
    QTest.mousePress(track, Qt.MouseButton.LeftButton, pos=QPoint(20, 8))
    for x in range(20, 80, 10):
        QTest.mouseMove(track, QPoint(x, 8))
        window.undo.flush()
    QTest.mouseRelease(track, Qt.MouseButton.LeftButton, pos=QPoint(80, 8))
    window.undo.flush()
    assert controls.guidance.value() != 0.5
    assert window.undo.stack.count() == 1
    window.registry["undo"].trigger()
    assert controls.guidance.value() == 0.5


def test_that_two_drags_are_two_steps(window) -> None:
    controls = denoise(window).controls
    for value in (1.0, 2.0):
        controls.guidance.set_value(value)
        controls.guidance.let_go.emit()
    assert window.undo.stack.count() == 2


def test_that_turns_of_the_wheel_are_one_step_until_there_is_a_pause(window, monkeypatch) -> None:
    now = [100.0]
    monkeypatch.setattr(undoing.time, "monotonic", lambda: now[0])
    controls = denoise(window).controls
    for wait, value in ((0.1, 1.0), (0.5, 2.0), (0.5, 3.0), (5.0, 4.0)):
        now[0] += wait
        after(window, lambda value=value: controls.guidance.set_value(value))
    assert window.undo.stack.count() == 2
    window.registry["undo"].trigger()
    assert controls.guidance.value() == 3.0


def test_that_a_choice_made_twice_is_two_steps(window) -> None:
    controls = denoise(window).controls
    after(window, lambda: controls.sampler.set_value("ddpm"), lambda: controls.sampler.set_value("heun"))
    window.registry["undo"].trigger()
    assert controls.sampler.value() == "ddpm"


def test_that_a_dropped_picture_is_one_step_with_all_that_it_brings(window) -> None:
    stage = denoise(window)
    after(window, lambda: stage.handle_drop(OTHER))
    assert stage.controls.start.value() == "picture"
    assert window.undo.stack.undoText() == "picture"
    window.registry["undo"].trigger()
    assert window.state.image is PICTURE
    assert stage.controls.start.value() == "noise"
    window.registry["redo"].trigger()
    assert window.state.image is OTHER
    assert stage.controls.start.value() == "picture"


def test_that_crop_seed_and_schedule_are_taken_back(window) -> None:
    state = window.state
    before = state.conversion
    after(
        window,
        lambda: state.set_conversion(type(before)(before.size, 1, crop=(0.1, 0.1, 0.6, 0.6))),
        lambda: window.registry["new_seed"].trigger(),
        lambda: window.stage.controls.schedule.set_value("cosine"),
    )
    assert window.undo.stack.undoText() == "Schedule"
    for _ in range(3):
        window.registry["undo"].trigger()
    assert (state.conversion, state.seed, state.schedule) == (before, 42, ScheduleSpec("linear"))
    assert isinstance(window.stage, ForwardStage)
    assert window.stage.controls.schedule.value() == "linear"


def test_that_a_run_and_what_it_moves_make_no_step(window) -> None:
    stage = denoise(window)
    stage.controls.seed.set_locked(False)
    window.undo.flush()
    count = window.undo.stack.count()
    stage.primary_action.click()
    window.bridge.run_to_end(1)
    window.undo.flush()
    assert window.undo.stack.count() == count


def test_that_the_settings_of_a_run_that_is_chosen_are_what_the_next_step_goes_back_to(window) -> None:
    stage = denoise(window)
    controls = stage.controls
    stage.primary_action.click()
    window.bridge.run_to_end(1)
    after(window, lambda: controls.guidance.set_value(4.0))
    after(window, lambda: window.state.move(stage="forward", run=None), lambda: window.state.move(stage="denoise"))
    stage._turned(1)  # the run of the history brings w = 0.5
    assert controls.guidance.value() == 0.5
    window.state.move(step=1)
    window.undo.flush()
    after(window, lambda: controls.guidance.set_value(2.0))
    window.registry["undo"].trigger()
    assert controls.guidance.value() == 0.5


def test_that_another_model_is_taken_back_with_the_settings_that_it_brought(window) -> None:
    stage = denoise(window)
    state = window.state
    after(window, lambda: stage.controls.steps.set_value(33), lambda: stage.controls.label.set_value("4"))
    other = type(DIGITS)(ModelRef("faces", "f" * 64), (3, 16, 16), DIGITS.schedule, "eps", labels=(), null_label=None)
    state.folders.update({DIGITS.ref.sha256: "/models/digits", other.ref.sha256: "/models/faces"})
    window.bridge.ready(other)
    window.undo.flush()
    assert window.undo.stack.undoText() == "open faces"
    window.registry["undo"].trigger()
    assert ("open_model", "/models/digits") in window.bridge.calls
    count = window.undo.stack.count()
    window.bridge.ready(DIGITS)
    window.bridge.say(ModelOpened(DIGITS))
    QTest.qWait(20)
    assert (stage.controls.steps.value(), stage.controls.label.value()) == (33, "4")
    assert window.undo.stack.count() == count


def test_that_a_name_given_to_a_run_is_taken_back(window) -> None:
    stage = denoise(window)
    stage.primary_action.click()
    window.bridge.run_to_end(1)
    window.history.rename(1, "the good one")
    assert window.state.name_of(1) == "the good one"
    window.registry["undo"].trigger()
    assert window.state.name_of(1) == "Run 1"
    window.registry["redo"].trigger()
    assert window.state.name_of(1) == "the good one"


def test_that_typing_keeps_an_undo_of_its_own(window, qtbot) -> None:
    controls = denoise(window).controls
    after(window, lambda: controls.steps.set_value(9))
    window.activateWindow()
    controls.label.set_value("own")
    window.undo.flush()
    controls.own_labels.setText("")
    controls.own_labels.setFocus()
    QTest.keyClicks(controls.own_labels, "12")
    index = window.undo.stack.index()
    QTest.keyClick(controls.own_labels, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert controls.own_labels.text() == ""
    assert window.undo.stack.index() == index


def test_that_each_stage_takes_back_its_own(window) -> None:
    stage = denoise(window)
    after(window, lambda: stage.controls.steps.set_value(11), lambda: window.state.move(stage="invert"))
    assert isinstance(window.stage, InvertStage)
    after(window, lambda: window.stage.controls.steps.set_value(22))
    assert window.undo.stack.count() == 2
    window.registry["undo"].trigger()
    assert (window.stage.controls.steps.value(), stage.controls.steps.value()) == (50, 11)


def test_that_no_more_steps_are_kept_than_the_limit(window) -> None:
    done = []
    for number in range(undoing.LIMIT + 5):
        window.undo.push("something", lambda number=number: done.append(number), lambda: None)
    assert window.undo.stack.count() == undoing.LIMIT
    window.registry["undo"].trigger()
    assert done == [undoing.LIMIT + 4]


def bridge_of(window: MainWindow) -> FakeBridge:
    assert isinstance(window.bridge, FakeBridge)
    return window.bridge
