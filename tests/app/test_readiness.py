"""What is asked for too early waits for the model, and the run that Pause and Stop are about is one under way."""

from __future__ import annotations

import pytest

from app.stages.denoise_settings import DenoiseSettings, resolve
from app.stages.readiness import Readiness, live_run
from app.state import AppState
from core.requests import InvertRequest, SampleRequest
from tests.app.conftest import WindowBridge
from tests.app.fake_engine import DIGITS


@pytest.fixture
def scene(qtbot):
    state = AppState()
    bridge = WindowBridge(state)
    readiness = Readiness(state)
    readiness.said = []
    readiness.waiting_changed.connect(readiness.said.append)
    yield state, bridge, readiness
    state.deleteLater()


def test_that_what_is_asked_for_before_the_model_is_there_is_done_once_it_is(scene):
    _, bridge, readiness = scene
    done = []
    assert readiness.must_wait(lambda: done.append("run"))
    assert readiness.waits
    assert not done
    bridge.ready()
    assert readiness.is_ready
    readiness.catch_up()
    readiness.catch_up()
    assert done == ["run"]
    assert readiness.said == [True, False]


def test_that_what_is_taken_back_is_never_done(scene):
    _, bridge, readiness = scene
    done = []
    readiness.must_wait(lambda: done.append("run"))
    readiness.forget()
    bridge.ready()
    readiness.catch_up()
    assert done == []


def test_that_nothing_waits_for_a_model_that_is_there(scene):
    _, bridge, readiness = scene
    bridge.ready()
    assert not readiness.must_wait(lambda: None)
    assert not readiness.waits
    assert readiness.said == []


def test_that_the_live_run_is_the_first_that_is_under_way_and_of_the_kind(scene):
    state, bridge, _ = scene
    bridge.ready()
    for seed in (1, 2):
        bridge.submit(resolve(DenoiseSettings(steps=3, count=1, seed=seed), DIGITS))
    bridge.run_to_end(1)
    bridge.begin(2)
    found = live_run(state, (None, 7, 1, 2), SampleRequest)
    assert found is not None
    assert found.job == 2
    assert live_run(state, (1, 2), InvertRequest) is None
