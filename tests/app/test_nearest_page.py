"""The memorisation check of a training: what is asked of the engine, what is shown of its answer."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from app.stages.train_nearest import NearestPage
from app.widgets.nearest_table import Cell
from core.measure_requests import NearestRequest
from core.messages import EngineState, Failed, ModelKnown
from core.requests import ModelRef
from core.training.draw_request import STEPS, draw_of
from core.training.presets import network_of
from core.training.request import TrainRequest
from core.training.runs import list_runs
from tests.app.fake_engine import DIGITS, GUIDE
from tests.app.nearest import sixteen, three
from tests.app.scenes import training
from tests.app.test_train_stage import a_folder, a_stored_run

JUDGE = replace(
    GUIDE, ref=ModelRef("shape-judge", "e" * 64), event_shape=(1, 8, 8), labels=("circle", "square"), noisy=False
)


@pytest.fixture
def folder(tmp_path):
    return a_folder(tmp_path / "shapes", {"circle": 8, "square": 4})


@pytest.fixture
def scene(qtbot, folder):
    """A stored training is looked at."""
    summary = a_stored_run("shapes", folder)
    recorded = {"flip": True, "never_flipped": ["circle/*"], "validation": 3}
    says = {"labels": ["circle", "square"], "provenance": {"training": recorded}}
    (summary.folder / "diffuscope.json").write_text(json.dumps(says))
    with training(qtbot) as (_state, bridge, stage):
        stage.runs.chosen.emit(list_runs()[0].folder)
        stage.view.pages.set_current("nearest")
        yield bridge, stage, stage.view.nearest_page


def known(stage) -> ModelKnown:
    return ModelKnown(replace(DIGITS, ref=ModelRef("shapes", "a" * 64)), str(stage.course.folder))


def asked(bridge) -> NearestRequest:
    request, _data = bridge.measured[-1]
    assert isinstance(request, NearestRequest)
    return request


def measuring(bridge, stage) -> int:
    """A check under way; its job."""
    stage.view.nearest_page.start.click()
    bridge.say(known(stage))
    bridge.begin_measure(len(bridge.submitted))
    return len(bridge.submitted)


def results_of(stage, features: bool = True):
    """As many samples as the training has drawn."""
    result = three(features)
    return replace(result, samples=np.array(stage.view.samples_page.drawn.pictures[:3]))


def test_that_samples_wait_in_place_for_what_is_nearest(scene):
    _, _, page = scene
    assert page.table.order == (0, 1, 2, 3)
    assert not page.plots["pixels"].isVisible()
    assert page.before.isVisible()
    assert page.start.isEnabled()
    assert "4 samples after 40 steps" in page.about.text()


def test_that_a_check_asks_with_how_the_training_used_its_pictures(scene):
    bridge, stage, page = scene
    page.start.click()
    assert ("know_model", str(stage.course.folder)) in bridge.calls
    assert not bridge.measured
    bridge.say(known(stage))
    request, (samples,) = asked(bridge), bridge.beside[-1]
    _, data = bridge.measured[-1]
    assert (request.features, request.mirrored, request.aside) == (ModelRef("shapes", "a" * 64), True, (2, 6, 10))
    assert np.array_equal(samples.pictures, stage.view.samples_page.drawn.pictures)
    assert request.samples.sha256 == samples.sha256
    assert len(data) == 12
    assert data.flippable.tolist() == [False] * 8 + [True] * 4


def test_that_what_is_nearest_is_shown_as_it_becomes_known(scene):
    bridge, stage, page = scene
    job = measuring(bridge, stage)
    bridge.say_measured(job, results_of(stage, features=False), 4)
    assert page.plots["pixels"].isVisible()
    assert not page.plots["features"].isVisible()
    assert page.words.toolTip() == "Comparing, 40%"
    bridge.say_measured(job, results_of(stage), 10)
    bridge.end(job)
    assert page.table.order == (1, 2, 0)
    assert page.plots["features"].isVisible()
    assert page.verdicts["pixels"].text() == three().pixels.verdict
    assert "6 training pictures" in page.about.text()
    assert "its eye" in page.about.text()
    assert page.start.isVisible()
    assert not page.before.isVisible()


def test_that_the_network_is_closed_again_unless_the_person_works_with_it(scene):
    bridge, stage, page = scene
    for is_used in (False, True):
        if is_used:
            bridge.state.folders["a" * 64] = str(stage.course.folder)
        bridge.calls.clear()
        bridge.end(measuring(bridge, stage))
        assert (("forget_model", ModelRef("shapes", "a" * 64)) in bridge.calls) is not is_used
    assert page.start.isVisible()


def test_that_a_click_enlarges_a_pair_and_escape_brings_all_back(scene):
    bridge, stage, page = scene
    job = measuring(bridge, stage)
    bridge.say_measured(job, results_of(stage), 10)
    page.table.cell_clicked.emit(Cell(1, "features", 1))
    assert page.enlarged.isVisible()
    assert page.enlarged.picture.content.values[0, 0, 0, 0] == 3
    assert page.enlarged.words.toolTip().startswith("6° from sample 2, square: cats/3.png")
    assert stage.view.cell == 1
    assert "stop" in stage.commands
    stage.stop()
    assert page.table.isVisible()
    assert stage.view.cell is None
    page.table.cell_clicked.emit(Cell(2))
    assert page.pair == Cell(2, "pixels", 0)  # a sample alone is shown beside its nearest


def test_that_the_sample_of_a_pair_says_how_it_was_drawn(scene):
    bridge, stage, page = scene
    training = TrainRequest("shapes", "d" * 64, network_of("small", 8, 1, 2), ("circle", "square"), steps=9)
    stage.course.request = training
    stage.shown.flush()
    job = measuring(bridge, stage)
    bridge.say_measured(job, results_of(stage), 10)
    page.table.cell_clicked.emit(Cell(1, "features", 1))
    drawn = stage.view.samples_page.drawn
    recipe = page.enlarged.sample.recipe_of(0)
    assert recipe.request == draw_of(training, ((drawn.step, drawn.weights),), len(drawn.pictures))
    assert (recipe.shown.cells, recipe.shown.step) == ((1,), STEPS)
    assert page.enlarged.picture.recipe_of(0) is None, "a person's own picture"


def test_that_a_dot_leads_to_its_sample(scene):
    bridge, stage, page = scene
    job = measuring(bridge, stage)
    bridge.say_measured(job, results_of(stage), 10)
    page.plots["pixels"].dot_clicked.emit(2)
    assert page.table.current == Cell(2)
    assert page.plots["features"].current == 2


def test_that_the_framed_cell_stays_in_view_and_its_dots_are_marked_from_the_keyboard(qtbot):
    page = NearestPage()
    qtbot.addWidget(page)
    page.resize(800, 220)
    page.show()
    result = sixteen()
    page.show_samples(result.samples, (), result)
    assert page.table.height() > 2 * page.height()
    page.table.setFocus()
    for _ in range(9):
        QTest.keyClick(page.table, Qt.Key.Key_Down)
    frame = page.table.cell_rect(page.table.current).toRect()
    assert page.table.visibleRegion().boundingRect().contains(frame)
    assert page.plots["pixels"].current == page.table.current.sample == 8


def test_that_a_check_is_stopped_and_keeps_what_is_known(scene):
    bridge, stage, page = scene
    job = measuring(bridge, stage)
    bridge.say_measured(job, results_of(stage, features=False), 4)
    page.stop.click()
    assert ("cancel", job) in bridge.calls
    bridge.end(job, "stopped")
    assert page.start.isVisible()
    assert page.plots["pixels"].isVisible()


def test_that_results_stay_with_the_samples_they_are_of(scene):
    bridge, stage, page = scene
    job = measuring(bridge, stage)
    bridge.say_measured(job, results_of(stage), 10)
    bridge.end(job)
    stage.film.go(0)
    assert not page.plots["pixels"].isVisible()
    assert "after 0 steps" in page.about.text()
    stage.film.go(1)
    assert page.plots["pixels"].isVisible()


def test_that_a_recogniser_of_the_same_classes_is_proposed_and_can_be_chosen(scene):
    bridge, _, page = scene
    assert page.features.value() == "own"
    bridge.know(GUIDE)  # it sees noise, and pictures of another size
    assert page.features.value() == "own"
    bridge.know(JUDGE)
    assert page.features.value() == JUDGE.ref.sha256
    page.start.click()
    assert asked(bridge).features == JUDGE.ref
    bridge.begin_measure(len(bridge.submitted))
    bridge.end(len(bridge.submitted), "stopped")
    page.features.set_value("none")
    page.start.click()
    assert asked(bridge).features is None


def test_that_another_measurement_is_not_taken_for_ones_own(scene):
    bridge, stage, page = scene
    job = measuring(bridge, stage)
    bridge.say(Failed(job + 7, "another failed"))
    assert page.stop.isVisible()
    bridge.state.set_measuring(None)
    bridge.submitted.append(bridge.measured[-1][0])
    bridge.begin_measure(job + 1)
    bridge.say_measured(job + 1, results_of(stage), 5)
    assert not page.plots["pixels"].isVisible()


def test_that_what_goes_wrong_is_said_and_ends_the_check(scene):
    bridge, stage, page = scene
    job = measuring(bridge, stage)
    bridge.say(Failed(job, "There was not enough memory.", "details"))
    assert "not enough memory" in stage.errors.message()
    assert page.start.isVisible()
    page.start.click()
    bridge.say(Failed(None, "The model is damaged."))
    assert "damaged" in stage.errors.message()
    assert page.start.isVisible()


def test_that_pictures_that_are_gone_are_asked_for(scene, folder, tmp_path, monkeypatch):
    bridge, stage, page = scene
    moved = folder.rename(tmp_path / "moved")
    chosen = []
    monkeypatch.setattr("app.stages.train.choose_folder", lambda _stage, title, then: chosen.append((title, then)))
    page.start.click()
    assert "no longer" in stage.errors.message()
    (title, then) = chosen[0]
    assert title == "Where are the pictures of shapes?"
    then(moved)
    bridge.say(known(stage))
    assert len(bridge.measured[-1][1]) == 12


def test_that_held_out_pictures_are_chosen_and_compared_with(scene, tmp_path, monkeypatch):
    bridge, stage, page = scene
    apart = a_folder(tmp_path / "apart", {"circle": 2, "square": 3})
    monkeypatch.setattr("app.stages.train.choose_folder", lambda _stage, _title, then: then(apart))
    page.start.click()
    bridge.say(known(stage))
    assert asked(bridge).held_out is None
    bridge.begin_measure(len(bridge.submitted))
    bridge.end(len(bridge.submitted), "stopped")
    page.held_out.click()
    assert page.held_out.text() == "Held out: apart"
    page.start.click()
    bridge.say(known(stage))
    _, held_out = bridge.beside[-1]
    assert asked(bridge).held_out.sha256 == held_out.sha256
    assert len(held_out) == 5
    assert len(bridge.measured[-1][1]) == 12


def test_that_nothing_can_be_compared_before_samples_are_drawn(scene, qtbot):
    bridge, stage, page = scene
    stage.setup.start.click()
    job = len(bridge.submitted)
    bridge._status(EngineState.TRAINING, job)
    assert stage.course.is_live
    assert not page.start.isEnabled()
    assert page.before.text().startswith("What the training draws")
