"""Convolutions ready for inference on a CPU: weights packed once, and no pixel computed four times over.

Torch lays a convolution's weights out anew at every call, which for a single picture takes as long as the convolution.
oneDNN's own layout is reached through private operators of torch (those its compiler uses), so they are met here alone
and replaced by the public convolution where they are missing.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.layers import Upsample, shifted


class PackedConv2d(nn.Module):
    """A convolution for inference on a CPU, called like ``core.layers.Conv2d``; its weights no longer change."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.stride, self.padding = _pair(conv.stride), _pair(conv.padding)
        self.packable = packing_works(conv.weight.dtype)
        weight = conv.weight.detach()
        self.weight = _pack(weight, self.stride, self.padding) if self.packable else weight
        self.bias = None if conv.bias is None else conv.bias.detach()

    def forward(self, x: Tensor, shift: Tensor | None = None, residual: Tensor | None = None) -> Tensor:
        """x (n, c, h, w), shift (n or 1, channels), residual like the result."""
        return shifted(self._convolved, x, self.bias, shift, residual)

    def _convolved(self, x: Tensor, bias: Tensor | None) -> Tensor:
        if self.packable:
            return _convolve(x, self.weight, bias, self.stride, self.padding)
        return F.conv2d(x, self.weight, bias, self.stride, self.padding)


class PackedUpsample(nn.Module):
    """Nearest-neighbour doubling and a 3×3 convolution as four 2×2 convolutions of the small picture.

    Of the nine pixels under the kernel of an output pixel only four differ; which, depends on whether its row and
    column are even or odd. The weights of equal pixels are added up beforehand: 16 products a pixel instead of 36.
    """

    def __init__(self, upsample: Upsample) -> None:
        super().__init__()
        conv = upsample.conv
        self.places = [(row, column) for row in (0, 1) for column in (0, 1)]
        self.convs = nn.ModuleList(PackedConv2d(_quarter(conv, *place)) for place in self.places)
        self.channels = conv.out_channels

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        n, _, height, width = x.shape
        y = torch.empty(n, 2 * height, 2 * width, self.channels, dtype=x.dtype).permute(0, 3, 1, 2)
        x = F.pad(x, (1, 1, 1, 1))
        for (row, column), conv in zip(self.places, self.convs, strict=True):
            y[:, :, row::2, column::2] = conv(x[:, :, row : row + height + 1, column : column + width + 1])
        return y


@cache
def packing_works(dtype: torch.dtype) -> bool:
    """Whether torch's private operators are there, take this dtype, and convolve as the public ones do."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, 16, 4, 4, generator=generator).to(dtype, memory_format=torch.channels_last)
    weight = torch.randn(16, 16, 3, 3, generator=generator).to(dtype, memory_format=torch.channels_last)
    bias = torch.randn(16, generator=generator).to(dtype)
    try:
        y = _convolve(x, _pack(weight, (1, 1), (1, 1)), bias, (1, 1), (1, 1))
    except (AttributeError, RuntimeError):
        return False
    expected = F.conv2d(x, weight, bias, padding=1)
    return y.stride() == expected.stride() and torch.allclose(y.float(), expected.float(), rtol=1e-2, atol=1e-2)


def _pack(weight: Tensor, stride: tuple[int, int], padding: tuple[int, int]) -> Tensor:
    packed: Tensor = torch.ops.mkldnn._reorder_convolution_weight(weight, padding, stride, (1, 1), 1)
    return packed


def _convolve(
    x: Tensor, weight: Tensor, bias: Tensor | None, stride: tuple[int, int], padding: tuple[int, int]
) -> Tensor:
    pointwise = torch.ops.mkldnn._convolution_pointwise
    y: Tensor = pointwise(x, weight, bias, padding, stride, (1, 1), 1, "none", [], "")
    return y


def _quarter(conv: nn.Conv2d, row: int, column: int) -> nn.Conv2d:
    """The 2×2 convolution that gives the output pixels in even (0) or odd (1) rows and columns."""
    rows, columns = ((0, 1, 1), (0, 0, 1))[row], ((0, 1, 1), (0, 0, 1))[column]
    weight = torch.zeros(*conv.weight.shape[:2], 2, 2)
    for i, to_row in enumerate(rows):
        for j, to_column in enumerate(columns):
            weight[:, :, to_row, to_column] += conv.weight.detach()[:, :, i, j].float()
    quarter = nn.Conv2d(conv.in_channels, conv.out_channels, 2, bias=conv.bias is not None, dtype=conv.weight.dtype)
    quarter.weight = nn.Parameter(weight.to(conv.weight.dtype, memory_format=torch.channels_last))
    quarter.bias = conv.bias
    return quarter


def _pair(value: object) -> tuple[int, int]:
    assert isinstance(value, tuple)
    return int(value[0]), int(value[1])
