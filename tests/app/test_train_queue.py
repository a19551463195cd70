"""Trainings that were still queued when the window was closed: offered at the next start, and queued as they were."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from app.session_file import read_archive
from app.stages.train_queue import Waiting, read, told
from app.window import STAGES, MainWindow
from core.messages import RunEnded
from core.requests import ModelRef, ScheduleSpec
from core.training.order import TrainOrder
from core.training.reading import Reading
from core.training.runs import runs_folder
from tests.app.conftest import opener
from tests.app.test_sessions import closed, killed
from tests.app.test_train_stage import a_folder, a_stored_run, begun, started

TWO = [stage for stage in STAGES if stage[0] in ("forward", "train")]
WAITING = Waiting(
    TrainOrder(
        Path("/runs/flags"),
        minutes=12.5,
        preset="medium",
        base=ModelRef("digits", "a" * 64),
        batch=24,
        lr=2e-4,
        seed=7,
        never_flipped=tuple(f"Flags {number}/*" for number in range(40)),
        schedule=ScheduleSpec("cosine", 4000),
        objective="hybrid",
        variance="range",
        keep_every=500,
    ),
    Path("/pictures/flags"),
    Reading(24, "whole", (1, 2, 3), "all"),
)


@pytest.fixture
def opened(qapp, qtbot) -> Callable[[], MainWindow]:
    return opener(qtbot, TWO, ready=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return a_folder(tmp_path / "shapes", {"circle": 8, "square": 4})


def queued(window: MainWindow, folder: Path, batch: int = 8) -> tuple[TrainOrder, int]:
    """What was asked of a training that waits for another, and the job of that one."""
    window.state.move(stage="train")
    stage = window.stage
    stage.handle_folder(folder)
    stage.setup.controls.side.set_value("16")
    job = begun(stage)
    stage.view.new.click()
    stage.setup.controls.batch.set_value(batch)
    stage.setup.controls.duration.set_duration(steps=300)
    stage.setup.start.click()
    assert stage.course.state == "queued"
    return window.bridge.trained[-1][0], job


def going_on(window: MainWindow, folder: Path) -> Path:
    """The folder of a stored run that is to be gone on with while another trains."""
    run = a_stored_run("older", folder).folder.resolve()
    window.state.move(stage="train")
    window.stage.handle_folder(folder)
    begun(window.stage)
    window.stage.go_on(run)
    return run


@pytest.mark.parametrize("precision", ["auto", "bfloat16"])
def test_that_all_that_was_asked_comes_back_from_json(precision) -> None:
    asked = replace(WAITING, order=replace(WAITING.order, precision=precision))
    assert read(json.loads(json.dumps(told([asked])))) == (asked,)


def test_that_what_is_damaged_is_left_out_by_itself() -> None:
    whole = json.loads(json.dumps(told([WAITING])))[0]
    damaged = [
        None,
        {},
        whole | {"reading": None},
        whole | {"pictures": 3},
        whole | {"order": whole["order"] | {"batch": "many"}},
        whole | {"order": whole["order"] | {"precision": "float8"}},
        whole | {"order": whole["order"] | {"samples": 10**9}},
        whole | {"order": {}},
    ]
    assert read([*damaged, whole]) == (WAITING,)
    with pytest.raises(ValueError, match="list"):
        read("flags")


def test_that_a_training_that_waited_in_a_second_window_is_offered_in_a_second_one_again(opened, folder) -> None:
    first, second = opened(), opened()
    asked, _ = queued(second, folder)
    closed(second)
    closed(first)

    first = opened()
    assert "closed while trainings were queued in it" in first.told.words()
    assert first.offer.words() == ""
    second = opened()
    assert asked.out.name in second.offer.words()
    second.offer.decline.click()
    closed(second)
    closed(first)

    first = opened()
    assert not first.told.isVisible()
    closed(first)


@pytest.mark.parametrize("ends", [closed, killed])
def test_that_a_training_that_had_not_begun_is_offered_and_queued_as_it_was(opened, folder, ends) -> None:
    first = opened()
    asked, _ = queued(first, folder)
    first.sessions.save()
    ends(first)

    second = opened()
    assert asked.out.name in second.offer.words()
    assert "has not begun" in second.offer.words()
    assert second.bridge.trained == []
    second.state.move(stage="forward")
    second.offer.accept.click()
    assert second.offer.words() == ""
    assert second.stage.key == "train"
    order, data = second.bridge.trained[-1]
    assert replace(order, out=asked.out) == asked
    assert (data.source, data.reading.size) == (folder, 16)
    assert (second.stage.course.folder, second.stage.course.state) == (order.out, "queued")
    closed(second)

    third = opened()  # it has not begun even now
    assert order.out.name in third.offer.words()
    third.offer.accept.click()
    job = len(third.bridge.submitted)
    third.bridge.say(started(job, third.bridge.trained[-1][0].out))
    closed(third)
    fourth = opened()
    assert fourth.offer.words() == ""
    closed(fourth)


def test_that_whoever_turns_to_nothing_is_asked_again_at_the_next_start(opened, folder) -> None:
    first = opened()
    asked, _ = queued(first, folder)
    first.state.move(stage="forward")
    closed(first)
    for _ in range(2):
        again = opened()
        assert again.stage.key == "forward"
        assert asked.out.name in again.offer.words()
        closed(again)


@pytest.mark.parametrize("stage", ["forward", "train"])
def test_that_what_is_forgotten_is_not_offered_again(opened, folder, stage) -> None:
    first = opened()
    queued(first, folder)
    first.state.move(stage=stage)
    closed(first)
    second = opened()
    second.offer.decline.click()
    assert second.offer.words() == ""
    closed(second)
    third = opened()
    assert third.offer.words() == ""
    assert third.bridge.trained == []
    closed(third)


def test_that_what_was_taken_out_of_the_queue_is_not_offered(opened, folder) -> None:
    first = opened()
    queued(first, folder)
    course = first.stage.course
    first.stage.view.stop.click()
    first.bridge.say(RunEnded(course.job, "stopped", 0, 0.0))
    closed(first)
    second = opened()
    assert second.offer.words() == ""
    closed(second)


def test_that_one_that_was_to_be_gone_on_with_is_queued_to_be_gone_on_with(opened, folder) -> None:
    first = opened()
    run = going_on(first, folder)
    asked = first.bridge.trained[-1][0]
    closed(first)
    second = opened()
    assert "“older”" in second.offer.words()
    second.offer.accept.click()
    assert second.bridge.trained[-1][0] == asked
    assert second.stage.trainings.of(run).state == "queued"
    assert second.stage.trainings.of(run).step == 40
    closed(second)


def test_that_several_stand_in_the_queue_in_their_order(opened, folder) -> None:
    first = opened()
    one, _ = queued(first, folder)
    first.stage.view.new.click()
    first.stage.setup.controls.batch.set_value(4)
    first.stage.setup.start.click()
    closed(first)
    second = opened()
    assert "have not begun" in second.offer.words()
    second.offer.accept.click()
    assert [order.batch for order, _ in second.bridge.trained] == [one.batch, 4]
    assert [course.state for course in second.stage.trainings.courses] == ["queued", "queued"]
    closed(second)


def test_that_one_whose_pictures_are_gone_is_said_and_kept(opened, folder) -> None:
    first = opened()
    asked, _ = queued(first, folder)
    closed(first)
    shutil.move(folder, folder.with_name("elsewhere"))
    second = opened()
    second.offer.accept.click()
    assert f"“{asked.out.name}” was not queued" in second.stage.errors.message()
    assert second.bridge.trained == []
    closed(second)
    shutil.move(folder.with_name("elsewhere"), folder)
    third = opened()
    third.offer.accept.click()
    assert third.bridge.trained[-1][0].batch == asked.batch
    closed(third)


def test_that_a_run_that_is_gone_is_said_and_no_more_offered(opened, folder) -> None:
    first = opened()
    run = going_on(first, folder)
    closed(first)
    shutil.rmtree(run)
    second = opened()
    second.offer.accept.click()
    assert "no longer there" in second.stage.errors.message()
    closed(second)
    third = opened()
    assert third.offer.words() == ""
    closed(third)


def test_that_a_session_taken_elsewhere_does_not_say_what_was_queued(opened, folder, tmp_path) -> None:
    window = opened()
    queued(window, folder)
    window.sessions.files.save(tmp_path / "mine.diffuscope")
    content = (tmp_path / "mine.diffuscope").read_bytes()
    assert str(runs_folder()).encode() not in content
    session, _pictures = read_archive(tmp_path / "mine.diffuscope")
    assert "queued" not in session.stages["train"]
    closed(window)
