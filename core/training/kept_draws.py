"""Where a training that drew samples lies on this computer, and which of its checkpoints are kept. Torch-free."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from core.errors import Refusal
from core.request_words import printable
from core.training.draw_request import TrainingDraw
from core.training.keeping import candidates, list_checkpoints
from core.training.request import TrainRequest
from core.training.runs import RunSummary, list_runs
from core.training.sealed import metadata_of


def request_in(folder: Path) -> TrainRequest | None:
    """The request of the run in ``folder``, None where no checkpoint says it."""
    for path in candidates(folder):
        with suppress(OSError, ValueError, KeyError, TypeError, RecursionError, Refusal):
            return TrainRequest.from_json(json.loads(metadata_of(path)["request"]))
    return None


def find_training(training: TrainRequest) -> RunSummary | None:
    """The run on this computer that was trained so, whatever its length; the newest where there are several."""
    for run in list_runs():
        known = request_in(run.folder)
        if known is not None and known.continued(training):
            return run
    return None


def checkpoints_of(draw: TrainingDraw) -> tuple[Path, dict[int, Path]]:
    """The folder of the run that drew, and its checkpoints by the steps after which it did; before the first step there
    is none, and none is needed of a network that began with its seed. Raises Refusal where the run is not here, or a
    checkpoint was not kept."""
    run = find_training(draw.training)
    name = printable(draw.training.data_name)
    if run is None:
        raise Refusal(
            f"The training on “{name}” that drew this is not on this computer. Open the picture in the window to take "
            "its settings, and train again."
        )
    kept = {checkpoint.step: checkpoint.path for checkpoint in list_checkpoints(run.folder)}
    needed = {step for step in draw.after if step or draw.training.base is not None}
    missing = sorted(needed - set(kept))
    if missing:
        there = ", ".join(f"{step:,}" for step in kept) or "none"
        raise Refusal(
            f"The checkpoint after {missing[0]:,} step{'' if missing[0] == 1 else 's'} of “{run.name}” was not kept "
            f"(there is: {there}). Train again with “Keep every”, and its samples can be drawn again.",
            str(run.folder),
        )
    return run.folder, {step: kept[step] for step in needed}
