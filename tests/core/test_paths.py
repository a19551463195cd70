"""Spacings: exactly as many distinct falling timesteps as were asked for, or a refusal."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Refusal
from core.levels import CLEAN
from core.messages import ModelInfo
from core.paths import (
    make_path,
    model_timesteps,
    partial_path,
    partial_timesteps,
    spaced_timesteps,
    steps_of_whole,
)
from core.requests import ModelRef, ScheduleSpec, SpacingName
from core.schedules import make_schedule

LINEAR = make_schedule(ScheduleSpec())
DIGITS = ModelInfo(ModelRef("digits", "d" * 64), (1, 8, 8), ScheduleSpec(), prediction="v")
SPACINGS = [name for name in get_args(SpacingName) if name != "hand"]


@given(st.sampled_from(SPACINGS), st.integers(21, 1200), st.data())
def test_that_every_spacing_gives_exactly_the_steps_asked_for(
    spacing: SpacingName, T: int, data: st.DataObject
) -> None:
    name, zero_snr = data.draw(st.sampled_from(["linear", "cosine"])), data.draw(st.booleans())
    schedule = make_schedule(ScheduleSpec(name, T=T, zero_snr=zero_snr))
    steps = data.draw(st.integers(1, T))
    top = 4 * T // 5
    if spacing == "quadratic" and steps > top + 1:
        with pytest.raises(Refusal, match=f"at most {top + 1} steps"):
            spaced_timesteps(schedule, steps, spacing)
        return
    timesteps = spaced_timesteps(schedule, steps, spacing)
    assert len(timesteps) == steps
    assert all(later < earlier for earlier, later in pairwise(timesteps))
    assert timesteps[-1] >= 0
    assert timesteps[0] < T
    assert all(type(t) is int for t in timesteps)


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("steps", [-1, 0, 1001])
def test_that_impossible_numbers_of_steps_are_refused(spacing: SpacingName, steps: int) -> None:
    with pytest.raises(Refusal, match="between 1 and 1000"):
        spaced_timesteps(LINEAR, steps, spacing)


@pytest.mark.parametrize("spacing", ["linspace", "quadratic_full", "log_snr"])
def test_that_spacings_to_the_top_reach_both_ends(spacing: SpacingName) -> None:
    for steps in (2, 10, 50, 333, 1000):
        timesteps = spaced_timesteps(LINEAR, steps, spacing)
        assert (timesteps[0], timesteps[-1]) == (999, 0)


def test_that_even_steps_in_log_snr_count_the_last_timestep_without_signal_as_one_more() -> None:
    schedule = make_schedule(ScheduleSpec("cosine", zero_snr=True))
    cut = make_schedule(ScheduleSpec("betas", 999, betas=tuple(float(beta) for beta in schedule.betas[:-1])))
    assert spaced_timesteps(schedule, 10, "log_snr") == (999, *spaced_timesteps(cut, 9, "log_snr"))
    assert spaced_timesteps(schedule, 2, "log_snr") == (999, 0)
    assert spaced_timesteps(schedule, 1, "log_snr") == (999,)


def test_that_all_steps_are_all_timesteps() -> None:
    for spacing in SPACINGS:
        if spacing != "quadratic":
            assert spaced_timesteps(LINEAR, 1000, spacing) == tuple(range(999, -1, -1))


def test_that_leading_steps_are_the_ddim_papers() -> None:
    assert spaced_timesteps(LINEAR, 50, "leading") == tuple(range(980, -1, -20))
    assert spaced_timesteps(LINEAR, 10, "leading") == tuple(range(900, -1, -100))
    # Where S does not divide T the steps still reach up to T - T / S.
    assert spaced_timesteps(LINEAR, 3, "leading") == (666, 333, 0)
    assert spaced_timesteps(LINEAR, 600, "leading")[0] == 998
    assert spaced_timesteps(LINEAR, 150, "leading")[0] == 993


def test_that_an_offset_shifts_leading_steps() -> None:
    assert spaced_timesteps(LINEAR, 5, "leading", offset=1) == (801, 601, 401, 201, 1)
    with pytest.raises(Refusal, match="offset of 0 to 0"):
        spaced_timesteps(LINEAR, 1000, "leading", offset=1)
    with pytest.raises(Refusal, match="Only leading"):
        spaced_timesteps(LINEAR, 10, "trailing", offset=1)


def test_that_trailing_steps_start_at_the_last_timestep() -> None:
    assert spaced_timesteps(LINEAR, 5, "trailing") == (999, 799, 599, 399, 199)
    assert spaced_timesteps(LINEAR, 3, "trailing") == (999, 666, 332)
    for steps in (61, 103, 121, 122, 201, 206):  # where accumulating T / S in floating point gives one step too many
        assert len(spaced_timesteps(LINEAR, steps, "trailing")) == steps


def test_that_linspace_steps_are_evenly_spaced() -> None:
    assert spaced_timesteps(LINEAR, 10, "linspace") == tuple(range(999, -1, -111))
    assert spaced_timesteps(LINEAR, 5, "linspace") == (999, 749, 500, 250, 0)


@pytest.mark.parametrize("steps", [2, 5, 10, 20, 29])
def test_that_quadratic_steps_are_the_ddim_papers(steps: int) -> None:
    root = np.linspace(0, math.sqrt(0.8 * 1000), steps)
    expected = np.floor(root**2 + 1e-9).astype(int)
    assert spaced_timesteps(LINEAR, steps, "quadratic") == tuple(expected[::-1])
    full = np.floor(np.linspace(0, math.sqrt(999), steps) ** 2 + 1e-9).astype(int)
    assert spaced_timesteps(LINEAR, steps, "quadratic_full") == tuple(full[::-1])


def test_that_repeated_quadratic_steps_move_to_their_neighbours() -> None:
    timesteps = spaced_timesteps(LINEAR, 100, "quadratic")
    paper = np.floor(np.linspace(0, math.sqrt(800), 100) ** 2 + 1e-9).astype(int)[::-1]
    assert timesteps[0] == 800
    assert timesteps[:87] == tuple(paper[:87])
    assert timesteps[-4:] == (3, 2, 1, 0)


def test_that_log_snr_steps_are_the_nearest_to_even_ones() -> None:
    timesteps = spaced_timesteps(LINEAR, 10, "log_snr")
    wanted = np.linspace(LINEAR.log_snr[999], LINEAR.log_snr[0], 10)
    assert timesteps == tuple(int(np.abs(LINEAR.log_snr - value).argmin()) for value in wanted)


def test_that_a_single_step_starts_at_the_top() -> None:
    starts = {spacing: spaced_timesteps(LINEAR, 1, spacing) for spacing in SPACINGS}
    assert starts.pop("quadratic") == (800,)
    assert starts.pop("leading") == (0,)  # t = 0 is what the formula says
    assert set(starts.values()) == {(999,)}


def test_that_hand_picked_steps_are_taken_as_they_are() -> None:
    assert spaced_timesteps(LINEAR, 5, "hand", (100, 87, 50, 1, 0)) == (100, 87, 50, 1, 0)
    for hand, reason in [
        ((), "list"),
        ((1, 2, 3), "must fall"),
        ((3, 3, 1), "must fall"),
        ((1000, 2, 1), "1000 does not exist"),
        ((3, 2, -1), "-1 does not exist"),
        ((3, 2), "as many"),
    ]:
        with pytest.raises(Refusal, match=reason):
            spaced_timesteps(LINEAR, 3, "hand", hand)


def test_that_a_path_has_a_level_a_step_and_ends_clean() -> None:
    path = make_path(LINEAR, (980, 500, 20))
    assert [level.t for level in path] == [980, 500, 20, -1]
    assert path[-1] is CLEAN
    assert [level.alpha_bar for level in path[:-1]] == pytest.approx(list(LINEAR.alpha_bar[[980, 500, 20]]))


def test_that_a_path_may_rise_and_stay_and_end_elsewhere() -> None:
    path = make_path(LINEAR, (20, 500, 500, 20), final_alpha_bar=0.9999)
    assert [level.t for level in path] == [20, 500, 500, 20, -1]
    assert path[-1].alpha_bar == pytest.approx(0.9999)
    assert not path[-1].is_clean


@pytest.mark.parametrize(
    ("timesteps", "final"), [((), 1.0), ((1000,), 1.0), ((-1,), 1.0), ((5,), 0.0), ((5,), 1.1), ((5,), math.nan)]
)
def test_that_impossible_paths_are_refused(timesteps: tuple[int, ...], final: float) -> None:
    with pytest.raises(Refusal, match=r"timestep|alpha_bar"):
        make_path(LINEAR, timesteps, final)


@given(st.sampled_from(SPACINGS), st.integers(1, 300), st.integers(0, 999))
def test_that_a_partial_path_goes_down_from_where_it_starts(spacing: SpacingName, steps: int, t: int) -> None:
    timesteps = spaced_timesteps(LINEAR, steps, spacing)
    partial = partial_timesteps(timesteps, t)
    assert partial[0] == t
    assert set(partial[1:]) == {s for s in timesteps if s < t}
    assert all(later < earlier for earlier, later in pairwise(partial))
    path = partial_path(LINEAR, timesteps, t)
    assert [level.t for level in path] == [*partial, -1]


def test_that_no_two_steps_of_a_path_share_a_level() -> None:
    for spacing in SPACINGS:
        path = make_path(LINEAR, spaced_timesteps(LINEAR, 150, spacing))
        assert all(later.log_snr > earlier.log_snr for earlier, later in pairwise(path))


@given(
    steps=st.integers(1, 70), t=st.integers(0, 999), offset=st.integers(0, 1), zero_snr=st.booleans(),
    spacing=st.sampled_from(SPACINGS),
)  # fmt: skip
def test_that_a_part_of_a_spacing_is_known_by_its_timesteps(
    steps: int, t: int, offset: int, zero_snr: bool, spacing: SpacingName
) -> None:
    info = replace(DIGITS, steps_offset=offset, schedule=replace(DIGITS.schedule, zero_snr=zero_snr))
    part = partial_timesteps(model_timesteps(info, steps, spacing), t)
    assert steps_of_whole(info, part, spacing, steps) == steps
    fewest = steps_of_whole(info, part, spacing)
    assert fewest is not None
    assert fewest <= steps
    assert partial_timesteps(model_timesteps(info, fewest, spacing), t) == part
    if len(part) > 1 and part[-1] > 0:
        moved = (*part[:-1], part[-1] - 1)
        found = steps_of_whole(info, moved, spacing)
        assert found is None or partial_timesteps(model_timesteps(info, found, spacing), t) == moved


def test_that_timesteps_that_are_no_part_of_a_spacing_are_not_taken_for_one() -> None:
    assert steps_of_whole(DIGITS, (450, 400, 300, 200, 100, 0), "leading") == 10
    assert steps_of_whole(DIGITS, (450, 400, 300, 199, 100, 0), "leading") is None
    assert steps_of_whole(DIGITS, (450, 400, 300, 200, 100, 0), "trailing") is None
    assert steps_of_whole(DIGITS, (450, 400, 300, 200, 100, 0), "hand") is None
    assert steps_of_whole(DIGITS, (1, 0), "leading") == 1, "the fewest, where any number would do"
    assert steps_of_whole(DIGITS, (1, 0), "leading", usual=50) == 50
