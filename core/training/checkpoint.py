"""A run's checkpoint: one sealed safetensors file, replaced as a whole, so that a power cut costs minutes, never the
run. One that has come to harm is noticed, and the newest before it takes its place."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from core.errors import Refusal
from core.files import write_file, write_refusal
from core.training.journal import Journal
from core.training.keeping import LATEST, PREVIOUS, candidates, duplicate, step_of
from core.training.request import TrainRequest
from core.training.sealed import check_seal, metadata_of, write_sealed
from core.training.trainer import Trainer

FILE = LATEST
WEIGHTS = ("weights/", "average/")
UNREADABLE = (
    *(SafetensorError, OSError, KeyError, TypeError, ValueError, AttributeError),
    *(OverflowError, RecursionError, MemoryError),
)


@dataclass(frozen=True, slots=True)
class Found:
    """A checkpoint that is whole: the first ``step`` steps, in the file ``path``. ``note`` is for the person, "" where
    all was well."""

    step: int
    path: Path
    note: str = ""


def save_checkpoint(
    trainer: Trainer, folder: Path, journal: Journal | None = None, between: Callable[[], None] = lambda: None
) -> None:
    """Write the trainer's state into a run's folder; the checkpoint before it stays until the next. ``between`` two
    tensors others may work. Raises Refusal where it cannot be written."""
    tensors, numbers = trainer.state()
    metadata = {
        "request": trainer.request.to_text(),
        "numbers": json.dumps(numbers),
        "journal": str(len(journal.lines) if journal else 0),
    }
    try:
        (folder / FILE).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_refusal(folder, error) from error
    if step_of(folder / FILE) not in (None, trainer.step):
        duplicate(folder / FILE, folder / PREVIOUS)
    write_file(folder / FILE, lambda stream: write_sealed(stream, tensors, metadata, between))


def read_request(folder: Path) -> TrainRequest | None:
    """The request of the run in ``folder``, None where there is no checkpoint. Raises Refusal where all are damaged."""
    damage: Refusal | None = None
    for path in candidates(folder):
        try:
            return TrainRequest.from_json(json.loads(metadata_of(path)["request"]))
        except UNREADABLE as error:
            damage = damage or _damaged(path, error)
        except Refusal as refusal:
            damage = damage or refusal
    if damage is not None:
        raise damage
    return None


def find_checkpoint(folder: Path, journal: Journal | None = None, at_most: int | None = None) -> Found | None:
    """The newest checkpoint in ``folder`` that is whole, of at most ``at_most`` steps, and not one that the journal has
    taken back; None where there is none. Raises Refusal where those that there are are damaged."""
    damage: Refusal | None = None
    for path in candidates(folder):
        try:
            metadata = metadata_of(path)
            step, lines = int(_numbers(metadata).get("step", 0)), int(metadata.get("journal", 0))
            if (at_most is not None and step > at_most) or (journal and journal.has_taken_back(step, lines)):
                continue
            check_seal(path)
        except UNREADABLE as error:
            damage = damage or _damaged(path, error)
            continue
        note = f"The latest checkpoint is damaged: the run goes on from that of step {step}." if damage else ""
        return Found(step, path, note)
    if damage is not None:
        raise damage
    return None


def restore_checkpoint(trainer: Trainer, path: Path) -> None:
    """Put a trainer where the checkpoint was. Raises Refusal where it is damaged, or another network's."""
    try:
        numbers = _numbers(metadata_of(path))
        with safe_open(str(path), framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if not all(tensor.isfinite().all() for name, tensor in tensors.items() if name.startswith(WEIGHTS)):
            raise ValueError("its weights are no numbers")
    except UNREADABLE as error:
        raise _damaged(path, error) from error
    trainer.restore(tensors, numbers)


def load_checkpoint(trainer: Trainer, folder: Path, journal: Journal | None = None) -> str:
    """Put a trainer where the newest whole checkpoint in ``folder`` was; a note for the person, "" where all was well.
    Raises Refusal where there is none, or it is another network's."""
    found = find_checkpoint(folder, journal)
    if found is None:
        raise Refusal(f"There is no checkpoint in {folder} to go on from. Train into another folder.")
    restore_checkpoint(trainer, found.path)
    return found.note


def _numbers(metadata: Mapping[str, str]) -> dict[str, float]:
    numbers = {name: float(value) for name, value in json.loads(metadata["numbers"]).items()}
    if not all(0 <= value < math.inf for value in numbers.values()) or not 0 < numbers.get("lr_scale", 1.0) <= 1:
        raise ValueError("its numbers are not those of a run")
    return numbers


def _damaged(path: Path, error: Exception) -> Refusal:
    return Refusal(
        f"The checkpoint {path} is damaged, and none before it is whole. Train into another folder; the model that "
        "this run has left can still be opened.",
        repr(error),
    )
