"""Which training is looked at, as plain JSON, so that it is looked at again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from app.mementos import Entry
from core.training.ablation import FILE as ABLATION

if TYPE_CHECKING:
    from app.stages.train import TrainStage

NAME = "looked_at"


def entry(stage: TrainStage) -> Entry:
    """By its folder; "" while a new one is being prepared."""
    shown = stage.shown
    return Entry(
        "Training",
        lambda: _folder(stage),
        lambda path: _look_at(stage, path),
        (shown.turned,),
        is_view=True,
        is_path=True,
    )


def _folder(stage: TrainStage) -> str:
    shown = stage.shown
    if shown.at_ablation:
        record = shown.ablation.record
        return "" if record is None else str(record.folder)
    return "" if shown.course is None else str(shown.course.folder)


def _look_at(stage: TrainStage, path: object) -> None:
    """Unless another is looked at already, or it is not there any more."""
    shown, runs = stage.shown, stage.runs
    if not isinstance(path, str):
        raise ValueError("a folder is expected")
    if path == _folder(stage) or shown.course is not None or shown.at_ablation:
        return
    shown.list_runs()
    folder = Path(path)
    if folder in {run.folder for run in runs.runs} or (folder / ABLATION).is_file():
        stage.choose(folder)
