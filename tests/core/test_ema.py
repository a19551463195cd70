"""The average of the weights."""

from __future__ import annotations

import pytest
import torch

from core.training.ema import Ema


def one(value: float) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.tensor([value], dtype=torch.float32))


def test_that_the_average_starts_as_a_copy_of_the_weights() -> None:
    weight = one(3.0)
    ema = Ema([("w", weight)], 0.9)
    with torch.no_grad():
        weight.add_(1)
    assert ema.averages["w"].item() == 3.0


def test_that_constant_weights_are_their_own_average() -> None:
    weight = one(0.3)
    ema = Ema([("w", weight)], 0.999)
    for _ in range(50):
        ema.update()
    assert ema.averages["w"].item() == pytest.approx(0.3, rel=1e-6)


def test_that_after_warm_up_the_average_is_the_weighted_sum_of_its_definition() -> None:
    weight, decay = one(0.0), 0.05  # below 1 / 10, the decay of the first update, so there is no warm-up
    ema = Ema([("w", weight)], decay)
    for value in (1.0, 2.0, 4.0):
        with torch.no_grad():
            weight.fill_(value)
        ema.update()
    expected = (1 - decay) * (4.0 + decay * 2.0 + decay**2 * 1.0)
    assert ema.averages["w"].item() == pytest.approx(expected, rel=1e-6)


def test_that_the_random_start_is_nearly_forgotten_after_ten_updates() -> None:
    weight = one(1.0)
    ema = Ema([("w", weight)], 0.9999)
    with torch.no_grad():
        weight.zero_()
    for _ in range(10):
        ema.update()
    remaining = 1.0
    for n in range(10):
        remaining *= (1 + n) / (10 + n)
    assert ema.averages["w"].item() == pytest.approx(remaining, rel=1e-5)
    assert remaining < 1e-4


def test_that_the_decay_never_exceeds_what_was_asked_for() -> None:
    ema = Ema([("w", one(0.0))], 0.99)
    assert [ema.decay_at(n) for n in (0, 10, 10_000)] == pytest.approx([0.1, 11 / 20, 0.99])


def test_that_averages_are_float32_and_apart_from_half_precision_weights() -> None:
    weight = torch.nn.Parameter(torch.ones(2, dtype=torch.bfloat16))
    ema = Ema([("w", weight)], 0.9)
    ema.update()
    assert ema.averages["w"].dtype == torch.float32
