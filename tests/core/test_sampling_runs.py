"""Runs of every sampler: replayed and branched to the bit, guided, and refused where the model has no answer."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch
from torch import Tensor

from core.denoiser import Condition, Denoiser, Prediction
from core.errors import Refusal
from core.jobs import SampleRun, inspect_step
from core.levels import Level
from core.library import Check, Library
from core.requests import (
    ClassifierSpec,
    FromStep,
    InspectStep,
    ModelRef,
    SampleRequest,
    SamplerName,
    SamplerSpec,
    ScheduleSpec,
    VarianceKind,
)
from core.samplers import dpmpp
from core.sampling_plan import variances_of
from tests.toys import Toy

NAMES = get_args(SamplerName)


class Guidable(Toy):
    """Two classes and the null label, each with a mean of its own."""

    def __init__(self) -> None:
        super().__init__(labels=("low", "high"), means=(-0.5, 0.5, 0.1))


@pytest.fixture
def library() -> Library:
    library = Library()
    library.add_model(Guidable())
    return library


def request(name: SamplerName = "ddim", **changes: object) -> SampleRequest:
    sampler = SamplerSpec(name, eta=0.4 if name == "ddim" else 0.0, clip="none")
    return Guidable().request(**({"sampler": sampler, "labels": (0, 1)} | changes))


def made(request: SampleRequest, library: Library, **settings: object) -> SampleRun:
    run = SampleRun(request, library, **settings)  # type: ignore[arg-type]
    for _ in run.steps():
        pass
    return run


def end(run: SampleRun) -> np.ndarray:
    return run.trajectory.frame(run.request.steps)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("cap", [1, 700, 1500])
def test_that_states_that_are_not_kept_are_replayed_to_the_bit(name: SamplerName, cap: int, library: Library) -> None:
    full, thin = made(request(name), library), made(request(name), library, cap=cap * 8)
    assert not all(thin.trajectory.is_key(step) for step in range(11))
    for step in range(11):
        exact = thin.exact(step)
        assert torch.equal(full.exact(step).x, exact.x), step
        remembered = full.exact(step).before
        assert (remembered is None) == (exact.before is None) == (name != "dpmpp" or step == 0)
        if remembered is not None and exact.before is not None:
            assert torch.equal(remembered.x0_hat, exact.before.x0_hat)
            assert remembered.level == exact.before.level == full.path[step - 1]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("cap", [1, 10**6])
@pytest.mark.parametrize("cells", [(), (1,)])
def test_that_a_branch_with_unchanged_settings_ends_on_the_same_bits(
    name: SamplerName, cap: int, cells: tuple[int, ...], library: Library
) -> None:
    whole = made(request(name), library, cap=cap)
    chosen = end(whole)[list(cells) or slice(None)]
    for step in (0, 1, 4, 9):
        asked = replace(whole.request, start=FromStep(whole.request, step), timesteps=whole.request.timesteps[step:])
        branch = made(replace(asked, cells=cells), library, find_run=lambda _: whole, cap=cap)
        assert np.array_equal(end(branch), chosen)
        later = min(step + 2, 10) - step
        assert torch.equal(branch.exact(later).x, whole.exact(step + later).x[list(cells) or slice(None)])
        again = replace(
            branch.request, start=FromStep(branch.request, later - 1), timesteps=branch.request.timesteps[later - 1 :]
        )
        assert np.array_equal(end(made(again, library)), chosen)


@pytest.mark.parametrize("changes", [{"labels": (1, 0)}, {"guidance": 1.5}, {"sampler": SamplerSpec("dpmpp")}])
def test_that_what_a_multistep_sampler_saw_is_forgotten_where_a_branch_asks_something_else(
    changes: dict[str, object], library: Library
) -> None:
    whole = made(request("dpmpp"), library)
    asked = replace(whole.request, start=FromStep(whole.request, 5), timesteps=whole.request.timesteps[5:])
    branch = SampleRun(replace(asked, **changes), library, find_run=lambda _: whole)  # type: ignore[arg-type]
    steps = list(branch.steps())
    afresh = dpmpp(branch._denoise, branch.path, whole.exact(5).x, branch._condition)
    assert all(torch.equal(step.x_next, other.x_next) for step, other in zip(steps, afresh, strict=True))


def test_that_samplers_differ_and_come_to_the_same_data(library: Library) -> None:
    every = tuple(range(999, -1, -37))
    ends = [end(made(request(name, timesteps=every, labels=(0, 1)), library)) for name in NAMES]
    assert len({one.tobytes() for one in ends}) == len(NAMES)
    for one in ends:
        assert one[0].mean() == pytest.approx(-0.5, abs=0.2)
        assert one[1].mean() == pytest.approx(0.5, abs=0.2)


@pytest.mark.parametrize("temperature", [0.0, 0.5, 2.0])
def test_that_the_temperature_scales_the_initial_noise_alone(temperature: float, library: Library) -> None:
    plain = made(request("ddpm"), library)
    scaled = made(request("ddpm", temperature=temperature), library)
    np.testing.assert_allclose(scaled.trajectory.frame(0), plain.trajectory.frame(0) * np.float32(temperature))
    step = replace(plain.request, start=FromStep(plain.request, 4), timesteps=plain.request.timesteps[4:])
    assert np.array_equal(end(made(replace(step, temperature=temperature), library)), end(plain))


def test_that_guidance_works_within_its_interval_alone(library: Library) -> None:
    def guided(interval: tuple[int, int] | None) -> np.ndarray:
        return end(made(request("heun", guidance=2.0, interval=interval), library))

    plain = end(made(request("heun"), library))
    assert np.array_equal(guided((950, 999)), plain)
    assert np.array_equal(guided((0, 999)), guided(None))
    assert not np.array_equal(guided((300, 600)), plain)
    assert not np.array_equal(guided((300, 600)), guided(None))


class Contrasts(Guidable):
    """Classes that differ by how strong their pictures are."""

    def denoiser(self, device: str, precision: str, *, between_batches: Check, within: Check) -> Denoiser:
        def looked(x_t: Tensor, level: Level, condition: Condition | None) -> Prediction:
            assert condition is not None
            x0_hat = x_t * torch.tensor([0.2, 0.6, 0.4])[condition.labels].view(-1, 1, 1, 1)
            return Prediction(x0_hat, (x_t - level.alpha * x0_hat) / level.sigma)

        return looked


def test_that_rescaling_changes_a_guided_run_whose_classes_differ_in_strength(library: Library) -> None:
    library.add_model(Contrasts())
    plain = end(made(request("dpmpp", guidance=2.0), library))
    assert np.array_equal(end(made(request("dpmpp", guidance=2.0, rescale=0.0), library)), plain)
    half, whole = (end(made(request("dpmpp", guidance=2.0, rescale=share), library)) for share in (0.5, 1.0))
    assert abs(half - plain).max() > 0.1
    assert abs(whole - half).max() > 0.1


def test_that_the_difference_is_seen_at_every_state_also_where_guidance_is_left_out(library: Library) -> None:
    run = made(request("ddim", guidance=2.0, interval=(300, 600)), library)
    for step in range(10):
        seen = inspect_step(InspectStep(0, step), run)
        level = run.path[step]
        gain = level.alpha * 0.04 / (level.alpha**2 * 0.04 + level.sigma**2)
        apart = (1 - gain * level.alpha) * np.array([-0.6, 0.4])  # of x0_hat, whose means lie that far from the null's
        assert seen.difference is not None
        expected = np.broadcast_to(-level.alpha / level.sigma * apart[:, None, None, None], seen.difference.shape)
        np.testing.assert_allclose(seen.difference, expected, atol=2e-4)
    assert inspect_step(InspectStep(0, 10), run).difference is None
    assert inspect_step(InspectStep(0, 4), made(request("ddim"), library)).difference is None


def test_that_dynamic_thresholding_is_told_its_percentile_and_limit(library: Library) -> None:
    def held(**settings: object) -> np.ndarray:
        spec = SamplerSpec("ddim", clip="dynamic", **settings)  # type: ignore[arg-type]
        return end(made(request(sampler=spec, guidance=4.0), library))

    assert not np.array_equal(held(percentile=0.5), held(percentile=1.0))
    assert not np.array_equal(held(limit=0.2), held(limit=1.0))


def with_variance(library: Library, kind: VarianceKind) -> None:
    model = Guidable()
    model.info = replace(model.info, variance=kind)
    library.add_model(model)


def test_that_a_variance_is_refused_where_the_model_has_not_learned_it(library: Library) -> None:
    learned = request(sampler=SamplerSpec("ddpm", variance="learned"))
    with pytest.raises(Refusal, match="has not learned its variance"):
        SampleRun(learned, library)
    with_variance(library, "range")
    SampleRun(learned, library)
    with_variance(library, "diagonal")
    with pytest.raises(Refusal, match="walk all timesteps"):
        SampleRun(learned, library)
    SampleRun(replace(learned, timesteps=tuple(range(999, -1, -1))), library)
    with pytest.raises(Refusal, match="its own schedule"):
        SampleRun(replace(learned, timesteps=tuple(range(999, -1, -1)), schedule=ScheduleSpec("cosine", 1000)), library)
    assert variances_of(Guidable().info) == ("small", "large")


def test_that_noise_cannot_be_predicted_where_there_is_nothing_else(library: Library) -> None:
    zero_snr = ScheduleSpec(zero_snr=True)
    with pytest.raises(Refusal, match="predicts noise"):
        SampleRun(request(schedule=zero_snr, timesteps=(999, 500, 0)), library)
    SampleRun(request(schedule=zero_snr, timesteps=(998, 500, 0)), library)
    model = Guidable()
    model.info = replace(model.info, prediction="v")
    library.add_model(model)
    for name in NAMES:
        assert np.isfinite(end(made(request(name, schedule=zero_snr, timesteps=(999, 500, 0)), library))).all()


def test_that_a_classifier_must_be_open_and_told_a_class_for_each_sample(library: Library) -> None:
    classifier = ClassifierSpec(ModelRef("judge", "f" * 64), (1, 1))
    with pytest.raises(Refusal, match="“judge” is not open"):
        SampleRun(request(classifier=classifier), library)
    with pytest.raises(Refusal, match="1 classes were given to guide 2 samples"):
        SampleRun(request(classifier=replace(classifier, labels=(1,))), library)
