"""Trainings on the disk in the window: compared, gone on with, branched off, named, exported, deleted, offered."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import psutil
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QMenu, QMessageBox

from app.stages.train_compare import MOST
from app.widgets.measured_curve import ink
from app.window import STAGES
from core.messages import EngineState, RunEnded, Status, TrainingSaved
from core.model_folder import read_info
from core.training.ablation import Ablation, begin
from core.training.claim import FILE as CLAIM
from core.training.keeping import keep
from core.training.order import TrainOrder
from core.training.reading import Reading
from core.training.runs import list_runs, remember, runs_folder
from core.training.session import TrainingSession
from tests.app.conftest import shown_window
from tests.app.scenes import training
from tests.app.test_train_stage import a_folder, a_stored_run, begun, started, tick
from tests.core.halves import DATA, TINY, folder_of


@pytest.fixture
def scene(qtbot):
    with training(qtbot) as found:
        yield found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The pictures of all these runs."""
    return a_folder(tmp_path / "shapes", {"circle": 8, "square": 4})


def shown(stage, *names: str) -> None:
    """Look at the list, and at the first of these runs."""
    stage.activate()
    if names:
        choose(stage, names[0])


def row_of(stage, name: str) -> int:
    return next(row for row in range(stage.runs.count()) if name in stage.runs.item(row).text().split("\n")[0])


def choose(stage, name: str) -> None:
    stage.runs.setCurrentRow(row_of(stage, name))


def control_click(stage, name: str) -> None:
    place = stage.runs.visualItemRect(stage.runs.item(row_of(stage, name))).center()
    QTest.mouseClick(stage.runs.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ControlModifier, place)


def line(menu: QMenu, *words: str):
    """An action of a menu, or of a menu within it."""
    found = next(action for action in menu.actions() if action.text() == words[0])
    return line(found.menu(), *words[1:]) if len(words) > 1 else found


def names(stage) -> list[str]:
    return [run.name for run in stage.runs.runs]


def edit_name(stage, name: str) -> None:
    """Type another name into the current entry of the list."""
    QTest.keyClick(stage.runs, Qt.Key.Key_F2)
    editor = stage.runs.findChild(QLineEdit)
    editor.setText(name)
    QTest.keyClick(editor, Qt.Key.Key_Return)
    QApplication.processEvents()  # the name is taken once the editor has handled the key


@pytest.fixture
def trash(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A desktop with a trash."""
    place = tmp_path / "trash"
    place.mkdir()

    def move(run: Path) -> bool:
        shutil.move(run, place / run.name)
        return True

    monkeypatch.setattr("app.stages.train_care.move_to_trash", move)
    return place


@pytest.fixture
def no_trash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.stages.train_care.move_to_trash", lambda run: False)


# Names


def test_that_f2_gives_a_training_another_name_in_list_view_and_disk(scene, folder):
    _, bridge, stage = scene
    a_stored_run("older", folder)
    shown(stage, "older")
    edit_name(stage, "my flowers")
    assert names(stage) == ["my flowers"]
    assert stage.runs.current() == (runs_folder() / "my flowers").resolve()
    assert stage.view.name.text() == "my flowers"
    assert stage.errors.message() == ""
    stage.view.pause.click()
    assert bridge.trained[-1][0].out == (runs_folder() / "my flowers").resolve()


def test_that_the_longest_name_leaves_room_for_everything_beside_it(scene, folder):
    _, _, stage = scene
    a_stored_run("older", folder)
    shown(stage, "older")
    before = stage.view.minimumSizeHint().width()
    edit_name(stage, "w" * 60)
    assert stage.view.name.text() == "w" * 60
    stage.view.layout().activate()
    assert stage.view.minimumSizeHint().width() == before
    stage.view.name.resize(200, 24)
    assert stage.view.name.shown().endswith("…")


@pytest.mark.parametrize(("name", "words"), [("a/b", "“/”"), ("other", "already"), (" ", "at least one character")])
def test_that_a_name_that_cannot_be_is_refused_in_words_and_the_old_one_stays(scene, folder, name, words):
    _, _, stage = scene
    for run in ("older", "other"):
        a_stored_run(run, folder)
    shown(stage, "older")
    edit_name(stage, name)
    assert words in stage.errors.message()
    assert sorted(names(stage)) == ["older", "other"]
    assert stage.runs.currentItem().text().startswith("older\n")


def test_that_a_training_at_work_is_neither_renamed_nor_deleted(scene, trash):
    _, _, stage = scene
    begun(stage)
    run = stage.course.folder
    stage.runs.renamed.emit(run, "other")
    assert "Stop it first" in stage.errors.message()
    stage.errors.dismiss()
    stage.runs.delete_wanted.emit(run)
    assert "Stop it first" in stage.errors.message()
    menu = stage.shelf.care.menu(run)
    assert not line(menu, "Rename").isEnabled()
    assert "stop it first" in line(menu, "Delete").toolTip()


def test_that_a_training_that_has_just_ended_here_can_be_renamed(scene, folder):
    _, _, stage = scene
    run = a_stored_run("older", folder).folder
    born = round(psutil.Process().create_time(), 1)
    (run / CLAIM).write_text(json.dumps({"process": os.getpid(), "born": born}))
    shown(stage, "older")
    edit_name(stage, "newer")
    assert names(stage) == ["newer"]


def test_that_a_name_is_not_lost_while_the_list_is_renewed(scene, folder):
    _, _, stage = scene
    a_stored_run("older", folder)
    shown(stage, "older")
    QTest.keyClick(stage.runs, Qt.Key.Key_F2)
    editor = stage.runs.findChild(QLineEdit)
    editor.setText("typed so far")
    a_stored_run("another", folder)
    stage.shown.list_runs()
    assert editor.text() == "typed so far"
    assert names(stage) == ["older"]
    QTest.keyClick(editor, Qt.Key.Key_Escape)
    QApplication.processEvents()
    assert sorted(names(stage)) == ["another", "older"]


# Deleting


def test_that_delete_moves_a_training_to_the_trash_and_says_so(scene, folder, trash):
    _, _, stage = scene
    hints: list[str] = []
    stage.hint_changed.connect(hints.append)
    for name in ("older", "other"):
        a_stored_run(name, folder)
    shown(stage, "older")
    QTest.keyClick(stage.runs, Qt.Key.Key_Delete)
    assert names(stage) == ["other"]
    assert [path.name for path in trash.iterdir()] == ["older"]
    assert "in the trash" in hints[-1]  # not written over by what is looked at then
    assert stage.primary_action is stage.setup.start


def test_that_what_was_refused_before_is_said_no_more_once_something_is_done(scene, folder, trash):
    _, _, stage = scene
    a_stored_run("older", folder)
    shown(stage, "older")
    stage.shelf.care.rename(stage.course.folder, "my: digits")
    assert not stage.errors.isHidden()
    QTest.keyClick(stage.runs, Qt.Key.Key_Delete)
    assert stage.errors.isHidden()


def test_that_without_a_trash_the_person_is_asked_first(scene, folder, no_trash):
    _, _, stage = scene
    run = a_stored_run("older", folder).folder
    shown(stage, "older")
    for answer, is_there in (("Cancel", True), ("Delete", False)):
        QTest.keyClick(stage.runs, Qt.Key.Key_Delete)
        question = stage.runs.window().findChild(QMessageBox)
        assert "for good" in question.text()
        assert run.is_dir()
        next(button for button in question.buttons() if button.text().replace("&", "") == answer).click()
        assert run.is_dir() == is_there
        QApplication.sendPostedEvents(question, 52)  # deferred delete
    assert names(stage) == []


def test_that_a_training_with_other_files_in_it_is_not_deleted(scene, folder, trash):
    _, _, stage = scene
    (a_stored_run("older", folder).folder / "thesis.odt").touch()
    shown(stage, "older")
    QTest.keyClick(stage.runs, Qt.Key.Key_Delete)
    assert "thesis.odt" in stage.errors.message()
    assert names(stage) == ["older"]


def test_that_delete_in_an_empty_place_or_on_a_new_training_does_nothing(scene, folder, trash):
    _, _, stage = scene
    a_stored_run("older", folder)
    shown(stage)
    stage.runs.setCurrentRow(0)
    QTest.keyClick(stage.runs, Qt.Key.Key_Delete)
    assert names(stage) == ["older"]


# Comparing


def test_that_control_click_lays_a_curve_over_that_of_the_training_looked_at(scene, folder):
    _, _, stage = scene
    a_stored_run("older", folder)
    a_stored_run("other", folder, step=60, batch=16)
    shown(stage, "older")
    control_click(stage, "other")
    assert stage.view.name.text() == "older"
    assert [other.name for other in stage.shown.others] == ["other"]
    other = next(run.folder for run in list_runs() if run.name == "other")
    assert {run: colour() for run, colour in stage.runs._marks.items()} == {other: ink(0)}
    assert "compare" in stage.view.pages.offered()
    control_click(stage, "other")
    assert stage.shown.others == ()
    assert stage.runs._marks == {}
    assert "compare" not in stage.view.pages.offered()


def test_that_the_table_says_in_what_compared_trainings_differ(scene, folder):
    _, _, stage = scene
    a_stored_run("older", folder, batch=8)
    a_stored_run("other", folder, step=60, batch=16)
    shown(stage, "older")
    control_click(stage, "other")
    assert stage.view.compared.rows == (
        ("", "older", "other"),
        ("batch", "8", "16"),
        ("steps", "40", "60"),
        ("images/s", "11", "32"),  # 40 steps of 8, 60 of 16, in 30 seconds
    )


def test_that_samples_stand_side_by_side_at_about_the_same_step(scene, folder):
    _, _, stage = scene
    a_stored_run("older", folder)
    a_stored_run("other", folder, step=60)
    shown(stage, "older")
    control_click(stage, "other")
    sheet = stage.view.compared.sheet
    assert sheet.rows == ("older · 40", "other · 60")
    assert len(sheet.columns) == 4
    assert sheet.picture(0).pixelColor(0, 0).red() == sheet.picture(4).pixelColor(0, 0).red() == 200
    stage.film.go(0)
    assert sheet.rows == ("older · 0", "other · 0")
    assert sheet.picture(4).pixelColor(0, 0).red() == 0


def test_that_what_is_compared_stays_when_another_training_is_looked_at(scene, folder):
    _, _, stage = scene
    for name in ("one", "two", "three"):
        a_stored_run(name, folder)
    shown(stage, "one")
    control_click(stage, "two")
    control_click(stage, "three")
    assert [other.name for other in stage.shown.others] == ["two", "three"]
    choose(stage, "two")
    assert [other.name for other in stage.shown.others] == ["three"]
    choose(stage, "New training")
    assert stage.shown.others == ()


def test_that_no_more_are_compared_than_can_be_told_apart(scene, folder):
    _, _, stage = scene
    for number in range(MOST + 1):
        a_stored_run(f"run {number}", folder)
    shown(stage, "run 0")
    for number in range(1, MOST + 1):
        control_click(stage, f"run {number}")
    assert len(stage.shown.others) == MOST - 1
    assert "at most" in stage.errors.message()
    control_click(stage, "run 1")
    control_click(stage, f"run {MOST}")
    assert [other.name for other in stage.shown.others] == ["run 2", "run 3", "run 4"]
    assert stage.errors.message() == ""


def test_that_a_training_is_not_compared_with_itself(scene, folder):
    _, _, stage = scene
    a_stored_run("older", folder)
    shown(stage, "older")
    control_click(stage, "older")
    assert "the one looked at" in stage.errors.message()
    assert stage.shown.others == ()


def test_that_where_none_is_looked_at_the_one_to_compare_is(scene, folder):
    _, _, stage = scene
    a_stored_run("older", folder)
    shown(stage)
    control_click(stage, "older")
    assert stage.view.name.text() == "older"


def test_that_the_curve_of_one_at_work_grows_beside_that_of_the_one_looked_at(scene, folder):
    _, bridge, stage = scene
    a_stored_run("older", folder)
    job = begun(stage)
    run = stage.course.folder
    made_known(run)
    shown(stage, "older")
    stage.runs.compare_toggled.emit(run)
    bridge.say(tick(job, 1, [0.5] * 7))
    stage.flush()
    (other,) = stage.shown.others
    assert other.step == 7


def made_known(run: Path) -> None:
    """A run that the engine is said to have begun, on the disk."""
    a_stored_run(run.name, None)


def test_that_a_deleted_training_is_compared_no_more(scene, folder, trash):
    _, _, stage = scene
    for name in ("older", "other"):
        a_stored_run(name, folder)
    shown(stage, "older")
    control_click(stage, "other")
    stage.runs.delete_wanted.emit(stage.shown.others[0].folder)
    assert stage.shown.others == ()
    assert stage.view.name.text() == "older"


# The menu


def test_that_the_menu_opens_on_a_training_without_looking_at_it(scene, folder, monkeypatch):
    _, _, stage = scene
    a_stored_run("older", folder)
    shown(stage)
    opened = []
    monkeypatch.setattr(QMenu, "popup", lambda menu, where: opened.append([a.text() for a in menu.actions()]))
    place = stage.runs.visualItemRect(stage.runs.item(1)).center()
    QTest.mouseClick(stage.runs.viewport(), Qt.MouseButton.RightButton, pos=place)
    event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, place, stage.runs.mapToGlobal(place))
    QApplication.sendEvent(stage.runs.viewport(), event)
    assert opened == [["Go on", "Compare", "", "Export the model", "Rename", "Show its folder", "", "Delete"]]
    assert stage.primary_action is stage.setup.start
    outside = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, QPoint(5, stage.runs.height() - 5), QPoint(0, 0))
    QApplication.sendEvent(stage.runs.viewport(), outside)
    assert len(opened) == 1


def test_that_the_menu_opens_by_key_on_the_training_looked_at(scene, folder, monkeypatch):
    _, _, stage = scene
    a_stored_run("older", folder)
    shown(stage, "older")
    opened = []
    monkeypatch.setattr(QMenu, "popup", lambda menu, where: opened.append(line(menu, "Rename").isEnabled()))
    event = QContextMenuEvent(QContextMenuEvent.Reason.Keyboard, QPoint(0, 0), QPoint(0, 0))
    QApplication.sendEvent(stage.runs, event)
    assert opened == [True]


def test_that_the_menu_shows_what_is_compared_and_greys_what_cannot_be(scene, folder):
    _, _, stage = scene
    for name in ("older", "other"):
        a_stored_run(name, folder)
    shown(stage, "older")
    other = next(run.folder for run in list_runs() if run.name == "other")
    compare = line(stage.shelf.care.menu(other), "Compare")
    assert not compare.isChecked()
    compare.trigger()
    assert [course.name for course in stage.shown.others] == ["other"]
    assert line(stage.shelf.care.menu(other), "Compare").isChecked()
    itself = line(stage.shelf.care.menu(stage.course.folder), "Compare")
    assert not itself.isEnabled()
    assert "the one looked at" in itself.toolTip()


def test_that_the_button_more_opens_the_menu_of_the_training_looked_at(scene, folder, monkeypatch):
    _, _, stage = scene
    run = a_stored_run("older", folder).folder
    shown(stage, "older")
    opened = []
    monkeypatch.setattr(QMenu, "popup", lambda menu, where: opened.append(menu))
    stage.view.more.click()
    assert str(run.resolve()) in line(opened[0], "Show its folder").toolTip()


def test_that_go_on_reads_the_pictures_and_trains(scene, folder):
    _, bridge, stage = scene
    run = a_stored_run("older", folder).folder.resolve()
    shown(stage)
    line(stage.shelf.care.menu(run), "Go on").trigger()
    assert bridge.trained[-1][0] == TrainOrder(out=run, steps=100, resume=True, samples=4)
    assert stage.view.name.text() == "older"
    menu = stage.shelf.care.menu(run)
    assert not line(menu, "Go on").isEnabled()
    assert "stop it first" in line(menu, "Go on").toolTip()


def test_that_go_on_queues_a_training_while_another_is_trained(scene, folder):
    _, bridge, stage = scene
    run = a_stored_run("older", folder).folder.resolve()
    shown(stage)
    job = begun(stage)
    live = stage.course
    entry = line(stage.shelf.care.menu(run), "Go on")
    assert entry.isEnabled()
    assert f"once {live.name} is over" in entry.toolTip()
    entry.trigger()
    assert stage.errors.message() == ""
    assert bridge.trained[-1][0] == TrainOrder(out=run, steps=100, resume=True, samples=4)
    queued = stage.course
    assert (queued.name, queued.state) == ("older", "queued")
    assert f"waits for {live.name}" in stage.view.state.text()
    assert "queued" in stage.runs.item(row_of(stage, "older")).text()
    assert stage.trainings.live is live
    assert not line(stage.shelf.care.menu(run), "Go on").isEnabled()
    bridge.say(RunEnded(job, "stopped", 5, 1.0))
    bridge.say(started(queued.job, run, 40))
    assert stage.trainings.live is queued
    assert queued.state == "running"


def test_that_one_that_has_ended_is_gone_on_with_after_the_one_at_work(scene, folder):
    _, bridge, stage = scene
    shown(stage)
    job = begun(stage)
    first = stage.course
    bridge.say(TrainingSaved(job, 5))
    bridge.say(RunEnded(job, "stopped", 5, 1.0))
    stage.view.new.click()
    begun(stage)
    second = stage.course
    stage.shown.look_at(first)
    assert stage.view.pause.isEnabled()
    assert f"once {second.name} is over" in stage.view.pause.toolTip()
    stage.view.pause.click()
    assert (first.state, bridge.trained[-1][0].resume) == ("queued", True)
    assert stage.trainings.live is second
    stage.view.stop.click()
    bridge.say(RunEnded(first.job, "stopped", 5, 0.0))
    assert stage.trainings.live is second
    assert stage.view.pause.isEnabled()


def test_that_a_training_branches_off_while_another_is_trained(scene, tmp_path):
    _, bridge, stage = scene
    run = trained(runs_folder() / "halves", 2, 4)
    remember(run, folder_of(DATA, tmp_path / "halves"))
    shown(stage)
    begun(stage)
    line(stage.shelf.care.menu(run.resolve()), "Branch from", "step 2").trigger()
    assert stage.errors.message() == ""
    assert (stage.course.name, stage.course.state) == ("halves from 2", "queued")
    assert bridge.trained[-1][0].resume


def test_that_nothing_is_queued_among_the_trainings_of_an_ablation(scene, folder):
    _, bridge, stage = scene
    run = a_stored_run("older", folder).folder.resolve()
    shown(stage)
    stage.setup.ablation.click()
    stage.ablation.view.next.click()
    sent = len(bridge.trained)
    entry = line(stage.shelf.care.menu(run), "Go on")
    assert not entry.isEnabled()
    assert "An ablation is being trained" in entry.toolTip()
    stage.go_on(run)
    assert "An ablation is being trained" in stage.errors.message()
    assert len(bridge.trained) == sent


def test_that_pictures_are_read_as_the_training_first_read_them(scene, tmp_path):
    _, bridge, stage = scene
    pictures = folder_of(DATA, tmp_path / "halves")
    run = trained(runs_folder() / "halves", 2)
    provenance = json.loads((run / "diffuscope.json").read_text())
    reading = {"size": 8, "crop": "whole", "background": [0, 0, 0], "frames": "all"}
    provenance["provenance"]["training"]["reading"] = reading
    (run / "diffuscope.json").write_text(json.dumps(provenance))
    remember(run, pictures)
    shown(stage, "halves")
    line(stage.shelf.care.menu(run.resolve()), "Go on").trigger()
    assert bridge.trained[-1][1].reading == Reading(8, "whole", (0, 0, 0), "all")


def trained(run: Path, *steps: int) -> Path:
    """A run that has come to these steps one after the other; all but the last are kept."""
    for number, last in enumerate(steps):
        order = TrainOrder(run, steps=last, batch=4, samples=0, precision="float32", resume=number > 0)
        for _ in TrainingSession(order, DATA, network=TINY).work():
            pass
        if last != steps[-1]:
            keep(run, last)
    return run


def test_that_a_training_branches_off_from_a_kept_checkpoint_and_the_first_stays(scene, tmp_path):
    _, bridge, stage = scene
    run = trained(runs_folder() / "halves", 2, 4)
    remember(run, folder_of(DATA, tmp_path / "halves"))
    before = (run / "unet" / "diffusion_pytorch_model.safetensors").read_bytes()
    shown(stage, "halves")
    menu = stage.shelf.care.menu(run.resolve())
    assert [action.text() for action in line(menu, "Branch from").menu().actions()] == ["step 2"]
    line(menu, "Branch from", "step 2").trigger()
    sent, _data = bridge.trained[-1]
    assert (sent.out.name, sent.resume, sent.steps) == ("halves from 2", True, 8)
    gone_on = TrainingSession(sent, DATA, network=TINY)
    assert gone_on.trainer.step == 2
    assert (run / "unet" / "diffusion_pytorch_model.safetensors").read_bytes() == before
    assert stage.view.name.text() == "halves from 2"


def test_that_a_model_is_exported_and_it_is_said_where(scene, tmp_path):
    _, _, stage = scene
    hints: list[str] = []
    stage.hint_changed.connect(hints.append)
    run = trained(runs_folder() / "halves", 2)
    shown(stage, "halves")
    care = stage.shelf.care
    care.export(run, tmp_path / "out")
    care.export(run, tmp_path / "half.zip", True)
    assert read_info(tmp_path / "out").labels == ("left", "right")
    assert (tmp_path / "half.zip").stat().st_size < (tmp_path / "out" / "unet").stat().st_size + 200_000
    assert str(tmp_path / "half.zip") in hints[-1]
    care.export(run, tmp_path / "out")
    assert "something at" in stage.errors.message()


# Ablations

ABLATION = Ablation("shapes", 16, 100)


@pytest.fixture
def ablation(folder: Path) -> Path:
    """One of which a training was begun."""
    begin(ABLATION, runs_folder() / "table")
    a_stored_run("table/eps-simple", folder)
    return (runs_folder() / "table").resolve()


def test_that_an_ablation_is_renamed_as_one(scene, ablation):
    _, _, stage = scene
    shown(stage, "table")
    assert stage.shown.at_ablation
    edit_name(stage, "my table")
    assert stage.errors.message() == ""
    assert stage.ablation.record.folder == ablation.with_name("my table")
    assert stage.runs.current() == ablation.with_name("my table")
    assert [run.folder.parent.name for run in list_runs()] == ["my table"]
    choose(stage, "New training")
    choose(stage, "my table")
    assert stage.shown.at_ablation


def test_that_an_ablation_is_deleted_with_its_trainings(scene, ablation, trash):
    _, _, stage = scene
    shown(stage, "table")
    QTest.keyClick(stage.runs, Qt.Key.Key_Delete)
    assert stage.errors.message() == ""
    assert list_runs() == ()
    assert not stage.shown.at_ablation
    assert (trash / "table" / "eps-simple").is_dir()


def test_that_one_of_an_ablation_that_was_cut_off_is_gone_on_with_on_its_page(scene, ablation):
    _, bridge, stage = scene
    shown(stage)
    stage.go_on(ablation / "eps-simple")
    assert stage.shown.at_ablation
    assert bridge.trained == []


# Misfortune


def test_that_a_training_whose_folder_is_gone_is_said_to_be_and_leaves_the_list(scene, folder):
    _, _, stage = scene
    run = a_stored_run("older", folder).folder
    shown(stage)
    shutil.rmtree(run)
    choose(stage, "older")
    assert "no longer there" in stage.errors.message()
    assert names(stage) == []


def test_that_one_whose_folder_goes_while_it_is_looked_at_is_not_lost_sight_of_before_it_is_touched(
    scene,
    folder,
    trash,
):
    _, _, stage = scene
    run = a_stored_run("older", folder).folder
    shown(stage, "older")
    shutil.rmtree(run)
    assert stage.view.name.text() == "older"
    QTest.keyClick(stage.runs, Qt.Key.Key_Delete)
    assert "no longer there" in stage.errors.message()
    assert names(stage) == []
    assert stage.primary_action is stage.setup.start


def test_that_a_training_that_cannot_be_read_is_listed_with_the_reason_and_can_be_deleted(scene, folder, trash):
    _, _, stage = scene
    run = a_stored_run("older", folder).folder
    (run / "training" / "run.json").write_text("{")
    shown(stage, "older")
    assert stage.runs.currentItem().text() == "older\ncannot be read"
    assert "run.json is damaged" in stage.errors.message()
    menu = stage.shelf.care.menu(run.resolve())
    assert [action.text() for action in menu.actions()] == ["Rename", "Show its folder", "", "Delete"]
    control_click(stage, "older")
    assert "cannot be compared" in stage.errors.message()
    QTest.keyClick(stage.runs, Qt.Key.Key_Delete)
    assert stage.runs.count() == 1
    assert (trash / "older").is_dir()


def test_that_a_training_of_another_window_is_said_to_be_at_work_there(scene, folder, trash):
    _, _, stage = scene
    run = a_stored_run("older", folder).folder
    parent = os.getppid()
    born = round(psutil.Process(parent).create_time(), 1)
    (run / CLAIM).write_text(json.dumps({"process": parent, "born": born}))
    shown(stage, "older")
    assert stage.runs.currentItem().text() == "● older\nat work in another window or command"
    QTest.keyClick(stage.runs, Qt.Key.Key_Delete)
    assert f"process {parent}" in stage.errors.message()
    edit_name(stage, "mine")
    assert names(stage) == ["older"]
    assert (run / CLAIM).exists()


def test_that_nothing_but_its_owner_goes_on_with_a_training_of_another_window(scene, folder, qtbot):
    _, _, stage = scene
    run = a_stored_run("older", folder).folder
    parent = os.getppid()
    born = round(psutil.Process(parent).create_time(), 1)
    (run / CLAIM).write_text(json.dumps({"process": parent, "born": born}))
    shown(stage, "older")
    stage.runs.chosen.emit(run)
    qtbot.waitUntil(lambda: stage.course is not None)
    assert "Another window or command trains it now" in stage.view.notes.text()
    menu = stage.shelf.care.menu(run)
    for what in ("Go on", "Rename", "Delete"):
        assert not line(menu, what).isEnabled()
        assert "by another window or command: stop it there first" in line(menu, what).toolTip()
    for go_on in (stage.view.pause.click, lambda: stage.go_on(run)):
        stage.errors.dismiss()
        go_on()
        qtbot.waitUntil(lambda: f"process {parent}" in stage.errors.message())
        assert stage.stored.reading is None


def test_that_what_changed_elsewhere_is_seen_when_one_comes_back(scene, folder):
    _, _, stage = scene
    a_stored_run("older", folder)
    shown(stage)
    (runs_folder() / "older").rename(runs_folder() / "renamed elsewhere")
    QApplication.instance().applicationStateChanged.emit(Qt.ApplicationState.ApplicationActive)
    assert names(stage) == ["renamed elsewhere"]


# After a crash


def cut_off(name: str, pictures: Path) -> Path:
    run = a_stored_run(name, pictures, step=1240).folder
    (run / CLAIM).write_text(json.dumps({"process": os.getpid(), "born": 1.0}))
    return run.resolve()


@pytest.fixture
def window(qapp, qtbot):
    return shown_window(qtbot, STAGES)


def test_that_nothing_is_offered_where_nothing_was_cut_off(window, folder):
    a_stored_run("stopped", folder)
    window.commands.begin([])
    assert window.offer.words() == ""


def test_that_the_list_says_which_training_was_cut_off(scene, folder):
    _, _, stage = scene
    cut_off("emoji", folder)
    a_stored_run("older", folder)
    shown(stage)
    assert "interrupted" in stage.runs.item(row_of(stage, "emoji")).text()
    assert "interrupted" not in stage.runs.item(row_of(stage, "older")).text()


def test_that_the_training_that_was_cut_off_is_offered_and_gone_on_with(window, folder):
    run = cut_off("emoji", folder)
    window.commands.begin([])
    assert window.offer.words() == "The training “emoji” was interrupted at step 1,240, as far as it is saved."
    assert window.state.cursor.stage != "train"
    window.offer.accept.click()
    assert window.offer.words() == ""
    assert window.state.cursor.stage == "train"
    sent, data = window.bridge.trained[-1]
    assert (sent.out, sent.resume, data.source) == (run, True, folder)


def test_that_none_is_offered_while_another_is_trained(window, folder):
    cut_off("emoji", folder)
    window.commands.begin([])
    for state in (EngineState.TRAINING, EngineState.SAMPLING, EngineState.TRAINING):  # it makes way for a run
        window.state.set_status(Status(state, "cpu", 1))
        assert not window.offer.isVisible()
    window.state.set_status(Status(EngineState.IDLE, "cpu"))
    assert window.offer.isVisible()
    assert "emoji" in window.offer.words()


def test_that_not_now_is_asked_of_each_once(window, folder):
    for name in ("older", "newer"):
        os.utime(cut_off(name, folder) / "training" / "run.json", (1.0 if name == "older" else 2.0,) * 2)
    window.commands.begin([])
    assert "newer" in window.offer.words()
    window.offer.decline.click()
    assert "older" in window.offer.words()
    window.offer.decline.click()
    assert window.offer.words() == ""
    window.interrupted.look()
    assert window.offer.words() == ""
    assert len(list_runs()) == 2
    assert window.bridge.trained == []


def test_that_one_that_was_cut_off_and_whose_pictures_are_gone_asks_for_them(
    window,
    folder,
    monkeypatch,
):
    asked = []
    monkeypatch.setattr("app.stages.train.choose_folder", lambda parent, title, take: asked.append(title))
    cut_off("emoji", folder)
    shutil.rmtree(folder)
    window.commands.begin([])
    window.offer.accept.click()
    assert asked == ["Where are the pictures of emoji?"]


def test_that_everything_offered_says_what_it_does(window, folder):
    cut_off("emoji", folder)
    window.commands.begin([])
    assert window.offer.accept.toolTip()
    assert window.offer.decline.toolTip()
    assert window.offer.isVisible()


def test_that_a_run_that_has_ended_is_compared_from_its_course(scene, folder):
    _, bridge, stage = scene
    a_stored_run("older", folder)
    job = begun(stage)
    run = stage.course.folder
    made_known(run)
    bridge.say(tick(job, 1, [0.5] * 3))
    bridge.say(TrainingSaved(job, 3))
    bridge.say(RunEnded(job, "stopped", 3, 1.0))
    choose(stage, "older")
    control_click(stage, run.name)
    assert stage.shown.others == (stage.trainings.of(run),)
    assert stage.shown.others[0].step == 3
