"""One interface to a network: micro-batches, guidance and clipping."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor

from core.denoiser import Clipped, Condition, Guided, LearnedVariance, NetworkDenoiser, Prediction, quantile
from core.errors import Cancelled, Refusal
from core.levels import CLEAN, Level
from core.process import marginal, v_from
from core.requests import PredictionKind, ScheduleSpec
from core.schedules import make_schedule

LEVEL = Level.from_alpha_bar(400.0, 0.3)
X = torch.randn(5, 2, 4, 3, generator=torch.Generator().manual_seed(0))
CONDITION = Condition(torch.tensor([0, 1, 2, 1, 0]), null=3)
SHIFT = torch.tensor([0.1, 0.4, -0.3, 0.0])


class Network:
    """eps depends on x, t and label; keeps what it was called with."""

    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        self.calls: list[tuple[Tensor, Tensor, Tensor | None]] = []
        self.dtype = dtype

    def __call__(self, x: Tensor, t: Tensor, labels: Tensor | None) -> Tensor:
        self.calls.append((x, t, labels))
        shift = SHIFT[labels].reshape(-1, 1, 1, 1) if labels is not None else 0.0
        return (0.5 * x + shift + t.reshape(-1, 1, 1, 1) * 1e-3).to(self.dtype)


def eps_for(label: int | Tensor) -> Tensor:
    return 0.5 * X + SHIFT[label].reshape(-1, 1, 1, 1) + 0.4


@pytest.mark.parametrize("kind", ["eps", "x0", "v"])
def test_that_every_kind_of_network_says_the_same_of_the_same_picture(kind: PredictionKind) -> None:
    generator = torch.Generator().manual_seed(1)
    x0, eps = torch.randn(2, 3, 4, 4, generator=generator), torch.randn(2, 3, 4, 4, generator=generator)
    x_t = marginal(x0, eps, LEVEL)
    output = {"eps": eps, "x0": x0, "v": v_from(x0, eps, LEVEL)}[kind]
    prediction = NetworkDenoiser(lambda x, t, labels: output, kind)(x_t, LEVEL, None)
    torch.testing.assert_close(prediction.x0_hat, x0, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(prediction.eps_hat, eps, atol=1e-5, rtol=1e-5)
    assert prediction.learned is None


def test_that_the_network_is_told_time_and_labels_for_each_sample() -> None:
    network = Network()
    NetworkDenoiser(network, "eps")(X, LEVEL, CONDITION)
    ((x, t, labels),) = network.calls
    assert x is X or torch.equal(x, X)
    assert t.dtype == torch.float32
    assert t.tolist() == [400.0] * 5
    assert labels is not None
    assert labels.tolist() == [0, 1, 2, 1, 0]
    NetworkDenoiser(network, "eps")(X, LEVEL, None)
    assert network.calls[-1][2] is None


@pytest.mark.parametrize("micro_batch", [1, 2, 3, 5, 100])
def test_that_micro_batches_change_nothing_but_their_number(micro_batch: int) -> None:
    network, checks = Network(), []
    denoise = NetworkDenoiser(network, "eps", check=lambda: checks.append(1), micro_batch=micro_batch)
    prediction = denoise(X, LEVEL, CONDITION)
    torch.testing.assert_close(prediction.eps_hat, eps_for(CONDITION.labels))
    assert [len(x) for x, _, _ in network.calls] == [min(micro_batch, 5 - i) for i in range(0, 5, micro_batch)]
    assert len(checks) == len(network.calls)


def test_that_a_cancelled_check_stops_between_micro_batches() -> None:
    network = Network()

    def check() -> None:
        if len(network.calls) == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        NetworkDenoiser(network, "eps", check=check, micro_batch=1)(X, LEVEL, None)
    assert len(network.calls) == 2


def test_that_a_half_precision_network_answers_in_float32_about_an_unrounded_picture() -> None:
    prediction = NetworkDenoiser(Network(torch.bfloat16), "eps")(X, LEVEL, None)
    assert prediction.eps_hat.dtype == torch.float32
    back = LEVEL.alpha * prediction.x0_hat + LEVEL.sigma * prediction.eps_hat
    torch.testing.assert_close(back, X, atol=1e-5, rtol=0)


def test_that_predicting_records_no_gradient() -> None:
    weight = torch.ones(1, requires_grad=True)
    prediction = NetworkDenoiser(lambda x, t, labels: x * weight, "eps")(X, LEVEL, None)
    assert not prediction.x0_hat.requires_grad


@pytest.mark.parametrize("w", [-1.0, -0.5, 0.0, 0.3, 4.0])
@pytest.mark.parametrize("kind", ["eps", "v", "x0"])
def test_that_guidance_is_the_papers_combination(w: float, kind: PredictionKind) -> None:
    plain = NetworkDenoiser(Network(), kind)
    conditional, unconditional = plain(X, LEVEL, CONDITION), plain(X, LEVEL, CONDITION.unconditional())
    prediction = Guided(plain, w)(X, LEVEL, CONDITION)
    expected = (1 + w) * conditional.eps_hat - w * unconditional.eps_hat
    torch.testing.assert_close(prediction.eps_hat, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(prediction.x0_hat, (X - LEVEL.sigma * expected) / LEVEL.alpha, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize(("w", "labels"), [(0.0, [0, 1, 2, 1, 0]), (-1.0, [3] * 5), (2.0, [0, 1, 2, 1, 0] + [3] * 5)])
def test_that_guidance_costs_one_evaluation_and_no_more_samples_than_it_needs(w: float, labels: list[int]) -> None:
    network = Network()
    Guided(NetworkDenoiser(network, "eps"), w)(X, LEVEL, CONDITION)
    ((_, _, seen),) = network.calls
    assert seen is not None
    assert seen.tolist() == labels


def test_that_guidance_in_micro_batches_is_the_same() -> None:
    whole = Guided(NetworkDenoiser(Network(), "eps"), 1.5)(X, LEVEL, CONDITION)
    parts = Guided(NetworkDenoiser(Network(), "eps", micro_batch=3), 1.5)(X, LEVEL, CONDITION)
    torch.testing.assert_close(whole.eps_hat, parts.eps_hat)


def test_that_guidance_without_classes_or_null_label_is_refused() -> None:
    plain = NetworkDenoiser(Network(), "eps")
    with pytest.raises(Refusal, match="no classes"):
        Guided(plain, 1.0)(X, LEVEL, None)
    with pytest.raises(Refusal, match="without a class"):
        Guided(plain, 1.0)(X, LEVEL, Condition(CONDITION.labels))
    assert Guided(plain, 0.0)(X, LEVEL, None).eps_hat.shape == X.shape


def fixed(x0_hat: Tensor, eps_hat: Tensor) -> Prediction:
    return Prediction(x0_hat, eps_hat)


def test_that_clipping_does_what_its_policy_says() -> None:
    x0_hat = torch.tensor([[-3.0, -0.5, 0.5, 3.0]])
    eps_hat = torch.tensor([[0.1, -0.2, 0.3, 1.0]])
    x_t = LEVEL.alpha * x0_hat + LEVEL.sigma * eps_hat
    inner = lambda x, level, condition: fixed(x0_hat, eps_hat)  # noqa: E731
    held = torch.tensor([[-1.0, -0.5, 0.5, 1.0]])

    none = Clipped(inner, "none")(x_t, LEVEL, None)
    assert torch.equal(none.x0_hat, x0_hat)
    assert torch.equal(none.eps_hat, eps_hat)

    clamp = Clipped(inner, "clamp")(x_t, LEVEL, None)
    assert torch.equal(clamp.x0_hat, held)
    assert torch.equal(clamp.eps_hat, eps_hat)

    rederive = Clipped(inner, "rederive")(x_t, LEVEL, None)
    assert torch.equal(rederive.x0_hat, held)
    torch.testing.assert_close(LEVEL.alpha * rederive.x0_hat + LEVEL.sigma * rederive.eps_hat, x_t)
    torch.testing.assert_close(rederive.eps_hat[:, 1:3], eps_hat[:, 1:3])

    narrow = Clipped(inner, "clamp", low=0.0, high=0.4)(x_t, LEVEL, None)
    assert narrow.x0_hat.tolist() == [[0.0, 0.0, pytest.approx(0.4), pytest.approx(0.4)]]


def test_that_a_condition_is_cut_joined_and_dropped_by_sample() -> None:
    assert len(CONDITION) == 5
    assert CONDITION[1:3].labels.tolist() == [1, 2]
    assert CONDITION.unconditional().labels.tolist() == [3] * 5
    dropped = CONDITION.dropped(torch.tensor([True, False, False, True, False]))
    assert dropped.labels.tolist() == [3, 1, 2, 3, 0]
    assert CONDITION[:2].followed_by(CONDITION[3:]).labels.tolist() == [0, 1, 1, 0]
    assert CONDITION.labels.tolist() == [0, 1, 2, 1, 0]


# ------------------------------------------------------------------------------------------------ posterior mean

LINEAR = make_schedule(ScheduleSpec())
COSINE = make_schedule(ScheduleSpec("cosine"))


@pytest.mark.parametrize("t", [0, 1, 249, 999])
def test_that_a_network_that_answers_the_posterior_mean_says_what_x0_and_eps_are(t: int) -> None:
    generator = torch.Generator().manual_seed(1)
    x0, eps = torch.randn(2, 3, 4, 4, generator=generator), torch.randn(2, 3, 4, 4, generator=generator)
    a, a_prev, beta = (float(table[t]) for table in (LINEAR.alpha_bar, LINEAR.alpha_bar_prev, LINEAR.betas))
    x_t = (x0 * math.sqrt(a) + eps * math.sqrt(1 - a)).double()
    # Ho et al. 2020, eq. 7, in float64
    mean = x0 * (math.sqrt(a_prev) * beta / (1 - a)) + x_t * (math.sqrt(1 - beta) * (1 - a_prev) / (1 - a))
    network = NetworkDenoiser(lambda x, t, labels: mean.float(), "mean", schedule=LINEAR)
    prediction = network(x_t.float(), LINEAR.level(t), None)
    torch.testing.assert_close(prediction.x0_hat, x0, atol=3e-3 if t == 999 else 1e-3, rtol=0)
    torch.testing.assert_close(prediction.eps_hat, eps, atol=1e-3, rtol=0)


def test_that_a_mean_asked_for_away_from_its_own_level_says_the_same_eps() -> None:
    """As an inversion asks: at the target's time about an x of the source's level."""
    own, source = LINEAR.level(400), Level(400.0, LINEAR.level(300).alpha, LINEAR.level(300).sigma)
    mean = 0.9 * X
    expected = (X - math.sqrt(LINEAR.alphas[400]) * mean) * (own.sigma / LINEAR.betas[400])  # eq. 11 solved for eps
    prediction = NetworkDenoiser(lambda x, t, labels: mean, "mean", schedule=LINEAR)(X, source, None)
    torch.testing.assert_close(prediction.eps_hat, expected, rtol=1e-4, atol=1e-4)
    back = source.alpha * prediction.x0_hat + source.sigma * prediction.eps_hat
    torch.testing.assert_close(back, X, rtol=1e-4, atol=1e-4)
    clean = NetworkDenoiser(lambda x, t, labels: mean, "mean", schedule=LINEAR)(X, Level(400.0, 1.0, 0.0), None)
    torch.testing.assert_close(clean.x0_hat, X)


def test_that_a_mean_without_its_schedule_is_refused() -> None:
    with pytest.raises(Refusal, match="schedule"):
        NetworkDenoiser(Network(), "mean")(X, LEVEL, None)


# ------------------------------------------------------------------------------------------------ learned variance


def two_halves(x: Tensor, t: Tensor, labels: Tensor | None) -> Tensor:
    shift = SHIFT[labels].reshape(-1, 1, 1, 1) if labels is not None else 0.0
    return torch.cat((0.5 * x + shift, 0.1 * x - shift), dim=1)


def test_that_the_second_half_of_the_channels_is_the_variance() -> None:
    prediction = NetworkDenoiser(two_halves, "eps", variance="range", micro_batch=2)(X, LEVEL, None)
    torch.testing.assert_close(prediction.eps_hat, 0.5 * X)
    assert prediction.learned is not None
    assert prediction.learned.kind == "range"
    torch.testing.assert_close(prediction.learned.output, 0.1 * X)
    assert NetworkDenoiser(Network(), "eps")(X, LEVEL, None).learned is None


@pytest.mark.parametrize(("t", "expected"), [(1, -10.1712790), (487, -5.7998052), (999, -0.0010011)])
def test_that_a_learned_range_has_the_published_log_variances(t: int, expected: float) -> None:
    learned = LearnedVariance("range", torch.full((1, 1), 0.5))
    found = learned.log_variance(COSINE.level(t), COSINE.level(t - 1))
    assert float(found) == pytest.approx(expected, abs=2e-4)  # published in float32 tables


@pytest.mark.parametrize(("t", "prev"), [(999, 998), (500, 300), (80, 0), (1, 0)])
def test_that_a_learned_range_ends_at_beta_and_beta_tilde_of_the_step_walked(t: int, prev: int) -> None:
    a, a_prev = float(LINEAR.alpha_bar[t]), float(LINEAR.alpha_bar[prev])
    beta = 1 - a / a_prev
    beta_tilde = (1 - a_prev) / (1 - a) * beta
    ends = LearnedVariance("range", torch.tensor([[-1.0, 0.0, 1.0]])).log_variance(LINEAR.level(t), LINEAR.level(prev))
    expected = [math.log(beta_tilde), math.log(beta_tilde * beta) / 2, math.log(beta)]
    assert ends[0].tolist() == pytest.approx(expected, rel=1e-6)


def test_that_at_the_data_another_beta_tilde_stands_in() -> None:
    learned = LearnedVariance("range", torch.tensor([[-1.0, 1.0]]))
    stand_in = float(LINEAR.log_beta_tilde_clipped[0])
    found = learned.log_variance(LINEAR.level(0), CLEAN, stand_in)
    assert found[0].tolist() == pytest.approx([-9.81672514, math.log(1e-4)], rel=1e-6)
    with pytest.raises(Refusal, match="beta_tilde"):
        learned.log_variance(LINEAR.level(0), CLEAN)


def test_that_a_learned_diagonal_is_the_logarithm_itself_and_of_single_timesteps_alone() -> None:
    learned = LearnedVariance("diagonal", X)
    assert torch.equal(learned.log_variance(LINEAR.level(7), LINEAR.level(6)), X)
    assert torch.equal(learned.log_variance(LINEAR.level(0), CLEAN), X)
    with pytest.raises(Refusal, match="walk all timesteps"):
        learned.log_variance(LINEAR.level(7), LINEAR.level(5))


@pytest.mark.parametrize(("w", "shift"), [(0.0, SHIFT[CONDITION.labels]), (2.0, SHIFT[CONDITION.labels]), (-1.0, 0.0)])
def test_that_guidance_keeps_the_variance_of_the_condition(w: float, shift: Tensor | float) -> None:
    prediction = Guided(NetworkDenoiser(two_halves, "eps", variance="range"), w)(X, LEVEL, CONDITION)
    assert prediction.learned is not None
    of = shift if isinstance(shift, float) else shift.reshape(-1, 1, 1, 1)
    torch.testing.assert_close(prediction.learned.output, 0.1 * X - of)


# ------------------------------------------------------------------------------------------------ guidance


@pytest.mark.parametrize(("interval", "inside"), [((300, 400), True), ((400, 900), True), ((600, 400), True),
                                                  ((0, 399), False), ((401, 999), False)])  # fmt: skip
def test_that_outside_its_interval_guidance_is_left_out(interval: tuple[int, int], inside: bool) -> None:
    network = Network()
    plain = NetworkDenoiser(network, "eps")
    prediction = Guided(plain, 2.0, interval)(X, LEVEL, CONDITION)
    assert len(network.calls[0][0]) == (10 if inside else 5)
    expected = Guided(plain, 2.0 if inside else 0.0)(X, LEVEL, CONDITION)
    assert torch.equal(prediction.eps_hat, expected.eps_hat)
    assert torch.equal(prediction.x0_hat, expected.x0_hat)


@pytest.mark.parametrize("w", [2.0, -1.0])
@pytest.mark.parametrize("interval", [None, (0, 399)])
def test_that_watching_finds_the_difference_and_changes_nothing(w: float, interval: tuple[int, int] | None) -> None:
    plain = NetworkDenoiser(Network(), "eps")
    watched = Guided(plain, w, interval, rescale=0.3, watched=True)(X, LEVEL, CONDITION)
    assert watched.difference is not None
    torch.testing.assert_close(watched.difference, SHIFT[CONDITION.labels].reshape(-1, 1, 1, 1).expand_as(X))
    unwatched = Guided(plain, w, interval, rescale=0.3)(X, LEVEL, CONDITION)
    torch.testing.assert_close(watched.eps_hat, unwatched.eps_hat)
    torch.testing.assert_close(watched.x0_hat, unwatched.x0_hat)
    assert Guided(plain, 0.0, watched=True)(X, LEVEL, CONDITION).difference is None


def test_that_rescaling_fully_gives_v_the_conditional_standard_deviation() -> None:
    def network(x: Tensor, t: Tensor, labels: Tensor | None) -> Tensor:
        assert labels is not None
        return x * (0.3 + 0.5 * SHIFT[labels].reshape(-1, 1, 1, 1)) + 0.1 * torch.sin(7 * x)

    plain = NetworkDenoiser(network, "v")
    v_c, v_u = network(X, X, CONDITION.labels), network(X, X, CONDITION.unconditional().labels)
    guided = 4.0 * v_c - 3.0 * v_u
    ratio = v_c.flatten(1).std(1) / guided.flatten(1).std(1)
    for share in (0.0, 0.7, 1.0):
        prediction = Guided(plain, 3.0, rescale=share)(X, LEVEL, CONDITION)
        expected = guided * (share * ratio + 1 - share).reshape(-1, 1, 1, 1)  # Lin et al. 2024, eqs. 15 and 16
        torch.testing.assert_close(v_from(prediction.x0_hat, prediction.eps_hat, LEVEL), expected)
        torch.testing.assert_close(LEVEL.alpha * prediction.x0_hat + LEVEL.sigma * prediction.eps_hat, X)


def test_that_without_rescaling_guidance_keeps_its_bits() -> None:
    plain = NetworkDenoiser(Network(), "v")
    before, after = Guided(plain, 3.0)(X, LEVEL, CONDITION), Guided(plain, 3.0, rescale=0.0)(X, LEVEL, CONDITION)
    assert torch.equal(before.x0_hat, after.x0_hat)
    assert torch.equal(before.eps_hat, after.eps_hat)


# ------------------------------------------------------------------------------------------------ dynamic thresholding


def held(x0_hat: Tensor, percentile: float, limit: float | None = None, low: float = -1.0) -> Prediction:
    inner = lambda x, level, condition: Prediction(x0_hat, torch.zeros_like(x0_hat))  # noqa: E731
    return Clipped(inner, "dynamic", low=low, percentile=percentile, limit=limit)(x0_hat, LEVEL, None)


def test_that_dynamic_thresholding_is_each_pictures_own() -> None:
    x0_hat = torch.tensor([[-3.0, 1.5, 0.0, 2.0, 1.0], [-0.9, 0.9, 0.0, 0.4, 1.0]])
    prediction = held(x0_hat, 0.75)
    assert prediction.x0_hat.tolist() == pytest.approx(
        np.array([[-1.0, 0.75, 0.0, 1.0, 0.5], [-0.9, 0.9, 0.0, 0.4, 1.0]])
    )
    torch.testing.assert_close(LEVEL.alpha * prediction.x0_hat + LEVEL.sigma * prediction.eps_hat, x0_hat)


def test_that_the_limit_of_dynamic_thresholding_holds_whether_above_or_below_the_range() -> None:
    x0_hat = torch.tensor([[-3.0, 1.5, 0.0, 4.0]])
    assert held(x0_hat, 1.0, limit=2.0).x0_hat.tolist() == [[-1.0, 0.75, 0.0, 1.0]]
    assert held(x0_hat, 1.0, limit=0.5).x0_hat.tolist() == [[-1.0, 1.0, 0.0, 1.0]]
    assert held(x0_hat, 1.0).x0_hat.tolist() == [[-0.75, 0.375, 0.0, 1.0]]
    with pytest.raises(Refusal, match="above 0"):
        held(x0_hat, 1.0, limit=0.0)


def test_that_dynamic_thresholding_keeps_to_any_range_of_the_data() -> None:
    assert held(torch.tensor([[-1.5, 0.5, 2.5]]), 1.0, low=0.0).x0_hat[0].tolist() == pytest.approx([0.0, 0.5, 1.0])


@given(arrays(np.float32, (3, 8), elements=st.floats(-1, 1, width=32)), st.floats(0, 1))
def test_that_pictures_within_the_range_are_left_alone_by_dynamic_thresholding(x0: np.ndarray, share: float) -> None:
    assert torch.equal(held(torch.from_numpy(x0), share).x0_hat, torch.from_numpy(x0))


@given(arrays(np.float32, (2, 7), elements=st.floats(-50, 50, width=32)), st.floats(0, 1))
def test_that_a_quantile_is_numpys(values: np.ndarray, share: float) -> None:
    expected = np.quantile(values.astype(np.float64), share, axis=1)
    np.testing.assert_allclose(quantile(torch.from_numpy(values), share).numpy(), expected, atol=1e-4)
