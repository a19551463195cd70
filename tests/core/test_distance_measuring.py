"""Trials of a comparison, from request to distances: what is drawn, what is compared, what is said beside it."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from core.dataspec import ImageSpec
from core.errors import Cancelled, Refusal
from core.evaluation import measurement_of
from core.evaluation.distance import kernel_distance, precision_and_recall
from core.evaluation.plans import Draws, distance_request, sampler_comparison, skip_sweep
from core.jobs import SampleRun
from core.levels import CLEAN, Level
from core.library import Library
from core.measure_requests import Trial
from core.messages import ClassifierInfo, Distances
from core.requests import ModelRef, ScheduleSpec
from core.training.dataset import PictureFolder
from tests.toys import Toy

ALL_STEPS = 20


class Means:
    """Features of a 4 × 4 picture: the means of its quarters. Of two classes it sees the one whose mean is nearer."""

    def __init__(self, labels: tuple[str, ...] = ("dark", "light"), dimensions: int = 4) -> None:
        self.info = ClassifierInfo(
            ModelRef("means", "m" * 64), (1, 4, 4), labels, ScheduleSpec(), dimensions, noisy=False
        )
        self.looks = 0

    def features(self, x: Tensor, check) -> Tensor:
        check()
        self.looks += 1
        quarters = torch.nn.functional.avg_pool2d(x, 2).flatten(1)
        return quarters[:, : self.info.features]

    def log_probabilities(self, x: Tensor, level: Level, check=lambda: None) -> Tensor:
        check()
        assert level is CLEAN
        mean = x.mean(dim=(1, 2, 3))
        return torch.stack((-(mean + 0.5).square(), -(mean - 0.5).square()), dim=1)

    def gradient(self, x, level, labels):  # type: ignore[no-untyped-def]
        raise AssertionError("nothing guides here")

    def release(self) -> None:
        pass


def folder(count: int = 120, mean: float = 0.25, classes: tuple[str, ...] = ()) -> PictureFolder:
    x0 = np.random.default_rng(1).normal(mean, 0.2, (count, 4, 4, 1))
    pictures = np.rint((x0.clip(-1, 1) + 1) * 127.5).astype(np.uint8)
    return PictureFolder("toys", pictures, np.arange(count) % max(1, len(classes)), classes)


def draws(toy: Toy, **changes: object) -> Draws:
    return Draws(toy.info, **({"samples": 40, "batch": 20, "steps": ALL_STEPS, "seed": 3} | changes))  # type: ignore[arg-type]


def work_of(toy: Toy, data: PictureFolder, request, recogniser=None, **checks: object):
    library = Library()
    library.add_model(toy)
    library.add_recogniser(recogniser or Means())
    watched = {"check": lambda: None, "breathe": lambda: None} | checks
    return measurement_of(request, library, "cpu", data, **watched)


def measured(toy: Toy, data: PictureFolder, request, recogniser=None) -> Distances:
    *_, last = work_of(toy, data, request, recogniser).work()
    assert isinstance(last.result, Distances)
    return last.result


def plain(toy: Toy, **changes: object) -> tuple[Trial, ...]:
    chosen = draws(toy, **changes)
    return (chosen.trial("DDIM", ALL_STEPS, chosen.request()),)


def features_of(pictures: np.ndarray) -> np.ndarray:
    x = pictures[..., 0] / 127.5 - 1
    return x.reshape(len(x), 2, 2, 2, 2).mean(axis=(2, 4)).reshape(len(x), 4)


def test_that_the_distance_is_that_of_the_samples_a_run_draws() -> None:
    toy, data = Toy(), folder()
    request = distance_request(plain(toy), data, Means().info.ref, seed=5)
    result = measured(toy, data, request)
    library = Library()
    library.add_model(toy)
    drawn = []
    for seed in (3, 4):
        run = SampleRun(replace(request.trials[0].request, seed=seed), library)
        list(run.steps())
        drawn.append(toy.spec.to_picture(run.trajectory.frame(ALL_STEPS)))
    samples = np.concatenate(drawn)
    reference = features_of(data.pictures[list(request.pictures)])
    size = np.sqrt((reference**2).mean())
    expected = kernel_distance(features_of(samples) / size, reference / size, seed=5)
    (point,) = result.points
    assert (point.series, point.x, point.count) == ("DDIM", ALL_STEPS, 40)
    assert point.value == pytest.approx(expected.value, rel=1e-4, abs=1e-9)
    assert point.error == pytest.approx(expected.error, rel=1e-4)
    assert (point.precision, point.recall) == precision_and_recall(features_of(samples), reference)
    assert np.array_equal(point.pictures, samples[:16])
    assert result.reference == 40
    assert result.dimensions == 4
    assert point.evaluations == ALL_STEPS
    assert point.seconds > 0


def test_that_the_right_model_is_nearer_than_a_wrong_one_and_as_near_as_real_pictures() -> None:
    right, wrong, data = Toy(), Toy(name="wrong", means=(-0.5,)), folder()
    near = measured(right, data, distance_request(plain(right), data, Means().info.ref))
    far = measured(wrong, data, distance_request(plain(wrong), data, Means().info.ref))
    assert far.points[0].value > near.points[0].value + 5 * far.points[0].error
    assert far.points[0].precision < 0.1 < near.points[0].precision
    assert abs(near.points[0].value) < 4 * near.points[0].error + 0.05
    assert abs(near.real) < abs(far.points[0].value) / 10


def test_that_real_pictures_are_outside_the_reference_or_there_is_no_such_number() -> None:
    toy = Toy()
    few = folder(50)
    result = measured(toy, few, distance_request(plain(toy), few, Means().info.ref))
    assert math.isnan(result.real)
    enough = folder(80)
    assert math.isfinite(measured(toy, enough, distance_request(plain(toy), enough, Means().info.ref)).real)


def test_that_frechet_is_used_where_it_may_be_and_said_to_be_replaced_where_it_may_not() -> None:
    toy, data = Toy(), folder()
    asked = distance_request(plain(toy), data, Means().info.ref, metric="frechet")
    result = measured(toy, data, asked)
    assert (result.metric, result.note) == ("frechet", "")
    assert result.points[0].value >= 0
    few = distance_request(plain(toy, samples=15), data, Means().info.ref, metric="frechet")
    replaced = measured(toy, data, few)
    assert replaced.metric == "kernel"
    assert "at least 20 samples" in replaced.note
    unequal = distance_request(plain(toy), data, Means().info.ref, metric="frechet", reference=60)
    assert measured(toy, data, unequal).metric == "kernel"


def test_that_samples_are_recognised_as_the_class_they_were_asked_to_be() -> None:
    toy = Toy(labels=("light", "dark", "unseen"), means=(0.6, -0.6, 0.0, 0.0))
    data = folder()
    result = measured(toy, data, distance_request(plain(toy, labels=(0, 1)), data, Means().info.ref))
    assert result.points[0].recognised == 1.0
    swapped = Toy(labels=("dark", "light"), means=(0.6, -0.6, 0.0))
    result = measured(swapped, data, distance_request(plain(swapped), data, Means().info.ref))
    assert result.points[0].recognised == 0.0
    nothing = measured(toy, data, distance_request(plain(toy, labels=(2,)), data, Means().info.ref))
    assert math.isnan(nothing.points[0].recognised)
    unlabelled = measured(toy, data, distance_request(plain(toy, labels=()), data, Means().info.ref))
    assert math.isnan(unlabelled.points[0].recognised)


def test_that_results_come_trial_by_trial_and_are_the_same_each_time() -> None:
    toy, data = Toy(), folder()
    trials = sampler_comparison(draws(toy), ("ddim", "ddpm"), (4, 8))
    request = distance_request(trials, data, Means().info.ref)
    work = work_of(toy, data, request)
    parts = list(work.work())
    assert [part.done for part in parts] == list(range(1, work.total + 1))
    counts = [len(part.result.points) for part in parts if part.result is not None]
    assert counts == [0, 0, 1, 2, 3, 4]  # first of the reference, then of real pictures beside it
    again = measured(toy, data, request)
    for one, other in zip(parts[-1].result.points, again.points, strict=True):
        assert (one.value, one.error, one.precision, one.recall) == (
            other.value,
            other.error,
            other.precision,
            other.recall,
        )
        assert np.array_equal(one.pictures, other.pictures)


def test_that_all_samplers_begin_from_the_same_noise() -> None:
    trials = sampler_comparison(draws(Toy()), ("ddim", "ddpm"), (4, 8))
    assert len({trial.request.seed for trial in trials}) == 1
    assert len({trial.request.count for trial in trials}) == 1


def test_that_evaluations_told_are_those_that_were_made() -> None:
    toy, data = Toy(labels=("dark", "light"), means=(0.2, 0.3, 0.25)), folder()
    trials = sampler_comparison(draws(toy, samples=4, batch=4), ("ddim", "heun", "dpmpp"), (7, 11))
    guided = draws(toy, samples=4, batch=4, guidance=1.0)
    trials += (guided.trial("guided", 1.0, guided.request(6)),)
    for trial in trials:
        toy.evaluations = 0
        result = measured(toy, data, distance_request((trial,), data, Means().info.ref, reference=8))
        doubled = 2 if trial.series == "guided" else 1  # both halves in one batch
        assert result.points[0].evaluations == toy.evaluations * doubled, trial.series


def test_that_time_spent_serving_others_is_not_counted_as_the_samplers() -> None:
    import time

    toy, data = Toy(), folder()
    request = distance_request(plain(toy, samples=4, batch=4), data, Means().info.ref, reference=8)
    *_, last = work_of(toy, data, request, breathe=lambda: time.sleep(0.01)).work()
    assert last.result.points[0].seconds < 0.01 * ALL_STEPS


def test_that_a_cancelled_comparison_keeps_what_was_told() -> None:
    toy, data = Toy(), folder()
    trials = sampler_comparison(draws(toy), ("ddim",), (4, 8))
    stop: list[bool] = []

    def breathe() -> None:
        if stop:
            raise Cancelled

    work = work_of(toy, data, distance_request(trials, data, Means().info.ref), breathe=breathe).work()
    told = next(part.result for part in work if part.result is not None and part.result.points)
    stop.append(True)
    with pytest.raises(Cancelled):
        next(work)
    assert len(told.points) == 1
    assert math.isfinite(told.points[0].value)


def test_that_a_skipped_share_begins_at_the_level_that_is_left() -> None:
    toy = Toy()
    trials = skip_sweep(draws(toy, steps=10), (0.0, 0.3, 0.55))
    assert [trial.request.timesteps[0] for trial in trials] == [900, 600, 400]
    assert [trial.request.steps for trial in trials] == [10, 7, 5]
    data = folder()
    result = measured(toy, data, distance_request(trials, data, Means().info.ref))
    assert [point.x for point in result.points] == [0.0, 0.3, 0.55]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda request: replace(request, trials=()), "at least one trial"),
        (lambda request: replace(request, pictures=(0,)), "at least two"),
        (lambda request: replace(request, pictures=(0, 500)), "0 to 119"),
        (lambda request: replace(request, features=ModelRef("gone", "9" * 64)), "not open"),
    ],
)
def test_that_a_comparison_that_cannot_be_made_is_refused_in_words(change, words) -> None:
    toy, data = Toy(), folder()
    with pytest.raises(Refusal, match=words):
        work_of(toy, data, change(distance_request(plain(toy), data, Means().info.ref)))


def test_that_a_feature_network_for_another_size_is_refused_in_words() -> None:
    toy = Toy(ImageSpec((1, 8, 8)))
    x = np.zeros((20, 8, 8, 1), dtype=np.uint8)
    data = PictureFolder("eights", x, np.zeros(20, dtype=np.int64), ())
    with pytest.raises(Refusal, match="4 × 4"):
        work_of(toy, data, distance_request(plain(toy), data, Means().info.ref))


def test_that_the_size_of_a_classifiers_features_does_not_matter_but_that_of_published_ones_does() -> None:
    class Louder(Means):
        def features(self, x: Tensor, check) -> Tensor:
            return 100 * super().features(x, check)

    class Published(Louder):
        published = True

    toy, data = Toy(), folder()
    request = distance_request(plain(toy), data, Means().info.ref, metric="frechet")
    soft, loud, published = (measured(toy, data, request, one()).points[0] for one in (Means, Louder, Published))
    assert loud.value == pytest.approx(soft.value, rel=1e-4)
    reference = features_of(data.pictures[list(request.pictures)])
    assert published.value == pytest.approx(loud.value * 1e4 * (reference**2).mean(), rel=1e-4)
    assert soft.precision == loud.precision == published.precision


def test_that_one_serves_colour_features_to_grey_pictures() -> None:
    seen: list[Tensor] = []

    class Colour(Means):
        def __init__(self) -> None:
            super().__init__()
            self.info = replace(self.info, event_shape=(3, 4, 4))

        def features(self, x: Tensor, check) -> Tensor:
            seen.append(x)
            return super().features(x[:, :1], check)

    toy, data = Toy(), folder()
    measured(toy, data, distance_request(plain(toy, labels=()), data, Means().info.ref), Colour())
    assert all(x.shape[1] == 3 and bool((x[:, 0] == x[:, 2]).all()) for x in seen)
