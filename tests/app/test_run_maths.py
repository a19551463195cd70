"""The mathematics beside a run, held to the papers' formulas written out by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.stages.denoise_settings import DenoiseSettings, resolve
from app.stages.run_maths import algorithm_of, formula_of, line_of, numbers_of, step_numbers
from app.state import Run
from core.levels import CLEAN, Level
from core.paths import make_path
from core.requests import Conversion, ImageRef, SamplerSpec
from core.schedules import make_schedule
from tests.app.fake_engine import DIGITS

falling = st.tuples(st.floats(0.01, 0.98), st.floats(0.001, 0.98)).filter(lambda ab: ab[0] > ab[1] + 0.005)


def run_of(sampler, steps=4):
    request = resolve(DenoiseSettings(sampler=sampler, steps=steps), DIGITS)
    return Run(1, request, make_path(make_schedule(request.schedule), request.timesteps), request.steps)


@given(falling, st.floats(0, 1))
def test_that_ddim_numbers_are_those_of_equation_12(alpha_bars, eta):
    prev, now = alpha_bars
    sigma = eta * math.sqrt((1 - prev) / (1 - now)) * math.sqrt(1 - now / prev)
    numbers = step_numbers(SamplerSpec("ddim", eta=eta), Level.from_alpha_bar(5, now), Level.from_alpha_bar(4, prev))
    assert numbers == pytest.approx(
        {"to_x0": math.sqrt(prev), "to_eps": math.sqrt(1 - prev - sigma**2), "to_z": sigma}, abs=1e-6
    )


@given(falling, st.sampled_from(["small", "large"]))
def test_that_ddpm_numbers_are_those_of_equation_7(alpha_bars, variance):
    prev, now = alpha_bars
    alpha, beta = now / prev, 1 - now / prev
    expected = {
        "to_x0": math.sqrt(prev) * beta / (1 - now),
        "to_x_t": math.sqrt(alpha) * (1 - prev) / (1 - now),
        "to_z": math.sqrt(beta * (1 - prev) / (1 - now) if variance == "small" else beta),
    }
    levels = Level.from_alpha_bar(5, now), Level.from_alpha_bar(4, prev)
    assert step_numbers(SamplerSpec("ddpm", variance=variance), *levels) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("sampler", [SamplerSpec("ddim", eta=1.0), SamplerSpec("ddpm", variance="large")])
def test_that_the_last_step_adds_no_noise(sampler):
    assert step_numbers(sampler, Level.from_alpha_bar(0, 0.99), CLEAN)["to_z"] == 0


@pytest.mark.parametrize(("name", "update", "end"), [("ddpm", 4, 6), ("ddim", 5, 7)])
def test_that_the_line_lit_is_the_start_the_update_or_the_end(name, update, end):
    run = run_of(SamplerSpec(name))
    assert [line_of(run.request, step) for step in range(5)] == [1, update, update, update, end]
    _, lines = algorithm_of(run.request)
    assert "return" in lines[end - 1]
    assert "x_{t-1}" in lines[update - 1]


def test_that_a_run_from_a_picture_enters_at_the_loop():
    settings = DenoiseSettings(from_picture=True)
    request = resolve(settings, DIGITS, ImageRef("a" * 64, Conversion((32, 32), 1)))
    assert line_of(request, 0) == 2


@pytest.mark.parametrize("name", ["ddpm", "ddim"])
def test_that_the_formula_has_a_place_for_every_number(name):
    run = run_of(SamplerSpec(name))
    assert tuple(numbers_of(run, 2)) == formula_of(run.request).numbers
    assert numbers_of(run, 4) == numbers_of(run, 3)
