"""The training that was looked at is looked at again in the next session."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable

import pytest

from app.session_file import read_archive
from app.window import STAGES, MainWindow
from core.training.runs import runs_folder
from tests.app.conftest import opener
from tests.app.test_sessions import closed
from tests.app.test_train_stage import a_stored_run

TWO = [stage for stage in STAGES if stage[0] in ("forward", "train")]


@pytest.fixture
def opened(qapp, qtbot) -> Callable[[], MainWindow]:
    return opener(qtbot, TWO, ready=True)


def looking(window: MainWindow, name: str) -> MainWindow:
    """The window while one of the trainings on the disk is looked at."""
    window.state.move(stage="train")
    window.stage.choose(next(run.folder for run in window.stage.runs.runs if run.name == name))
    assert window.stage.course.name == name
    return window


def test_that_the_training_that_was_looked_at_is_looked_at_again(opened) -> None:
    a_stored_run("shapes", None)
    a_stored_run("others", None)
    closed(looking(opened(), "shapes"))
    second = opened()
    assert second.stage.key == "train"
    assert second.stage.course.name == "shapes"
    assert second.stage.runs.current() == second.stage.course.folder
    closed(second)


def test_that_who_turned_to_a_new_training_comes_back_to_that(opened) -> None:
    a_stored_run("shapes", None)
    first = looking(opened(), "shapes")
    first.stage.view.new_wanted.emit()
    closed(first)
    second = opened()
    assert second.stage.course is None
    closed(second)


def test_that_a_training_that_is_gone_is_not_missed(opened) -> None:
    a_stored_run("shapes", None)
    closed(looking(opened(), "shapes"))
    shutil.rmtree(runs_folder() / "shapes")
    second = opened()
    assert second.stage.course is None
    assert not second.stage.errors.message()
    assert not second.told.isVisible()
    closed(second)


def test_that_a_session_taken_elsewhere_does_not_say_where_it_lies(opened, tmp_path) -> None:
    a_stored_run("shapes", None)
    window = looking(opened(), "shapes")
    assert str(runs_folder()) in json.dumps(window.sessions.contents.session().stages["train"])
    window.sessions.files.save(tmp_path / "mine.diffuscope")
    assert str(runs_folder()).encode() not in (tmp_path / "mine.diffuscope").read_bytes()
    session, _pictures = read_archive(tmp_path / "mine.diffuscope")
    assert "looked_at" not in session.stages["train"]
    closed(window)
