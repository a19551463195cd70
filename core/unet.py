"""The U-Net that predicts from a noisy picture and its time.

One network covers DDPM (Ho et al. 2020, appendix B), Improved DDPM (Nichol & Dhariwal 2021) and ADM (Dhariwal & Nichol
2021); ``UNetConfig`` says which. Parameters are called as in diffusers' UNet2DModel.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.errors import Refusal
from core.layers import (
    ACTIVATIONS,
    Conv2d,
    Downsample,
    GroupNorm,
    JoinedLinear,
    TimeEmbedding,
    Upsample,
    silu,
    sinusoid,
)
from core.packed import PackedConv2d, PackedUpsample
from core.unet_config import UNetConfig

__all__ = ["UNet", "UNetConfig", "prepare"]


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
            scale, shift = projection[:, :, None, None].chunk(2, dim=1)
            h = self.activate(torch.addcmul(shift, self.norm2(self.conv1(h)), 1 + scale))
        else:
            h = self.norm2(self.conv1(h, shift=projection), self.activate)
        h = self.dropout(h)
        if self.conv_shortcut is not None:
            x = self.conv_shortcut(x)
        y: Tensor = self.conv2(h, residual=x)
        return y if self.scale == 1 else y / self.scale

    def _resampled(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(x, 2) if self.resample == "down" else F.interpolate(x, scale_factor=2.0, mode="nearest")


class Attention(nn.Module):
    """Self-attention over all pixels, around a residual."""

    def __init__(self, config: UNetConfig, channels: int, groups: int | None, scale: float = 1.0) -> None:
        super().__init__()
        self.heads = 1 if config.attention_head_dim is None else channels // config.attention_head_dim
        inner = channels if config.attention_head_dim is None else self.heads * config.attention_head_dim
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
        h = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        y: Tensor = self.to_out[0](h).reshape(n, height, width, c).permute(0, 3, 1, 2) + x
        return y if self.scale == 1 else y / self.scale


def _attentions(config: UNetConfig, kind: str, channels: int, count: int) -> nn.ModuleList | None:
    if not kind.startswith("Attn"):
        return None
    return nn.ModuleList(Attention(config, channels, config.norm_num_groups) for _ in range(count))


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
            down = (
                ResnetBlock(config, outputs, outputs, "down")
                if by_resnet
                else Downsample(outputs, config.downsample_padding)
            )
            self.downsamplers = nn.ModuleList([down])

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
            self.upsamplers = nn.ModuleList(
                [ResnetBlock(config, outputs, outputs, "up") if by_resnet else Upsample(outputs)]
            )

    def forward(self, x: Tensor, time: Tensor, skips: list[Tensor]) -> Tensor:
        for i, resnet in enumerate(self.resnets):
            x = resnet(torch.cat([x, skips.pop()], dim=1), time)
            if self.attentions is not None:
                x = self.attentions[i](x)
        if self.upsamplers is not None:
            x = self.upsamplers[0](x, time)
        return x


class UNet(nn.Module):
    """The network itself. ``check``, where set, is called between blocks; it stops the work by raising."""

    check: Callable[[], None] | None = None

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        widths, hidden = config.block_out_channels, config.time_hidden
        self.conv_in = Conv2d(config.in_channels, widths[0], 3, padding=1)
        self.time_embedding = TimeEmbedding(widths[0], hidden)
        self.class_embedding: nn.Module | None = None
        if config.class_embed_type == "timestep":
            self.class_embedding = TimeEmbedding(widths[0], hidden)
        elif config.class_embed_type is None and config.num_class_embeds is not None:
            self.class_embedding = nn.Embedding(config.num_class_embeds, hidden)
        self.down_blocks = nn.ModuleList(DownBlock(config, level) for level in range(len(widths)))
        self.mid_block = None if config.mid_block_type is None else MidBlock(config)
        self.up_blocks = nn.ModuleList(UpBlock(config, step) for step in range(len(widths)))
        self.conv_norm_out = GroupNorm(config.norm_num_groups, widths[0], config.norm_eps)
        self.conv_out = Conv2d(widths[0], config.out_channels, 3, padding=1)
        blocks = [module for module in self.modules() if isinstance(module, ResnetBlock)]
        self.time_projections = JoinedLinear([block.time_emb_proj for block in blocks])
        start = 0
        for block in blocks:
            width = block.time_emb_proj.out_features
            block.span = slice(start, start + width)
            start += width

    @property
    def wants_labels(self) -> bool:
        return self.class_embedding is not None or self.config.class_embed_type == "identity"

    def forward(self, x: Tensor, t: Tensor | float, labels: Tensor | None = None) -> Tensor:
        """What the network predicts from x.

        Args:
            x: (n, in_channels, height, width), data in [-1, 1] plus noise; sides multiples of ``config.side_multiple``.
            t: time, one number or (n,).
            labels: (n,) whole numbers below ``num_class_embeds``, wanted by class-conditional networks alone.

        Returns:
            (n, out_channels, height, width) in the dtype of the network.

        Raises:
            Refusal: where the sides do not fit, or labels are missing or not wanted.
        """
        self._refuse_misfits(x, labels)
        dtype = self.time_embedding.linear_1.weight.dtype
        x = x.to(dtype, memory_format=torch.channels_last)
        if self.config.center_input_sample:
            x = 2 * x - 1
        t = torch.as_tensor(t, device=x.device).reshape(-1)
        time = self._project(t[:1] if t.stride(0) == 0 else t, labels, dtype)  # one number, repeated: project it once
        x = self.conv_in(x)
        skips = [x]
        for block in self.down_blocks:
            self._check()
            x = block(x, time, skips)
        self._check()
        if self.mid_block is not None:
            x = self.mid_block(x, time)
        for block in self.up_blocks:
            self._check()
            x = block(x, time, skips)
        y: Tensor = self.conv_out(self.conv_norm_out(x, silu))
        return y

    def flops(self, height: int, width: int) -> int:
        """Floating-point operations for one picture of this size: two for each multiply-add of a matrix product."""
        pixels = height * width
        total = sum(_multiply_adds(part, 1) for part in (self.time_embedding, self.class_embedding) if part is not None)
        total += sum(_multiply_adds(part, pixels) for part in (self.conv_in, self.conv_out))
        for block in self.down_blocks:
            assert isinstance(block, DownBlock)
            finer, pixels = pixels, pixels // 4 if block.downsamplers is not None else pixels
            total += _multiply_adds(block, finer) - _multiply_adds(block.downsamplers, finer)
            total += _multiply_adds(block.downsamplers, pixels)
        total += _multiply_adds(self.mid_block, pixels)
        for block in self.up_blocks:
            assert isinstance(block, UpBlock)
            coarser, pixels = pixels, pixels * 4 if block.upsamplers is not None else pixels
            total += _multiply_adds(block, coarser) - _multiply_adds(block.upsamplers, coarser)
            total += _multiply_adds(block.upsamplers, pixels)
        return 2 * total

    def initialise(self) -> None:
        """Draw the weights as DDPM does: uniform with variance 2 / (fan in + fan out), zero where a residual is added
        and at the end, so that the network starts as the identity and its answer as 0."""
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=self.config.time_hidden**-0.5)
        for module in self.modules():
            if isinstance(module, ResnetBlock):
                module.conv2.weight.data.zero_()
            elif isinstance(module, Attention):
                nn.init.zeros_(module.to_out.get_parameter("0.weight"))
        self.conv_out.weight.data.zero_()

    def _check(self) -> None:
        if self.check is not None:
            self.check()

    def _project(self, t: Tensor, labels: Tensor | None, dtype: torch.dtype) -> Tensor:
        """Every residual block's projection of the time (and the class) side by side, (n or 1, all their widths)."""
        config = self.config

        def waves(numbers: Tensor) -> Tensor:
            return sinusoid(numbers, config.block_out_channels[0], config.freq_shift, config.flip_sin_to_cos).to(dtype)

        embedding = self.time_embedding(waves(t))
        if labels is not None:
            if config.class_embed_type == "identity":
                embedding = embedding + labels.to(dtype)
            elif self.class_embedding is not None:
                embedding = embedding + self.class_embedding(waves(labels) if config.class_embed_type else labels)
        activate = ACTIVATIONS.get(config.act_fn, silu)
        return self.time_projections(activate(embedding))

    def _refuse_misfits(self, x: Tensor, labels: Tensor | None) -> None:
        multiple = self.config.side_multiple
        if x.shape[-2] % multiple or x.shape[-1] % multiple:
            raise Refusal(f"This model takes pictures whose height and width are multiples of {multiple}.")
        if self.wants_labels and labels is None:
            raise Refusal("This model wants a class: choose one, or the null label.")
        if not self.wants_labels and labels is not None:
            raise Refusal("This model knows no classes: leave the label out.")


def _multiply_adds(part: nn.Module | None, pixels: int) -> int:
    """Multiply-adds of a part that works on this many pixels; the time is projected once, whatever their number."""
    total = 0
    for name, module in () if part is None else part.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            total += module.weight.numel() * (1 if name.endswith("time_emb_proj") else pixels)
        elif isinstance(module, Attention):
            total += 2 * pixels**2 * module.to_q.out_features
    return total


def prepare(network: UNet, device: str | torch.device, precision: str) -> UNet:
    """A copy of the network ready for inference on a device in "float32", "bfloat16" or "float16".

    The given network stays as it is. Run the copy under ``torch.inference_mode()``.
    """
    ready = copy.deepcopy(network).eval().requires_grad_(False)
    to = torch.device(device)
    ready.to(to, getattr(torch, precision), memory_format=torch.channels_last)  # type: ignore[call-overload]
    for module in list(ready.modules()):
        if isinstance(module, Attention):
            module.to_qkv.hold()
    ready.time_projections.hold()
    if to.type == "cpu":
        _pack(ready)
    return ready


def _pack(network: UNet) -> None:
    """Put packed layers in the place of plain ones; norms go back to float32, in which they are as fast."""
    for parent in list(network.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, Upsample):
                setattr(parent, name, PackedUpsample(layer))
            elif isinstance(layer, Conv2d):
                setattr(parent, name, PackedConv2d(layer))
            elif isinstance(layer, GroupNorm):
                layer.float()
