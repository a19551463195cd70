"""The budget of previews, on a clock of its own."""

import pytest

from core import pace
from core.pace import Pace


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(pace, "time", made)
    return made


@pytest.mark.parametrize(("step", "preview"), [(0.004, 0.010), (0.100, 0.002), (0.001, 0.001), (1.0, 0.3)])
def test_that_previews_take_at_most_a_tenth_of_a_runs_time(clock, step, preview) -> None:
    run, previews = Pace(), 0
    for _ in range(2000):
        clock.now += step
        run.stepped(step)
        if run.preview_is_due():
            clock.now += preview
            run.previewed(preview)
            previews += 1
    assert previews > 10
    assert run.previewing <= 0.1 * run.working + preview, "the first is not optional"


def test_that_cheap_previews_come_no_oftener_than_the_screen_shows_them(clock) -> None:
    run, previews = Pace(), 0
    for _ in range(1000):
        clock.now += 0.001
        run.stepped(0.001)
        if run.preview_is_due():
            run.previewed(0.0)
            previews += 1
    assert previews == pytest.approx(30, abs=2)


def test_that_the_first_step_is_always_shown_and_the_rate_follows_recent_steps(clock) -> None:
    run = Pace()
    assert run.rate == 0
    run.stepped(3.0)
    assert run.preview_is_due()
    for _ in range(60):
        run.stepped(0.5)
    assert run.rate == pytest.approx(2, rel=1e-3)
    assert run.working == pytest.approx(33)
