"""What Train says in the status bar: what can be done next."""

from __future__ import annotations

from app.stages.train_course import Course

NEW = "Drop a folder; sub-folders are classes. Ctrl+Enter starts."
EARLIER = " F10: earlier trainings."
LIVE = "Space pauses, Esc stops and keeps, Ctrl+Enter uses the model."
ENDED = "Drag the slider to see it learn. Ctrl+Enter uses the model, {goes_on}."
ABLATION = "Click a title to look at one training alone. Space pauses, Esc stops and keeps; it can be gone on with."
CLASSIFIER = "Ctrl+Enter opens the classifier, {goes_on}."


def hint(course: Course | None, has_earlier: bool, at_work: Course | None = None) -> str:
    """For the training looked at, or the one being prepared, which waits for the one ``at_work``."""
    if course is None and at_work is not None:
        return f"{at_work.name} is being trained: what you start now begins when it is over."
    if course is not None and course.state == "queued" and at_work is not course and at_work is not None:
        return f"It begins when {at_work.name} is over. Esc takes it out of the queue."
    if course is None:
        return NEW + (EARLIER if has_earlier else "")
    if course.is_live:
        return LIVE
    goes_on = "Train on adds to it" if course.state == "finished" else "Resume goes on"
    return (ENDED if course.aim.task == "diffusion" else CLASSIFIER).format(goes_on=goes_on)


def said_when_open(course: Course, name: str) -> str:
    """Beside the state of a training whose model was opened under this name."""
    uses = {"diffusion": "is open in every stage", "classifier": "can guide", "judge": "can judge"}
    return f"“{name}” {uses[course.aim.goal]}"


def open_hint(course: Course, name: str) -> str:
    """What can be done with it."""
    does = {
        "diffusion": "is open: Denoise, Invert and Morph work with it from now on.",
        "classifier": "is open: choose it under More in Denoise to be guided by it.",
        "judge": "is open: Measure offers it to judge samples by.",
    }
    return f"“{name}” {does[course.aim.goal]}"
