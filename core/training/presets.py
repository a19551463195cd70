"""Networks made for training on pictures of one's own, by size: small, medium, large. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from core.errors import Refusal
from core.requests import VarianceKind
from core.training.order import PresetName
from core.unet_config import UNetConfig
from core.unet_size import unet_parameters

COARSEST = 8
"""Pictures are halved down to about this side."""


@dataclass(frozen=True, slots=True)
class Preset:
    """``words`` say what a preset is for; the rest is its network at full depth, from the finest resolution on.

    ``attention_at`` are the sides of the resolutions with attention, besides the coarsest, which always has it.
    """

    name: PresetName
    words: str
    widths: tuple[int, ...]
    layers: int
    attention_at: tuple[int, ...]
    groups: int
    head: int
    time: int
    dropout: float = 0.0


PRESETS: Mapping[PresetName, Preset] = MappingProxyType(
    {
        "small": Preset(
            "small",
            "For 20 minutes on two CPU cores: 2.6 million parameters at 32 × 32, 100 to 150 pictures a second.",
            widths=(24, 64, 128, 192),
            layers=1,
            attention_at=(),
            groups=8,
            head=32,
            time=128,
        ),
        "medium": Preset(
            "medium",
            "For some hours on a CPU, or minutes on a GPU: 11 million parameters at 32 × 32, "
            "30 to 40 pictures a second on two cores.",
            widths=(64, 128, 256, 256),
            layers=1,
            attention_at=(),
            groups=16,
            head=32,
            time=256,
        ),
        "large": Preset(
            "large",
            "For a GPU: deep as the network that DDPM trained on CIFAR-10, 28 million parameters at 32 × 32; "
            "two CPU cores train on a few pictures a second.",
            widths=(128, 256, 256, 256),
            layers=2,
            attention_at=(16,),
            groups=32,
            head=64,
            time=512,
            dropout=0.1,
        ),
    }
)


def network_of(
    preset: PresetName, size: int, channels: int, classes: int, variance: VarianceKind = "fixed", T: int = 1000
) -> UNetConfig:
    """A preset's network for pictures of ``size`` x ``size``; one more class than ``classes`` is the null label.

    With a learned variance it answers twice as many channels. Resolutions are halved down to 8 x 8 at most three times.
    Raises Refusal where ``size`` cannot be halved that often.
    """
    chosen = PRESETS[preset]
    widths = chosen.widths[: max(2, min(4, (size // COARSEST).bit_length()))]
    multiple = 2 ** (len(widths) - 1)
    if size < COARSEST or size % multiple:
        choose = max(COARSEST, multiple)
        raise Refusal(f"Pictures of {size} × {size} cannot be trained on: choose a multiple of {choose}.")
    attended = ["Attn" if size >> level in chosen.attention_at else "" for level in range(len(widths))]
    return UNetConfig(
        sample_size=size,
        in_channels=channels,
        out_channels=answered(channels, variance),
        block_out_channels=widths,
        down_block_types=tuple(f"{kind}DownBlock2D" for kind in attended),
        up_block_types=tuple(f"{kind}UpBlock2D" for kind in reversed(attended)),
        layers_per_block=chosen.layers,
        dropout=chosen.dropout,
        norm_num_groups=chosen.groups,
        attn_norm_num_groups=chosen.groups,
        attention_head_dim=chosen.head,
        time_embedding_dim=chosen.time,
        resnet_time_scale_shift="scale_shift",
        num_class_embeds=classes + 1 if classes else None,
        num_train_timesteps=T,
    )


def answered(channels: int, variance: VarianceKind) -> int:
    """How many channels a network answers for a picture of so many: the prediction, and what it says of the variance
    (Nichol & Dhariwal 2021, section 3.1)."""
    return channels if variance == "fixed" else 2 * channels


def default_network(size: int, channels: int, classes: int) -> UNetConfig:
    """The small preset's network, with which the bundled digits were trained."""
    return network_of("small", size, channels, classes)


def parameters_of(
    preset: PresetName, size: int, channels: int, classes: int, variance: VarianceKind = "fixed"
) -> int | None:
    """How many numbers the preset's network learns; None where it cannot be made for this size."""
    try:
        return unet_parameters(network_of(preset, size, channels, classes, variance))
    except Refusal:
        return None
