"""What the shapes of a UNet2DModel's tensors tell of its configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core.checkpoints.family import Shapes
from core.errors import Refusal
from core.unet_config import MAX_LEVELS

_MID = "mid_block.resnets.0.conv1.weight"
_MID_NORM = "mid_block.attentions.0.group_norm.weight"


@dataclass(frozen=True, slots=True)
class Anatomy:
    """The part of a configuration that shapes tell; ``down`` and ``up`` are kinds of blocks in the order of their
    names, ``attended`` the (channels, width of all heads together) of every attention."""

    inputs: int
    outputs: int
    widths: tuple[int, ...]
    layers: int
    down: tuple[str, ...]
    up: tuple[str, ...]
    downsample_type: str
    upsample_type: str
    mid: bool
    mid_attention: bool
    mid_norm: bool
    film: bool
    classes: int
    time_width: int
    time_hidden: int
    attended: tuple[tuple[int, int], ...]

    @property
    def side_multiple(self) -> int:
        return int(2 ** (len(self.widths) - 1))

    def allows_head(self, head: int | None) -> bool:
        """Whether heads of so many channels (None: one head) have the widths that are there."""
        return all(
            inner == channels if head is None else inner == channels // head * head for channels, inner in self.attended
        )

    def options(self, groups: int) -> dict[str, Any]:
        """The fields of ``UNetConfig`` that are told."""
        first = self.widths[0]
        return {
            "in_channels": self.inputs,
            "out_channels": self.outputs,
            "block_out_channels": self.widths,
            "layers_per_block": self.layers,
            "down_block_types": self.down,
            "up_block_types": self.up,
            "downsample_type": self.downsample_type,
            "upsample_type": self.upsample_type,
            "mid_block_type": "UNetMidBlock2D" if self.mid else None,
            "add_attention": self.mid_attention,
            "attn_norm_num_groups": groups if self.film and self.mid_norm else None,
            "resnet_time_scale_shift": "scale_shift" if self.film else "default",
            "num_class_embeds": self.classes or None,
            "time_width": None if self.time_width == first else self.time_width,
            "time_embedding_dim": None if self.time_hidden == 4 * self.time_width else self.time_hidden,
        }


def anatomy_of(shapes: Shapes, file_name: str) -> Anatomy:
    """Read it off shapes by present names. Raises Refusal where a tensor is missing, or it is another network."""

    def shape(name: str, rank: int) -> tuple[int, ...]:
        found = shapes.get(name)
        if found is None or len(found) != rank:
            raise Refusal(
                f"{file_name} is not complete, or not a UNet2DModel: "
                f"{name} {'is missing' if found is None else 'has another shape'}. Download the model again.",
                str(found),
            )
        return found

    if "time_proj.weight" in shapes:
        raise Refusal(
            f"{file_name} is told its noise level as a continuous number, which belongs to another process than the "
            "discrete diffusion Diffuscope computes. Open a model of the DDPM family."
        )
    if "class_embedding.linear_1.weight" in shapes:
        raise Refusal(f"{file_name} is told its class as numbers, not as one of a list, which is not computed yet.")
    if any("skip_conv" in name or "skip_norm" in name for name in shapes):
        raise Refusal(f"{file_name} is a network of NCSN++, which Diffuscope does not compute. Open a DDPM model.")
    levels = _count(shapes, "down_blocks", "")
    layers = _count(shapes, "down_blocks.0.resnets", "")
    if not 1 <= levels <= MAX_LEVELS or _count(shapes, "up_blocks", "") != levels:
        raise Refusal(f"{file_name} is not complete: its ways down and up are of different lengths. Download it again.")
    widths = tuple(shape(f"down_blocks.{level}.resnets.0.conv1.weight", 4)[0] for level in range(levels))
    hidden, time_width = shape("time_embedding.linear_1.weight", 2)
    down, downsample = _kinds(shapes, "down", levels)
    up, upsample = _kinds(shapes, "up", levels)
    return Anatomy(
        inputs=shape("conv_in.weight", 4)[1],
        outputs=shape("conv_out.weight", 4)[0],
        widths=widths,
        layers=layers,
        down=down,
        up=up,
        downsample_type=downsample,
        upsample_type=upsample,
        mid=_MID in shapes,
        mid_attention=_MID not in shapes or "mid_block.attentions.0.to_q.weight" in shapes,
        mid_norm=_MID_NORM in shapes,
        film=shape("down_blocks.0.resnets.0.time_emb_proj.weight", 2)[0] == 2 * widths[0],
        classes=shape("class_embedding.weight", 2)[0] if "class_embedding.weight" in shapes else 0,
        time_width=time_width,
        time_hidden=hidden,
        attended=tuple(
            (found[1], found[0]) for name, found in shapes.items() if name.endswith(".to_q.weight") and len(found) == 2
        ),
    )


def _count(shapes: Shapes, start: str, end: str) -> int:
    """How many numbered parts follow ``start``."""
    numbers = {name[len(start) + 1 :].split(".", 1)[0] for name in shapes if name.startswith(f"{start}.")}
    return sum(number.isdigit() for number in numbers)


def _kinds(shapes: Shapes, way: str, levels: int) -> tuple[tuple[str, ...], str]:
    """The kinds of blocks on the way down or up, and how those with attention change the resolution."""
    kinds, of_attention = [], "conv"
    for level in range(levels):
        block = f"{way}_blocks.{level}"
        by_resnet = f"{block}.{way}samplers.0.conv1.weight" in shapes
        if any(name.startswith(f"{block}.attentions.0.") for name in shapes):
            kinds.append(f"Attn{way.title()}Block2D")
            of_attention = "resnet" if by_resnet else of_attention
        else:
            kinds.append(f"Resnet{way.title()}sampleBlock2D" if by_resnet else f"{way.title()}Block2D")
    return tuple(kinds), of_attention
