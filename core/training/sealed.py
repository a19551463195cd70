"""Safetensors files with a seal, the SHA-256 of all their bytes, so that a single one that was flipped is noticed.

The seal stands in the header's metadata and is reckoned with zeros in its own place. Torch is needed for writing alone.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from core.safetensors_file import bytes_of, header_of

if TYPE_CHECKING:
    from torch import Tensor

SEAL, FORMAT = "sha256", {"format": "2"}
BLANK = "0" * 64
MAX_HEADER = 100_000_000
PIECE = 1 << 22


class Harmed(ValueError):
    """A file is not as it was written."""


def write_sealed(
    stream: BinaryIO, tensors: Mapping[str, Tensor], metadata: Mapping[str, str], between: Callable[[], None]
) -> None:
    """Write tensors, and texts beside them, one after the other; ``between`` two of them others may work.

    Raises OSError where the disk refuses.
    """
    described = {name: (tensor.dtype, tensor.shape) for name, tensor in tensors.items()}
    ordered, header = header_of(described, {**metadata, **FORMAT, SEAL: BLANK})
    seal = hashlib.sha256(header[8:])
    stream.write(header)
    for name in ordered:
        content = bytes_of(tensors[name])
        seal.update(content)
        stream.write(content)
        between()
    stream.seek(header.index(f'"{SEAL}":"{BLANK}"'.encode()) + len(SEAL) + 4)
    stream.write(seal.hexdigest().encode())


def metadata_of(path: Path) -> dict[str, str]:
    """The texts in a file's header. Raises OSError, and Harmed where it has none or the file is cut short."""
    with path.open("rb") as file:
        text = _header(file)
        if os.fstat(file.fileno()).st_size != file.tell() + _end(text):
            raise Harmed("it is cut short")
        return _metadata(text)


def check_seal(path: Path) -> None:
    """Raises Harmed where the file is not as it was written, OSError where it cannot be read. A file without a seal,
    which an older version wrote, passes."""
    with path.open("rb") as file:
        text = _header(file)
        metadata = _metadata(text)
        if metadata and not metadata.keys() & {SEAL, *FORMAT}:
            return
        said = metadata.get(SEAL, "")
        seal = hashlib.sha256(text.replace(f'"{SEAL}":"{said}"'.encode(), f'"{SEAL}":"{BLANK}"'.encode(), 1))
        while piece := file.read(PIECE):
            seal.update(piece)
    if seal.hexdigest() != said:
        raise Harmed("its content is not what was written")


def _header(file: BinaryIO) -> bytes:
    length = int.from_bytes(file.read(8), "little")
    if not 2 <= length <= MAX_HEADER:
        raise Harmed(f"a header of {length} bytes")
    text = file.read(length)
    if len(text) < length:
        raise Harmed("it ends within its header")
    return text


def _metadata(text: bytes) -> dict[str, str]:
    found = _described(text).get("__metadata__", {})
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise Harmed("its header is no description")
    return found


def _end(text: bytes) -> int:
    """Of the data, in bytes."""
    try:
        return max(int(entry["data_offsets"][1]) for name, entry in _described(text).items() if name[:2] != "__")
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise Harmed("its header is no description") from error


def _described(text: bytes) -> dict[str, Any]:
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Harmed("its header is no description") from error
    if not isinstance(header, dict):
        raise Harmed("its header is no description")
    return header
