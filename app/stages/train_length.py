"""How long a training that has ended is to last in all, when it is gone on with."""

from __future__ import annotations

from app.stages.train_course import Course
from app.widgets.number_field import Duration


def propose(course: Course, length: Duration) -> None:
    """To its own end where it was stopped, twice as long where it has come to it."""
    factor = 2 if course.progress >= 1 else 1
    if course.total is not None:
        length.set_duration(steps=factor * course.total)
    else:
        length.set_duration(minutes=factor * (course.minutes or 20.0))


def is_longer(length: Duration, course: Course) -> bool:
    """Whether that leaves anything to do."""
    if length.steps is not None:
        return length.steps > course.step
    return 60 * (length.minutes or 0.0) > course.seconds
