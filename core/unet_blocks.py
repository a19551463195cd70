"""The blocks of the U-Net: residual blocks and attention, and how they follow one another at each resolution."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from core.layers import (
    ACTIVATIONS,
    Conv2d,
    Downsample,
    GroupNorm,
    JoinedLinear,
    Resample,
    Upsample,
    attend,
    resampled,
    silu,
)
from core.unet_config import UNetConfig


class ResnetBlock(nn.Module):
    """Norm, activation, convolution, twice, around a shortcut; the time shifts (or scales and shifts) in between.

    ``resample`` "down" or "up" halves or doubles the sides of both branches. ``span`` are the columns that belong to
    this block in the network's one projection of the time embedding (``UNet.forward``).
    """

    span: slice

    def __init__(self, config: UNetConfig, inputs: int, outputs: int, resample: str = "", scale: float = 1.0) -> None:
        super().__init__()
        groups, eps = config.norm_num_groups, config.norm_eps
        self.scale_shift = config.resnet_time_scale_shift == "scale_shift"
        self.resample = resample
        self.scale = scale
        self.activate = ACTIVATIONS.get(config.act_fn, silu)
        self.norm1 = GroupNorm(groups, inputs, eps)
        self.conv1 = Conv2d(inputs, outputs, 3, padding=1)
        self.time_emb_proj = nn.Linear(config.time_hidden, outputs * (2 if self.scale_shift else 1))
        self.norm2 = GroupNorm(groups, outputs, eps)
        self.dropout = nn.Dropout(config.dropout)
        self.conv2 = Conv2d(outputs, outputs, 3, padding=1)
        self.conv_shortcut = Conv2d(inputs, outputs, 1) if inputs != outputs else None

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        h = self.norm1(x, self.activate)
        if self.resample:
            x, h = self._resampled(x), self._resampled(h)
        projection = time[:, self.span]
        if self.scale_shift:
            h = self.norm2(self.conv1(h), self.activate, *projection.chunk(2, dim=1))
        else:
            h = self.norm2(self.conv1(h, shift=projection), self.activate)
        h = self.dropout(h)
        if self.conv_shortcut is not None:
            x = self.conv_shortcut(x)
        y: Tensor = self.conv2(h, residual=x)
        return y if self.scale == 1 else y / self.scale

    def _resampled(self, x: Tensor) -> Tensor:
        return resampled(x, self.resample)


class Attention(nn.Module):
    """Self-attention over all pixels, around a residual."""

    def __init__(self, config: UNetConfig, channels: int, groups: int | None, scale: float = 1.0) -> None:
        super().__init__()
        self.heads, width = config.heads(channels)
        inner = self.heads * width
        self.scale = scale
        self.group_norm = None if groups is None else GroupNorm(groups, channels, config.norm_eps)
        self.to_q = nn.Linear(channels, inner)
        self.to_k = nn.Linear(channels, inner)
        self.to_v = nn.Linear(channels, inner)
        self.to_qkv = JoinedLinear((self.to_q, self.to_k, self.to_v))
        self.to_out = nn.ModuleList([nn.Linear(inner, channels)])

    def forward(self, x: Tensor) -> Tensor:
        n, c, height, width = x.shape
        h = x if self.group_norm is None else self.group_norm(x)
        tokens = h.permute(0, 2, 3, 1).reshape(n, height * width, c)
        q, k, v = self.to_qkv(tokens).view(n, height * width, 3, self.heads, -1).permute(2, 0, 3, 1, 4).unbind()
        h = attend(q, k, v).transpose(1, 2).flatten(2)
        y: Tensor = self.to_out[0](h).reshape(n, height, width, c).permute(0, 3, 1, 2) + x
        return y if self.scale == 1 else y / self.scale


def _attentions(config: UNetConfig, kind: str, channels: int, count: int) -> nn.ModuleList | None:
    if not kind.startswith("Attn"):
        return None
    return nn.ModuleList(Attention(config, channels, config.norm_num_groups) for _ in range(count))


def _resampler(config: UNetConfig, channels: int, way: str, by_resnet: bool) -> nn.Module:
    if by_resnet:
        return ResnetBlock(config, channels, channels, way)
    if not config.resample_conv:
        return Resample(way)
    return Downsample(channels, config.downsample_padding) if way == "down" else Upsample(channels)


class DownBlock(nn.Module):
    """One resolution on the way down: every result is kept for the way up."""

    def __init__(self, config: UNetConfig, level: int) -> None:
        super().__init__()
        kind, outputs = config.down_block_types[level], config.block_out_channels[level]
        inputs = config.block_out_channels[max(level - 1, 0)]
        count = config.layers_per_block
        self.attentions = _attentions(config, kind, outputs, count)
        self.resnets = nn.ModuleList(ResnetBlock(config, outputs if i else inputs, outputs) for i in range(count))
        self.downsamplers: nn.ModuleList | None = None
        if level < len(config.block_out_channels) - 1:
            by_resnet = kind.startswith("Resnet") or (kind.startswith("Attn") and config.downsample_type == "resnet")
            self.downsamplers = nn.ModuleList([_resampler(config, outputs, "down", by_resnet)])

    def forward(self, x: Tensor, time: Tensor, skips: list[Tensor]) -> Tensor:
        for i, resnet in enumerate(self.resnets):
            x = resnet(x, time)
            if self.attentions is not None:
                x = self.attentions[i](x)
            skips.append(x)
        if self.downsamplers is not None:
            x = self.downsamplers[0](x, time)
            skips.append(x)
        return x


class MidBlock(nn.Module):
    """The coarsest resolution: residual block, attention, residual block."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        channels, scale = config.block_out_channels[-1], config.mid_block_scale_factor
        groups = config.attn_norm_num_groups
        if groups is None and config.resnet_time_scale_shift == "default":
            groups = config.norm_num_groups
        self.attentions = nn.ModuleList([Attention(config, channels, groups, scale)] if config.add_attention else [])
        self.resnets = nn.ModuleList(ResnetBlock(config, channels, channels, scale=scale) for _ in range(2))

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        x = self.resnets[0](x, time)
        for attention in self.attentions:
            x = attention(x)
        y: Tensor = self.resnets[1](x, time)
        return y


class UpBlock(nn.Module):
    """One resolution on the way up, each residual block beside what the way down kept."""

    def __init__(self, config: UNetConfig, step: int) -> None:
        super().__init__()
        kind, widths = config.up_block_types[step], config.block_out_channels
        level = len(widths) - 1 - step
        outputs, above = widths[level], widths[min(level + 1, len(widths) - 1)]
        count = config.layers_per_block + 1
        carried = [above] + [outputs] * (count - 1)
        kept = [outputs] * (count - 1) + [widths[max(level - 1, 0)]]
        self.attentions = _attentions(config, kind, outputs, count)
        self.resnets = nn.ModuleList(ResnetBlock(config, a + b, outputs) for a, b in zip(carried, kept, strict=True))
        self.upsamplers: nn.ModuleList | None = None
        if level > 0:
            by_resnet = kind.startswith("Resnet") or (kind.startswith("Attn") and config.upsample_type == "resnet")
            self.upsamplers = nn.ModuleList([_resampler(config, outputs, "up", by_resnet)])

    def forward(self, x: Tensor, time: Tensor, skips: list[Tensor]) -> Tensor:
        for i, resnet in enumerate(self.resnets):
            x = resnet(torch.cat([x, skips.pop()], dim=1), time)
            if self.attentions is not None:
                x = self.attentions[i](x)
        if self.upsamplers is not None:
            x = self.upsamplers[0](x, time)
        return x


def joined_projections(network: nn.Module) -> JoinedLinear:
    """The time projections of all residual blocks as one product; tells each block which columns are its own."""
    blocks = [module for module in network.modules() if isinstance(module, ResnetBlock)]
    start = 0
    for block in blocks:
        width = block.time_emb_proj.out_features
        block.span = slice(start, start + width)
        start += width
    return JoinedLinear([block.time_emb_proj for block in blocks])


def draw_weights(network: nn.Module, hidden: int) -> None:
    """Draw the weights as DDPM does: uniform with variance 2 / (fan in + fan out), zero where a residual is added;
    embeddings, of width ``hidden``, are normal with variance 1 / hidden."""
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=hidden**-0.5)
    for module in network.modules():
        if isinstance(module, ResnetBlock):
            module.conv2.weight.data.zero_()
        elif isinstance(module, Attention):
            nn.init.zeros_(module.to_out.get_parameter("0.weight"))
