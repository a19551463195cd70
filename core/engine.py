"""The engine thread: it owns every tensor and the device, and advances long work one step at a time.

Between two steps it looks at cancel, pause and the mailboxes of interactive requests, of which only the latest
counts. Importing this module does not import torch: that happens in the thread, while the window is already up.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import logging
import os
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import psutil

from core.errors import Cancelled, Refusal, is_out_of_memory
from core.images import OpenedImage
from core.mailbox import Mailbox
from core.messages import (
    EngineState,
    Failed,
    Inspection,
    Message,
    ModelOpened,
    Preview,
    Progress,
    RunEnded,
    RunPaused,
    RunResumed,
    RunStarted,
    Status,
)
from core.outbox import Outbox
from core.pace import Pace
from core.requests import InspectStep, Interactive, SampleRequest
from core.store import DEFAULT_CAP
from core.token import Token

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.jobs import SampleRun
    from core.library import Library, Model
    from core.samplers import Step

log = logging.getLogger("diffuscope.engine")

KEPT_CAPS = 4
"""All trajectories together may take as much as this many at their cap."""
_NICENESS = 5


@dataclass
class _Job:
    """One run in the engine; ``done`` steps are made."""

    id: int
    request: SampleRequest
    token: Token = field(default_factory=Token)
    pace: Pace = field(default_factory=Pace)
    run: SampleRun | None = None
    steps: Iterator[Step] | None = None
    done: int = 0
    told_paused: bool = False


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
        self._cap = cap
        self._ids = itertools.count(1)
        self._orders: deque[Callable[[], None]] = deque()
        self._mail = Mailbox()
        self._something = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._tokens: dict[int, Token] = {}
        self._runs: dict[int, SampleRun] = {}
        self._jobs: list[_Job] = []
        self._library: Library | None = None
        self._device = ""
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

    def open_model(self, name_or_path: str) -> None:
        """Open a bundled model or a folder; answered by ``ModelOpened`` or ``Failed``."""
        self._order(lambda: self._open_model(name_or_path))

    def add_model(self, model: Model) -> None:
        """Make a model that is already in memory known."""
        self._order(lambda: self._add_model(model))

    def add_image(self, image: OpenedImage) -> None:
        """Make a picture known, so that requests can name it by its hash."""
        self._order(lambda: self._require_library().add_image(image))

    def submit(self, request: SampleRequest) -> int:
        """Queue a run; its job number. Answered by ``RunStarted`` ... ``RunEnded``, or ``Failed``."""
        job = _Job(next(self._ids), request)
        self._tokens[job.id] = job.token
        self._order(lambda: self._jobs.append(job))
        return job.id

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
        """Answered by ``Inspection`` between two steps, unless a newer request of its kind comes first."""
        self._mail.put(request)
        self._something.set()

    def drain(self) -> list[Message]:
        """What the engine has said since the last call."""
        return self._outbox.drain()

    def frame(self, job: int, step: int) -> Preview | None:
        """A stored state of a run as a picture, at once and from any thread; None where it is not kept."""
        run = self._runs.get(job)
        if run is None:
            return None
        from core.jobs import stored_preview

        stored = stored_preview(run, step)
        return None if stored is None else replace(stored, job=job)

    # The thread

    def _run(self) -> None:
        try:
            self._set_up()
            while not self._stopping:
                self._something.clear()
                self._serve()
                if not self._advance() and not self._waiting():
                    self._something.wait()
        except Cancelled:
            pass
        except BaseException as error:
            self._say_failed(None, error)
            self._say_status(EngineState.FAILED)
            if not isinstance(error, Exception):
                raise
        finally:
            self._jobs.clear()

    def _set_up(self) -> None:
        if sys.platform == "linux":  # the window's thread goes first
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
        self._say_status(EngineState.STARTING)
        from core.device import pick_device
        from core.library import Library

        self._device = pick_device(self._requested_device)
        self._library = Library()
        self._say_status(EngineState.IDLE)

    def _waiting(self) -> bool:
        return bool(self._orders or self._mail)

    def _serve(self) -> None:
        """Orders in turn, then of each interactive kind the latest, which may name what an order has brought."""
        asked = self._mail.take()
        while self._orders and not self._stopping:
            self._guarded(self._orders.popleft())
        for request in asked:
            self._guarded(functools.partial(self._inspect, request))

    def _advance(self) -> bool:
        """One step of the first job that may run; whether there was anything to do."""
        for waiting in list(self._jobs):
            if waiting.token.cancelled:
                self._end(waiting, "stopped")
            elif not waiting.token.may_run and not waiting.told_paused:
                waiting.told_paused = True
                self._outbox.post(RunPaused(waiting.id, waiting.done))
        job = self._next()
        self._settle(job)
        if job is None:
            return False
        if job.told_paused and not job.token.paused:
            self._outbox.post(RunResumed(job.id))
        job.told_paused = False
        try:
            self._work(job)
        except Cancelled:
            self._end(job, "stopped")
        except Exception as error:
            if job in self._jobs:
                self._jobs.remove(job)
            self._say_failed(job.id, error)
        return True

    def _next(self) -> _Job | None:
        return next((job for job in self._jobs if job.token.may_run), None)

    def _settle(self, job: _Job | None) -> None:
        """Say what the engine is about to do, if that is news."""
        state = EngineState.SAMPLING if job else EngineState.PAUSED if self._jobs else EngineState.IDLE
        current = job or next(iter(self._jobs), None)
        number = current.id if current else None
        if (state, number) != (self._status.state, self._status.job):
            self._say_status(state, number)

    def _work(self, job: _Job) -> None:
        began = time.perf_counter()
        if job.run is None or job.steps is None:
            job.run, job.steps = self._begin(job)
        step = next(job.steps, None)
        job.token.stepped()
        if step is None:
            self._end(job, "finished")
            return
        job.pace.stepped(time.perf_counter() - began)
        job.done = step.index + 1
        self._say_progress(job)
        self._preview_if_due(job, step)

    def _begin(self, job: _Job) -> tuple[SampleRun, Iterator[Step]]:
        from core.jobs import SampleRun

        run = SampleRun(
            job.request,
            self._require_library(),
            self._device,
            find_run=self._find_run,
            cap=self._cap,
        )
        run.watch(lambda: self._check(job.token), lambda: self._breathe(job.token))
        self._runs[job.id] = run
        self._make_room()
        self._outbox.post(RunStarted(job.id, job.request, run.path, self._cap))
        return run, run.steps()

    def _make_room(self) -> None:
        """Let the oldest trajectories of ended runs go: they can be replayed from their requests."""
        at_work = {job.id for job in self._jobs}
        ended = [number for number in self._runs if number not in at_work]
        for number in ended:
            if sum(run.trajectory.nbytes for run in self._runs.values()) <= KEPT_CAPS * self._cap:
                return
            del self._runs[number]

    def _find_run(self, request_hash: str) -> SampleRun | None:
        from core.codec import request_hash as hash_of

        return next((run for run in self._runs.values() if hash_of(run.request) == request_hash), None)

    def _check(self, token: Token) -> None:
        if self._stopping:
            raise Cancelled
        token.check()

    def _breathe(self, token: Token) -> None:
        """Between two micro-batches: leave if asked to, and answer whoever drags a slider."""
        self._check(token)
        if self._mail:
            self._serve()

    def _end(self, job: _Job, reason: str) -> None:
        self._jobs.remove(job)
        self._tokens.pop(job.id, None)
        if job.run is not None:
            job.run.watch(self._check_stop)
        if reason == "finished":
            self._post_stored(job, job.request.steps)
        self._outbox.post(RunEnded(job.id, reason, job.done, job.pace.working))
        self._settle(self._next())

    # Interactive requests

    def _inspect(self, request: Interactive) -> None:
        from core import jobs

        began = time.perf_counter()
        if isinstance(request, InspectStep):
            run = self._runs.get(request.run)
            if run is None:
                raise Refusal("The steps of this run made room for newer ones. Run it again to look at them.")
            with run.watched_by(self._check_stop):
                seen = jobs.inspect_step(run, request.step)
            answer = Inspection(request, seen.level, seen.x_t, seen.x0_hat, seen.eps_hat, None, 0.0)
        else:
            answer = jobs.inspect_image(request, self._require_library(), self._device, within=self._check_stop)
        self._outbox.post(replace(answer, milliseconds=1000 * (time.perf_counter() - began)))

    def _check_stop(self) -> None:
        if self._stopping:
            raise Cancelled

    # Orders

    def _order(self, order: Callable[[], None]) -> None:
        self._orders.append(order)
        self._something.set()

    def _signal(self, job: int, what: Callable[[Token], None]) -> None:
        token = self._tokens.get(job)
        if token is not None:
            what(token)
            self._something.set()

    def _open_model(self, name_or_path: str) -> None:
        from core.library import NetworkModel
        from core.model_folder import find_model, open_model

        before = self._status
        self._say_status(EngineState.LOADING)
        try:
            self._add_model(NetworkModel(open_model(find_model(name_or_path), self._device)))
        finally:
            self._say_status(before.state, before.job)

    def _add_model(self, model: Model) -> None:
        self._require_library().add_model(model)
        self._outbox.post(ModelOpened(model.info))

    def _require_library(self) -> Library:
        assert self._library is not None
        return self._library

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
        details = traceback.format_exc()
        if isinstance(error, Refusal):
            message, details = str(error), error.details
        elif is_out_of_memory(error):
            message = "There is not enough memory for this. Choose fewer samples or a smaller model, then run again."
        else:
            what = str(error) or type(error).__name__
            message = f"Something went wrong in the engine: {what}. Help, Report copies the details."
            log.error("engine: %s\n%s", error, details)
        if job is not None:
            self._tokens.pop(job, None)
        self._outbox.post(Failed(job, message, details))

    def _say_status(self, state: EngineState, job: int | None = None) -> None:
        used, total = 0, 0
        with contextlib.suppress(Exception):  # a figure in the status bar is no reason to fail
            used, total = self._memory()
        self._status = Status(state, self._device, job, used, total)
        self._last_status = time.perf_counter()
        self._outbox.post(self._status)

    def _memory(self) -> tuple[int, int]:
        if self._device.startswith("cuda"):
            import torch

            free, total = torch.cuda.mem_get_info(self._device)
            return total - free, total
        return psutil.Process().memory_info().rss, psutil.virtual_memory().total

    def _say_progress(self, job: _Job) -> None:
        assert job.run is not None
        pace, total = job.pace, job.request.steps
        eta = (total - job.done) * pace.step_seconds
        self._outbox.post(Progress(job.id, job.done, total, pace.rate, eta, job.run.trajectory.nbytes))
        if time.perf_counter() - self._last_status > 1:
            self._say_status(EngineState.SAMPLING, job.id)

    def _preview_if_due(self, job: _Job, step: Step) -> None:
        """Previews within their share of the run's time, and every single step."""
        from core.jobs import preview

        assert job.run is not None
        if not (job.pace.preview_is_due() or job.token.paused):
            return
        began = time.perf_counter()
        job.run.flush()
        self._outbox.post(replace(preview(job.run.model, step), job=job.id))
        job.pace.previewed(time.perf_counter() - began)

    def _post_stored(self, job: _Job, step: int) -> None:
        stored = self.frame(job.id, step)
        if stored is not None:
            self._outbox.post(stored)
