"""Measurements that are asked for what cannot be, or whose network, memory or pictures fail them on the way."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from core.denoiser import Prediction
from core.errors import Cancelled, Refusal
from core.evaluation import measurement_of
from core.evaluation.plans import Draws, distance_request, evaluations_of, likelihood_request
from core.library import Library
from core.measure_requests import Trial
from core.messages import ClassifierInfo, Distances, Failed, Likelihood, Measured
from core.requests import ClassifierSpec, ModelRef, SampleRequest, SamplerSpec, ScheduleSpec
from core.training.dataset import PictureFolder
from tests.toys import Toy

STEPS = 4


class Features:
    """The pixels of a 4 × 4 picture; it knows clean pictures alone."""

    def __init__(self, dimensions: int = 16) -> None:
        self.info = ClassifierInfo(
            ModelRef("pixels", "b" * 64), (1, 4, 4), ("a", "b"), ScheduleSpec(), dimensions, False
        )

    def features(self, x, check):
        check()
        return x.flatten(1)

    def log_probabilities(self, x, level, check=lambda: None):
        return torch.zeros(len(x), 2)

    def gradient(self, x, level, labels, check=lambda: None):
        raise AssertionError("nothing guides here")

    def release(self) -> None:
        pass


class Failing(Toy):
    """A model whose answers are of another kind from its evaluation ``first`` on, where ``until`` is not reached."""

    def __init__(self, answer, first: int = 0, until: int = 10**9, **settings) -> None:
        super().__init__(**settings)
        self.answer, self.first, self.until = answer, first, until

    def denoiser(self, device, precision, *, between_batches, within):
        plain = super().denoiser(device, precision, between_batches=between_batches, within=within)

        def evaluate(x_t, level, condition):
            seen = plain(x_t, level, condition)
            return self.answer(seen) if self.first <= self.evaluations - 1 < self.until else seen

        return evaluate


def no_number(seen: Prediction) -> Prediction:
    return Prediction(seen.x0_hat * float("nan"), seen.eps_hat * float("nan"))


def no_memory(seen: Prediction) -> Prediction:
    raise RuntimeError("[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory")


def pictures(count: int = 30, classes: tuple[str, ...] = ()) -> PictureFolder:
    values = np.random.default_rng(2).integers(0, 256, (count, 4, 4, 1), dtype=np.uint8)
    return PictureFolder("noise", values, np.arange(count) % max(1, len(classes)), classes)


def draws(toy: Toy, **changes) -> Draws:
    return Draws(toy.info, **({"samples": 8, "batch": 4, "steps": STEPS, "seed": 3} | changes))


def trials(toy: Toy, xs: tuple[float, ...] = (1.0,), **changes) -> tuple[Trial, ...]:
    chosen = draws(toy)
    return tuple(chosen.trial("DDIM", x, replace(chosen.request(), **changes)) for x in xs)


def work_of(toy: Toy, data: PictureFolder, request, features: Features | None = None, **checks):
    library = Library()
    library.add_model(toy)
    library.add_recogniser(features or Features())
    return measurement_of(request, library, "cpu", data, **({"check": lambda: None, "breathe": lambda: None} | checks))


def distances(toy: Toy, data: PictureFolder, request) -> Distances:
    *_, last = work_of(toy, data, request).work()
    assert isinstance(last.result, Distances)
    return last.result


# ------------------------------------------------------------------------------------------------ what cannot be


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"labels": (0,)}, "knows no labels"),
        ({"cells": (0, 9)}, "some of 0 to 3"),
        ({"cells": (1, 1)}, "each once"),
        ({"timesteps": ()}, "at least one timestep"),
        ({"timesteps": (5000,)}, "does not exist"),
        ({"sampler": SamplerSpec("ddpm", variance="learned")}, "not learned its variance"),
        ({"sampler": SamplerSpec(clip="dynamic", limit=0.0)}, "above 0"),
        ({"guidance": 1.0}, "no null label"),
        ({"classifier": ClassifierSpec(ModelRef("gone", "c" * 64), (0,) * 4)}, "not open"),
        ({"classifier": ClassifierSpec(ModelRef("pixels", "b" * 64), (0,))}, "Give one for each"),
        ({"classifier": ClassifierSpec(ModelRef("pixels", "b" * 64), (0,) * 4)}, "judges and cannot guide"),
    ],
)
def test_that_a_trial_that_cannot_be_drawn_is_refused_before_any_is_drawn(changes, words) -> None:
    toy, data = Toy(), pictures()
    good, bad = trials(toy), trials(toy, **changes)
    with pytest.raises(Refusal, match=words):
        work_of(toy, data, distance_request((*good, *bad), data, Features().info.ref))
    assert toy.evaluations == 0


def test_that_a_seed_without_successors_is_refused_where_batches_need_them() -> None:
    toy, data = Toy(), pictures()
    last = 2**64 - 1
    with pytest.raises(Refusal, match="lower one"):
        work_of(toy, data, distance_request(trials(toy, seed=last), data, Features().info.ref))
    assert (
        len(distances(toy, data, distance_request(trials(toy, seed=last - 1), data, Features().info.ref)).points) == 1
    )


def test_that_more_samples_than_memory_holds_are_refused_before_one_is_drawn() -> None:
    toy, data = Toy(), pictures()
    endless = tuple(replace(trial, batches=1_000_000) for trial in trials(toy))
    with pytest.raises(Refusal, match=r"4,000,000 samples with 2048 features .* at most 122,070"):
        work_of(toy, data, distance_request(endless, data, Features().info.ref), Features(2048))


def test_that_a_likelihood_for_which_nobody_would_wait_is_refused_at_once() -> None:
    toy, data = Toy(), pictures(2000)
    request = likelihood_request(toy.info, data, pictures=2000, timesteps=None, draws=1000)
    with pytest.raises(Refusal, match="2,000,000,000 evaluations"):
        work_of(toy, data, request)


def test_that_counting_the_pieces_of_a_long_likelihood_can_be_stopped() -> None:
    def stop() -> None:
        raise Cancelled

    toy, data = Toy(), pictures()
    with pytest.raises(Cancelled):
        work_of(toy, data, likelihood_request(toy.info, data, draws=1000), breathe=stop)


@pytest.mark.parametrize("count", [2, 3, 4])
def test_that_fewer_pictures_than_neighbours_leave_precision_unknown(count: int) -> None:
    toy, data = Toy(), pictures(count, ("a", "b", "c"))
    request = distance_request(trials(toy), data, Features().info.ref, neighbours=3)
    (point,) = distances(toy, data, request).points
    assert np.isfinite(point.value)
    assert np.isnan(point.precision) == np.isnan(point.recall) == (count <= 3)


def test_that_pictures_that_are_all_alike_are_a_reference_too() -> None:
    toy = Toy()
    data = PictureFolder("grey", np.full((20, 4, 4, 1), 128, np.uint8), np.zeros(20, np.int64), ())
    (point,) = distances(toy, data, distance_request(trials(toy), data, Features().info.ref)).points
    assert np.isfinite(point.value)
    assert point.value > 0


def test_that_a_comparison_tells_of_itself_before_its_first_point() -> None:
    toy, data = Toy(), pictures(8)
    first = next(work_of(toy, data, distance_request(trials(toy), data, Features().info.ref)).work())
    assert (first.result.points, first.result.reference, toy.evaluations) == ((), 8, 0)


@pytest.mark.parametrize("interval", [(300, 700), (700, 300)])
def test_that_evaluations_are_counted_whichever_end_of_an_interval_comes_first(interval) -> None:
    request = SampleRequest(
        *(ModelRef("m", "0" * 64), ScheduleSpec(), (900, 700, 500, 300, 100), "hand", SamplerSpec(), 0),
        guidance=1.0,
        interval=interval,
    )
    assert evaluations_of(request) == 5 + 3


# ------------------------------------------------------------------------------------------------ what goes wrong


def test_that_samples_that_are_no_numbers_have_no_distance_and_the_others_have() -> None:
    toy = Failing(no_number, first=0, until=1)
    data = pictures()
    found = distances(toy, data, distance_request(trials(toy, (1.0, 2.0)), data, Features().info.ref))
    first, second = found.points
    assert np.isnan([first.value, first.error, first.precision, first.recall]).all()
    assert np.isfinite(second.value)
    assert "DDIM, 1 hold values that are no numbers" in found.note


def test_that_bits_of_a_network_that_answers_no_numbers_are_refused_in_words() -> None:
    toy, data = Failing(no_number, first=3), pictures()
    work = work_of(toy, data, likelihood_request(toy.info, data, timesteps=5)).work()
    before = [next(work) for _ in range(3)]
    assert isinstance(before[0].result, Likelihood)
    with pytest.raises(Refusal, match="no numbers, so its bits cannot"):
        next(work)


@pytest.mark.parametrize("kind", ["likelihood", "distance"])
def test_that_a_part_without_memory_fails_in_words_keeps_what_is_known_and_can_be_repeated(listening, kind) -> None:
    toy, data = Failing(no_memory, first=9, until=10), pictures()
    ear = listening(toy)
    request = likelihood_request(toy.info, data, timesteps=5)
    if kind == "distance":
        ear.engine._order(lambda: ear.engine.library.add_recogniser(Features()))
        request = distance_request(trials(toy, (1.0, 2.0)), data, Features().info.ref)
    job = ear.engine.measure(request, data)
    ear.wait(lambda: ear.of(Failed))
    assert "not enough memory" in ear.of(Failed)[0].message
    known = ear.of(Measured)[-1]
    assert 0 < known.done < known.total
    if kind == "distance":
        assert [point.x for point in known.result.points] == [1.0]
    again = ear.engine.measure(request, data)
    ear.wait(lambda: ear.ended(again))
    assert ear.of(Failed)[0].job == job
    assert ear.ended(again).reason == "finished"


def test_that_a_model_opened_in_the_middle_changes_nothing(listening) -> None:
    data = pictures()
    request = likelihood_request(Toy().info, data, timesteps=5)
    *_, alone = work_of(Toy(), data, request).work()
    ear = listening(Toy(seconds=0.002))
    job = ear.engine.measure(request, data)
    ear.wait(lambda: ear.of(Measured))
    ear.engine.add_model(Toy(name="other"))
    ear.wait(lambda: ear.ended(job))
    assert ear.ended(job).reason == "finished"
    assert np.array_equal(ear.of(Measured)[-1].result.per_picture, alone.result.per_picture)
