"""A memorisation check under way, and what is said of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from app.stages.train_course import Course
from core.evaluation.nearest_plan import Trained
from core.messages import Nearest
from core.requests import ModelRef
from core.training.dataset import PictureFolder
from core.training.events import Drawn


@dataclass
class Check:
    """One under way. ``features`` is what was chosen to see with, ``apart`` the folder of held-out pictures or None;
    ``job`` is None before it is in the engine."""

    course: Course
    drawn: Drawn
    features: str
    trained: Trained
    apart: Path | None = None
    held_out: PictureFolder | None = None
    data: PictureFolder | None = None
    opened: ModelRef | None = None
    job: int | None = None
    progress: float = 0.0
    state: str = "reading"


Key = tuple[Path, int, str]
"""Of some samples: whose they are, drawn after which step with which weights."""


def key_of(course: Course, drawn: Drawn) -> Key:
    return course.folder, drawn.step, drawn.weights


def doing(check: Check, course: Course, drawn: Drawn) -> str:
    words = {
        "reading": f"Reading the pictures, {check.progress:.0%}",
        "opening": "Opening its network",
        "queued": "Waiting for the engine",
        "measuring": f"Comparing, {check.progress:.0%}",
        "paused": f"Paused at {check.progress:.0%}",
    }[check.state]
    if check.course is not course:
        return f"{words}: {check.course.name}"
    return words if check.drawn.step == drawn.step else f"{words}: {course.told(check.drawn)}"


def about(result: Nearest | None, course: Course, drawn: Drawn) -> str:
    which = f"{len(drawn.pictures)} {course.told(drawn)}"
    if result is None or result.pixels is None:
        return f"{which}."
    seen = f" Features: {result.by}." if result.features is not None else ""
    return f"{which}, {result.count:,} training pictures.{seen}"
