"""Safetensors files written one tensor after the other, so that no second copy of a model is ever in memory.

Layout: eight bytes with the length of a JSON header (little-endian), the header, data.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, BinaryIO

from core.weights_file import OnProgress, never, unheard

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_PIECE = 2**22
KINDS = {
    "torch.float64": "F64",
    "torch.int64": "I64",
    "torch.float32": "F32",
    "torch.int32": "I32",
    "torch.bfloat16": "BF16",
    "torch.float16": "F16",
    "torch.uint8": "U8",
    "torch.bool": "BOOL",
}


def write_safetensors(
    stream: BinaryIO,
    tensors: Mapping[str, Tensor],
    metadata: Mapping[str, str],
    dtype: torch.dtype | None = None,
    on_progress: OnProgress = unheard,
    check: Callable[[], None] = never,
) -> None:
    """Write named tensors, as ``dtype`` where one is given, and texts beside them. ``on_progress`` is told the bytes
    written, ``check`` is called between pieces and may raise. Raises OSError."""
    names, header = header_of({name: (dtype or value.dtype, value.shape) for name, value in tensors.items()}, metadata)
    stream.write(header)
    done, total = 0, sum(value.numel() * (dtype or value.dtype).itemsize for value in tensors.values())
    for name in names:
        content = bytes_of(tensors[name].detach().to(dtype=dtype))
        for start in range(0, len(content), _PIECE):
            done += stream.write(content[start : start + _PIECE])
            on_progress(done, total)
            check()


def header_of(
    tensors: Mapping[str, tuple[torch.dtype, tuple[int, ...]]], metadata: Mapping[str, str]
) -> tuple[list[str], bytes]:
    """The order in which tensors of these types and shapes are to be written, so that each is aligned, and what comes
    before them."""
    ordered = sorted(tensors, key=lambda name: (-tensors[name][0].itemsize, name))
    header: dict[str, object] = {"__metadata__": dict(metadata)}
    end = 0
    for name in ordered:
        dtype, shape = tensors[name]
        first, end = end, end + math.prod(shape) * dtype.itemsize
        header[name] = {"dtype": KINDS[str(dtype)], "shape": [*shape], "data_offsets": [first, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return ordered, len(text).to_bytes(8, "little") + text


def bytes_of(tensor: Tensor) -> memoryview:
    """The values of a tensor as they lie in a file."""
    import torch

    content: memoryview = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data
    return content
