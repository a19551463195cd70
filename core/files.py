"""Writing files so that nobody ever finds half of one, and saying in words why one could not be written."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import psutil

from core.errors import Refusal

LONGEST = 40
"""Characters of a name that go into that of its temporary file: with any alphabet no disk finds that too long."""


def check_writable(path: Path, *suffixes: str) -> None:
    """Raise Refusal before the work is done where its result could not be written to ``path`` afterwards."""
    if os.path.isdir(path):
        raise Refusal(f"{path} is a folder. Name a file in it.")
    if suffixes and path.suffix.lower() not in suffixes:
        raise Refusal(f"{path} should end in {' or '.join(suffixes)}.")
    folder = path.absolute().parent
    if not os.path.isdir(folder):
        raise Refusal(f"The folder {folder} does not exist. Make it first, or name another.")
    if not os.access(folder, os.W_OK):
        raise Refusal(f"Nothing can be written into {folder}. Change its permissions, or name another folder.")
    try:
        path.lstat()
    except FileNotFoundError:
        pass
    except OSError as error:
        raise write_refusal(path, error) from error


def check_room(path: Path, nbytes: int) -> None:
    """Raise Refusal before the work is done where a new folder ``path`` with so many bytes in it could not be made."""
    home = path.absolute().parent
    try:
        while not os.path.lexists(home):
            home = home.parent
        if not home.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(home))
        free = shutil.disk_usage(home).free
    except OSError as error:
        raise write_refusal(path, error) from error
    if not os.access(home, os.W_OK):
        raise Refusal(f"Nothing can be written into {home}. Change its permissions, or name another folder.")
    if nbytes > free:
        raise Refusal(
            f"The disk has {free / 1e6:,.0f} MB left, and {path.name} takes {nbytes / 1e6:,.0f} MB. "
            "Make room, or name a folder on another disk."
        )


def write_file(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write beside ``path``, then rename: an older file there stays whole until the new one is. Raises Refusal."""
    try:
        if path.exists() and not path.is_file():
            with os.fdopen(_opened_as_it_is(path), "wb") as stream:
                write(stream)
            return
        _write_and_rename(path, write)
    except OSError as error:
        raise write_refusal(path, error) from error


def _opened_as_it_is(path: Path) -> int:
    """A pipe or device opened for writing; a pipe that nobody reads is an OSError, not a wait without end."""
    descriptor = os.open(path, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0))
    os.set_blocking(descriptor, True)
    return descriptor


def _write_and_rename(path: Path, write: Callable[[BinaryIO], object]) -> None:
    descriptor, name = tempfile.mkstemp(prefix=beside(path), suffix=".part", dir=path.absolute().parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync_folder(path.absolute().parent)


def sync_folder(folder: Path) -> None:
    """Bring the names in it to the disk, without which a power cut may lose a file whose content is there. Raises
    OSError."""
    if os.name != "posix":
        return  # elsewhere a folder cannot be opened, and names are kept with the files
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write an object for people to read as well; the folder is made where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    path.write_bytes(text.encode(errors="backslashreplace"))  # which is how JSON writes names that are no text, too


@contextmanager
def written_whole(folder: Path) -> Iterator[Path]:
    """A place beside ``folder`` to write to; what is there in the end is moved into it, file by file, each at once.
    A new folder appears when it is complete. Raises Refusal where it cannot be written."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        clear_leftovers(folder)
        staging = Path(tempfile.mkdtemp(prefix=beside(folder), dir=folder.parent))
        try:
            yield staging
            files = [path for path in staging.rglob("*") if path.is_file()]
            for path in files:
                with path.open("rb+") as file:
                    os.fsync(file.fileno())
            if not folder.exists():
                staging.chmod(0o755)
                staging.rename(folder)
                return
            for path in files:
                target = folder / path.relative_to(staging)
                target.parent.mkdir(exist_ok=True)
                path.replace(target)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        raise write_refusal(folder, error) from error


def beside(path: Path) -> str:
    """How the names begin under which this process writes what will be ``path``."""
    return f".{path.name[:LONGEST]}-{os.getpid()}-"


def clear_leftovers(path: Path) -> None:
    """Remove what processes that were killed in the middle of writing ``path`` have left beside it."""
    _clear(path.absolute().parent, re.escape(path.name[:LONGEST]))


def clear_leftovers_in(folder: Path) -> None:
    """The same for whatever was being written into a folder that is the program's own."""
    _clear(folder, ".+")


def _clear(folder: Path, of: str) -> None:
    ours = re.compile(rf"\.{of}-(\d{{1,9}})-[a-z0-9_]{{8}}(\.part)?")
    with contextlib.suppress(OSError):
        with os.scandir(folder) as entries:
            found = [(entry, match) for entry in entries if (match := ours.fullmatch(entry.name))]
        for entry, match in found:
            if psutil.pid_exists(int(match[1])):
                continue
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                os.unlink(entry.path)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_refusal(path: Path, error: OSError) -> Refusal:
    """Why ``path`` could not be written, and what to do."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        words = f"The disk is full: {path} was not written. Make room, then try again."
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        words = f"{path} may not be written. Change the permissions of its folder, or name another."
    elif error.errno == errno.ENAMETOOLONG:
        words = f"The name {path.name[:40]}… is too long for this disk. Choose a shorter one."
    elif error.errno == errno.EISDIR:
        words = f"{path} could not be written, for it is a folder. Move it elsewhere, or name another place."
    elif error.errno in (errno.ENOTDIR, errno.EEXIST):
        words = f"{path} could not be written: a file lies where a folder is needed. Move it, or name another place."
    else:
        words = f"{path} could not be written ({error.strerror or error}). Name another place."
    return Refusal(words, repr(error))
