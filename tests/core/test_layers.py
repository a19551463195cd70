"""Layers against their formulas, in every form in which they are computed: plain, in training, compiled."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from core.layers import Embedding, GroupNorm, attend, doubled
from core.training.presets import network_of
from core.unet import UNet

NORMALISED_WITHIN, GRADIENT_WITHIN = 2**-8, 2**-6
"""Of the largest value: bfloat16 keeps 8 bits."""


@pytest.fixture
def compiling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Layers take the form in which they are compiled."""
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)


def drawn(*shape: int, seed: int = 5) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def way_back(function: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """What a function makes of x, and the gradient of its sum with fixed weights, in double precision."""
    x = x.detach().clone().requires_grad_()
    y = function(x)
    (y.double() * drawn(*y.shape, seed=7)).sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    return y.detach().double(), x.grad.double()


def furthest(found: Tensor, exact: Tensor) -> float:
    return float((found - exact).abs().max() / exact.abs().max())


@pytest.mark.parametrize(("n", "heads", "tokens", "width"), [(1, 1, 256, 256), (3, 2, 128, 128), (2, 4, 64, 16)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("training", [False, True])
def test_that_attention_is_the_softmax_of_scaled_products(
    n: int, heads: int, tokens: int, width: int, dtype: torch.dtype, training: bool
) -> None:
    q, k, v = drawn(3, n, heads, tokens, width).to(dtype)
    exact = torch.softmax(q.double() @ k.double().mT / width**0.5, -1) @ v.double()
    with torch.set_grad_enabled(training):
        error = attend(q, k, v).double() - exact
    assert float(error.square().mean().sqrt()) < (1e-5 if dtype == torch.float32 else 1e-2)


@pytest.mark.parametrize(("dtype", "within"), [(torch.float32, 1e-5), (torch.bfloat16, 0.03)])
@pytest.mark.parametrize("keys", [64, 68, 300])
def test_that_attention_has_the_gradient_of_its_formula(dtype: torch.dtype, within: float, keys: int) -> None:
    q, others = drawn(2, 4, 64, 16).to(dtype), drawn(2, 2, 4, keys, 16, seed=6).to(dtype)

    def formula(q: Tensor) -> Tensor:
        k, v = others.double()
        return torch.softmax(q @ k.mT / 4, -1) @ v

    for found, exact in zip(way_back(lambda q: attend(q, *others), q), way_back(formula, q.double()), strict=True):
        assert furthest(found, exact) < within


@pytest.mark.usefixtures("compiling")
@pytest.mark.parametrize(("channels", "groups"), [(24, 8), (32, 32), (88, 8), (12, 1)])
@pytest.mark.parametrize("mean", [0.0, 100.0])
@pytest.mark.parametrize("is_scaled", [False, True])
def test_that_a_compiled_norm_of_bfloat16_is_as_exact_as_that(
    channels: int, groups: int, mean: float, is_scaled: bool
) -> None:
    n = 3
    norm = GroupNorm(groups, channels)
    with torch.no_grad():
        norm.weight.copy_(1 + 0.3 * drawn(channels, seed=1))
        norm.bias.copy_(drawn(channels, seed=2))
    x = (mean + drawn(n, channels, 8, 8) * (1 + torch.arange(channels)[:, None, None])).bfloat16()
    scale, shift = drawn(2, n, channels, seed=3) if is_scaled else (None, None)

    def formula(x: Tensor) -> Tensor:
        h = F.group_norm(x, groups, norm.weight.double(), norm.bias.double(), norm.eps)
        if scale is not None and shift is not None:
            h = h * (1 + scale[:, :, None, None]) + shift[:, :, None, None]
        return F.silu(h)

    found, gradient = way_back(lambda x: norm(x, F.silu, scale, shift), x.to(memory_format=torch.channels_last))
    exact, exact_gradient = way_back(formula, x.double())
    assert furthest(found, exact) < NORMALISED_WITHIN
    assert furthest(gradient, exact_gradient) < GRADIENT_WITHIN


def test_that_a_norm_scales_and_shifts_where_it_is_not_compiled() -> None:
    norm, x, (scale, shift) = GroupNorm(4, 8), drawn(2, 8, 4, 4), drawn(2, 2, 8, seed=3)
    exact = F.group_norm(x, 4) * (1 + scale[:, :, None, None]) + shift[:, :, None, None]
    assert torch.allclose(norm(x, None, scale, shift), exact, atol=1e-6)


@pytest.mark.usefixtures("compiling")
def test_that_a_norm_of_one_value_is_its_bias() -> None:
    norm = GroupNorm(4, 8)
    y, gradient = way_back(norm, torch.full((2, 8, 4, 4), 3.0).bfloat16())
    assert float(y.abs().max()) < 1e-2
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_that_pixels_are_doubled_alike_where_that_is_compiled(
    layout: torch.memory_format, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = drawn(2, 3, 4, 5).to(memory_format=layout)
    plain = way_back(doubled, x)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    for found, exact in zip(way_back(doubled, x), plain, strict=True):
        assert torch.allclose(found, exact, rtol=0, atol=1e-6)
    assert torch.equal(plain[0], x.double().repeat_interleave(2, 2).repeat_interleave(2, 3))


def test_that_rows_are_looked_up_alike_where_that_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, labels = Embedding(5, 3), torch.tensor([4, 0, 4, 2])
    weights = drawn(4, 3)
    for is_compiling in (False, True):
        monkeypatch.setattr(torch.compiler, "is_compiling", lambda is_compiling=is_compiling: is_compiling)
        rows.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            y = rows(labels)
        (y * weights).sum().backward()
        assert torch.equal(y, rows.weight[[4, 0, 4, 2]])
        assert rows.weight.grad is not None
        expected = torch.stack((weights[1], torch.zeros(3), weights[3], torch.zeros(3), weights[0] + weights[2]))
        assert torch.equal(rows.weight.grad, expected)


def test_that_a_network_in_bfloat16_is_as_exact_compiled_as_it_is_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    network = UNet(network_of("small", 16, 1, 10)).to(memory_format=torch.channels_last)
    torch.manual_seed(0)
    network.initialise()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))  # so that no branch is zero
    t, labels = torch.tensor([10, 900]), torch.tensor([3, 10])
    exact = way_back(lambda x: network(x, t, labels), drawn(2, 1, 16, 16))

    def in_bfloat16(x: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            y: Tensor = network(x, t, labels)
        return y

    plain = way_back(in_bfloat16, drawn(2, 1, 16, 16))
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    compiled = way_back(in_bfloat16, drawn(2, 1, 16, 16))
    for ours, theirs, true in zip(compiled, plain, exact, strict=True):
        assert not torch.equal(ours, theirs)
        assert float((ours - true).norm()) < 1.2 * float((theirs - true).norm())
