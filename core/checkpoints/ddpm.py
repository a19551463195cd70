"""Checkpoints of DDPM and DDIM in PyTorch: ermongroup/ddim, pesser/pytorch_diffusion, SDEdit, and who follows them.

The network of Ho et al. 2020, appendix B, under other names than diffusers'. Torch-free until it is built.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.checkpoints.asking import Asking, shape_of
from core.checkpoints.description import Answers, Question
from core.checkpoints.family import Loose, Reading, Shapes, Tensors
from core.errors import Refusal
from core.requests import SamplerSpec
from core.scheduler_config import SchedulerSays
from core.unet_config import MAX_SIDE, UNetConfig
from core.weights_file import compare

if TYPE_CHECKING:
    from torch import Tensor, nn

ATTENTION_SIDE = 16
"""Of the resolution at which all published networks of this family attend."""
LARGE_UP_TO = 64
"""Side of pictures up to which the published models have the variance beta, those above beta_tilde."""

_LOG_VARIANCE = "logvar"
_SAMPLES = 8  # pixels a side in the middle, where nothing tells


@dataclass(frozen=True, slots=True)
class Anatomy:
    """What shapes tell. ``attention``: the resolutions that have some, counted from the finest, 0."""

    channels: int
    widths: tuple[int, ...]
    blocks: int
    attention: tuple[int, ...]
    pictures: int
    by_convolution: bool = True

    @property
    def side_multiple(self) -> int:
        return int(2 ** (len(self.widths) - 1))


_PUBLISHED: tuple[tuple[str, Anatomy, int], ...] = (
    ("DDPM of CIFAR-10", Anatomy(128, (128, 256, 256, 256), 2, (1,), 3), 32),
    ("DDIM of CelebA", Anatomy(128, (128, 256, 256, 256, 512), 2, (2,), 3), 64),
    ("DDPM of LSUN or CelebA-HQ", Anatomy(128, (128, 128, 256, 256, 512, 512), 2, (4,), 3), 256),
)
"""Ho et al. 2020, appendix B; Song et al. 2021, appendix D: what each is, and the side of its pictures."""


class DDPM:
    """The family: a time embedding of this name."""

    def recognises(self, shapes: Shapes) -> bool:
        return "temb.dense.0.weight" in shapes and "conv_in.weight" in shapes

    def read(self, found: Loose, answers: Answers) -> Reading:
        """Raises Refusal for networks that were changed."""
        anatomy = _anatomy(found.shapes)
        asking, known = Asking(answers), _published(anatomy)
        _say_the_network(asking, anatomy)
        if known is not None:
            asking.note("published model", known[0], "table")
        size = int(asking.settle(_size_question(anatomy), None if known is None else str(known[1])))
        large = size <= LARGE_UP_TO
        variance = "large (beta)" if large else "small (beta_tilde)"
        asking.note("variance of a step", variance, "guessed" if known is None else "table")
        asking.note("noise schedule", "linear, 1000 timesteps", "assumed")
        asking.note("predicts", "the noise", "assumed")
        config = _config(anatomy, size)
        notes: tuple[str, ...] = ()
        if _LOG_VARIANCE in found.shapes:
            notes = ("The file holds variances of its own (logvar), which no published model uses; they are left out.",)
        shapes = {name: shape for name, shape in found.shapes.items() if name != _LOG_VARIANCE}
        return Reading(
            description=asking.description("model", "DDPM", found.file_name, shapes.values(), notes),
            config=config,
            build=lambda: _build(config),
            convert=lambda tensors: _convert(config, tensors),
            event_shape=(anatomy.pictures, size, size),
            says=SchedulerSays(sampler=SamplerSpec("ddpm", variance="large" if large else "small", clip="clamp")),
        )


FAMILY = DDPM()


def _anatomy(shapes: Shapes) -> Anatomy:
    if any(name.endswith("conv_shortcut.weight") for name in shapes):
        raise Refusal(
            "This DDPM network has shortcuts of 3 × 3 convolutions (conv_shortcut), as no published one has; "
            "Diffuscope computes those of 1 × 1. Train or convert it without that option."
        )
    channels = _side(shapes, "temb.dense.0.weight", 2, 1)
    first, pictures = _side(shapes, "conv_in.weight", 4, 0), _side(shapes, "conv_in.weight", 4, 1)
    levels = sum(f"down.{level}.block.0.conv1.weight" in shapes for level in range(len(shapes)))
    blocks = sum(f"down.0.block.{index}.conv1.weight" in shapes for index in range(len(shapes)))
    widths = tuple(_side(shapes, f"down.{level}.block.0.conv1.weight", 4, 0) for level in range(levels))
    if not widths or first != channels or widths[0] != first:
        raise _strange(f"{channels} channels for the time, {first} from the first convolution, then {widths}")
    answered = _side(shapes, "conv_out.weight", 4, 0)
    if answered != pictures:
        raise Refusal(
            f"This DDPM network takes {pictures} channels and answers {answered}: it is conditioned on pictures, or "
            "predicts more than noise, which Diffuscope does not compute. Open a model that is not conditioned."
        )
    return Anatomy(
        channels=channels,
        widths=widths,
        blocks=blocks,
        attention=tuple(level for level in range(levels) if f"down.{level}.attn.0.q.weight" in shapes),
        pictures=pictures,
        by_convolution=levels == 1 or "down.0.downsample.conv.weight" in shapes,
    )


def _config(anatomy: Anatomy, size: int) -> UNetConfig:
    attends = [level in anatomy.attention for level in range(len(anatomy.widths))]
    down = tuple("AttnDownBlock2D" if here else "DownBlock2D" for here in attends)
    up = tuple("AttnUpBlock2D" if here else "UpBlock2D" for here in reversed(attends))
    return UNetConfig(
        sample_size=size,
        in_channels=anatomy.pictures,
        out_channels=anatomy.pictures,
        freq_shift=1,
        flip_sin_to_cos=False,
        down_block_types=down,
        up_block_types=up,
        block_out_channels=anatomy.widths,
        layers_per_block=anatomy.blocks,
        downsample_padding=0,
        attention_head_dim=None,
        norm_num_groups=32,
        norm_eps=1e-6,
        resample_conv=anatomy.by_convolution,
    )


def _build(config: UNetConfig) -> nn.Module:
    import torch

    from core.unet import UNet

    with torch.device("meta"):
        return UNet(config)


def _convert(config: UNetConfig, tensors: Tensors) -> dict[str, Tensor]:
    levels = len(config.block_out_channels)
    ours: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if name == _LOG_VARIANCE:
            continue
        new = our_name(name, levels)
        if new in ours:
            raise _strange(f"two tensors become {new}")
        is_matrix = ".attentions." in new and tensor.ndim == 4  # a convolution of single pixels
        ours[new] = tensor.flatten(1) if is_matrix else tensor
    compare(_build(config), {name: tuple(tensor.shape) for name, tensor in ours.items()})
    return ours


_RENAMED = (
    (r"^temb\.dense\.0\.", "time_embedding.linear_1."),
    (r"^temb\.dense\.1\.", "time_embedding.linear_2."),
    (r"^norm_out\.", "conv_norm_out."),
    (r"^mid\.block_1\.", "mid_block.resnets.0."),
    (r"^mid\.block_2\.", "mid_block.resnets.1."),
    (r"^mid\.attn_1\.", "mid_block.attentions.0."),
    (r"^down\.(\d+)\.", r"down_blocks.\1."),
    (r"_blocks\.(\d+)\.block\.", r"_blocks.\1.resnets."),
    (r"_blocks\.(\d+)\.attn\.", r"_blocks.\1.attentions."),
    (r"\.downsample\.conv\.", ".downsamplers.0.conv."),
    (r"\.upsample\.conv\.", ".upsamplers.0.conv."),
    (r"\.temb_proj\.", ".time_emb_proj."),
    (r"\.nin_shortcut\.", ".conv_shortcut."),
    (r"(\.attentions\.\d+)\.norm\.", r"\1.group_norm."),
    (r"(\.attentions\.\d+)\.([qkv])\.", r"\1.to_\2."),
    (r"(\.attentions\.\d+)\.proj_out\.", r"\1.to_out.0."),
)


def our_name(name: str, levels: int) -> str:
    """What a tensor of theirs is called here, where the way up counts from the coarsest resolution."""
    up = re.match(r"up\.(\d{1,2})\.", name)
    if up is not None:
        name = f"up_blocks.{levels - 1 - int(up[1])}.{name[up.end() :]}"
    for theirs, ours in _RENAMED:
        name = re.sub(theirs, ours, name)
    return name


def _published(anatomy: Anatomy) -> tuple[str, int] | None:
    return next(((name, size) for name, known, size in _PUBLISHED if known == anatomy), None)


def _size_question(anatomy: Anatomy) -> Question:
    multiple = anatomy.side_multiple
    high = MAX_SIDE // multiple * multiple
    if anatomy.attention:
        size, why = ATTENTION_SIDE * 2 ** anatomy.attention[0], "All published DDPM networks attend at 16 × 16 pixels."
    else:
        size, why = _SAMPLES * multiple, "Such networks mostly end at 8 × 8 pixels in the middle."
    best = min(max(size // multiple, 1) * multiple, high)
    return Question("size", "Side of its pictures", str(best), why, low=multiple, high=high, multiple=multiple)


def _say_the_network(asking: Asking, anatomy: Anatomy) -> None:
    attending = ", ".join(str(level + 1) for level in anatomy.attention)
    where = f"at resolution {attending} and in the middle" if attending else "in the middle"
    asking.note("channels of its pictures", str(anatomy.pictures), "shapes")
    asking.note("network", shape_of(anatomy.widths, anatomy.blocks), "shapes")
    asking.note("attention", f"{where}, one head", "shapes")
    if not anatomy.by_convolution:
        asking.note("resolution changed by", "averaging and repeating", "shapes")


def _side(shapes: Shapes, name: str, rank: int, index: int) -> int:
    shape = shapes.get(name, ())
    if len(shape) != rank:
        raise _strange(f"{name}: {shape or 'missing'}")
    return shape[index]


def _strange(details: str) -> Refusal:
    return Refusal(
        "This looks like a model of DDPM in PyTorch, but its tensors are not those of that network: it is of a changed "
        "program, or damaged. Open a model of the original one.",
        details,
    )
