"""The name of what is looked at, as much of it as there is room for."""

from __future__ import annotations

from PySide6.QtCore import QSize
from PySide6.QtWidgets import QSizePolicy

from app.theme import GRID
from app.widgets.status import Hint

LEAST, MOST = 15 * GRID, 42 * GRID


class Title(Hint):
    """A line in the large font that ends in "…" where it has no room, and leaves some to what stands beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "title")
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Preferred)

    def sizeHint(self) -> QSize:
        whole = super().sizeHint()
        return QSize(min(whole.width(), MOST), whole.height())

    def minimumSizeHint(self) -> QSize:
        whole = super().minimumSizeHint()
        return QSize(min(whole.width(), LEAST), whole.height())
