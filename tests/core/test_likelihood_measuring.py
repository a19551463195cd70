"""L_t of pictures, measured: held against closed forms of a Gaussian model, and against itself taken apart."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from core.dataspec import ImageSpec
from core.denoiser import LearnedVariance
from core.errors import Cancelled, Refusal
from core.evaluation import measurement_of
from core.evaluation.strata import coarse_first, edges, times_within
from core.library import Library
from core.measure_requests import DataRef, LikelihoodRequest
from core.messages import Likelihood, Measured
from core.requests import ScheduleSpec
from core.schedules import make_schedule
from core.training.dataset import PictureFolder
from tests.toys import IntegersToy, PointsToy, Toy

SCHEDULE = ScheduleSpec("linear", 60, 1e-3, 0.2)


def folder(count: int = 6, side: int = 4, classes: tuple[str, ...] = (), seed: int = 3) -> PictureFolder:
    """Pictures whose values are about those of the toy's data, mean 0.25 and standard deviation 0.2."""
    x0 = np.random.default_rng(seed).normal(0.25, 0.2, (count, side, side, 1))
    pictures = np.rint((x0.clip(-1, 1) + 1) * 127.5).astype(np.uint8)
    return PictureFolder("toys", pictures, np.arange(count) % max(1, len(classes)), classes)


def request(toy: Toy, data: PictureFolder, **changes: object) -> LikelihoodRequest:
    values: dict[str, object] = {
        "model": toy.info.ref,
        "schedule": SCHEDULE,
        "data": DataRef(data.name, data.sha256),
        "pictures": tuple(range(len(data))),
        "timesteps": tuple(range(59, -1, -1)),
        "seed": 5,
        "clip": "none",
    }
    return LikelihoodRequest(**(values | changes))  # type: ignore[arg-type]


def parts(toy: Toy, data: PictureFolder, asked: LikelihoodRequest, **checks: object):
    library = Library()
    library.add_model(toy)
    watched = {"check": lambda: None, "breathe": lambda: None} | checks
    return measurement_of(asked, library, "cpu", data, **watched)


def measured(toy: Toy, data: PictureFolder, asked: LikelihoodRequest) -> Likelihood:
    *_, last = parts(toy, data, asked).work()
    assert isinstance(last.result, Likelihood)
    return last.result


def expected_terms(data: PictureFolder, variance: str, draws: int) -> tuple[np.ndarray, np.ndarray]:
    """E over eps of L_t, t > 0, in bits a value, mean over the pictures, and the standard error of as many draws.

    The exact denoiser is linear in x_t, x0_hat = gain x_t + offset, so the means of posterior and model differ by
    c (x0 - x0_hat) = c (a - gain sigma eps), c being the posterior's coefficient of x0: its square has the expectation
    c^2 (a^2 + b^2) and the variance c^4 (4 a^2 b^2 + 2 b^4), b = gain sigma.
    """
    tables = make_schedule(SCHEDULE)
    x0 = data.pictures.reshape(-1) / 127.5 - 1
    terms, errors = np.full((2, tables.T), np.nan)
    for t in range(1, tables.T):
        alpha, sigma = math.sqrt(tables.alpha_bar[t]), math.sqrt(1 - tables.alpha_bar[t])
        gain = alpha * 0.04 / (alpha**2 * 0.04 + sigma**2)
        away, noise = (x0 - 0.25) * (1 - gain * alpha), gain * sigma
        wanted, said = tables.beta_tilde[t], tables.beta_tilde[t] if variance == "small" else tables.betas[t]
        scale = tables.posterior_mean_x0[t] ** 2 / (2 * said * math.log(2))
        gap = 0.5 * (math.log(said / wanted) - 1 + wanted / said) / math.log(2)
        terms[t] = gap + scale * (away**2 + noise**2).mean()
        errors[t] = scale * math.sqrt((4 * away**2 * noise**2 + 2 * noise**4).mean() / (x0.size * draws))
    return terms[1:], errors[1:]


@pytest.mark.parametrize("variance", ["small", "large"])
def test_that_the_kl_terms_of_an_exact_gaussian_model_are_the_closed_form(variance) -> None:
    data, toy = folder(8), Toy()
    result = measured(toy, data, request(toy, data, variance=variance, draws=4))
    expected, error = expected_terms(data, variance, draws=4)
    assert np.array_equal(result.timesteps, np.arange(60))
    deviations = (result.terms[1:] - expected) / error
    assert np.abs(deviations).max() < 4
    assert abs(deviations.mean()) < 3 / math.sqrt(len(deviations))


def test_that_the_decoder_of_an_exact_model_is_the_probability_of_the_pixel() -> None:
    data, toy = folder(5), Toy()
    result = measured(toy, data, request(toy, data, draws=3))
    tables = make_schedule(SCHEDULE)
    std = math.sqrt(tables.beta_tilde[1])
    x0 = data.pictures.reshape(len(data), -1) / 127.5 - 1
    alpha, sigma = math.sqrt(tables.alpha_bar[0]), math.sqrt(tables.betas[0])
    gain = alpha * 0.04 / (alpha**2 * 0.04 + sigma**2)
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    x0_hat = 0.25 + gain * (alpha * (x0[..., None] - 0.25) + sigma * nodes)
    cdf = np.vectorize(lambda z: 0.5 * math.erfc(-z / math.sqrt(2)))
    upper = np.where(x0[..., None] > 0.999, 1.0, cdf((x0[..., None] - x0_hat + 1 / 255) / std))
    lower = np.where(x0[..., None] < -0.999, 0.0, cdf((x0[..., None] - x0_hat - 1 / 255) / std))
    bits = -np.log2(np.maximum(upper - lower, 1e-300))
    expected = bits @ weights / weights.sum()
    spread = np.sqrt((bits**2 @ weights / weights.sum() - expected**2).mean())
    assert abs(result.terms[0] - expected.mean()) < 3 * spread / math.sqrt(expected.size * 3)


def test_that_the_sum_is_prior_plus_terms_and_the_mean_of_the_pictures() -> None:
    data, toy = folder(), Toy()
    result = measured(toy, data, request(toy, data))
    assert result.bits_per_dim == pytest.approx(result.prior + result.terms.sum(), rel=1e-12)
    assert result.bits_per_dim == pytest.approx(result.per_picture.mean(), rel=1e-12)
    assert result.bits_error == pytest.approx(result.per_picture.std(ddof=1) / math.sqrt(6), rel=1e-9)
    x0 = data.pictures.reshape(6, -1) / 127.5 - 1
    prior = np.mean([make_schedule(SCHEDULE).prior_kl(float((row**2).mean())) for row in x0])
    assert result.prior == pytest.approx(prior, rel=1e-6)


def test_that_errors_of_noise_and_picture_are_those_of_an_exact_model() -> None:
    data, toy = folder(40, seed=8), Toy()
    result = measured(toy, data, request(toy, data, draws=3))
    tables = make_schedule(SCHEDULE)
    alpha_bar = tables.alpha_bar
    left = 0.04 * (1 - alpha_bar) / (alpha_bar * 0.04 + 1 - alpha_bar)  # the variance that x_t leaves of x0
    assert result.distortion == pytest.approx(np.sqrt(left) * 127.5, rel=0.15)
    assert result.mse == pytest.approx(left * alpha_bar / (1 - alpha_bar), rel=0.3)
    assert np.all(result.mse_error > 0)
    assert np.all(np.abs(result.mse - left * alpha_bar / (1 - alpha_bar)) < 6 * result.mse_error + 1e-3)


def test_that_two_measurements_of_one_request_agree_to_the_bit() -> None:
    data, toy = folder(), Toy()
    asked = request(toy, data, timesteps=(59, 40, 20, 8, 3, 0), draws=2)
    first, second = measured(toy, data, asked), measured(toy, data, asked)
    for name in ("terms", "terms_error", "mse", "mse_error", "distortion", "per_picture"):
        assert np.array_equal(getattr(first, name), getattr(second, name)), name
    assert first.bits_per_dim == second.bits_per_dim
    other = measured(toy, data, replace(asked, seed=6))
    assert not np.array_equal(first.terms, other.terms)


def test_that_two_models_meet_the_same_noise() -> None:
    data = folder(20)
    met: dict[str, dict[float, list[np.ndarray]]] = {}
    for name, mean in (("one", 0.25), ("two", -0.4)):
        toy = Toy(name=name, means=(mean,))
        seen = met.setdefault(name, {})
        plain = toy.denoiser

        def recording(*arguments, plain=plain, seen=seen, **settings):
            denoise = plain(*arguments, **settings)

            def look(x_t, level, condition):
                seen.setdefault(level.t, []).append(x_t.numpy().copy())
                return denoise(x_t, level, condition)

            return look

        toy.denoiser = recording
        measured(toy, data, request(toy, data, timesteps=(50, 20, 5, 0), draws=2))
    assert met["one"].keys() == met["two"].keys()
    for t in met["one"]:
        assert all(np.array_equal(a, b) for a, b in zip(met["one"][t], met["two"][t], strict=True))


def test_that_a_picture_meets_the_same_noise_whoever_is_measured_beside_it() -> None:
    data, toy = folder(30), Toy()
    whole = measured(toy, data, request(toy, data))
    alone = measured(toy, data, request(toy, data, pictures=(21, 4)))
    assert alone.per_picture == pytest.approx(whole.per_picture[[21, 4]], rel=1e-9)


def test_that_strata_agree_with_the_exact_sum_within_three_standard_errors() -> None:
    data, toy = folder(200, seed=1), Toy()
    exact = measured(toy, data, request(toy, data))
    strata = measured(toy, data, request(toy, data, timesteps=(59, 40, 22, 10, 4, 1, 0), seed=9))
    assert strata.bits_error < 0.1 * strata.bits_per_dim
    # The exact sum has an error of its own, over the same pictures: what differs is t and the noise.
    differences = strata.per_picture - exact.per_picture
    assert abs(differences.mean()) <= 3 * differences.std(ddof=1) / math.sqrt(200)
    assert differences.std() > 0


def test_that_what_was_known_stays_valid_when_the_work_is_left() -> None:
    data, toy = folder(40), Toy()
    work = parts(toy, data, request(toy, data, timesteps=(59, 30, 0))).work()
    results = []
    for _ in range(3):
        part = next(work)
        results += [part.result] if part.result is not None else []
    work.close()
    known = results[-1]
    met = ~np.isnan(known.terms)
    assert 0 < met.sum() < 3
    assert known.pictures == 0
    assert math.isnan(known.bits_per_dim)
    assert len(known.per_picture) == 0


def test_that_a_first_picture_of_all_timesteps_comes_before_all_pictures_are_done() -> None:
    data, toy = folder(100), Toy()
    measuring = parts(toy, data, request(toy, data))
    whole = [part for part in measuring.work() if part.result is not None and not np.isnan(part.result.terms).any()]
    assert whole[0].done < measuring.total / 6
    assert whole[0].result.pictures == 16
    assert math.isfinite(whole[0].result.bits_per_dim)
    assert whole[-1].done == measuring.total
    assert whole[-1].result.pictures == 100


def test_that_counts_of_parts_are_right_and_rise_by_one() -> None:
    data, toy = folder(37), Toy()
    measuring = parts(toy, data, request(toy, data, timesteps=(59, 45, 31, 12, 2, 0), draws=3))
    assert [part.done for part in measuring.work()] == list(range(1, measuring.total + 1))


def test_that_a_cancelled_measurement_ends_within_a_piece() -> None:
    data, toy = folder(), Toy()
    calls = []

    def breathe() -> None:
        calls.append(1)
        if len(calls) == 3:
            raise Cancelled

    work = parts(toy, data, request(toy, data), breathe=breathe).work()
    with pytest.raises(Cancelled):
        list(work)
    assert len(calls) == 3


def test_that_a_model_is_told_the_class_of_each_picture_by_its_name() -> None:
    data = folder(8, classes=("dog", "unknown"))
    toy = Toy(labels=("cat", "dog"), means=(0.0, 0.25, 5.0))
    told: list[torch.Tensor] = []
    plain = toy.denoiser

    def recording(*arguments, **settings):
        denoise = plain(*arguments, **settings)

        def look(x_t, level, condition):
            told.append(condition.labels)
            return denoise(x_t, level, condition)

        return look

    toy.denoiser = recording
    measured(toy, data, request(toy, data, timesteps=(30, 0)))
    assert set(torch.cat(told).tolist()) == {1, 2}
    told.clear()
    measured(toy, data, request(toy, data, timesteps=(30, 0), labelled=False))
    assert set(torch.cat(told).tolist()) == {2}


def test_that_clamping_keeps_a_wild_model_within_the_range() -> None:
    data, toy = folder(), Toy(means=(40.0,))
    wild = measured(toy, data, request(toy, data))
    held = measured(toy, data, request(toy, data, clip="clamp"))
    assert held.bits_per_dim < wild.bits_per_dim
    assert held.distortion.max() <= 255


@pytest.mark.parametrize(("v", "fixed"), [(1.0, "large"), (-1.0, "small")])
def test_that_a_learned_variance_at_an_end_of_its_range_costs_what_the_fixed_one_does(v, fixed) -> None:
    data, toy = folder(), Toy()
    toy.info = replace(toy.info, variance="range")
    plain = toy.denoiser

    def learned(*arguments, **settings):
        denoise = plain(*arguments, **settings)

        def look(x_t, level, condition):
            return replace(denoise(x_t, level, condition), learned=LearnedVariance("range", torch.full_like(x_t, v)))

        return look

    expected = measured(toy, data, request(toy, data, variance=fixed))
    toy.denoiser = learned
    found = measured(toy, data, request(toy, data, variance="learned"))
    assert found.terms[1:] == pytest.approx(expected.terms[1:], rel=1e-5, abs=1e-9)
    if fixed == "small":
        assert found.terms[0] == pytest.approx(expected.terms[0], rel=1e-5)


def test_that_a_schedule_that_ends_without_signal_is_measured_too() -> None:
    data, toy = folder(), Toy()
    spec = ScheduleSpec("cosine", 50, zero_snr=True)
    found = measured(toy, data, request(toy, data, schedule=spec, timesteps=tuple(range(49, -1, -1))))
    assert np.isfinite(found.terms).all()
    assert found.prior == 0
    assert found.distortion[-1] == pytest.approx(25, rel=0.3)  # the standard deviation of the data: 0.2 of a range of 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"pictures": ()}, "at least one picture"),
        ({"pictures": (0, 0)}, "each once"),
        ({"pictures": (0, 99)}, "0 to 5"),
        ({"data": DataRef("toys", "0" * 64)}, "not those"),
        ({"timesteps": (59, 30)}, "0 is one of them"),
        ({"timesteps": (0, 30)}, "0 is one of them"),
        ({"timesteps": (60, 0)}, "at most 59"),
        ({"timesteps": (0,)}, "at least two"),
        ({"variance": "learned"}, "not learned"),
        ({"clip": "dynamic"}, "clamp"),
    ],
)
def test_that_what_cannot_be_measured_is_refused_in_words(changes, words) -> None:
    data, toy = folder(), Toy()
    with pytest.raises(Refusal, match=words):
        parts(toy, data, replace(request(toy, data), **changes))


def test_that_data_without_bits_are_refused_in_words() -> None:
    data = folder()
    for toy in (PointsToy(), IntegersToy()):
        with pytest.raises(Refusal):
            parts(toy, data, request(toy, data))
    big = Toy(ImageSpec((1, 8, 8)))
    with pytest.raises(Refusal, match="opened at 4 × 4"):
        parts(big, data, request(big, data))


def test_that_every_timestep_stands_in_one_stratum() -> None:
    assert edges((0, 1, 2, 3), 4).tolist() == [0, 1, 2, 3, 4]
    assert edges((0, 10, 20), 30).tolist() == [0, 1, 16, 30]
    assert edges((0, 29), 30).tolist() == [0, 1, 30]
    assert edges((0,), 1).tolist() == [0, 1]


def test_that_times_within_a_stratum_cover_it_evenly() -> None:
    times = times_within(10, 20, np.arange(1000), 0.37)
    counts = np.bincount(times - 10, minlength=10)
    assert counts.sum() == 1000
    assert counts.min() >= 97
    assert counts.max() <= 103


def test_that_the_order_goes_from_coarse_to_fine_and_meets_everything_once() -> None:
    for count in (1, 2, 3, 10, 57):
        order = coarse_first(count)
        assert sorted(order) == list(range(count))
    assert coarse_first(9)[:5] == (0, 8, 4, 2, 6)


def test_that_the_engine_measures_what_the_code_alone_measures_though_a_run_goes_ahead(listening) -> None:
    heard, data = listening(Toy(seconds=0.001)), folder()
    asked = request(heard.model, data, timesteps=(59, 30, 10, 0), draws=3)
    job = heard.engine.measure(asked, data)
    heard.engine.submit(heard.model.request())
    heard.wait(lambda: heard.ended(job))
    told = heard.of(Measured)[-1]
    alone = measured(Toy(), data, asked)
    assert heard.ended(job).reason == "finished"
    assert told.done == told.total
    assert told.result.bits_per_dim == alone.bits_per_dim
    assert np.array_equal(told.result.terms, alone.terms)
