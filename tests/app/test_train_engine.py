"""Train on a real engine: a folder is learned, paused, used by another stage, stopped, and gone on with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.stages.train import TrainStage
from core.messages import ModelOpened
from core.training.runs import list_runs
from tests.app.scenes import training_on


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for shade, name in ((40, "dark"), (200, "light")):
        (tmp_path / "shades" / name).mkdir(parents=True)
        for number in range(6):
            pixels = np.full((16, 16), shade + number, np.uint8)
            Image.fromarray(pixels).save(tmp_path / "shades" / name / f"{number}.png")
    return tmp_path / "shades"


@pytest.fixture
def stage(qtbot, folder: Path) -> Iterator[TrainStage]:
    with training_on(folder, qtbot) as made:
        made.setup.controls.samples.set_value(2)
        yield made


def test_that_a_folder_is_learned_used_stopped_and_gone_on_with(stage, qtbot) -> None:
    stage.setup.controls.duration.set_duration(steps=100_000)
    opened: list[ModelOpened] = []
    bridge = stage.trainings._bridge
    bridge.message.connect(lambda message: opened.append(message) if isinstance(message, ModelOpened) else None)
    stage.setup.start.click()
    course = stage.course
    qtbot.waitUntil(lambda: course.step >= 3 and bool(course.samples), timeout=60_000)

    stage.view.pause.click()
    qtbot.waitUntil(lambda: course.state == "paused", timeout=60_000)
    stage.view.use.click()
    qtbot.waitUntil(lambda: bool(opened), timeout=60_000)
    assert opened[0].info.labels == ("dark", "light")
    assert opened[0].info.event_shape == (1, 16, 16)
    assert Path(opened[0].folder).is_relative_to(course.folder)
    assert "open in every stage" in stage.view.state.text()

    stage.view.stop.click()
    qtbot.waitUntil(lambda: course.state == "stopped", timeout=60_000)
    stopped_at = course.step
    assert [run.step for run in list_runs()] == [stopped_at]
    assert course.saved == stopped_at
    known = course.losses.copy()

    stage.view.length.set_duration(steps=stopped_at + 2)
    stage.view.pause.click()
    qtbot.waitUntil(lambda: course.state == "finished", timeout=60_000)
    assert course.step == stopped_at + 2
    np.testing.assert_array_equal(course.losses[:stopped_at], known)
    assert list_runs()[0].finished


def test_that_a_loss_that_is_no_number_any_more_is_said_in_words(stage, qtbot, monkeypatch) -> None:
    def losses(_task, network, x0, _eps, t, labels):
        return np.nan * network(x0, t, labels).flatten(1).mean(1)

    monkeypatch.setattr("core.training.objectives.DiffusionTask.losses", losses)
    stage.setup.controls.duration.set_duration(steps=5)
    stage.setup.start.click()
    qtbot.waitUntil(lambda: stage.errors.message() != "", timeout=60_000)
    assert "no longer a number" in stage.errors.message()
    assert stage.trainings.live is None


@pytest.mark.parametrize(("goal", "points"), [("classifier", 8), ("judge", 1)])
def test_that_a_classifier_is_trained_measured_and_opened(stage, qtbot, folder, goal, points) -> None:
    for name, shade in (("dark", 40), ("light", 200)):
        for number in range(6, 12):  # one in ten is kept aside
            pixels = np.full((16, 16), shade + number, np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    stage.handle_folder(folder)
    stage.setup.controls.goal.set_value(goal)
    stage.setup.controls.duration.set_duration(steps=2)
    stage.setup.start.click()
    course = stage.course
    qtbot.waitUntil(lambda: course.state == "finished", timeout=60_000)
    assert len(course.accuracy) == points
    assert all(0 <= share <= 1 for _t, share in course.accuracy)
    assert stage.view.results.currentWidget() is stage.view.accuracy
    assert stage.view.accuracy.points == course.accuracy
    stage.view.use.click()
    qtbot.waitUntil(lambda: bool(stage.state.classifiers), timeout=60_000)
    (opened,) = stage.state.classifiers
    assert (opened.labels, opened.noisy) == (("dark", "light"), goal == "classifier")
    assert ("can guide" if goal == "classifier" else "can judge") in stage.view.state.text()
