"""Jobs at work in the engine's thread, advanced one step at a time: what they have in common, and runs."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

from core.inversion import InverseStep, InvertRun
from core.jobs import FindRun, SampleRun, preview, stored_preview
from core.library import Library
from core.messages import EngineState, Message, Progress, Recognised, Refined, RunEnded, RunStarted
from core.morph import MorphRun
from core.pace import Pace
from core.requests import InvertRequest, MorphRequest, RunRequest, SampleRequest
from core.run import Made, Work
from core.samplers import Step
from core.token import Token


class Shop(Protocol):
    """What the engine lends to its workers."""

    device: str
    cap: int

    @property
    def library(self) -> Library: ...

    @property
    def find_run(self) -> FindRun: ...

    def post(self, message: Message) -> None: ...

    def keep(self, number: int, work: Work) -> None:
        """Keep a run's states readable under the job's number."""
        ...

    def check(self, token: Token) -> None:
        """Raise Cancelled where the job is to leave."""
        ...

    def breathe(self, token: Token) -> None:
        """The same, and answer whoever drags a slider."""
        ...


def work_of(request: RunRequest, library: Library, device: str, *, find_run: FindRun, cap: int) -> Work:
    """What the request comes to. Raises Refusal where it does not fit the model, or names what is not open."""
    if isinstance(request, InvertRequest):
        return InvertRun(request, library, device, cap=cap)
    if isinstance(request, MorphRequest):
        return MorphRun(request, library, device, cap=cap)
    return SampleRun(request, library, device, find_run=find_run, cap=cap)


RUNS, MEASUREMENTS, TRAININGS = range(3)


class Worker(ABC):
    """One job. Attributes: ``number``; ``token``; ``pace``; ``done`` steps; ``told_paused``, whether it was said that
    it rests, and ``has_moved``, whether it has worked since.

    ``rank`` says who goes first, the lowest, and ``goes_alone`` whether none of its kind goes before it is over;
    ``state`` is what the engine is in while it works.
    """

    rank = RUNS
    goes_alone = False
    state = EngineState.SAMPLING

    def __init__(self, number: int, token: Token, shop: Shop) -> None:
        self.number, self.token, self.shop = number, token, shop
        self.pace = Pace()
        self.done = 0
        self.told_paused = self.has_moved = False

    @abstractmethod
    def advance(self) -> bool:
        """Make one step, and tell of it; False where none was left. Raises Cancelled, and what goes wrong."""

    def end(self, reason: str) -> None:
        """The job is over, "finished" or "stopped"."""
        self.shop.post(RunEnded(self.number, reason, self.done, self.pace.working))

    def stays(self) -> bool:
        """The person has stopped the job: whether it rests instead, for something would be lost."""
        return False

    def rest(self) -> str:
        """The job is paused: what the person should know of it, "" where that is all."""
        return ""

    def leave(self) -> None:  # noqa: B027, most have nothing
        """The engine ends: bring to safety what is not yet safe."""

    @property
    def has_unsaved(self) -> bool:
        return False


class RunWorker(Worker):
    """A run of a model, or a morph."""

    def __init__(self, number: int, token: Token, shop: Shop, request: RunRequest) -> None:
        super().__init__(number, token, shop)
        self._request = request
        self._work: Work | None = None
        self._steps: Iterator[Made] = iter(())

    def advance(self) -> bool:
        began = time.perf_counter()
        work = self._work or self._begin()
        made = next(self._steps, None)
        self.token.stepped()
        if made is None:
            return False
        self.pace.stepped(time.perf_counter() - began)
        self.done = made.done
        self._say_progress(work, made.step)
        self._preview_if_due(made)
        if isinstance(self._request, SampleRequest):  # inversions and morphs show where they lost themselves
            made.run.refuse_no_numbers()
        return True

    def end(self, reason: str) -> None:
        if self._work is not None and reason == "finished":
            stored = stored_preview(self._work, len(self._work.path) - 1)
            if stored is not None:
                self.shop.post(replace(stored, job=self.number))
        super().end(reason)

    def _begin(self) -> Work:
        shop, token = self.shop, self.token
        work = work_of(self._request, shop.library, shop.device, find_run=shop.find_run, cap=shop.cap)
        work.watch(lambda: shop.check(token), lambda: shop.breathe(token))
        shop.keep(self.number, work)
        shop.post(RunStarted(self.number, self._request, work.path, shop.cap, work.total))
        self._work, self._steps = work, work.work()
        return work

    def _say_progress(self, work: Work, step: Step) -> None:
        eta = (work.total - self.done) * self.pace.step_seconds
        self.shop.post(Progress(self.number, self.done, work.total, self.pace.rate, eta, work.nbytes))
        if isinstance(step, InverseStep) and step.misses:
            misses = tuple(float(miss.square().mean().sqrt()) for miss in step.misses)
            self.shop.post(Refined(self.number, self.done, misses))
        if step.prediction.log_p is not None:
            self.shop.post(Recognised(self.number, step.index, tuple(step.prediction.log_p.tolist())))

    def _preview_if_due(self, made: Made) -> None:
        """Previews within their share of the run's time, and every single step."""
        if not (self.pace.preview_is_due() or self.token.paused):
            return
        began = time.perf_counter()
        made.run.flush()
        self.shop.post(replace(preview(made.run.model, made.step), job=self.number, frames=made.frames))
        self.pace.previewed(time.perf_counter() - began)
