"""A run in words: its lines in the history, and all that it was made with."""

from __future__ import annotations

from app.state import Run
from core import request_words
from core.request_words import summary
from core.requests import FromLatent, FromMorph, SampleRequest

__all__ = ["description", "origin", "progress", "summary"]

EARLIER = {"kept": "from before", "awaited": "from before, waits"}


def origin(run: Run) -> str:
    """What follows a run's name where it goes on from another: ", branch at 12"."""
    start = run.request.start if isinstance(run.request, SampleRequest) else None
    if isinstance(start, FromLatent):
        return ", from latent"
    if isinstance(start, FromMorph):
        return ", from morph"
    return "" if run.parent is None else f", branch at {run.parent_step}"


def progress(run: Run) -> str:
    """How far it is: "finished", "running 12/50"; or that it was made before, and will be made again."""
    if run.state in EARLIER:
        return EARLIER[run.state]
    return run.state if run.state == "finished" else f"{run.state} {run.stored}/{run.total}"


def description(run: Run) -> str:
    """All that a run was made with, a line each."""
    return request_words.description(run.request)
