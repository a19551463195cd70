"""Measurements in the engine: after runs, before trainings, stopped at any part."""

import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from core.errors import Refusal
from core.evaluation import Part
from core.measure_requests import DataRef, LikelihoodRequest
from core.messages import (
    EngineState,
    Failed,
    Likelihood,
    Measured,
    MeasureStarted,
    RunPaused,
    RunStarted,
    Status,
    TrainingTick,
)
from core.requests import ModelRef, ScheduleSpec
from core.training.dataset import PictureFolder
from core.training.order import TrainOrder

REQUEST = LikelihoodRequest(
    ModelRef("toy", "a" * 64), ScheduleSpec(), DataRef("noise", "b" * 64), pictures=(0, 1), timesteps=(2, 1, 0)
)


@pytest.fixture
def pictures() -> PictureFolder:
    rng = np.random.default_rng(0)
    return PictureFolder("noise", rng.integers(0, 256, (24, 8, 8, 1), np.uint8), np.arange(24) % 2, ("even", "odd"))


class Counting:
    """A measurement that counts its parts: what is known after a part is its number, at every second one."""

    def __init__(self, total: int = 6, seconds: float = 0.0) -> None:
        self.total, self.seconds = total, seconds

    def work(self) -> Iterator[Part]:
        for done in range(1, self.total + 1):
            time.sleep(self.seconds)
            yield Part(done, known(done) if done % 2 == 0 else None)


def known(number: int) -> Likelihood:
    nothing = np.zeros(0)
    return Likelihood(np.zeros(0, np.int64), *[nothing] * 5, 0.0, float(number), 0.0, number)


@pytest.fixture
def counting(monkeypatch):
    """Makes every measurement such a one."""

    def measure(**settings: float) -> None:
        monkeypatch.setattr("core.evaluation.measurement_of", lambda *args, **names: Counting(**settings))

    return measure


def test_that_a_measurement_tells_of_its_start_its_parts_and_its_whole(listening, pictures, counting) -> None:
    counting()
    toy = listening()
    job = toy.engine.measure(REQUEST, pictures)
    toy.wait(lambda: toy.ended(job))
    assert toy.of(MeasureStarted) == [MeasureStarted(job, REQUEST, 6)]
    last = toy.of(Measured)[-1]
    assert (last.result.pictures, last.done, last.total, last.eta) == (6, 6, 6, 0.0)
    assert (toy.ended(job).reason, toy.ended(job).steps) == ("finished", 6)
    assert EngineState.MEASURING in {status.state for status in toy.of(Status)}


def test_that_a_stopped_measurement_has_told_what_it_knew(listening, pictures, counting) -> None:
    counting(total=100_000, seconds=0.002)
    toy = listening()
    job = toy.engine.measure(REQUEST, pictures)
    toy.wait(lambda: toy.of(Measured))
    toy.engine.cancel(job)
    toy.wait(lambda: toy.ended(job))
    ended, last = toy.ended(job), toy.of(Measured)[-1]
    assert ended.reason == "stopped"
    assert last.result.pictures == ended.steps - ended.steps % 2


def test_that_a_paused_measurement_tells_what_it_knows_and_makes_single_parts(listening, pictures, counting) -> None:
    counting(total=100_000, seconds=0.002)
    toy = listening()
    job = toy.engine.measure(REQUEST, pictures)
    toy.wait(lambda: toy.of(Measured))
    toy.engine.pause(job)
    toy.wait(lambda: toy.of(RunPaused))
    done = toy.of(RunPaused)[-1].step
    toy.engine.step(job)
    toy.wait(lambda: toy.of(RunPaused)[-1].step > done)
    assert toy.of(RunPaused)[-1].step == done + 1
    assert toy.of(Measured)[-1].result.pictures in (done, done + 1)


def test_that_it_is_told_how_far_the_work_has_come_where_nothing_new_is_known(listening, pictures, monkeypatch) -> None:
    class Slow(Counting):
        def work(self) -> Iterator[Part]:
            for part in super().work():
                yield part if part.done == 2 else Part(part.done, None)

    monkeypatch.setattr("core.measure_worker.STILL_SECONDS", 0.02)
    monkeypatch.setattr("core.evaluation.measurement_of", lambda *args, **names: Slow(100_000, 0.002))
    toy = listening()
    toy.engine.measure(REQUEST, pictures)
    toy.wait(lambda: len(toy.of(Measured)) > 3)
    first, *others = toy.of(Measured)
    assert all(message.result is first.result for message in others)
    done = [message.done for message in toy.of(Measured)]
    assert all(later > earlier for earlier, later in pairwise(done))


def test_that_a_run_goes_ahead_of_a_measurement(listening, pictures, counting) -> None:
    counting(total=100_000, seconds=0.002)
    toy = listening()
    job = toy.engine.measure(REQUEST, pictures)
    toy.wait(lambda: toy.of(Measured))
    run = toy.run(toy.model.request())
    assert toy.ended(run).reason == "finished"
    assert toy.ended(job) is None
    between = toy.heard[toy.heard.index(toy.of(RunStarted)[0]) : toy.heard.index(toy.ended(run))]
    assert not any(isinstance(message, Measured) for message in between)


def test_that_a_training_makes_way_for_a_measurement(listening, pictures, counting, tmp_path: Path) -> None:
    counting(total=50, seconds=0.002)
    toy = listening()
    order = TrainOrder(tmp_path / "run", steps=100_000, batch=4, samples=0, precision="float32")
    training = toy.engine.train(order, pictures)
    toy.wait(lambda: toy.of(TrainingTick))
    job = toy.engine.measure(REQUEST, pictures)
    toy.wait(lambda: toy.ended(job))
    assert toy.ended(training) is None
    between = toy.heard[toy.heard.index(toy.of(MeasureStarted)[0]) : toy.heard.index(toy.ended(job))]
    assert not any(isinstance(message, TrainingTick) for message in between)


def test_that_what_cannot_be_measured_is_said_in_words(listening, pictures, monkeypatch) -> None:
    def refuse(*args: object, **names: object) -> Counting:
        raise Refusal("These pictures are not the model's size.")

    monkeypatch.setattr("core.evaluation.measurement_of", refuse)
    toy = listening()
    job = toy.engine.measure(REQUEST, pictures)
    toy.wait(lambda: toy.ended(job))
    assert toy.ended(job) == Failed(job, "These pictures are not the model's size.", toy.ended(job).details)
