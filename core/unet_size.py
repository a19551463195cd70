"""How many numbers a U-Net learns, from its options alone: torch-free.

Of networks with a middle that attends, times that scale and shift, and resampling by convolution, as all presets have.
"""

from __future__ import annotations

from core.unet_config import UNetConfig


def unet_parameters(config: UNetConfig) -> int:
    """Those of the whole network."""
    widths, layers = config.block_out_channels, config.layers_per_block
    total = encoder_parameters(config) + 2 * widths[0] + convolution(widths[0], config.out_channels)
    total += (config.num_class_embeds or 0) * config.time_hidden
    for level, width in enumerate(widths):
        finer, coarser = widths[max(level - 1, 0)], widths[min(level + 1, len(widths) - 1)]
        carried = [coarser] + [width] * layers
        kept = [width] * layers + [finer]
        total += sum(_residual(config, a + b, width) for a, b in zip(carried, kept, strict=True))
        total += (layers + 1) * _attended(config, level)
        if level < len(widths) - 1:
            total += convolution(coarser, coarser)
    return total


def encoder_parameters(config: UNetConfig) -> int:
    """Those of its first half: what takes pictures and times in, the way down, the middle."""
    widths, hidden, layers = config.block_out_channels, config.time_hidden, config.layers_per_block
    total = convolution(config.in_channels, widths[0]) + linear(widths[0], hidden) + linear(hidden, hidden)
    total += 2 * _residual(config, widths[-1], widths[-1]) + _attention(config, widths[-1])
    for level, width in enumerate(widths):
        down = [widths[max(level - 1, 0)]] + [width] * (layers - 1)
        total += sum(_residual(config, inputs, width) for inputs in down) + layers * _attended(config, level)
        if level < len(widths) - 1:
            total += convolution(width, width)
    return total


def linear(inputs: int, outputs: int) -> int:
    return (inputs + 1) * outputs


def convolution(inputs: int, outputs: int, side: int = 3) -> int:
    return (inputs * side * side + 1) * outputs


def _residual(config: UNetConfig, inputs: int, outputs: int) -> int:
    shortcut = convolution(inputs, outputs, 1) if inputs != outputs else 0
    both = convolution(inputs, outputs) + convolution(outputs, outputs)
    return 2 * (inputs + outputs) + both + linear(config.time_hidden, 2 * outputs) + shortcut


def _attention(config: UNetConfig, width: int) -> int:
    heads, each = config.heads(width)
    inner = heads * each
    return 2 * width + 3 * linear(width, inner) + linear(inner, width)


def _attended(config: UNetConfig, level: int) -> int:
    """Of one attention at this resolution, 0 where there is none."""
    attends = "Attn" in config.down_block_types[level]
    return _attention(config, config.block_out_channels[level]) if attends else 0
