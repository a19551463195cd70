"""The list of trainings: what they drew last, how far they are, comparing them, their menus, and those that wait."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.theme import palette
from app.widgets.run_entry import done_rect, more_rect
from app.widgets.run_list import RunList
from core.training.runs import list_runs, runs_folder
from tests.app.scenes import training
from tests.app.test_train_runs import choose, row_of, shown
from tests.app.test_train_stage import a_folder, a_stored_run, begun, drawn, started, tick


@pytest.fixture
def scene(qtbot):
    with training(qtbot) as found:
        yield found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return a_folder(tmp_path / "shapes", {"circle": 8, "square": 4})


def grey(stage, name: str) -> int:
    """What the thumbnail of a training shows."""
    folder = stage.runs.item(row_of(stage, name)).folder
    return stage.runs.thumbnail(folder).pixmap(40, 40).toImage().pixelColor(20, 20).red()


def rect(stage, name: str):
    return stage.runs.visualItemRect(stage.runs.item(row_of(stage, name)))


def click(stage, place: QPoint) -> None:
    QTest.mouseClick(stage.runs.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)


def tick_box(stage, name: str) -> None:
    """A click on the box of an entry, which stands at its left."""
    click(stage, QPoint(rect(stage, name).left() + 11, rect(stage, name).center().y()))


def test_that_a_training_shows_what_it_drew_last(scene, folder):
    _, bridge, stage = scene
    a_stored_run("older", folder)
    shown(stage)
    assert grey(stage, "older") == 200
    job = begun(stage)
    name = stage.course.name
    bridge.say(drawn(job, 10, 90))
    assert grey(stage, name) == 90
    bridge.say(drawn(job, 20, 120))
    assert grey(stage, name) == 120


def test_that_how_far_a_training_is_can_be_seen(scene, folder):
    _, bridge, stage = scene
    a_stored_run("older", folder, step=40)
    a_stored_run("done", folder, step=100, finished=True)
    shown(stage)
    assert stage.runs.done(row_of(stage, "older")) == 0.4
    assert stage.runs.done(row_of(stage, "done")) is None
    bar = done_rect(rect(stage, "older"))
    image = stage.runs.viewport().grab().toImage()
    shades = [image.pixelColor(int(bar.left() + share * bar.width()), int(bar.center().y())) for share in (0.3, 0.5)]
    assert [shade.name() for shade in shades] == [palette().quiet.lower(), palette().line.lower()]
    job = begun(stage)
    bridge.say(tick(job, 1, [0.5]))
    assert stage.runs.done(row_of(stage, stage.course.name)) == 0.1


def test_that_comparing_is_offered_once_there_are_two(scene, folder):
    _, _, stage = scene
    shelf = stage.instruments.shelf
    a_stored_run("older", folder)
    shown(stage, "older")
    assert shelf.compare.isHidden()
    a_stored_run("other", folder)
    stage.shown.list_runs()
    assert not shelf.compare.isHidden()


def test_that_trainings_are_ticked_to_be_compared_and_the_button_ends_it(scene, folder, qtbot):
    _, _, stage = scene
    shelf = stage.instruments.shelf
    for name in ("older", "other", "third"):
        a_stored_run(name, folder)
    shown(stage, "older")
    stage.runs.setFixedSize(296, 300)
    shelf.compare.click()
    QApplication.processEvents()
    for name in ("other", "third"):
        tick_box(stage, name)
    assert [other.name for other in stage.shown.others] == ["other", "third"]
    assert stage.view.name.text() == "older"
    tick_box(stage, "other")
    assert [other.name for other in stage.shown.others] == ["third"]
    shelf.compare.click()
    assert stage.shown.others == ()
    QApplication.processEvents()
    tick_box(stage, "other")  # no box is there any more
    assert stage.view.name.text() == "other"


def test_that_control_click_shows_the_boxes_too(scene, folder):
    _, _, stage = scene
    for name in ("older", "other"):
        a_stored_run(name, folder)
    shown(stage, "older")
    stage.runs.compare_toggled.emit(stage.runs.item(row_of(stage, "other")).folder)
    assert stage.instruments.shelf.compare.isChecked()
    states = {run.name: stage.runs.check_state(stage.runs.item(row_of(stage, run.name))) for run in list_runs()}
    assert states == {"older": None, "other": Qt.CheckState.Checked}


def test_that_the_dots_open_the_menu_without_looking_at_the_training(scene, folder, qtbot):
    _, _, stage = scene
    for name in ("older", "other"):
        a_stored_run(name, folder)
    shown(stage, "older")
    stage.runs.setFixedSize(296, 300)
    QApplication.processEvents()
    stage.runs.menu_wanted.disconnect()
    with qtbot.waitSignal(stage.runs.menu_wanted) as asked:
        click(stage, more_rect(rect(stage, "other")).center())
    assert asked.args[0].name == "other"
    assert stage.view.name.text() == "older"


def test_that_a_training_that_waits_is_listed_before_it_has_a_folder(scene, folder):
    _, bridge, stage = scene
    a_stored_run("older", folder)
    shown(stage)
    stage.setup.start.click()
    course = stage.course
    assert not course.folder.exists()
    assert [run.name for run in stage.runs.runs] == [course.name, "older"]
    assert stage.runs.item(row_of(stage, course.name)).text().endswith("queued")
    assert stage.runs.current() == course.folder
    choose(stage, "older")
    choose(stage, course.name)
    assert stage.course is course
    bridge.say(started(course.job, course.folder))
    assert [run.name for run in stage.runs.runs].count(course.name) == 1
    assert course.folder.parent == runs_folder().resolve()


def test_that_trainings_that_belong_together_show_what_one_of_them_drew(qtbot):
    runs = RunList()
    qtbot.addWidget(runs)
    runs.set_picture(Path("/runs/ablation/eps"), np.full((8, 8, 3), 70, np.uint8))
    shown_for = (runs.thumbnail(Path("/runs") / name).pixmap(40, 40).toImage() for name in ("ablation", "another"))
    assert [image.pixelColor(20, 20).red() for image in shown_for] == [70, 0]
