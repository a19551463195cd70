"""Look-alikes of published checkpoints: small, random and nowhere zero, each with a forward pass of its own.

A look-alike is written in its family's own layout, and its ``reference`` is computed from those very tensors with
torch's functions alone, straight down the page, so that nothing of the program under test is in what it is held to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from core.checkpoints.family import Family, Loose, Reading

Forward = Callable[[Tensor, Tensor, Tensor | None], Tensor]


class Draw:
    """Makes tensors by name: no weight is zero, norms lie around 1, and activations stay of order 1."""

    def __init__(self, seed: int) -> None:
        self.tensors: dict[str, Tensor] = {}
        self._generator = torch.Generator().manual_seed(seed)

    def weight(self, name: str, *shape: int) -> None:
        fan_in = torch.Size(shape[1:]).numel()
        self.tensors[name] = torch.randn(shape, generator=self._generator) / fan_in**0.5

    def vector(self, name: str, width: int, around: float = 0.0) -> None:
        self.tensors[name] = around + 0.2 * torch.randn(width, generator=self._generator)

    def layer(self, name: str, *shape: int) -> None:
        """A matrix or a convolution with its bias."""
        self.weight(f"{name}.weight", *shape)
        self.vector(f"{name}.bias", shape[0])

    def norm(self, name: str, width: int) -> None:
        self.vector(f"{name}.weight", width, 1.0)
        self.vector(f"{name}.bias", width)


@dataclass(frozen=True)
class LookAlike:
    """``tensors`` as the file has them; ``answers`` to what it cannot say; ``theirs`` is another program's own network
    for the same weights, where one can be had."""

    family: str
    name: str
    reader: Family
    tensors: dict[str, Tensor]
    reference: Forward
    side: int
    channels: int = 3
    classes: int = 0
    answers: Mapping[str, str] = field(default_factory=dict)
    theirs: Callable[[nn.Module], Forward | None] | None = None

    @property
    def parameters(self) -> int:
        return sum(tensor.numel() for tensor in self.tensors.values())

    def loose(self, file_name: str = "unknown.pt") -> Loose:
        shapes = {name: tuple(tensor.shape) for name, tensor in self.tensors.items()}
        return Loose(shapes, lambda name: self.tensors[name], file_name)

    def read(self, **answers: str) -> Reading:
        return self.reader.read(self.loose(), {**self.answers, **answers})

    def network(self, **answers: str) -> nn.Module:
        """Opened by the program, float32 on the CPU."""
        reading = self.read(**answers)
        network = reading.build()
        network.load_state_dict(reading.convert(self.tensors), strict=True, assign=True)
        return network.eval()

    def inputs(self, n: int = 2) -> tuple[Tensor, Tensor, Tensor | None]:
        """Pictures, times and (for those that are told) classes."""
        generator = torch.Generator().manual_seed(3)
        x = torch.randn(n, self.channels, self.side, self.side, generator=generator)
        labels = torch.arange(n) % self.classes if self.classes else None
        return x, torch.linspace(7, 960, n), labels


def relative_difference(a: Tensor, b: Tensor) -> float:
    """The largest difference, relative to the largest number in b."""
    return float((a - b).abs().max() / b.abs().max())


def all_lookalikes() -> Iterator[LookAlike]:
    """Of every family."""
    from tests.lookalikes import ddpm, diffusers, lucidrains, openai

    yield from openai.lookalikes()
    yield from ddpm.lookalikes()
    yield from lucidrains.lookalikes()
    yield from diffusers.lookalikes()
