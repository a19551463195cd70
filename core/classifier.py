"""The noisy classifier: the U-Net's encoder half with an attention-pooling head (Dhariwal & Nichol 2021, section 4)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from core.classifier_config import ClassifierConfig
from core.cost import Cost
from core.layers import ACTIVATIONS, Conv2d, GroupNorm, JoinedLinear, TimeEmbedding, attend, look_up, silu, sinusoid
from core.unet_blocks import DownBlock, MidBlock, draw_weights, joined_projections


class AttentionPool(nn.Module):
    """One vector of all pixels: their mean attends to them and to itself (Radford et al. 2021 (CLIP), section 2.4)."""

    def __init__(self, channels: int, tokens: int, head: int | None) -> None:
        super().__init__()
        self.heads = channels // (head or channels)
        self.positions = nn.Parameter(torch.zeros(tokens + 1, channels))
        self.to_q = nn.Linear(channels, channels)
        self.to_k = nn.Linear(channels, channels)
        self.to_v = nn.Linear(channels, channels)
        self.to_kv = JoinedLinear((self.to_k, self.to_v))

    def forward(self, x: Tensor) -> Tensor:
        """x (n, channels, h, w) with h * w = tokens, to (n, channels)."""
        n, channels = x.shape[:2]
        pixels = x.flatten(2).transpose(1, 2)
        tokens = torch.cat((pixels.mean(1, keepdim=True), pixels), dim=1) + self.positions
        q = self.to_q(tokens[:, :1]).view(n, 1, self.heads, -1).transpose(1, 2)
        k, v = self.to_kv(tokens).view(n, tokens.shape[1], 2, self.heads, -1).permute(2, 0, 3, 1, 4).unbind()
        return attend(q, k, v).reshape(n, channels)


class MeanPool(nn.Module):
    """One vector of all pixels: their mean."""

    def forward(self, x: Tensor) -> Tensor:
        """x (n, channels, h, w) to (n, channels)."""
        return x.mean((2, 3))


class Classifier(nn.Module):
    """The network itself. ``check``, where set, is called between blocks, there and back; it stops work by raising."""

    check: Callable[[], None] | None = None

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__()
        self.config, encoder = config, config.encoder
        widths, hidden = encoder.block_out_channels, encoder.time_hidden
        self.conv_in = Conv2d(encoder.in_channels, widths[0], 3, padding=1)
        self.time_embedding = TimeEmbedding(encoder.time_channels, hidden)
        self.down_blocks = nn.ModuleList(DownBlock(encoder, level) for level in range(len(widths)))
        self.mid_block = None if encoder.mid_block_type is None else MidBlock(encoder)
        self.norm_out = GroupNorm(encoder.norm_num_groups, widths[-1], encoder.norm_eps)
        self.pool: nn.Module = MeanPool()
        if config.pool == "attention":
            self.pool = AttentionPool(widths[-1], config.tokens, encoder.attention_head_dim)
        self.to_logits = nn.Linear(config.features, config.classes)
        self.time_projections = joined_projections(self)
        self._cost = Cost.of(self, len(widths))

    def forward(self, x: Tensor, t: Tensor, labels: Tensor | None = None) -> Tensor:
        """Logits (n, classes) of x (n, *event_shape) at the times t (n,) of the classifier's own schedule.

        It takes what the U-Net takes, but is never told the labels.
        """
        logits: Tensor = self.to_logits(self.features(x, t))
        return logits

    def features(self, x: Tensor, t: Tensor) -> Tensor:
        """What the last layer is given: (n, features)."""
        encoder = self.config.encoder
        dtype = self.to_logits.weight.dtype
        waves = sinusoid(t, encoder.time_channels, encoder.freq_shift, encoder.flip_sin_to_cos).to(dtype)
        activate = ACTIVATIONS.get(encoder.act_fn, silu)
        time = self.time_projections(activate(self.time_embedding(waves)))
        x = self.conv_in(x.to(dtype, memory_format=torch.channels_last))
        skips: list[Tensor] = []  # nobody goes back up
        for block in self.down_blocks:
            look_up(self.check, x)
            x = block(x, time, skips)
        look_up(self.check, x)
        if self.mid_block is not None:
            x = self.mid_block(x, time)
        pooled: Tensor = self.pool(self.norm_out(x, silu))
        return pooled

    def flops(self, height: int, width: int) -> int:
        """Floating-point operations of the convolutions and attention for one picture (see ``UNet.flops``)."""
        return self._cost.flops(height, width)

    def initialise(self) -> None:
        """Draw the weights as the U-Net's are (``core.unet_blocks.draw_weights``), every class as likely at first."""
        draw_weights(self, self.config.encoder.time_hidden)
        if isinstance(self.pool, AttentionPool):
            nn.init.normal_(self.pool.positions, std=self.config.features**-0.5)
        self.to_logits.weight.data.zero_()
