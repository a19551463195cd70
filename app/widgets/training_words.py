"""A training of the list in words."""

from __future__ import annotations

import time

from core.training.runs import RunSummary


def words(run: RunSummary, state: str) -> str:
    """A run in a line, what says most first: "1,204 steps · stopped · loss 0.031 · 14:02"."""
    loss = "" if run.loss is None else f"loss {run.loss:.3f}"
    return " · ".join(filter(None, (f"{run.step:,} steps", state, loss, when(run.changed))))


def when(seconds: float) -> str:
    """A time of today as "14:02", an earlier one as its date."""
    then, now = time.localtime(seconds), time.localtime()
    return time.strftime("%H:%M" if then[:3] == now[:3] else "%Y-%m-%d", then)


def description(run: RunSummary) -> str:
    length = f"{run.steps:,} steps" if run.steps is not None else f"{run.minutes or 0:g} minutes"
    return "\n".join(
        (
            f"{run.name}: {run.step:,} steps in {run.seconds / 60:.1f} minutes, of {length}",
            f"{run.count:,} pictures of {run.data_name}, {run.size} × {run.size}",
            str(run.folder),
        )
    )
