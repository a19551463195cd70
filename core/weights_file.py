"""Safetensors files: looked through before anything is allocated, then read as float32.

Layout: eight bytes with the length of a JSON header (little-endian), the header (name: dtype, shape, offsets), data.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard

from core.errors import Refusal
from core.json_file import LFS_MARK, lfs_refusal

if TYPE_CHECKING:
    from torch import Tensor, nn

MAX_HEADER = 25_000_000
MAX_RANK = 4
_ITEM_SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """A checked file: the shapes of its tensors by name."""

    path: Path
    shapes: dict[str, tuple[int, ...]]

    @property
    def parameters(self) -> int:
        return sum(math.prod(shape) for shape in self.shapes.values())

    def load(self) -> dict[str, Tensor]:
        """The tensors, float32 on the CPU. Raises Refusal where one is not finite."""
        import torch
        from safetensors import SafetensorError, safe_open

        tensors: dict[str, Tensor] = {}
        try:
            with safe_open(str(self.path), framework="pt") as file:
                for name in self.shapes:
                    # A copy: aligned memory gives the same bits each time, and the file may be replaced later.
                    tensors[name] = file.get_tensor(name).to(torch.float32, copy=True)
        except (SafetensorError, OSError) as error:
            raise _damaged(self.path, repr(error)) from error
        for name, tensor in tensors.items():
            if not bool(torch.isfinite(tensor).all()):
                raise Refusal(
                    f"The weights hold values that are not numbers (first in {name}): the training that wrote them "
                    "failed. Use an earlier checkpoint."
                )
        return tensors


def look_through(path: Path) -> WeightsFile:
    """The names and shapes in a safetensors file, without reading its data. Raises Refusal where it is damaged."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(8)
            if start + file.read(len(LFS_MARK) - 8) == LFS_MARK:
                raise lfs_refusal(path)
            file.seek(8)
            length = int.from_bytes(start, "little")
            if len(start) < 8 or not 2 <= length <= min(MAX_HEADER, size - 8):
                raise _damaged(path, f"header of {length} bytes in {size}")
            header = json.loads(file.read(length))
    except OSError as error:
        raise Refusal(f"{path.name} cannot be read ({error.strerror or error}).", repr(error)) from error
    except (ValueError, RecursionError) as error:
        raise _damaged(path, repr(error)) from error
    if not isinstance(header, dict):
        raise _damaged(path, "the header is not an object")
    spans: list[tuple[int, int]] = []
    shapes: dict[str, tuple[int, ...]] = {}
    for name, entry in header.items():
        if name != "__metadata__":
            shapes[name], span = _entry(path, name, entry)
            spans.append(span)
    if not shapes:
        raise _damaged(path, "no tensors")
    end = 0
    for first, last in sorted(spans):
        if first != end:
            raise _damaged(path, f"data between {end} and {first} belong to no tensor, or to two")
        end = last
    if end != size - 8 - length:
        raise Refusal(f"{path.name} is cut short or damaged. Download it again.", f"{end} of {size - 8 - length} bytes")
    return WeightsFile(path, shapes)


def digest(paths: Iterable[Path], also: str) -> str:
    """SHA-256 of a text and the content of files, as hexadecimal digits."""
    total = hashlib.sha256(also.encode())
    for path in paths:
        with path.open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


def fill(network: nn.Module, files: Iterable[WeightsFile], name_of: Callable[[str], str] = str) -> None:
    """Put every tensor of the files in its place in a network on the meta device; ``name_of`` gives a stored name's
    present one. Shapes are compared before any data is read: Raises Refusal where they do not belong together."""
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    found: dict[str, tuple[int, ...]] = {}
    files = tuple(files)
    for file in files:
        for name, shape in file.shapes.items():
            if name_of(name) in found:
                raise Refusal(f"The weights hold {name_of(name)} twice. Download the model again.")
            found[name_of(name)] = shape
    _compare(expected, found)
    tensors: dict[str, Tensor] = {}
    for file in files:
        tensors.update((name_of(name), tensor) for name, tensor in file.load().items())
    network.load_state_dict(tensors, strict=True, assign=True)


def _compare(expected: Mapping[str, tuple[int, ...]], found: Mapping[str, tuple[int, ...]]) -> None:
    missing, surplus = sorted(expected.keys() - found.keys()), sorted(found.keys() - expected.keys())
    if missing or surplus:
        raise Refusal(
            "The weights do not belong to the network's configuration: "
            f"{len(missing)} tensors are missing, {len(surplus)} are not known.",
            details="\n".join([f"missing: {name}" for name in missing] + [f"unknown: {name}" for name in surplus]),
        )
    for name, shape in expected.items():
        if found[name] != shape:
            raise Refusal(
                f"The weights do not fit the network's configuration: {name} has the shape {found[name]}, not {shape}."
            )


def _entry(path: Path, name: str, entry: object) -> tuple[tuple[int, ...], tuple[int, int]]:
    if not isinstance(entry, dict):
        raise _damaged(path, f"{name} is not described")
    dtype, shape, offsets = entry.get("dtype"), entry.get("shape"), entry.get("data_offsets")
    if dtype not in _ITEM_SIZES:
        raise Refusal(
            f"{path.name} holds numbers of a kind ({str(dtype)[:20]}) that a network's weights do not have.",
            details=name,
        )
    if not _are_whole(shape) or len(shape) > MAX_RANK or not all(1 <= side < 2**31 for side in shape):
        raise _damaged(path, f"{name} has the shape {str(shape)[:100]}")
    if not _are_whole(offsets) or len(offsets) != 2 or offsets[1] - offsets[0] != math.prod(shape) * _ITEM_SIZES[dtype]:
        raise _damaged(path, f"{name} of shape {shape} lies at {str(offsets)[:100]}")
    return tuple(shape), (offsets[0], offsets[1])


def _are_whole(values: object) -> TypeGuard[list[int]]:
    return isinstance(values, list) and all(isinstance(value, int) and not isinstance(value, bool) for value in values)


def _damaged(path: Path, details: str) -> Refusal:
    return Refusal(f"{path.name} is damaged, or is no safetensors file. Download it again.", details)
