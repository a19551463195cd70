"""What a diffusion model is trained to make small, against computations by hand and closed forms."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
import torch

from core.requests import PredictionKind, ScheduleSpec, VarianceKind
from core.schedules import Schedule, make_schedule
from core.training.losses import Levels, mean_square, noised, target
from core.training.objectives import DiffusionTask, error_weights
from core.training.request import TrainRequest
from core.training.trainer import Trainer
from tests.core.halves import DATA, REQUEST, TINY

KINDS: tuple[PredictionKind, ...] = get_args(PredictionKind)
LEARNED: tuple[VarianceKind, ...] = ("range", "diagonal")
TIMES = (0, 1, 2, 499, 998, 999)

generator = torch.Generator().manual_seed(0)
X0 = torch.randint(0, 256, (len(TIMES), 2, 3, 3), generator=generator).float() / 127.5 - 1
EPS = torch.randn(X0.shape, generator=generator)
OUTPUT = 0.7 * torch.randn(X0.shape, generator=generator)
T_ = torch.tensor(TIMES)


def request_of(**changes: Any) -> TrainRequest:
    return replace(REQUEST, **changes)


def losses_of(request: TrainRequest, answer: torch.Tensor) -> torch.Tensor:
    """Of a network that gives this answer to everything."""
    return DiffusionTask(request).losses(lambda x, t, labels: answer, X0, EPS, T_, None)


class ByHand:
    """Everything of one t of the process in float64 numpy, from the betas on, without the code under test."""

    def __init__(self, name: str, t: int) -> None:
        if name == "linear":
            betas = np.linspace(1e-4, 0.02, 1000)
        else:
            u = np.arange(1001) / 1000
            curve = np.cos((u + 0.008) / 1.008 * np.pi / 2) ** 2
            betas = np.minimum(1 - curve[1:] / curve[:-1], 0.999)
        alpha_bar = np.cumprod(1 - betas)
        before = np.concatenate(([1.0], alpha_bar[:-1]))
        tilde = betas * (1 - before) / (1 - alpha_bar)
        self.t, self.beta = t, betas[t]
        self.log_tilde = np.log(tilde[max(t, 1)])
        self.alpha, self.sigma = np.sqrt(alpha_bar[t]), np.sqrt(1 - alpha_bar[t])
        self.of_x0 = betas[t] * np.sqrt(before[t]) / (1 - alpha_bar[t])
        self.of_x_t = (1 - before[t]) * np.sqrt(1 - betas[t]) / (1 - alpha_bar[t])
        self.snr = alpha_bar[t] / (1 - alpha_bar[t])

    def x_t(self, x0: np.ndarray, eps: np.ndarray) -> np.ndarray:
        return self.alpha * x0 + self.sigma * eps

    def mean(self, x0: np.ndarray, x_t: np.ndarray) -> np.ndarray:
        return self.of_x0 * x0 + self.of_x_t * x_t

    def target(self, kind: str, x0: np.ndarray, eps: np.ndarray) -> np.ndarray:
        v = self.alpha * eps - self.sigma * x0
        return {"eps": eps, "x0": x0, "v": v, "mean": self.mean(x0, self.x_t(x0, eps))}[kind]

    def x0_hat(self, kind: str, output: np.ndarray, x_t: np.ndarray) -> np.ndarray:
        if kind == "mean":
            return (output - self.of_x_t * x_t) / self.of_x0
        eps = (x_t - self.sigma * output) / self.alpha
        return {"eps": eps, "x0": output, "v": self.alpha * x_t - self.sigma * output}[kind]

    def term(self, x0: np.ndarray, x_t: np.ndarray, mean: np.ndarray, log_variance: np.ndarray) -> float:
        """L_t in bits a value."""
        if self.t > 0:
            ratio = np.exp(self.log_tilde - log_variance)
            squares = (self.mean(x0, x_t) - mean) ** 2 / np.exp(log_variance)
            return float((0.5 * (log_variance - self.log_tilde - 1 + ratio + squares)).mean() / np.log(2))
        norm = pytest.importorskip("scipy.stats").norm
        scale = np.exp(log_variance / 2)
        upper = np.where(x0 > 0.999, 1.0, norm.cdf((x0 + 1 / 255 - mean) / scale))
        lower = np.where(x0 < -0.999, 0.0, norm.cdf((x0 - 1 / 255 - mean) / scale))
        return float(-np.log2(upper - lower).mean())


# ---------------------------------------------------------------------------------------------------- what is asked


def test_that_noised_pictures_and_v_follow_the_closed_form() -> None:
    levels = Levels(make_schedule(ScheduleSpec("linear", 1000)))
    x0, eps, t = torch.full((2, 1, 1, 1), 0.5), torch.full((2, 1, 1, 1), -2.0), torch.tensor([0, 499])
    alpha_bar = np.array([0.9999, 0.0785872429])  # the linear schedule at 0 and 499
    alpha, sigma = np.sqrt(alpha_bar), np.sqrt(1 - alpha_bar)
    np.testing.assert_allclose(noised(x0, eps, t, levels).flatten(), alpha * 0.5 - 2 * sigma, rtol=1e-6)
    np.testing.assert_allclose(target("v", x0, eps, t, levels).flatten(), -2 * alpha - sigma * 0.5, rtol=1e-6)


def test_that_eps_and_x0_are_their_own_targets() -> None:
    levels = Levels(make_schedule(ScheduleSpec("cosine", 10)))
    x0, eps, t = torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1), torch.tensor([3])
    assert target("eps", x0, eps, t, levels) is eps
    assert target("x0", x0, eps, t, levels) is x0


def test_that_the_mean_asked_for_is_the_posteriors() -> None:
    levels = Levels(make_schedule(ScheduleSpec("linear", 1000)))
    x0, eps, t = torch.full((2, 1), 0.5), torch.full((2, 1), -2.0), torch.tensor([0, 499])
    alpha_bar = np.array([0.9999, 0.0785872429])
    x_t = np.sqrt(alpha_bar) * 0.5 - 2 * np.sqrt(1 - alpha_bar)
    wanted = np.array([1.0, 0.00307007111]) * 0.5 + np.array([0.0, 0.99410667]) * x_t
    np.testing.assert_allclose(target("mean", x0, eps, t, levels).flatten(), wanted, rtol=1e-6)


def test_that_the_error_is_a_mean_square_in_float32() -> None:
    output = torch.tensor([[1.0, 3.0], [0.0, 2.0]], dtype=torch.bfloat16)
    loss = mean_square(output, torch.zeros(2, 2))
    assert loss.dtype == torch.float32
    assert loss.tolist() == [5.0, 2.0]


# ---------------------------------------------------------------------------------------------------- objectives


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("objective", ["simple", "weighted", "min_snr"])
def test_that_the_weighted_errors_are_those_computed_by_hand(
    objective: str, kind: PredictionKind, schedule: str
) -> None:
    found = losses_of(request_of(objective=objective, prediction=kind, schedule=ScheduleSpec(schedule)), OUTPUT)
    for index, t in enumerate(TIMES):
        hand, x0, eps = ByHand(schedule, t), X0[index].double().numpy(), EPS[index].double().numpy()
        output = OUTPUT[index].double().numpy()
        error = (hand.target(kind, x0, eps) - output) ** 2
        if objective == "weighted":  # T KL's part of the error: (mean - mean_hat)^2 / (2 beta), in bits
            x_t = hand.x_t(x0, eps)
            missed = hand.mean(x0, x_t) - hand.mean(hand.x0_hat(kind, output, x_t), x_t)
            error = 1000 * missed**2 / (2 * hand.beta) / np.log(2)
        elif objective == "min_snr":
            snr, gamma = hand.snr, 5.0
            weight = {"eps": 1 / snr, "x0": 1.0, "v": 1 / (snr + 1), "mean": hand.of_x0**-2}[kind]
            error = min(snr, gamma) * weight * error
        assert float(found[index]) == pytest.approx(float(error.mean()), rel=2e-4)


def test_that_the_weights_of_the_noise_are_the_papers() -> None:
    schedule = make_schedule(ScheduleSpec("linear"))
    weights = error_weights(request_of(objective="weighted", prediction="eps"), schedule)
    beta, alpha_bar = np.array([1e-4, 0.01004004, 0.02]), np.array([0.9999, 0.0785872429, 4.03582977e-5])
    paper = beta**2 / (2 * beta * (1 - beta) * (1 - alpha_bar))  # eq. 12 with sigma^2 = beta
    assert weights[[0, 499, 999]] == pytest.approx(1000 * paper / math.log(2), rel=1e-6)


def test_that_the_gradient_of_the_weighted_error_is_that_of_the_bound() -> None:
    """With a fixed variance they differ by what the network cannot change, but at t = 0, where the decoder stands."""
    for kind in KINDS:
        gradients = []
        for objective in ("weighted", "vlb"):
            answer = OUTPUT.clone().requires_grad_()
            losses_of(request_of(objective=objective, prediction=kind), answer)[1:].sum().backward()
            assert answer.grad is not None
            gradients.append(answer.grad)
        assert torch.allclose(*gradients, rtol=1e-3, atol=1e-5 * float(gradients[0].abs().max()))


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("variance", ["fixed", *LEARNED])
def test_that_the_bound_is_that_computed_by_hand(variance: VarianceKind, kind: PredictionKind, schedule: str) -> None:
    request = request_of(objective="vlb", prediction=kind, variance=variance, schedule=ScheduleSpec(schedule))
    hands = [ByHand(schedule, t) for t in TIMES]
    shape = (len(TIMES), 1, 1, 1)
    log_beta = np.log([hand.beta for hand in hands]).reshape(shape)
    log_tilde = np.array([hand.log_tilde for hand in hands]).reshape(shape)
    said = np.random.default_rng(1).uniform(-1.2, 1.2, X0.shape).astype(np.float32)
    if variance == "fixed":
        log_variance = np.where(np.array(TIMES).reshape(shape) == 0, log_tilde, log_beta) + np.zeros(X0.shape)
    elif variance == "range":
        log_variance = (said + 1) / 2 * log_beta + (1 - said) / 2 * log_tilde
    else:
        said = said + log_beta.astype(np.float32)
        log_variance = said
    nearly = torch.empty_like(X0)  # a mean about as far off as the variance expects
    for index, hand in enumerate(hands):
        x0, eps = X0[index].double().numpy(), EPS[index].double().numpy()
        off = 0.8 * np.sqrt(hand.beta) / hand.of_x0 * np.random.default_rng(index).standard_normal(x0.shape)
        wanted = x0 + off
        x_t = hand.x_t(x0, eps)
        eps_hat = (x_t - hand.alpha * wanted) / hand.sigma
        nearly[index] = torch.from_numpy(hand.target(kind, wanted, eps_hat))
    found = losses_of(request, nearly if variance == "fixed" else torch.cat((nearly, torch.from_numpy(said)), 1))
    for index, hand in enumerate(hands):
        x0, x_t = X0[index].double().numpy(), hand.x_t(X0[index].double().numpy(), EPS[index].double().numpy())
        mean = hand.mean(hand.x0_hat(kind, nearly[index].double().numpy(), x_t), x_t)
        wanted_loss = 1000 * hand.term(x0, x_t, mean, log_variance[index])
        assert float(found[index]) == pytest.approx(wanted_loss, rel=2e-3), hand.t


@pytest.mark.parametrize("variance", LEARNED)
def test_that_the_hybrid_is_the_error_and_a_thousandth_of_the_bound(variance: VarianceKind) -> None:
    """OpenAI's factor: term * T / 1000 for a term in bits a value, not a thousandth of one term."""
    answer = torch.cat((OUTPUT, torch.full_like(OUTPUT, -6.0 if variance == "diagonal" else 0.3)), 1)
    schedule = ScheduleSpec("cosine", 4000)
    simple = losses_of(request_of(prediction="eps", schedule=schedule), OUTPUT)
    hybrid, bound = (
        losses_of(request_of(prediction="eps", schedule=schedule, variance=variance, objective=objective), answer)
        for objective in ("hybrid", "vlb")
    )
    term = bound / 4000  # of one t, by the test above
    assert torch.allclose(hybrid - simple, term * 4000 / 1000, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("variance", LEARNED)
@pytest.mark.parametrize("kind", KINDS)
def test_that_the_variances_gradient_never_reaches_the_mean_in_the_hybrid(
    kind: PredictionKind, variance: VarianceKind
) -> None:
    request = request_of(prediction=kind, variance=variance, objective="hybrid")
    said = torch.full_like(OUTPUT, -5.0 if variance == "diagonal" else 0.2)
    answer = torch.cat((OUTPUT, said), 1).requires_grad_()
    losses_of(request, answer).sum().backward()
    alone = OUTPUT.clone().requires_grad_()
    losses_of(request_of(prediction=kind), alone).sum().backward()
    assert answer.grad is not None
    assert torch.equal(answer.grad[:, :2], alone.grad)
    assert (answer.grad[:, 2:].flatten(1).abs().sum(1) > 0).all()


def test_that_the_bound_itself_teaches_mean_and_variance() -> None:
    answer = torch.cat((OUTPUT, torch.zeros_like(OUTPUT)), 1).requires_grad_()
    losses_of(request_of(variance="range", objective="vlb"), answer).sum().backward()
    assert answer.grad is not None
    assert (answer.grad.flatten(2).abs().sum(2) > 0).all()


@pytest.mark.parametrize("objective", ["simple", "weighted", "min_snr"])
@pytest.mark.parametrize("kind", KINDS)
def test_that_who_answers_what_was_wanted_has_no_loss(kind: PredictionKind, objective: str) -> None:
    request = request_of(objective=objective, prediction=kind)
    wanted = target(kind, X0, EPS, T_, Levels(make_schedule(request.schedule)))
    assert torch.equal(losses_of(request, wanted), torch.zeros(len(TIMES)))


# ---------------------------------------------------------------------------------------------------- closed forms

MEAN, STD = 0.1, 0.35


def gaussian_answer(kind: PredictionKind, schedule: Schedule, t: int) -> tuple[float, float, float]:
    """Of Gaussian data the best answer is slope * x_t + offset; and the variance of x_0 given x_t."""
    alpha_bar = schedule.alpha_bar[t]
    alpha, sigma2 = math.sqrt(alpha_bar), 1 - alpha_bar
    total = alpha_bar * STD**2 + sigma2
    slope = alpha * STD**2 / total
    offset = MEAN * (1 - slope * alpha)
    x0 = np.array([slope, offset])
    x_t, sigma = np.array([1.0, 0.0]), math.sqrt(sigma2)
    eps = (x_t - alpha * x0) / sigma
    mean = schedule.posterior_mean_x0[t] * x0 + schedule.posterior_mean_x_t[t] * x_t
    best = {"eps": eps, "x0": x0, "v": alpha * eps - sigma * x0, "mean": mean}[kind]
    return float(best[0]), float(best[1]), STD**2 * sigma2 / total


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("spec", [ScheduleSpec("linear"), ScheduleSpec("cosine", 4000)])
def test_that_the_bound_of_the_best_denoiser_is_its_closed_form(spec: ScheduleSpec, kind: PredictionKind) -> None:
    """For each t and for the sum over 1..T-1, with beta for a variance: within three standard errors."""
    schedule, draws = make_schedule(spec), torch.Generator().manual_seed(4)
    table = torch.tensor([gaussian_answer(kind, schedule, t) for t in range(spec.T)])
    tilde, beta = schedule.beta_tilde[1:], schedule.betas[1:]
    unexplained = schedule.posterior_mean_x0[1:] ** 2 * table[1:, 2].double().numpy()
    wanted = 0.5 * (np.log(beta / tilde) - 1 + (tilde + unexplained) / beta) / math.log(2)
    t = torch.arange(1, spec.T)
    x0, eps = (torch.randn(spec.T - 1, 32, generator=draws) for _ in range(2))
    x0 = MEAN + STD * x0
    slope, offset, _ = table[t].T[:, :, None]
    task = DiffusionTask(request_of(objective="vlb", prediction=kind, schedule=spec))
    found = task.losses(lambda x, t, labels: slope * x + offset, x0, eps, t, None).double().numpy() / spec.T
    share = unexplained / (2 * beta) / math.log(2)  # of each value: chi squared with one degree of freedom
    assert (np.abs(found - wanted) <= 1.5 * share + 1e-5).all()  # six deviations of the mean of 32
    error = math.sqrt(float((2 * share**2 / 32).sum()))
    assert float(found.sum()) == pytest.approx(float(wanted.sum()), abs=3 * error)


@pytest.mark.parametrize("kind", ["x0", "v", "mean"])
@pytest.mark.parametrize("objective", ["simple", "weighted", "vlb"])
def test_that_a_schedule_without_signal_at_its_end_is_learned_from(objective: str, kind: PredictionKind) -> None:
    request = request_of(objective=objective, prediction=kind, schedule=ScheduleSpec(zero_snr=True))
    answer = OUTPUT.clone().requires_grad_()
    losses = losses_of(request, answer)
    losses.sum().backward()
    assert answer.grad is not None
    assert torch.isfinite(losses).all()
    assert (answer.grad.flatten(1).abs().sum(1) > 0).all()
    assert torch.isfinite(answer.grad).all()


@pytest.mark.parametrize("schedule", [ScheduleSpec("linear"), ScheduleSpec("cosine", 4000)])
@pytest.mark.parametrize("variance", ["fixed", *LEARNED])
@pytest.mark.parametrize("kind", KINDS)
def test_that_gradients_are_finite_at_both_ends_of_time(
    kind: PredictionKind, variance: VarianceKind, schedule: ScheduleSpec
) -> None:
    task = DiffusionTask(request_of(objective="vlb", prediction=kind, variance=variance, schedule=schedule))
    t = torch.tensor([0, 0, schedule.T - 1, schedule.T - 1])
    answer = torch.zeros(4, 2 if variance == "fixed" else 4, 3, 3)
    answer[1::2] = 3.0
    answer.requires_grad_()
    losses = task.losses(lambda x, t, labels: answer, X0[:4], EPS[:4], t, None)
    losses.sum().backward()
    assert answer.grad is not None
    assert torch.isfinite(losses).all()
    assert torch.isfinite(answer.grad).all()


# ---------------------------------------------------------------------------------------------------- training

TWICE = replace(TINY, out_channels=2)


@pytest.mark.parametrize("variance", LEARNED)
def test_that_a_learned_variance_begins_where_variances_of_the_schedule_lie(variance: VarianceKind) -> None:
    request = request_of(network=TWICE, variance=variance, objective="vlb")
    network = Trainer(request, DATA).averaged()
    with torch.no_grad():
        answer = network(torch.randn(2, 1, 8, 8), torch.tensor([0, 999]), torch.tensor([0, 1]))
    schedule = make_schedule(request.schedule)
    expected = 0.0 if variance == "range" else float(np.log(schedule.betas).mean())
    assert torch.equal(answer[:, 0], torch.zeros(2, 8, 8))
    assert answer[:, 1].numpy() == pytest.approx(expected)


@pytest.mark.parametrize("objective", ["vlb", "hybrid"])
@pytest.mark.parametrize("variance", LEARNED)
def test_that_the_bound_falls_while_a_network_with_its_variance_is_trained(
    variance: VarianceKind, objective: str
) -> None:
    request = request_of(network=TWICE, variance=variance, objective=objective, steps=60, batch=16, lr=5e-3)
    trainer = Trainer(request, DATA)
    draws = torch.Generator().manual_seed(0)
    x0 = torch.from_numpy(DATA.pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
    t = torch.linspace(0, 999, len(x0)).long()
    eps = torch.randn(x0.shape, generator=draws)
    bound = DiffusionTask(replace(request, objective="vlb"))

    def bits() -> float:
        with torch.no_grad():
            return float(bound.losses(trainer.network, x0, eps, t, torch.from_numpy(DATA.labels)).mean())

    before = bits()
    for _ in trainer.steps():
        pass
    assert bits() < 0.8 * before


@pytest.mark.parametrize("objective", ["weighted", "min_snr", "vlb"])
@pytest.mark.parametrize("kind", KINDS)
def test_that_every_objective_trains_in_parts_as_in_one(objective: str, kind: PredictionKind) -> None:
    request = request_of(objective=objective, prediction=kind, batch=5, steps=2, timestep_sampler="antithetic")
    whole, split = Trainer(request, DATA), Trainer(replace(request, micro_batch=2), DATA)
    for one, other in zip(whole.steps(), split.steps(), strict=True):
        assert math.isfinite(one.loss)
        assert other.loss == pytest.approx(one.loss, rel=1e-4)
        assert other.gradient_norm == pytest.approx(one.gradient_norm, rel=1e-3)
