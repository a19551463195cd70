"""Samplers on a toy problem with published results, and properties of their walks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from core.denoiser import Clipped, Condition, LearnedVariance, NetworkDenoiser, Prediction
from core.errors import Refusal
from core.levels import CLEAN, Level, Path
from core.paths import make_path, spaced_timesteps
from core.process import marginal
from core.requests import PredictionKind, ScheduleSpec, VarianceName
from core.samplers import Before, Step, StepNoise, ddim, ddpm, dpmpp, heun
from core.schedules import Schedule, make_schedule

COUNT = 4 * 3 * 8 * 8
RAMP = torch.arange(COUNT, dtype=torch.float32) / COUNT
SAMPLE = RAMP.reshape(3, 8, 8, 4).permute(3, 0, 1, 2)
NOISE = RAMP.flip(0).reshape(3, 8, 8, 4).permute(3, 0, 1, 2)
SHAPE = tuple(SAMPLE.shape)
LINEAR = make_schedule(ScheduleSpec())
STEEP = make_schedule(ScheduleSpec(beta_start=0.01, beta_end=0.02))
TEN = spaced_timesteps(LINEAR, 10, "leading")


def toy(x: Tensor, t: Tensor, labels: Tensor | None) -> Tensor:
    return x * (t / (t + 1)).reshape(-1, 1, 1, 1)


def denoiser(kind: PredictionKind = "eps") -> Clipped:
    return Clipped(NetworkDenoiser(toy, kind), "clamp")


def no_noise() -> Tensor:
    raise AssertionError("this walk draws no noise")


def last(steps: Iterator[Step]) -> Tensor:
    *_, step = steps
    return step.x_next


def assert_golden(x: Tensor, total: float, mean: float) -> None:
    assert float(x.double().abs().sum()) == pytest.approx(total, abs=1e-2)
    assert float(x.double().abs().mean()) == pytest.approx(mean, abs=1e-3)


@pytest.mark.parametrize(("kind", "total", "mean"), [("eps", 172.0067, 0.223967), ("v", 52.5302, 0.0684)])
def test_that_ddim_gives_the_published_result(kind: PredictionKind, total: float, mean: float) -> None:
    path = make_path(LINEAR, TEN)
    assert_golden(last(ddim(denoiser(kind), path, SAMPLE, None, eta=0, noise=no_noise)), total, mean)


@pytest.mark.parametrize(
    ("final_alpha_bar", "total", "mean"), [(1.0, 149.8295, 0.1951), (float(STEEP.alpha_bar[0]), 149.0784, 0.1941)]
)
def test_that_ddim_ends_on_the_level_asked_for(final_alpha_bar: float, total: float, mean: float) -> None:
    path = make_path(STEEP, TEN, final_alpha_bar)
    assert_golden(last(ddim(denoiser(), path, SAMPLE, None, eta=0, noise=no_noise)), total, mean)


def test_that_ddim_continues_from_the_middle_of_a_path() -> None:
    path = make_path(LINEAR, TEN)
    x = marginal(SAMPLE, NOISE, path[8])
    assert_golden(last(ddim(denoiser(), path, x, None, eta=0, noise=no_noise, first=8)), 354.5418, 0.4616)


def inverse_path(schedule: Schedule, first_alpha_bar: float) -> Path:
    """Each step asks the network at the target's time about an x at the source's level."""
    levels = [Level.from_alpha_bar(-1, first_alpha_bar), *(schedule.level(t) for t in reversed(TEN))]
    sources = [Level(target.t, source.alpha, source.sigma) for source, target in pairwise(levels)]
    return (*sources, levels[-1])


@pytest.mark.parametrize(
    ("schedule", "kind", "first_alpha_bar", "total", "mean"),
    [
        (LINEAR, "eps", 1.0, 671.6816, 0.8746),
        (LINEAR, "v", 1.0, 1394.2185, 1.8154),
        (STEEP, "eps", 1.0, 539.9622, 0.7031),
        (STEEP, "eps", float(STEEP.alpha_bar[0]), 542.6722, 0.7066),
    ],
)
def test_that_ddim_on_a_rising_path_is_the_published_inversion(
    schedule: Schedule, kind: PredictionKind, first_alpha_bar: float, total: float, mean: float
) -> None:
    path = inverse_path(schedule, first_alpha_bar)
    assert_golden(last(ddim(denoiser(kind), path, SAMPLE, None, eta=0, noise=no_noise)), total, mean)


@pytest.mark.parametrize(("kind", "total", "mean"), [("eps", 258.9606, 0.3372), ("v", 202.0296, 0.2631)])
def test_that_ddpm_gives_the_published_result(kind: PredictionKind, total: float, mean: float) -> None:
    path = make_path(LINEAR, range(999, -1, -1))
    noise = StepNoise(0, SHAPE)
    assert_golden(last(ddpm(denoiser(kind), path, SAMPLE, None, variance="small", noise=noise)), total, mean)


def two_last_ddpm_steps() -> Tensor:
    path = make_path(LINEAR, range(999, -1, -1))
    x = marginal(SAMPLE, NOISE, path[998])
    return last(ddpm(denoiser(), path, x, None, variance="small", noise=StepNoise(0, SHAPE), first=998))


def test_that_ddpm_continues_from_the_middle_of_a_path() -> None:
    # The published sum, 387.9466, was made in float32, where 1 - alpha_t at t = 1 keeps four digits; see below.
    x = two_last_ddpm_steps()
    assert float(x.double().abs().sum()) == pytest.approx(387.9466, rel=1e-4)
    assert float(x.double().abs().mean()) == pytest.approx(0.5051, abs=1e-3)


@pytest.mark.parametrize(("dtype", "total"), [(torch.float32, 387.9466), (torch.float64, None)])
def test_that_the_published_ddpm_continuation_differs_by_its_float32_tables_alone(
    dtype: torch.dtype, total: float | None
) -> None:
    diffusers = pytest.importorskip("diffusers")
    scheduler = diffusers.DDPMScheduler(clip_sample=True)
    betas = torch.linspace(1e-4, 0.02, 1000, dtype=dtype)
    scheduler.alphas_cumprod, scheduler.one = torch.cumprod(1 - betas, 0), torch.ones((), dtype=dtype)
    x, generator = marginal(SAMPLE, NOISE, LINEAR.level(1)), torch.Generator().manual_seed(0)
    for t in (1, 0):
        x = scheduler.step(toy(x, torch.tensor([t]), None), t, x, generator=generator).prev_sample
    if total is not None:
        assert float(x.double().abs().sum()) == pytest.approx(total, abs=1e-2)
    else:
        torch.testing.assert_close(two_last_ddpm_steps(), x, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("sampler", "total", "mean"), [("ddim", 1147.7904, 0.4982), ("ddpm", 1153.1833, 0.5005)])
def test_that_single_steps_of_several_samples_give_the_published_result(
    sampler: str, total: float, mean: float
) -> None:
    """Three samples, a step each from t = 0, 1, 2, of which the first ends on the data; no noise."""
    results = []
    for t, x in enumerate((SAMPLE, SAMPLE + 0.1, SAMPLE - 0.1)):
        # DDIM's published step with 10 of 1000 timesteps goes 100 timesteps down: past the first.
        path = (LINEAR.level(t), CLEAN if sampler == "ddim" else LINEAR.level(t - 1))
        if sampler == "ddim":
            steps = ddim(denoiser(), path, x, None, eta=0, noise=no_noise)
        else:
            steps = ddpm(denoiser(), path, x, None, variance="small", noise=lambda: torch.zeros(SHAPE))
        results.append(last(steps))
    assert_golden(torch.cat(results), total, mean)


@pytest.mark.parametrize(("variance", "expected"), [("small", {0: 0, 487: 0.00979, 999: 0.02}), ("large", {})])
def test_that_ddpms_noise_has_the_published_variance(variance: VarianceName, expected: dict[int, float]) -> None:
    for t, value in (expected or {1: 1.1991992e-4, 499: 0.01004004, 999: 0.02}).items():
        path = (LINEAR.level(t), LINEAR.level(t - 1))
        x = torch.zeros(1, 1, 1, 1)
        steps = list(ddpm(denoiser(), path, x, None, variance=variance, noise=lambda: torch.ones(1, 1, 1, 1)))
        assert float(steps[0].x_next) ** 2 == pytest.approx(value, abs=1e-5, rel=1e-4 if not expected else None)


def test_that_on_strided_paths_the_large_variance_is_the_steps_own_beta() -> None:
    path = make_path(LINEAR, (500, 300))[:2]
    x = torch.zeros(1, 1, 1, 1)
    (step,) = ddpm(denoiser(), path, x, None, variance="large", noise=lambda: torch.ones(1, 1, 1, 1))
    beta = 1 - LINEAR.alpha_bar[500] / LINEAR.alpha_bar[300]
    assert float(step.x_next) == pytest.approx(math.sqrt(beta), rel=1e-6)


def test_that_hand_picked_timesteps_step_to_their_own_successors() -> None:
    path = make_path(LINEAR, (100, 87, 50, 1, 0))
    steps = list(ddpm(denoiser(), path, SAMPLE, None, variance="small", noise=StepNoise(0, SHAPE)))
    assert [(step.level.t, step.next_level.t) for step in steps] == [(100, 87), (87, 50), (50, 1), (1, 0), (0, -1)]
    assert [step.index for step in steps] == [0, 1, 2, 3, 4]
    assert all(torch.equal(earlier.x_next, later.x_t) for earlier, later in pairwise(steps))
    assert torch.equal(steps[-1].x_next, steps[-1].prediction.x0_hat)


@pytest.mark.parametrize("offset", [0, 1])
def test_that_ddim_agrees_with_diffusers_on_any_leading_path(offset: int) -> None:
    diffusers = pytest.importorskip("diffusers")
    scheduler = diffusers.DDIMScheduler(clip_sample=True, steps_offset=offset)
    scheduler.set_timesteps(20)
    x = SAMPLE.clone()
    for t in scheduler.timesteps:
        x = scheduler.step(toy(x, t, None), t, x).prev_sample
    timesteps = spaced_timesteps(LINEAR, 20, "leading", offset=offset)
    assert timesteps == tuple(scheduler.timesteps.tolist())
    ours = last(ddim(denoiser(), make_path(LINEAR, timesteps), SAMPLE, None, eta=0, noise=no_noise))
    torch.testing.assert_close(ours, x, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("eta", [0.3, 1.0])
def test_that_noisy_ddim_agrees_with_diffusers(eta: float) -> None:
    diffusers = pytest.importorskip("diffusers")
    scheduler = diffusers.DDIMScheduler(clip_sample=True)
    scheduler.set_timesteps(20)
    x, generator = SAMPLE.clone(), torch.Generator().manual_seed(5)
    for t in scheduler.timesteps:
        x = scheduler.step(
            toy(x, t, None), t, x, eta=eta, generator=generator, use_clipped_model_output=True
        ).prev_sample
    rederiving = Clipped(NetworkDenoiser(toy, "eps"), "rederive")
    path = make_path(LINEAR, spaced_timesteps(LINEAR, 20, "leading"))
    ours = last(ddim(rederiving, path, SAMPLE, None, eta=eta, noise=StepNoise(5, SHAPE)))
    torch.testing.assert_close(ours, x, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("variance", "name"), [("small", "fixed_small"), ("large", "fixed_large")])
def test_that_strided_ddpm_agrees_with_diffusers(variance: VarianceName, name: str) -> None:
    diffusers = pytest.importorskip("diffusers")
    scheduler = diffusers.DDPMScheduler(clip_sample=True, variance_type=name)
    timesteps = [900, 611, 300, 20, 0]
    scheduler.set_timesteps(timesteps=timesteps)
    x, generator = SAMPLE.clone(), torch.Generator().manual_seed(5)
    for t in scheduler.timesteps:
        x = scheduler.step(toy(x, t, None), t, x, generator=generator).prev_sample
    ours = last(
        ddpm(denoiser(), make_path(LINEAR, timesteps), SAMPLE, None, variance=variance, noise=StepNoise(5, SHAPE))
    )
    torch.testing.assert_close(ours, x, rtol=1e-4, atol=1e-4)


# ------------------------------------------------------------------------------------------------ DPM-Solver++, Heun

SOLVER = make_path(LINEAR, spaced_timesteps(LINEAR, 11, "linspace")[:-1], float(LINEAR.alpha_bar[0]))


@pytest.mark.parametrize(("kind", "mean"), [("eps", 0.3301), ("v", 0.2251)])
def test_that_dpm_solver_gives_the_published_result(kind: PredictionKind, mean: float) -> None:
    x = last(dpmpp(NetworkDenoiser(toy, kind), SOLVER, SAMPLE, None))
    assert float(x.double().abs().mean()) == pytest.approx(mean, abs=1e-3)


def test_that_dpm_solver_with_dynamic_thresholding_gives_the_published_result() -> None:
    denoise = Clipped(NetworkDenoiser(toy, "eps"), "dynamic", percentile=0.87, limit=0.5)
    assert float(last(dpmpp(denoise, SOLVER, SAMPLE, None)).double().abs().mean()) == pytest.approx(1.1364, abs=1e-3)


def test_that_dpm_solver_continues_from_the_middle_of_a_path_with_the_published_result() -> None:
    x = marginal(SAMPLE, NOISE, SOLVER[5])
    found = last(dpmpp(NetworkDenoiser(toy, "eps"), SOLVER, x, None, first=5))
    assert float(found.double().abs().sum()) == pytest.approx(318.4111, abs=1e-2)


@pytest.mark.filterwarnings("ignore:__array__ implementation")
@pytest.mark.parametrize("kind", ["eps", "v", "x0"])
@pytest.mark.parametrize("threshold", [False, True])
def test_that_dpm_solver_agrees_with_diffusers_down_to_the_data(kind: PredictionKind, threshold: bool) -> None:
    diffusers = pytest.importorskip("diffusers")
    theirs = {"eps": "epsilon", "v": "v_prediction", "x0": "sample"}[kind]
    scheduler = diffusers.DPMSolverMultistepScheduler(
        beta_start=1e-4, beta_end=0.02, prediction_type=theirs, timestep_spacing="trailing", thresholding=threshold,
        dynamic_thresholding_ratio=0.9, sample_max_value=1.3, lower_order_final=False, final_sigmas_type="zero",
    )  # fmt: skip
    scheduler.set_timesteps(20)
    x = SAMPLE.clone()
    for t in scheduler.timesteps:
        x = scheduler.step(toy(x, t.float(), None), t, x).prev_sample
    denoise = Clipped(NetworkDenoiser(toy, kind), "dynamic" if threshold else "none", percentile=0.9, limit=1.3)
    ours = last(dpmpp(denoise, make_path(LINEAR, scheduler.timesteps.tolist()), SAMPLE, None))
    torch.testing.assert_close(ours, x, rtol=1e-3, atol=1e-4)


@pytest.mark.filterwarnings("ignore:__array__ implementation")
@pytest.mark.parametrize("kind", ["eps", "v", "x0"])
def test_that_heun_agrees_with_diffusers(kind: PredictionKind) -> None:
    diffusers = pytest.importorskip("diffusers")
    theirs = {"eps": "epsilon", "v": "v_prediction", "x0": "sample"}[kind]
    scheduler = diffusers.HeunDiscreteScheduler(beta_start=1e-4, beta_end=0.02, prediction_type=theirs)
    scheduler.set_timesteps(10)
    timesteps = [999 - 111 * i for i in range(10)]
    assert scheduler.timesteps[::2].tolist() == timesteps
    path = make_path(LINEAR, timesteps)

    def network(x: Tensor, t: Tensor, labels: Tensor | None) -> Tensor:
        return x * (0.3 + t.reshape(-1, 1, 1, 1) / 2500)

    x = SAMPLE / path[0].alpha
    for t in scheduler.timesteps:  # its state is x / alpha
        given = scheduler.scale_model_input(x, t)
        x = scheduler.step(network(given, t, None), t, x).prev_sample
    ours = last(heun(NetworkDenoiser(network, kind), path, SAMPLE, None))
    assert float((ours - x).abs().max()) < 1e-3 * float(x.abs().max())


def test_that_dpm_solver_refuses_to_walk_towards_noise() -> None:
    for path in (make_path(LINEAR, (10, 20, 30)), (CLEAN, LINEAR.level(5))):
        with pytest.raises(Refusal, match="choose Heun"):
            last(dpmpp(denoiser(), path, SAMPLE, None))


def test_that_heun_asks_twice_a_step_but_once_where_it_ends_on_the_data() -> None:
    asked: list[float] = []

    def counted(x: Tensor, t: Tensor, labels: Tensor | None) -> Tensor:
        asked.append(float(t[0]))
        return toy(x, t, labels)

    last(heun(NetworkDenoiser(counted, "eps"), make_path(LINEAR, (900, 500, 100)), SAMPLE, None))
    assert asked == [900, 500, 500, 100, 100]


# ------------------------------------------------------------------------------------------------ learned variance


@pytest.mark.parametrize(("t", "prev"), [(999, 998), (500, 300)])
def test_that_ddpm_draws_with_the_variance_that_was_learned(t: int, prev: int) -> None:
    def learned(x_t: Tensor, level: Level, condition: Condition | None) -> Prediction:
        return Prediction(x_t * 0, x_t, LearnedVariance("range", torch.tensor([[-1.0, 0.0, 1.0]])))

    path = (LINEAR.level(t), LINEAR.level(prev))
    x = torch.zeros(1, 3)
    (step,) = ddpm(learned, path, x, None, variance="learned", noise=lambda: torch.ones(1, 3))
    (small,) = ddpm(learned, path, x, None, variance="small", noise=lambda: torch.ones(1, 3))
    (large,) = ddpm(learned, path, x, None, variance="large", noise=lambda: torch.ones(1, 3))
    low, middle, high = step.x_next[0].tolist()
    assert low == pytest.approx(float(small.x_next[0, 0]), rel=1e-5)
    assert high == pytest.approx(float(large.x_next[0, 0]), rel=1e-5)
    assert middle == pytest.approx(math.sqrt(low * high), rel=1e-5)  # half-way between the logarithms


def test_that_a_variance_that_was_not_learned_cannot_be_drawn_with() -> None:
    with pytest.raises(Refusal, match="has not learned"):
        last(ddpm(denoiser(), SOLVER, SAMPLE, None, variance="learned", noise=StepNoise(0, SHAPE)))


@pytest.mark.parametrize("variance", ["small", "large"])
def test_that_a_classifier_shifts_the_mean_by_the_variance_of_the_step_but_not_onto_the_data(
    variance: VarianceName,
) -> None:
    def towards_one(mean: Tensor, next_level: Level) -> Tensor:
        return 3 * (1 - mean)

    def denoise(x_t: Tensor, level: Level, condition: Condition | None) -> Prediction:
        return Prediction(0.5 * x_t, 0.5 * x_t, shift=towards_one)

    path = make_path(LINEAR, (500, 300))
    quiet = lambda: torch.zeros(SHAPE)  # noqa: E731
    plain, _ = ddpm(lambda x, *_: Prediction(0.5 * x, 0.5 * x), path, SAMPLE, None, variance=variance, noise=quiet)
    shifted, shifted_end = ddpm(denoise, path, SAMPLE, None, variance=variance, noise=quiet)
    beta = 1 - LINEAR.alpha_bar[500] / LINEAR.alpha_bar[300]
    tilde = beta * (1 - LINEAR.alpha_bar[300]) / (1 - LINEAR.alpha_bar[500])
    expected = plain.x_next + 3 * (1 - plain.x_next) * float(tilde if variance == "small" else beta)
    torch.testing.assert_close(shifted.x_next, expected)
    torch.testing.assert_close(shifted_end.x_next, 0.5 * expected)


class GaussianData:
    """The exact denoiser for data from N(mean, std^2)."""

    def __init__(self, mean: float, std: float) -> None:
        self.mean, self.std = mean, std

    def __call__(self, x_t: Tensor, level: Level, condition: object) -> Prediction:
        variance = (level.alpha * self.std) ** 2 + level.sigma**2
        x0 = self.mean + level.alpha * self.std**2 / variance * (x_t - level.alpha * self.mean)
        return Prediction(x0, (x_t - level.alpha * x0) / level.sigma)


@pytest.mark.parametrize("sampler", ["ddim", "ddim noisy", "ddpm small", "ddpm large"])
def test_that_samplers_turn_noise_into_gaussian_data(sampler: str) -> None:
    noise = StepNoise(0, (20_000, 1))
    x = noise.initial()
    denoise = GaussianData(0.3, 0.5)
    path = make_path(LINEAR, spaced_timesteps(LINEAR, 200, "linspace"))
    if sampler.startswith("ddim"):
        steps = ddim(denoise, path, x, None, eta=0.7 if "noisy" in sampler else 0.0, noise=noise)
    else:
        steps = ddpm(denoise, path, x, None, variance="small" if "small" in sampler else "large", noise=noise)
    samples = last(steps)
    assert float(samples.mean()) == pytest.approx(0.3, abs=0.015)
    assert float(samples.std()) == pytest.approx(0.5, abs=0.03)


def test_that_ddim_up_and_down_returns_to_where_it_began() -> None:
    denoise = GaussianData(0.0, 0.5)
    timesteps = range(0, 1000, 2)
    x = torch.linspace(-1, 1, 9).reshape(-1, 1)
    up = make_path(LINEAR, timesteps)[:-1]
    latent = last(ddim(denoise, up, x, None, eta=0, noise=no_noise))
    assert float(latent.std()) > 1.5 * float(x.std())
    back = last(ddim(denoise, tuple(reversed(up)), latent, None, eta=0, noise=no_noise))
    torch.testing.assert_close(back, x, atol=0.02, rtol=0)


def test_that_noise_on_a_rising_path_is_refused() -> None:
    path = make_path(LINEAR, (10, 20, 30))
    with pytest.raises(Refusal, match="eta to 0"):
        last(ddim(denoiser(), path, SAMPLE, None, eta=1, noise=StepNoise(0, SHAPE)))
    with pytest.raises(Refusal, match="DDIM with eta 0"):
        last(ddpm(denoiser(), path, SAMPLE, None, variance="small", noise=StepNoise(0, SHAPE)))


@pytest.mark.parametrize("sampler", ["ddim", "ddpm", "heun", "dpmpp"])
def test_that_a_walk_replayed_from_any_step_ends_on_the_same_bits(sampler: str) -> None:
    path = make_path(LINEAR, spaced_timesteps(LINEAR, 12, "trailing"))

    def walk(x: Tensor, noise: StepNoise, first: int) -> Iterator[Step]:
        if sampler == "heun":
            return heun(denoiser(), path, x, None, first=first)
        if sampler == "dpmpp":
            return dpmpp(denoiser(), path, x, None, first=first, before=befores[first])
        if sampler == "ddim":
            return ddim(denoiser(), path, x, None, eta=0.5, noise=noise, first=first)
        return ddpm(denoiser(), path, x, None, variance="large", noise=noise, first=first)

    noise = StepNoise(3, SHAPE)
    x = noise.initial()
    states, frames = [noise.state()], [x]
    befores: list[Before | None] = [None]
    for step in walk(x, noise, 0):
        befores.append(Before(step.level, step.prediction.x0_hat))
        states.append(noise.state())
        frames.append(step.x_next)
    for first in (0, 1, 7, 11):
        replay = StepNoise(99, SHAPE)
        replay.restore(states[first])
        assert torch.equal(last(walk(frames[first], replay, first)), frames[-1])


def test_that_noise_is_drawn_once_a_step_but_not_on_the_last() -> None:
    path = make_path(LINEAR, spaced_timesteps(LINEAR, 6, "leading"))
    for eta, draws in ((0.0, 0), (0.5, 5), (1.0, 5)):
        noise = StepNoise(4, SHAPE)
        last(ddim(denoiser(), path, noise.initial(), None, eta=eta, noise=noise))
        expected = torch.Generator().manual_seed(4)
        for _ in range(1 + draws):
            torch.randn(SHAPE, generator=expected)
        assert torch.equal(noise.state(), expected.get_state())


def test_that_initial_noise_is_torchs_and_the_global_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    initial = StepNoise(11, (2, 3, 4, 4)).initial()
    assert torch.equal(initial, torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(11)))
    assert initial.dtype == torch.float32
    assert torch.equal(torch.get_rng_state(), before)
