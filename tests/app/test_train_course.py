"""What is known of a training, from what the engine tells of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from app.stages.train_course import Course
from app.stages.train_folder import computed, recomputed
from core.messages import (
    RunResumed,
    TrainingOffer,
    TrainingPath,
    TrainingRolledBack,
    TrainingStarted,
    TrainingTick,
    TrainingValidated,
)
from core.training.events import LEVELS, PathChanged
from core.training.journal import Journal, Line
from core.training.kernel_path import KernelPath

LEVEL = np.linspace(0.1, 1, LEVELS, dtype=np.float32)


def course() -> Course:
    return Course(Path("run"), "run", 8, 10, job=1, state="running")


def tick(first: int, count: int) -> TrainingTick:
    losses = np.arange(first, first + count, dtype=np.float32)
    levels = np.tile(LEVEL, (count, 1))
    return TrainingTick(1, first, losses, 1.0, 1.0, 0.5, norms=losses * 10, rates=losses / 10, by_level=levels)


def validated(step: int) -> TrainingValidated:
    return TrainingValidated(1, step, step / 100, LEVEL)


def test_that_every_step_has_its_gradient_its_rate_and_its_losses_by_level() -> None:
    made = course()
    for message in (tick(1, 3), tick(4, 2)):
        made.receive(message)
    np.testing.assert_array_equal(made.losses, [1, 2, 3, 4, 5])
    np.testing.assert_array_equal(made.norms, [10, 20, 30, 40, 50])
    np.testing.assert_allclose(made.rates, [0.1, 0.2, 0.3, 0.4, 0.5], rtol=1e-6)
    np.testing.assert_array_equal(made.by_level, np.tile(LEVEL, (5, 1)))


def test_that_curves_that_are_not_told_are_unknown_and_as_long() -> None:
    made = course()
    made.receive(TrainingTick(1, 1, np.ones(3, np.float32), 1.0, 1.0, 0.5))
    made.receive(tick(4, 1))
    np.testing.assert_array_equal(made.norms, [np.nan, np.nan, np.nan, 40])
    assert np.isnan(made.by_level[:3]).all()
    np.testing.assert_array_equal(made.by_level[3], LEVEL)


def test_that_steps_told_again_take_the_place_of_the_former() -> None:
    made = course()
    for message in (tick(1, 5), validated(4), tick(3, 1)):
        made.receive(message)
    assert made.losses.tolist() == [1, 2, 3]
    assert len(made.norms) == len(made.rates) == len(made.by_level) == 3
    assert made.validated == ()


def test_that_a_roll_back_takes_back_what_came_after_and_is_remembered() -> None:
    made = course()
    for message in (tick(1, 5), validated(2), validated(5), TrainingRolledBack(1, 6, 3, 0.5, "no number")):
        made.receive(message)
    assert made.step == 3
    assert [kept.step for kept in made.validated] == [2]
    assert [(kept.at, kept.step, kept.lr_scale, kept.why) for kept in made.rolled_back] == [(6, 3, 0.5, "no number")]


def test_that_a_step_validated_again_counts_once() -> None:
    made = course()
    for message in (tick(1, 9), validated(3), validated(6), validated(6)):
        made.receive(message)
    assert [(kept.step, kept.loss) for kept in made.validated] == [(3, 0.03), (6, 0.06)]


def test_that_the_path_of_the_kernels_is_known_from_the_start_and_when_it_changes() -> None:
    made = course()
    nothing = np.zeros(0, np.float32)
    made.receive(TrainingStarted(1, "run", "run", 10, (), 9, 4, "bfloat16", 0, 9, None, nothing, path="eager"))
    assert made.path == "eager"
    made.receive(TrainingPath(1, 3, "compiled", "a compiler is there"))
    assert made.path == "compiled"


def test_that_an_offer_stands_until_the_training_goes_on() -> None:
    made, offer = course(), TrainingOffer(1, 16, "Not enough memory.")
    made.receive(offer)
    assert made.offer is offer
    made.receive(RunResumed(1))
    assert made.offer is None


def test_that_a_training_gone_on_with_knows_how_often_it_was_rolled_back() -> None:
    made, losses = course(), np.ones(3, np.float32)
    back = TrainingRolledBack(1, 6, 3, 0.5, "no number")
    made.receive(TrainingStarted(1, "run", "run", 10, (), 9, 4, "float32", 3, 9, None, losses, rolled_back=(back,)))
    assert [(kept.at, kept.step, kept.lr_scale, kept.why) for kept in made.rolled_back] == [(6, 3, 0.5, "no number")]


def test_that_a_folder_says_how_its_network_was_computed(tmp_path: Path) -> None:
    assert computed(tmp_path, 0) == ""
    journal = Journal(tmp_path)
    journal.write(Line(0, KernelPath(precision="bfloat16", threads=2, micro_batch=16).to_json()))
    journal.write(Line(50, KernelPath(precision="bfloat16", threads=2, micro_batch=8, compiled=True).to_json()))
    assert computed(tmp_path, 49) == "bfloat16, eager, 2 threads, 16 pictures at once"
    assert computed(tmp_path, 50) == "bfloat16, compiled, 2 threads, 8 pictures at once"


def test_that_a_folder_whose_journal_makes_no_sense_says_nothing_of_it(tmp_path: Path) -> None:
    Journal(tmp_path).write(Line(0, {"threads": 0}))
    assert computed(tmp_path, 10) == ""


def test_that_a_folder_says_where_the_way_of_computing_changed(tmp_path: Path) -> None:
    eager = KernelPath(precision="bfloat16", threads=2, micro_batch=16)
    compiled = replace(eager, compiled=True)
    journal = Journal(tmp_path)
    journal.write(Line(0, eager.to_json()))
    journal.write(Line(50, compiled.to_json(), why="They are ready."))
    journal.write(Line(70, compiled.to_json(), lr_scale=0.5))
    journal.write(Line(90, eager.to_json()))
    journal.write(Line(60, compiled.to_json(), lr_scale=0.25))
    assert recomputed(tmp_path, 100) == (PathChanged(50, compiled.words, "They are ready."),)
    assert recomputed(tmp_path, 49) == ()
    assert recomputed(tmp_path / "nowhere", 49) == ()


def test_that_a_training_tells_where_it_is_computed_another_way() -> None:
    made = course()
    for step, words in ((0, "eager"), (0, "eager"), (4, "compiled"), (6, "compiled"), (8, "eager")):
        made.receive(TrainingPath(1, step, words, ""))
    assert [(change.step, change.words) for change in made.recomputed] == [(4, "compiled"), (8, "eager")]
    assert made.path == "eager"
    made.receive(TrainingRolledBack(1, 9, 5, 0.5, "no number"))
    assert [change.step for change in made.recomputed] == [4]


def test_that_what_a_training_does_without_is_said_though_it_is_computed_as_before() -> None:
    made = course()
    made.receive(TrainingPath(1, 0, "eager", ""))
    made.receive(TrainingPath(1, 1200, "eager", "there was not enough memory: samples are drawn only when you ask"))
    assert made.notes == ("At step 1,200: there was not enough memory: samples are drawn only when you ask.",)
    assert made.recomputed == ()
