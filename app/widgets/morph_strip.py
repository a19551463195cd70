"""The filmstrip of a morph: frames that appear in any order, with words for where they lie."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRect
from PySide6.QtGui import QPainter

from app.widgets.filmstrip import Filmstrip

UNFINISHED = 0.4


class MorphStrip(Filmstrip):
    """A ``Filmstrip`` whose frames have names instead of times, and are dimmed until they are finished."""

    def __init__(self) -> None:
        super().__init__()
        self._names: tuple[str, ...] = ()
        self._finished: set[int] = set()
        self.setToolTip("The frames of the morph, made coarse to fine: click to go there")

    def set_names(self, names: Sequence[str]) -> None:
        """As many empty frames as names."""
        self._names = tuple(names)
        self._finished.clear()
        self.set_frames(len(names), range(len(names)))

    def put(self, index: int, picture: NDArray[np.uint8], *, finished: bool) -> None:
        """The picture of a frame, uint8 (H, W, C), as far as it has come."""
        (self._finished.add if finished else self._finished.discard)(index)
        self.set_frame(index, picture)

    def is_finished(self, index: int) -> bool:
        return index in self._finished

    def _label(self, index: int) -> str:
        return self._names[index] if 0 <= index < len(self._names) else ""

    def _paint_frame(self, painter: QPainter, index: int, rect: QRect) -> None:
        painter.setOpacity(1.0 if index in self._finished or not self.has_frame(index) else UNFINISHED)
        super()._paint_frame(painter, index, rect)
        painter.setOpacity(1.0)
