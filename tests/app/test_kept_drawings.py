"""Memorisation checks, and samples from coarse to fine, are there again when the program is started again, and come
with a session that was saved as a file; all that was measured stands in the order in which it was made."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.kept_runs import kept_run
from app.stages.denoise_nearest import samples_of
from app.stages.measure_compared import Comparison
from app.stages.measure_keeping import MOST, Keeping
from app.stages.measure_shared import Family, cells_of
from app.window import STAGES
from core.evaluation.coarse_to_fine import parent_of, sharing
from core.messages import Nearest
from core.training.events import Drawn
from tests.app.conftest import opener
from tests.app.fake_engine import DIGITS
from tests.app.nearest import grey, sixteen, three
from tests.app.test_history import REQUEST
from tests.app.test_kept_measurements import CODED, DRAWN, damaged, measured, places, same
from tests.app.test_sessions import closed

THREE = replace(REQUEST, count=3, labels=(1, None, 2))
PARENT = parent_of(REQUEST)
THREE_STAGES = [stage for stage in STAGES if stage[0] in ("forward", "denoise", "measure")]


def a_check(job: int, *, made: float, request=THREE, result: Nearest | None = None, state: str = "ended") -> Comparison:
    course = samples_of(request, DIGITS.labels, Path(request.model.sha256), 8)
    drawn = Drawn(job, grey(*range(request.count)))
    return Comparison(job, request, "shapes", state, 1.0, course, drawn, result, made)  # type: ignore[arg-type]


def a_family(job: int, *, made: float, parent=PARENT, whole: int = 6) -> Family:
    """Two samples from each of two states; ``whole`` of the sheet's six pictures are finished."""
    shares = sharing(parent, (1.0, 0.5), 2)
    jobs = range(job + 1, job + 5)
    family = Family(parent, shares, job, dict(zip(jobs, cells_of(shares), strict=True)), made=made)
    family.ended = set(family.jobs)
    family.way = {column: (grey(column)[0], True) for column in range(4)}
    family.shared = {cell: (grey(100 + cell)[0], cell < whole) for cell in range(6)}
    return family


class Place:
    """Where checks and families are, and no window: runs by number, new numbers from 900 on."""

    def __init__(self, checks=(), families=(), runs=(), pictures=None) -> None:
        self.nearest, self.coarse = SimpleNamespace(records=tuple(checks)), SimpleNamespace(records=tuple(families))
        self.state = SimpleNamespace(pictures={} if pictures is None else pictures, folders={}, runs=dict(runs))
        numbers = iter(range(900, 2000))
        bridge = SimpleNamespace(reserve=lambda: next(numbers))
        curves = SimpleNamespace(told=list, put_back=lambda _told: None)
        self.keeping = Keeping(self.state, bridge, curves, self.nearest, self.coarse)  # type: ignore[arg-type]

    def told(self) -> list:
        return json.loads(json.dumps(self.keeping.told(), allow_nan=False))


def runs_of(family: Family, shift: int = 0) -> dict[int, object]:
    requests = [family.parent, *(run for share in family.shares for run in share.runs)]
    return {job + shift: kept_run(job + shift, run) for job, run in zip(family.jobs, requests, strict=True)}


@pytest.mark.parametrize("result", [None, three(), three(features=False), sixteen()])
def test_that_a_check_survives_being_written_and_read(result) -> None:
    check = a_check(4, made=5.0, result=result)
    first = Place([check], runs={4: kept_run(4, THREE)})
    then = Place(pictures=first.state.pictures, runs={4: kept_run(4, THREE)})
    then.keeping.put_back(first.told())
    (found,) = then.nearest.records
    assert (found.job, found.request, found.data, found.state, found.made) == (4, THREE, "shapes", "ended", 5.0)
    assert found.drawn.step == 4
    assert np.array_equal(found.drawn.pictures, grey(0, 1, 2))
    assert same(found.result, result)
    assert found.headline == check.headline
    for name in ("folder", "name", "size", "classes", "labels", "made"):
        assert getattr(found.course, name) == getattr(check.course, name)
    assert [found.course.class_of(sample) for sample in range(3)] == ["1", "", "2"]


def test_that_a_family_survives_with_its_finished_pictures_and_the_numbers_of_its_runs() -> None:
    family = a_family(3, made=7.0, whole=5)
    first = Place(families=[family], runs=runs_of(family))
    then = Place(pictures=first.state.pictures, runs=runs_of(family, shift=20))
    then.keeping.put_back(first.told())
    (found,) = then.coarse.records
    assert (found.job, found.cells) == (23, {24: 1, 25: 2, 26: 4, 27: 5})
    assert (found.parent, found.shares, found.live, found.made) == (PARENT, family.shares, (), 7.0)
    assert {cell: int(picture[0, 0, 0]) for cell, (picture, _) in found.shared.items()} == {
        n: 100 + n for n in range(5)
    }
    assert {column: int(picture[0, 0, 0]) for column, (picture, _) in found.way.items()} == {n: n for n in range(4)}


def test_that_runs_asked_for_alike_stay_apart_and_those_the_history_has_not_get_new_numbers() -> None:
    one, other = a_family(3, made=1.0), a_family(13, made=2.0, whole=4)
    runs = runs_of(one) | runs_of(other)
    del runs[5]  # it was not begun
    first = Place(families=[one, other], runs=runs)
    then = Place(pictures=first.state.pictures, runs=runs)
    then.keeping.put_back(first.told())
    assert [family.jobs for family in then.coarse.records] == [(3, 4, 900, 6, 7), other.jobs]


def test_that_what_is_there_already_is_put_back_once_even_if_more_is_known_of_it_now() -> None:
    place = Place([a_check(1, made=2.0), a_check(2, made=0.0)], [a_family(3, made=3.0), a_family(13, made=0.0)])
    earlier = place.told()
    place.nearest.records[0].result = three()
    for _ in range(2):
        place.keeping.put_back(earlier)
    assert sorted(check.job for check in place.nearest.records) == [1, 2]
    assert sorted(family.job for family in place.coarse.records) == [3, 13]


def test_that_no_more_is_kept_than_the_last_that_there_is_room_for(monkeypatch) -> None:
    checks = [a_check(job, made=float(job)) for job in range(1, MOST + 5)]
    place = Place(checks, [a_family(100 * job, made=float(job)) for job in range(1, MOST + 5)])
    assert [one["made"] for one in place.told() if one["kind"] == "nearest"] == [float(n) for n in range(5, MOST + 5)]
    monkeypatch.setattr("app.stages.measure_keeping.MOST_BYTES", 2 * 3 * 64)  # two checks of three 8 × 8 pictures
    assert [one["made"] for one in place.told()] == [float(MOST + 3), float(MOST + 4)]


def test_that_a_check_whose_pictures_are_gone_is_left_out_and_a_family_comes_without_them() -> None:
    told = Place([a_check(4, made=5.0, result=three())], [a_family(5, made=6.0)]).told()
    place = Place()
    place.keeping.put_back(told)
    assert place.nearest.records == ()
    assert [family.shared for family in place.coarse.records] == [{}]


def test_that_samples_which_are_not_drawn_yet_are_not_kept() -> None:
    check = a_check(4, made=5.0, state="drawing")
    check.course = check.drawn = None
    assert Place([check]).told() == []


KNOWN = Place([a_check(4, made=5.0, result=three())], [a_family(5, made=6.0)])
TOLD = KNOWN.told()
JUNK = st.sampled_from([None, True, -1, 10**30, 1e308, "", "AAAA", "x" * 5000, [], [[]], {}, [1, 2, 3], {"picture": 3}])


@settings(max_examples=200, deadline=None)
@given(place=st.sampled_from([place for place in places(TOLD) if place]), junk=JUNK)
def test_that_what_is_damaged_is_left_out_alone_and_never_fails(place, junk) -> None:
    data = damaged(TOLD, place, junk)
    then = Place(pictures=KNOWN.state.pictures)
    then.keeping.put_back(data)
    found = [*then.nearest.records, *then.coarse.records]
    assert len(found) in (1, 2)
    assert all(not isinstance(one, Family) or (one.steps and one.jobs) for one in found)
    assert then.told() is not None


# In the window


@pytest.fixture
def opened(qapp, qtbot):
    return opener(qtbot, THREE_STAGES)


def drew(window, *records: Comparison | Family) -> None:
    """As after they were drawn, with their runs in the history."""
    shown = window.stage.shown
    shown.nearest.records = tuple(one for one in records if isinstance(one, Comparison))
    shown.coarse.records = tuple(one for one in records if isinstance(one, Family))
    for one in records:
        runs = runs_of(one) if isinstance(one, Family) else {one.job: kept_run(one.job, one.request)}
        for run in runs.values():
            window.state.put_run(run)
    shown.nearest.listed.emit()
    shown.flush()


def titles(window) -> list[str]:
    return [entry.title.split(":")[0] for entry in window.stage.instruments.list.entries]


def test_that_checks_and_families_are_there_again_in_the_order_in_which_they_were_made(opened) -> None:
    first = opened()
    first.bridge.ready()
    first.state.move(stage="measure")
    measured(first, replace(CODED, made=2.0), replace(DRAWN, made=4.0))
    drew(first, a_check(11, made=3.0, result=three()), a_family(12, made=1.0))
    listed = titles(first)
    assert listed == ["Samplers", "Memorisation", "Likelihood", "Coarse to fine"]
    first.stage.controls.kind.set_value("coarse")
    closed(first)
    second = opened()
    second.bridge.ready()
    assert titles(second) == listed
    page = second.stage.coarse.page
    assert second.stage.kind == "coarse"
    assert page.isVisible()
    assert all(page.shared.is_finished(cell) for cell in range(6))
    second.stage.instruments.list.setCurrentRow(1)
    assert second.stage.nearest.check.page.isVisible()
    assert second.stage.nearest.current.headline == a_check(1, made=0.0, result=three()).headline
    closed(second)


def test_that_clicking_a_sample_that_was_kept_leads_to_its_run(opened) -> None:
    first = opened()
    first.bridge.ready()
    first.state.move(stage="measure")
    drew(first, a_family(12, made=1.0))
    first.stage.controls.kind.set_value("coarse")
    closed(first)
    second = opened()
    second.bridge.ready()
    went = []
    coarse = second.stage.coarse
    coarse.opened.connect(went.append)
    coarse.page.shared.cell_clicked.emit(4)
    assert went == [15]
    assert second.state.runs[15].request == a_family(12, made=1.0).shares[1].runs[0]
    closed(second)


def test_that_what_comes_with_a_session_stands_where_it_was_made_and_goes_with_its_step(opened, tmp_path) -> None:
    window = opened()
    window.bridge.ready()
    window.state.move(stage="measure")
    measured(window, replace(CODED, made=2.0))
    drew(window, a_check(11, made=4.0), a_family(12, made=1.0))
    path = tmp_path / "mine.diffuscope"
    window.sessions.files.save(path)
    assert str(tmp_path) not in json.dumps(window.stage.memento()["measured"])
    measured(window, replace(DRAWN, made=3.0))
    drew(window)
    window.care.take_out([*window.state.runs])
    window.sessions.files.open(path)
    both = ["Memorisation", "Samplers", "Likelihood", "Coarse to fine"]
    assert titles(window) == both
    window.registry["undo"].trigger()
    assert titles(window) == ["Samplers"]
    window.registry["redo"].trigger()
    assert titles(window) == both
    assert all(job in window.state.runs for job in window.stage.coarse.records[0].jobs)
    window.sessions.files.open(path)
    assert titles(window) == both
    closed(window)


def test_that_a_sample_made_again_does_not_blur_the_one_that_is_shown(opened) -> None:
    window = opened()
    window.bridge.ready()
    window.state.move(stage="measure")
    drew(window, a_family(12, made=1.0))
    coarse = window.stage.coarse
    shown = coarse.records[0].shared[1]
    window.bridge.reserve(13)
    window.bridge.submit(coarse.records[0].shares[0].runs[0], 13)
    window.bridge.begin(13)
    window.bridge.advance(13, 2)
    assert coarse.records[0].shared[1] is shown
    closed(window)
