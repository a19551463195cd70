"""A training at work in the engine's thread."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from core.errors import Refusal, is_out_of_memory
from core.library import NetworkModel
from core.messages import EngineState, TrainingSaved, TrainingTick, frozen
from core.token import Token
from core.training.dataset import PictureFolder
from core.training.events import Drawn, Event, Saved, TrainStep
from core.training.film import told
from core.training.order import Instruction, TrainOrder
from core.training.session import NotSaved, TrainingSession
from core.workers import TRAININGS, Shop, Worker

TICK_SECONDS = 0.1
"""Losses are told in batches, no oftener than this."""


class TrainWorker(Worker):
    """A training: whatever ends it, what it has learned is saved; where it cannot be saved, it waits."""

    rank = TRAININGS
    state = EngineState.TRAINING

    def __init__(self, number: int, token: Token, shop: Shop, order: TrainOrder, data: PictureFolder) -> None:
        super().__init__(number, token, shop)
        self._order, self._data = order, data
        self._session: TrainingSession | None = None
        self._events: Iterator[Event | None] = iter(())
        self._losses: list[float] = []
        self._told = 0.0
        self._saved = 0
        self._trouble = ""

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
        began = time.perf_counter()
        try:
            event = next(self._events, _END)
        except NotSaved as refusal:
            self._wait(refusal)
            return True
        except Exception as error:
            if is_out_of_memory(error):
                raise self._out_of_memory() from error
            raise
        if event is _END:
            return False
        match event:
            case TrainStep():
                self.token.stepped()
                self.pace.stepped(time.perf_counter() - began)
                self.done = event.step
                self._losses.append(event.loss)
                self._say_losses(at_once=self.token.paused)
            case Drawn():
                self.shop.post(told(event, self.number))
            case Saved(step=step):
                self._say_saved(step)
        return True

    def rest(self) -> str:
        """Saves, so that a pause is a safe moment to leave."""
        self._say_losses(at_once=True)
        try:
            self.leave()
        except NotSaved as refusal:
            self._wait(refusal)
        trouble, self._trouble = self._trouble, ""
        return trouble

    def instruct(self, instruction: Instruction) -> None:
        """Raises Refusal where the training has not begun."""
        self.session.instruct(instruction)

    def _wait(self, refusal: NotSaved) -> None:
        """Nothing is lost while the person makes room."""
        self._trouble = f"{refusal} The training is paused and keeps what it has learned: resume it then."
        self.token.pause()
        self._events = self.session.work()

    def _out_of_memory(self) -> Refusal:
        self.leave()  # the step that failed is as if it had not begun
        return Refusal(
            "There is not enough memory for a step of this training. What it had learned is kept. Close other programs "
            "and go on with it, or begin another with a smaller batch, network or size."
        )

    def end(self, reason: str) -> None:
        if reason == "stopped":
            self._keep()
        self._say_losses(at_once=True)
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

    def _begin(self) -> None:
        shop, token = self.shop, self.token
        base = None if self._order.base is None else shop.library.model(self._order.base)
        if not (base is None or isinstance(base, NetworkModel)):
            raise Refusal(f"“{base.info.ref.name}” is no network that can be trained further. Open another model.")
        session = TrainingSession(self._order, self._data, base, device=shop.device, check=lambda: shop.breathe(token))
        self._session, self._events = session, session.work()
        self.done = self._saved = session.trainer.step
        shop.post(session.started(self.number))

    def _say_losses(self, at_once: bool) -> None:
        now = time.perf_counter()
        if not self._losses or not (at_once or now - self._told >= TICK_SECONDS):
            return
        self._told = now
        losses = frozen(np.array(self._losses, np.float32))
        self._losses.clear()
        first, session = self.done - len(losses) + 1, self.session
        progress = session.trainer.progress
        tick = TrainingTick(self.number, first, losses, session.images_per_second, session.eta, progress)
        self.shop.post(tick)

    def _say_saved(self, step: int) -> None:
        self._saved = step
        self.shop.post(TrainingSaved(self.number, step))


class _End:
    pass


_END = _End()
