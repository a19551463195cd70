"""Whether the samples of a run are copies of training pictures: which are compared, with what."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from app.stages.denoise import DenoiseStage
from app.state import AppState
from core.measure_requests import NearestRequest
from core.messages import ModelKnown
from core.recipe import Recipe, Shown
from core.training.runs import list_runs
from tests.app.fake_engine import DIGITS, GUIDE, Dock
from tests.app.scenes import TrainBridge
from tests.app.test_train_stage import a_folder, a_stored_run


@pytest.fixture
def scene(qtbot, tmp_path):
    """A run of four samples is done; its model is a training of this computer."""
    state = AppState()
    bridge = TrainBridge(state)
    stage = DenoiseStage(state, bridge)
    dock = Dock(stage)
    qtbot.addWidget(dock)
    dock.show()
    state.move(stage="denoise")
    stage.activate()
    bridge.ready()
    stage.controls.steps.set_value(5)
    stage.controls.count.set_value(4)
    pictures = a_folder(tmp_path / "shapes", {"circle": 8, "square": 4})
    folder = a_stored_run("shapes", pictures).folder
    says = {"provenance": {"training": {"flip": True, "aside": [2, 5]}}}
    (folder / "diffuscope.json").write_text(json.dumps(says))
    state.folders[DIGITS.ref.sha256] = str(folder)
    stage.buttons.run.click()
    yield state, bridge, stage
    state.deleteLater()


def done(scene):
    _, bridge, stage = scene
    bridge.run_to_end(len(bridge.submitted))
    return stage


def known(stage) -> ModelKnown:
    return ModelKnown(DIGITS, stage.state.folders[DIGITS.ref.sha256])


def test_that_samples_are_compared_once_the_run_is_done(scene):
    _, bridge, stage = scene
    bridge.begin(1)
    assert not stage.buttons.nearest.isEnabled()
    assert "when the run is done" in stage.buttons.nearest.toolTip()
    done(scene)
    assert stage.buttons.nearest.isEnabled()


def test_that_the_last_state_is_shown_with_its_classes(scene):
    stage = done(scene)
    stage.buttons.nearest.click()
    page = stage.check.nearest
    assert page.isVisible()
    assert page.table.order == (0, 1, 2, 3)
    assert "4 samples of run 1" in page.about.text()
    course, drawn = stage.check._shown
    assert [course.class_of(sample) for sample in range(4)] == ["0", "1", "2", "3"]
    assert np.array_equal(drawn.pictures, stage._bridge.frame(1, 5).x_t)
    assert course.recipe(drawn) == Recipe(stage.state.runs[1].request, Shown("x_t", 5, (0, 1, 2, 3), "grid"))
    stage.buttons.nearest.click()
    assert stage.view.isVisible()


def test_that_they_are_compared_with_what_the_model_was_trained_on(scene, qtbot):
    _, bridge, stage = scene
    done(scene)
    stage.buttons.nearest.click()
    stage.check.nearest.start.click()
    qtbot.waitUntil(lambda: any(name == "know_model" for name, _ in bridge.calls))
    bridge.say(known(stage))
    request, data = bridge.measured[-1]
    assert isinstance(request, NearestRequest)
    assert (len(data), request.mirrored, request.aside) == (12, True, (2, 5))
    assert request.samples.sha256 == bridge.beside[-1][0].sha256
    assert len(bridge.beside[-1][0]) == 4


def test_that_a_snapshot_is_known_by_the_training_it_came_from(scene):
    state, _, stage = scene
    folder = list_runs()[0].folder / "snapshots" / "shapes step 3"
    folder.mkdir(parents=True)
    state.folders[DIGITS.ref.sha256] = str(folder)
    done(scene)
    stage.buttons.nearest.click()
    assert stage.check._shown[0].pictures == list_runs()[0].pictures


def test_that_the_person_says_where_the_pictures_are_if_nobody_knows(scene, tmp_path, monkeypatch, qtbot):
    state, bridge, stage = scene
    model = tmp_path / "another model"
    model.mkdir()
    state.folders[DIGITS.ref.sha256] = str(model)
    done(scene)
    asked = []
    monkeypatch.setattr(
        "app.stages.denoise_nearest.choose_folder", lambda _page, title, then: asked.append((title, then))
    )
    stage.buttons.nearest.click()
    stage.check.nearest.start.click()
    ((title, take),) = asked
    assert title == "Where are the pictures that digits was trained on?"
    assert "Choose the folder" in stage.errors.message()
    take(tmp_path / "shapes")
    qtbot.waitUntil(lambda: any(name == "know_model" for name, _ in bridge.calls))


def test_that_a_model_in_no_folder_says_why_it_cannot_be_compared(scene):
    state, _, stage = scene
    del state.folders[DIGITS.ref.sha256]
    done(scene)
    assert not stage.buttons.nearest.isEnabled()
    assert "lies in no folder" in stage.buttons.nearest.toolTip()


def test_that_escape_leads_back_to_the_run(scene):
    stage = done(scene)
    stage.buttons.nearest.click()
    assert "stop" in stage.commands
    stage.stop()
    assert not stage.pages.is_nearest
    assert stage.view.isVisible()


def test_that_the_sheet_and_the_nearest_pictures_take_each_others_place(scene):
    stage = done(scene)
    stage.buttons.nearest.click()
    stage.buttons.sheet.click()
    assert (stage.pages.is_sheet, stage.pages.is_nearest) == (True, False)
    stage.buttons.nearest.click()
    assert (stage.pages.is_sheet, stage.pages.is_nearest) == (False, True)
    assert stage.check.nearest.isVisible()


def test_that_another_run_takes_the_place_of_the_comparison(scene):
    _, bridge, stage = scene
    done(scene)
    stage.buttons.nearest.click()
    stage.buttons.run.click()
    bridge.begin(2)
    assert not stage.pages.is_nearest
    assert stage.view.isVisible()


def test_that_the_bundled_judge_is_opened_by_itself_where_it_could_see_the_samples(scene):
    _, bridge, stage = scene
    done(scene)
    assert ("open_classifier", "digits-judge") not in bridge.calls
    stage.buttons.nearest.click()
    stage.buttons.nearest.click()
    stage.buttons.nearest.click()
    assert bridge.calls.count(("open_classifier", "digits-judge")) == 1
    assert stage.check.nearest.features.value() == "own"
    judge = replace(GUIDE, noisy=False)
    bridge.know(judge)
    assert stage.check.nearest.features.value() == judge.ref.sha256
