"""Answers to whoever drags a slider: what a network sees in a picture, or in a state of a run."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from core.errors import Refusal
from core.failures import failure
from core.messages import Gathered, Inspection
from core.requests import GatherStep, InspectImage, InspectStep, Interactive

if TYPE_CHECKING:
    from core.library import Library
    from core.run import Work
    from core.shelf import Shelf


class Shop(Protocol):
    """What the engine lends to its inspector."""

    device: str
    shelf: Shelf

    @property
    def library(self) -> Library: ...

    def check_stop(self) -> None:
        """Raise Cancelled where the engine is to end."""
        ...

    def check_orders(self) -> None:
        """The same, also where orders wait."""
        ...


class Inspector:
    """In the engine's thread."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def answer(self, request: Interactive) -> Inspection | Gathered:
        """Raises Refusal where there is nothing to look at, and Cancelled where a picture's inspection made way for
        orders: a large network takes seconds, and another model may be among them."""
        if isinstance(request, GatherStep):
            return self._gathered(request)
        began = time.perf_counter()
        found = self._of_image(request) if isinstance(request, InspectImage) else self._of_step(request)
        return replace(found, milliseconds=1000 * (time.perf_counter() - began))

    def _of_image(self, request: InspectImage) -> Inspection:
        from core import jobs

        return jobs.inspect_image(request, self._shop.library, self._shop.device, within=self._shop.check_orders)

    def _of_step(self, request: InspectStep) -> Inspection:
        from core import jobs

        return jobs.inspect_step(request, self._work(request.run, "look at"), self._shop.check_stop)

    def _gathered(self, request: GatherStep) -> Gathered:
        """Whoever waits for it hears also of a failure."""
        from core import jobs

        try:
            return jobs.gather_step(request, self._work(request.run, "export"), self._shop.check_stop)
        except Exception as error:
            failed = failure(None, error)
            return Gathered(request, refusal=failed.message, details=failed.details)

    def _work(self, number: int, wanted: str) -> Work:
        found = self._shop.shelf.get(number)
        if found is None:
            raise Refusal(f"The steps of this run made room for newer ones. Run it again to {wanted} them.")
        return found
