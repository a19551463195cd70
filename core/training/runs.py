"""The runs a person has made, and where the pictures of each lie. Torch-free.

A run's own folder says how far it has come; where its pictures lie is a matter of this computer alone, and stands in
one file in the data folder.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from core.errors import Refusal
from core.files import write_file, write_refusal
from core.folders import data_folder
from core.json_file import Fields, read_json
from core.training.claim import FILE as CLAIM
from core.training.claim import holder_of, was_left
from core.training.film import FILE as FILM
from core.training.history import FILE as HISTORY
from core.training.journal import FILE as JOURNAL
from core.training.keeping import LATEST, read_checkpoint

FILE = Path("training") / "run.json"
INDEX = "training-runs.json"
LONGEST_NAME = 60
MAX_RUNS = 1000

log = logging.getLogger("diffuscope.training")


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run as a list shows it.

    ``step`` steps are saved, of ``steps``, or of as many as ``minutes`` allow; they took ``seconds``. ``loss`` is the
    mean of the last 100 (None before the first), ``size`` the side of its pictures, of which there are ``count`` from
    the folder ``data_name``; ``pictures`` is where they lay when it was last trained, None where nobody knows.
    ``changed`` is when it was saved, in seconds since 1970. ``parameters`` has its network, and ``batch`` pictures a
    step, in ``precision`` (None and "" where an older version wrote the folder).
    """

    folder: Path
    name: str
    step: int
    steps: int | None
    minutes: float | None
    finished: bool
    seconds: float
    loss: float | None
    size: int
    data_name: str
    count: int
    pictures: Path | None
    changed: float
    parameters: int | None = None
    batch: int | None = None
    precision: str = ""

    @property
    def done(self) -> float:
        """The share of it that is done, by steps or by minutes, 0..1."""
        share = self.step / self.steps if self.steps else self.seconds / (60 * (self.minutes or 1))
        return min(1.0, share)


def runs_folder() -> Path:
    """Where new runs are put."""
    return data_folder() / "runs"


def new_run_folder(name: str, taken: Collection[Path] = ()) -> Path:
    """A folder for a new run, not there yet and none of those ``taken`` by runs that have still to begin, called like
    the run as far as a folder can be."""
    plain = re.sub(r"[^\w.()+-]+", " ", name).strip(" .")[:LONGEST_NAME].strip(" .") or "run"
    folder, number = runs_folder() / plain, 2
    while (folder.exists() and not is_stillborn(folder)) or folder.resolve() in taken:
        folder, number = runs_folder() / f"{plain} {number}", number + 1
    return folder


def still_new(folder: Path) -> Path:
    """The folder of a run that is to begin now; where another window has taken that name since it was chosen, one like
    it."""
    is_taken = folder.parent == runs_folder().resolve() and folder.exists() and not is_stillborn(folder)
    return new_run_folder(folder.name).resolve() if is_taken else folder


def is_run(folder: Path) -> bool:
    """Whether a training can be shown, and gone on with: one whose process was killed in its first save may have a
    checkpoint and no summary yet."""
    return any((folder / file).is_file() for file in (FILE, LATEST))


def is_stillborn(folder: Path) -> bool:
    """Whether there is nothing in a folder but what a training leaves that was killed before its first checkpoint, or
    while it branched off: another may begin there."""
    if not folder.is_dir() or is_run(folder) or holder_of(folder) is not None:
        return False
    found = {path.relative_to(folder) for path in folder.rglob("*") if path.name[0] != "."}
    return found <= {CLAIM.parent, CLAIM, HISTORY, FILM, JOURNAL}


def list_runs() -> tuple[RunSummary, ...]:
    """Every run in the data folder and every other that was trained on this computer and is still there, newest first.

    What cannot be read is left out, and said in the log.
    """
    return look_through_runs()[0]


def look_through_runs() -> tuple[tuple[RunSummary, ...], dict[Path, str]]:
    """The runs as ``list_runs`` has them, and the folders of those that cannot be read, with the reason."""
    places = _index()
    summaries, damaged = [], {}
    for folder in dict.fromkeys((*_in_data_folder(), *places)):
        if is_run(folder):
            try:
                summaries.append(read_summary(folder, places.get(folder)))
            except (Refusal, OSError) as error:
                damaged[folder] = str(error)
                log.warning("the run %s is left out of the list: %s", folder.name, error)
    return tuple(sorted(summaries, key=lambda summary: -summary.changed)), damaged


def write_summary(summary: RunSummary) -> None:
    """Write into the run's folder what the list needs of it. Raises Refusal where that is impossible."""
    data: dict[str, object] = {
        "format": 1,
        "step": summary.step,
        "steps": summary.steps,
        "minutes": summary.minutes,
        "finished": summary.finished,
        "seconds": round(summary.seconds, 1),
        "loss": summary.loss,
        "size": summary.size,
        "data_name": summary.data_name,
        "count": summary.count,
        "parameters": summary.parameters,
        "batch": summary.batch,
        "precision": summary.precision,
    }
    _write_json(summary.folder / FILE, data)


def interrupted_runs() -> tuple[RunSummary, ...]:
    """The unfinished runs whose process died without a word, newest first: a crash, a kill, a power cut."""
    return tuple(run for run in list_runs() if is_interrupted(run))


def is_interrupted(run: RunSummary) -> bool:
    """Whether its process died before it was finished or stopped."""
    return not run.finished and was_left(run.folder)


def finished_at(folder: Path) -> int | None:
    """After how many steps the run in a folder was finished and all of it written; None where it was not."""
    try:
        summary = read_summary(folder)
    except (Refusal, OSError):
        return None
    return summary.step if summary.finished else None


def remember(folder: Path, pictures: Path) -> None:
    """Keep in mind where the pictures of the run in ``folder`` lie. What cannot be kept is said in the log."""
    try:
        places: dict[Path, Path | None] = {folder.resolve(): pictures.resolve()}
        _write_index(places | {known: place for known, place in _index().items() if known not in places})
    except (Refusal, OSError) as error:
        log.warning("where the pictures of the run %s lie is not kept: %s", folder.name, error)


def moved(folder: Path, to: Path | None) -> None:
    """Keep in mind that ``folder``, with the runs in it, lies elsewhere now; None: nowhere. What cannot be kept is said
    in the log."""
    try:
        places = _index()
        inside = {known: known.relative_to(folder) for known in places if known.is_relative_to(folder)}
        if inside:
            there = {} if to is None else {to / part: places[known] for known, part in inside.items()}
            _write_index(there | {known: place for known, place in places.items() if known not in inside})
    except (Refusal, OSError) as error:
        log.warning("that the run %s has moved is not kept: %s", folder.name, error)


def _write_index(places: Mapping[Path, Path | None]) -> None:
    entries = [
        {"folder": str(known), "pictures": None if place is None else str(place)}
        for known, place in list(places.items())[:MAX_RUNS]
    ]
    _write_json(data_folder() / INDEX, {"format": 1, "runs": entries})


def _write_json(path: Path, data: dict[str, object]) -> None:
    text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_refusal(path, error) from error
    write_file(path, lambda stream: stream.write(text.encode(errors="backslashreplace")))


def _in_data_folder() -> Iterator[Path]:
    try:
        with os.scandir(runs_folder()) as entries:
            yield from (Path(entry.path).resolve() for entry in entries if entry.is_dir() and entry.name[0] != ".")
    except OSError:
        return


def _index() -> dict[Path, Path | None]:
    """The runs' folders and where their pictures lie, as last written; empty where that file cannot be read."""
    path = data_folder() / INDEX
    if not path.is_file():
        return {}
    try:
        entries = read_json(path).get("runs")
        known: dict[Path, Path | None] = {}
        for entry in entries if isinstance(entries, list) else []:
            fields = Fields(entry if isinstance(entry, dict) else {}, path.name)
            folder, pictures = fields.text("folder"), fields.text("pictures")
            if folder:
                known[Path(folder)] = Path(pictures) if pictures else None
    except Refusal as refusal:
        log.warning("the list of runs begins anew: %s", refusal)
        return {}
    return known


def read_summary(folder: Path, pictures: Path | None = None) -> RunSummary:
    """What the folder of a run says of it, whose pictures lie in ``pictures``. Raises Refusal or OSError."""
    path = folder / FILE
    if not path.is_file() and (folder / LATEST).is_file():
        return _begun(folder, pictures)
    fields = Fields(read_json(path), path.name)
    loss = fields.data.get("loss")
    minutes = fields.data.get("minutes")
    return RunSummary(
        folder=folder,
        name=folder.name,
        step=fields.whole("step", 0),
        steps=fields.maybe_whole("steps"),
        minutes=None if minutes is None else fields.number("minutes", 0.0),
        finished=fields.flag("finished", False),
        seconds=fields.number("seconds", 0.0),
        loss=None if loss is None else fields.number("loss", 0.0),
        size=fields.whole("size", 0),
        data_name=fields.text("data_name"),
        count=fields.whole("count", 0),
        pictures=pictures,
        changed=path.stat().st_mtime,
        parameters=fields.maybe_whole("parameters"),
        batch=fields.maybe_whole("batch"),
        precision=fields.text("precision"),
    )


def _begun(folder: Path, pictures: Path | None) -> RunSummary:
    """What its checkpoint alone says of a run. Raises Refusal or OSError."""
    request, numbers = read_checkpoint(folder / LATEST)
    return RunSummary(
        folder=folder,
        name=folder.name,
        step=int(numbers["step"]),
        steps=request.steps,
        minutes=request.minutes,
        finished=False,
        seconds=numbers["seconds"],
        loss=None,
        size=request.network.sides[0] if request.network.sides else 0,
        data_name=request.data_name,
        count=0,
        pictures=pictures,
        changed=(folder / LATEST).stat().st_mtime,
        batch=request.batch,
        precision=request.precision,
    )
