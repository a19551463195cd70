"""Two ways as one: every position is a state of one of them, and the latent is counted once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.stages.walks import Place, Walk
from app.state import Run
from core.levels import CLEAN, Level, Path
from core.requests import InvertRequest, ModelRef, ScheduleSpec

REQUEST = InvertRequest(ModelRef("m", "0" * 64), ScheduleSpec(), (0,), "hand", ())


def levels(*times: int) -> Path:
    return tuple(CLEAN if t < 0 else Level.from_alpha_bar(t, 1 - t / 1000) for t in times)


def run(job: int, path: Path, stored: int) -> Run:
    return Run(job, REQUEST, path, len(path) - 1, stored=stored)


UP, DOWN = levels(-1, 100, 400, 900), levels(900, 400, 100, -1)


def test_that_the_latent_is_counted_once() -> None:
    walk = Walk(UP, DOWN)
    assert [int(level.t) for level in walk.levels] == [-1, 100, 400, 900, 400, 100, -1]
    assert [walk.level(position) for position in range(7)] == list(walk.levels)
    assert (walk.top, walk.last) == (3, 6)


@given(st.integers(1, 30), st.integers(1, 30), st.data())
def test_that_positions_and_states_are_one_to_one(ups: int, downs: int, data: st.DataObject) -> None:
    up, down = run(1, levels(*range(ups + 1)), ups), run(2, levels(*range(downs, -1, -1)), downs)
    walk = Walk(up.path, down.path, up, down)
    position = data.draw(st.integers(0, walk.last))
    there, step = walk.at(position)
    assert there is not None
    assert walk.position(there.job, step) == position
    assert walk.level(position) == there.path[step]
    assert walk.position(2, 0) == walk.top, "the way down begins at the latent"


def test_that_only_what_was_walked_can_be_reached() -> None:
    up = run(1, UP, 2)
    assert Walk(UP, DOWN).available == 1
    assert Walk(UP, DOWN, up).available == 3
    assert Walk(UP, DOWN, run(1, UP, 3)).available == 4
    assert Walk(UP, DOWN, run(1, UP, 3), run(2, DOWN, 2)).available == 6


def test_that_a_way_down_alone_is_a_walk_too() -> None:
    walk = Walk(down=DOWN, down_run=run(5, DOWN, 3))
    assert (walk.top, walk.last, walk.available) == (0, 3, 4)
    assert walk.place(0) == Place(False, 0)
    assert walk.position(5, 2) == 2


@pytest.mark.parametrize(("position", "pair"), [(0, (0, 3)), (1, (1, 2)), (3, (3, 0)), (4, (2, 1)), (6, (0, 3))])
def test_that_both_ways_are_compared_at_the_same_t(position: int, pair: tuple[int, int]) -> None:
    walk = Walk(UP, DOWN)
    assert walk.pair(position) == pair
    assert UP[pair[0]].t == DOWN[pair[1]].t


def test_that_a_picture_taken_as_t_0_is_compared_with_the_data() -> None:
    walk = Walk(levels(0, 400, 900), levels(900, 400, 0, -1))
    assert walk.pair(0) == (0, 3)
    assert walk.pair(walk.last) == (0, 3)
    assert walk.pair(walk.last - 1) == (0, 2)


def test_that_a_time_is_looked_for_on_the_way_one_is_on() -> None:
    walk = Walk(UP, DOWN)
    assert walk.nearest(350, 1) == 2
    assert walk.nearest(350, 5) == 4
    assert walk.nearest(-20, 5) == 6
