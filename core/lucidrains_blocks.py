"""The blocks of denoising-diffusion-pytorch's U-Net: residual blocks, attention of two kinds, and one resolution."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.layers import Conv2d, GroupNorm, Upsample, silu
from core.lucidrains_config import GROUPS, LucidrainsConfig

_TINY = 1e-24
"""Keeps a pixel of zeros at zero, and changes no other."""


def _normalised(x: Tensor, weight: Tensor) -> Tensor:
    """Each pixel's channels to a mean square of 1, times weight (c,): (n, c, h, w), the same in channels-last."""
    y = F.rms_norm(x.permute(0, 2, 3, 1), (x.shape[1],), weight, _TINY)
    return y.permute(0, 3, 1, 2)


class RMSNorm(nn.Module):
    """Root mean square of each pixel's channels (Zhang & Sennrich 2019)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        return _normalised(x, self.weight)


class Block(nn.Module):
    """Convolution, norm, SiLU, twice, around a shortcut; the time scales and shifts after the first norm."""

    span: slice

    def __init__(self, config: LucidrainsConfig, inputs: int, outputs: int) -> None:
        super().__init__()
        self.time_proj = nn.Linear(4 * config.time_width, 2 * outputs)
        self.conv1 = Conv2d(inputs, outputs, 3, padding=1)
        self.norm1 = _norm(config, outputs)
        self.conv2 = Conv2d(outputs, outputs, 3, padding=1)
        self.norm2 = _norm(config, outputs)
        self.shortcut = Conv2d(inputs, outputs, 1) if inputs != outputs else None

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        scale, shift = time[:, self.span].chunk(2, dim=1)
        h = silu(_scaled_and_shifted(self.norm1, self.conv1(x), 1 + scale, shift))
        h = silu(self.norm2(self.conv2(h)))
        return h + (x if self.shortcut is None else self.shortcut(x))


def _norm(config: LucidrainsConfig, channels: int) -> nn.Module:
    return RMSNorm(channels) if config.norm == "rms" else GroupNorm(GROUPS, channels)


def _scaled_and_shifted(norm: nn.Module, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """norm(x) * scale + shift; where one time holds for all, the scale goes through the norm's own weights."""
    if len(scale) > 1 or not isinstance(norm, RMSNorm):
        return torch.addcmul(shift[:, :, None, None], norm(x), scale[:, :, None, None])
    return _normalised(x, norm.weight * scale[0]) + shift[0, :, None, None]


class Attention(nn.Module):
    """Attention of the pixels to one another and to a few learned keys and values; the residual is added by whoever
    calls it. ``memory``: (2, heads, their number, head width)."""

    def __init__(self, config: LucidrainsConfig, level: int, channels: int) -> None:
        super().__init__()
        self.heads, self.width = config.heads[level], config.head_width[level]
        inner = self.heads * self.width
        self.norm = RMSNorm(channels)
        learned = torch.zeros(2, self.heads, config.memory, self.width)
        self.memory = nn.Parameter(learned) if config.memory else None
        self.to_qkv = nn.Linear(channels, 3 * inner, bias=False)
        self.to_out = nn.Linear(inner, channels)

    def forward(self, x: Tensor) -> Tensor:
        n, channels, height, width = x.shape
        tokens = self.norm(x).permute(0, 2, 3, 1).reshape(n, height * width, channels)
        q, k, v = self.to_qkv(tokens).view(n, height * width, 3, self.heads, self.width).permute(2, 0, 3, 1, 4).unbind()
        if self.memory is not None:
            kept_k, kept_v = self.memory[:, None].expand(-1, n, -1, -1, -1)
            k, v = torch.cat((kept_k, k), dim=2), torch.cat((kept_v, v), dim=2)
        h = self._attended(q, k, v).transpose(1, 2).flatten(2)
        y: Tensor = self.to_out(h).view(n, height, width, channels).permute(0, 3, 1, 2)
        return y

    def _attended(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """All (n, heads, tokens, head width): softmax(q k^T / sqrt(d)) v."""
        return F.scaled_dot_product_attention(q, k, v)


class LinearAttention(Attention):
    """Attention whose cost grows with the pixels, not with their square: softmax over a query's channels times the
    sum over all tokens of softmax(k) v^T (Shen et al. 2021, eq. 4), then a norm."""

    def __init__(self, config: LucidrainsConfig, level: int, channels: int) -> None:
        super().__init__(config, level, channels)
        self.norm_out = RMSNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.norm_out(super().forward(x))
        return y

    def _attended(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        context = k.softmax(dim=2).mT @ v * self.width**-0.5
        y: Tensor = q.softmax(dim=3) @ context
        return y


class Upwards(Upsample):
    """Twice the sides, and other channels."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs)
        self.conv = Conv2d(inputs, outputs, 3, padding=1)


class Stage(nn.Module):
    """One resolution: two blocks, attention, and the way to the next. ``skips`` is what the way down keeps for the
    way up; ``level`` and ``next_level`` count resolutions from the finest."""

    next_level: int

    def __init__(self, config: LucidrainsConfig, level: int, inputs: int, outputs: int, resample: nn.Module) -> None:
        super().__init__()
        self.level = level
        self.block1 = Block(config, inputs, outputs)
        self.block2 = Block(config, inputs, outputs)
        self.attention = (Attention if config.full_attention[level] else LinearAttention)(config, level, outputs)
        self.resample = resample


class Down(Stage):
    """On the way down; four pixels become the channels of one by a convolution of stride 2."""

    def __init__(self, config: LucidrainsConfig, level: int) -> None:
        width, outputs = (config.first_width, *config.widths)[level : level + 2]
        is_last = level == config.levels - 1
        resample = Conv2d(width, outputs, 3, padding=1) if is_last else Conv2d(width, outputs, 2, stride=2)
        super().__init__(config, level, width, width, resample)
        self.next_level = level if is_last else level + 1

    def forward(self, x: Tensor, time: Tensor, skips: list[Tensor]) -> Tensor:
        x = self.block1(x, time)
        skips.append(x)
        x = self.block2(x, time)
        x = x + self.attention(x)
        skips.append(x)
        y: Tensor = self.resample(x)
        return y


class Up(Stage):
    """On the way up, each block beside what the way down kept."""

    def __init__(self, config: LucidrainsConfig, level: int) -> None:
        outputs, width = (config.first_width, *config.widths)[level : level + 2]
        resample = Conv2d(width, outputs, 3, padding=1) if level == 0 else Upwards(width, outputs)
        super().__init__(config, level, width + outputs, width, resample)
        self.next_level = max(level - 1, 0)

    def forward(self, x: Tensor, time: Tensor, skips: list[Tensor]) -> Tensor:
        for block in (self.block1, self.block2):
            x = block(torch.cat((x, skips.pop()), dim=1), time)
        x = x + self.attention(x)
        y: Tensor = self.resample(x, time) if self.level > 0 else self.resample(x)
        return y
