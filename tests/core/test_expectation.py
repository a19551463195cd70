"""Is this normal? What is said of trainings whose truth is known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from core.requests import ScheduleSpec
from core.schedules import make_schedule
from core.training.baseline import averaged_age, losses_of_nothing, nothing_by_level
from core.training.ema import Ema
from core.training.events import LEVELS, RolledBack, Validated
from core.training.expectation import RULES, expectations, loss_of_nothing
from core.training.objectives import DiffusionTask
from core.training.order import ObjectiveName
from core.training.request import TrainRequest
from core.training.standing import Standing
from core.unet_config import UNetConfig


def standing(losses: np.ndarray, **changes: object) -> Standing:
    """A training of 10,000 pictures in batches of 64 with these losses and a calm gradient."""
    steps = len(losses)
    values: dict[str, object] = {
        "losses": losses.astype(np.float32),
        "norms": np.full(steps, 0.2, np.float32),
        "rates": np.full(steps, 1e-3, np.float32),
        "batch": 64,
    }
    return Standing(steps, 0.5, 10_000, **(values | changes))  # type: ignore[arg-type]


def falling(steps: int, start: float = 1.0, end: float = 0.05) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.geomspace(start, end, steps) * rng.normal(1, 0.1, steps)


def said(made: Standing) -> str:
    return " / ".join(f"{note.severity}: {note.headline} {note.numbers} {note.advice}" for note in expectations(made))


def validated(losses: dict[int, float]) -> tuple[Validated, ...]:
    return tuple(Validated(step, loss, np.zeros(LEVELS, np.float32)) for step, loss in losses.items())


# What is known without any training


@pytest.mark.parametrize("prediction", ["eps", "x0", "v"])
@pytest.mark.parametrize("objective", ["simple", "min_snr"])
def test_that_the_loss_of_nothing_is_what_a_network_that_answers_nothing_gets(
    prediction: str, objective: ObjectiveName
) -> None:
    spec = ScheduleSpec(T=50)
    request = TrainRequest("", "", UNetConfig(), schedule=spec, prediction=prediction, objective=objective, steps=1)  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(0)
    x0 = torch.rand((50, 3, 32, 32), generator=generator) * 2 - 1  # of power 1 / 3
    eps = torch.randn(x0.shape, generator=generator)

    def nothing(x: Tensor, _t: Tensor, _labels: Tensor | None) -> Tensor:
        return torch.zeros_like(x)

    losses = DiffusionTask(request).losses(nothing, x0, eps, torch.arange(50), None)
    foretold = losses_of_nothing(prediction, objective, make_schedule(spec), power=1 / 3)  # type: ignore[arg-type]
    assert foretold is not None
    np.testing.assert_allclose(losses.numpy(), foretold, rtol=0.12)
    assert float(losses.mean()) == pytest.approx(foretold.mean(), rel=0.02)


def test_that_a_loss_that_is_no_squared_error_has_no_loss_of_nothing() -> None:
    schedule = make_schedule(ScheduleSpec())
    assert losses_of_nothing("eps", "vlb", schedule) is None
    assert losses_of_nothing("mean", "simple", schedule) is None


def test_that_a_classifier_that_knows_nothing_guesses() -> None:
    assert loss_of_nothing(Standing(0, 0.0, 10, classes=10, task="classifier")) == pytest.approx(math.log(10))
    assert loss_of_nothing(Standing(0, 0.0, 10, prediction="eps")) == pytest.approx(1.0)


def test_that_levels_are_the_means_of_their_timesteps() -> None:
    np.testing.assert_allclose(nothing_by_level(np.arange(100.0)), 4.5 + 10 * np.arange(10))


@given(steps=st.integers(1, 300), decay=st.sampled_from([0.5, 0.9, 0.99, 0.999]))
def test_that_the_age_of_the_average_is_that_of_the_weights_in_it(steps: int, decay: float) -> None:
    parameter = nn.Parameter(torch.zeros(()))
    ema = Ema([("step", parameter)], decay)
    for step in range(1, steps + 1):
        parameter.data.fill_(step)
        ema.update()
    assert averaged_age(steps, decay) == pytest.approx(steps - float(ema.averages["step"]), rel=1e-3, abs=1e-3)


def test_that_the_average_is_a_tenth_of_the_steps_old_at_first_and_a_thousand_in_the_end() -> None:
    assert averaged_age(400, 0.999) == pytest.approx(40, rel=0.1)
    assert averaged_age(10**9, 0.999) == pytest.approx(999, rel=1e-3)


# What is said


def test_that_a_training_that_goes_well_is_said_to_be_fine() -> None:
    notes = expectations(standing(falling(2000), validated=validated({500: 0.3, 1000: 0.2, 1500: 0.1})))
    assert {note.severity for note in notes} == {"fine"}
    assert all(note.source and note.numbers for note in notes)


def test_that_before_the_first_step_there_is_something_to_say() -> None:
    (note,) = expectations(Standing(0, 0.0, 100))
    assert note.headline == "No step is done yet."


def test_that_a_training_that_ended_in_its_warm_up_is_too_short_to_judge() -> None:
    assert "fine: It has just begun" in said(standing(falling(80)))
    assert "look: It ended before it had really begun." in said(replace(standing(falling(80)), progress=1.0))


def test_that_a_loss_of_answering_nothing_is_fine_at_first_and_an_alarm_later() -> None:
    losses = np.random.default_rng(0).normal(1, 0.02, 600)
    early, late = standing(losses[:150], prediction="eps"), standing(losses, prediction="eps")
    assert "fine: It has only begun: by step 200" in said(early)
    first = expectations(late)[0]
    assert (first.severity, first.headline) == (
        "act",
        "It does not learn: its loss is that of a network that says nothing.",
    )
    assert "answering nothing costs 1.000" in first.numbers


@pytest.mark.parametrize(
    ("norm", "advice"), [(100.0, "a third of"), (1e-5, "three times"), (0.5, "if that is the same")]
)
def test_that_what_to_do_about_the_rate_depends_on_the_gradient(norm: float, advice: str) -> None:
    made = standing(np.ones(600), prediction="eps", norms=np.full(600, norm, np.float32))
    assert advice in expectations(made)[0].advice


def test_that_a_classifier_that_guesses_does_not_learn() -> None:
    guess = standing(np.full(2000, math.log(10)), task="classifier", classes=10)
    assert "guessing costs 2.303" in expectations(guess)[0].numbers
    assert expectations(guess)[0].severity == "act"
    assert "does not learn" not in said(standing(falling(2000, 2.3, 0.5), task="classifier", classes=10))


def test_that_a_classifier_is_held_against_guessing() -> None:
    learns = expectations(standing(np.full(2000, math.log(10) / 2), task="classifier", classes=10))[0]
    assert (learns.severity, learns.headline[:38]) == ("fine", "Its loss is 50% of that of guessing; a")


def test_that_validation_that_rises_while_training_falls_is_learning_by_heart() -> None:
    losses = falling(1000)
    overfit = standing(losses, validated=validated({200: 0.3, 400: 0.2, 600: 0.205, 800: 0.21, 1000: 0.22}))
    note = next(note for note in expectations(overfit) if "by heart" in note.headline)
    assert note.severity == "act"
    assert "rising for 600 steps" in note.headline
    assert "That is 10.0 %." in note.numbers
    assert "step 400" in note.advice
    a_little = standing(losses, validated=validated({200: 0.3, 400: 0.2, 600: 0.203, 800: 0.204, 1000: 0.205}))
    assert "look: Validation has been rising" in said(a_little)


@pytest.mark.parametrize(
    "losses",
    [
        {200: 0.3, 400: 0.2, 600: 0.15, 800: 0.12},  # falls
        {200: 0.3, 400: 0.2, 600: 0.2, 800: 0.201},  # stays
        {200: 0.3, 400: 0.2, 600: 0.15, 800: 0.16},  # rose once
    ],
)
def test_that_validation_that_falls_stays_or_rises_once_is_no_alarm(losses: dict[int, float]) -> None:
    assert "by heart" not in said(standing(falling(800), validated=validated(losses)))


def test_that_validation_that_rises_with_training_is_not_learning_by_heart() -> None:
    losses = np.concatenate((falling(500), np.linspace(0.05, 0.5, 500)))
    made = standing(losses, validated=validated({400: 0.1, 500: 0.05, 700: 0.2, 900: 0.4}))
    assert "by heart" not in said(made)
    assert "act: The loss of training rises." in said(made)


def test_that_a_rise_within_the_noise_is_none() -> None:
    losses = np.concatenate((falling(500), np.full(500, 0.052)))
    assert "rises" not in said(standing(losses))
    assert "look: The loss of training rises." in said(standing(np.concatenate((falling(500), np.full(500, 0.09)))))


def test_that_jumps_of_the_gradient_are_counted() -> None:
    norms = np.full(1000, 0.2, np.float32)
    norms[600::20] = 3.0
    note = next(note for note in expectations(standing(falling(1000), norms=norms)) if "gradient" in note.headline)
    assert note.severity == "look"
    assert "Median 0.2, largest 3 in the last 500 steps; 4.0% above 5 ×." in note.numbers
    norms[600::20] = 0.9
    norms[:100] = 5.0  # of the warm-up
    assert "The gradient is calm." in said(standing(falling(250), norms=norms[:250]))
    assert "The gradient is calm." in said(standing(falling(1000), norms=norms))


def test_that_roll_backs_are_told_until_the_training_has_long_been_calm() -> None:
    one = RolledBack(620, 600, 0.5, "the loss of step 620 was no number")
    fresh, twice = (
        standing(falling(800), rolled_back=back) for back in ((one,), (one, RolledBack(700, 650, 0.25, "again")))
    )
    assert "look: It was rolled back once: the learning rate is at its limit." in said(fresh)
    assert "act: It was rolled back 2 times" in said(twice)
    assert "learned after step 600 was taken back" in said(fresh)
    assert "learned after step 650 was taken back" in said(twice)
    assert "25 % of this one" in said(twice)
    assert all("othing was lost" not in said(one) for one in (fresh, twice))
    assert "fine: It was rolled back once, and has been calm" in said(standing(falling(5000), rolled_back=(one,)))


def test_that_few_pictures_seen_often_are_a_reason_to_look_at_the_nearest() -> None:
    few = replace(standing(falling(2000)), pictures=300)
    assert "look: So few pictures are soon known by heart. 300 pictures, each seen 427 times." in said(few)
    assert "by heart" not in said(replace(few, pictures=5000))


@pytest.mark.parametrize(
    ("steps", "words"), [(60, "the averaged weights are 6 steps old"), (300, "Colours"), (1000, "recognisable")]
)
def test_that_what_samples_look_like_depends_on_how_much_was_seen(steps: int, words: str) -> None:
    assert words in said(standing(falling(steps)))


def test_that_a_loss_that_hardly_falls_is_said_to_be_normal() -> None:
    losses = np.concatenate((falling(400, 1, 0.1), np.linspace(0.1, 0.099, 3600)))
    assert "fine: The loss falls slowly from here on" in said(standing(losses))
    assert "slowly" not in said(standing(falling(4000)))


def test_that_the_end_is_foretold_by_the_learning_rate() -> None:
    rates = (1e-3 * 0.5 * (1 + np.cos(np.pi * np.linspace(0, 0.95, 1000)))).astype(np.float32)
    assert "falls to 0" in said(replace(standing(falling(1000), rates=rates), progress=0.95))
    assert "falls to 0" not in said(replace(standing(falling(1000), rates=rates[:500]), progress=0.5))


def test_that_the_hardest_levels_are_named() -> None:
    by_level = np.full((1000, LEVELS), 0.1, np.float32)
    by_level[:, 3] = 0.5
    text = said(standing(falling(1000), by_level=by_level, prediction="eps"))
    assert "The hardest noise levels are t 300–399: 50% of the loss of answering nothing is left." in text


@given(
    losses=st.lists(st.one_of(st.floats(0, 1e6, width=32), st.just(math.nan)), max_size=60),
    repeat=st.integers(1, 40),
    progress=st.floats(0, 1),
    prediction=st.sampled_from(["eps", "x0", "v", "mean"]),
    objective=st.sampled_from(["simple", "weighted", "vlb", "hybrid", "min_snr"]),
    task=st.sampled_from(["diffusion", "classifier"]),
)
def test_that_there_is_something_to_say_whatever_was_recorded(
    losses: list[float], repeat: int, progress: float, prediction: str, objective: str, task: str
) -> None:
    curve = np.repeat(np.array(losses, np.float32), repeat)
    levels = np.tile(curve[:, None], LEVELS)
    made = Standing(
        *(len(curve), progress, 10, 4, 3, task),  # type: ignore[arg-type]
        losses=curve,
        norms=curve,
        rates=curve,
        by_level=levels,
        prediction=prediction,  # type: ignore[arg-type]
        objective=objective,  # type: ignore[arg-type]
        validated=validated({step: float(loss) for step, loss in enumerate(curve[::50]) if math.isfinite(loss)}),
    )
    notes = expectations(made)
    assert notes
    assert all("nan" not in f"{note.headline}{note.numbers}" for note in notes)
    assert len(notes) <= len(RULES)
