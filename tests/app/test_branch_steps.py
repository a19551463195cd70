"""A branch is taken back like any other step, and comes again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.window import STAGES, MainWindow
from core.inversion_plan import reconstruction
from core.requests import FromStep, InvertRequest
from tests.app.conftest import shown_window
from tests.app.scenes import finished_runs as run
from tests.app.test_history import INVERSION, REQUEST
from tests.app.test_sessions import PICTURE


@pytest.fixture
def window(qapp, qtbot) -> MainWindow:
    made = shown_window(qtbot, [stage for stage in STAGES if stage[0] in ("forward", "denoise", "invert")])
    made.bridge.ready()
    made.state.set_image(PICTURE)
    made.state.move(stage="denoise")
    made.undo.flush()
    made.undo.stack.clear()
    return made


def branched(window: MainWindow) -> int:
    """A branch of a finished run at its third state, begun by its key."""
    run(window, REQUEST)
    window.state.move(stage="denoise", run=1, step=2)
    window.registry["branch"].trigger()
    window.bridge.begin(2)
    assert isinstance(window.state.runs[2].request.start, FromStep)
    return 2


def test_that_a_branch_is_taken_back_to_where_it_left_and_comes_again(window, qtbot) -> None:
    job = branched(window)
    window.bridge.run_to_end(job)
    assert window.state.cursor.run == job
    assert window.registry["undo"].text() == "&Undo branch of Run 1"
    window.registry["undo"].trigger()
    assert list(window.state.runs) == [1]
    assert (window.state.cursor.run, window.state.cursor.step) == (1, 2)
    window.registry["redo"].trigger()
    assert list(window.state.runs) == [1, 2]
    assert window.state.runs[2].parent == 1
    assert (window.state.cursor.run, window.state.cursor.step) == (2, window.state.runs[2].steps)
    assert window.state.runs[2].state == "finished"


def test_that_a_branch_under_way_is_stopped_first_and_made_anew_when_it_comes_again(window, qtbot) -> None:
    job = branched(window)
    window.bridge.advance(job)
    window.registry["undo"].trigger()
    assert ("cancel", job) in window.bridge.calls
    window.bridge.end(job, "stopped")
    qtbot.wait(10)
    assert list(window.state.runs) == [1]
    window.registry["redo"].trigger()
    qtbot.wait(10)
    assert window.bridge.calls[-1] == ("submit", job)
    window.bridge.run_to_end(job)
    assert window.state.runs[job].state == "finished"


def test_that_a_branch_that_never_began_is_no_step(window) -> None:
    run(window, REQUEST)
    window.state.move(stage="denoise", run=1, step=2)
    window.registry["branch"].trigger()
    window.bridge.fail(2, "no memory is left")
    assert not window.undo.stack.canUndo()


def test_that_a_run_that_is_made_again_is_no_step(window, qtbot) -> None:
    run(window, REQUEST, replace(REQUEST, timesteps=(300, 0), start=FromStep(REQUEST, 2)))
    window.bridge.let_go.add(2)
    window.history.choose(2)
    qtbot.wait(10)
    window.bridge.run_to_end(2)
    window.undo.flush()
    assert not window.undo.stack.canUndo()


def test_that_another_way_down_from_a_latent_is_a_step(window, qtbot) -> None:
    window.state.move(stage="invert")
    asked = replace(INVERSION, images=(replace(INVERSION.images[0], sha256=PICTURE.sha256),))
    assert isinstance(asked, InvertRequest)
    run(window, asked, reconstruction(asked))
    window.history.choose(1)
    window.undo.flush()
    count = window.undo.stack.count()
    window.stage.controls.label.set_value("4")
    window.undo.flush()
    window.registry["branch"].trigger()
    window.bridge.run_to_end(3)
    assert window.undo.stack.count() == count + 2
    window.registry["undo"].trigger()
    assert list(window.state.runs) == [1, 2]
