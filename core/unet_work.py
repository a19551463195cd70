"""What a U-Net's training costs, from its options alone: operations and memory. Torch-free.

Of networks as those of core/unet_size.py; the operations are those that ``UNet.flops`` counts.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.unet_config import UNetConfig
from core.unet_size import convolution, linear


@dataclass(frozen=True, slots=True)
class Work:
    """For one picture on the way forward: ``flops``, two for each multiply-add of a matrix product, and
    ``activations``, the numbers that are kept for the way back."""

    flops: int
    activations: int


def unet_work(config: UNetConfig, side: int, *, only_encoder: bool = False) -> Work:
    """Of the whole network, or of its first half with the middle, on pictures ``side`` x ``side``."""
    tally, widths, layers = _Tally(config, side), config.block_out_channels, config.layers_per_block
    tally.convolve(config.in_channels, widths[0], 0)
    tally.once(widths[0], config.time_hidden)
    tally.once(config.time_hidden, config.time_hidden)
    last = len(widths) - 1
    for level, width in enumerate(widths):
        for inputs in [widths[max(level - 1, 0)]] + [width] * (layers - 1):
            tally.residual(inputs, width, level)
            tally.attend(width, level)
        if level < last:
            tally.convolve(width, width, level + 1)
    for _ in range(2):
        tally.residual(widths[-1], widths[-1], last)
    tally.attention(widths[-1], last)
    if only_encoder:
        return tally.sum()
    for level in range(last, -1, -1):
        width, finer, coarser = widths[level], widths[max(level - 1, 0)], widths[min(level + 1, last)]
        carried, kept = [coarser] + [width] * layers, [width] * layers + [finer]
        for a, b in zip(carried, kept, strict=True):
            tally.residual(a + b, width, level)
            tally.attend(width, level)
        if level > 0:
            tally.convolve(width, width, level - 1)
    tally.convolve(widths[0], config.out_channels, 0)
    return tally.sum()


class _Tally:
    def __init__(self, config: UNetConfig, side: int) -> None:
        self._config = config
        self._pixels = [(side >> level) ** 2 for level in range(len(config.block_out_channels))]
        self._products = self._kept = 0

    def sum(self) -> Work:
        return Work(2 * self._products, self._kept)

    def once(self, inputs: int, outputs: int) -> None:
        self._products += inputs * outputs

    def convolve(self, inputs: int, outputs: int, level: int, side: int = 3) -> None:
        self._products += (convolution(inputs, outputs, side) - outputs) * self._pixels[level]
        self._kept += inputs * self._pixels[level]

    def residual(self, inputs: int, outputs: int, level: int) -> None:
        """Two convolutions, each of what was normalised, then activated: all three are kept."""
        self.convolve(inputs, outputs, level)
        self.convolve(outputs, outputs, level)
        if inputs != outputs:
            self.convolve(inputs, outputs, level, 1)
        self._kept += 2 * (inputs + outputs) * self._pixels[level]
        self.once(self._config.time_hidden, 2 * outputs)

    def attend(self, width: int, level: int) -> None:
        if "Attn" in self._config.down_block_types[level]:
            self.attention(width, level)

    def attention(self, width: int, level: int) -> None:
        heads, each = self._config.heads(width)
        inner, pixels = heads * each, self._pixels[level]
        weights = 3 * linear(width, inner) + linear(inner, width) - 3 * inner - width
        self._products += weights * pixels + 2 * inner * pixels**2
        self._kept += (2 * width + 4 * inner) * pixels
