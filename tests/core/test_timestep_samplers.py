"""Which timesteps a batch is noised to: fair, whatever they are drawn by, and the same again after an interruption."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Cancelled, Refusal
from core.requests import ScheduleSpec
from core.training.checkpoint import load_checkpoint, save_checkpoint
from core.training.order import TimestepSamplerName
from core.training.timestep_samplers import LossSecondMoment, TimestepSampler, timestep_sampler
from core.training.trainer import Trainer
from tests.core.halves import DATA, REQUEST

NAMES = get_args(TimestepSamplerName)


def taught(T: int, losses: torch.Tensor) -> LossSecondMoment:
    """One that has seen ten times the same loss of every t."""
    sampler = LossSecondMoment(T)
    for _ in range(10):
        sampler.observe(torch.arange(T), losses)
    return sampler


@given(name=st.sampled_from(NAMES), count=st.integers(1, 64), T=st.integers(1, 1000), seed=st.integers(0, 1000))
def test_that_timesteps_lie_in_range_and_count_once_where_all_are_alike(
    name: TimestepSamplerName, count: int, T: int, seed: int
) -> None:
    t, weights = timestep_sampler(name, T).draw(count, torch.Generator().manual_seed(seed))
    assert (t.dtype, t.shape, weights.dtype) == (torch.int64, (count,), torch.float32)
    assert 0 <= int(t.min()) <= int(t.max()) < T
    assert torch.allclose(weights, torch.ones(count))


@given(count=st.integers(1, 64), T=st.integers(2, 1000), seed=st.integers(0, 1000))
def test_that_spread_timesteps_lie_apart(count: int, T: int, seed: int) -> None:
    t, _ = timestep_sampler("spread", T).draw(count, torch.Generator().manual_seed(seed))
    per_bin = torch.bincount(t * count // T, minlength=count)
    assert count > T or int(per_bin.max()) <= 2


@given(count=st.integers(1, 65), T=st.integers(1, 1000), seed=st.integers(0, 1000))
def test_that_antithetic_timesteps_are_mirrored(count: int, T: int, seed: int) -> None:
    t, _ = timestep_sampler("antithetic", T).draw(count, torch.Generator().manual_seed(seed))
    half = -(-count // 2)
    assert torch.equal(t[half:], T - 1 - t[: count - half])


@pytest.mark.parametrize("name", ["spread", "uniform", "antithetic"])
def test_that_every_timestep_is_equally_likely(name: TimestepSamplerName) -> None:
    generator, sampler = torch.Generator().manual_seed(0), timestep_sampler(name, 10)
    t = torch.cat([sampler.draw(4, generator)[0] for _ in range(5000)])
    shares = torch.bincount(t, minlength=10).double() / len(t)
    np.testing.assert_allclose(shares, 0.1, atol=0.01)


def samplers(T: int) -> list[TimestepSampler]:
    skewed = taught(T, 10.0 ** -torch.arange(T))
    return [*(timestep_sampler(name, T) for name in NAMES), skewed]


@pytest.mark.parametrize("index", range(len(NAMES) + 1))
def test_that_the_weighted_mean_of_any_function_of_t_is_its_mean(index: int) -> None:
    T, generator = 7, torch.Generator().manual_seed(index)
    sampler = samplers(T)[index]
    for function in (torch.arange(T) ** 2.0, (torch.arange(T) == 3).double()):
        means = torch.empty(4000, dtype=torch.float64)
        for i in range(len(means)):
            t, weights = sampler.draw(3, generator)
            means[i] = (weights * function[t]).mean()
        error = float(means.std()) / math.sqrt(len(means))
        assert float(means.mean()) == pytest.approx(float(function.mean()), abs=3 * error)


def test_that_the_draws_follow_the_second_moment_of_the_last_ten_losses() -> None:
    T, generator = 3, torch.Generator().manual_seed(0)
    sampler = taught(T, torch.tensor([100.0, 100.0, 100.0]))
    losses = torch.rand(10, T, generator=generator, dtype=torch.float64)
    for row in losses:
        sampler.observe(torch.arange(T), row)
    size = np.sqrt((losses.numpy() ** 2).mean(0))
    wanted = size / size.sum() * 0.999 + 0.001 / T
    assert sampler.probabilities().numpy() == pytest.approx(wanted, rel=1e-12)
    t, weights = sampler.draw(20_000, generator)
    shares = torch.bincount(t, minlength=T).double().numpy() / len(t)
    np.testing.assert_allclose(shares, wanted, atol=4 * math.sqrt(0.25 / len(t)))
    assert weights.numpy() == pytest.approx(1 / (T * wanted[t.numpy()]), rel=1e-6)


def test_that_the_draws_are_uniform_until_every_timestep_has_ten_losses() -> None:
    sampler = LossSecondMoment(3)
    for _ in range(9):
        sampler.observe(torch.tensor([0, 1, 2, 0]), torch.tensor([5.0, 1.0, 1.0, 5.0]))
    assert sampler.probabilities().tolist() == pytest.approx([1 / 3] * 3)
    sampler.observe(torch.tensor([1, 2]), torch.tensor([1.0, 1.0]))
    assert sampler.probabilities().tolist() == pytest.approx([0.999 * p + 0.001 / 3 for p in (5 / 7, 1 / 7, 1 / 7)])


def test_that_losses_of_nothing_leave_the_draws_uniform() -> None:
    assert taught(4, torch.zeros(4)).probabilities().tolist() == [0.25] * 4


LEARNING = replace(
    REQUEST, timestep_sampler="loss_second_moment", schedule=ScheduleSpec("cosine", 10), steps=36, batch=16
)
"""Ten losses of each of the 10 timesteps are there after some 15 steps."""


def test_that_a_run_that_has_learned_its_timesteps_is_resumed_to_the_bit(tmp_path: Path) -> None:
    whole, begun = Trainer(LEARNING, DATA), Trainer(LEARNING, DATA)
    losses = [step.loss for step in whole.steps()]
    for _ in range(28):
        begun.one_step()
    assert float(begun.batches.timesteps.probabilities().std()) > 0.002  # type: ignore[attr-defined]
    save_checkpoint(begun, tmp_path)
    resumed = Trainer(LEARNING, DATA)
    load_checkpoint(resumed, tmp_path)
    assert [step.loss for step in resumed.steps()] == losses[28:]
    for name, tensor in whole.batches.timesteps.state().items():
        assert torch.equal(resumed.batches.timesteps.state()[name], tensor)


def test_that_a_step_that_is_left_teaches_nothing() -> None:
    calls = 0

    def leave() -> None:
        nonlocal calls
        calls += 1
        if calls == 6:
            raise Cancelled

    request = replace(LEARNING, micro_batch=4, steps=2)
    trainer, undisturbed = Trainer(request, DATA, check=leave), Trainer(request, DATA)
    with pytest.raises(Cancelled):
        trainer.one_step()
    assert int(trainer.batches.timesteps.state()["counts"].sum()) == 0
    assert [step.loss for step in trainer.steps()] == [step.loss for step in undisturbed.steps()]


def test_that_what_was_learned_of_another_schedule_is_refused(tmp_path: Path) -> None:
    save_checkpoint(Trainer(LEARNING, DATA), tmp_path)
    other = Trainer(replace(LEARNING, schedule=ScheduleSpec("cosine", 12)), DATA)
    with pytest.raises(Refusal, match="does not belong"):
        load_checkpoint(other, tmp_path)


def test_that_the_learned_timesteps_leave_the_expected_gradient_as_it_is() -> None:
    """Of a batch drawn by a skewed sampler the weighted loss is on average that of a uniform one."""
    T, generator = 10, torch.Generator().manual_seed(3)
    task = Trainer(LEARNING, DATA).task
    skewed = taught(T, torch.linspace(0.1, 3, T))
    x0 = torch.full((4000, 1, 2, 2), 0.5)

    def mean_and_error(sampler: TimestepSampler) -> tuple[float, float]:
        t, weights = sampler.draw(len(x0), generator)
        eps = torch.randn(x0.shape, generator=generator)
        losses = weights * task.losses(lambda x, t, labels: torch.zeros_like(x), x0, eps, t, None)
        return float(losses.mean()), float(losses.std()) / math.sqrt(len(losses))

    (mine, error), (wanted, other) = mean_and_error(skewed), mean_and_error(timestep_sampler("uniform", T))
    assert mine == pytest.approx(wanted, abs=3 * math.hypot(error, other))
