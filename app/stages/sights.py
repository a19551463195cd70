"""What is known of the states of runs: x_t from the store at once, x0_hat and eps_hat when the network has looked."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from core.messages import Failed, Inspection, Picture, Preview, RunStarted, Signed
from core.requests import InspectStep

if TYPE_CHECKING:
    from app.bridge import Bridge

KEPT_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Sight:
    """What is known of a state. Pictures uint8 (n, H, W, C), the others float32 (n, C, H, W); None: not yet.

    ``as_walked``: the walk itself saw it on its way; else the network was asked again.
    Where guidance works, ``difference`` is eps_c - eps_u and ``gradient`` that of the classifier's log p(y | x_t).
    """

    x_t: Picture
    x_t_range: tuple[float, float] | None
    x0_hat: Picture | None
    eps_hat: Signed | None
    difference: Signed | None = None
    gradient: Signed | None = None
    as_walked: bool = False

    @property
    def is_complete(self) -> bool:
        return self.x0_hat is not None

    @property
    def nbytes(self) -> int:
        parts = (self.x_t, self.x0_hat, self.eps_hat, self.difference, self.gradient)
        return sum(part.nbytes for part in parts if part is not None)


class Memory:
    """The sights last seen, so that going back to one costs nothing."""

    def __init__(self, cap: int = KEPT_BYTES) -> None:
        self._cap = cap
        self._sights: OrderedDict[tuple[int, int], Sight] = OrderedDict()
        self.nbytes = 0

    def put(self, job: int, step: int, sight: Sight) -> None:
        before = self._sights.pop((job, step), None)
        self._sights[job, step] = sight
        self.nbytes += sight.nbytes - (before.nbytes if before else 0)
        while self.nbytes > self._cap and len(self._sights) > 1:
            self.nbytes -= self._sights.popitem(last=False)[1].nbytes

    def get(self, job: int, step: int) -> Sight | None:
        sight = self._sights.get((job, step))
        if sight is not None:
            self._sights.move_to_end((job, step))
        return sight

    def clear(self) -> None:
        self._sights.clear()
        self.nbytes = 0


class Sights(QObject):
    """Sees states of runs: from memory, from the store, and through the network where that is asked.

    Signals: ``learned(job, step, Sight)`` when more is known of a state; ``failed()`` when nothing more will be.
    """

    learned = Signal(int, int, object)
    failed = Signal()

    def __init__(self, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self.memory = Memory()
        self._asked: InspectStep | None = None

    def see(self, job: int, step: int) -> Sight | None:
        """What is known at once."""
        return self.memory.get(job, step) or self._stored(job, step)

    def ask(self, job: int, step: int) -> None:
        """Have the network look at a state; a newer question replaces an older one."""
        if self._asked != InspectStep(job, step):
            self._asked = InspectStep(job, step)
            self._bridge.ask(self._asked)

    @Slot(object)
    def receive(self, message: object) -> None:
        """Take what the engine shows."""
        if isinstance(message, Preview) and not message.frames:
            self._learn(
                message.job,
                message.step,
                Sight(
                    message.x_t,
                    message.x_t_range,
                    message.x0_hat,
                    message.eps_hat,
                    message.difference,
                    message.gradient,
                    as_walked=True,
                ),
            )
        elif isinstance(message, Inspection) and isinstance(message.request, InspectStep):
            job, step = message.request.run, message.request.step
            self._asked = None  # whoever asked: of two questions that wait, the engine answers the newer alone
            known = self.see(job, step)
            value_range = known.x_t_range if known else None
            guidance = message.difference, message.gradient
            self._learn(job, step, Sight(message.x_t, value_range, message.x0_hat, message.eps_hat, *guidance))
        elif isinstance(message, RunStarted) and self._asked is not None and self._asked.run == message.job:
            self._asked = None  # it was asked for before it was there
        elif isinstance(message, Failed):
            self._asked = None
            self.failed.emit()

    def _learn(self, job: int, step: int, sight: Sight) -> None:
        if sight.is_complete:
            self.memory.put(job, step, sight)
        self.learned.emit(job, step, sight)

    def _stored(self, job: int, step: int) -> Sight | None:
        frame = self._bridge.frame(job, step)
        return None if frame is None else Sight(frame.x_t, frame.x_t_range, frame.x0_hat, frame.eps_hat)
