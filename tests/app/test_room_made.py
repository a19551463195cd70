"""Runs whose states made room for newer ones are made again when somebody looks at them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.bridge import Bridge
from app.kept_runs import KeptRuns
from app.state import AppState
from app.window import STAGES, MainWindow
from core.engine import Engine
from core.inversion_plan import reconstruction
from core.messages import Failed
from core.requests import InspectStep, SampleRequest
from tests.app.conftest import shown_window
from tests.app.scenes import finished_runs as run
from tests.app.test_history import INVERSION, MORPH, REQUEST
from tests.app.tiny import tiny_model

FOUR = [stage for stage in STAGES if stage[0] in ("forward", "denoise", "invert", "morph")]


@pytest.fixture
def window(qapp, qtbot) -> MainWindow:
    made = shown_window(qtbot, FOUR)
    made.bridge.ready()
    made.state.move(stage="denoise")
    return made


def submitted(window: MainWindow) -> list[object]:
    return [job for name, job in window.bridge.calls if name == "submit"]


def test_that_a_run_that_made_room_is_made_again_and_shown_where_it_was_looked_at(window, qtbot) -> None:
    run(window, REQUEST, replace(REQUEST, seed=2))
    window.bridge.let_go.add(1)
    window.history.choose(1)
    window.state.move(step=2)
    qtbot.wait(10)
    assert window.state.runs[1].state == "awaited"
    assert submitted(window) == [1]
    window.bridge.run_to_end(1)
    qtbot.wait(10)
    assert (window.state.cursor.run, window.state.cursor.step) == (1, 2)
    assert not window.stage.errors.message()
    assert submitted(window) == [1]


def test_that_its_thumbnail_is_shown_meanwhile(window, qtbot) -> None:
    run(window, REQUEST, replace(REQUEST, seed=2))
    small = np.full((32, 32, 1), 77, np.uint8)
    window.state.set_thumbnail(1, small)
    window.bridge.let_go.add(1)
    window.history.choose(1)
    qtbot.wait(10)
    view = window.stage.view
    assert np.array_equal(view.x0_hat.content.values, small[None])
    assert view.x_t.content is None
    window.bridge.advance(1)
    assert view.x_t.content is not None
    assert not np.array_equal(view.x0_hat.content.values, small[None])


def test_that_the_thumbnail_of_an_inversion_is_shown_meanwhile(window, qtbot) -> None:
    window.state.move(stage="invert")
    run(window, INVERSION, REQUEST)
    window.state.set_thumbnail(1, np.full((32, 32, 1), 77, np.uint8))
    window.bridge.let_go.add(1)
    window.history.choose(1)
    qtbot.wait(10)
    view = window.stage.view
    assert (view.x0_hat.content.values == 77).all()
    assert view.x0_hat.is_busy
    assert view.x_t.content is None
    window.bridge.run_to_end(1)
    qtbot.wait(10)
    assert view.x_t.content is not None
    assert view.x0_hat.content is None or not (view.x0_hat.content.values == 77).all()


@pytest.mark.parametrize("request_", [MORPH, INVERSION])
def test_that_a_morph_and_an_inversion_are_made_again_as_well(window, qtbot, request_) -> None:
    run(window, request_, REQUEST)
    window.history.choose(2)
    window.bridge.let_go.add(1)
    window.history.choose(1)
    qtbot.wait(10)
    assert submitted(window) == [1]
    window.bridge.run_to_end(1)
    qtbot.wait(10)
    assert window.state.runs[1].state == "finished"
    assert not window.stage.errors.message()
    assert window.state.cursor.run == 1


def test_that_the_frames_of_a_morph_are_seen_again(window, qtbot) -> None:
    window.state.move(stage="morph")
    run(window, MORPH, REQUEST)
    window.history.choose(1)
    assert window.stage.shown.pictures(1)
    window.history.choose(2)
    window.bridge.let_go.add(1)
    window.history.choose(1)
    qtbot.wait(10)
    assert not window.stage.shown.pictures(1)
    window.bridge.run_to_end(1)
    assert window.stage.shown.pictures(1)


def test_that_the_way_down_comes_with_the_way_up(window, qtbot) -> None:
    run(window, INVERSION, reconstruction(INVERSION), REQUEST)
    window.history.choose(3)
    window.bridge.let_go.update((1, 2))
    window.history.choose(1)
    qtbot.wait(10)
    assert submitted(window) == [1, 2]


def test_that_the_way_up_comes_with_the_way_down(window, qtbot) -> None:
    run(window, INVERSION, reconstruction(INVERSION), REQUEST)
    window.bridge.let_go.add(1)
    window.history.choose(2)
    qtbot.wait(10)
    assert submitted(window) == [1]


def test_that_two_runs_that_leave_no_room_for_each_other_are_not_made_in_turns(window, qtbot) -> None:
    run(window, REQUEST, replace(REQUEST, seed=2))
    window.bridge.let_go.update((1, 2))
    window.care.compare(1, 2)
    qtbot.wait(10)
    assert submitted(window) == [1, 2]
    window.bridge.run_to_end(1)
    window.bridge.let_go.add(1)
    window.bridge.run_to_end(2)
    window.state.move(step=1)
    qtbot.wait(10)
    assert submitted(window) == [1, 2]
    assert "made room" in window.status_line._hint.text()


def kept(window: MainWindow, *jobs: int) -> None:
    for job in jobs:
        window.state.put_run(replace(window.state.runs[job], state="kept", stored=0))


def test_that_what_nobody_looks_at_any_more_makes_way(window, qtbot) -> None:
    run(window, REQUEST, replace(REQUEST, seed=2), replace(REQUEST, seed=3))
    kept(window, 1, 2, 3)
    window.history.choose(1)
    qtbot.wait(10)
    window.bridge.advance(1)
    window.history.choose(2)
    qtbot.wait(10)
    assert ("cancel", 1) in window.bridge.calls
    window.bridge.end(1, "stopped")
    assert window.state.runs[1].state == "kept"
    window.bridge.run_to_end(2)
    assert window.state.runs[2].state == "finished"
    window.history.choose(1)
    qtbot.wait(10)
    assert submitted(window) == [1, 2, 1]
    window.bridge.run_to_end(1)
    assert window.state.runs[1].state == "finished"
    assert window.bridge.calls.count(("cancel", 1)) == 1


def test_that_a_person_may_come_back_before_it_has_made_way(window, qtbot) -> None:
    run(window, REQUEST, replace(REQUEST, seed=2))
    kept(window, 1, 2)
    window.history.choose(1)
    qtbot.wait(10)
    window.bridge.advance(1)
    window.history.choose(2)
    qtbot.wait(10)
    window.history.choose(1)
    qtbot.wait(10)
    window.bridge.end(1, "stopped")
    qtbot.wait(10)
    assert window.state.runs[1].state == "awaited"
    window.bridge.run_to_end(1)
    assert window.state.runs[1].state == "finished"


def test_that_a_run_that_was_stopped_by_hand_stays_as_far_as_it_came(window, qtbot) -> None:
    run(window, REQUEST)
    kept(window, 1)
    window.history.choose(1)
    qtbot.wait(10)
    window.bridge.advance(1, 2)
    window.bridge.end(1, "stopped")
    qtbot.wait(10)
    assert (window.state.runs[1].state, window.state.runs[1].stored) == ("stopped", 2)


def test_that_a_stage_that_is_not_shown_gives_no_hints(window) -> None:
    denoise = window.stage
    window.state.move(stage="forward")
    before = window.status_line._hint.text()
    denoise.hint_changed.emit("Press Denoise.")
    assert window.status_line._hint.text() == before
    window.state.move(stage="denoise")
    denoise.hint_changed.emit("Press Denoise.")
    assert window.status_line._hint.text() == "Press Denoise."


def test_that_the_engine_says_whose_states_it_keeps(qtbot) -> None:
    state = AppState()
    engine = Engine(device="cpu", cap=20_000)
    bridge = Bridge(state, engine)
    bridge.start()
    model = tiny_model()
    engine.add_model(model)
    qtbot.waitUntil(lambda: state.model is not None, timeout=20_000)
    request = SampleRequest(
        model.info.ref, model.info.schedule, (900, 500, 100), "hand", REQUEST.sampler, 0, 2, (0, 1), 1.0
    )
    jobs = [bridge.submit(replace(request, seed=seed)) for seed in range(8)]
    ended = ("finished",)
    qtbot.waitUntil(lambda: len(state.runs) == 8 and state.runs[jobs[-1]].state in ended, timeout=20_000)
    kept = [bridge.keeps(job) for job in jobs]
    assert (kept[0], kept[-1]) == (False, True)
    assert bridge.frame(jobs[0], 0) is None
    bridge.ask(InspectStep(jobs[0], 0))  # which nobody can answer, and nobody is to be told of
    heard: list[object] = []
    bridge.message.connect(heard.append)
    runs = KeptRuns(state, bridge)
    state.move(stage="denoise", run=jobs[0], step=2)
    qtbot.waitUntil(lambda: bridge.keeps(jobs[0]) and state.runs[jobs[0]].state == "finished", timeout=20_000)
    assert bridge.frame(jobs[0], 2) is not None
    assert runs.places == {}
    assert not any(isinstance(message, Failed) for message in heard)
    assert bridge.shut_down()
    state.deleteLater()
