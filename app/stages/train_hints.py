"""What Train says in the status bar: what can be done next."""

from __future__ import annotations

from app.stages.train_course import Course

NEW = "Drop a folder; sub-folders are classes. Ctrl+Enter starts."
EARLIER = " F10: earlier trainings."
LIVE = "Space pauses, Esc stops and keeps, Ctrl+Enter uses the model."
ENDED = "Drag the slider to see it learn. Ctrl+Enter uses the model, Resume goes on."


def hint(course: Course | None, has_earlier: bool, at_work: Course | None = None) -> str:
    """For the training looked at, or the one being prepared, which waits for the one ``at_work``."""
    if course is None and at_work is not None:
        return f"{at_work.name} is being trained: stop it before you start another."
    if course is None:
        return NEW + (EARLIER if has_earlier else "")
    return LIVE if course.is_live else ENDED
