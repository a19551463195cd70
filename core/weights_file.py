"""Files of weights: looked through before anything is allocated, then read as float32.

Layout of safetensors: eight bytes with the length of a JSON header (little-endian), the header (name: dtype, shape,
offsets), data. Those that torch.save wrote are looked through in ``core.checkpoints.container``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard

import psutil

from core.checkpoints.stored import FLOATS, ITEM_SIZES, Stored, packed_strides, read_tensor
from core.errors import Refusal, shown
from core.json_file import LFS_MARK, lfs_refusal

if TYPE_CHECKING:
    from torch import Tensor, nn

MAX_HEADER = 25_000_000
MAX_TENSORS = 100_000
_PIECE = 2**22
_KINDS = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "BOOL": "bool",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U8": "uint8",
}

OnProgress = Callable[[int, int], None]
"""Told how many bytes of how many are read."""


def unheard(done: int, total: int) -> None:
    """Progress that nobody watches."""


def never() -> None:
    """A check that stops nothing."""


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """A checked file: where its tensors lie, by name."""

    path: Path
    stored: Mapping[str, Stored]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {name: stored.shape for name, stored in self.stored.items()}

    @property
    def parameters(self) -> int:
        return sum(stored.numel for stored in self.stored.values())

    @property
    def nbytes(self) -> int:
        """Bytes to be read for all of its tensors."""
        return sum(stored.extent for stored in self.stored.values())

    def load(self, on_progress: OnProgress = unheard, check: Callable[[], None] = never) -> dict[str, Tensor]:
        """The tensors, float32 on the CPU, read one after the other: there is never more than one in memory twice.

        ``check`` is called every few milliseconds and may raise. Raises Refusal where memory is short, numbers are of
        a kind that weights are not, one is not finite, or the file cannot be read.
        """
        import torch

        self.check_kinds()
        refuse_without_room(4 * self.parameters)
        tensors: dict[str, Tensor] = {}
        done, total = 0, self.nbytes

        def on_bytes(count: int) -> None:
            nonlocal done
            done += count
            on_progress(done, total)
            check()

        try:
            with self.path.open("rb") as file:
                for name, stored in sorted(self.stored.items(), key=lambda item: item[1].start):
                    tensors[name] = read_tensor(file, stored, on_bytes)
                    if not bool(torch.isfinite(tensors[name]).all()):
                        raise Refusal(
                            f"The weights hold values that are not numbers (first in {shown(name)}): the training that "
                            "wrote them failed. Use an earlier checkpoint."
                        )
        except (EOFError, OSError) as error:
            raise damaged(self.path, "it ends too early, or the disk gives an error", repr(error)) from error
        return {name: tensors[name] for name in self.stored}

    def check_kinds(self) -> None:
        """Raise Refusal where a tensor does not hold floating-point numbers."""
        for name, stored in self.stored.items():
            if stored.dtype not in FLOATS:
                raise Refusal(
                    f"{self.path.name} holds numbers of a kind ({stored.dtype}) that a network's weights do not have.",
                    details=name,
                )


def refuse_without_room(nbytes: int) -> None:
    """Raise Refusal where so much memory is not free."""
    free = psutil.virtual_memory().available
    if nbytes > free:
        raise Refusal(
            f"These weights take {nbytes / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free. "
            "Close other programs, or open a smaller model."
        )


def look_through(path: Path) -> WeightsFile:
    """Where the tensors of a safetensors file lie, without reading them. Raises Refusal where it is damaged."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(8)
            if start + file.read(len(LFS_MARK) - 8) == LFS_MARK:
                raise lfs_refusal(path)
            file.seek(8)
            length = int.from_bytes(start, "little")
            if len(start) < 8 or not 2 <= length <= min(MAX_HEADER, size - 8):
                raise damaged(path, f"its header would take {length} of {size} bytes")
            header = json.loads(file.read(length))
    except OSError as error:
        raise Refusal(f"{path.name} cannot be read ({error.strerror or error}).", repr(error)) from error
    except (ValueError, RecursionError) as error:
        raise damaged(path, "its header is not valid JSON", repr(error)[:1000]) from error
    if not isinstance(header, dict):
        raise damaged(path, "its header does not describe tensors")
    header.pop("__metadata__", None)
    if not 1 <= len(header) <= MAX_TENSORS:
        raise damaged(path, f"it holds {len(header)} tensors")
    found = {name: _entry(path, name, entry, 8 + length) for name, entry in header.items()}
    end = 8 + length
    for stored in sorted(found.values(), key=lambda stored: stored.start):
        if stored.start != end:
            raise damaged(path, f"what lies between byte {end} and {stored.start} belongs to no tensor, or to two")
        end += stored.extent
    if end != size:
        raise Refusal(f"{path.name} is cut short or damaged. Download it again.", f"{size} of {end} bytes")
    return WeightsFile(path, found)


def digest(paths: Iterable[Path], also: str, check: Callable[[], None] = never) -> str:
    """SHA-256 of a text and the content of files, as hexadecimal digits; ``check`` is called often and may raise."""
    total = hashlib.sha256(also.encode())
    for path in paths:
        content, piece = hashlib.sha256(), bytearray(_PIECE)
        with path.open("rb", buffering=0) as file:
            while count := file.readinto(piece):
                content.update(memoryview(piece)[:count])
                check()
        total.update(content.digest())
    return total.hexdigest()


def fill(
    network: nn.Module,
    files: Iterable[WeightsFile],
    name_of: Callable[[str], str] = str,
    on_progress: OnProgress = unheard,
    check: Callable[[], None] = never,
) -> None:
    """Put every tensor of the files in its place in a network on the meta device; ``name_of`` gives a stored name's
    present one. Shapes are compared before any data is read: Raises Refusal where they do not belong together."""
    files = tuple(files)
    found: dict[str, tuple[int, ...]] = {}
    for file in files:
        for name, shape in file.shapes.items():
            if name_of(name) in found:
                raise Refusal(f"The weights hold {shown(name_of(name))} twice. Download the model again.")
            found[name_of(name)] = shape
    compare(network, found)
    refuse_without_room(4 * sum(file.parameters for file in files))
    total, before = sum(file.nbytes for file in files), 0
    tensors: dict[str, Tensor] = {}
    for file in files:
        loaded = file.load(_further(on_progress, before, total), check)
        tensors.update((name_of(name), tensor) for name, tensor in loaded.items())
        before += file.nbytes
    network.load_state_dict(tensors, strict=True, assign=True)


def _further(on_progress: OnProgress, before: int, total: int) -> OnProgress:
    """Progress of one file as progress of all."""
    return lambda done, _: on_progress(before + done, total)


def compare(network: nn.Module, found: Mapping[str, tuple[int, ...]]) -> None:
    """Raise Refusal unless these are the shapes of the network's tensors, by name."""
    _compare({name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}, found)


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


def _entry(path: Path, name: str, entry: object, data: int) -> Stored:
    if not isinstance(entry, dict):
        raise damaged(path, f"{shown(name)} is not described")
    dtype, shape, offsets = entry.get("dtype"), entry.get("shape"), entry.get("data_offsets")
    if dtype not in _KINDS:
        raise Refusal(
            f"{path.name} holds numbers of a kind ({shown(dtype, 20)}) that a network's weights do not have.",
            details=name,
        )
    if not _are_whole(shape) or not _are_whole(offsets) or len(offsets) != 2:
        raise damaged(
            path, f"the shape of {shown(name)} is no list of numbers", f"{str(shape)[:99]} at {str(offsets)[:99]}"
        )
    try:
        stored = Stored(_KINDS[dtype], tuple(shape), packed_strides(tuple(shape)), data + offsets[0])
    except ValueError as error:
        raise damaged(path, f"{shown(name)} cannot be what it says ({shown(error, 80)})") from error
    if offsets[1] - offsets[0] != stored.numel * ITEM_SIZES[stored.dtype]:
        raise damaged(path, f"{shown(name)} has another size than it says", f"{shape} at {offsets}")
    return stored


def _are_whole(values: object) -> TypeGuard[list[int]]:
    """Whether it is a short list of whole numbers."""
    if not isinstance(values, list) or len(values) > 16:
        return False
    return all(isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**62 for value in values)


def damaged(path: Path, what: str, details: str = "") -> Refusal:
    """What to tell a person whose file is not what its name says."""
    return Refusal(f"{path.name} is damaged, or is no file of weights: {what}. Download it again.", details or what)
