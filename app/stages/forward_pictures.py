"""The pictures of Forward, laid out so that x_t is the largest that its shape allows."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRect

from app.theme import GRID
from app.widgets.picture_pane import CAPTION_HEIGHT
from app.widgets.pictures import PicturePane, PictureRow

LEAST = 74 + CAPTION_HEIGHT
"""The least height of a pane: x_0 and eps under a wide x_t leave the rest to it."""

Places = tuple[QRect, QRect, QRect]
"""Of x_0, x_t and eps."""


class ForwardPictures(PictureRow):
    """x_t, large, between or above what it is made of, x_0 and eps; what the network sees in it on the right.

    Upright and square pictures have x_0 and eps on their left, wide ones have them underneath. Where there is not the
    height for two pictures above each other, all stand in one row.
    """

    def __init__(self, x_0: PicturePane, x_t: PicturePane, eps: PicturePane, seen: Sequence[PicturePane]) -> None:
        self._seen: PictureRow | None = None
        self._aspect = 1.0
        for pane in (x_0, x_t, eps):
            pane.setMinimumHeight(LEAST)
        super().__init__([x_0, x_t, eps])
        self._seen = PictureRow(seen, self)

    def set_shape(self, height: int, width: int) -> None:
        """The pixels of the pictures to come."""
        if width / height != self._aspect:
            self._aspect = width / height
            self._arrange()

    def _arrange(self) -> None:
        width, height = self.width(), self.height()
        if (height - GRID) // 2 < LEAST:
            side = (width - 3 * GRID) // 3
            places = self._in_a_row(width - side - GRID, side // 2)
        else:
            side = (width - 2 * GRID) // 4
            room = width - side - GRID
            places = max(self._beside(room, side), self._beneath(room), key=self._size_of_x_t)
        for pane, place in zip(self.panes, places, strict=True):
            pane.setGeometry(place)
        if self._seen is not None:
            self._seen.setGeometry(width - side, 0, side, height)

    def _size_of_x_t(self, places: Places) -> float:
        """The height that the picture has there."""
        return min(places[1].width() / self._aspect, places[1].height() - CAPTION_HEIGHT)

    def _in_a_row(self, room: int, small: int) -> Places:
        height, left = self.height(), 2 * (small + GRID)
        return (
            QRect(0, 0, small, height),
            QRect(left, 0, room - left, height),
            QRect(small + GRID, 0, small, height),
        )

    def _beside(self, room: int, side: int) -> Places:
        height, half = self.height(), (self.height() - GRID) // 2
        return (
            QRect(0, 0, side, half),
            QRect(side + GRID, 0, room - side - GRID, height),
            QRect(0, half + GRID, side, half),
        )

    def _beneath(self, room: int) -> Places:
        height, half = self.height(), (room - GRID) // 2
        large = min(height - GRID - LEAST, max(LEAST, round(room / self._aspect) + CAPTION_HEIGHT))
        top = large + GRID
        return (
            QRect(0, top, half, height - top),
            QRect(0, 0, room, large),
            QRect(half + GRID, top, half, height - top),
        )
