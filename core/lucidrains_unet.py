"""The U-Net of denoising-diffusion-pytorch (Phil Wang, 2020-), from its version 1.8 on.

Another network than the U-Nets of the papers: convolution, norm, activation in this order; linear attention at the fine
resolutions (Shen et al. 2021), learned keys and values beside those of the picture, and the first convolution's answer
once more before the last block.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.cost import Cost
from core.errors import Refusal
from core.layers import Conv2d, JoinedLinear, look_up, silu, sinusoid
from core.lucidrains_blocks import Attention, Block, Down, LinearAttention, Stage, Up
from core.lucidrains_config import LucidrainsConfig
from core.network import Network

__all__ = ["LucidrainsConfig", "LucidrainsUnet"]


class LucidrainsUnet(Network):
    """The network itself. Parameters have names of their own here (``core.checkpoints.lucidrains`` knows both)."""

    config: LucidrainsConfig

    def __init__(self, config: LucidrainsConfig) -> None:
        super().__init__()
        self.config = config
        self.init_conv = Conv2d(config.in_channels, config.first_width, 7, padding=3)
        hidden = 4 * config.time_width
        if config.fourier is not None:
            self.frequencies = nn.Parameter(torch.zeros(config.fourier // 2))
        self.time_1 = nn.Linear(config.time_width if config.fourier is None else config.fourier + 1, hidden)
        self.time_2 = nn.Linear(hidden, hidden)
        levels = range(config.levels)
        self.downs = nn.ModuleList(Down(config, level) for level in levels)
        width, last = config.widths[-1], config.levels - 1
        self.mid_block1 = Block(config, width, width)
        self.mid_attention = Attention(config, last, width)
        self.mid_block2 = Block(config, width, width)
        self.ups = nn.ModuleList(Up(config, level) for level in reversed(levels))
        self.final_block = Block(config, 2 * config.first_width, config.first_width)
        self.final_conv = Conv2d(config.first_width, config.out_channels, 1)
        self.time_projections = self._joined()
        self._cost = Cost(*self._work())

    @property
    def middle_channels(self) -> int:
        return self.config.widths[-1]

    def forward(self, x: Tensor, t: Tensor | float, labels: Tensor | None = None) -> Tensor:
        first, x, time, skips = self._encode(x, t, labels)
        for stage in self.ups:
            look_up(self.check, x)
            x = stage(x, time, skips)
        look_up(self.check, x)
        x = self.final_block(torch.cat((x, first), dim=1), time)
        y: Tensor = self.final_conv(x)
        return y

    def middle(self, x: Tensor, t: Tensor | float, labels: Tensor | None = None) -> Tensor:
        return self._encode(x, t, labels)[1]

    def _encode(
        self, x: Tensor, t: Tensor | float, labels: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor, list[Tensor]]:
        """The first convolution's answer, that of the first half, the time's projections, and what is handed over."""
        self._refuse_misfits(x, labels)
        dtype = self.time_2.weight.dtype
        t = torch.as_tensor(t, device=x.device).reshape(-1)
        time = self._project(t[:1] if t.stride(0) == 0 else t, dtype)  # one number, repeated: project it once
        first = x = self.init_conv(x.to(dtype, memory_format=torch.channels_last))
        skips: list[Tensor] = []
        for stage in self.downs:
            look_up(self.check, x)
            x = stage(x, time, skips)
        look_up(self.check, x)
        x = self.mid_block1(x, time)
        x = x + self.mid_attention(x)
        return first, self.mid_block2(x, time), time, skips

    def flops(self, height: int, width: int) -> int:
        return self._cost.flops(height, width)

    def hold(self) -> None:
        self.time_projections.hold()

    def _project(self, t: Tensor, dtype: torch.dtype) -> Tensor:
        """Every block's projection of the time side by side, (n or 1, all their widths)."""
        config = self.config
        if config.fourier is None:
            waves = sinusoid(t, config.time_width, 1, cos_first=False)
        else:
            t = t.float()[:, None]
            angles = 2 * torch.pi * t * self.frequencies.float()
            waves = torch.cat((t, angles.sin(), angles.cos()), dim=1)
        hidden = F.gelu(F.linear(waves, self.time_1.weight.float(), self.time_1.bias.float()))
        return self.time_projections(silu(self.time_2(hidden.to(dtype))))

    def _refuse_misfits(self, x: Tensor, labels: Tensor | None) -> None:
        multiple = self.side_multiple
        if x.shape[-2] % multiple or x.shape[-1] % multiple:
            raise Refusal(f"This model takes pictures whose height and width are multiples of {multiple}.")
        if labels is not None:
            raise Refusal("This model knows no classes: leave the label out.")

    def _joined(self) -> JoinedLinear:
        """The time projections of all blocks as one product; tells each block which columns are its own."""
        blocks = [module for module in self.modules() if isinstance(module, Block)]
        start = 0
        for block in blocks:
            block.span = slice(start, start + block.time_proj.out_features)
            start = block.span.stop
        return JoinedLinear([block.time_proj for block in blocks])

    def _work(self) -> tuple[int, tuple[tuple[int, int], ...]]:
        """Multiply-adds that see no pixels, and at each resolution those for each pixel and each pair of pixels."""
        of_time = {
            self.time_1,
            self.time_2,
            *(module.time_proj for module in self.modules() if isinstance(module, Block)),
        }
        each, pairs = [0] * self.config.levels, [0] * self.config.levels
        for level, module in self._places():
            if isinstance(module, LinearAttention):
                each[level] += 2 * module.heads * module.width**2
            elif isinstance(module, Attention):
                pairs[level] += 2 * module.heads * module.width
            elif isinstance(module, nn.Conv2d | nn.Linear) and module not in of_time:
                each[level] += module.weight.numel()
        return sum(layer.weight.numel() for layer in of_time), tuple(zip(each, pairs, strict=True))

    def _places(self) -> Iterator[tuple[int, nn.Module]]:
        """Every layer that sees pixels, with the resolution at which it answers."""
        last = self.config.levels - 1
        parts: list[tuple[int, nn.Module]] = [(0, self.init_conv), (0, self.final_block), (0, self.final_conv)]
        parts += [(last, part) for part in (self.mid_block1, self.mid_attention, self.mid_block2)]
        for stage in (module for module in self.modules() if isinstance(module, Stage)):
            parts += [(stage.level, part) for part in (stage.block1, stage.block2, stage.attention)]
            parts.append((stage.next_level, stage.resample))
        return ((level, module) for level, part in parts for module in part.modules())
