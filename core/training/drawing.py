"""When a run draws samples, and with which of its weights."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from core.dataspec import ImageSpec
from core.model_folder import OpenModel
from core.pace import PREVIEW_SHARE, Pace
from core.training.events import Drawn
from core.training.film import Film
from core.training.order import TrainOrder, WeightsName
from core.training.product import ModelProduct, Product
from core.training.samples import draw
from core.training.trainer import Trainer

FIRST_SAMPLES = 7.5
"""Seconds of work after which samples are drawn a second time; then after twice as long, and so on."""


class Drawing:
    """Draws into the run's film. ``weights`` chooses with which weights, ``asked`` that it be done at once; ``step`` is
    where it was done last, -1 before. Where it ``has_given_up`` for want of memory, it waits to be asked."""

    def __init__(self, order: TrainOrder, trainer: Trainer, product: Product, film: Film, pace: Pace) -> None:
        self._order, self._trainer, self._product = order, trainer, product
        self._film, self._pace = film, pace
        self.weights: WeightsName = order.samples_from
        self.asked = self.has_given_up = False
        self.step = -1
        self._next = self._later() if film.sets else 0.0

    @property
    def is_possible(self) -> bool:
        return self._product.draws and self._order.samples > 0

    @property
    def is_due(self) -> bool:
        """Before the first step; then oftener at first, within a share of the run's time; and where asked for."""
        if not self.is_possible or self.has_given_up:
            return False
        if self.asked:
            return True
        if self._trainer.seconds < self._next:
            return False
        return self._is_affordable or self._trainer.step == 0

    @property
    def _is_affordable(self) -> bool:
        return self._pace.previewing + self._pace.preview_seconds <= PREVIEW_SHARE * self._pace.working

    def belongs_to_checkpoint(self, *, stays: bool, best: bool) -> bool:
        """Whether the checkpoint about to be written should have its samples: one that ``stays`` always, the ``best``
        so far where there is time for it. The latest is replaced soon."""
        if not self.is_possible or self.has_given_up or self.step == self._trainer.step:
            return False
        return stays or (best and self._is_affordable)

    def draw(self, device: str, check: Callable[[], None]) -> Iterator[Drawn | None]:
        """None after each step of the sampler, in the end what was drawn."""
        assert isinstance(self._product, ModelProduct)
        step, seconds, self.asked = self._trainer.step, 0.0, False
        network, info = self._product.network(self._trainer, self.weights), self._product.info
        opened = OpenModel(info, ImageSpec(info.event_shape), network, network.config, self._order.out)
        precision = self._trainer.path.precision
        items = draw(opened, self._order.samples, precision, device, check, step=step, weights=self.weights)
        drawn = None
        while drawn is None:
            began = time.perf_counter()
            drawn = next(items)
            seconds += time.perf_counter() - began
            if drawn is None:
                yield None
        self._pace.previewed(seconds)
        self.step, self._next, self.has_given_up = step, self._later(), False
        self._film.add(drawn)
        yield drawn

    def _later(self) -> float:
        seconds = self._trainer.seconds
        return seconds + min(self._order.sample_every, max(FIRST_SAMPLES, seconds))
