"""Interactive requests on their way to the engine: of each kind the latest."""

from __future__ import annotations

import threading

from core.requests import Interactive


class Mailbox:
    """One slot a kind of request; a newer one replaces what waits there, so nothing ever queues up."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[type[Interactive], Interactive] = {}

    def put(self, request: Interactive) -> None:
        with self._lock:
            self._waiting.pop(type(request), None)
            self._waiting[type(request)] = request

    def put_back(self, request: Interactive) -> None:
        """Put one back that was taken and not answered, unless a newer one of its kind waits by now."""
        with self._lock:
            self._waiting.setdefault(type(request), request)

    def take(self) -> list[Interactive]:
        """All that waits, the oldest first."""
        with self._lock:
            waiting = list(self._waiting.values())
            self._waiting.clear()
        return waiting

    def __bool__(self) -> bool:
        return bool(self._waiting)
