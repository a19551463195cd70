"""Where the files of a zip archive lie. Only archives that hold plain bytes are read, as torch.save writes them."""

from __future__ import annotations

import os
import struct
import zipfile
from typing import BinaryIO

from core.errors import shown

MAX_DIRECTORY = 25_000_000
_END, _END_64, _LOCAL = b"PK\x05\x06", b"PK\x06\x06", b"PK\x03\x04"


class ZipDamaged(ValueError):
    """The archive is damaged, or is made to harm."""


def names_in(file: BinaryIO) -> list[str]:
    """The names of an archive's entries, of whatever kind it is. Raises ZipDamaged."""
    return [entry.filename for entry in _directory(file)]


def entries_of(file: BinaryIO) -> dict[str, tuple[int, int]]:
    """(first byte, bytes) of each entry by name.

    Raises ZipDamaged where entries are compressed or encrypted, lie across one another or outside of the file, or are
    named twice, and where the directory is larger than any archive of weights has it.
    """
    entries: dict[str, tuple[int, int]] = {}
    spans: list[tuple[int, int]] = []
    for entry in _directory(file):
        if entry.filename in entries:
            raise ZipDamaged(f"{shown(entry.filename)} is in it twice")
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1 or entry.file_size != entry.compress_size:
            raise ZipDamaged(f"{shown(entry.filename)} is compressed or encrypted, which weights never are")
        start = _data_start(file, entry)
        spans.append((entry.header_offset, start + entry.file_size))
        entries[entry.filename] = start, entry.file_size
    end, size = 0, os.fstat(file.fileno()).st_size
    for first, last in sorted(spans):
        if first < end or last > size:
            raise ZipDamaged(f"what lies from byte {first} to {last} of {size} lies across something else, or outside")
        end = last
    return entries


def _directory(file: BinaryIO) -> list[zipfile.ZipInfo]:
    _refuse_large_directory(file, os.fstat(file.fileno()).st_size)
    try:
        with zipfile.ZipFile(file) as archive:
            return archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error, OverflowError) as error:
        raise ZipDamaged(f"its directory cannot be read ({str(error)[:100]})") from error


def _data_start(file: BinaryIO, entry: zipfile.ZipInfo) -> int:
    file.seek(entry.header_offset)
    header = file.read(30)
    if len(header) < 30 or header[:4] != _LOCAL:
        raise ZipDamaged(f"{shown(entry.filename)} is not where the directory says")
    name, extra = struct.unpack("<HH", header[26:30])
    return int(entry.header_offset + 30 + name + extra)


def _refuse_large_directory(file: BinaryIO, size: int) -> None:
    """An archive of millions of empty files would fill the memory with their names."""
    tail_start = max(0, size - 66_000)
    file.seek(tail_start)
    tail = file.read(66_000)
    at = tail.rfind(_END)
    if at < 0 or len(tail) < at + 22:
        raise ZipDamaged("its end is missing")
    directory = int.from_bytes(tail[at + 12 : at + 16], "little")
    if directory == 0xFFFFFFFF:
        at_64 = tail.rfind(_END_64, 0, at)
        directory = int.from_bytes(tail[at_64 + 40 : at_64 + 48], "little") if at_64 >= 0 else size
    if directory > MAX_DIRECTORY:
        raise ZipDamaged("it has more entries than weights can have")
    file.seek(0)
