"""Between the window and the engine: the only module that knows both, and the only one that knows asyncio."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeVar

import qasync
from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import QApplication

from app.state import UNMADE, AppState, Measuring, Run, Training, parent_of
from core.checkpoints.description import Answers, ExportForm
from core.engine import Engine
from core.images import OpenedImage
from core.measure_requests import MeasureRequest
from core.messages import (
    ClassifierOpened,
    EngineState,
    Failed,
    Measured,
    MeasureStarted,
    Message,
    ModelOpened,
    Preview,
    Progress,
    RunEnded,
    RunPaused,
    RunResumed,
    RunStarted,
    Signed,
    Status,
    TrainingStarted,
    TrainingTick,
)
from core.requests import FromStep, InspectStep, Interactive, ModelRef, RunRequest, SampleRequest
from core.training.dataset import PictureFolder
from core.training.order import Instruction, TrainOrder

log = logging.getLogger(__name__)

T = TypeVar("T")

FRAME_MS = 16
CLOSE_SECONDS = 2.5
SAVE_SECONDS = 60.0
"""What a training may take after the window is gone to end its step and save what it has learned."""
SMOOTHED = 100


class Bridge(QObject):
    """Requests go down to the engine, messages come up at most once a frame and keep ``AppState`` true.

    Signals: ``message(object)``, every message of the engine, in the GUI thread; ``opening_left()``, what was being
    opened will not come; ``ending()`` when the window is closed
    and no worker is at work any more; ``closed()`` after the engine ended.
    """

    message = Signal(object)
    opening_left = Signal()
    ending = Signal()
    closed = Signal()
    _woken = Signal()

    def __init__(self, state: AppState, engine: Engine | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.state = state
        self._engine = engine or Engine()
        self._engine.on_message = self._woken.emit
        self._woken.connect(self._schedule, Qt.ConnectionType.QueuedConnection)
        self._frame = QTimer(self)
        self._frame.setSingleShot(True)
        self._frame.setTimerType(Qt.TimerType.PreciseTimer)
        self._frame.timeout.connect(self.deliver)
        self._delivered = 0.0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._workers: dict[str, ThreadPoolExecutor] = {}
        self._closing: asyncio.Event | None = None
        self._shut = False

    # Requests

    def start(self) -> None:
        """Start the engine's thread; torch is imported there, while the window is already on the screen."""
        self._engine.start()

    def open_model(self, name_or_path: str, answers: Answers | None = None, sha256: str = "") -> None:
        """Open a bundled model, a folder or a file, in place of what is being opened. Without ``answers`` to what it
        does not say it may be answered by ``ModelAsks``; where it was the model of a hash once, it is that again."""
        self._engine.open_model(name_or_path, answers, sha256)

    def cancel_opening(self) -> None:
        """Leave the model and the classifiers that are being opened."""
        self._engine.cancel_opening()
        self.opening_left.emit()

    def ask_again(self, name_or_path: str) -> None:
        """Have all asked that a checkpoint does not say; answered by ``ModelAsks``."""
        self._engine.ask_again(name_or_path)

    def export_model(self, ref: ModelRef, folder: str, form: ExportForm) -> None:
        """Write an open model to a new folder; answered by ``ModelExported``."""
        self._engine.export_model(ref, folder, form)

    def save_copy(self, path: str, answers: Answers, folder: str) -> None:
        """Write a checkpoint to a new folder that opens without questions, and open that."""
        self._engine.save_copy(path, answers, folder)

    def know_model(self, name_or_path: str, sha256: str = "") -> None:
        """Open a model, that of this hash, beside the window's, so that runs and measurements can name it."""
        self._engine.know_model(name_or_path, sha256)

    def forget_model(self, ref: ModelRef) -> None:
        """Close a model that was known for a while."""
        self._engine.forget_model(ref)

    def add_image(self, image: OpenedImage) -> None:
        self.state.pictures[image.sha256] = image
        self._engine.add_image(image)

    def reserve(self, wanted: int = 0) -> int:
        """A job number that nothing else will get: the one that is wanted, where it is still to be had."""
        while (number := self._engine.reserve()) < wanted:
            pass
        return number

    def submit(self, request: RunRequest, number: int | None = None) -> int:
        """Queue a run, a branch, an inversion or a morph; its job number, or the one of ``reserve`` that it has."""
        return self._engine.submit(request, number)

    def train(self, order: TrainOrder, data: PictureFolder) -> int:
        """Queue a training; its job number. Cancelling it keeps what it has learned."""
        return self._engine.train(order, data)

    def measure(self, request: MeasureRequest, data: PictureFolder, beside: Sequence[PictureFolder] = ()) -> int:
        """Queue a measurement on ``data``, and on pictures ``beside`` where the request names more; its job number.
        What was measured before it is cancelled stays."""
        return self._engine.measure(request, data, beside)

    def instruct(self, job: int, instruction: Instruction) -> None:
        """Ask something of a training under way: other samples, smaller parts of a batch, a checkpoint to keep."""
        self._engine.instruct(job, instruction)

    def open_classifier(self, name_or_path: str, answers: Answers | None = None) -> None:
        """Open a bundled classifier, a folder, or a file of a classifier's weights."""
        self._engine.open_classifier(name_or_path, answers)

    def snapshot(self, job: int) -> None:
        """Open the model of a training as it is now."""
        self._engine.snapshot(job)

    def cancel(self, job: int) -> None:
        self._engine.cancel(job)

    def pause(self, job: int) -> None:
        self._engine.pause(job)

    def resume(self, job: int) -> None:
        self._engine.resume(job)

    def step(self, job: int) -> None:
        self._engine.step(job)

    def ask(self, request: Interactive) -> None:
        """An interactive request; a newer one of its kind replaces it. Answered by an ``Inspection``, but for a step of
        a run that has yet to be made again."""
        run = self.state.runs.get(request.run) if isinstance(request, InspectStep) else None
        if run is None or (run.state not in UNMADE and self.keeps(run.job)):
            self._engine.ask(request)

    def frame(self, job: int, step: int, frame: int | None = None) -> Preview | None:
        """A stored state of a run, or of one frame of a morph, as pictures, at once."""
        return self._engine.frame(job, step, frame)

    def keeps(self, job: int) -> bool:
        """Whether the states of a run are still there: they make room for newer ones."""
        return self._engine.keeps(job)

    def values(self, job: int, step: int, frame: int | None = None) -> Signed | None:
        """The same state unclamped, float32 (n, *event_shape), at once."""
        return self._engine.values(job, step, frame)

    # Orchestration

    def run_loop(self, app: QApplication) -> int:
        """Run the window until it is closed, then end the engine; the exit code."""
        app.setQuitOnLastWindowClosed(False)
        loop = qasync.QEventLoop(app)
        asyncio.set_event_loop(loop)
        with loop:
            loop.run_until_complete(self._session())
        asyncio.set_event_loop(None)
        return 0

    def close(self) -> None:
        """The window was closed: cancel what runs, end the engine, leave the loop."""
        if self._closing is None:
            self.shut_down()
        else:
            self._closing.set()

    def shut_down(self, timeout: float = CLOSE_SECONDS) -> bool:
        """End engine and workers, waiting for them; whether they ended. For when no loop runs."""
        for worker in self._workers.values():
            worker.shutdown(wait=False, cancel_futures=True)
        self.ending.emit()
        ended = self._engine.stop(timeout)
        self._finish()
        return ended

    @property
    def ended(self) -> bool:
        """Whether the engine's thread has ended."""
        return self._engine.ended

    def in_background(
        self,
        work: Callable[[], T],
        done: Callable[[T], None],
        failed: Callable[[Exception], None],
        worker: str = "pictures",
    ) -> None:
        """Do ``work`` (no Qt, no tensor: decoding a picture, say) in a worker, then ``done`` in the GUI thread.

        One ``worker`` does one thing after the other; what takes long gets one of its own, for others not to wait.
        """
        if self._closing is None:  # no loop: tests and headless use
            try:
                result = work()
            except Exception as error:
                failed(error)
            else:
                done(result)
            return
        if not self._closing.is_set():  # else nobody waits for it any more, nor works
            self._spawn(self._work(work, done, failed, worker))

    async def _work(
        self, work: Callable[[], T], done: Callable[[T], None], failed: Callable[[Exception], None], worker: str
    ) -> None:
        if worker not in self._workers:
            self._workers[worker] = ThreadPoolExecutor(max_workers=1, thread_name_prefix=worker)
        try:
            result = await asyncio.wrap_future(self._workers[worker].submit(work))
        except Exception as error:
            failed(error)
        else:
            done(result)

    async def _session(self) -> None:
        if self._shut:  # closed before the loop ran
            return
        self._closing = asyncio.Event()
        await asyncio.sleep(0.05)  # the window paints first
        self.start()
        await self._closing.wait()
        for worker in self._workers.values():
            worker.shutdown(wait=True, cancel_futures=True)
        self.ending.emit()
        for task in list(self._tasks):
            task.cancel()
        # An import cannot be interrupted; what has not started has nothing to lose either.
        starting = self.state.status.state is EngineState.STARTING
        patience = 0.0 if starting else SAVE_SECONDS if self._engine.has_unsaved else CLOSE_SECONDS
        deadline = time.monotonic() + patience
        self._engine.stop(0)
        while not self.ended and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        self._finish()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_event_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _finish(self) -> None:
        if not self._shut:
            self._shut = True
            self._frame.stop()
            self.closed.emit()

    # Messages

    @Slot()
    def _schedule(self) -> None:
        if self._shut or self._frame.isActive():
            return
        since = 1000 * (time.perf_counter() - self._delivered)
        self._frame.start(max(0, round(FRAME_MS - since)))

    @Slot()
    def deliver(self) -> None:
        """Pass on all that waits, in order."""
        self._delivered = time.perf_counter()
        for message in self._engine.drain():
            self._note(message)
            self.message.emit(message)

    def _note(self, message: Message) -> None:
        state = self.state
        match message:
            case Status():
                state.set_status(message)
            case ModelOpened(info=info, folder=folder):
                state.folders[info.ref.sha256] = folder
                state.set_model(info)
            case ClassifierOpened(info=classifier, folder=folder):
                state.folders[classifier.ref.sha256] = folder
                state.add_classifier(classifier)
            case MeasureStarted(job=job, total=total):
                state.set_measuring(Measuring(job, total=total))
            case Measured(job=job):
                if state.measuring is None or state.measuring.job != job:  # it had made way for another
                    state.set_measuring(Measuring(job, total=message.total))
                self._change(job, done=message.done, eta=message.eta)
            case RunStarted():
                state.put_run(begun(message, state.runs))
            case Progress(job=job) if job in state.runs:
                self._change(
                    job, stored=message.step, rate=message.rate, eta=message.eta, store_bytes=message.store_bytes
                )
            case TrainingStarted():
                state.set_training(begun_training(message))
            case TrainingTick():
                if state.training is not None and state.training.job == message.job:
                    state.set_training(ticked(state.training, message))
            case RunPaused(job=job):
                self._change(job, state="paused")
            case RunResumed(job=job):
                self._change(job, state="running")
            case RunEnded(job=job, reason=reason, steps=steps):
                stored = {"stored": steps} if job in state.runs else {}
                self._change(job, state=reason, eta=0.0, **stored)
            case Failed(job=int(job)):
                self._change(job, state="failed", eta=0.0)

    def _change(self, job: int, **changes: Any) -> None:
        state = self.state
        if job in state.runs:
            state.put_run(replace(state.runs[job], **changes))
        elif state.training is not None and state.training.job == job:
            state.set_training(replace(state.training, **changes))
        elif state.measuring is not None and state.measuring.job == job:
            state.set_measuring(replace(state.measuring, **changes))


def begun(message: RunStarted, runs: Mapping[int, Run]) -> Run:
    """The run that has begun, beside those there are."""
    request, origin = message.request, parent_of(message.request)
    known = runs.get(message.job)
    parent = known.parent if known else next((run.job for run in runs.values() if run.request == origin), None)
    start = request.start if isinstance(request, SampleRequest) else None
    return Run(
        message.job,
        request,
        message.path,
        message.total,
        parent=parent,
        parent_step=start.step if isinstance(start, FromStep) else 0,
        store_cap=message.store_cap,
    )


def begun_training(message: TrainingStarted) -> Training:
    recent = tuple(message.losses[-SMOOTHED:].tolist())
    done = 0.0 if message.total is None else message.step / message.total
    begun = Training(message.job, message.name, message.step, message.total, progress=done, recent=recent)
    return replace(begun, loss=_mean(recent))


def ticked(training: Training, tick: TrainingTick) -> Training:
    """The training after some more steps; its loss is the mean of the last ``SMOOTHED``, as the curve says it."""
    recent = (*training.recent, *tick.losses.tolist())[-SMOOTHED:]
    return replace(
        training,
        step=tick.first_step + len(tick.losses) - 1,
        loss=_mean(recent),
        recent=recent,
        eta=tick.eta,
        progress=tick.progress,
    )


def _mean(losses: tuple[float, ...]) -> float:
    """Of those that are known; 0 where none is."""
    known = [loss for loss in losses if math.isfinite(loss)]
    return sum(known) / len(known) if known else 0.0
