"""Memorisation in Measure: samples are drawn and compared with the folder, on the page where results stand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PySide6.QtCore import Qt

from app.stages.measure import MeasureStage
from app.state import AppState
from core.measure_requests import NearestRequest
from core.messages import ModelKnown, RunEnded
from core.requests import SampleRequest
from core.training.runs import list_runs
from tests.app.fake_engine import DIGITS, Dock
from tests.app.nearest import sixteen
from tests.app.scenes import TrainBridge
from tests.app.test_train_stage import a_folder, a_stored_run


class Scene:
    """The digits model is a training of this computer, on ``shapes``."""

    def __init__(self, qtbot, tmp_path: Path) -> None:
        self.state = AppState()
        self.bridge = TrainBridge(self.state)
        self.shapes = a_folder(tmp_path / "shapes", {"circle": 24, "square": 12})
        self.others = a_folder(tmp_path / "others", {"": 5})
        self.model = a_stored_run("shapes", self.shapes).folder
        self.says(flip=True)
        self.state.folders[DIGITS.ref.sha256] = str(self.model)
        self.stage = MeasureStage(self.state, self.bridge)  # type: ignore[arg-type]
        self.dock = Dock(self.stage)
        qtbot.addWidget(self.dock)
        self.bridge.ready()
        self.dock.show()
        self.state.move(stage="measure")
        self.stage.activate()
        self.stage.controls.kind.set_value("nearest")
        self.stage.controls.steps.set_value(4)

    def says(self, **training) -> None:
        (self.model / "diffuscope.json").write_text(json.dumps({"provenance": {"training": training}}))

    @property
    def page(self):
        return self.stage.nearest.check.nearest

    def start(self) -> int:
        self.stage.primary_action.click()
        return len(self.bridge.submitted)

    def drawn(self) -> None:
        """Samples are drawn, and their network is open."""
        self.bridge.run_to_end(self.start())
        self.bridge.say(ModelKnown(DIGITS, str(self.model)))

    def compared(self) -> int:
        """The measurement is done; its job."""
        job = len(self.bridge.submitted)
        self.bridge.begin_measure(job)
        self.bridge.say_measured(job, sixteen(), 10)
        self.bridge.end(job)
        return job


@pytest.fixture
def scene(qapp, qtbot, tmp_path):
    made = Scene(qtbot, tmp_path)
    yield made
    made.state.deleteLater()


def test_that_the_pictures_it_was_trained_on_are_taken_where_no_others_were_chosen(scene) -> None:
    assert scene.stage.pictures.folder == list_runs()[0].pictures == scene.shapes
    scene.stage.controls.kind.set_value("likelihood")
    scene.stage.handle_folder(scene.others)
    scene.stage.controls.kind.set_value("nearest")
    assert scene.stage.pictures.folder == scene.others


def test_that_as_many_samples_are_drawn_as_are_asked_for_and_compared_with_the_folder(scene) -> None:
    scene.stage.controls.checked.set_value(7)
    assert "28 evaluations" in scene.stage.page.cost.text()
    scene.drawn()
    run = scene.bridge.submitted[0]
    assert isinstance(run, SampleRequest)
    assert (run.count, run.steps) == (7, 4)
    request, data = scene.bridge.measured[-1]
    assert isinstance(request, NearestRequest)
    assert (len(data), request.mirrored) == (36, True)
    assert len(scene.bridge.beside[-1][0]) == 7


def test_that_verdict_and_yardstick_stand_where_results_do(scene) -> None:
    assert scene.stage.page.data.isVisible()
    scene.drawn()
    scene.compared()
    assert scene.page.isVisible()
    assert "4 of 16 samples are closer" in scene.page.verdicts["pixels"].text()
    assert scene.page.plots["pixels"].isVisible()
    assert not scene.stage.is_busy
    scene.stage.controls.kind.set_value("likelihood")
    assert not scene.page.isVisible()
    scene.stage.controls.kind.set_value("nearest")
    assert scene.page.isVisible()


def test_that_drawing_and_comparing_can_be_paused_and_stopped(scene) -> None:
    job = scene.start()
    assert scene.stage.is_busy
    assert not scene.stage.primary_action.isEnabled()
    scene.bridge.begin(job)
    scene.bridge.advance(job, 2)
    assert "50%" in scene.page.words.toolTip()
    scene.stage.toggle()
    assert scene.bridge.calls[-1] == ("pause", job)
    scene.page.stop.click()
    assert scene.bridge.calls[-1] == ("cancel", job)
    scene.stage.stop()
    assert scene.bridge.calls[-2:] == 2 * [("cancel", job)]
    scene.bridge.end(job, "stopped")
    assert not scene.stage.is_busy
    assert scene.stage.page.data.isVisible()
    scene.drawn()
    check = len(scene.bridge.submitted)
    scene.bridge.begin_measure(check)
    assert scene.stage.page.pause.isEnabled()
    scene.stage.toggle()
    assert scene.bridge.calls[-1] == ("pause", check)
    scene.stage.stop()
    assert scene.bridge.calls[-1] == ("cancel", check)
    scene.bridge.say(RunEnded(check, "stopped", 0, 0.0))
    assert not scene.stage.is_busy


def test_that_pictures_that_prove_little_are_said_to(scene) -> None:
    scene.stage.handle_folder(scene.others)
    assert "5 pictures are too few" in scene.stage.page.cost.text()
    scene.says(data_sha256="0" * 64, aside=[0, 1])
    scene.stage.handle_folder(scene.shapes)
    assert "not the pictures that the model was trained on" in scene.stage.page.cost.text()
    scene.drawn()
    request, _data = scene.bridge.measured[-1]
    assert request.aside == ()  # those numbers were of other pictures


def test_that_a_model_in_no_folder_is_compared_by_pixels(scene) -> None:
    del scene.state.folders[DIGITS.ref.sha256]
    scene.bridge.run_to_end(scene.start())
    request, _data = scene.bridge.measured[-1]
    assert request.features is None
    assert ("know_model", DIGITS.ref.sha256) not in scene.bridge.calls


def test_that_nothing_stands_below_the_page_before_there_is_a_result(scene) -> None:
    assert scene.stage.instruments.bottom.isHidden()
    for kind in ("likelihood", "distance"):
        scene.stage.controls.kind.set_value(kind)
        assert scene.stage.instruments.bottom.isHidden()


def entries(scene):
    return scene.stage.instruments.list.entries


def test_that_checks_stand_in_the_list_and_can_be_looked_at_again(scene) -> None:
    scene.drawn()
    first = scene.stage.shown.nearest.current
    assert "comparing" in entries(scene)[0].words
    scene.compared()
    assert entries(scene)[0].words == "4 of 16 may be copies"
    assert entries(scene)[0].shown is None  # there is no curve to be drawn
    scene.stage.controls.seed.set_seed(8)
    second = scene.start()
    scene.bridge.begin(second)
    scene.bridge.advance(second, 2)
    scene.stage.flush()
    assert [entry.words for entry in entries(scene)] == ["drawing, 50%", "4 of 16 may be copies"]
    scene.stage.controls.kind.set_value("likelihood")
    scene.stage.instruments.list.setCurrentRow(1)
    assert scene.stage.kind == "nearest"
    assert scene.stage.shown.nearest.current is first
    assert "4 of 16 samples are closer" in scene.page.verdicts["pixels"].text()
    assert "50%" in scene.page.words.toolTip()  # the other is still being drawn
    assert not scene.page.start.isVisible()
    scene.bridge.end(second, "stopped")
    assert [entry.job for entry in entries(scene)] == [first.job]  # half a drawing cannot be compared
    assert "4 of 16 samples are closer" in scene.page.verdicts["pixels"].text()


def test_that_a_result_can_be_looked_at_when_many_others_were_found_since(scene, monkeypatch) -> None:
    monkeypatch.setattr("app.stages.nearest_desk.KEPT", 1)
    for _ in range(2):
        scene.drawn()
        scene.compared()
    scene.stage.instruments.list.setCurrentRow(1)
    assert "4 of 16 samples are closer" in scene.page.verdicts["pixels"].text()


def test_that_delete_takes_a_check_off_the_list_once_it_has_ended(scene, qtbot) -> None:
    listed = scene.stage.instruments.list
    job = scene.start()
    qtbot.keyClick(listed, Qt.Key.Key_Delete)
    assert len(entries(scene)) == 1
    scene.bridge.run_to_end(job)
    scene.bridge.say(ModelKnown(DIGITS, str(scene.model)))
    scene.compared()
    qtbot.keyClick(listed, Qt.Key.Key_Delete)
    assert entries(scene) == ()
    assert scene.stage.page.data.isVisible()


def test_that_samples_stay_where_their_comparison_was_stopped(scene) -> None:
    scene.drawn()
    scene.stage.stop()
    scene.bridge.say(RunEnded(len(scene.bridge.submitted), "stopped", 0, 0.0))
    assert entries(scene)[0].words == "not compared"
    assert scene.page.isVisible()
    assert scene.page.start.isEnabled()
