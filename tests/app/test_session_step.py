"""A session that was opened from a file is taken back as one step, and opened again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QUrl

from app.incoming import offer
from app.window import STAGES, MainWindow
from core.images import from_pixels
from tests.app.conftest import shown_window
from tests.app.scenes import finished_runs as run
from tests.app.test_history import REQUEST
from tests.app.test_sessions import PICTURE

THREE = [stage for stage in STAGES if stage[0] in ("forward", "denoise", "morph")]
MINE = from_pixels(np.full((20, 20, 1), 9, np.uint8), "another")


@pytest.fixture
def window(qapp, qtbot) -> MainWindow:
    made = shown_window(qtbot, THREE)
    made.bridge.ready()
    return made


@pytest.fixture
def saved(window, tmp_path) -> Path:
    """A session with a run, a picture, settings; after it the window has others."""
    path = tmp_path / "theirs.diffuscope"
    state = window.state
    state.set_image(PICTURE)
    state.move(stage="denoise")
    window.stage.controls.guidance.set_value(3.5)
    run(window, REQUEST)
    window.history.rename(1, "theirs")
    window.sessions.files.save(path)
    state.remove_run(1)
    state.set_image(MINE)
    state.set_seed(5)
    window.stage.controls.guidance.set_value(1.0)
    state.move(stage="forward", t=123, shown_t=123)
    window.undo.flush()
    window.undo.stack.clear()
    return path


def told(window: MainWindow) -> tuple:
    state = window.state
    denoise = next(stage for stage in window.stages() if stage.key == "denoise")
    names = [state.name_of(job) for job in state.runs]
    return (state.image.name, state.seed, state.cursor.stage, denoise.controls.guidance.value(), names)


def test_that_an_opened_session_is_one_step_back_and_one_forth(window, saved, qtbot) -> None:
    before = told(window)
    window.sessions.files.open(saved)
    qtbot.wait(10)
    after = told(window)
    assert after == ("mine", 42, "denoise", 3.5, ["theirs"])
    assert window.undo.stack.count() == 1
    assert window.registry["undo"].text().endswith("open a session")
    window.bridge.run_to_end(*window.state.runs)
    window.registry["undo"].trigger()
    qtbot.wait(10)
    assert told(window) == before
    assert window.state.cursor.t == 123
    window.registry["redo"].trigger()
    qtbot.wait(10)
    assert told(window) == after


def test_that_what_was_there_before_stays_when_it_is_taken_back(window, saved) -> None:
    (own,) = run(window, REQUEST)
    window.sessions.files.open(saved)
    assert len(window.state.runs) == 2
    window.registry["undo"].trigger()
    assert list(window.state.runs) == [own]


def test_that_a_run_being_made_again_is_stopped_before_it_is_taken_back(window, saved, qtbot) -> None:
    window.sessions.files.open(saved)
    qtbot.wait(10)
    (job,) = window.state.runs
    assert window.state.runs[job].state == "awaited"
    window.registry["undo"].trigger()
    assert ("cancel", job) in window.bridge.calls
    window.bridge.begin(job)
    window.bridge.end(job, "stopped")
    qtbot.wait(10)
    assert not window.state.runs


def test_that_settings_changed_afterwards_are_taken_back_first(window, saved, qtbot) -> None:
    window.sessions.files.open(saved)
    window.stage.controls.guidance.set_value(7.0)
    window.registry["undo"].trigger()
    assert told(window)[3] == 3.5
    window.registry["undo"].trigger()
    assert told(window)[3] == 1.0


def test_that_a_session_is_opened_by_dropping_it_on_the_window(window, saved) -> None:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(saved))])
    promise = window.dropping._promise(offer(mime), mime)
    assert promise == ("open this session", "theirs.diffuscope; what is here stays")
    window.commands.take(mime)
    assert [window.state.name_of(job) for job in window.state.runs] == ["theirs"]


def test_that_a_file_that_only_bears_the_name_is_refused_in_words(window, tmp_path) -> None:
    path = tmp_path / "not.diffuscope"
    path.write_bytes(b"nothing")
    window.commands.open_path(path)
    assert "not a session" in window.stage.errors.message()


def test_that_a_session_can_be_named_when_the_program_is_started(window, saved) -> None:
    assert not window.commands.begin([str(saved)])
    assert [window.state.name_of(job) for job in window.state.runs] == ["theirs"]
