"""Convolutions packed for inference give what torch's own give, with and without the private operators."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core import packed
from core.layers import GroupNorm, Upsample
from core.packed import PackedConv2d, PackedUpsample, packing_works

TOLERANCES = {torch.float32: 1e-5, torch.bfloat16: 2e-2}


@pytest.fixture(params=["packed", "plain"])
def _both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "plain":
        monkeypatch.setattr(packed, "packing_works", lambda dtype: False)


@pytest.fixture
def _fresh_answer() -> Iterator[None]:
    packing_works.cache_clear()
    yield
    packing_works.cache_clear()


def picture(n: int, channels: int, height: int, width: int, dtype: torch.dtype) -> Tensor:
    generator = torch.Generator().manual_seed(n * channels + height)
    return torch.randn(n, channels, height, width, generator=generator).to(dtype, memory_format=torch.channels_last)


def close(a: Tensor, b: Tensor) -> bool:
    return float((a.float() - b.float()).abs().max() / b.float().abs().max()) < TOLERANCES[a.dtype]


@pytest.mark.usefixtures("_both_ways")
@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
@pytest.mark.parametrize(("size", "stride", "padding"), [(3, 1, 1), (3, 2, 1), (3, 2, 0), (1, 1, 0), (2, 1, 0)])
@pytest.mark.parametrize("channels", [(1, 16), (16, 3), (24, 32)], ids=str)
@torch.inference_mode()
def test_that_a_packed_convolution_is_the_plain_one(
    channels: tuple[int, int], size: int, stride: int, padding: int, dtype: torch.dtype
) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(*channels, size, stride=stride, padding=padding).to(dtype)
    ready = PackedConv2d(conv)
    for n, height, width in ((1, 8, 8), (3, 8, 6)):
        x = picture(n, channels[0], height, width, dtype)
        expected = conv(x)
        assert close(ready(x), expected)
        shift = torch.randn(n, channels[1], dtype=dtype)
        residual = torch.randn_like(expected)
        kept = residual.clone()
        summed = conv(x).float() + shift[:, :, None, None].float() + residual.float()
        assert close(ready(x, shift=shift, residual=residual), summed)
        assert torch.equal(residual, kept)


@pytest.mark.usefixtures("_both_ways")
@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
@torch.inference_mode()
def test_that_doubling_in_four_parts_is_doubling_and_convolving(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    upsample = Upsample(16).to(dtype)
    for n, height, width in ((1, 4, 4), (2, 3, 5), (1, 1, 1)):
        x = picture(n, 16, height, width, dtype)
        expected = F.conv2d(x.repeat_interleave(2, 2).repeat_interleave(2, 3), *upsample.conv.parameters(), padding=1)
        y = PackedUpsample(upsample)(x, torch.empty(0))
        assert close(y, expected)
        assert y.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.usefixtures("_fresh_answer")
def test_that_packing_is_left_alone_where_the_operators_are_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*arguments: object) -> Tensor:
        raise AttributeError("no such operator")

    monkeypatch.setattr(packed, "_pack", gone)
    assert not packing_works(torch.float32)


@pytest.mark.usefixtures("_fresh_answer")
def test_that_packing_is_left_alone_where_the_operators_answer_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = packed._convolve
    monkeypatch.setattr(packed, "_convolve", lambda *arguments: plain(*arguments) + 1)
    assert not packing_works(torch.float32)


@pytest.mark.parametrize("activated", [False, True])
@pytest.mark.parametrize(("channels", "side"), [(32, 4), (256, 4), (32, 32)])
@torch.inference_mode()
def test_that_groups_are_normalised_alike_on_every_way(channels: int, side: int, activated: bool) -> None:
    x = picture(2, channels, side, side, torch.bfloat16)
    norm = GroupNorm(8, channels, 1e-5)
    norm.weight.copy_(torch.linspace(0.5, 1.5, channels))
    groups = x.double().reshape(2, 8, -1)
    expected = (groups - groups.mean(2, keepdim=True)) / (groups.var(2, keepdim=True, unbiased=False) + 1e-5).sqrt()
    expected = expected.reshape(x.shape) * norm.weight[:, None, None]
    if activated:
        expected = expected * torch.sigmoid(expected)
    before = x.clone()
    y = norm(x, F.silu if activated else None)
    assert y.dtype == torch.bfloat16
    assert close(y, expected)
    assert torch.equal(x, before)
