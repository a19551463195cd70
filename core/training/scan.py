"""What files there are in a folder of pictures, without opening one. Torch-free."""

from __future__ import annotations

import hashlib
import logging
import os
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from core.errors import Refusal

SUFFIXES = frozenset(Image.registered_extensions())
CAPTION = ".txt"
LONGEST_CAPTION = 64_000
"""Bytes of a caption that are read."""

log = logging.getLogger("diffuscope.training")


@dataclass(slots=True)
class Listing:
    """The files of ``folder`` by their paths within it, with "/" between the parts.

    ``files`` have a picture's name, in the order of their folders' names, then their own; ``facts`` are their size in
    bytes and time of change in nanoseconds. ``captions`` of them have a text beside them, ``others`` files have no
    picture's name and are no captions. ``closed`` lists (path, why) of what cannot even be looked at.
    """

    folder: Path
    files: list[str] = field(default_factory=list)
    facts: list[tuple[int, int]] = field(default_factory=list)
    captions: int = 0
    others: int = 0
    closed: list[tuple[str, str]] = field(default_factory=list)

    def fingerprint(self, of: str) -> str:
        """Changes with every file that is added, removed, renamed or written, and with ``of``."""
        digest = hashlib.sha256(of.encode())
        for name, (size, changed) in zip(self.files, self.facts, strict=True):
            digest.update(os.fsencode(f"{name}\0{size}\0{changed}\n"))
        return digest.hexdigest()


def list_pictures(folder: Path) -> Listing:
    """Every file below ``folder``; links to folders are followed, each real folder is entered once.

    Hidden files and folders are left out. Raises Refusal where the folder itself is none, or may not be opened.
    """
    if not os.path.isdir(folder):
        raise Refusal(f"{folder} is not a folder. Give the folder that holds the pictures.")
    try:
        os.listdir(folder)
    except OSError as error:
        raise Refusal(
            f"{folder} may not be opened. Change its permissions, or choose another folder.", repr(error)
        ) from error
    found, files = Listing(folder), list[tuple[list[str], str, tuple[int, int]]]()
    level, seen = [""], {folder.resolve()}
    while level:
        below: list[str] = []
        for parent in level:
            below += _look_into(found, files, parent, seen)
        level = below
    files.sort(key=lambda file: file[0])
    found.files, found.facts = [name for _, name, _ in files], [facts for _, _, facts in files]
    return found


def caption_of(picture: Path) -> str | None:
    """The text beside a picture, its first 64,000 bytes; None where there is none that can be read."""
    try:
        with picture.with_suffix(CAPTION).open("rb") as file:
            return file.read(LONGEST_CAPTION).decode("utf-8", errors="replace").strip()
    except (OSError, ValueError):
        return None


def _look_into(
    found: Listing, files: list[tuple[list[str], str, tuple[int, int]]], parent: str, seen: set[Path]
) -> list[str]:
    """Take note of what lies in the folder ``parent``; the folders in it."""
    below, stems, texts = [], [], set()
    for entry in _entries(found, parent):
        name = f"{parent}/{entry.name}" if parent else entry.name
        stem, suffix = os.path.splitext(entry.name)
        suffix = suffix.lower()
        try:
            if entry.is_dir():
                real = Path(entry.path).resolve()
                if real not in seen:
                    seen.add(real)
                    below.append(name)
            elif suffix in SUFFIXES:
                if entry.is_file():
                    facts = entry.stat()
                    files.append((name.split("/"), name, (facts.st_size, facts.st_mtime_ns)))
                    stems.append(stem)
                elif os.path.exists(entry.path):
                    found.closed.append((name, f"{entry.name} is a device or a pipe, not a file."))
                elif entry.is_symlink():
                    found.closed.append((name, f"{entry.name} is a link to a file that is not there any more."))
            elif suffix == CAPTION:
                texts.add(stem)
            else:
                found.others += 1
        except OSError as error:
            found.closed.append((name, f"{entry.name} cannot be looked at ({error.strerror or error})."))
    captioned = texts.intersection(stems)
    found.captions += sum(stem in captioned for stem in stems)
    found.others += len(texts - captioned)
    return below


def _entries(found: Listing, parent: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(found.folder / parent) as entries:
            visible = [entry for entry in entries if not entry.name.startswith(".")]
    except OSError as error:
        log.warning("the folder %s cannot be read: %s", found.folder / parent, error)
        why = error.strerror or error
        found.closed.append((parent, f"The folder {parent} may not be opened ({why}). Change its permissions."))
        return []
    return sorted(visible, key=lambda entry: entry.name)
