"""A bridge without an engine: it records what it is asked, and says what the test's script makes it say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QGridLayout, QVBoxLayout, QWidget

from app.bridge import begun
from app.stages.base import Stage
from app.state import UNMADE, AppState, Measuring, Run
from core.checkpoints.description import Answers, ExportForm
from core.images import OpenedImage
from core.inversion_plan import inversion_path
from core.levels import Level, Path
from core.measure_requests import MeasureRequest
from core.messages import (
    ClassifierInfo,
    ClassifierOpened,
    EngineState,
    Failed,
    Inspection,
    Measured,
    Measurement,
    MeasureStarted,
    Message,
    ModelInfo,
    ModelOpened,
    Preview,
    Progress,
    Recognised,
    Refined,
    RunEnded,
    RunPaused,
    RunResumed,
    RunStarted,
    Status,
    frozen,
)
from core.morph_plan import batches, inversion_of
from core.paths import make_path
from core.requests import (
    ImageEnd,
    InspectImage,
    InspectStep,
    Interactive,
    InvertRequest,
    ModelRef,
    MorphRequest,
    RunRequest,
    SampleRequest,
    ScheduleSpec,
)
from core.schedules import make_schedule
from core.training.dataset import PictureFolder
from core.training.order import Instruction, TrainOrder

DIGITS = ModelInfo(
    ref=ModelRef("digits", "d" * 64),
    event_shape=(1, 32, 32),
    schedule=ScheduleSpec("linear"),
    prediction="v",
    labels=tuple("0123456789"),
    null_label=10,
    precision="float32",
)
GUIDE = ClassifierInfo(
    ref=ModelRef("digits-guide", "c" * 64),
    event_shape=(1, 32, 32),
    labels=tuple("0123456789"),
    schedule=ScheduleSpec("linear"),
    features=64,
)
CAP = 400_000_000


class FakeBridge(QObject):
    """The methods and signals of ``app.bridge.Bridge``.

    Recorded: ``submitted`` requests and orders, ``trained`` orders and ``measured`` requests with their pictures, those
    ``beside``, ``asked`` requests, ``images`` by hash, ``calls`` as (method, job), and the hash of the
    model that was ``meant`` last. Scripted: ``ready``, ``begin``,
    ``advance``, ``end``, ``fail``, ``answer``, ``know`` a classifier, ``begin_measure``, ``say_measured``; runs whose
    states have made room are ``let_go``. As with the engine, nothing that it says comes before a method has returned,
    but for pause and resume.
    """

    message = Signal(object)
    opening_left = Signal()
    ending = Signal()

    def __init__(self, state: AppState) -> None:
        super().__init__(state)
        self.state = state
        self.submitted: list[Any] = []
        self.trained: list[tuple[TrainOrder, PictureFolder]] = []
        self.measured: list[tuple[MeasureRequest, PictureFolder]] = []
        self.beside: list[tuple[PictureFolder, ...]] = []
        self.asked: list[Interactive] = []
        self.images: dict[str, OpenedImage] = {}
        self.calls: list[tuple[str, object]] = []
        self.meant = ""
        self.let_go: set[int] = set()

    # What the stages call

    def open_model(self, name_or_path: str, answers: Answers | None = None, sha256: str = "") -> None:
        self.meant = sha256
        self.calls.append(("open_model", name_or_path if answers is None else (name_or_path, dict(answers))))

    def cancel_opening(self) -> None:
        self.calls.append(("cancel_opening", None))
        self.opening_left.emit()

    def ask_again(self, name_or_path: str) -> None:
        self.calls.append(("ask_again", name_or_path))

    def export_model(self, ref: ModelRef, folder: str, form: ExportForm) -> None:
        self.calls.append(("export_model", (ref, folder, form)))

    def save_copy(self, path: str, answers: Answers, folder: str) -> None:
        self.calls.append(("save_copy", (path, dict(answers), folder)))

    def know_model(self, name_or_path: str, sha256: str = "") -> None:
        self.meant = sha256
        self.calls.append(("know_model", name_or_path))

    def forget_model(self, ref: ModelRef) -> None:
        self.calls.append(("forget_model", ref))

    def add_image(self, image: OpenedImage) -> None:
        self.images[image.sha256] = image
        self.state.pictures[image.sha256] = image

    def reserve(self, wanted: int = 0) -> int:
        while len(self.submitted) < max(wanted - 1, 0):
            self.submitted.append(None)
        self.submitted.append(None)
        return len(self.submitted)

    def submit(self, request: RunRequest, number: int | None = None) -> int:
        if number is not None:
            self.submitted[number - 1] = request
            self.calls.append(("submit", number))
            return number
        self.submitted.append(request)
        return len(self.submitted)

    def cancel(self, job: int) -> None:
        self.calls.append(("cancel", job))

    def pause(self, job: int) -> None:
        self.calls.append(("pause", job))
        if self._measuring(job, "paused", EngineState.PAUSED):
            self.say(RunPaused(job, 0))
            return
        if job not in self.state.runs:  # of what has not begun nothing is said; of a training the test says it
            return
        self._run(job, state="paused")
        self._status(EngineState.PAUSED, job)
        self.say(RunPaused(job, self.state.runs[job].stored))

    def resume(self, job: int) -> None:
        self.calls.append(("resume", job))
        if self._measuring(job, "running", EngineState.MEASURING):
            self.say(RunResumed(job))
            return
        if job not in self.state.runs:
            return
        self._run(job, state="running")
        self._status(EngineState.SAMPLING, job)
        self.say(RunResumed(job))

    def step(self, job: int) -> None:
        self.calls.append(("step", job))

    def ask(self, request: Interactive) -> None:
        self.asked.append(request)

    def frame(self, job: int, step: int, frame: int | None = None) -> Preview | None:
        if not self._has(job, step, frame):
            return None
        return self._preview(job, step, with_hats=False, frames=() if frame is None else (frame,))

    def keeps(self, job: int) -> bool:
        return job not in self.let_go

    def values(self, job: int, step: int, frame: int | None = None) -> np.ndarray | None:
        """Noise, the same for the same state."""
        if not self._has(job, step, frame):
            return None
        rng = np.random.default_rng([step, 0 if frame is None else frame])
        return frozen(rng.standard_normal(self._shape(job, frame), dtype=np.float32))

    def train(self, order: TrainOrder, data: PictureFolder) -> int:
        self.trained.append((order, data))
        self.submitted.append(order)
        return len(self.submitted)

    def measure(self, request: MeasureRequest, data: PictureFolder, beside: Sequence[PictureFolder] = ()) -> int:
        self.measured.append((request, data))
        self.beside.append(tuple(beside))
        self.submitted.append(request)
        return len(self.submitted)

    def open_classifier(self, name_or_path: str, answers: Answers | None = None) -> None:
        self.calls.append(("open_classifier", name_or_path if answers is None else (name_or_path, dict(answers))))

    def instruct(self, job: int, instruction: Instruction) -> None:
        self.calls.append(("instruct", (job, instruction)))

    def snapshot(self, job: int) -> None:
        self.calls.append(("snapshot", job))

    # What a test makes happen

    def ready(self, model: ModelInfo = DIGITS) -> None:
        """The engine has started and a model is open."""
        self.state.set_model(model)
        self._status(EngineState.IDLE, None)
        self.say(ModelOpened(model))

    def begin(self, job: int) -> None:
        """The engine takes up a run that was submitted."""
        request = self.submitted[job - 1]
        path, total = path_of(request), sum(steps for _frames, steps in parts_of(request))
        started = RunStarted(job, request, path, CAP, total)
        self.let_go.discard(job)
        self._status(EngineState.SAMPLING, job)
        self.state.put_run(begun(started, self.state.runs))
        self.say(started)

    def advance(self, job: int, steps: int = 1) -> None:
        """The run takes this many steps; each is stored and previewed."""
        if job not in self.state.runs or self.state.runs[job].state in UNMADE:
            self.begin(job)
        for _ in range(steps):
            run = self.state.runs[job]
            done = run.stored
            frames, step = self._place(run, done)
            self.say(self._preview(job, step, with_hats=True, frames=frames))
            self._run(job, stored=done + 1, rate=40.0, eta=1.0)
            misses = tuple(0.1 / 10**k for k in range(getattr(run.request, "refinements", 0))) if not frames else ()
            self.say(Progress(job, done + 1, run.total, 40.0, 1.0, 1000 * (done + 2)))
            if misses:
                self.say(Refined(job, done + 1, misses))
            if isinstance(run.request, SampleRequest) and run.request.classifier is not None:
                self.say(Recognised(job, done, tuple(-2.0 / (done + 1) for _ in run.request.samples)))
            if run.state == "paused":
                self.say(RunPaused(job, done + 1))
            if done + 1 == run.total and not isinstance(run.request, MorphRequest):
                self.say(self._preview(job, done + 1, with_hats=False))

    def know(self, classifier: ClassifierInfo = GUIDE) -> None:
        """A classifier is open."""
        self.state.add_classifier(classifier)
        self.say(ClassifierOpened(classifier))

    def begin_measure(self, job: int, total: int = 10) -> None:
        """The engine takes up a measurement that was asked for."""
        self._status(EngineState.MEASURING, job)
        self.state.set_measuring(Measuring(job, total=total))
        self.say(MeasureStarted(job, self.submitted[job - 1], total))

    def say_measured(self, job: int, result: Measurement, done: int, eta: float = 1.0) -> None:
        measuring = self.state.measuring
        assert measuring is not None
        assert measuring.job == job
        self.state.set_measuring(replace(measuring, done=done, eta=eta))
        self.say(Measured(job, result, done, measuring.total, eta))

    def end(self, job: int, reason: str = "finished") -> None:
        measuring = self.state.measuring
        if measuring is not None and measuring.job == job:
            self.state.set_measuring(replace(measuring, state=reason, eta=0.0))
            self._status(EngineState.IDLE, None)
            self.say(RunEnded(job, reason, measuring.done, 1.0))
            return
        self._run(job, state=reason)
        self._status(EngineState.IDLE, None)
        self.say(RunEnded(job, reason, self.state.runs[job].stored, 1.0))

    def run_to_end(self, job: int) -> None:
        self.advance(job, sum(steps for _frames, steps in parts_of(self.submitted[job - 1])))
        self.end(job)

    def fail(self, job: int | None, sentence: str) -> None:
        self.say(Failed(job, sentence, "details"))

    def answer(self, request: Interactive | None = None) -> Inspection:
        """The network has looked: at the latest request, or at an older one that comes late."""
        request = request or self.asked[-1]
        if isinstance(request, InspectStep):
            frames = () if request.frame is None else (request.frame,)
            preview = self._preview(request.run, request.step, with_hats=True, frames=frames)
            level, count = preview.level, len(preview.x_t)
        else:
            level, count = make_schedule(request.schedule).level(request.t), 1
        grey = _grey(request)
        model = self.state.model
        assert model is not None
        shape = (count, *model.event_shape)
        signed = frozen(np.full(shape, grey / 255 - 0.5, np.float32))
        picture = _picture(shape, grey)
        run = self.state.runs[request.run].request if isinstance(request, InspectStep) else None
        answer = Inspection(request, level, picture, picture, signed, signed, 20.0, **self._guidance(run, signed))
        self.say(answer)
        return answer

    @staticmethod
    def _guidance(run: RunRequest | None, signed: np.ndarray) -> dict[str, Any]:
        """What guides a state of a run, where something does."""
        if not isinstance(run, SampleRequest):
            return {}
        difference = {"difference": signed} if run.guidance and run.labels else {}
        log_p = tuple(-1.0 - sample for sample in range(len(signed)))
        return difference | ({"gradient": signed, "log_p": log_p} if run.classifier else {})

    def say(self, message: Message) -> None:
        self.message.emit(message)

    def _preview(self, job: int, step: int, with_hats: bool, frames: tuple[int, ...] = ()) -> Preview:
        run, level = self.state.runs[job], self._level(job, step)
        count, *event_shape = self._shape(job, frames[0] if frames else None)
        shape = (len(frames) or count, *event_shape)
        picture = _picture(shape, 250 - 240 * step // run.steps)
        eps = frozen(np.full(shape, 1 - step / run.steps, np.float32)) if with_hats else None
        known = with_hats or level.is_clean
        guidance = self._guidance(run.request, eps) if eps is not None else {}
        guidance.pop("log_p", None)
        return Preview(job, step, level, picture, picture if known else None, eps, (-2.0, 2.0), frames, **guidance)

    def _has(self, job: int, step: int, frame: int | None) -> bool:
        run = self.state.runs[job]
        if run.state in UNMADE or job in self.let_go:
            return False
        if not isinstance(run.request, MorphRequest):
            return frame is None and step <= run.stored
        made, begun_at = run.stored, 0
        for frames, steps in parts_of(run.request):
            if frame in frames:
                return begun_at < made and step <= made - begun_at
            begun_at += steps
        return False

    def _place(self, run: Run, done: int) -> tuple[tuple[int, ...], int]:
        for frames, steps in parts_of(run.request):
            if done < steps:
                return frames, done
            done -= steps
        raise AssertionError("the run has ended")

    def _shape(self, job: int, frame: int | None) -> tuple[int, ...]:
        model, request = self.state.model, self.state.runs[job].request
        assert model is not None
        match request:
            case InvertRequest():
                count = len(request.images)
            case SampleRequest():
                count = len(request.samples)
            case _:  # a morph's pictures go up together
                count = sum(isinstance(end, ImageEnd) for end in request.ends)
        return (count if frame is None else 1, *model.event_shape)

    def _level(self, job: int, step: int) -> Level:
        return self.state.runs[job].path[step]

    def _run(self, job: int, **changes: object) -> None:
        self.state.put_run(replace(self.state.runs[job], **changes))

    def _measuring(self, job: int, word: str, state: EngineState) -> bool:
        """Whether the job is a measurement, whose state it then becomes."""
        measuring = self.state.measuring
        if measuring is None or measuring.job != job:
            return False
        self.state.set_measuring(replace(measuring, state=word))
        self._status(state, job)
        return True

    def _status(self, state: EngineState, job: int | None) -> None:
        self.state.set_status(Status(state, "cpu", job))


def path_of(request: RunRequest) -> Path:
    if isinstance(request, InvertRequest):
        return inversion_path(request)
    return make_path(make_schedule(request.schedule), request.timesteps, request.final_alpha_bar)


def parts_of(request: RunRequest) -> list[tuple[tuple[int, ...], int]]:
    """The walks that the engine makes of a request, in order: (frames of a morph, steps)."""
    if not isinstance(request, MorphRequest):
        return [((), request.steps)]
    inversion = inversion_of(request)
    up = [] if inversion is None else [((), inversion.steps)]
    return [*up, *((frames, request.steps) for frames in batches(request))]


def _grey(request: Interactive) -> int:
    return request.t * 255 // request.schedule.T if isinstance(request, InspectImage) else 20 + request.step


def _picture(shape: tuple[int, ...], grey: int) -> np.ndarray:
    count, channels, height, width = shape
    return frozen(np.full((count, height, width, channels), grey % 256, np.uint8))


def opened(pixels: np.ndarray, name: str = "picture", sha256: str = "a" * 64) -> OpenedImage:
    return OpenedImage(frozen(pixels), sha256, name, ())


def gradient(height: int = 48, width: int = 64, channels: int = 3) -> OpenedImage:
    """A colour picture in which no two columns are alike."""
    ramp = np.linspace(0, 255, width).astype(np.uint8)
    pixels = np.repeat(np.repeat(ramp[None, :, None], height, 0), channels, 2)
    return opened(np.ascontiguousarray(pixels), "gradient")


class Dock(QWidget):
    """A stage with its side panel and its bottom, as the window shows them."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.stage = stage
        grid = QGridLayout(self)
        grid.addWidget(stage, 0, 0)
        right = QVBoxLayout()
        for widget in stage.right_widgets():
            right.addWidget(widget)
        grid.addLayout(right, 0, 1)
        for row, widget in enumerate(stage.bottom_widgets(), 1):
            grid.addWidget(widget, row, 0, 1, 2)
        self.resize(1100, 900)
