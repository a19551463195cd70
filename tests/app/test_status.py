"""The line at the bottom: a run, and where there is none the training."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytestqt.qtbot import QtBot

from app.state import AppState, Training
from app.widgets.status import StatusLine
from core.messages import EngineState, Status
from core.requests import InvertRequest
from tests.app.fake_engine import FakeBridge
from tests.app.test_history import INVERSION, MORPH, REQUEST

TRAINING = Training(7, "fruit", 1200, 20000, loss=0.04561, eta=754.0, progress=0.06)

Scene = tuple[AppState, FakeBridge, StatusLine]


@pytest.fixture
def scene(qtbot: QtBot) -> Iterator[Scene]:
    state = AppState()
    bridge = FakeBridge(state)
    bridge.ready()
    line = StatusLine(state)
    qtbot.addWidget(line)
    line.resize(1024, 24)
    line.show()
    yield state, bridge, line
    state.deleteLater()


def words(line: StatusLine) -> list[str]:
    return [line.fields[name].text() for name in ("state", "step", "rate", "eta")]


@pytest.mark.parametrize(
    ("request_", "verb", "total"), [(REQUEST, "Sampling", 4), (INVERSION, "Inverting", 4), (MORPH, "Morphing", 16)]
)
def test_that_a_run_is_told_by_what_it_does_and_how_far_it_is(
    scene: Scene, request_: InvertRequest, verb: str, total: int
) -> None:
    _, bridge, line = scene
    bridge.advance(bridge.submit(request_), 3)
    assert words(line) == [verb, f"step 3/{total}", "40.0 steps/s", "ETA 0:01"]


def test_that_a_training_is_told_where_nothing_else_runs(scene: Scene) -> None:
    state, bridge, line = scene
    state.set_status(Status(EngineState.TRAINING, "cpu", 7))
    state.set_training(TRAINING)
    assert words(line) == ["Training", "step 1200/20000", "loss 0.0456", "ETA 12:34"]
    bridge.advance(bridge.submit(REQUEST), 1)  # the training waits meanwhile
    assert words(line) == ["Sampling", "step 1/4", "40.0 steps/s", "ETA 0:01"]
    bridge.end(1)
    state.set_status(Status(EngineState.TRAINING, "cpu", 7))
    assert words(line) == ["Training", "step 1200/20000", "loss 0.0456", "ETA 12:34"]


def test_that_a_paused_training_is_still_told_and_an_ended_one_is_not(scene: Scene) -> None:
    state, _, line = scene
    state.set_training(Training(7, "fruit", 300, None, state="paused", loss=0.1))
    assert words(line) == ["Paused", "step 300", "loss 0.1000", ""]
    state.set_training(Training(7, "fruit", 300, None, state="stopped", loss=0.1))
    assert words(line) == ["Ready", "", "", ""]


def test_that_every_field_has_room_for_its_longest_words(scene: Scene) -> None:
    state, _, line = scene
    state.set_status(Status(EngineState.TRAINING, "cuda:0", 7, 99_900_000_000, 99_900_000_000))
    state.set_training(Training(7, "fruit", 99_999, 99_999, loss=12.3456, eta=36_000.0))
    for field in line.fields.values():
        assert field.text()
        assert field.fontMetrics().horizontalAdvance(field.text()) <= field.width()


def test_that_a_hint_has_the_room_of_figures_that_are_not_there(scene: Scene) -> None:
    _, bridge, line = scene
    hint = "Ctrl+Enter denoises, Space pauses, Esc stops; drag the slider back through every step of the run."
    line.set_hint(hint)
    assert line._hint.shown() == hint
    bridge.advance(bridge.submit(REQUEST), 3)
    assert line.fields["rate"].isVisible()
    assert line._hint.shown().endswith("…"), "what runs is told first"


def test_that_the_line_is_no_higher_while_a_model_is_opened(scene: Scene) -> None:
    _, _, line = scene
    before = line.sizeHint().height()
    line.loading.tell("large", 1, 2)
    assert line.sizeHint().height() == before <= 24
