"""What every network that denoises offers, and how one is made ready for inference."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn

from core.layers import Conv2d, GroupNorm, Upsample
from core.network_config import NetworkConfig
from core.packed import PackedConv2d, PackedUpsample


class Network(nn.Module):
    """A network that predicts from a noisy picture and its time. ``check``, where set, is called between blocks; it
    stops work by raising."""

    config: NetworkConfig
    check: Callable[[], None] | None = None

    @property
    def side_multiple(self) -> int:
        return self.config.side_multiple

    @property
    def wants_labels(self) -> bool:
        """Whether it must be told a class."""
        return False

    @property
    def middle_channels(self) -> int:
        """Of what ``middle`` answers."""
        raise NotImplementedError

    def forward(self, x: Tensor, t: Tensor | float, labels: Tensor | None = None) -> Tensor:
        """x (n, in_channels, height, width), t one number or (n,), labels int64 (n,) or None, to (n, out_channels,
        height, width) in the dtype of the network. Raises Refusal where sides or labels do not fit."""
        raise NotImplementedError

    def middle(self, x: Tensor, t: Tensor | float, labels: Tensor | None = None) -> Tensor:
        """What it makes of x between its two halves: (n, middle_channels, height', width')."""
        raise NotImplementedError

    def flops(self, height: int, width: int) -> int:
        """Floating-point operations for one picture of this size: two for each multiply-add of a matrix product."""
        raise NotImplementedError

    def hold(self) -> None:
        """Work out once what follows from the weights alone; they no longer change."""


N = TypeVar("N", bound=Network)


def prepare_network(network: N, device: str | torch.device, precision: str) -> N:
    """A copy of the network ready for inference on a device in "float32", "bfloat16" or "float16".

    The given network stays as it is. Run the copy under ``torch.inference_mode()``.
    """
    ready = copy.deepcopy(network).eval().requires_grad_(False)
    to = torch.device(device)
    ready.to(to, getattr(torch, precision), memory_format=torch.channels_last)  # type: ignore[call-overload]
    ready.hold()
    if to.type == "cpu":
        _pack(ready)
    return ready


def _pack(network: nn.Module) -> None:
    """Put packed layers in the place of plain ones; norms go back to float32, in which they are as fast."""
    for parent in list(network.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, Upsample):
                setattr(parent, name, PackedUpsample(layer))
            elif isinstance(layer, Conv2d):
                setattr(parent, name, PackedConv2d(layer))
            elif isinstance(layer, GroupNorm):
                layer.float()
