"""Writing files of torch.save by hand, in either layout, so that they can be wrong in every way."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MAGIC = 0x1950A86A20F9469CFC6C


class Say:
    """An object that pickles as a call of anything."""

    def __init__(self, function: object, *arguments: object) -> None:
        self._said = function, arguments

    def __reduce__(self) -> Any:
        return self._said


class Storage:
    """What torch.save stores in the place of a tensor's numbers."""

    def __init__(self, key: str = "0", numel: int = 4, kind: str = "FloatStorage") -> None:
        self.key, self.numel, self.kind = key, numel, kind


def tensor(storage: Storage, shape: tuple[int, ...], strides: tuple[int, ...], offset: int = 0) -> Say:
    import torch

    return Say(torch._utils._rebuild_tensor_v2, storage, offset, shape, strides, False, {})


def plain() -> Say:
    """A tensor without fault, of four numbers."""
    return tensor(Storage(), (4,), (1,))


def pickled(value: object, protocol: int = 2) -> bytes:
    """As torch.save pickles: storages by persistent ids."""
    import torch

    class Pickler(pickle._Pickler):  # type: ignore[name-defined,misc]
        def persistent_id(self, item: object) -> object:
            if isinstance(item, Storage):
                return "storage", getattr(torch, item.kind), item.key, "cpu", item.numel
            return None

    stream = io.BytesIO()
    Pickler(stream, protocol).dump(value)
    return stream.getvalue()


def write_zip(
    path: Path,
    data: bytes,
    storages: Mapping[str, bytes] | None = None,
    *,
    packing: int = zipfile.ZIP_STORED,
    **more: bytes,
) -> Path:
    """The layout since 2020: data.pkl beside a file for each storage; ``more`` are other entries."""
    with zipfile.ZipFile(path, "w", packing) as archive:
        archive.writestr("archive/data.pkl", data)
        for key, numbers in (storages if storages is not None else {"0": bytes(16)}).items():
            archive.writestr(f"archive/data/{key}", numbers)
        for name, content in more.items():
            archive.writestr(f"archive/{name}", content)
    return path


def write_legacy(
    path: Path, data: bytes, keys: object = ("0",), numbers: bytes = struct.pack("<q4f", 4, 1, 2, 3, 4)
) -> Path:
    """The layout before 2020: four pickles, the storages' keys, and for each its count and its numbers."""
    machine = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    head = b"".join(pickle.dumps(part, 2) for part in (MAGIC, 1001, machine))
    path.write_bytes(head + data + pickle.dumps(list(keys) if isinstance(keys, tuple) else keys, 2) + numbers)
    return path
