"""What is known of states: remembered under a cap, asked for once, and asked again where the question was lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from app.stages.denoise_settings import DenoiseSettings, resolve
from app.stages.sights import Memory, Sight, Sights
from app.state import AppState
from core.messages import frozen
from core.requests import InspectStep
from tests.app.fake_engine import DIGITS, FakeBridge

Scene = tuple[FakeBridge, Sights]


@pytest.fixture
def scene(qtbot: QtBot) -> Iterator[Scene]:
    state = AppState()
    bridge = FakeBridge(state)
    sights = Sights(bridge, bridge)  # type: ignore[arg-type]
    bridge.message.connect(sights.receive)
    bridge.ready()
    bridge.submit(resolve(DenoiseSettings(steps=4, count=2), DIGITS))
    bridge.run_to_end(1)
    yield bridge, sights
    state.deleteLater()


def sight(pixels: int) -> Sight:
    return Sight(frozen(np.zeros((1, 1, pixels, 1), np.uint8)), None, None, None)


def test_that_memory_forgets_the_longest_unseen_beyond_its_cap() -> None:
    memory = Memory(cap=100)
    memory.put(1, 0, sight(40))
    memory.put(1, 1, sight(40))
    assert memory.get(1, 0) is not None
    memory.put(1, 2, sight(40))
    assert [memory.get(1, step) is not None for step in range(3)] == [True, False, True]
    assert memory.nbytes == 80
    memory.put(1, 2, sight(10))
    assert memory.nbytes == 50
    memory.clear()
    assert (memory.get(1, 0), memory.nbytes) == (None, 0)


def test_that_what_a_run_has_shown_needs_no_question(scene: Scene) -> None:
    _, sights = scene
    seen = sights.see(1, 2)
    assert seen is not None
    assert seen.is_complete


def test_that_a_state_is_asked_for_once_and_its_answer_remembered(scene: Scene) -> None:
    bridge, sights = scene
    learned: list[tuple[int, int]] = []
    sights.learned.connect(lambda job, step, _sight: learned.append((job, step)))
    sights.memory.clear()
    stored = sights.see(1, 1)
    assert stored is not None
    assert not stored.is_complete
    sights.ask(1, 1)
    sights.ask(1, 1)
    assert bridge.asked == [InspectStep(1, 1)]
    bridge.answer()
    assert learned == [(1, 1)]
    known = sights.see(1, 1)
    assert known is not None
    assert known.is_complete
    assert known.x_t_range == stored.x_t_range, "the answer has none of its own"


def test_that_a_question_that_another_has_pushed_out_is_asked_again(scene: Scene) -> None:
    bridge, sights = scene
    sights.ask(1, 1)
    bridge.answer(InspectStep(1, 3))  # asked by another stage, later
    sights.ask(1, 1)
    assert bridge.asked == [InspectStep(1, 1)] * 2


def test_that_a_failure_ends_the_wait(scene: Scene, qtbot: QtBot) -> None:
    bridge, sights = scene
    sights.ask(1, 1)
    with qtbot.waitSignal(sights.failed):
        bridge.fail(1, "The network is gone.")
    sights.ask(1, 1)
    assert len(bridge.asked) == 2


def test_that_frames_of_a_morph_are_no_states_of_a_run(scene: Scene) -> None:
    bridge, sights = scene
    sights.memory.clear()
    preview = replace(bridge._preview(1, 2, with_hats=True), frames=(0, 1))
    bridge.say(preview)
    seen = sights.see(1, 2)
    assert seen is not None
    assert not seen.is_complete, "only what is stored"
