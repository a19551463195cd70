"""What is compared, as requests: budgets of evaluations, shares of the way, classes by their names."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.codec import from_json, to_json
from core.errors import Refusal
from core.evaluation.coarse_to_fine import parent_of, progress_steps, sharing
from core.evaluation.plans import (
    Draws,
    classifier_sweep,
    distance_request,
    evaluations_of,
    guidance_sweep,
    likelihood_request,
    likelihood_timesteps,
    sampler_comparison,
    skip_sweep,
    some_pictures,
    temperature_sweep,
)
from core.evaluation.strata import edges
from core.evaluation.weights import weights_of
from core.jobs import SampleRun
from core.library import Library
from core.measure_requests import DistanceRequest, LikelihoodRequest
from core.messages import ModelInfo
from core.requests import FromStep, ModelRef, SamplerSpec, ScheduleSpec
from core.training.dataset import PictureFolder
from tests.toys import Toy

GUIDE = ModelRef("guide", "c" * 64)


def info(**changes: object) -> ModelInfo:
    values: dict[str, object] = {
        "ref": ModelRef("m", "a" * 64),
        "event_shape": (1, 4, 4),
        "schedule": ScheduleSpec("linear", 1000),
        "prediction": "eps",
        "labels": ("0", "1", "2"),
        "null_label": 3,
        "sampler": SamplerSpec("ddim", clip="clamp"),
    }
    return ModelInfo(**(values | changes))  # type: ignore[arg-type]


def folder(count: int = 100) -> PictureFolder:
    return PictureFolder("f", np.zeros((count, 4, 4, 1), np.uint8), np.zeros(count, np.int64), ())


def test_that_plans_need_no_torch() -> None:
    code = "import sys, core.evaluation.plans, core.evaluation.coarse_to_fine; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_that_samples_are_whole_batches_and_the_classes_take_turns() -> None:
    draws = Draws(info(), samples=130, batch=50)
    assert (draws.count, draws.batches) == (50, 3)
    assert draws.request().labels[:5] == (0, 1, 2, 0, 1)
    assert Draws(info(), samples=7, batch=50).request().count == 7
    assert Draws(info(), labels=(2, 1)).request().labels[:3] == (2, 1, 2)
    assert Draws(info(), labels=()).request().labels[:2] == (None, None)
    assert Draws(info(labels=(), null_label=None)).request().labels == ()


def test_that_every_sampler_has_the_same_budgets_and_heun_as_many_steps_as_fit() -> None:
    trials = sampler_comparison(Draws(info(), samples=10), ("ddim", "heun", "dpmpp", "ddpm"), (5, 20))
    found = [(trial.series, trial.x, trial.request.steps) for trial in trials]
    assert found == [
        ("DDIM", 5, 5),
        ("DDIM", 20, 20),
        ("Heun", 5, 3),
        ("Heun", 19, 10),
        ("DPM-Solver++ 2M", 5, 5),
        ("DPM-Solver++ 2M", 20, 20),
        ("DDPM", 5, 5),
        ("DDPM", 20, 20),
    ]
    assert {trial.request.seed for trial in trials} == {0}
    assert {trial.request.sampler.clip for trial in trials} == {"clamp"}
    learned = sampler_comparison(Draws(info(variance="range")), ("ddpm",), (5,))
    assert learned[0].request.sampler.variance == "learned"
    etas = [SamplerSpec("ddim", eta) for eta in (0.0, 0.5)]
    assert [trial.series for trial in sampler_comparison(Draws(info()), etas, (5,))] == ["DDIM", "DDIM, eta 0.5"]


def test_that_guidance_counts_twice_where_it_works() -> None:
    request = Draws(info(), steps=10).request()
    assert evaluations_of(request) == 10
    assert evaluations_of(replace(request, guidance=1.0)) == 20
    assert evaluations_of(replace(request, guidance=-1.0)) == 10
    assert evaluations_of(replace(request, guidance=1.0, interval=(700, 300))) == 15
    heun = replace(request, sampler=SamplerSpec("heun"))
    assert evaluations_of(heun) == 19
    assert evaluations_of(replace(heun, guidance=1.0)) == 38


def test_that_sweeps_change_one_thing_alone() -> None:
    draws = Draws(info(), samples=8)
    base = draws.request()
    for trial in guidance_sweep(draws, (0.0, 2.0)):
        assert trial.request == replace(base, guidance=trial.x)
    for trial in temperature_sweep(draws, (1.0, 0.8)):
        assert trial.request == replace(base, temperature=trial.x)
    with pytest.raises(Refusal, match="no null label"):
        guidance_sweep(Draws(info(null_label=None)))


def test_that_a_classifier_guides_to_the_class_of_the_same_name() -> None:
    draws = Draws(info(), samples=4)
    (first, second) = classifier_sweep(draws, GUIDE, ("2", "1", "0"), (0.0, 3.0))
    assert first.request.classifier is not None
    assert second.request.classifier is not None
    assert second.request.classifier.labels == (2, 1, 0, 2)
    assert second.request.labels == (0, 1, 2, 0)
    assert (first.x, second.request.classifier.scale) == (0.0, 3.0)
    alone = classifier_sweep(Draws(info(labels=(), null_label=None), samples=5), GUIDE, ("a", "b"), (1.0,))
    assert alone[0].request.classifier is not None
    assert alone[0].request.classifier.labels == (0, 1, 0, 1, 0)
    assert alone[0].request.labels == ()
    with pytest.raises(Refusal, match="does not know the class '0'"):
        classifier_sweep(draws, GUIDE, ("1", "2"))


def test_that_a_skipped_share_leaves_out_the_noisiest_timesteps() -> None:
    for trial in skip_sweep(Draws(info(), steps=50, spacing="linspace"), (0.0, 0.2, 0.5)):
        assert max(trial.request.timesteps) <= (1 - trial.x) * 999
        assert trial.request.steps == pytest.approx(50 * (1 - trial.x), abs=1)
    with pytest.raises(Refusal, match="Nothing is left"):
        skip_sweep(Draws(info(), steps=2, spacing="trailing"), (0.9,))


def test_that_requests_survive_a_trip_through_json() -> None:
    trials = sampler_comparison(Draws(info(), samples=4)) + classifier_sweep(Draws(info()), GUIDE, ("0", "1", "2"))
    asked = distance_request(trials, folder(), GUIDE, metric="frechet")
    assert from_json(DistanceRequest, to_json(asked)) == asked
    bits = likelihood_request(info(), folder(), timesteps=None)
    assert from_json(LikelihoodRequest, to_json(bits)) == bits


def test_that_the_reference_is_as_large_as_the_samples_and_drawn_from_the_seed() -> None:
    trials = guidance_sweep(Draws(info(), samples=30, batch=20))
    asked = distance_request(trials, folder(), GUIDE, seed=4)
    assert len(asked.pictures) == 40
    assert asked.pictures == some_pictures(folder().labels, 40, 4)
    assert asked.pictures != distance_request(trials, folder(), GUIDE, seed=5).pictures
    assert len(distance_request(trials, folder(30), GUIDE).pictures) == 30


def test_that_some_pictures_are_of_every_class_its_share() -> None:
    labels = np.repeat(np.arange(4), (100, 50, 30, 20))
    chosen = some_pictures(labels, 40, 1)
    assert np.bincount(labels[list(chosen)]).tolist() == [20, 10, 6, 4]
    assert len(set(chosen)) == 40
    assert list(chosen) == sorted(chosen)
    assert chosen != some_pictures(labels, 40, 2)
    counts = np.zeros(200)
    for seed in range(400):
        counts[list(some_pictures(labels, 40, seed))] += 1
    assert counts.min() > 40  # each of them 80 times on average
    assert some_pictures(labels, 500, 0) == tuple(range(200))


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 300), st.integers(300, 4000))
def test_that_strata_cover_every_timestep_once_and_are_finer_where_the_bits_are(count: int, T: int) -> None:
    times = likelihood_timesteps(info(schedule=ScheduleSpec("cosine", T)), count)
    assert len(times) == count
    bounds = edges(times[::-1], T)
    widths = np.diff(bounds)
    assert (bounds[0], bounds[1], bounds[-1]) == (0, 1, T)
    assert widths.sum() == T
    assert widths.min() >= 1
    assert widths[: count // 2].sum() <= widths[count // 2 :].sum() + 1


def test_that_without_a_number_of_timesteps_all_are_visited() -> None:
    assert likelihood_timesteps(info(), None) == tuple(range(999, -1, -1))
    assert likelihood_timesteps(info(), 5000) == tuple(range(999, -1, -1))


def test_that_the_variance_is_the_learned_one_where_there_is_one() -> None:
    assert likelihood_request(info(), folder()).variance == "large"
    assert likelihood_request(info(variance="range"), folder()).variance == "learned"
    assert likelihood_request(info(variance="range"), folder(), variance="small").variance == "small"


def test_that_samples_share_a_state_of_one_run_and_part_from_there() -> None:
    toy = Toy()
    library = Library()
    library.add_model(toy)
    parent = parent_of(toy.request(count=5, seed=3))
    assert (parent.count, parent.sampler.eta) == (1, 1.0)
    rows = sharing(parent, (1.0, 0.5, 0.2), samples=3)
    assert [row.t for row in rows] == [900, 400, 100]
    whole = SampleRun(parent, library)
    list(whole.steps())
    spread = []
    for row in rows:
        ends = []
        for request in row.runs:
            assert request.start == FromStep(parent, row.step)
            run = SampleRun(request, library)
            list(run.steps())
            assert np.array_equal(run.trajectory.frame(0), whole.trajectory.frame(row.step))
            ends.append(run.trajectory.frame(request.steps))
        assert len({end.tobytes() for end in ends}) == 3
        spread.append(float(np.std(ends, axis=0).mean()))
    assert min(spread[:2]) > spread[2]


def test_that_what_is_shared_is_drawn_with_noise_by_any_sampler() -> None:
    for name in ("heun", "dpmpp"):
        assert parent_of(Draws(info(), sampler=SamplerSpec(name)).request()).sampler.name == "ddpm"
    kept = SamplerSpec("ddim", eta=0.4)
    assert parent_of(Draws(info(), sampler=kept).request()).sampler == kept
    with pytest.raises(Refusal, match="share of the way"):
        sharing(Draws(info()).request(), (0.0,))


def test_that_frames_of_a_run_go_from_its_start_to_its_last_look() -> None:
    request = Draws(info(), steps=50).request()
    steps = progress_steps(request, 8)
    assert (steps[0], steps[-1], len(steps)) == (0, 49, 8)
    assert progress_steps(Draws(info(), steps=3).request(), 10) == (0, 1, 2)


def test_that_the_folder_says_whether_weights_are_averaged(tmp_path) -> None:
    assert "does not say" in weights_of(tmp_path)
    (tmp_path / "diffuscope.json").write_text('{"provenance": {"training": {"ema_decay": 0.999}}}')
    assert weights_of(tmp_path) == "EMA, decay 0.999"
    (tmp_path / "diffuscope.json").write_text('{"provenance": [1]}')
    assert "does not say" in weights_of(tmp_path)
    (tmp_path / "diffuscope.json").write_text("{")
    assert "does not say" in weights_of(tmp_path)
