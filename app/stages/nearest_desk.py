"""The memorisation check of a training: its pictures read again, its network opened, its samples compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from app.stages.nearest_check import Check, Key, about, doing, key_of
from app.stages.train_course import Course
from app.stages.train_loader import FolderLoader
from app.stages.train_nearest import NONE, OWN, NearestPage
from app.state import AppState
from core.errors import Refusal
from core.evaluation.nearest_plan import as_pictures, fitting_judge, nearest_request, trained_as
from core.messages import (
    ClassifierInfo,
    Failed,
    Measured,
    MeasureStarted,
    ModelKnown,
    Nearest,
    RunEnded,
    RunPaused,
    RunResumed,
)
from core.requests import ModelRef
from core.training.dataset import PictureFolder
from core.training.events import Drawn
from resources import FOLDER as RESOURCES

if TYPE_CHECKING:
    from app.bridge import Bridge

JUDGE, JUDGE_SEES = "digits-judge", (32, 32, 1)
"""The bundled recogniser of clean pictures, and the pictures that it was made for."""
KEPT = 8
"""Results of this session that can be looked at again."""


class NearestDesk(QObject):
    """Shows the page the samples looked at and what is known of them, and finds out more where that is asked for.

    Signals: ``changed()`` when a check begins, goes on or ends; ``refused(message, details)``; ``accepted()`` when
    another check begins; ``folder_wanted(Course)`` where a training's pictures are no longer where they were.
    """

    changed = Signal()
    refused = Signal(str, str)
    accepted = Signal()
    folder_wanted = Signal(object)

    def __init__(self, page: NearestPage, state: AppState, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._page, self._state, self._bridge = page, state, bridge
        self._course: Course | None = None
        self._drawn: Drawn | None = None
        self._chosen: str | None = None
        """What the person chose to see with; None: what fits best."""
        self._check: Check | None = None
        self._apart: dict[Path, Path] = {}
        """Held-out pictures by training."""
        self._known: dict[Key, Nearest] = {}
        self._loader = FolderLoader(bridge, self)
        self._loader.opened.connect(self._opened)
        self._loader.failed.connect(self._failed)
        self._loader.progressed.connect(self._read_on)
        self._is_judge_asked = False
        page.wanted.connect(self.start)
        page.opened.connect(self._open_judge)
        page.stop_wanted.connect(self.stop)
        page.features.value_changed.connect(self._choose)
        state.classifiers_changed.connect(self._list_networks)
        bridge.message.connect(self._receive)

    @property
    def is_busy(self) -> bool:
        return self._check is not None

    @property
    def is_paused(self) -> bool:
        return self._check is not None and self._check.state == "paused"

    @property
    def can_pause(self) -> bool:
        """The engine is at work on it, and could let it rest or go on."""
        return self._check is not None and self._check.state in ("measuring", "paused")

    def pause_or_resume(self) -> None:
        check = self._check
        if check is not None and check.job is not None and self.can_pause:
            (self._bridge.resume if self.is_paused else self._bridge.pause)(check.job)

    @property
    def progress(self) -> float:
        """Of the check under way, 0..1."""
        return 0.0 if self._check is None else self._check.progress

    def result(self, course: Course, drawn: Drawn) -> Nearest | None:
        """What is known of these samples."""
        return self._known.get(key_of(course, drawn))

    def show(self, course: Course | None, drawn: Drawn | None, known: Nearest | None = None) -> None:
        """The samples of a training that are looked at, and what somebody else has kept of them."""
        is_other = course is not self._course
        if course is not None and drawn is not None and known is not None:
            self._know(key_of(course, drawn), known)
        self._course, self._drawn = course, drawn
        if is_other:
            self._list_networks()
            if self._page.isVisible():
                self._open_judge()
        self._paint()

    @Slot()
    def start(self) -> None:
        """Compare the samples looked at."""
        course, drawn = self._course, self._drawn
        if course is None or drawn is None or self.is_busy:
            return
        self.accepted.emit()
        if course.pictures is None or not course.pictures.is_dir():
            where = f"The pictures of {course.name} are no longer in {course.pictures}. " if course.pictures else ""
            self.refused.emit(f"{where}Choose the folder that holds the pictures “{course.data_name}”.", "")
            self.folder_wanted.emit(course)
            return
        self.read(course, course.pictures)

    def read(self, course: Course, folder: Path) -> None:
        """Compare them with the pictures in this folder."""
        drawn = self._drawn
        if drawn is None or course is not self._course:
            return
        trained = trained_as(course.folder)
        self._check = Check(course, drawn, self._page.features.value(), trained, self._apart.get(course.folder))
        self._loader.open(folder, trained.reading or course.size)
        self._paint()

    def hold_out(self, course: Course, folder: Path) -> None:
        """Compare this training's samples with the pictures in this folder from now on."""
        self._apart[course.folder] = folder
        self._paint()

    @Slot()
    def stop(self) -> None:
        """Compare no further."""
        check = self._check
        if check is not None and check.job is not None:
            self._bridge.cancel(check.job)  # its end is told
        elif check is not None:
            self._end()

    def leave(self) -> None:
        """The window is closed."""
        self._loader.cancel()

    # One after the other

    @Slot(object, object)
    def _opened(self, data: PictureFolder, folder: Path) -> None:
        check = self._check
        if check is None:
            return
        if check.data is not None:
            check.held_out = data
        else:
            check.course.pictures = folder
            check.data = data.unflipped(check.trained.never_flipped)
            if check.apart is not None:
                self._loader.open(check.apart, check.trained.reading or check.course.size)
                return
        if check.features == OWN:
            check.state = "opening"
            self._bridge.know_model(str(check.course.folder))
            self._paint()
            return
        known = {one.ref.sha256: one.ref for one in self._state.classifiers}
        self._measure(check, check.data, known.get(check.features))

    def _measure(self, check: Check, data: PictureFolder, features: ModelRef | None) -> None:
        samples = as_pictures(f"{check.course.name}, {check.course.told(check.drawn)}", check.drawn.pictures)
        beside = (samples,) if check.held_out is None else (samples, check.held_out)
        trained = check.trained
        try:
            request = nearest_request(
                samples, data, check.held_out, features, mirrored=trained.flip, aside=trained.aside_of(data)
            )
        except Refusal as refusal:
            self._failed(str(refusal), refusal.details)
            return
        check.state, check.job = "queued", self._bridge.measure(request, data, beside)
        self._paint()

    @Slot(object)
    def _receive(self, message: object) -> None:
        check = self._check
        if check is None:
            return
        match message:
            case ModelKnown(info=info, folder=folder) if check.state == "opening" and check.data is not None:
                if Path(folder).resolve() == check.course.folder.resolve():
                    check.opened = info.ref
                    self._measure(check, check.data, info.ref)
            case Failed(job=None) if check.state == "opening":
                self._failed(message.message, message.details)
            case MeasureStarted(job=job) | RunResumed(job=job) if job == check.job:
                check.state = "measuring"
                self._paint()
            case RunPaused(job=job) if job == check.job:
                check.state = "paused"
                self._paint()
            case Measured(job=job, result=Nearest() as result) if job == check.job:
                check.progress = message.done / max(1, message.total)
                self._know(key_of(check.course, check.drawn), result)
                self._paint()
            case RunEnded(job=job) if job == check.job:
                self._end()
            case Failed(job=int(job)) if job == check.job:
                self._failed(message.message, message.details)

    def _know(self, key: Key, result: Nearest) -> None:
        others = {name: known for name, known in self._known.items() if name != key}
        self._known = dict(list(others.items())[-KEPT + 1 :]) | {key: result}

    @Slot(str, str)
    def _failed(self, message: str, details: str) -> None:
        self._end()
        self.refused.emit(message, details)

    def _end(self) -> None:
        self._loader.cancel()
        check, self._check = self._check, None
        if check is not None and check.opened is not None and check.opened.sha256 not in self._state.folders:
            self._bridge.forget_model(check.opened)  # a training that goes on has other weights the next time
        self._paint()

    @Slot(int, int)
    def _read_on(self, done: int, total: int) -> None:
        if self._check is not None and total:
            self._check.progress = done / total
            self._paint()

    # What is shown

    @Slot(str)
    def _choose(self, key: str) -> None:
        self._chosen = key

    @Slot()
    def _list_networks(self) -> None:
        """Recognisers that are open and see such pictures; the one that knows the training's classes is chosen."""
        fit = self._fitting()
        names = {one.ref.sha256: one.ref.name for one in fit}
        judge = fitting_judge(fit, fit[0].event_shape, self._course.classes) if fit and self._course else None
        wanted = self._chosen or (judge.ref.sha256 if judge is not None else OWN)
        chosen = wanted if wanted in (OWN, NONE, *names) else OWN
        self._page.features.blockSignals(True)
        self._page.set_feature_networks(names, chosen)
        self._page.features.blockSignals(False)

    @Slot()
    def _open_judge(self) -> None:
        """The bundled judge, once, where it could see such pictures and nothing that is open can."""
        drawn = self._drawn
        sees = drawn is not None and drawn.pictures.shape[1:] == JUDGE_SEES and not self._fitting()
        if sees and not self._is_judge_asked and (RESOURCES / "classifiers" / JUDGE).is_dir():
            self._is_judge_asked = True
            self._bridge.open_classifier(JUDGE)

    def _fitting(self) -> Sequence[ClassifierInfo]:
        course, drawn = self._course, self._drawn
        if course is None or drawn is None:
            return ()
        side, channels = drawn.pictures.shape[1:3], drawn.pictures.shape[3]
        alike = (one for one in self._state.classifiers if not one.noisy)
        return [one for one in alike if not one.labels or one.event_shape == (channels, *side)]

    def _paint(self) -> None:
        self._show_page()
        self.changed.emit()

    def _show_page(self) -> None:
        course, drawn, check = self._course, self._drawn, self._check
        page = self._page
        if course is None or drawn is None:
            page.show_samples(None, (), None)
            page.show_state("", can_start=False, is_busy=check is not None)
            return
        apart = self._apart.get(course.folder)
        page.show_held_out("" if apart is None else apart.name)
        result = self._known.get(key_of(course, drawn))
        classes = [course.class_of(sample) for sample in range(len(drawn.pictures))]
        page.show_samples(drawn.pictures, classes, result, course.recipe(drawn))
        if check is not None:
            page.show_state(doing(check, course, drawn), about(result, course, drawn), can_start=False, is_busy=True)
            return
        can_start = course.saved is not None
        page.show_state("" if can_start else "Once it is saved", about(result, course, drawn), can_start=can_start)
