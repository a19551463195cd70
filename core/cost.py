"""What an evaluation of a network costs: floating-point operations, from its layers."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from core.unet_blocks import Attention

_ONCE = ("embedding", "to_logits")


@dataclass(frozen=True, slots=True)
class Cost:
    """Multiply-adds of the layers that see no pixels (``once``), and at each resolution those for each pixel and for
    each pair of pixels (``at_level``), from the finest on."""

    once: int
    at_level: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, network: nn.Module, levels: int) -> Cost:
        """Of a network whose layers lie in ``down_blocks``, ``mid_block``, ``up_blocks`` and ``pool``, or else at the
        finest resolution."""
        last = levels - 1
        once, each, pairs = 0, [0] * levels, [0] * levels
        for name, module in network.named_modules():
            block, _, rest = name.partition(".")
            index = int(rest.partition(".")[0]) if block in ("down_blocks", "up_blocks") and rest else 0
            level = {"down_blocks": index, "mid_block": last, "up_blocks": last - index, "pool": last}.get(block, 0)
            level += ("downsamplers" in name) - ("upsamplers" in name)
            if isinstance(module, Attention):
                pairs[level] += 2 * module.to_q.out_features
            elif isinstance(module, nn.Linear) and (block.endswith(_ONCE) or name.endswith("time_emb_proj")):
                once += module.weight.numel()
            elif isinstance(module, nn.Conv2d | nn.Linear):
                each[level] += module.weight.numel()
        return cls(once, tuple(zip(each, pairs, strict=True)))

    def flops(self, height: int, width: int) -> int:
        """For one picture of this size: two for each multiply-add of a matrix product."""
        total = self.once
        for level, (each, pairs) in enumerate(self.at_level):
            pixels = (height >> level) * (width >> level)
            total += each * pixels + pairs * pixels**2
        return 2 * total
