"""Classifier guidance: exact where classifier and denoiser are exact, nothing at scale 0, and refused in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch

from core.denoiser import Clipped, Denoiser
from core.errors import Refusal
from core.guidance import ClassifierGuided, guided_by_classifier
from core.levels import Level
from core.library import Recogniser
from core.paths import make_path, spaced_timesteps
from core.requests import ClassifierSpec, GradientPlace, SamplerName, ScheduleSpec
from core.samplers import Step, StepNoise, ddim, ddpm, dpmpp, heun
from core.schedules import make_schedule
from tests.core.mixture import EVENT_SHAPE, MEANS, STD, Posterior, Unlabelled, standard_errors

SCHEDULE = make_schedule(ScheduleSpec("linear"))
COUNT = 4000


def guided(
    labels: Sequence[int],
    sampler: SamplerName = "ddim",
    recogniser: Recogniser | None = None,
    event_shape: tuple[int, ...] = EVENT_SHAPE,
    interval: tuple[int, int] | None = None,
    **changes: Any,
) -> Denoiser:
    recogniser = recogniser or Posterior()
    spec = ClassifierSpec(recogniser.info.ref, tuple(labels), **changes)
    return guided_by_classifier(
        Unlabelled(), recogniser, spec, labels, sampler=sampler, event_shape=event_shape, interval=interval
    )


def walk(denoise: Denoiser, sampler: str, steps: int = 1000, count: int = COUNT, variance: Any = "small") -> list[Step]:
    path = make_path(SCHEDULE, spaced_timesteps(SCHEDULE, steps, "trailing"))
    noise = StepNoise(3, (count, *EVENT_SHAPE))
    x = noise.initial()
    walks = {
        "ddim": lambda: ddim(denoise, path, x, None, eta=0.0, noise=noise),
        "heun": lambda: heun(denoise, path, x, None),
        "dpmpp": lambda: dpmpp(denoise, path, x, None),
        "ddpm": lambda: ddpm(denoise, path, x, None, variance=variance, noise=noise),
    }
    return list(walks[sampler]())


@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize(
    ("sampler", "at"),
    [("ddim", "x_t"), ("heun", "x_t"), ("dpmpp", "x_t"), ("ddpm", "x_t"), ("ddpm", "mean")],
)
def test_that_guidance_by_the_exact_posterior_samples_the_class(
    sampler: SamplerName, at: GradientPlace, label: int
) -> None:
    steps = 1000 if sampler in ("ddim", "ddpm") else 100
    x = walk(guided([label] * COUNT, sampler, at=at), sampler, steps)[-1].x_next
    mean, variance = standard_errors(x, label)
    assert abs(mean) < 3
    assert abs(variance) < 3


def test_that_without_guidance_both_classes_are_sampled() -> None:
    x = walk(Unlabelled(), "ddim", 200)[-1].x_next
    share = float((x > sum(MEANS) / 2).float().mean())
    assert share == pytest.approx(0.7, abs=3 * (0.3 * 0.7 / COUNT) ** 0.5)


def test_that_each_sample_is_guided_to_its_own_class() -> None:
    labels = [0, 1] * (COUNT // 2)
    x = walk(guided(labels), "ddim", 200)[-1].x_next.flatten()
    middle = sum(MEANS) / 2  # 3 standard deviations from either mean
    assert float(((x > middle) == torch.tensor(labels).bool()).float().mean()) > 0.995


def test_that_more_of_it_makes_samples_typical_and_less_various() -> None:
    spread = [float(walk(guided([1] * 1000, scale=scale), "ddim", 100, 1000)[-1].x_next.std()) for scale in (1, 6)]
    assert spread[1] < 0.9 * spread[0] < 1.1 * STD


@pytest.mark.parametrize("at", ["x_t", "mean"])
@pytest.mark.parametrize("sampler", ["ddim", "heun", "dpmpp", "ddpm"])
def test_that_scale_zero_is_the_unguided_walk_to_the_bit(sampler: SamplerName, at: GradientPlace) -> None:
    with_it = walk(guided([1] * 50, sampler, scale=0.0, at=at), sampler, 30, 50)
    without = walk(Unlabelled(), sampler, 30, 50)
    for one, other in zip(with_it, without, strict=True):
        assert torch.equal(one.x_next, other.x_next)


def test_that_the_guided_score_is_that_of_the_class() -> None:
    level = SCHEDULE.level(300)
    x = torch.randn(8, *EVENT_SHAPE, generator=torch.Generator().manual_seed(0))
    prediction = guided([1] * 8)(x, level, None)
    variance = (level.alpha * STD) ** 2 + level.sigma**2
    eps = level.sigma * (x - level.alpha * MEANS[1]) / variance
    assert torch.allclose(prediction.eps_hat, eps, atol=1e-5)
    assert torch.allclose(prediction.x0_hat * level.alpha + prediction.eps_hat * level.sigma, x, atol=1e-6)


def test_that_gradient_and_log_p_are_told_without_the_scale() -> None:
    level, labels = SCHEDULE.level(300), torch.tensor([0, 1, 1])
    x = torch.linspace(-1, 1, 3).view(3, *EVENT_SHAPE)
    gradient, log_p = Posterior().gradient(x, level, labels)
    for sampler in ("ddim", "ddpm"):
        for interval in (None, (900, 950)):
            told = guided(labels.tolist(), sampler, interval=interval, scale=7.0)(x, level, None)
            assert told.gradient is not None
            assert told.log_p is not None
            assert torch.equal(told.gradient, gradient)
            assert torch.equal(told.log_p, log_p)


def test_that_the_mean_of_an_ancestral_step_is_shifted_by_variance_times_gradient() -> None:
    labels, scale = torch.tensor([1] * 5), 2.5
    for variance in ("small", "large"):
        plain = walk(Unlabelled(), "ddpm", 10, 5, variance)[0]
        level, next_level = plain.level, plain.next_level
        ratio = level.alpha_bar / next_level.alpha_bar
        beta = 1 - ratio
        chosen = beta * (1 - next_level.alpha_bar) / (1 - level.alpha_bar) if variance == "small" else beta
        noise = StepNoise(3, (5, *EVENT_SHAPE))
        noise.initial()
        mean = plain.x_next - noise() * chosen**0.5
        for at, where, when in (("x_t", plain.x_t, level), ("mean", mean, next_level)):
            shifted = walk(guided(labels.tolist(), "ddpm", scale=scale, at=at), "ddpm", 10, 5, variance)[0]
            gradient, _ = Posterior().gradient(where, when, labels)
            assert torch.allclose(shifted.x_next - plain.x_next, scale * chosen * gradient, atol=2e-6)


def test_that_the_gradient_at_the_mean_is_asked_at_the_level_that_the_step_leads_to() -> None:
    recogniser = Posterior()
    steps = walk(guided([1] * 2, "ddpm", recogniser, at="mean"), "ddpm", 5, 2)
    expected = []
    for step in steps:
        expected += [step.level] if step.next_level.is_clean else [step.level, step.next_level]
    assert recogniser.met == expected


@pytest.mark.parametrize("sampler", ["ddim", "ddpm"])
def test_that_guidance_works_in_its_interval_alone(sampler: SamplerName) -> None:
    plain = walk(Unlabelled(), sampler, 20, 4)
    never_in = walk(guided([1] * 4, sampler, interval=(2000, 3000)), sampler, 20, 4)
    assert all(torch.equal(one.x_next, other.x_next) for one, other in zip(plain, never_in, strict=True))
    early = walk(guided([1] * 4, sampler, interval=(500, 400)), sampler, 20, 4)
    for one, other in zip(plain, early, strict=True):
        assert torch.equal(one.x_next, other.x_next) == (one.level.t > 500)


def test_that_pure_noise_is_not_guided() -> None:
    class Sees(Unlabelled):
        def __call__(self, x_t: Any, level: Any, condition: Any) -> Any:
            return super().__call__(x_t, SCHEDULE.level(999), condition)

    x, level = torch.ones(1, *EVENT_SHAPE), Level(999.0, 0.0, 1.0)
    told = ClassifierGuided(Sees(), Posterior(), torch.tensor([1]), 5.0)(x, level, None)
    assert torch.equal(told.x0_hat, Sees()(x, level, None).x0_hat)


def test_that_what_is_guided_can_still_be_clipped() -> None:
    level, x = SCHEDULE.level(600), torch.full((2, *EVENT_SHAPE), 2.0)
    told = Clipped(guided([1, 0], scale=50.0), "clamp")(x, level, None)
    assert float(told.x0_hat.abs().max()) <= 1
    assert told.gradient is not None


def test_that_others_are_let_in_while_the_gradient_is_taken() -> None:
    calls: list[int] = []
    spec = ClassifierSpec(Posterior().info.ref, (1,))
    denoise = guided_by_classifier(
        Unlabelled(), Posterior(), spec, (1,), sampler="ddim", event_shape=EVENT_SHAPE, check=lambda: calls.append(1)
    )
    denoise(torch.zeros(1, *EVENT_SHAPE), SCHEDULE.level(5), None)
    assert calls == [1]


def test_that_a_classifier_which_does_not_fit_is_refused_in_words() -> None:
    judge = Posterior(replace(Posterior().info, noisy=False))
    for words, arguments in (
        ("judges and cannot guide", {"recogniser": judge}),
        ("this model draws 32 × 32 in colour", {"event_shape": (3, 32, 32)}),
        ("has no class 2; its classes are low, high", {"labels": [0, 2]}),
        ("has no class -1", {"labels": [-1]}),
        ("give one label for each sample", {"labels": []}),
        ("scale of classifier guidance is a number", {"scale": float("nan")}),
    ):
        with pytest.raises(Refusal, match=words):
            guided(**({"labels": [0]} | arguments))
