"""What a person has said of checkpoints that do not say all themselves, remembered by what is in them. Torch-free."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path

from core.checkpoints.description import Answers
from core.errors import Refusal
from core.files import write_file
from core.folders import data_folder
from core.json_file import read_json

FILE = "answers.json"
DAMAGED = "answers-damaged.json"
MOST = 1000
"""Checkpoints and models that are remembered; the oldest make room."""

_LONGEST, _MOST_ANSWERS = 200, 50
_PIECES, _PIECE = 64, 4096
_WEIGHTS = (".safetensors", ".bin")

log = logging.getLogger("diffuscope.answers")


def fingerprint(path: Path) -> str:
    """What tells a checkpoint from every other without reading all of it, as hexadecimal digits: SHA-256 of its size
    and of pieces all over it; of a folder, of its files of weights and their configurations. Raises OSError."""
    total = hashlib.sha256()
    for file in _files_of(path):
        size = file.stat().st_size
        total.update(
            f"{file.name} {size}\n".encode(errors="surrogateescape") if path.is_dir() else f"{size}\n".encode()
        )
        with file.open("rb") as stream:
            for place in sorted({piece * max(0, size - _PIECE) // (_PIECES - 1) for piece in range(_PIECES)}):
                stream.seek(place)
                total.update(stream.read(_PIECE))
    return total.hexdigest()


def _files_of(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    folders = (path, *sorted(inner for inner in path.iterdir() if inner.is_dir()))
    for folder in folders[:_MOST_ANSWERS]:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if entry.is_file())
        yield from (folder / name for name in names if name.endswith(_WEIGHTS) or name == "config.json")


class AnswerBook:
    """The remembered answers, in one small file of the data folder that is written as a whole.

    A file that cannot be read never prevents anything: it is set aside, and ``damage`` says so in a sentence.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self.damage = ""

    def of(self, checkpoint: Path, sha256: str = "") -> dict[str, str] | None:
        """What was said of a checkpoint last, or when it became the model of this hash; None where nothing was."""
        known = self._read()
        if sha256 in known:
            return known[sha256]
        try:
            return known.get(fingerprint(checkpoint)) if known else None
        except OSError:
            return None

    def remember(self, checkpoint: Path, answers: Answers, sha256: str = "") -> None:
        """Keep what was said of a checkpoint, in place of what was said before, and by which answers it is the model
        of this hash. Raises Refusal where it cannot be written."""
        try:
            mark = fingerprint(checkpoint)
        except OSError as error:
            raise Refusal(f"{checkpoint.name} cannot be read ({error.strerror or error}).", repr(error)) from error
        self._write({mark: dict(answers)} | ({sha256: dict(answers)} if sha256 else {}))

    def remember_model(self, sha256: str, answers: Answers) -> None:
        """Keep by which answers a checkpoint is the model of this hash. Raises Refusal where that cannot be written."""
        self._write({sha256: dict(answers)})

    def _write(self, said: dict[str, dict[str, str]]) -> None:
        before = self._read()
        known = {mark: answers for mark, answers in before.items() if mark not in said} | said
        if known == before:
            return
        latest = dict(list(known.items())[-MOST:])
        text = json.dumps({"format": 1, "answers": latest}, indent=1)
        write_file(self._file(), lambda stream: stream.write(text.encode()))

    def _file(self) -> Path:
        return self._path or data_folder() / FILE

    def _read(self) -> dict[str, dict[str, str]]:
        file = self._file()
        if not file.exists():
            return {}
        try:
            stored = read_json(file).get("answers")
        except Refusal as refusal:
            self._set_aside(file, refusal)
            return {}
        return {mark: said for mark, said in stored.items() if _is_said(said)} if isinstance(stored, dict) else {}

    def _set_aside(self, file: Path, why: Refusal) -> None:
        self.damage = "What was said of checkpoints before could not be read, so it is asked again."
        log.warning("%s: %s", self.damage, why)
        try:
            file.replace(file.with_name(DAMAGED))
        except OSError as error:
            log.warning("%s stays where it is: %s", file.name, error)


def _is_said(said: object) -> bool:
    return (
        isinstance(said, dict)
        and len(said) <= _MOST_ANSWERS
        and all(isinstance(key, str) and isinstance(value, str) for key, value in said.items())
        and all(len(text) <= _LONGEST for pair in said.items() for text in pair)
    )
