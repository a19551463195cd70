"""A sample beside a training picture, and what differs between them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from app.theme import GRID
from app.widgets.labels import Lines
from app.widgets.pictures import PicturePane, PictureRow

DIFFERENCE = "Sample minus training picture, in 8-bit values: purple is darker, green is lighter, nothing is the same."


class NearestPair(QWidget):
    """Linked panes: zoom, pan and hover are shared. Signals: ``closed()`` after a click or the button."""

    closed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.back = QPushButton("All samples")
        self.back.setToolTip("Back to all samples and what is nearest to them (Esc)")
        self.back.clicked.connect(self.closed)
        self.words = Lines("caption")
        self.sample, self.picture = PicturePane("x_0", "x_0"), PicturePane("neutral", "x_0")
        self.difference = PicturePane("eps", r"\Delta x_0")
        self.difference.setToolTip(DIFFERENCE)
        self.row = PictureRow((self.sample, self.picture, self.difference))
        self.row.cell_clicked.connect(lambda _cell: self.closed.emit())
        top = QHBoxLayout()
        top.setSpacing(GRID)
        top.addWidget(self.back)
        top.addWidget(self.words, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID // 2)
        column.addLayout(top)
        column.addWidget(self.row, 1)

    def show_pair(self, sample: NDArray[np.uint8], picture: NDArray[np.uint8], words: str) -> None:
        """A sample and a training picture, uint8 (H, W, 1|3), and what is said of them."""
        self.words.set_lines(words)
        self.sample.set_pictures(sample[None])
        self.sample.set_caption("sample")
        self.picture.set_pictures(picture[None])
        self.picture.set_caption("trained on")
        apart = sample.astype(np.float32) - picture.astype(np.float32)
        self.difference.set_signed(apart.transpose(2, 0, 1)[None])
        self.difference.set_caption("difference")
        self.row.fit()
