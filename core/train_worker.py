"""A training at work in the engine's thread."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from core.errors import Diverged, Refusal, is_out_of_memory
from core.library import NetworkModel
from core.messages import (
    EngineState,
    TrainingOffer,
    TrainingPath,
    TrainingRolledBack,
    TrainingSaved,
    TrainingTick,
    TrainingValidated,
    frozen,
)
from core.token import Token
from core.training.dataset import PictureFolder
from core.training.events import Drawn, Event, PathChanged, RolledBack, Saved, TrainStep, Validated
from core.training.film import told
from core.training.order import Instruction, TrainOrder
from core.training.recovery import NotEnoughMemory
from core.training.runs import still_new
from core.training.session import NotSaved, TrainingSession
from core.workers import TRAININGS, Shop, Worker

TICK_SECONDS = 0.1
"""Losses are told in batches, no oftener than this."""
NO_MEMORY_BESIDE = "There is not enough memory for what this training does beside its steps: close other programs."


class TrainWorker(Worker):
    """A training: whatever ends it, what it has learned is saved; where it cannot be saved, it waits."""

    rank = TRAININGS
    goes_alone = True
    state = EngineState.TRAINING

    def __init__(self, number: int, token: Token, shop: Shop, order: TrainOrder, data: PictureFolder) -> None:
        super().__init__(number, token, shop)
        self._order, self._data = order, data
        self._session: TrainingSession | None = None
        self._events: Iterator[Event | None] = iter(())
        self._drawing: Iterator[Event | None] | None = None
        """What is drawn in a pause."""
        self._steps: list[TrainStep] = []
        self._told = 0.0
        self._saved = 0
        self._trouble = ""
        self._gives_up = False
        """Whether it was stopped and has stayed, because it could not be saved."""

    @property
    def session(self) -> TrainingSession:
        """Raises: Refusal where the training has not begun."""
        if self._session is None:
            raise Refusal("The training has not begun yet. Wait for its first step.")
        return self._session

    @property
    def has_unsaved(self) -> bool:
        return self._session is not None and self._saved != self._session.trainer.step

    def advance(self) -> bool:
        if self._session is None:
            self._begin()
            return True
        if self._drawing is not None:
            self._draw_on(self._drawing)
            return True
        began = time.perf_counter()
        try:
            event = next(self._events, _END)
        except NotSaved as refusal:
            self._wait(f"{refusal} The training is paused and keeps what it has learned: resume it then.")
            return True
        except NotEnoughMemory as refusal:
            if not refusal.micro_batch:
                self.leave()
                raise
            self.shop.post(TrainingOffer(self.number, refusal.micro_batch, str(refusal)))
            self._wait(f"{refusal} The training is paused.")
            return True
        except Exception as error:
            if is_out_of_memory(error):
                self._wait(f"{NO_MEMORY_BESIDE} The training is paused and keeps what it has learned: resume it then.")
                return True
            if not isinstance(error, Diverged):  # whatever it is, the steps before it were whole
                with contextlib.suppress(Exception):
                    self.leave()
            raise
        if isinstance(event, _End):
            return False
        if isinstance(event, TrainStep):
            self.token.stepped()
            self.pace.stepped(time.perf_counter() - began)
            self.done = event.step
            self._steps.append(event)
            self._say_steps(at_once=self.token.paused)
        elif event is not None:
            self._tell(event)
        return True

    def _draw_on(self, drawing: Iterator[Event | None]) -> None:
        """One step of a sampler in a pause, which goes on afterwards."""
        event: Event | _End | None = _END
        try:
            event = next(drawing, _END)
        except NotSaved as refusal:
            self._trouble = str(refusal)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            self._trouble = NO_MEMORY_BESIDE
        if isinstance(event, _End):
            self._drawing = None
            self.token.stepped()
        elif event is not None:
            self._tell(event)

    def _tell(self, event: Event) -> None:
        """What the window is told beside the steps."""
        post, number = self.shop.post, self.number
        match event:
            case Drawn():
                post(told(event, number))
            case Saved(step=step):
                self._say_saved(step)
            case Validated(step=step, loss=loss, by_level=by_level):
                post(TrainingValidated(number, step, loss, by_level))
            case PathChanged(step=step, words=words, why=why):
                post(TrainingPath(number, step, words, why))
            case RolledBack(at=at, step=step, lr_scale=lr_scale, why=why):
                self._say_steps(at_once=True)
                self.done = self._saved = step
                post(TrainingRolledBack(number, at, step, lr_scale, why))

    def rest(self) -> str:
        """Saves, so that a pause is a safe moment to leave."""
        self._say_steps(at_once=True)
        try:
            self.leave()
        except NotSaved as refusal:
            instead = (
                f"Stop it again then; to stop it before that gives up what it learned after step {self._saved}."
                if self._gives_up
                else "Resume it then."
            )
            self._wait(f"{refusal} The training is paused and keeps what it has learned. {instead}")
        trouble, self._trouble = self._trouble, ""
        return trouble

    def instruct(self, instruction: Instruction) -> None:
        """Raises Refusal where the training has not begun, and NotSaved where a checkpoint cannot be written."""
        draws_now = instruction.draw and self.token.paused and self.session.draws
        self.session.instruct(replace(instruction, draw=instruction.draw and not draws_now))
        if draws_now and self._drawing is None:
            self._drawing = self.session.draw()
            self.token.step()
        elif draws_now and self._drawing is not None:
            self._drawing = itertools.chain(self._drawing, self.session.draw())
        if instruction.save and self.token.paused:
            self.session.save()
            self._say_saved(self.session.trainer.step)

    def _wait(self, why: str) -> None:
        """Nothing is lost while the person makes room."""
        self._trouble = why
        self.token.pause()
        self._events = self.session.work()

    def stays(self) -> bool:
        """Where it cannot be saved, the first time."""
        if self._gives_up:
            return False
        try:
            self.leave()
        except NotSaved:
            self._gives_up = self.has_moved = True
            self.token.stay()
            self.token.pause()
            self._events = self.session.work()
            return True
        except Exception:  # which its end tells of
            return False
        return False

    def end(self, reason: str) -> None:
        if reason == "stopped":
            self._keep()
        self._say_steps(at_once=True)
        super().end(reason)

    def _keep(self) -> None:
        try:
            self.leave()
        except NotSaved as refusal:
            raise Refusal(
                f"The training was stopped, but what it learned after step {self._saved} could not be kept. {refusal} "
                f"Its checkpoint of step {self._saved} is good: go on from there.",
                refusal.details,
            ) from refusal

    def leave(self) -> None:
        if self.has_unsaved:
            self.session.save()
            self._say_saved(self.session.trainer.step)
            for event in self.session.news():
                self._tell(event)

    def _begin(self) -> None:
        shop, token = self.shop, self.token
        base = None if self._order.base is None else shop.library.model(self._order.base)
        if not (base is None or isinstance(base, NetworkModel)):
            raise Refusal(f"“{base.info.ref.name}” is no network that can be trained further. Open another model.")
        order = self._order
        if not order.resume:
            order = replace(order, out=still_new(order.out))
        session = TrainingSession(order, self._data, base, device=shop.device, check=lambda: shop.breathe(token))
        self._session, self._events = session, session.work()
        self.done = self._saved = session.trainer.step
        shop.post(session.started(self.number))

    def _say_steps(self, at_once: bool) -> None:
        now = time.perf_counter()
        if not self._steps or not (at_once or now - self._told >= TICK_SECONDS):
            return
        self._told = now
        steps, self._steps = self._steps, []
        session = self.session
        self.shop.post(
            TrainingTick(
                job=self.number,
                first_step=steps[0].step,
                losses=_numbers([step.loss for step in steps]),
                images_per_second=session.images_per_second,
                eta=session.eta,
                progress=session.trainer.progress,
                norms=_numbers([step.gradient_norm for step in steps]),
                rates=_numbers([step.lr for step in steps]),
                by_level=frozen(np.stack([step.by_level for step in steps])),
            )
        )

    def _say_saved(self, step: int) -> None:
        self._saved, self._gives_up = step, False
        self.shop.post(TrainingSaved(self.number, step))


def _numbers(values: list[float]) -> NDArray[np.float32]:
    return frozen(np.array(values, np.float32))


class _End:
    pass


_END = _End()
