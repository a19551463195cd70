"""Where a tensor lies in a file, and reading it from there: the same for safetensors and for what torch.save writes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from torch import Tensor

MAX_RANK = 5
"""Of tensors that are looked through; networks of pictures need four."""

FLOATS = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2}
ITEM_SIZES = {**FLOATS, "int64": 8, "int32": 4, "int16": 2, "int8": 1, "uint8": 1, "bool": 1}
"""Bytes of a number of each kind."""

_CHUNK = 2**24
_MOST = 2**48


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor in a file: ``start`` is its first byte, ``strides`` count items. Raises ValueError, when it is made,
    where the numbers describe no tensor: a kind, rank or side that there is not, or one item in several places."""

    dtype: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    start: int

    def __post_init__(self) -> None:
        if self.dtype not in ITEM_SIZES:
            raise ValueError(f"numbers of the kind {self.dtype[:40]}")
        if len(self.shape) > MAX_RANK or len(self.shape) != len(self.strides):
            raise ValueError(f"rank {len(self.shape)} with {len(self.strides)} strides")
        if not all(1 <= side < 2**31 for side in self.shape) or math.prod(self.shape) >= _MOST:
            raise ValueError(f"shape {self.shape}")
        if self.start < 0 or not all(0 <= stride < 2**62 for stride in self.strides):
            raise ValueError(f"strides {self.strides} from byte {self.start}")
        steps = sorted((stride, side) for stride, side in zip(self.strides, self.shape, strict=True) if side > 1)
        if any(stride == 0 for stride, _ in steps):
            raise ValueError(f"strides {self.strides} repeat what is there")
        if any(wide < narrow * side for (narrow, side), (wide, _) in pairwise(steps)):
            raise ValueError(f"strides {self.strides} overlap")

    @property
    def numel(self) -> int:
        return math.prod(self.shape)

    @property
    def extent(self) -> int:
        """Bytes from its first to its last."""
        last = sum((side - 1) * stride for side, stride in zip(self.shape, self.strides, strict=True))
        return (last + 1) * ITEM_SIZES[self.dtype]


def packed_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Those of a tensor whose items lie side by side, the last index running fastest."""
    return tuple(math.prod(shape[i + 1 :]) for i in range(len(shape)))


def read_tensor(file: BinaryIO, stored: Stored, on_bytes: Callable[[int], None]) -> Tensor:
    """The tensor, float32 on the CPU in memory of its own; only its own extent is read. ``on_bytes`` is told of every
    piece and may raise. Raises EOFError where the file ends before it."""
    import torch

    raw = torch.empty(stored.extent, dtype=torch.uint8)
    view = memoryview(raw.numpy())  # type: ignore[arg-type]
    file.seek(stored.start)
    done = 0
    while done < len(view):
        count = file.readinto(view[done : done + _CHUNK])  # type: ignore[attr-defined]
        if not count:
            raise EOFError(f"the file ends {len(view) - done} bytes before a tensor does")
        done += count
        on_bytes(count)
    tensor = raw.view(getattr(torch, stored.dtype)).as_strided(stored.shape, stored.strides)
    return tensor.to(torch.float32).contiguous()
