"""The U-Net that predicts from a noisy picture and its time.

One network covers DDPM (Ho et al. 2020, appendix B), Improved DDPM (Nichol & Dhariwal 2021) and ADM (Dhariwal & Nichol
2021); ``UNetConfig`` says which. Parameters are called as in diffusers' UNet2DModel.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from core.cost import Cost
from core.errors import Refusal
from core.layers import (
    ACTIVATIONS,
    Conv2d,
    Embedding,
    GroupNorm,
    TimeEmbedding,
    look_up,
    silu,
    sinusoid,
)
from core.network import Network
from core.network import prepare_network as prepare
from core.unet_blocks import Attention, DownBlock, MidBlock, UpBlock, draw_weights, joined_projections
from core.unet_config import UNetConfig

__all__ = ["UNet", "UNetConfig", "prepare"]


class UNet(Network):
    """The network itself. ``check``, where set, is called between blocks, there and back; it stops work by raising."""

    config: UNetConfig

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        widths, hidden = config.block_out_channels, config.time_hidden
        self.conv_in = Conv2d(config.in_channels, widths[0], 3, padding=1)
        self.time_embedding = TimeEmbedding(config.time_channels, hidden)
        self.class_embedding: nn.Module | None = None
        if config.class_embed_type == "timestep":
            self.class_embedding = TimeEmbedding(config.time_channels, hidden)
        elif config.class_embed_type is None and config.num_class_embeds is not None:
            self.class_embedding = Embedding(config.num_class_embeds, hidden)
        self.down_blocks = nn.ModuleList(DownBlock(config, level) for level in range(len(widths)))
        self.mid_block = None if config.mid_block_type is None else MidBlock(config)
        self.up_blocks = nn.ModuleList(UpBlock(config, step) for step in range(len(widths)))
        self.conv_norm_out = GroupNorm(config.norm_num_groups, widths[0], config.norm_eps)
        self.conv_out = Conv2d(widths[0], config.out_channels, 3, padding=1)
        self.time_projections = joined_projections(self)
        self._cost = Cost.of(self, len(widths))

    @property
    def wants_labels(self) -> bool:
        return self.class_embedding is not None or self.config.class_embed_type == "identity"

    @property
    def middle_channels(self) -> int:
        return self.config.block_out_channels[-1]

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
        x, time, skips = self._encode(x, t, labels)
        for block in self.up_blocks:
            look_up(self.check, x)
            x = block(x, time, skips)
        y: Tensor = self.conv_out(self.conv_norm_out(x, silu))
        return y

    def middle(self, x: Tensor, t: Tensor | float, labels: Tensor | None = None) -> Tensor:
        """What it makes of x between its two halves, (n, channels, height, width) of the lowest resolution: the first
        half's answer, at half the cost. Arguments and errors are those of ``forward``."""
        return self._encode(x, t, labels)[0]

    def _encode(self, x: Tensor, t: Tensor | float, labels: Tensor | None) -> tuple[Tensor, Tensor, list[Tensor]]:
        """The first half: its answer, the time's projections, and what is handed over to the second half."""
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
            look_up(self.check, x)
            x = block(x, time, skips)
        look_up(self.check, x)
        if self.mid_block is not None:
            x = self.mid_block(x, time)
        return x, time, skips

    def flops(self, height: int, width: int) -> int:
        """Floating-point operations for one picture of this size: two for each multiply-add of a matrix product."""
        return self._cost.flops(height, width)

    def initialise(self) -> None:
        """Draw the weights as DDPM does: uniform with variance 2 / (fan in + fan out), zero where a residual is added
        and at the end, so that the network starts as the identity and its answer as 0."""
        draw_weights(self, self.config.time_hidden)
        self.conv_out.weight.data.zero_()

    def hold(self) -> None:
        for module in self.modules():
            if isinstance(module, Attention):
                module.to_qkv.hold()
        self.time_projections.hold()

    def _project(self, t: Tensor, labels: Tensor | None, dtype: torch.dtype) -> Tensor:
        """Every residual block's projection of the time (and the class) side by side, (n or 1, all their widths)."""
        config = self.config

        def waves(numbers: Tensor) -> Tensor:
            return sinusoid(numbers, config.time_channels, config.freq_shift, config.flip_sin_to_cos).to(dtype)

        embedding = self.time_embedding(waves(t if config.time_factor == 1 else t.float() * config.time_factor))
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
