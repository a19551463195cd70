"""Morph on the real engine, with a model whose answers are known in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from app.bridge import Bridge
from app.stages.morph import MorphStage
from app.stages.morph_view import Memory
from app.state import AppState
from core.engine import Engine
from core.images import OpenedImage, from_pixels
from core.messages import EngineState
from core.noise import initial_noise
from tests.app.fake_engine import Dock
from tests.toys import Toy


@pytest.fixture
def joined(qtbot):
    """Make a stage on an engine whose network takes this many seconds."""
    bridges, docks = [], []

    def make(seconds: float = 0.0):
        state = AppState()
        engine = Engine(device="cpu")
        bridge = Bridge(state, engine)
        bridges.append(bridge)
        stage = MorphStage(state, bridge)
        dock = Dock(stage)
        docks.append(dock)
        qtbot.addWidget(dock)
        bridge.start()
        engine.add_model(Toy(seconds=seconds))
        qtbot.waitUntil(lambda: state.model is not None and state.status.state is EngineState.IDLE)
        dock.show()
        state.move(stage="morph")
        stage.activate()
        stage.controls.steps.set_value(4)
        stage.controls.frames.set_value(5)
        return state, bridge, stage

    yield make
    assert all(bridge.shut_down() for bridge in bridges)


def press(stage, qtbot):
    """Press Morph and wait for the last frame."""
    stage.buttons.run.click()
    jobs = list(stage.shown.expected)
    runs = stage.state.runs
    qtbot.waitUntil(lambda: all(job in runs and runs[job].state == "finished" for job in jobs), timeout=20_000)
    return jobs


def test_that_frames_come_out_and_their_latents_are_mixed_as_the_plot_says(joined, qtbot):
    _, bridge, stage = joined()
    (job,) = press(stage, qtbot)
    assert all(stage.strip.is_finished(frame) for frame in range(5))
    a = initial_noise(42, (1, 4, 4)).astype(np.float64)
    b = initial_noise(43, (1, 4, 4)).astype(np.float64)
    norms = stage.instruments.norms
    for frame, share in enumerate((0, 0.25, 0.5, 0.75, 1)):
        expected = ((1 - share) * np.linalg.norm(a) + share * np.linalg.norm(b)) / 4
        assert norms.points[frame][1] == pytest.approx(expected, rel=1e-5)
        assert norms.curves["slerp"][round(96 * share)] == pytest.approx(expected, rel=1e-5)
    assert np.allclose(bridge.values(job, 0, 0)[0], a, atol=1e-5)


@pytest.mark.parametrize(
    ("control", "value"),
    [("mix", "lerp"), ("steps", 7), ("eta", 0.8), ("sampler", "ddpm"), ("spacing", "trailing")],
)
def test_that_each_control_changes_what_comes_out(joined, qtbot, control, value):
    _, bridge, stage = joined()
    (first,) = press(stage, qtbot)
    getattr(stage.controls, control).set_value(value)
    (second,) = press(stage, qtbot)
    before, after = (bridge.values(job, stage.state.runs[job].steps, 2) for job in (first, second))
    assert not np.allclose(before, after, atol=1e-6)


def grey_picture(value: int) -> OpenedImage:
    return from_pixels(np.full((4, 4, 1), value, np.uint8), f"grey {value}")


def test_that_pictures_are_inverted_and_come_back_at_the_ends(joined, qtbot):
    state, bridge, stage = joined()
    for place, value in enumerate((120, 190)):
        stage.ends.put_picture(grey_picture(value), place)
    stage.controls.convention.set_value("openai")  # the toy has no answer about a clean picture
    stage.controls.steps.set_value(200)
    (job,) = press(stage, qtbot)
    for frame, value in ((0, 120), (4, 190)):
        made = bridge.frame(job, 200, frame).x_t[0]
        assert np.abs(made.astype(int) - value).max() <= 6
    assert stage.instruments.norms.curves
    assert state.cursor.step == 200


def test_that_latents_that_are_no_numbers_are_left_out_of_the_plot(joined, qtbot):
    _, _, stage = joined()
    for place, value in enumerate((120, 190)):
        stage.ends.put_picture(grey_picture(value), place)
    press(stage, qtbot)  # in this convention the toy divides by the picture's noise, which is none
    assert stage.instruments.norms.points == {}
    assert stage.instruments.norms.curves == {}
    assert "no number" in stage.instruments.reading.text()


def test_that_a_sheet_is_stopped_with_all_its_rows(joined, qtbot):
    state, _, stage = joined(0.01)
    for place, value in enumerate((120, 190)):
        stage.ends.put_picture(grey_picture(value), place)
    stage.controls.mix.set_value("sheet")
    stage.controls.steps.set_value(50)
    stage.buttons.run.click()
    qtbot.waitUntil(lambda: state.status.job is not None and bool(state.runs))
    stage.stop()
    qtbot.waitUntil(lambda: state.status.state is EngineState.IDLE)
    qtbot.wait(50)
    assert state.status.state is EngineState.IDLE
    assert all(run.state == "stopped" for run in state.runs.values())
    assert sum(run.stored for run in state.runs.values()) < 50


def test_that_a_step_of_a_frame_is_looked_into(joined, qtbot):
    _, _, stage = joined()
    press(stage, qtbot)
    stage.view.memory = Memory()
    stage.view.descent.ask(2)
    qtbot.waitUntil(lambda: stage.view.x0_hat.content is not None)
    assert stage.view.x_t.isVisible()
    assert stage.transport.rail.shown == 2
