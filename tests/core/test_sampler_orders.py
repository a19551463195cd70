"""The error of samplers against their number of steps, on data whose exact score is known in closed form."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from core.denoiser import Denoiser
from core.paths import make_path, spaced_timesteps
from core.requests import ScheduleSpec
from core.samplers import ddim, ddpm
from core.schedules import make_schedule
from tests.convergence import MIXTURES, ORDERS, WALKS, errors, even_path, last
from tests.toys import ONE_D, MixtureDenoiser

STEPS = (12, 16, 24, 32, 48, 64)


@pytest.mark.parametrize("mixture", MIXTURES)
@pytest.mark.parametrize("sampler", WALKS)
def test_that_the_error_falls_with_the_order_of_the_method(sampler: str, mixture: str) -> None:
    pytest.importorskip("scipy")
    found = errors(MIXTURES[mixture], {sampler: STEPS})[sampler]
    slope = -np.polyfit(np.log(STEPS), np.log(found), 1)[0]
    assert slope == pytest.approx(ORDERS[sampler], abs=0.25)
    assert all(later < earlier for earlier, later in pairwise(found))


@pytest.mark.parametrize(("sampler", "order"), [("ddim", 1), ("heun", 2)])
def test_that_the_way_up_and_down_closes_with_the_order_of_the_method(sampler: str, order: int) -> None:
    x = torch.linspace(-1, 1, 9, dtype=torch.float64)[:, None]
    gaps = []
    for steps in STEPS:
        down = even_path(steps, end=3.0)
        latent = last(WALKS[sampler](ONE_D, down[::-1], x))
        gaps.append(float((last(WALKS[sampler](ONE_D, down, latent)) - x).square().mean().sqrt()))
    assert -np.polyfit(np.log(STEPS), np.log(gaps), 1)[0] > order - 0.25


LINEAR = make_schedule(ScheduleSpec())
REAL = make_path(LINEAR, spaced_timesteps(LINEAR, 100, "log_snr"))


def moments(sampler: str, denoise: Denoiser) -> tuple[float, float]:
    """Mean and standard deviation of what the sampler makes of N(0, 1), exact for a denoiser that is affine in x_t.

    Then so is the whole walk, in its start and in each of its draws: they are set to 1 one at a time.
    """
    x = torch.zeros(len(REAL) + 1, 1, dtype=torch.float64)
    x[1] = 1
    drawn = iter(range(2, len(x)))

    def noise() -> Tensor:
        only = torch.zeros_like(x)
        only[next(drawn)] = 1
        return only

    if sampler in WALKS:
        end = last(WALKS[sampler](denoise, REAL, x))
    elif sampler == "ddim noisy":
        end = last(ddim(denoise, REAL, x, None, eta=0.6, noise=noise))
    else:
        end = last(ddpm(denoise, REAL, x, None, variance="large" if "large" in sampler else "small", noise=noise))
    return float(end[0]), float((end[1:] - end[0]).square().sum().sqrt())


@given(st.sampled_from([*WALKS, "ddim noisy", "ddpm small", "ddpm large"]), st.floats(-0.7, 0.7), st.floats(0.2, 1.0))
def test_that_every_sampler_turns_noise_into_the_normal_distribution_it_was_told_of(
    sampler: str, mean: float, std: float
) -> None:
    one = MixtureDenoiser(torch.tensor([[mean]]).double(), torch.ones(1).double(), std)
    found_mean, found_std = moments(sampler, one)
    assert found_mean == pytest.approx(mean, abs=0.015)
    assert found_std == pytest.approx(std, rel=0.05)


def test_that_one_step_of_heun_and_dpm_solver_from_the_noise_is_ddims() -> None:
    x = torch.linspace(-2, 2, 9, dtype=torch.float64)[:, None]
    path = make_path(LINEAR, (999,))
    ends = [last(walk(ONE_D, path, x)) for walk in WALKS.values()]
    torch.testing.assert_close(ends[1], ends[0])
    torch.testing.assert_close(ends[2], ends[0])


def test_that_a_start_without_any_signal_is_walked_from_by_every_sampler() -> None:
    schedule = make_schedule(ScheduleSpec(zero_snr=True))
    path = make_path(schedule, spaced_timesteps(schedule, 60, "log_snr"))
    assert path[0].alpha == 0
    x = torch.randn(4000, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for walk in WALKS.values():
        end = last(walk(ONE_D, path, x))
        for centre, weight in zip(ONE_D.means[:, 0], ONE_D.weights, strict=True):
            share = float(((end - centre).abs() < 0.35).double().mean())
            assert share == pytest.approx(float(weight) * 0.92, abs=0.06)
