"""One interface to a network: micro-batches, guidance and clipping."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from core.denoiser import Clipped, Condition, Guided, NetworkDenoiser, Prediction
from core.errors import Cancelled, Refusal
from core.levels import Level
from core.process import marginal, v_from
from core.requests import PredictionKind

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
    assert prediction.variance is None


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
