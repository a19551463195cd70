"""What a run's weights draw from fixed seeds, with the way there, and when."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.noise import initial_noise
from core.training.draw_request import MOMENTS, moments
from core.training.events import Drawn, Saved, TrainStep
from core.training.film import read_film
from core.training.order import Instruction, TrainOrder
from core.training.session import TrainingSession
from tests.core.halves import DATA, TINY


@pytest.fixture
def order(tmp_path: Path) -> TrainOrder:
    return TrainOrder(tmp_path / "run", steps=3, batch=4, samples=3, sample_every=1e9, save_every=1e9)


def session(order: TrainOrder) -> TrainingSession:
    return TrainingSession(order, DATA, network=TINY)


def sets(order: TrainOrder) -> list[Drawn]:
    return [event for event in session(order).work() if isinstance(event, Drawn)]


def test_that_the_way_of_every_sample_is_kept_from_its_noise_to_its_picture(order: TrainOrder) -> None:
    drawn = sets(order)[-1]
    assert drawn.x0_hat is not None
    assert drawn.x_t is not None
    assert len(drawn.timesteps) == MOMENTS
    assert list(drawn.timesteps) == sorted(set(drawn.timesteps), reverse=True)
    assert drawn.timesteps[-1] == 0
    assert drawn.x0_hat.shape == drawn.x_t.shape == (MOMENTS, 3, 8, 8, 1)
    noise = np.clip(np.rint((initial_noise(0, (3, 1, 8, 8)) + 1) * 127.5), 0, 255)
    np.testing.assert_allclose(drawn.x_t[0, :, :, :, 0], noise[:, 0], atol=1)
    np.testing.assert_array_equal(drawn.x0_hat[-1], drawn.pictures)  # the last step of DDIM goes to x0_hat itself
    assert not np.array_equal(drawn.x_t[4], drawn.x_t[5])


def test_that_of_a_way_moments_are_evenly_spread_with_both_ends() -> None:
    assert moments(4) == (0, 1, 2, 3)
    chosen = moments(25)
    assert (chosen[0], chosen[-1], len(set(chosen))) == (0, 24, MOMENTS)
    assert set(np.diff(chosen)) == {2, 3}


def test_that_early_samples_of_the_average_are_near_those_of_the_raw_weights(order: TrainOrder) -> None:
    order = replace(order, steps=20, lr=0.02)
    averaged = sets(order)
    raw = sets(replace(order, out=order.out.with_name("raw"), samples_from="raw"))
    assert {drawn.weights for drawn in averaged} == {"ema"}
    assert {drawn.weights for drawn in raw} == {"raw"}
    np.testing.assert_array_equal(averaged[0].pictures, raw[0].pictures)  # before the first step there is one network
    start, end = (drawn.x0_hat[0].astype(float) for drawn in (raw[0], raw[-1]))
    learned = np.abs(end - start).mean()
    behind = np.abs(averaged[-1].x0_hat[0].astype(float) - end).mean()
    assert learned > 3
    assert behind < learned / 2


def test_that_checkpoints_that_stay_have_their_samples_in_the_folder(order: TrainOrder) -> None:
    run, saved = session(replace(order, steps=6, keep_every=2)), {}
    for event in run.work():
        if isinstance(event, Saved):
            saved[event.step] = [drawn.step for drawn in read_film(order.out).sets]
    assert saved[2] == [0, 2]
    assert saved[4] == [0, 2, 4]
    assert saved[6] == [0, 2, 4, 6]


def test_that_samples_asked_for_are_drawn_after_the_step_under_way_with_the_weights_asked_for(
    order: TrainOrder,
) -> None:
    run, told = session(order), []
    for event in run.work():
        if isinstance(event, TrainStep) and event.step == 1:
            run.instruct(Instruction(samples_from="raw", draw=True))
        if isinstance(event, TrainStep | Drawn):
            told.append((type(event).__name__, event.step, getattr(event, "weights", "")))
    assert told == [
        ("Drawn", 0, "ema"),
        ("TrainStep", 1, ""),
        ("Drawn", 1, "raw"),
        ("TrainStep", 2, ""),
        ("TrainStep", 3, ""),
        ("Drawn", 3, "raw"),
    ]
