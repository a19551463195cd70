"""A training that is watched, in its stage: curves, figures, what is normal, and an offer where memory ends."""

from __future__ import annotations

import numpy as np
import pytest

from app.stages.train import TrainStage
from core.messages import (
    RunPaused,
    TrainingOffer,
    TrainingPath,
    TrainingRolledBack,
    TrainingTick,
    TrainingValidated,
    frozen,
)
from core.training.events import LEVELS
from core.training.order import Instruction
from tests.app.scenes import training
from tests.app.test_train_stage import begun


@pytest.fixture
def watched(qtbot):
    """The stage, its bridge and the job of a training that has made ten steps."""
    with training(qtbot) as (_state, bridge, stage):
        qtbot.waitUntil(lambda: stage.setup.start.isEnabled(), timeout=20_000)
        job = begun(stage)
        bridge.say(tick(job, 1, 10))
        stage.flush()
        yield stage, bridge, job


def tick(job: int, first: int, count: int) -> TrainingTick:
    losses = frozen(np.full(count, 0.5, np.float32))
    levels = frozen(np.tile(np.linspace(1, 0.1, LEVELS, dtype=np.float32), (count, 1)))
    return TrainingTick(job, first, losses, 80.0, 60.0, 0.1, norms=losses / 2, rates=losses / 1000, by_level=levels)


def curve(stage: TrainStage, key: str):
    stage.view.curves.choice.set_value(key)
    return stage.view.curves.other


def test_that_what_the_engine_tells_is_drawn_whatever_curve_is_looked_at(watched) -> None:
    stage, bridge, job = watched
    assert [len(curve(stage, key).table()) - 1 for key in ("levels", "norm", "rate")] == [10, 10, 10]
    assert curve(stage, "validation").is_empty
    bridge.say(TrainingValidated(job, 10, 0.45, frozen(np.zeros(LEVELS, np.float32))))
    assert curve(stage, "validation").summary() == "0.4500"
    bridge.say(tick(job, 11, 5))
    stage.flush()
    assert len(curve(stage, "norm").table()) - 1 == 15


def test_that_figures_say_rate_and_gradient(watched) -> None:
    stage, _bridge, _job = watched
    figures = {key: figure.value.text() for key, figure in stage.view.figures.items()}
    assert (figures["lr"], figures["norm"]) == ("5.00e\u221204", "0.25")


def test_that_how_the_network_is_computed_is_said_as_it_changes(watched) -> None:
    stage, bridge, job = watched
    bridge.say(TrainingPath(job, 10, "bfloat16, compiled, 2 threads", "a compiler is there"))
    assert stage.view.curves.path.text() == "bfloat16, compiled, 2 threads"


def test_that_a_roll_back_is_said_beside_the_curve_and_in_what_is_normal(watched) -> None:
    stage, bridge, job = watched
    bridge.say(TrainingRolledBack(job, 12, 10, 0.5, "the loss of step 12 was no number"))
    assert "rolled back once" in stage.view.curves.path.text()
    notes = stage.instruments.normal.notes
    assert any("the loss of step 12 was no number" in note.numbers for note in notes)


def test_that_what_is_normal_is_said_of_the_training_looked_at_alone(watched) -> None:
    stage, _bridge, _job = watched
    normal = stage.instruments.normal
    assert normal.accessibleDescription().startswith("Yes")
    stage.view.new.click()
    assert "should be below" in " ".join(note.headline for note in normal.notes)


def test_that_before_its_first_step_a_training_says_what_to_expect(qtbot) -> None:
    with training(qtbot) as (_state, bridge, stage):
        qtbot.waitUntil(lambda: stage.setup.start.isEnabled(), timeout=20_000)
        normal = stage.instruments.normal
        assert normal._title.text() == "What to expect"
        assert normal.notes == stage.setup.prospect != ()
        job = begun(stage)
        assert normal.notes == stage.course.prospect
        bridge.say(tick(job, 1, 10))
        stage.flush()
        assert normal._title.text().startswith("Is this normal?")


def test_that_an_offer_of_smaller_parts_is_taken_with_one_button(watched) -> None:
    stage, bridge, job = watched
    bridge.say(TrainingOffer(job, 16, "There was not enough memory for a step."))
    bridge.say(RunPaused(job, 10))
    assert stage.view.offer.isVisible()
    stage.view.offer.accept.click()
    assert ("instruct", (job, Instruction(micro_batch=16))) in bridge.calls
    assert bridge.calls[-1] == ("resume", job)


def test_that_there_is_one_way_to_export_what_was_drawn(watched) -> None:
    stage, _bridge, _job = watched
    assert stage.instruments.transport.export.isHidden()
    assert stage.view.samples_page.controls.export.isVisible()
