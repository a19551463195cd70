"""The engine thread: it owns every tensor and the device, and advances long work one step at a time.

Between two steps it looks at cancel, pause and the mailboxes of interactive requests, of which only the latest
counts. Importing this module does not import torch: that happens in the thread, while the window is already up.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from core.allocator import give_back_freed_memory
from core.checkpoints.description import Answers, ExportForm
from core.errors import Cancelled, Refusal
from core.failures import failure
from core.images import OpenedImage
from core.inspector import Inspector
from core.mailbox import Mailbox
from core.measure_requests import MeasureRequest
from core.memory import memory
from core.messages import (
    EngineState,
    Message,
    Preview,
    RunPaused,
    RunResumed,
    Signed,
    Status,
)
from core.opener import Opener
from core.outbox import Outbox
from core.requests import Interactive, ModelRef, RunRequest
from core.shelf import Shelf
from core.store import DEFAULT_CAP
from core.token import Token

if TYPE_CHECKING:
    from core.jobs import FindRun
    from core.library import Library, Model
    from core.run import Work
    from core.train_worker import TrainWorker
    from core.training.dataset import PictureFolder
    from core.training.order import Instruction, TrainOrder
    from core.workers import Worker

_NICENESS = 5
REST_SECONDS = 10.0


class Engine:
    """Used from the window's thread; everything it says comes through ``drain``.

    ``on_message`` is called from the engine's thread when messages begin to wait. Requests for different things never
    overtake each other; an interactive request replaces the one of its kind that is still waiting.
    """

    def __init__(
        self, on_message: Callable[[], None] = lambda: None, *, device: str = "auto", cap: int = DEFAULT_CAP
    ) -> None:
        self.on_message = on_message
        self._outbox = Outbox(lambda: self.on_message())
        self._requested_device = device
        self.cap = cap
        self._ids = itertools.count(1)
        self._orders: deque[Callable[[], None]] = deque()
        self._mail = Mailbox()
        self._something = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._tokens: dict[int, Token] = {}
        self.shelf = Shelf(cap)
        self._workers: list[Worker] = []
        self._library: Library | None = None
        self._opener, self._inspector = Opener(self), Inspector(self)
        self.device = ""
        self._status = Status(EngineState.STARTING, "")
        self._last_status = 0.0

    # What the window calls

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float = 3.0) -> bool:
        """Cancel everything and end the thread; whether it ended within ``timeout`` seconds. May be called twice."""
        self._stopping = True
        for token in list(self._tokens.values()):
            token.cancel()
        self._something.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout)
        return self.ended

    @property
    def ended(self) -> bool:
        """Whether the thread is not (or no longer) there."""
        return not self._thread.is_alive()

    def open_model(self, name_or_path: str, answers: Answers | None = None, sha256: str = "") -> None:
        """Open a bundled model, a folder or a file of weights, in place of what is being opened; answered by
        ``ModelLoading`` ... ``ModelOpened``, by ``ModelAsks`` where it does not say all and ``answers`` do not, or by
        ``Failed``. Where the file can be several models, that of the hash ``sha256`` is opened, if it was once."""
        token = self._opener.begin()
        self._order(lambda: self._opener.open_model(name_or_path, answers, token, sha256))

    def cancel_opening(self) -> None:
        """Leave the models and the classifiers that are being opened or saved; the model before stays, and nothing of
        what was half written."""
        self._opener.cancel()

    def ask_again(self, name_or_path: str) -> None:
        """Answered by ``ModelAsks`` with all that a checkpoint does not say, whatever was answered, or ``Failed``."""
        self._order(lambda: self._opener.ask_again(name_or_path))

    def export_model(self, ref: ModelRef, folder: str, form: ExportForm) -> None:
        """Write an open model to a new folder; answered by ``ModelSaving`` ... ``ModelExported``, or ``Failed``."""
        token = self._opener.begin_saving()
        self._order(lambda: self._opener.export_model(ref, folder, form, token))

    def save_copy(self, path: str, answers: Answers, folder: str) -> None:
        """Write a checkpoint to a new folder that opens without questions, and open that; answered by ``ModelLoading``
        ... ``ModelSaving`` ... ``ModelExported``, and as ``open_model``."""
        token = self._opener.begin()
        self._order(lambda: self._opener.save_copy(path, answers, folder, token))

    def know_model(self, name_or_path: str, sha256: str = "") -> None:
        """Open a model, that of this hash, beside the one that is worked with; answered by ``ModelKnown`` or
        ``Failed``."""
        self._order(lambda: self._opener.know_model(name_or_path, sha256))

    def forget_model(self, ref: ModelRef) -> None:
        """Close a model that no request will name any more."""
        self._order(lambda: self.library.forget_model(ref))

    def add_model(self, model: Model) -> None:
        """Make a model that is already in memory known."""
        self._order(lambda: self._opener.add(model))

    def add_image(self, image: OpenedImage) -> None:
        """Make a picture known, so that requests can name it by its hash."""
        self._order(lambda: self.library.add_image(image))

    def reserve(self) -> int:
        """A job number that nothing else will get."""
        return next(self._ids)

    def submit(self, request: RunRequest, number: int | None = None) -> int:
        """Queue a run; its job number, or the ``number`` of ``reserve`` under which it was known before. Answered by
        ``RunStarted`` ... ``RunEnded``, or ``Failed``."""

        def hire(number: int, token: Token) -> Worker:
            from core.workers import RunWorker

            return RunWorker(number, token, self, request)

        return self._hire(hire, number)

    def train(self, order: TrainOrder, data: PictureFolder) -> int:
        """Queue a training, which makes way for runs, and for trainings before it; its job number. Answered by
        ``TrainingStarted`` ... ``RunEnded``, or ``Failed``. Stopping it keeps, and saves, what it has learned."""

        def hire(number: int, token: Token) -> Worker:
            from core.train_worker import TrainWorker

            return TrainWorker(number, token, self, order, data)

        return self._hire(hire)

    def measure(self, request: MeasureRequest, data: PictureFolder, beside: Sequence[PictureFolder] = ()) -> int:
        """Queue a measurement on ``data``, and on pictures ``beside`` where the request names more; its job number. It
        makes way for runs and goes before trainings. Answered by ``MeasureStarted``, ``Measured`` ... ``RunEnded``, or
        ``Failed``; what was measured before a stop stays said."""

        def hire(number: int, token: Token) -> Worker:
            from core.measure_worker import MeasureWorker

            return MeasureWorker(number, token, self, request, data, beside)

        return self._hire(hire)

    def open_classifier(self, name_or_path: str, answers: Answers | None = None) -> None:
        """Open a bundled classifier, a folder, or a file of a classifier's weights; answered by ``ModelLoading`` ...
        ``ClassifierOpened``, by ``ModelAsks``, or by ``Failed``."""
        token = self._opener.begin_beside()
        self._order(lambda: self._opener.open_classifier(name_or_path, answers, token))

    def snapshot(self, job: int) -> None:
        """Open the model of a training as it is now, its averaged weights pinned in a folder of their own; answered by
        ``ModelOpened`` or ``Failed``."""
        self._order(lambda: self._opener.open_either(self._training(job).session.snapshot()))

    def instruct(self, job: int, instruction: Instruction) -> None:
        """Ask something of a training under way: other samples, smaller parts of a batch, a checkpoint to keep."""
        self._order(lambda: self._training(job).instruct(instruction))

    def cancel(self, job: int) -> None:
        """Stop a run within one network evaluation; what it has computed stays readable."""
        self._signal(job, Token.cancel)

    def pause(self, job: int) -> None:
        self._signal(job, Token.pause)

    def resume(self, job: int) -> None:
        self._signal(job, Token.resume)

    def step(self, job: int) -> None:
        """Make one step and stay paused."""
        self._signal(job, Token.step)

    def ask(self, request: Interactive) -> None:
        """Answered by ``Inspection``, or by ``Gathered``, between two steps, unless a newer request of its kind comes
        first."""
        self._mail.put(request)
        self._something.set()

    def drain(self) -> list[Message]:
        """What the engine has said since the last call."""
        return self._outbox.drain()

    def frame(self, job: int, step: int, frame: int | None = None) -> Preview | None:
        """A stored state of a run, or of one frame of a morph, as pictures, at once and from any thread; None where it
        is not kept."""
        return self.shelf.frame(job, step, frame)

    def keeps(self, job: int) -> bool:
        """Whether the states of a run are still kept: they make room for newer ones."""
        return job in self.shelf

    def values(self, job: int, step: int, frame: int | None = None) -> Signed | None:
        """The same state unclamped, float32 (n, *event_shape)."""
        return self.shelf.values(job, step, frame)

    @property
    def has_unsaved(self) -> bool:
        """Whether a training knows more than its last checkpoint: worth waiting for when the program ends."""
        return any(worker.has_unsaved for worker in list(self._workers))

    # The thread

    def _run(self) -> None:
        try:
            self._set_up()
            while not self._stopping:
                self._something.clear()
                self._serve()
                if not self._advance() and not self._waiting():
                    self._rest()
        except Cancelled:
            pass
        except BaseException as error:
            self._say_failed(None, error)
            self._say_status(EngineState.FAILED)
            if not isinstance(error, Exception):
                raise
        finally:
            self._leave()

    def _set_up(self) -> None:
        if sys.platform == "linux":  # the window's thread goes first
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
        self._say_status(EngineState.STARTING)
        from core.device import pick_device
        from core.library import Library

        self.device = pick_device(self._requested_device)
        self._library = Library()
        self._say_status(EngineState.IDLE)

    def _rest(self) -> None:
        """Wait for something to do. Where that takes a while, what was needed for the work before is given back."""
        if not self._something.wait(REST_SECONDS):
            give_back_freed_memory()
            self._something.wait()

    def _waiting(self) -> bool:
        return bool(self._orders or self._mail)

    def _serve(self) -> None:
        """Orders in turn, then of each interactive kind the latest, which may name what an order has brought."""
        asked = self._mail.take()
        while self._orders and not self._stopping:
            self._guarded(self._orders.popleft())
        for request in asked:
            self._guarded(functools.partial(self._answer, request))

    def _advance(self) -> bool:
        """One step of the first job that may run; whether there was anything to do."""
        for waiting in list(self._workers):
            if waiting.token.cancelled:
                self._end(waiting, "stopped")
            is_there = waiting in self._workers
            if is_there and not waiting.token.may_run and (waiting.has_moved or not waiting.told_paused):
                waiting.told_paused, waiting.has_moved = True, False
                self.post(RunPaused(waiting.number, waiting.done, waiting.rest()))
        worker = self._next()
        self._settle()
        if worker is None:
            return False
        if worker.told_paused and not worker.token.paused:
            worker.told_paused = False
            self.post(RunResumed(worker.number))
        worker.has_moved = True
        try:
            if not worker.advance():
                self._end(worker, "finished")
            elif time.perf_counter() - self._last_status > 1:
                self._say_status(worker.state, worker.number)
        except Cancelled:
            self._end(worker, "stopped")
        except Exception as error:
            if worker in self._workers:
                self._workers.remove(worker)
            self._say_failed(worker.number, error)
        return True

    def _next(self) -> Worker | None:
        """Whose turn it is: trainings make way for measurements, and both for runs. Of the trainings the first goes on,
        or rests, until it is over."""
        first = next((worker for worker in self._workers if worker.goes_alone), None)
        ready = [worker for worker in self._workers if worker.token.may_run and worker.goes_alone <= (worker is first)]
        return min(ready, key=lambda worker: worker.rank, default=None)

    def _settle(self) -> None:
        """Say what the engine is about to do, if that is news."""
        worker = self._next()
        state = worker.state if worker else EngineState.PAUSED if self._workers else EngineState.IDLE
        current = worker or next(iter(self._workers), None)
        number = current.number if current else None
        if (state, number) != (self._status.state, self._status.job):
            self._say_status(state, number)

    def _end(self, worker: Worker, reason: str) -> None:
        if reason == "stopped" and worker.stays():
            return
        self._workers.remove(worker)
        self._tokens.pop(worker.number, None)
        work = self.shelf.get(worker.number)
        if work is not None:
            work.watch(self.check_stop)
        self._settle()  # first, so that whoever hears of the end finds the engine ready for the next
        try:
            worker.end(reason)
        except Exception as error:
            self._say_failed(worker.number, error)

    def _leave(self) -> None:
        """The thread ends: nothing that was learned is lost."""
        for worker in self._workers:
            self._guarded(worker.leave)
        self._workers.clear()

    # What workers are lent

    @property
    def library(self) -> Library:
        assert self._library is not None
        return self._library

    @property
    def find_run(self) -> FindRun:
        return self.shelf.find_run

    def post(self, message: Message) -> None:
        self._outbox.post(message)

    def keep(self, number: int, work: Work) -> None:
        """Keep a run's states readable under the job's number."""
        self.shelf.keep(number, work, {worker.number for worker in self._workers})

    def check(self, token: Token) -> None:
        if self._stopping:
            raise Cancelled
        token.check()

    @contextlib.contextmanager
    def busy(self, state: EngineState) -> Iterator[None]:
        """Be in a state that has nothing to do with jobs, and then in the one from before."""
        before = self._status
        self._say_status(state)
        try:
            yield
        finally:
            self._say_status(before.state, before.job)

    def breathe(self, token: Token) -> None:
        """Between two micro-batches: leave if asked to, and answer whoever drags a slider."""
        self.check(token)
        if self._mail:
            self._serve()

    def check_stop(self) -> None:
        if self._stopping:
            raise Cancelled

    def check_orders(self) -> None:
        if self._stopping or self._orders:
            raise Cancelled

    def _answer(self, request: Interactive) -> None:
        try:
            self.post(self._inspector.answer(request))
        except Cancelled:
            self._mail.put_back(request)  # for after the orders
            raise

    # Orders

    def _order(self, order: Callable[[], None]) -> None:
        self._orders.append(order)
        self._something.set()

    def _hire(self, hire: Callable[[int, Token], Worker], number: int | None = None) -> int:
        number, token = self.reserve() if number is None else number, Token()
        self._tokens[number] = token
        self._order(lambda: self._workers.append(hire(number, token)))
        return number

    def _signal(self, job: int, what: Callable[[Token], None]) -> None:
        token = self._tokens.get(job)
        if token is not None:
            what(token)
            self._something.set()

    def _training(self, job: int) -> TrainWorker:
        from core.train_worker import TrainWorker

        worker = next((worker for worker in self._workers if worker.number == job), None)
        if not isinstance(worker, TrainWorker):
            raise Refusal("This training is over. Open its folder instead.")
        return worker

    # Messages

    def _guarded(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Cancelled:
            if self._stopping:
                raise
        except Exception as error:
            self._say_failed(None, error)

    def _say_failed(self, job: int | None, error: BaseException) -> None:
        if job is not None:
            self._tokens.pop(job, None)
        self.post(failure(job, error))

    def _say_status(self, state: EngineState, job: int | None = None) -> None:
        used, total = 0, 0
        with contextlib.suppress(Exception):  # a figure in the status bar is no reason to fail
            used, total = memory(self.device)
        self._status = Status(state, self.device, job, used, total)
        self._last_status = time.perf_counter()
        self.post(self._status)
