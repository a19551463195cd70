"""Inversion against published results and against data whose probability-flow ODE is known in closed form."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from core.denoiser import Clipped, NetworkDenoiser, Prediction
from core.errors import Refusal
from core.images import OpenedImage
from core.inversion import InverseStep, InvertRun, ddim_inversion
from core.inversion_plan import inversion_path, obstacles, reconstruction
from core.jobs import SampleRun, inspect_step
from core.levels import Level, Path
from core.library import Library
from core.measures import mean_squared_error
from core.paths import spaced_timesteps
from core.requests import (
    Conversion,
    FromLatent,
    ImageRef,
    InspectStep,
    InversionConvention,
    InvertRequest,
    ModelRef,
    PredictionKind,
    ScheduleSpec,
)
from core.samplers import ddim
from core.schedules import make_schedule
from tests.toys import Toy

LINEAR = ScheduleSpec()
STEEP = ScheduleSpec(beta_start=0.01, beta_end=0.02)
CONVENTIONS: tuple[InversionConvention, ...] = ("diffusers", "openai")
RAMP = (torch.arange(768, dtype=torch.float32) / 768).reshape(3, 8, 8, 4).permute(3, 0, 1, 2)


def request(spec: ScheduleSpec = LINEAR, steps: int = 10, **changes: object) -> InvertRequest:
    timesteps = spaced_timesteps(make_schedule(spec), steps, "leading")[::-1]
    values: dict[str, object] = {
        "model": ModelRef("toy", "toy".ljust(64, "0")),
        "schedule": spec,
        "timesteps": timesteps,
        "spacing": "leading",
        "images": (ImageRef("0" * 64, Conversion((4, 4), 1)),),
    }
    return InvertRequest(**(values | changes))  # type: ignore[arg-type]


def ended(denoise: object, path: Path, x: Tensor, **settings: object) -> InverseStep:
    *_, last = ddim_inversion(denoise, path, x, None, **settings)  # type: ignore[arg-type]
    return last


# ------------------------------------------------------------------------------------------------ published


@pytest.mark.parametrize(
    ("spec", "kind", "first", "total", "mean"),
    [
        (LINEAR, "eps", 1.0, 671.6816, 0.8746),
        (LINEAR, "v", 1.0, 1394.2185, 1.8154),
        (STEEP, "eps", 1.0, 539.9622, 0.7031),
        (STEEP, "eps", float(make_schedule(STEEP).alpha_bar[0]), 542.6722, 0.7066),
    ],
)
def test_that_the_diffusers_convention_gives_the_published_latents(
    spec: ScheduleSpec, kind: PredictionKind, first: float, total: float, mean: float
) -> None:
    path = inversion_path(request(spec, first_alpha_bar=first))
    toy = Clipped(NetworkDenoiser(lambda x, t, _: x * (t / (t + 1)).view(-1, 1, 1, 1), kind), "clamp")
    latent = ended(toy, path, RAMP, convention="diffusers").x_next.double()
    assert float(latent.abs().sum()) == pytest.approx(total, abs=1e-2)
    assert float(latent.abs().mean()) == pytest.approx(mean, abs=1e-3)


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("steps", [20, 50])
def test_that_the_diffusers_convention_agrees_with_diffusers(kind: str, steps: int) -> None:
    diffusers = pytest.importorskip("diffusers")
    scheduler = diffusers.DDIMInverseScheduler(clip_sample=False, prediction_type=kind)
    scheduler.set_timesteps(steps)
    x = RAMP.clone()
    for t in scheduler.timesteps:
        x = scheduler.step(x * (t / (t + 1)), t, x).prev_sample
    toy = NetworkDenoiser(lambda x, t, _: x * (t / (t + 1)).view(-1, 1, 1, 1), "eps" if kind == "epsilon" else "v")
    ours = ended(toy, inversion_path(request(steps=steps)), RAMP, convention="diffusers").x_next
    torch.testing.assert_close(ours, x, rtol=1e-3, atol=1e-4)


def test_that_the_openai_convention_asks_at_the_level_where_x_is() -> None:
    """Dhariwal & Nichol's recursion, written out: x = sqrt(a') x0(x, t) + sqrt(1 - a') eps(x, t)."""
    bars = make_schedule(LINEAR).alpha_bar
    x = RAMP.double()
    timesteps = list(range(0, 1000, 100))
    for t, following in pairwise(timesteps):
        eps = x * (t / (t + 1))
        x0 = (x - (1 - bars[t]) ** 0.5 * eps) / bars[t] ** 0.5
        x = bars[following] ** 0.5 * x0 + (1 - bars[following]) ** 0.5 * eps
    toy = NetworkDenoiser(lambda x, t, _: x * (t / (t + 1)).view(-1, 1, 1, 1), "eps")
    asked = request(convention="openai")
    assert asked.steps == 9
    last = ended(toy, inversion_path(asked), RAMP, convention="openai")
    torch.testing.assert_close(last.x_next.double(), x, rtol=1e-5, atol=1e-5)
    assert last.next_level.t == 900


def test_that_a_picture_is_x_at_t_0_for_openai_whatever_the_spacing() -> None:
    assert [level.t for level in inversion_path(request(timesteps=(99, 199), convention="openai"))] == [0, 99, 199]
    assert [level.t for level in inversion_path(request(timesteps=(0, 199), convention="openai"))] == [0, 199]
    assert [level.t for level in inversion_path(request(timesteps=(0, 199)))] == [-1, 0, 199]


# ------------------------------------------------------------------------------------------------ closed forms


@dataclass(frozen=True)
class Normal:
    """The exact denoiser of data N(mean, std^2); the ODE keeps (x - alpha mean) / sqrt(alpha^2 std^2 + sigma^2)."""

    mean: float = 0.25
    std: float = 0.5

    def spread(self, level: Level) -> float:
        return float(np.hypot(level.alpha * self.std, level.sigma))

    def __call__(self, x: Tensor, level: Level, condition: object) -> Prediction:
        variance = self.spread(level) ** 2
        x0 = self.mean + level.alpha * self.std**2 / variance * (x - level.alpha * self.mean)
        eps = level.sigma / variance * (x - level.alpha * self.mean)
        return Prediction(x0, eps)

    def at_time(self, x: Tensor, level: Level, condition: object) -> Prediction:
        """As a network answers: eps at the time it is told, whatever the level of x."""
        told = make_schedule(LINEAR).level(int(level.t))
        eps = told.sigma / self.spread(told) ** 2 * (x - told.alpha * self.mean)
        return Prediction((x - level.sigma * eps) / level.alpha, eps)

    def flow(self, x: Tensor, level: Level, other: Level) -> Tensor:
        return other.alpha * self.mean + (x - level.alpha * self.mean) * (self.spread(other) / self.spread(level))


X = torch.linspace(-1, 1, 16, dtype=torch.float64).reshape(2, 1, 2, 4)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_that_many_steps_approach_the_flow_of_the_ode_at_first_order(convention: InversionConvention) -> None:
    normal, errors = Normal(), []
    for steps in (125, 250, 500):
        path = inversion_path(request(steps=steps, convention=convention))[1:]  # the ODE has no noise to begin with
        last = ended(normal.at_time, path, X, convention=convention)
        errors.append(float((last.x_next - normal.flow(X, path[0], last.next_level)).abs().max()))
    assert errors[2] < 0.02
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.35)
    assert errors[1] / errors[2] == pytest.approx(2, rel=0.35)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_that_refinement_converges_to_the_exact_inverse_of_the_step_down(convention: InversionConvention) -> None:
    """For Gaussian data the step down is affine, so its inverse is known; each iteration divides the error by the
    same number, whichever convention the first estimate came from."""
    normal, schedule = Normal(), make_schedule(LINEAR)
    level, upper = schedule.level(300), schedule.level(400)
    gain = upper.sigma / normal.spread(upper) ** 2  # of eps(x) = gain (x - alpha mean)
    ratio = level.alpha / upper.alpha
    slope = ratio + (level.sigma - ratio * upper.sigma) * gain
    offset = -(level.sigma - ratio * upper.sigma) * gain * upper.alpha * normal.mean
    exact = (X - offset) / slope
    shrink = abs(1 - slope / ratio)
    errors = []
    for refinements in range(6):
        last = ended(normal.at_time, (level, upper), X, convention=convention, refinements=refinements)
        errors.append(float((last.x_next - exact).abs().max()))
    assert 0.05 < shrink < 0.9
    for before, after in pairwise(errors):
        assert after / before == pytest.approx(shrink, rel=1e-6)


def test_that_the_misses_say_how_far_the_step_down_leads_astray() -> None:
    normal, schedule = Normal(), make_schedule(LINEAR)
    path = (schedule.level(300), schedule.level(400))
    plain = ended(normal.at_time, path, X, convention="diffusers").x_next
    *_, back = ddim(normal.at_time, path[::-1], plain, None, eta=0, noise=None)  # type: ignore[arg-type]
    misses = ended(normal.at_time, path, X, convention="diffusers", refinements=3).misses
    assert len(misses) == 3
    torch.testing.assert_close(misses[0], (back.x_next - X).flatten(1).square().mean(1).sqrt())
    assert bool((misses[1] < 0.7 * misses[0]).all() and (misses[2] < 0.7 * misses[1]).all())


@given(
    st.floats(-1, 1),
    st.floats(0.05, 2),
    st.sampled_from(CONVENTIONS),
    st.lists(st.integers(0, 999), min_size=2, max_size=2, unique=True).map(sorted),
)
def test_that_every_refinement_brings_a_step_nearer_to_its_inverse_on_gaussian_data(
    mean: float, std: float, convention: InversionConvention, timesteps: list[int]
) -> None:
    normal, schedule = Normal(mean, std), make_schedule(LINEAR)
    path = tuple(schedule.level(t) for t in timesteps)
    errors = []
    for refinements in range(4):
        x_next = ended(normal.at_time, path, X, convention=convention, refinements=refinements).x_next
        *_, back = ddim(normal.at_time, path[::-1], x_next, None, eta=0, noise=None)  # type: ignore[arg-type]
        errors.append(float((back.x_next - X).abs().max()))
    assert all(after <= before + 1e-12 for before, after in pairwise(errors))


# ------------------------------------------------------------------------------------------------ runs

PIXELS = np.random.default_rng(3).integers(0, 256, (2, 4, 4, 1), dtype=np.uint8)
OPENED = tuple(OpenedImage(pixels, f"{i}".ljust(64, "0"), f"{i}.png", ()) for i, pixels in enumerate(PIXELS))
REFS = tuple(ImageRef(image.sha256, Conversion((4, 4), 1)) for image in OPENED)


@pytest.fixture
def toy() -> Toy:
    return Toy(labels=("low", "high"), means=(-0.5, 0.5, 0.0))


@pytest.fixture
def library(toy: Toy) -> Library:
    library = Library()
    library.add_model(toy)
    for image in OPENED:
        library.add_image(image)
    return library


def asked(**changes: object) -> InvertRequest:
    # The toy's denoiser has no answer at sigma 0, where a network would be told the target's time.
    return request(**({"images": REFS, "convention": "openai"} | changes))  # type: ignore[arg-type]


def made(request: InvertRequest, library: Library, **settings: object) -> InvertRun:
    run = InvertRun(request, library, **settings)  # type: ignore[arg-type]
    for _ in run.steps():
        pass
    return run


def test_that_an_inversion_keeps_every_state_from_the_picture_to_the_latent(library: Library) -> None:
    run = InvertRun(asked(), library)
    steps = list(run.steps())
    assert [step.index for step in steps] == list(range(9))
    np.testing.assert_allclose(run.trajectory.frame(0)[1, 0], PIXELS[1, ..., 0] / 127.5 - 1, atol=1e-6)
    for step in steps:
        np.testing.assert_array_equal(run.trajectory.frame(step.index + 1), step.x_next.numpy())
    assert len(run.trajectory) == len(run.path) == 10
    assert torch.equal(run.latent(), steps[-1].x_next)
    assert inspect_step(InspectStep(0, 4), run).level.t == 400


def test_that_states_that_are_not_kept_are_replayed_to_the_bit(library: Library) -> None:
    full = made(asked(refinements=2), library)
    thin = made(asked(refinements=2), library, cap=1)
    assert not thin.trajectory.has(5)
    for step in range(10):
        assert torch.equal(full.exact(step).x, thin.exact(step).x)


def test_that_a_latent_leads_back_to_its_picture(library: Library) -> None:
    errors = []
    for refinements in (0, 5):
        inversion = asked(steps=50, refinements=refinements)
        run = SampleRun(reconstruction(inversion), library)
        *_, last = run.steps()
        assert last.next_level.is_clean
        at_zero = run.trajectory.frame(run.request.steps - 1)  # where the convention begins
        errors.append(float(mean_squared_error(at_zero, made(inversion, library).trajectory.frame(0)).max()))
    assert errors[0] < 1e-2
    assert errors[1] < 1e-9


def test_that_a_run_from_a_latent_uses_the_inversion_that_is_there(library: Library, toy: Toy) -> None:
    inversion = made(asked(), library)
    before = toy.evaluations
    run = SampleRun(reconstruction(asked()), library, find_run=lambda _: inversion)
    assert [step.index for step in run.steps()] == list(range(10))
    assert toy.evaluations - before == 10
    alone = SampleRun(reconstruction(asked()), library)
    for _ in alone.steps():
        pass
    np.testing.assert_array_equal(alone.trajectory.frame(10), run.trajectory.frame(10))


def test_that_one_latent_is_regenerated_with_other_labels_and_guidance(library: Library) -> None:
    one = asked(images=REFS[:1])
    base = replace(reconstruction(one), count=3, labels=(0, 1, None))
    plain, guided = (SampleRun(replace(base, guidance=w), library) for w in (0.0, 2.0))
    for run in (plain, guided):
        for _ in run.steps():
            pass
    start, end = plain.trajectory.frame(0), plain.trajectory.frame(10)
    assert np.array_equal(start[0], start[1])
    assert end[0].mean() < end[2].mean() < end[1].mean()
    assert np.abs(guided.trajectory.frame(10)[0] - end[0]).max() > 0.1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"images": ()}, "no picture"),
        ({"timesteps": (0,)}, "more steps"),
        ({"timesteps": ()}, "more steps"),
        ({"timesteps": (5, 3)}, "must rise"),
        ({"timesteps": (5, 5)}, "must rise"),
        ({"timesteps": (5, 1000)}, "0 to 999"),
        ({"labels": (7, 7)}, "no label 7"),
        ({"labels": (1,)}, "1 labels"),
        ({"convention": "diffusers", "first_alpha_bar": 0.1}, "first_alpha_bar"),
        ({"images": (ImageRef("f" * 64, REFS[0].conversion),)}, "not open"),
    ],
)
def test_that_inversions_without_a_meaning_are_refused(
    library: Library, changes: dict[str, object], words: str
) -> None:
    with pytest.raises(Refusal, match=words):
        made(asked(**changes), library)


def test_that_a_model_of_x0_is_not_asked_for_the_noise_of_a_clean_picture(library: Library, toy: Toy) -> None:
    toy.info = replace(toy.info, prediction="x0")
    with pytest.raises(Refusal, match="openai"):
        InvertRun(asked(convention="diffusers"), library)
    InvertRun(asked(convention="openai"), library)


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"timesteps": (800, 0)}, "t = 800"), ({"count": 3}, "2 latents")],
)
def test_that_a_run_that_does_not_fit_its_latent_is_refused(
    library: Library, changes: dict[str, object], words: str
) -> None:
    with pytest.raises(Refusal, match=words):
        next(SampleRun(replace(reconstruction(asked()), **changes), library).steps())  # type: ignore[arg-type]


def test_that_stopping_a_reconstruction_stops_the_inversion_it_waits_for(library: Library) -> None:
    from core.errors import Cancelled

    run = SampleRun(reconstruction(asked()), library)
    calls = []

    def within() -> None:
        calls.append(1)
        if len(calls) > 3:
            raise Cancelled

    run.watch(within)
    with pytest.raises(Cancelled):
        next(run.steps())
    assert len(calls) == 4


def test_that_a_reconstruction_says_all_that_made_it() -> None:
    inversion = asked(labels=(1, 0), guidance=1.5, clip="rederive", precision="bfloat16", first_alpha_bar=0.999)
    down = reconstruction(inversion)
    assert down.timesteps == inversion.timesteps[::-1]
    assert (down.labels, down.guidance, down.precision) == ((1, 0), 1.5, "bfloat16")
    assert (down.sampler.name, down.sampler.eta, down.sampler.clip) == ("ddim", 0.0, "rederive")
    assert (down.start, down.final_alpha_bar, down.count) == (FromLatent(inversion), 0.999, 2)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"clip": "clamp"}, "Clipping"),
        ({"guidance": 2.0}, "5 times as large"),
        ({"guidance": -2.0}, "3 times as large"),
        ({"precision": "bfloat16"}, "bfloat16"),
        ({"steps": 20}, "20 steps"),
        ({"timesteps": tuple(range(9, 1000, 10)), "convention": "openai"}, "t = 0"),
    ],
)
def test_that_what_breaks_a_reconstruction_is_named(changes: dict[str, object], word: str) -> None:
    (found,) = obstacles(request(**({"steps": 100} | changes)))  # type: ignore[arg-type]
    assert word in found
    assert obstacles(request(steps=100)) == ()
    assert obstacles(request(steps=20, refinements=3)) == ()
    assert obstacles(request(steps=100, guidance=-1.0)) == ()  # the unconditional model alone
