"""Messages on their way from the engine to the window."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable

from core.messages import Inspection, Measured, Message, ModelLoading, ModelSaving, Preview, Progress, Status


def _slot(message: Message) -> Hashable:
    """Messages of which only the latest matters share a slot; all others have their own."""
    match message:
        case Progress(job=job) | Preview(job=job) | Measured(job=job):
            return type(message), job
        case Status():
            return Status
        case ModelLoading():
            return ModelLoading
        case ModelSaving():
            return ModelSaving
        case Inspection(request=request):
            return Inspection, type(request)
    return None


class Outbox:
    """Bounded by construction: what the window has not yet read is overwritten by what is newer.

    ``wake`` is called from the posting thread when something waits after nothing did.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._lock = threading.Lock()
        self._waiting: dict[Hashable, Message] = {}
        self._serial = 0

    def post(self, message: Message) -> None:
        slot = _slot(message)
        with self._lock:
            was_empty = not self._waiting
            if slot is None:
                self._serial += 1
                slot = self._serial
            else:
                self._waiting.pop(slot, None)
            self._waiting[slot] = message
        if was_empty:
            self._wake()

    def drain(self) -> list[Message]:
        """All that waits, in the order it was posted; the caller owns it."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        return list(waiting.values())
