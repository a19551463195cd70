"""What torch.save writes, both layouts, looked through without torch and without unpickling.

Since 2020: a zip archive with data.pkl, in which tensors are named, and a file of plain numbers for each storage.
Before: four small pickles (a magic number, a version, the machine, the object), the storages' keys, their numbers.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from core.checkpoints.pickle_data import BadPickle, Call, Name, Read, read_pickle
from core.checkpoints.stored import ITEM_SIZES, MAX_RANK, Stored
from core.checkpoints.strange import refuse_strange
from core.checkpoints.zip_directory import ZipDamaged, entries_of
from core.errors import Refusal, shown

MAX_PICKLE = 64_000_000
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
"""The number with which files of torch.save began before 2020."""

_PROTOCOL = 1001
_STORAGES = {
    "torch.DoubleStorage": "float64",
    "torch.FloatStorage": "float32",
    "torch.HalfStorage": "float16",
    "torch.BFloat16Storage": "bfloat16",
    "torch.LongStorage": "int64",
    "torch.IntStorage": "int32",
    "torch.ShortStorage": "int16",
    "torch.CharStorage": "int8",
    "torch.ByteStorage": "uint8",
    "torch.BoolStorage": "bool",
}
_REBUILT = ("torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2")
_KNOWN = {
    *(*_STORAGES, *_REBUILT, "torch._utils._rebuild_parameter", "torch.Size", "torch.device"),
    *("collections.OrderedDict", *(f"torch.{dtype}" for dtype in ITEM_SIZES)),
}


@dataclass(frozen=True, slots=True)
class _Storage:
    dtype: str
    key: str
    numel: int


@dataclass(frozen=True, slots=True, eq=False)
class TensorNote:
    """A tensor as a pickle tells of it: a window into a storage, checked against nothing yet."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Pickled:
    """A file of torch.save: ``value`` is what was saved, with a ``TensorNote`` in the place of each tensor;
    ``places`` are the (first byte, bytes) of each storage in the file."""

    path: Path
    value: Any
    places: Mapping[str, tuple[int, int]]

    def stored(self, note: TensorNote) -> Stored:
        """Where the tensor lies in the file. Raises Refusal where that is not within its storage."""
        storage = note.storage
        if storage.key not in self.places:
            raise _damaged(self.path, "numbers that belong to its tensors are missing", storage.key[:40])
        start, nbytes = self.places[storage.key]
        size = ITEM_SIZES[storage.dtype]
        if storage.numel * size != nbytes:
            raise _damaged(
                self.path, "it holds another number of values than it says", f"{storage.numel} in {nbytes} bytes"
            )
        try:
            stored = Stored(storage.dtype, note.shape, note.strides, start + note.offset * size)
        except ValueError as error:
            raise _damaged(self.path, f"one of its tensors cannot be what it says ({shown(error, 80)})") from error
        if note.offset * size + stored.extent > nbytes:
            raise _damaged(
                self.path,
                "one of its tensors reaches beyond the values that are there",
                f"{note.shape} from {note.offset} in {nbytes} bytes",
            )
        return stored


def read_zip(path: Path) -> Pickled:
    """Look through a zip archive of torch.save. Raises Refusal."""
    try:
        with path.open("rb") as file:
            entries = entries_of(file)
            pickles = [name for name in entries if name.endswith("/data.pkl") and name.count("/") == 1]
            if len(pickles) != 1:
                raise _damaged(path, f"it holds {len(pickles)} objects in place of one")
            home = pickles[0].removesuffix("data.pkl")
            order = entries.get(f"{home}byteorder")
            if order is not None and _bytes_of(file, order, 16) != b"little":
                raise _other_way_round(path)
            read = _read(path, BytesIO(_bytes_of(file, entries[pickles[0]], MAX_PICKLE)))
    except ZipDamaged as error:
        raise _damaged(path, str(error)) from error
    except OSError as error:
        raise unreadable(path, error) from error
    data = f"{home}data/"
    places = {name.removeprefix(data): place for name, place in entries.items() if name.startswith(data)}
    return Pickled(path, read.value, places)


def read_legacy(path: Path) -> Pickled:
    """Look through a file that torch.save wrote before 2020, or since when asked for that layout. Raises Refusal."""
    try:
        with path.open("rb") as file:
            if read_pickle(file).value != LEGACY_MAGIC or read_pickle(file).value != _PROTOCOL:
                raise _damaged(path, "it is of a version that there is not")
            machine = read_pickle(file).value
            if not isinstance(machine, dict) or machine.get("little_endian") is not True:
                raise _other_way_round(path)
            read, storages = _read_noting_storages(path, file)
            keys = read_pickle(file).value
            places = _legacy_places(path, file, keys, storages)
    except BadPickle as error:
        raise _damaged(path, f"its list of contents cannot be read ({shown(error, 80)})") from error
    except OSError as error:
        raise unreadable(path, error) from error
    return Pickled(path, read.value, places)


def _legacy_places(
    path: Path, file: BinaryIO, keys: object, storages: Mapping[str, _Storage]
) -> dict[str, tuple[int, int]]:
    """Where each storage's numbers begin: they follow one another, each with its count before it."""
    if not isinstance(keys, list):
        raise _damaged(path, "it does not say which values it holds")
    places: dict[str, tuple[int, int]] = {}
    size, at = os.fstat(file.fileno()).st_size, file.tell()
    for key in keys:
        storage = storages.get(key) if isinstance(key, str) else None
        if storage is None:
            raise _damaged(path, "it holds values that belong to no tensor")
        nbytes = storage.numel * ITEM_SIZES[storage.dtype]
        file.seek(at)
        if int.from_bytes(file.read(8), "little") != storage.numel or at + 8 + nbytes > size:
            raise _cut_short(path, f"the storage {key[:40]} of {nbytes} bytes at {at} of {size}")
        places[key] = at + 8, nbytes
        at += 8 + nbytes
    return places


def _read(path: Path, stream: BinaryIO) -> Read:
    return _read_noting_storages(path, stream)[0]


def _read_noting_storages(path: Path, stream: BinaryIO) -> tuple[Read, dict[str, _Storage]]:
    """The object, and its storages by key. Raises Refusal where it names functions that make no tensors."""
    storages: dict[str, _Storage] = {}

    def kept(key: object) -> object:
        storage = _storage(key)
        if storage is None:
            return Call("persistent", (key,))
        if storages.setdefault(storage.key, storage) != storage:
            raise _damaged(path, "it says two things of the same values", shown(storage.key))
        return storage

    try:
        read = read_pickle(stream, _made, kept)
    except BadPickle as error:
        raise _damaged(path, f"its list of contents cannot be read ({shown(error, 80)})") from error
    refuse_strange(path, read.names - _KNOWN)
    return read, storages


def _storage(key: object) -> _Storage | None:
    """("storage", its type, its key, where it was, how many numbers) and, before 2020, a view, which is None."""
    if not isinstance(key, tuple) or len(key) not in (5, 6) or key[0] != "storage" or key[5:] not in ((), (None,)):
        return None
    _, kind, name, _, numel = key[:5]
    if not isinstance(kind, Name) or kind.full not in _STORAGES or not isinstance(name, str) or not _is_size(numel):
        return None
    return _Storage(_STORAGES[kind.full], name, numel)


def _made(name: str, arguments: tuple[Any, ...]) -> object:
    """The few things that torch.save asks to be made, as data."""
    if name == "collections.OrderedDict":
        return _pairs(arguments)
    if name in _REBUILT and len(arguments) >= 4:
        storage, offset, shape, strides = arguments[:4]
        if isinstance(storage, _Storage) and _is_size(offset) and _are_sizes(shape) and _are_sizes(strides):
            return TensorNote(storage, offset, tuple(shape), tuple(strides))
    if name == "torch._utils._rebuild_parameter" and arguments and isinstance(arguments[0], TensorNote):
        return arguments[0]
    if name == "torch.Size" and len(arguments) == 1 and _are_sizes(arguments[0]):
        return tuple(arguments[0])
    return Call(name, arguments)


def _pairs(arguments: tuple[Any, ...]) -> dict[str, Any]:
    if not arguments or not isinstance(arguments[0], list):
        return {}
    pairs = (pair for pair in arguments[0] if isinstance(pair, list | tuple) and len(pair) == 2)
    return {pair[0]: pair[1] for pair in pairs if isinstance(pair[0], str)}


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**48


def _are_sizes(values: object) -> bool:
    return isinstance(values, list | tuple) and len(values) <= 2 * MAX_RANK and all(map(_is_size, values))


def _bytes_of(file: BinaryIO, place: tuple[int, int], most: int) -> bytes:
    start, count = place
    if count > most:
        raise ZipDamaged(f"an entry of {count} bytes")
    file.seek(start)
    return file.read(count)


def _damaged(path: Path, what: str, details: str = "") -> Refusal:
    return Refusal(f"{path.name} is damaged, or made to mislead: {what}. Download it again.", details or what)


def _other_way_round(path: Path) -> Refusal:
    return Refusal(
        f"{path.name} was saved on a computer that writes the bytes of numbers the other way round. "
        "Save it again on an ordinary one."
    )


def unreadable(path: Path, error: OSError) -> Refusal:
    """What to tell where the disk gives an error, or permission is lacking."""
    return Refusal(f"{path.name} cannot be read ({error.strerror or error}).", repr(error))


def _cut_short(path: Path, details: str) -> Refusal:
    return Refusal(f"{path.name} is cut short. Download it again.", details)
