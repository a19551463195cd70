"""Which checkpoints a run's folder holds: the latest, the one before it, and those that are kept. Torch-free.

Each is whole in itself: a run can go on from any, or another can branch off there.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.errors import Refusal
from core.files import sync_folder, write_file, write_refusal
from core.training.request import TrainRequest
from core.training.sealed import Harmed, check_seal, metadata_of

LATEST = Path("training") / "checkpoint.safetensors"
PREVIOUS = Path("training") / "previous.safetensors"
KEPT = Path("training") / "checkpoints"

_NAME = re.compile(r"step-(\d{6,12})(-best)?\.safetensors")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The first ``step`` steps of a run, in the file ``path``: the ``latest``, or kept. ``best`` had the lowest loss on
    the pictures kept aside."""

    step: int
    path: Path
    latest: bool = False
    best: bool = False


def list_checkpoints(folder: Path) -> tuple[Checkpoint, ...]:
    """Those of the run in ``folder`` that one may choose from, one a step, by rising step."""
    found: dict[int, Checkpoint] = {}
    for checkpoint in _kept(folder):
        before = found.get(checkpoint.step)
        found[checkpoint.step] = Checkpoint(
            checkpoint.step, checkpoint.path, best=checkpoint.best or (before is not None and before.best)
        )
    latest = step_of(folder / LATEST)
    if latest is not None:
        best = latest in found and found[latest].best
        found[latest] = Checkpoint(latest, folder / LATEST, latest=True, best=best)
    return tuple(found[step] for step in sorted(found))


def candidates(folder: Path) -> Iterator[Path]:
    """The files to go on from, best first: the latest, the one before it, then those kept, the newest first."""
    yield from (path for path in (folder / LATEST, folder / PREVIOUS) if path.is_file())
    yield from (checkpoint.path for checkpoint in reversed(_kept(folder)))


def step_of(path: Path) -> int | None:
    """How many steps the run in a checkpoint has made, None where there is none that can be read."""
    try:
        return int(json.loads(metadata_of(path)["numbers"])["step"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def read_checkpoint(path: Path) -> tuple[TrainRequest, dict[str, float]]:
    """The request of the run in a checkpoint, and its numbers: "step", "seconds" and others. Raises Refusal where they
    cannot be read, OSError where the file cannot."""
    try:
        says = metadata_of(path)
        numbers = {name: float(value) for name, value in json.loads(says["numbers"]).items()}
        if not all(0 <= numbers[name] < math.inf for name in ("step", "seconds")):
            raise Harmed("its numbers are not those of a run")
        return TrainRequest.from_json(json.loads(says["request"])), numbers
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise Refusal(f"The checkpoint {path} is damaged. Train into another folder.", repr(error)) from error


def keep(folder: Path, step: int, best: bool = False) -> None:
    """Keep the latest checkpoint, which is that of ``step``; as the ``best``, in the place of an earlier one. Raises
    Refusal where it cannot be written."""
    duplicate(folder / LATEST, folder / KEPT / f"step-{step:06d}{'-best' if best else ''}.safetensors")
    for other in _kept(folder) if best else ():
        if other.best and other.step != step:
            with contextlib.suppress(OSError):
                other.path.unlink()


def forget_after(folder: Path, step: int) -> None:
    """Let go of what is kept of later steps, which the run has taken back."""
    for checkpoint in _kept(folder):
        if checkpoint.step > step:
            with contextlib.suppress(OSError):
                checkpoint.path.unlink()


def settle(folder: Path) -> None:
    """A run is over: where its latest checkpoint is whole, the one before it is wanted no more."""
    with contextlib.suppress(OSError, Harmed):
        check_seal(folder / LATEST)
        (folder / PREVIOUS).unlink(missing_ok=True)


def duplicate(source: Path, target: Path) -> None:
    """A second name for a file that is only ever replaced, never changed; a copy where the disk knows no such names.
    Raises Refusal where it cannot be written."""
    beside = target.with_name(f".{target.name}-{os.getpid()}-duplicat.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        beside.unlink(missing_ok=True)
        try:
            os.link(source, beside)
        except OSError:
            with source.open("rb") as content:
                write_file(target, lambda stream: shutil.copyfileobj(content, stream, 1 << 22))
            return
        os.replace(beside, target)  # does nothing where both are one file already
        beside.unlink(missing_ok=True)
        sync_folder(target.parent)
    except OSError as error:
        raise write_refusal(target, error) from error


def branch(folder: Path, step: int, out: Path) -> None:
    """Make ``out``, a new folder, a run that has come as far as the checkpoint of ``step`` in ``folder``: what goes on
    in it with ``resume`` leaves the first as it is. Raises Refusal where there is no such checkpoint."""
    found = next((checkpoint for checkpoint in list_checkpoints(folder) if checkpoint.step == step), None)
    if found is None:
        raise Refusal(f"“{folder.name}” keeps no checkpoint of step {step}. Choose one of those in the list.")
    if out.exists():
        raise Refusal(f"{out} is there already. Name another folder.")
    parts = {name: folder / "training" / name for name in ("history.npz", "samples.npz", "journal.jsonl")}
    try:
        (out / "training").mkdir(parents=True)
        for name, path in parts.items():
            if path.is_file():
                shutil.copyfile(path, out / "training" / name)
        with found.path.open("rb") as content:
            write_file(out / LATEST, lambda stream: shutil.copyfileobj(content, stream, 1 << 22))
    except OSError as error:
        shutil.rmtree(out, ignore_errors=True)
        raise write_refusal(out, error) from error
    except Refusal:
        shutil.rmtree(out, ignore_errors=True)
        raise


def _kept(folder: Path) -> list[Checkpoint]:
    """By rising step; of one step that which is kept for good comes last."""
    try:
        entries = list(os.scandir(folder / KEPT))
    except OSError:
        return []
    found = [(match, Path(entry.path)) for entry in entries if (match := _NAME.fullmatch(entry.name))]
    checkpoints = [Checkpoint(int(match[1]), path, best=bool(match[2])) for match, path in found]
    return sorted(checkpoints, key=lambda checkpoint: (checkpoint.step, not checkpoint.best))
