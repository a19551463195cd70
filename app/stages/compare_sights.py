"""What is seen of a state of either run: pictures, and the numbers behind them where they are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal, Slot

from app.stages.compare_plan import Spot
from app.stages.sights import Sights
from core.measures import mean_squared_error, psnr
from core.messages import Failed, Picture

if TYPE_CHECKING:
    from app.bridge import Bridge

What = Literal["x_t", "x0_hat"]
Numbers = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Side:
    """Of one run: ``pictures`` uint8 (n, H, W, C); ``values`` float (n, C, H, W) in [-1, 1] for data, unclamped where
    ``is_exact``, else those of the pictures; ``value_range`` of the state it is a part of."""

    pictures: Picture
    values: Numbers
    is_exact: bool
    value_range: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class Apart:
    """How far two sides are apart: first minus second, mean squared error (of data in [0, 1]) and PSNR in decibels."""

    signed: Numbers
    mse: float
    psnr: float
    largest: float
    is_exact: bool

    @property
    def figures(self) -> tuple[float, float, float]:
        return self.mse, self.psnr, self.largest


def apart(first: Side, second: Side) -> Apart | None:
    """None where the two have pictures of different sizes or numbers of channels."""
    if first.values.shape != second.values.shape:
        return None
    is_exact = first.is_exact and second.is_exact
    ours, theirs = (side.values if is_exact else of_pictures(side.pictures) for side in (first, second))
    signed = ours - theirs
    mse = float(mean_squared_error(ours, theirs).mean())
    return Apart(signed, mse, psnr(mse), float(np.abs(signed).max(initial=0.0)), is_exact)


def of_pictures(pictures: Picture) -> Numbers:
    """Bytes (n, H, W, C) as numbers in [-1, 1], (n, C, H, W)."""
    values: Numbers = pictures.transpose(0, 3, 1, 2).astype(np.float32) / 127.5 - 1
    return values


class CompareSights(QObject):
    """Sees states of two runs: x_t at once where it is stored, the rest when the network has looked, one run after the
    other. Signals: ``learned()``, more can be seen than before; ``failed(message, details)``."""

    learned = Signal()
    failed = Signal(str, str)

    def __init__(self, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._sights = Sights(bridge, self)
        self._sights.learned.connect(self.learned)

    def see(self, spots: tuple[Spot, Spot], what: What) -> tuple[Side | None, Side | None]:
        """What is known now; the network is asked for what is not."""
        first, second = (self._side(spot, what) for spot in spots)
        for spot, side in zip(spots, (first, second), strict=True):
            if side is None and spot.frame is None:
                self._sights.ask(spot.job, spot.step)
                break
        return first, second

    @Slot(object)
    def receive(self, message: object) -> None:
        """Take what the engine shows."""
        self._sights.receive(message)
        if isinstance(message, Failed):
            self.failed.emit(message.message, message.details)

    def _side(self, spot: Spot, what: What) -> Side | None:
        if spot.frame is not None:
            stored = self._bridge.frame(spot.job, spot.step, spot.frame)
            pictures, value_range = (None, None) if stored is None else (stored.x_t, stored.x_t_range)
        else:
            sight = self._sights.see(spot.job, spot.step)
            pictures = None if sight is None else sight.x_t if what == "x_t" else sight.x0_hat
            value_range = None if sight is None or what != "x_t" else sight.x_t_range
        if pictures is None:
            return None
        cells = list(spot.cells)
        values = self._bridge.values(spot.job, spot.step, spot.frame) if what == "x_t" else None
        if values is not None and values.ndim == 4 and values.shape[2:] == pictures.shape[1:3]:
            return Side(pictures[cells], values[cells], True, value_range)
        return Side(pictures[cells], of_pictures(pictures[cells]), False, value_range)
