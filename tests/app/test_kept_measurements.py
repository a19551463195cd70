"""Measurements are there again when the program is started again, and come with a session that was saved as a file."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.stages.measure_memory import MOST, Album, read
from app.stages.measure_record import Record
from app.window import STAGES, MainWindow
from core.measure_requests import DataRef, DistanceRequest, LikelihoodRequest, Trial
from core.messages import Distances
from core.requests import ModelRef
from tests.app.conftest import opener
from tests.app.measured import TIMES, distances, likelihood
from tests.app.test_history import REQUEST
from tests.app.test_sessions import closed

DATA = DataRef("things", "a" * 64)
ASKED = LikelihoodRequest(REQUEST.model, REQUEST.schedule, DATA, (0, 1), tuple(reversed(TIMES)))
TRIALS = DistanceRequest(
    (Trial("ddim", 10, REQUEST), Trial("ddim", 20, replace(REQUEST, seed=3))), DATA, (0, 1), ModelRef("judge", "e" * 64)
)
CODED = Record(4, "likelihood", ASKED, "digits", "things", ("0", "1"), "averages", "finished", likelihood(), 9, 9)
HALF = replace(CODED, job=5, state="running", result=likelihood(known=2), done=4)
DRAWN = Record(6, "samplers", TRIALS, "digits", "things", state="stopped", result=distances(TRIALS), done=2, total=2)
NO_REAL = replace(DRAWN, job=7, kind="distance", result=distances(TRIALS, done=1, real=float("nan")), shown=False)
ALL = (CODED, HALF, DRAWN, NO_REAL)
TWO = [stage for stage in STAGES if stage[0] in ("forward", "measure")]


def same(one: object, other: object) -> bool:
    """To the bit, NaN or not."""
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return (
            isinstance(other, np.ndarray)
            and one.dtype == other.dtype
            and np.array_equal(one, other, one.dtype != np.uint8)
        )
    if isinstance(one, tuple) and one and hasattr(one[0], "__dataclass_fields__"):
        return all(same(*both) for both in zip(one, other, strict=True))
    if hasattr(one, "__dataclass_fields__"):
        return all(same(getattr(one, field.name), getattr(other, field.name)) for field in fields(one))
    return one == other or (one != one and other != other)


@pytest.mark.parametrize("record", ALL)
def test_that_a_measurement_survives_being_written_and_read(record) -> None:
    pictures: dict = {}
    told = json.loads(json.dumps(Album(pictures).told([record]), allow_nan=False))
    (found,) = read(told, pictures)
    assert same(found.result, record.result)
    assert found == replace(record, job=0, state="stopped" if record.is_live else record.state, result=found.result)


def test_that_nothing_is_told_of_what_has_no_result_and_no_more_than_the_last() -> None:
    nothing = replace(CODED, job=1, result=None, state="queued")
    many = [replace(CODED, job=job) for job in range(2, MOST + 20)]
    assert len(Album({}).told([nothing, *many])) == MOST


def test_that_a_measurement_whose_pictures_are_gone_comes_without_them() -> None:
    told = Album({}).told([DRAWN])
    (found,) = read(told, {})
    assert isinstance(found.result, Distances)
    assert [point.value for point in found.result.points] == [point.value for point in DRAWN.result.points]
    assert all(len(point.pictures) == 0 for point in found.result.points)


def places(data: object, above: tuple = ()) -> list[tuple]:
    """Every place in JSON data."""
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [above, *(place for key, value in inner for place in places(value, (*above, key)))]


TOLD = json.loads(json.dumps(Album({}).told([CODED, DRAWN])))
JUNK = st.sampled_from([None, True, -1, 10**30, 1e308, "", "AAAA", "x" * 5000, [], [[]], {}, {"kind": "likelihood"}])


def damaged(told, place, junk):
    """A copy of it with ``junk`` at one place."""
    data = copy.deepcopy(told)
    around = data
    for key in place[:-1]:
        around = around[key]
    around[place[-1]] = junk
    return data


@settings(max_examples=150, deadline=None)
@given(place=st.sampled_from([place for place in places(TOLD) if place]), junk=JUNK)
def test_that_what_is_damaged_is_left_out_alone_and_never_fails(place, junk) -> None:
    data = damaged(TOLD, place, junk)
    found = read(data, {})
    assert len(found) in (1, 2)
    assert all(record.result is not None for record in found)


@pytest.mark.parametrize("junk", [None, 3, "x", {"a": 1}])
def test_that_what_is_no_list_is_refused(junk) -> None:
    with pytest.raises(ValueError, match="list"):
        read(junk, {})


# In the window


@pytest.fixture
def opened(qapp, qtbot) -> Callable[..., MainWindow]:
    return opener(qtbot, TWO)


def measured(window: MainWindow, *records: Record) -> None:
    stage = next(stage for stage in window.stages() if stage.key == "measure")
    stage.measurements.records = records
    stage.measurements.listed.emit()


def test_that_measurements_are_there_again_and_looked_at(opened) -> None:
    first = opened()
    first.bridge.ready()
    first.state.move(stage="measure")
    measured(first, CODED, DRAWN)
    closed(first)
    second = opened()
    second.bridge.ready()
    assert second.stage.key == "measure"
    found = second.stage.measurements.records
    assert [record.kind for record in found] == ["likelihood", "samplers"]
    assert same(found[1].result, DRAWN.result)
    assert len({record.job for record in found}) == 2
    assert second.stage.shown.record is found[0]
    assert second.stage.instruments.list.count() == 2
    closed(second)


def test_that_they_are_kept_by_a_session_in_which_measure_is_never_shown(opened) -> None:
    first = opened()
    first.bridge.ready()
    first.state.move(stage="measure")
    measured(first, DRAWN)
    first.state.move(stage="forward")
    closed(first)
    second = opened()
    assert second.stage.key == "forward"
    closed(second)
    third = opened()
    third.bridge.ready()
    third.state.move(stage="measure")
    assert same(third.stage.measurements.records[0].result, DRAWN.result)
    closed(third)


def test_that_one_that_was_taken_off_stays_off(opened) -> None:
    first = opened()
    first.state.move(stage="measure")
    measured(first, CODED, DRAWN)
    closed(first)
    second = opened()
    stage = second.stage
    stage.instruments.list.forgotten.emit(stage.measurements.records[0].job)
    second.bridge.ready()  # only now what was set can be set again
    assert [record.kind for record in stage.measurements.records] == ["samplers"]
    closed(second)


def test_that_a_session_from_a_file_brings_its_measurements_once_beside_those_there_are(opened, tmp_path) -> None:
    window = opened()
    window.bridge.ready()
    window.state.move(stage="measure")
    measured(window, CODED)
    path = tmp_path / "mine.diffuscope"
    window.sessions.files.save(path)
    measured(window, CODED, NO_REAL)
    for _ in range(2):
        window.sessions.files.open(path)
        assert [record.kind for record in window.stage.measurements.records] == ["likelihood", "distance"]
    measured(window, NO_REAL)
    window.sessions.files.open(path)
    assert [record.kind for record in window.stage.measurements.records] == ["likelihood", "distance"]
    closed(window)


def test_that_measurements_of_an_opened_session_go_and_come_with_its_step(opened, tmp_path) -> None:
    window = opened()
    window.bridge.ready()
    window.state.move(stage="measure")
    measured(window, CODED, DRAWN)
    path = tmp_path / "mine.diffuscope"
    window.sessions.files.save(path)
    measured(window, DRAWN)
    window.sessions.files.open(path)
    kinds = [record.kind for record in window.stage.measurements.records]
    assert kinds == ["likelihood", "samplers"]
    window.registry["undo"].trigger()
    assert [record.kind for record in window.stage.measurements.records] == ["samplers"]
    window.registry["redo"].trigger()
    assert sorted(record.kind for record in window.stage.measurements.records) == kinds
    window.registry["undo"].trigger()
    assert [record.kind for record in window.stage.measurements.records] == ["samplers"]
    closed(window)


def test_that_what_was_kept_halfway_does_not_come_back_beside_what_it_became(opened) -> None:
    window = opened()
    window.bridge.ready()
    window.state.move(stage="measure")
    measured(window, replace(HALF, made=3.0))
    halfway = window.stage.memento()
    measured(window, replace(HALF, made=3.0, state="finished", result=CODED.result))
    window.stage.recall(halfway)
    assert [record.result for record in window.stage.measurements.records] == [CODED.result]
    closed(window)


def test_that_measurements_nobody_has_looked_at_yet_stay_beside_those_of_an_opened_session(opened, tmp_path) -> None:
    first = opened()
    first.bridge.ready()
    first.state.move(stage="measure")
    measured(first, CODED)
    first.state.move(stage="forward")
    first.sessions.files.save(tmp_path / "coded.diffuscope")
    measured(first, DRAWN)
    closed(first)
    second = opened()
    second.bridge.ready()
    second.sessions.files.open(tmp_path / "coded.diffuscope")
    second.sessions.files.open(tmp_path / "coded.diffuscope")
    assert [stage.key for stage in second.stages()] == ["forward"]
    second.state.move(stage="measure")
    assert sorted(record.kind for record in second.stage.measurements.records) == ["likelihood", "samplers"]
    closed(second)
