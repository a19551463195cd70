"""Runs that a classifier guides, and its training, in library and engine: replayed to the bit, told step by step."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.classifier_folder import save_classifier
from core.dataspec import ImageSpec
from core.errors import Cancelled, Refusal
from core.jobs import SampleRun
from core.library import Library
from core.messages import (
    ClassifierInfo,
    ClassifierOpened,
    Failed,
    Inspection,
    ModelOpened,
    Recognised,
    RunEnded,
    TrainingSamples,
    TrainingStarted,
    TrainingTick,
)
from core.recognisers import NetworkRecogniser, open_recogniser
from core.requests import ClassifierSpec, FromStep, InspectStep, ModelRef, SampleRequest, SamplerSpec, ScheduleSpec
from core.training.order import TrainOrder
from tests.core.halves import two_classes
from tests.core.test_classifier import tiny
from tests.toys import Toy

SAMPLERS = [
    SamplerSpec("ddim", clip="none"),
    SamplerSpec("ddim", eta=1.0, clip="none"),
    SamplerSpec("heun", clip="none"),
    SamplerSpec("dpmpp", clip="none"),
    SamplerSpec("ddpm", clip="none"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    network = tiny()
    info = ClassifierInfo(ModelRef("", ""), (1, 8, 8), ("ant", "bee", "cat"), ScheduleSpec("cosine"), 16)
    save_classifier(tmp_path / "insects", network, info)
    return tmp_path / "insects"


@pytest.fixture
def library(folder: Path) -> Library:
    library = Library()
    library.add_model(Toy(ImageSpec((1, 8, 8))))
    library.add_recogniser(open_recogniser(folder).recogniser)
    return library


def asked(folder: Path, **changes: Any) -> SampleRequest:
    ref = open_recogniser(folder).recogniser.info.ref
    spec = ClassifierSpec(ref, (0, 1, 2, 1), 3.0, changes.pop("at", "x_t"))
    return Toy(ImageSpec((1, 8, 8))).request(count=4, classifier=spec, **changes)


def walked(request: SampleRequest, library: Library, cap: int = 2**30) -> SampleRun:
    run = SampleRun(request, library, cap=cap)
    for _ in run.steps():
        pass
    return run


def last(run: SampleRun) -> np.ndarray[Any, Any]:
    return np.array(run.trajectory.frame(run.request.steps))


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda sampler: f"{sampler.name}-{sampler.eta:g}")
def test_that_guidance_changes_a_run_and_its_replay_is_the_same_to_the_bit(
    sampler: SamplerSpec, folder: Path, library: Library
) -> None:
    request = asked(folder, sampler=sampler)
    run = walked(request, library)
    assert np.array_equal(last(walked(request, library)), last(run))
    assert not np.allclose(last(walked(replace(request, classifier=None), library)), last(run), atol=1e-3)
    poor = walked(request, library, cap=5 * 4 * 64 * 4)  # a store of five states: the others are walked again
    assert any(not poor.trajectory.has(step) for step in range(11))
    for step in range(11):
        assert np.array_equal(poor.exact(step).x.numpy(), run.trajectory.frame(step))


@pytest.mark.parametrize("at", ["x_t", "mean"])
@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda sampler: f"{sampler.name}-{sampler.eta:g}")
def test_that_a_branch_of_a_guided_run_is_the_same_to_the_bit(
    sampler: SamplerSpec, at: str, folder: Path, library: Library
) -> None:
    request = asked(folder, sampler=sampler, at=at)
    branch = replace(request, start=FromStep(request, 4), timesteps=request.timesteps[4:])
    assert np.array_equal(last(walked(branch, library)), last(walked(request, library)))


@pytest.mark.parametrize("sampler", [SAMPLERS[0], SAMPLERS[4]], ids=lambda sampler: sampler.name)
def test_that_a_sample_walked_alone_keeps_its_own_class(sampler: SamplerSpec, folder: Path, library: Library) -> None:
    request = asked(folder, sampler=sampler)
    alone = last(walked(replace(request, cells=(2,)), library))
    np.testing.assert_allclose(alone, last(walked(request, library))[2:3], atol=1e-5)


def test_that_scale_zero_is_the_unguided_run_to_the_bit(folder: Path, library: Library) -> None:
    for sampler in SAMPLERS:
        request = asked(folder, sampler=sampler)
        assert request.classifier is not None
        without = replace(request, classifier=replace(request.classifier, scale=0.0))
        plain = replace(request, classifier=None)
        assert np.array_equal(last(walked(without, library)), last(walked(plain, library)))


def test_that_a_classifier_that_is_not_open_is_refused_in_words(folder: Path) -> None:
    library = Library()
    library.add_model(Toy(ImageSpec((1, 8, 8))))
    with pytest.raises(Refusal, match="“insects” is not open"):
        SampleRun(asked(folder), library)


def test_that_a_run_is_stopped_while_a_gradient_is_taken(folder: Path, library: Library) -> None:
    run, calls = SampleRun(asked(folder), library), 0

    def within() -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise Cancelled

    run.watch(within)
    with pytest.raises(Cancelled):
        list(run.steps())


# ---------------------------------------------------------------------------------------------------- the engine


def test_that_a_guided_run_tells_log_p_of_every_state_and_shows_the_gradient(listening: Any, folder: Path) -> None:
    toy = listening(Toy(ImageSpec((1, 8, 8))))
    toy.engine.open_classifier(str(folder))
    toy.wait(lambda: toy.of(ClassifierOpened))
    (opened,) = toy.of(ClassifierOpened)
    assert opened.folder == str(folder)
    request = asked(folder)
    job = toy.run(request)
    told = {message.step: message.log_p for message in toy.of(Recognised) if message.job == job}
    assert sorted(told) == list(range(10))
    toy.engine.ask(InspectStep(job, 4))
    toy.wait(lambda: toy.of(Inspection))
    (seen,) = toy.of(Inspection)
    x_t = torch.from_numpy(np.array(toy.engine.values(job, 4)))
    gradient, log_p = open_recogniser(folder).recogniser.gradient(x_t, seen.level, torch.tensor([0, 1, 2, 1]))
    np.testing.assert_allclose(seen.gradient, gradient.numpy(), atol=1e-6)
    np.testing.assert_allclose(seen.log_p, log_p.numpy(), atol=1e-6)
    np.testing.assert_allclose(told[4], log_p.numpy(), atol=1e-6)


def test_that_what_is_no_classifier_fails_in_words(listening: Any, tmp_path: Path) -> None:
    toy = listening()
    toy.engine.open_classifier(str(tmp_path))
    toy.wait(lambda: toy.of(Failed))
    assert "not a classifier" in toy.of(Failed)[0].message


def test_that_a_classifier_is_trained_and_lent_without_drawing_samples(
    listening: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIFFUSCOPE_HOME", str(tmp_path / "home"))
    toy = listening()
    order = TrainOrder(tmp_path / "halves", steps=300, batch=4, samples=4, task="classifier", precision="float32")
    job = toy.engine.train(order, two_classes(20))
    toy.wait(lambda: toy.of(TrainingTick))
    toy.engine.snapshot(job)
    toy.wait(lambda: toy.of(ClassifierOpened))
    toy.engine.cancel(job)
    toy.wait(lambda: toy.ended(job))
    assert not toy.of(TrainingSamples)
    assert len(toy.of(ModelOpened)) == 1  # the toy itself
    (started,) = toy.of(TrainingStarted)
    assert (started.labels, started.pictures) == (("left", "right"), 18)
    assert isinstance(toy.ended(job), RunEnded)
    recogniser = open_recogniser(order.out).recogniser
    assert isinstance(recogniser, NetworkRecogniser)
    assert recogniser.info.noisy


def test_that_pictures_without_classes_fail_in_words(listening: Any, tmp_path: Path) -> None:
    toy = listening()
    data = replace(two_classes(10), classes=(), labels=np.zeros(10, dtype=np.int64))
    job = toy.engine.train(TrainOrder(tmp_path / "run", steps=3, task="classifier"), data)
    toy.wait(lambda: toy.ended(job))
    assert "no classes to tell apart" in toy.ended(job).message
