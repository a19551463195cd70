"""A measurement at work in the engine's thread."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from core.measure_requests import MeasureRequest
from core.messages import EngineState, Measured, Measurement, MeasureStarted
from core.token import Token
from core.training.dataset import PictureFolder
from core.training.mapped import check_whole
from core.workers import MEASUREMENTS, Shop, Worker

if TYPE_CHECKING:
    from core.evaluation import Part

TELL_SECONDS = 0.1
"""Results are told no oftener than this."""
STILL_SECONDS = 0.5
"""Where nothing new is known for so long, it is told again, to say how far the work has come."""


class MeasureWorker(Worker):
    """A measurement: what is known so far is told again and again, and stays where it is stopped."""

    rank = MEASUREMENTS
    state = EngineState.MEASURING

    def __init__(
        self,
        number: int,
        token: Token,
        shop: Shop,
        request: MeasureRequest,
        data: PictureFolder,
        beside: Sequence[PictureFolder] = (),
    ) -> None:
        super().__init__(number, token, shop)
        self._request, self._data, self._beside = request, data, beside
        self._parts: Iterator[Part] | None = None
        self._total = 0
        self._known: Measurement | None = None
        self._is_news = False
        self._told = 0.0

    def advance(self) -> bool:
        began = time.perf_counter()
        parts = self._parts or self._begin()
        for pictures in (self._data, *self._beside):
            check_whole(pictures.pictures)
        try:
            part = next(parts, None)
        except Exception:
            self._tell(at_once=True)  # what is known is not lost with what failed
            raise
        self.token.stepped()
        if part is None:
            return False
        self.pace.stepped(time.perf_counter() - began)
        self.done = part.done
        if part.result is not None:
            self._known, self._is_news = part.result, True
        self._tell(at_once=self.token.paused)
        return True

    def rest(self) -> str:
        self._tell(at_once=True)
        return ""

    def end(self, reason: str) -> None:
        self._tell(at_once=True)
        super().end(reason)

    def _begin(self) -> Iterator[Part]:
        from core.evaluation import measurement_of

        shop, token = self.shop, self.token
        measurement = measurement_of(
            self._request,
            shop.library,
            shop.device,
            self._data,
            self._beside,
            check=lambda: shop.check(token),
            breathe=lambda: shop.breathe(token),
        )
        self._total, self._parts = measurement.total, measurement.work()
        shop.post(MeasureStarted(self.number, self._request, self._total))
        return self._parts

    def _tell(self, at_once: bool) -> None:
        now = time.perf_counter()
        since = now - self._told
        due = at_once or since >= TELL_SECONDS if self._is_news else since >= STILL_SECONDS
        if self._known is None or not due:
            return
        eta = (self._total - self.done) * self.pace.working / max(1, self.done)
        self.shop.post(Measured(self.number, self._known, self.done, self._total, eta))
        self._is_news, self._told = False, now
