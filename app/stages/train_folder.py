"""What the folder of a training says of what it has learned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.stages.train_aim import Aim
from core.codec import field_from_json
from core.errors import Refusal
from core.json_file import Fields, read_json
from core.training.comparison import read_settings
from core.training.events import PathChanged
from core.training.journal import Journal
from core.training.kernel_path import KernelPath
from core.training.path_changes import path_changes

FILE = "diffuscope.json"
AIMS = ("task", "noised", "prediction", "objective", "variance", "schedule", "timestep_sampler")


@dataclass(frozen=True, slots=True)
class RunFolder:
    """``classes`` it has learned; its ``aim``; of a classifier its ``accuracy``: (t, share of the pictures kept
    aside that it recognised)."""

    classes: tuple[str, ...] = ()
    aim: Aim = field(default_factory=Aim)
    accuracy: tuple[tuple[int, float], ...] = ()


def read_run_folder(folder: Path) -> RunFolder:
    """What can be read; as usual where nothing can."""
    request = None if (folder / FILE).is_file() else read_settings(folder)
    if request is not None:  # its process was killed before it had written a model
        return RunFolder(request.labels, Aim(**{name: getattr(request, name) for name in AIMS}))
    try:
        says = read_json(folder / FILE)
        classes = Fields(says, FILE).texts("labels")
    except (Refusal, OSError):
        return RunFolder()
    provenance = _object(says.get("provenance"))
    return RunFolder(classes, _aim(_object(provenance.get("training"))), _accuracy(provenance))


def computed(folder: Path, step: int) -> str:
    """How the network of a training was computed after ``step`` steps, in words; "" where nothing says so."""
    try:
        line = Journal(folder).in_force(step)
        return "" if line is None else KernelPath.from_json(line.path).words
    except Refusal:
        return ""


def recomputed(folder: Path, step: int) -> tuple[PathChanged, ...]:
    """Where in its first ``step`` steps that changed; none where nothing says so."""
    try:
        return path_changes(Journal(folder), step)
    except Refusal:
        return ()


def _aim(training: Mapping[str, Any]) -> Aim:
    try:
        return Aim(**{name: field_from_json(Aim, name, training[name]) for name in AIMS if name in training})
    except Refusal:
        return Aim()


def _accuracy(provenance: Mapping[str, Any]) -> tuple[tuple[int, float], ...]:
    fields = Fields(_object(provenance.get("accuracy")), FILE)
    try:
        shares = fields.numbers("recognised")
        return tuple((int(t), share) for t, share in zip(fields.numbers("timesteps"), shares, strict=True))
    except (Refusal, ValueError):
        return ()


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
