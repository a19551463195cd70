"""When a run is said to have exploded, and what a person is then told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.training.recovery import RECENT, NotEnoughMemory, Watch, gave_up, rescues_made
from tests.core.halves import REQUEST


def test_that_nothing_is_said_of_the_first_steps() -> None:
    watch = Watch([1.0] * 50 + [1000.0] * RECENT)
    assert not watch.has_exploded
    assert not watch.is_suspicious


@pytest.mark.parametrize(("times", "suspicious", "exploded"), [(2, False, False), (5, True, False), (12, True, True)])
def test_that_a_loss_is_held_against_what_was_usual(times: float, suspicious: bool, exploded: bool) -> None:
    watch = Watch([0.5] * 300)
    for _ in range(RECENT):
        watch.add(0.5 * times)
    assert watch.times_usual == pytest.approx(times)
    assert (watch.is_suspicious, watch.has_exploded) == (suspicious, exploded)


def test_that_single_batches_far_off_are_no_explosion() -> None:
    losses = [0.1] * 400
    losses[::3] = [50.0] * len(losses[::3])
    assert not Watch(losses).is_suspicious


def test_that_what_is_not_known_is_left_out() -> None:
    assert Watch([float("nan")] * 1000 + [1.0] * 10).times_usual == 1.0


@given(st.floats(1e-3, 10), st.floats(0.3, 0.9), st.integers(0, 1000))
def test_that_a_loss_that_falls_and_scatters_never_explodes(start: float, scatter: float, seed: int) -> None:
    steps = np.arange(600)
    noise = np.random.default_rng(seed).lognormal(0, scatter, 600)
    watch, seen = Watch(), []
    for loss in start * (0.05 + np.exp(-steps / 80)) * noise:
        watch.add(loss)
        seen.append(watch.has_exploded)
    assert not any(seen[::20])


def test_that_rescues_are_counted_by_the_rate() -> None:
    assert [rescues_made(scale) for scale in (1.0, 0.5, 0.25, 0.125)] == [0, 1, 2, 3]


def test_that_who_gives_up_says_what_to_try() -> None:
    request = replace(REQUEST, lr=0.01, precision="bfloat16", objective="vlb", variance="fixed")
    said = gave_up(70, "its loss is no longer a number", request, 0.5, 60)
    assert said.step == 70
    assert str(said) == (
        "The training stopped at step 70: its loss is no longer a number, although its learning rate was halved once. "
        "Train again with a lower learning rate than 0.005, float32 or the simple objective. "
        "Its checkpoint of step 60 is still good."
    )
    assert "halved" not in str(gave_up(1, "its loss is no longer a number", request, 1.0, None))


@pytest.mark.parametrize(("pictures", "next_one"), [(64, 32), (3, 1), (1, 0)])
def test_that_half_as_many_pictures_are_offered_until_none_are_left(pictures: int, next_one: int) -> None:
    refusal = NotEnoughMemory(pictures)
    assert refusal.micro_batch == next_one
    assert ("Not even one picture" in str(refusal)) == (next_one == 0)
