"""A window that is closed, or cut off, is there again: pictures, runs, settings and the place looked at."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.bridge import Bridge
from app.kept_runs import KeptRuns, kept_run, total_of
from app.session import to_data
from app.sessions import Sessions
from app.state import AppState, Measuring
from app.window import STAGES, MainWindow
from core.engine import Engine
from core.images import from_pixels
from core.messages import EngineState, Failed
from core.requests import InspectStep, SampleRequest
from resources import samples
from tests.app.conftest import opener
from tests.app.test_history import INVERSION, MORPH, REQUEST
from tests.app.tiny import tiny_model

FOUR = [stage for stage in STAGES if stage[0] in ("forward", "denoise", "invert", "morph")]
PICTURE = from_pixels(np.random.default_rng(3).integers(0, 256, (40, 30, 3), np.uint8), "mine")


@pytest.fixture
def opened(qapp, qtbot) -> Callable[..., MainWindow]:
    return opener(qtbot, FOUR)


def closed(window: MainWindow) -> None:
    """As when the window is closed and the workers have ended."""
    window.sessions._later.stop()
    window.bridge.ending.emit()
    window.close()


def killed(window: MainWindow) -> None:
    """As after SIGKILL: what is on the disk is all there is."""
    window.sessions._later.stop()
    window.sessions._has_ended = True
    window.sessions.folder.release()
    window.close()


def used(window: MainWindow) -> MainWindow:
    """A window in which a person has done something."""
    window.bridge.ready()
    window.state.folders[window.state.model.ref.sha256] = str(Path(__file__).parent)
    window.state.set_image(PICTURE)
    window.state.set_conversion(type(window.state.conversion)((32, 32), 1, crop=(0.2, 0.2, 0.7, 0.7)))
    window.state.move(stage="denoise")
    controls = window.stage.controls
    controls.guidance.set_value(3.5)
    controls.label.set_value("4")
    controls.steps.set_value(6)
    window.stage.primary_action.click()
    window.bridge.run_to_end(1)
    window.history.rename(1, "the good one")
    window.state.set_note(1, is_starred=True)
    window.state.move(step=4)
    return window


def test_that_a_first_start_begins_with_a_sample_and_the_bundled_model(opened) -> None:
    window = opened()
    assert window.state.image.name == samples()[0].name
    assert window.state.cursor.stage == "forward"
    assert any(call[0] == "open_model" for call in window.bridge.calls)
    assert not window.told.isVisible()
    closed(window)


@pytest.mark.parametrize("end", [closed, killed])
def test_that_what_was_there_is_there_again(opened, end) -> None:
    first = used(opened())
    conversion, request = first.state.conversion, first.state.runs[1].request
    first.sessions.save()
    end(first)
    second = opened()
    state = second.state
    assert state.image.sha256 == PICTURE.sha256
    assert state.cursor.stage == "denoise"
    assert state.runs[1].request == request
    assert (state.name_of(1), state.note(1).is_starred) == ("the good one", True)
    assert state.thumbnails[1].shape[:2] == (32, 32)
    assert second.history.topLevelItemCount() == 1
    assert not second.told.isVisible()
    second.bridge.ready()
    assert state.conversion == conversion
    assert second.stage.memento()["guidance"] == 3.5
    assert second.stage.memento()["label"] == "4"
    closed(second)


def test_that_settings_of_stages_not_shown_yet_are_kept_from_session_to_session(opened) -> None:
    first = used(opened())
    closed(first)
    second = opened()
    second.bridge.ready()
    second.state.move(stage="forward", run=None)
    closed(second)
    third = opened()
    third.bridge.ready()
    third.state.move(stage="denoise")
    assert third.stage.memento()["guidance"] == 3.5
    closed(third)


def test_that_the_run_looked_at_is_made_again_under_its_number_and_shown_where_it_was(opened, qtbot) -> None:
    closed(used(opened()))
    second = opened()
    assert second.state.runs[1].state == "kept"
    second.bridge.ready()
    qtbot.wait(10)
    assert ("submit", 1) in second.bridge.calls
    assert second.state.runs[1].state == "awaited"
    second.bridge.run_to_end(1)
    qtbot.wait(10)
    assert second.state.runs[1].state == "finished"
    assert (second.state.cursor.run, second.state.cursor.step) == (1, 4)
    assert second.stage.controls.guidance.value() == 3.5
    closed(second)


def test_that_a_new_run_gets_a_number_of_its_own(opened, qtbot) -> None:
    closed(used(opened()))
    second = opened()
    second.bridge.ready()
    qtbot.wait(10)
    second.bridge.run_to_end(1)
    second.stage.primary_action.click()
    assert second.bridge.submitted[1] is not None
    assert len(second.bridge.submitted) == 2
    closed(second)


def test_that_a_run_whose_model_is_gone_says_what_to_open_and_is_tried_again_with_another_model(opened, qtbot) -> None:
    first = used(opened())
    closed(first)
    second = opened()
    other = type(first.state.model)(
        type(first.state.model.ref)("faces", "f" * 64), (1, 32, 32), first.state.model.schedule, "eps"
    )
    second.state.folders.clear()
    second.bridge.ready(other)
    qtbot.wait(10)
    assert "“digits” is not open" in second.stage.errors.message()
    assert second.state.runs[1].state == "kept"
    second.bridge.ready()
    qtbot.wait(10)
    assert second.state.runs[1].state == "awaited"
    closed(second)


def test_that_the_model_of_a_run_is_opened_by_itself_where_its_place_is_known(opened, qtbot) -> None:
    first = used(opened())
    closed(first)
    second = opened()
    other = type(first.state.model)(
        type(first.state.model.ref)("faces", "f" * 64), (1, 32, 32), first.state.model.schedule, "eps"
    )
    second.bridge.ready(other)
    qtbot.wait(10)
    assert ("know_model", str(Path(__file__).parent)) in second.bridge.calls
    assert second.bridge.meant == first.state.model.ref.sha256
    assert ("submit", 1) in second.bridge.calls
    closed(second)


def test_that_a_new_session_begins_empty_and_the_last_one_is_kept_beside_it(opened) -> None:
    first = used(opened())
    closed(first)
    second = opened(is_new=True)
    assert not second.state.runs
    folder = second.sessions.folder.folder
    second.sessions.save()
    closed(second)
    assert len(json.loads((folder / "session.1.json").read_text())["runs"]) == 1


def test_that_a_second_window_begins_empty_and_says_nothing(opened) -> None:
    first = used(opened())
    first.sessions.save()
    second = opened()
    assert not second.state.runs
    assert not second.told.isVisible()
    closed(second)
    closed(first)
    third = opened()
    assert len(third.state.runs) == 1
    closed(third)


def test_that_of_a_second_window_that_was_cut_off_as_well_the_first_one_says_how_to_have_it_back(opened) -> None:
    first, second = opened(), used(opened())
    second.sessions.save()
    first.sessions.save()
    killed(first)
    killed(second)
    first = opened()
    assert not first.state.runs
    assert "Another window was cut off too" in first.told.words()
    assert "its run" in first.told.words()
    second = opened()
    assert len(second.state.runs) == 1
    closed(second)
    closed(first)
    first = opened()
    assert not first.told.isVisible()
    closed(first)


def test_that_the_size_of_the_window_outlives_a_crash(opened) -> None:
    window = opened()
    window._say_painted()
    window.sessions.save()
    window.sessions._later.stop()
    window.resize(1300, 777)
    assert window.sessions._later.isActive()
    window.sessions.save()
    killed(window)
    window = opened()
    assert (window.width(), window.height()) == (1300, 777)
    closed(window)


def test_that_what_is_known_of_a_measurement_under_way_is_saved(opened) -> None:
    window = opened()
    window.sessions._later.stop()
    window.state.set_measuring(Measuring(3, total=10))
    assert window.sessions._later.isActive()
    closed(window)


def test_that_a_damaged_session_is_said_and_an_earlier_one_shown(opened) -> None:
    closed(used(opened()))
    closed(opened())
    folder = opened().sessions.folder
    folder.release()
    (folder.folder / "session.json").write_bytes(b"{")
    window = opened()
    assert len(window.state.runs) == 1
    assert "damaged" in window.told.words()
    closed(window)


def test_that_a_session_of_a_newer_version_is_named_as_such(opened) -> None:
    window = opened()
    path = window.sessions.folder.folder / "session.json"
    closed(window)
    path.write_text(path.read_text().replace('"version": 1', '"version": 2'))
    window = opened()
    assert "newer version" in window.told.words()
    assert "begins anew" in window.told.words()
    closed(window)


def test_that_without_any_session_that_can_be_read_the_window_begins_anew(opened) -> None:
    window = opened()
    folder = window.sessions.folder.folder
    closed(window)
    for path in folder.glob("session*.json"):
        path.write_bytes(b"\0")
    window = opened()
    assert window.state.image is not None
    assert "begins anew" in window.told.words()
    closed(window)


def test_that_the_session_is_saved_by_itself_after_a_change(opened, monkeypatch, qtbot) -> None:
    window = used(opened())
    window.sessions._later.setInterval(30)
    window.sessions._later.stop()
    window.stage.controls.guidance.set_value(1.5)
    path = window.sessions.folder.folder / "session.json"
    qtbot.waitUntil(
        lambda: path.exists() and json.loads(path.read_text())["stages"]["denoise"]["guidance"] == 1.5, timeout=3000
    )
    assert not json.loads(path.read_text())["is_closed"]
    closed(window)


def test_that_a_session_saved_as_a_file_is_put_back_beside_what_is_there(opened, tmp_path) -> None:
    window = used(opened())
    path = tmp_path / "mine.diffuscope"
    window.sessions.files.save(path)
    window.stage.controls.guidance.set_value(1.0)
    window.sessions.files.open(path)
    assert window.stage.controls.guidance.value() == 3.5
    assert len(window.state.runs) == 2
    assert [window.state.name_of(job) for job in window.state.runs] == ["the good one", "the good one"]
    closed(window)


def test_that_a_file_that_is_no_session_is_refused_in_the_stage(opened, tmp_path) -> None:
    window = opened()
    path = tmp_path / "theirs.diffuscope"
    path.write_bytes(b"nothing")
    window.sessions.files.open(path)
    assert "not a session" in window.stage.errors.message()
    closed(window)


def test_that_restoring_at_the_start_can_be_switched_off(opened) -> None:
    window = opened()
    action = window.registry["restores"]
    assert action.isChecked()
    action.trigger()
    assert not window.settings.restores
    closed(window)


@pytest.mark.parametrize(("request_", "total"), [(REQUEST, 4), (INVERSION, 4), (MORPH, 4 * 3 + 4)])
def test_that_a_kept_run_knows_its_path_and_its_steps(request_, total) -> None:
    run = kept_run(5, request_)
    assert (run.state, run.stored, len(run.path)) == ("kept", 0, len(request_.timesteps) + 1)
    assert run.total == total_of(request_) == total


def test_that_a_run_made_again_has_the_same_bits(qtbot) -> None:
    found = []
    for again in (False, True):
        state = AppState()
        engine = Engine(device="cpu")
        bridge = Bridge(state, engine)
        bridge.start()
        model = tiny_model()
        engine.add_model(model)
        request = SampleRequest(
            model.info.ref, model.info.schedule, (900, 500, 100), "hand", REQUEST.sampler, 7, 2, (0, 1), 1.0
        )
        qtbot.waitUntil(lambda state=state: state.model is not None, timeout=20_000)
        if again:
            job = bridge.reserve(4)
            kept, heard = KeptRuns(state, bridge), []
            bridge.message.connect(heard.append)
            state.put_run(kept_run(job, request))
            bridge.ask(InspectStep(job, 0))  # as the view does, which cannot know better
            state.move(run=job, stage="denoise")
        else:
            job = bridge.submit(request)
        qtbot.waitUntil(
            lambda state=state, job=job: job in state.runs and state.runs[job].state == "finished", timeout=20_000
        )
        qtbot.waitUntil(lambda state=state: state.status.state is EngineState.IDLE, timeout=20_000)
        found.append([bridge.values(job, step) for step in range(4)])
        assert job == (4 if again else 1)
        assert not again or (kept.places == {} and not any(isinstance(message, Failed) for message in heard))
        assert bridge.shut_down()
        state.deleteLater()
    for before, now in zip(*found, strict=True):
        assert np.array_equal(before, now)


def test_that_a_session_with_many_runs_is_there_again_and_each_can_be_chosen(opened) -> None:
    first = used(opened())
    for job in range(2, 201):
        first.state.put_run(kept_run(job, replace(REQUEST, seed=job), parent=job - 1 if job % 5 == 0 else None))
    closed(first)
    second = opened()
    assert set(second.state.runs) == set(range(1, 201))
    second.bridge.ready()
    for job in (200, 100, 1):
        second.state.move(stage="denoise", run=job, step=0)
        assert second.state.cursor.run == job
        assert second.stage.controls.seed.seed() == second.state.runs[job].request.seed
    closed(second)


def test_that_more_thumbnails_than_a_session_has_room_for_cost_no_other_picture(opened, monkeypatch) -> None:
    monkeypatch.setattr("app.session_contents.MOST_PICTURES", 5)
    monkeypatch.setattr("app.session.MOST_PICTURES", 5)
    first = used(opened())
    for job in range(2, 9):
        first.state.put_run(kept_run(job, replace(REQUEST, seed=job)))
        first.state.set_thumbnail(job, np.full((8, 8, 1), job, np.uint8))
    closed(first)
    second = opened()
    assert second.state.image.sha256 == PICTURE.sha256
    assert len(second.state.thumbnails) == 4
    assert not second.told.isVisible()
    closed(second)


def test_that_end_points_are_kept_by_a_session_in_which_morph_is_never_shown(opened) -> None:
    first = used(opened())
    first.state.move(stage="morph")
    first.stage.handle_drop(PICTURE)
    end = first.stage.memento()["ends"]
    assert PICTURE.sha256 in json.dumps(end)
    first.state.set_image(None)
    first.state.move(stage="forward", run=None)
    closed(first)
    second = opened()
    assert second.stage.key == "forward"
    closed(second)
    third = opened()
    third.bridge.ready()
    third.state.move(stage="morph")
    assert third.stage.memento()["ends"] == end
    closed(third)


def test_that_a_session_is_put_into_words_by_a_worker_for_the_window_not_to_wait(opened, monkeypatch) -> None:
    window, worded, works = used(opened()), [], []
    monkeypatch.setattr("app.sessions.to_data", lambda session: worded.append(session) or to_data(session))
    monkeypatch.setattr(
        window.bridge, "in_background", lambda work, done, failed, worker="": works.append((work, done))
    )
    window.sessions.save()
    assert (len(works), worded) == (1, [])
    window.stage.controls.guidance.set_value(1.0)  # what is saved is what there was
    work, done = works[0]
    done(work())
    path = window.sessions.folder.folder / "session.json"
    assert json.loads(path.read_text())["stages"]["denoise"]["guidance"] == 3.5
    closed(window)


def test_that_a_window_without_a_session_saves_nothing(window) -> None:
    assert isinstance(window.sessions, Sessions)
    window.sessions.change()
    window.sessions.save()
    assert window.sessions.folder is None


@pytest.mark.parametrize(("request_", "stage"), [(MORPH, "morph"), (INVERSION, "invert"), (REQUEST, "denoise")])
def test_that_a_run_of_every_stage_can_be_chosen_and_is_made_again(opened, qtbot, request_, stage) -> None:
    window = opened()
    window.bridge.ready()
    job = window.bridge.reserve(3)
    window.state.put_run(kept_run(job, request_))
    window.history.setCurrentItem(window.history._items[job])
    qtbot.wait(10)
    assert window.state.cursor.stage == stage
    assert ("submit", job) in window.bridge.calls
    window.bridge.run_to_end(job)
    assert window.state.runs[job].state == "finished"
    assert not window.stage.errors.message()
    closed(window)
