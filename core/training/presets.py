"""Networks made for training on pictures of one's own, by size: small, medium, large. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from core.errors import Refusal
from core.requests import VarianceKind
from core.training.order import PresetName
from core.unet_config import UNetConfig

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
            "For 20 minutes on two CPU cores: 2.6 million parameters at 32 × 32, about 100 pictures a second.",
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
            "about 30 pictures a second on two cores.",
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
        return _parameters(network_of(preset, size, channels, classes, variance))
    except Refusal:
        return None


def _parameters(config: UNetConfig) -> int:
    """Those of a network with a middle and with resampling by convolution, as all presets have."""
    widths, hidden, layers = config.block_out_channels, config.time_hidden, config.layers_per_block

    def linear(inputs: int, outputs: int) -> int:
        return (inputs + 1) * outputs

    def convolution(inputs: int, outputs: int, side: int = 3) -> int:
        return (inputs * side * side + 1) * outputs

    def residual(inputs: int, outputs: int) -> int:
        shortcut = convolution(inputs, outputs, 1) if inputs != outputs else 0
        both = convolution(inputs, outputs) + convolution(outputs, outputs)
        return 2 * (inputs + outputs) + both + linear(hidden, 2 * outputs) + shortcut

    def attention(width: int) -> int:
        inner = width // (config.attention_head_dim or width) * (config.attention_head_dim or width)
        return 2 * width + 3 * linear(width, inner) + linear(inner, width)

    total = convolution(config.in_channels, widths[0]) + 2 * widths[0] + convolution(widths[0], config.out_channels)
    total += linear(widths[0], hidden) + linear(hidden, hidden) + (config.num_class_embeds or 0) * hidden
    total += 2 * residual(widths[-1], widths[-1]) + attention(widths[-1])
    for level, width in enumerate(widths):
        attended = attention(width) if "Attn" in config.down_block_types[level] else 0
        finer, coarser = widths[max(level - 1, 0)], widths[min(level + 1, len(widths) - 1)]
        down = [finer] + [width] * (layers - 1)
        carried = [coarser] + [width] * layers
        kept = [width] * layers + [finer]
        total += sum(residual(inputs, width) for inputs in down) + attended * layers
        total += sum(residual(a + b, width) for a, b in zip(carried, kept, strict=True)) + attended * (layers + 1)
        if level < len(widths) - 1:  # to the coarser resolution, and back from it
            total += convolution(width, width) + convolution(coarser, coarser)
    return total
