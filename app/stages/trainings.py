"""The trainings of this session, as the engine tells of them, and what can be asked of it for one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from app.stages.readiness import AT_WORK
from app.stages.train_aim import Aim
from app.stages.train_course import Course, ordered
from app.stages.train_folder import read_run_folder
from app.stages.train_queue import Waiting
from core.messages import ClassifierOpened, EngineState, Failed, ModelOpened, Status, TrainingSaved
from core.training.ablation import FILE as ABLATION
from core.training.dataset import PictureFolder
from core.training.order import Instruction, TrainOrder
from core.training.runs import list_runs

if TYPE_CHECKING:
    from app.bridge import Bridge


class Trainings(QObject):
    """Signals: ``changed(Course, message)`` after a message of the engine; ``opened(Course, str)`` with the name under
    which the model of a training is open in every stage; ``refused(message, details)`` where it cannot be opened;
    ``queue_changed()`` when one was queued, has begun or was taken out."""

    changed = Signal(object, object)
    opened = Signal(object, str)
    refused = Signal(str, str)
    queue_changed = Signal()

    def __init__(self, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._courses: dict[int, Course] = {}
        self._orders: dict[int, tuple[TrainOrder, PictureFolder]] = {}
        """Of those that have not begun, by job."""
        self._awaits: Course | None = None
        bridge.message.connect(self._receive)

    @property
    def live(self) -> Course | None:
        """The one that is at work or paused, or about to begin; others wait for it."""
        return next((course for course in self._courses.values() if course.is_live), None)

    def of(self, folder: Path | None) -> Course | None:
        """The one that lies in this folder, where it was at work in this session: the last one, where others of that
        name were stopped before they had begun."""
        return next((course for course in reversed(self._courses.values()) if course.folder == folder), None)

    @property
    def courses(self) -> tuple[Course, ...]:
        """Those of this session."""
        return tuple(self._courses.values())

    @property
    def waiting(self) -> tuple[Waiting, ...]:
        """Those that were queued and have not begun; an ablation's are gone on with on its page."""
        return tuple(
            Waiting(order, data.source, data.reading)
            for order, data in self._orders.values()
            if data.source is not None and data.reading is not None and not _is_part(order.out)
        )

    def forget(self, folder: Path) -> None:
        """It is not there any more, with all that lay in it."""
        gone = [job for job, course in self._courses.items() if course.folder.is_relative_to(folder)]
        for job in gone:
            del self._courses[job]

    def states(self) -> dict[Path, str]:
        """What those at work do, by folder."""
        return {course.folder: course.state for course in self._courses.values() if course.is_live}

    def before(self, course: Course) -> str:
        """The name of the training that it waits for in the queue, "" where that is none."""
        live = self.live
        return live.name if live is not None and live is not course and course.state == "queued" else ""

    @property
    def why_not_queue(self) -> str:
        """What keeps another training from being queued, "" where nothing does: an ablation's follow each other."""
        is_part = self.live is not None and _is_part(self.live.folder)
        return "An ablation is being trained: stop it first, or wait." if is_part else ""

    def start(self, order: TrainOrder, data: PictureFolder, aim: Aim) -> Course:
        """Queue a new training, which begins when those before it are over."""
        job = self._queue(order, data)
        course = self._courses[job] = ordered(order, data, job, aim)
        return course

    def go_on(self, course: Course, data: PictureFolder, *, minutes: float | None, steps: int | None) -> None:
        """Queue a training that had ended, to last so long in all; it goes on when those before it are over."""
        order = TrainOrder(
            out=course.folder, minutes=minutes, steps=steps, resume=True, samples_from=course.samples_from
        )
        if course.samples:  # as many as before, from the same noise: one film
            order = replace(order, samples=len(course.samples[-1].pictures))
        self._courses = {job: known for job, known in self._courses.items() if known is not course}  # the last in turn
        course.job = self._queue(order, data)
        course.state, course.total, course.minutes = "queued", steps, minutes
        self._courses[course.job] = course

    def _queue(self, order: TrainOrder, data: PictureFolder) -> int:
        job = self._bridge.train(order, data)
        self._orders[job] = order, data
        self.queue_changed.emit()
        return job

    def pause_or_resume(self, course: Course) -> None:
        if course.job is not None and course.is_live and not self.before(course):
            (self._bridge.resume if course.state == "paused" else self._bridge.pause)(course.job)

    def stop(self, course: Course) -> None:
        """What it has learned is kept."""
        if course.job is not None and course.is_live:
            self._bridge.cancel(course.job)

    def instruct(self, course: Course, instruction: Instruction) -> None:
        """Ask something of one that is under way; what it does with it, it tells."""
        if course.job is not None and course.is_live:
            self._bridge.instruct(course.job, instruction)
            course.samples_from = instruction.samples_from or course.samples_from
            course.will_draw = course.will_draw or instruction.draw

    def use(self, course: Course) -> None:
        """Open the model or classifier as it is, in every stage."""
        self._awaits = course
        if course.is_live and course.job is not None:
            self._bridge.snapshot(course.job)
        elif course.aim.task == "classifier":
            self._bridge.open_classifier(str(course.folder))
        else:
            self._bridge.open_model(str(course.folder))

    @Slot(object)
    def _receive(self, message: object) -> None:
        self._listen(message)
        course = self._courses.get(getattr(message, "job", None) or 0)
        if course is None or not course.receive(message):
            return
        if course.state != "queued" and course.job in self._orders:
            del self._orders[course.job]
            self.queue_changed.emit()
        if isinstance(message, TrainingSaved) and course.aim.task == "classifier":
            course.accuracy = read_run_folder(course.folder).accuracy
        if not course.is_live:
            self._read_summary(course)
        self.changed.emit(course, message)

    def _listen(self, message: object) -> None:
        """Whether what was asked for is open."""
        course = self._awaits
        if course is None:
            return
        expected = ModelOpened if course.aim.task == "diffusion" else ClassifierOpened
        if isinstance(message, expected):
            self._awaits = None
            self.opened.emit(course, message.info.ref.name)
        elif isinstance(message, Failed) and message.job is None:
            self._awaits = None
            self.refused.emit(message.message, message.details)

    def _read_summary(self, course: Course) -> None:
        """What only the folder knows: how long it has worked, and where its pictures lie."""
        known = next((run for run in list_runs() if run.folder == course.folder), None)
        if known is not None:
            course.seconds, course.pictures = known.seconds, known.pictures


def _is_part(folder: Path) -> bool:
    """Whether a training is one of an ablation's."""
    return (folder.parent / ABLATION).is_file()


def waits_for(course: Course, status: Status) -> str:
    """What a training makes way for at this moment, "" where for nothing."""
    if course.state not in ("queued", "running") or status.job == course.job:
        return ""
    if status.state is EngineState.SAMPLING and status.job is not None:
        return f"run {status.job}"
    return AT_WORK.get(status.state, "")
