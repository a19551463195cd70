"""The layers of the Inception network of the Frechet distance: names, widths and kernels of its 94 convolutions.

Inception v3 (Szegedy et al. 2016) as it was trained in 2015 with 1008 classes, under the names that its converted
weights have.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

FEATURES = 2048
CLASSES = 1008

Kernel = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Convolution:
    """A convolution without bias and the normalisation after it, whose tensors have names that begin with ``name``."""

    name: str
    inputs: int
    outputs: int
    kernel: Kernel = (1, 1)
    stride: int = 1
    padded: bool = True

    @property
    def padding(self) -> Kernel:
        return (self.kernel[0] // 2, self.kernel[1] // 2) if self.padded else (0, 0)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        normal = {f"{self.name}.bn.{part}": (self.outputs,) for part in ("weight", "bias", *_STATISTICS)}
        return {f"{self.name}.conv.weight": (self.outputs, self.inputs, *self.kernel), **normal}


_STATISTICS = ("running_mean", "running_var")


def _chain(block: str, inputs: int, *layers: tuple[str, int, Kernel]) -> Iterator[Convolution]:
    """One convolution after another."""
    for name, outputs, kernel in layers:
        yield Convolution(f"{block}.{name}", inputs, outputs, kernel)
        inputs = outputs


def _halving(block: str, inputs: int, *layers: tuple[str, int, Kernel]) -> Iterator[Convolution]:
    """One after another, the last of which halves the resolution."""
    *before, last = _chain(block, inputs, *layers)
    yield from before
    yield Convolution(last.name, last.inputs, last.outputs, last.kernel, stride=2, padded=False)


def _block_a(name: str, inputs: int, pooled: int) -> Iterator[Convolution]:
    yield from _chain(name, inputs, ("branch1x1", 64, (1, 1)))
    yield from _chain(name, inputs, ("branch5x5_1", 48, (1, 1)), ("branch5x5_2", 64, (5, 5)))
    yield from _chain(
        name, inputs, ("branch3x3dbl_1", 64, (1, 1)), ("branch3x3dbl_2", 96, (3, 3)), ("branch3x3dbl_3", 96, (3, 3))
    )
    yield from _chain(name, inputs, ("branch_pool", pooled, (1, 1)))


def _block_b(name: str, inputs: int) -> Iterator[Convolution]:
    yield from _halving(name, inputs, ("branch3x3", 384, (3, 3)))
    yield from _halving(
        name, inputs, ("branch3x3dbl_1", 64, (1, 1)), ("branch3x3dbl_2", 96, (3, 3)), ("branch3x3dbl_3", 96, (3, 3))
    )


def _block_c(name: str, inputs: int, width: int) -> Iterator[Convolution]:
    across, down = (1, 7), (7, 1)
    yield from _chain(name, inputs, ("branch1x1", 192, (1, 1)))
    yield from _chain(
        name, inputs, ("branch7x7_1", width, (1, 1)), ("branch7x7_2", width, across), ("branch7x7_3", 192, down)
    )
    yield from _chain(
        name,
        inputs,
        ("branch7x7dbl_1", width, (1, 1)),
        ("branch7x7dbl_2", width, down),
        ("branch7x7dbl_3", width, across),
        ("branch7x7dbl_4", width, down),
        ("branch7x7dbl_5", 192, across),
    )
    yield from _chain(name, inputs, ("branch_pool", 192, (1, 1)))


def _block_d(name: str, inputs: int) -> Iterator[Convolution]:
    yield from _halving(name, inputs, ("branch3x3_1", 192, (1, 1)), ("branch3x3_2", 320, (3, 3)))
    yield from _halving(
        name,
        inputs,
        ("branch7x7x3_1", 192, (1, 1)),
        ("branch7x7x3_2", 192, (1, 7)),
        ("branch7x7x3_3", 192, (7, 1)),
        ("branch7x7x3_4", 192, (3, 3)),
    )


def _block_e(name: str, inputs: int) -> Iterator[Convolution]:
    yield from _chain(name, inputs, ("branch1x1", 320, (1, 1)))
    yield from _chain(name, inputs, ("branch3x3_1", 384, (1, 1)))
    yield from _chain(name, 384, ("branch3x3_2a", 384, (1, 3)))
    yield from _chain(name, 384, ("branch3x3_2b", 384, (3, 1)))
    yield from _chain(name, inputs, ("branch3x3dbl_1", 448, (1, 1)), ("branch3x3dbl_2", 384, (3, 3)))
    yield from _chain(name, 384, ("branch3x3dbl_3a", 384, (1, 3)))
    yield from _chain(name, 384, ("branch3x3dbl_3b", 384, (3, 1)))
    yield from _chain(name, inputs, ("branch_pool", 192, (1, 1)))


def _convolutions() -> Iterator[Convolution]:
    yield Convolution("Conv2d_1a_3x3", 3, 32, (3, 3), stride=2, padded=False)
    yield Convolution("Conv2d_2a_3x3", 32, 32, (3, 3), padded=False)
    yield Convolution("Conv2d_2b_3x3", 32, 64, (3, 3))
    yield Convolution("Conv2d_3b_1x1", 64, 80)
    yield Convolution("Conv2d_4a_3x3", 80, 192, (3, 3), padded=False)
    yield from _block_a("Mixed_5b", 192, 32)
    yield from _block_a("Mixed_5c", 256, 64)
    yield from _block_a("Mixed_5d", 288, 64)
    yield from _block_b("Mixed_6a", 288)
    for name, width in (("Mixed_6b", 128), ("Mixed_6c", 160), ("Mixed_6d", 160), ("Mixed_6e", 192)):
        yield from _block_c(name, 768, width)
    yield from _block_d("Mixed_7a", 768)
    yield from _block_e("Mixed_7b", 1280)
    yield from _block_e("Mixed_7c", 2048)


CONVOLUTIONS: Mapping[str, Convolution] = {layer.name: layer for layer in _convolutions()}

SHAPES: Mapping[str, tuple[int, ...]] = {
    **{name: shape for layer in CONVOLUTIONS.values() for name, shape in layer.shapes.items()},
    "fc.weight": (CLASSES, FEATURES),
    "fc.bias": (CLASSES,),
}
"""Every tensor of the file; counters of batches (``num_batches_tracked``) may be there as well."""
