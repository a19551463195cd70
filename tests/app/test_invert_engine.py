"""Invert on a real engine with a model whose answers are known in closed form."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest

from app.bridge import Bridge
from app.stages.invert import InvertStage
from app.state import AppState
from core.engine import Engine
from core.requests import Conversion
from tests.app.fake_engine import Dock, gradient
from tests.toys import Toy


@pytest.fixture
def stage(qtbot) -> Iterator[InvertStage]:
    state = AppState()
    engine = Engine(device="cpu")
    bridge = Bridge(state, engine)
    made = InvertStage(state, bridge)
    dock = Dock(made)
    qtbot.addWidget(dock)
    bridge.start()
    engine.add_model(Toy(labels=("dark", "light"), means=(-0.5, 0.5, 0.0)))
    qtbot.waitUntil(lambda: state.model is not None)
    state.set_image(gradient(4, 4, 1))
    state.set_conversion(Conversion((4, 4), 1))
    dock.show()
    state.move(stage="invert")
    made.activate()
    made.controls.convention.set_value("openai")  # the model has no answer for a picture without noise
    yield made
    assert bridge.shut_down()
    state.deleteLater()


def done(qtbot, stage: InvertStage, button: str = "run") -> int:
    """Press a button and wait for all that follows; the job looked at then."""
    qtbot.waitUntil(getattr(stage.buttons, button).isEnabled)
    getattr(stage.buttons, button).click()
    qtbot.waitUntil(lambda: not stage.trips.is_busy and stage.buttons.pause.isEnabled() is False)
    return stage.state.cursor.run or 0


def test_that_steps_and_refinement_bring_the_picture_back(stage, qtbot) -> None:
    def error(steps: int, refinements: int) -> float:
        stage.controls.steps.set_value(steps)
        stage.controls.refinements.set_value(refinements)
        up = stage.state.runs[done(qtbot, stage)].parent
        return stage.record.error(up)

    plain, finer, refined = error(8, 0), error(40, 0), error(8, 4)
    assert plain > 3 * refined
    assert plain > 2 * finer
    found = {(point.steps, point.kind) for point in stage.evidence.curve.points}
    assert found == {(8, "OpenAI"), (40, "OpenAI"), (8, "refined 4, OpenAI")}
    misses = stage.record.misses(stage.state.runs[stage.state.cursor.run].parent)
    assert all(len(step) == 4 for step in misses.values())
    assert misses  # of a fast walk not every step is heard of
    for step in misses.values():
        assert all(later < earlier for earlier, later in pairwise(step))


def test_that_another_label_leads_the_same_latent_elsewhere(stage, qtbot) -> None:
    stage.controls.steps.set_value(10)
    stage.controls.label.set_value("0")
    back = done(qtbot, stage)
    stage.controls.label.set_value("each")
    made = done(qtbot, stage, "regenerate")
    values, steps = stage._bridge.values, stage.state.runs[made].steps
    dark, light = values(made, steps)
    assert np.allclose(dark, values(back, steps)[0], atol=1e-5), "label 0 is that of the inversion"
    assert light.mean() > dark.mean() + 0.5
    assert np.array_equal(values(made, 0)[1], values(back, 0)[0]), "from the same latent"


def test_that_sdedit_goes_further_from_the_picture_the_more_it_is_noised(stage, qtbot) -> None:
    stage.controls.method.set_value("edit")
    stage.controls.count.set_value(16)
    picture = stage.plan.values()

    def distance(t: int) -> float:
        stage.controls.t.set_value(t)
        job = done(qtbot, stage)
        results = stage._bridge.values(job, stage.state.runs[job].steps)
        assert len(results) == 16
        return float(np.square(results - picture).mean())

    assert distance(50) < distance(300) < distance(900)


def test_that_measure_queues_itself_and_can_be_stopped(stage, qtbot) -> None:
    qtbot.waitUntil(stage.buttons.measure.isEnabled)
    stage.measure()
    qtbot.waitUntil(lambda: len(stage.evidence.curve.points) >= 2)
    stage.stop()
    qtbot.waitUntil(lambda: not stage.trips.is_busy)
    points = sorted(stage.evidence.curve.points, key=lambda point: point.steps)
    assert [point.steps for point in points[:2]] == [10, 20]
    assert points[0].error > points[1].error


def test_that_a_walk_that_loses_itself_is_said_to_have_done_so(stage, qtbot) -> None:
    stage.controls.convention.set_value("diffusers")
    stage.controls.steps.set_value(5)
    done(qtbot, stage)
    assert "not numbers" in stage.evidence.statistics.text()
    assert stage.evidence.curve.points == ()
