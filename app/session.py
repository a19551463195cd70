"""A session: all that is there again when the program is started again. Plain data: no widget, no file, no tensor.

What is read may be damaged, or a stranger's: each part by itself falls back to what a new session has, and says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from app.mementos import Memento
from app.state import Cursor, Note
from core.codec import from_json, to_json
from core.errors import Refusal
from core.json_file import UNREADABLE
from core.requests import Conversion, InvertRequest, MorphRequest, RunRequest, SampleRequest

FORMAT, VERSION = "diffuscope session", 1
MOST_RUNS = 1000
MOST_PICTURES = 2000
MOST_OPENED = 64
MOST_TEXT = 4096
LARGEST_JOB = 100_000
HASH = re.compile("[0-9a-f]{64}")
KINDS: Mapping[str, type[RunRequest]] = {kind.__name__: kind for kind in (SampleRequest, InvertRequest, MorphRequest)}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Opened:
    """A model or a classifier: its name, the hash of its weights, and where it lies ("": not known)."""

    name: str
    sha256: str
    folder: str = ""


@dataclass(frozen=True, slots=True)
class KeptRun:
    """A run by its request, which says all that it was. ``thumbnail`` is the hash of a picture, or ""."""

    job: int
    request: RunRequest
    note: Note = field(default_factory=Note)
    thumbnail: str = ""
    parent: int | None = None
    parent_step: int = 0


@dataclass(frozen=True, slots=True)
class Session:
    """``image`` is the hash of the window's picture, ``pictures`` the names of all by their hash; ``models`` are those
    that runs name, ``model`` the one that is worked with. ``panels``: whether left and right are unfolded.
    ``is_closed``: the window was closed, and nothing was cut off. ``left_out`` says what could not be read."""

    image: str = ""
    pictures: Mapping[str, str] = field(default_factory=dict)
    conversion: Conversion | None = None
    seed: int = 42
    cursor: Cursor = field(default_factory=Cursor)
    model: Opened | None = None
    models: tuple[Opened, ...] = ()
    classifiers: tuple[Opened, ...] = ()
    runs: tuple[KeptRun, ...] = ()
    stages: Mapping[str, Memento] = field(default_factory=dict)
    panels: tuple[bool, bool] = (True, True)
    is_closed: bool = False
    left_out: tuple[str, ...] = ()

    @property
    def queued(self) -> object:
        """The trainings that had not begun, as the stage says them; None where nothing is said."""
        return self.stages.get("train", {}).get("queued")

    @property
    def is_unfinished(self) -> bool:
        """Whether its window left something behind: it was cut off, or trainings still waited in it."""
        return not self.is_closed or bool(self.queued)


def to_data(session: Session) -> dict[str, Any]:
    """The session as plain JSON."""
    cursor = session.cursor
    return {
        "format": FORMAT,
        "version": VERSION,
        "image": session.image,
        "pictures": dict(session.pictures),
        "conversion": None if session.conversion is None else to_json(session.conversion),
        "seed": session.seed,
        "cursor": {name: getattr(cursor, name) for name in ("stage", "run", "step", "t", "frame")},
        "model": None if session.model is None else _opened_to_data(session.model),
        "models": [_opened_to_data(model) for model in session.models],
        "classifiers": [_opened_to_data(classifier) for classifier in session.classifiers],
        "runs": [_run_to_data(run) for run in session.runs],
        "stages": dict(session.stages),
        "panels": list(session.panels),
        "is_closed": session.is_closed,
    }


def from_data(data: object) -> Session:
    """The session that ``to_data`` wrote. Raises Refusal for what is none, or was written by a newer version."""
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise Refusal("This is not a session of Diffuscope.")
    version = data.get("version")
    if type(version) is not int or not 1 <= version <= VERSION:
        raise Refusal("This session was written by a newer version of Diffuscope. Open it with that version.")
    read = _Reading(data)
    return Session(
        image=read.part("image", "the picture", "", _hash_or_nothing),
        pictures=read.part("pictures", "the pictures", {}, _pictures),
        conversion=read.part("conversion", "the crop", None, _conversion),
        seed=read.part("seed", "the seed", 42, lambda value: _whole(value, 0, 2**31 - 1)),
        cursor=read.part("cursor", "the place looked at", Cursor(), _cursor),
        model=read.part("model", "the model", None, lambda value: None if value is None else _opened(value)),
        models=read.list("models", "a model", MOST_OPENED, _opened),
        classifiers=read.list("classifiers", "a classifier", MOST_OPENED, _opened),
        runs=read.list("runs", "a run", MOST_RUNS, _run),
        stages=read.part("stages", "the settings", {}, _stages),
        panels=read.part("panels", "the panels", (True, True), _panels),
        is_closed=data.get("is_closed") is True,
        left_out=tuple(read.left_out),
    )


class _Reading:
    """Reads part by part; what cannot be read is noted in ``left_out``."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._data = data
        self.left_out: list[str] = []

    def part(self, name: str, words: str, default: T, read: Callable[[Any], T]) -> T:
        try:
            return read(self._data[name])
        except UNREADABLE:
            self.left_out.append(words)
            return default

    def list(self, name: str, words: str, most: int, read: Callable[[Any], T]) -> tuple[T, ...]:
        """The last ``most`` entries that can be read."""
        entries = self._data.get(name)
        if not isinstance(entries, list):
            self.left_out.append(words)
            return ()
        found, lost = [], 0
        for entry in entries[-most:]:
            try:
                found.append(read(entry))
            except UNREADABLE:
                lost += 1
        if lost:
            self.left_out.append(words if lost == 1 else f"{words} and {lost - 1} more")
        return tuple(found)


def _opened_to_data(opened: Opened) -> dict[str, str]:
    return {"name": opened.name, "sha256": opened.sha256, "folder": opened.folder}


def _opened(data: Any) -> Opened:
    return Opened(_text(data["name"]), _hash(data["sha256"]), _text(data.get("folder", "")))


def _run_to_data(run: KeptRun) -> dict[str, Any]:
    return {
        "job": run.job,
        "kind": type(run.request).__name__,
        "request": to_json(run.request),
        "name": run.note.name,
        "is_starred": run.note.is_starred,
        "thumbnail": run.thumbnail,
        "parent": run.parent,
        "parent_step": run.parent_step,
    }


def _run(data: Any) -> KeptRun:
    parent = data.get("parent")
    return KeptRun(
        job=_whole(data["job"], 1, LARGEST_JOB),
        request=from_json(KINDS[data["kind"]], data["request"]),
        note=Note(_text(data.get("name", "")), data.get("is_starred") is True),
        thumbnail=_hash_or_nothing(data.get("thumbnail", "")),
        parent=None if parent is None else _whole(parent, 1, LARGEST_JOB),
        parent_step=_whole(data.get("parent_step", 0), 0, LARGEST_JOB),
    )


def _cursor(data: Any) -> Cursor:
    run = data["run"]
    t = _whole(data["t"], -1, LARGEST_JOB)
    return Cursor(
        stage=_text(data["stage"]),
        run=None if run is None else _whole(run, 1, LARGEST_JOB),
        step=_whole(data["step"], 0, LARGEST_JOB),
        t=t,
        shown_t=t,
        frame=_whole(data["frame"], 0, LARGEST_JOB),
    )


def _stages(data: Any) -> dict[str, Memento]:
    if not isinstance(data, dict) or not all(isinstance(memento, dict) for memento in data.values()):
        raise ValueError("settings are objects")
    return data


def _pictures(data: Any) -> dict[str, str]:
    if not isinstance(data, dict) or len(data) > MOST_PICTURES:
        raise ValueError("pictures are an object of names")
    return {_hash(sha256): _text(name) for sha256, name in data.items()}


def _conversion(data: Any) -> Conversion | None:
    return None if data is None else from_json(Conversion, data)


def _panels(data: Any) -> tuple[bool, bool]:
    left, right = data
    return left is True, right is True


def _hash(value: Any) -> str:
    if not isinstance(value, str) or not HASH.fullmatch(value):
        raise ValueError("a hash is expected")
    return value


def _hash_or_nothing(value: Any) -> str:
    return "" if value == "" else _hash(value)


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > MOST_TEXT:
        raise ValueError("a text is expected")
    return value


def _whole(value: Any, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise ValueError("a whole number is expected")
    return value
