"""The mathematics beside a run, held to the papers' formulas written out by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.stages.denoise_settings import DenoiseSettings, resolve
from app.stages.run_maths import algorithm_of, formula_of, line_of, numbers_of, step_numbers
from app.state import Run
from core.levels import CLEAN, Level
from core.paths import make_path
from core.requests import ClassifierSpec, Conversion, ImageRef, SamplerSpec
from core.schedules import make_schedule
from tests.app.fake_engine import DIGITS, GUIDE

CLASSIFIER = ClassifierSpec(GUIDE.ref, (3,))

falling = st.tuples(st.floats(0.01, 0.98), st.floats(0.001, 0.98)).filter(lambda ab: ab[0] > ab[1] + 0.005)


def run_of(sampler, steps=4):
    request = resolve(DenoiseSettings(sampler=sampler, steps=steps, guidance=0.0), replace(DIGITS, variance="range"))
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


@given(falling)
def test_that_heuns_numbers_are_eulers_step_in_x_over_alpha(alpha_bars):
    prev, now = alpha_bars
    numbers = step_numbers(SamplerSpec("heun"), Level.from_alpha_bar(5, now), Level.from_alpha_bar(4, prev))
    difference = math.sqrt((1 - prev) / prev) - math.sqrt((1 - now) / now)
    assert numbers == pytest.approx(
        {"to_x_t": math.sqrt(prev / now), "to_eps": math.sqrt(prev) * difference}, rel=1e-6, abs=1e-9
    )


@given(falling, st.floats(0.01, 0.9))
def test_that_dpm_solvers_numbers_are_those_of_algorithm_2(alpha_bars, share):
    prev, now = alpha_bars
    before = now * share
    lambdas = [0.5 * math.log(bar / (1 - bar)) for bar in (before, now, prev)]
    h, r = lambdas[2] - lambdas[1], (lambdas[1] - lambdas[0]) / (lambdas[2] - lambdas[1])
    levels = [Level.from_alpha_bar(t, bar) for t, bar in ((6, before), (5, now), (4, prev))]
    numbers = step_numbers(SamplerSpec("dpmpp"), levels[1], levels[2], levels[0])
    assert numbers == pytest.approx(
        {
            "to_x_t": math.sqrt((1 - prev) / (1 - now)),
            "to_x0": -math.sqrt(prev) * math.expm1(-h),
            "now": 1 + 1 / (2 * r),
            "before": 1 / (2 * r),
        },
        rel=1e-6,
        abs=1e-9,
    )


def test_that_dpm_solvers_first_and_last_steps_are_of_first_order():
    run = run_of(SamplerSpec("dpmpp"))
    assert numbers_of(run, 0)["before"] == 0 < numbers_of(run, 1)["before"]
    assert numbers_of(run, 3) == {"to_x_t": 0.0, "to_x0": 1.0, "now": 1.0, "before": 0.0}


def test_that_where_nothing_is_left_of_the_picture_no_number_is_printed_for_heun():
    assert step_numbers(SamplerSpec("heun"), Level.from_alpha_bar(9, 0.0), Level.from_alpha_bar(5, 0.2)) == {}


@pytest.mark.parametrize(("name", "update", "end"), [("ddpm", 4, 6), ("ddim", 5, 7), ("dpmpp", 6, 8)])
def test_that_the_line_lit_is_the_start_the_update_or_the_end(name, update, end):
    run = run_of(SamplerSpec(name))
    assert [line_of(run.request, step) for step in range(5)] == [1, update, update, update, end]
    _, lines = algorithm_of(run.request)
    assert "return" in lines[end - 1]
    assert "x_{t-1}" in lines[update - 1]


def test_that_heuns_last_step_ends_with_the_first_of_its_two_updates():
    run = run_of(SamplerSpec("heun"))
    assert [line_of(run.request, step) for step in range(5)] == [1, 6, 6, 4, 8]


@pytest.mark.parametrize("name", ["ddpm", "ddim", "heun", "dpmpp"])
def test_that_what_guides_has_lines_of_its_own(name):
    plain = run_of(SamplerSpec(name)).sampling
    alone = algorithm_of(replace(plain, guidance=0.0))[1]
    guided = algorithm_of(replace(plain, guidance=2.0))[1]
    classified = algorithm_of(replace(plain, guidance=0.0, classifier=CLASSIFIER))[1]
    assert not any("1 + w" in line or "log p" in line for line in alone)
    assert any("(1 + w)" in line for line in guided)
    assert any(r"\log p(y" in line for line in classified)


def test_that_a_run_from_a_picture_enters_at_the_loop():
    settings = DenoiseSettings(from_picture=True)
    request = resolve(settings, DIGITS, ImageRef("a" * 64, Conversion((32, 32), 1)))
    assert line_of(request, 0) == 2


@pytest.mark.parametrize(
    "sampler",
    [SamplerSpec("ddpm"), SamplerSpec("ddpm", variance="learned"), *map(SamplerSpec, ("ddim", "heun", "dpmpp"))],
)
def test_that_the_formula_has_a_place_for_every_number(sampler):
    run = run_of(sampler)
    assert tuple(numbers_of(run, 2)) == formula_of(run.request).numbers
    assert numbers_of(run, 4) == numbers_of(run, 3)
