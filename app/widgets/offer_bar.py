"""A line above the stage that offers to do something, calmly: it waits for as long as the person likes."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QWidget

from app.theme import GRID
from app.widgets.controls import label


class OfferBar(QFrame):
    """Words, a button that says yes and one that says no; hidden while nothing is offered.

    Attributes: ``accept``, ``decline``. Signals: ``accepted()``, ``declined()``.
    """

    accepted = Signal()
    declined = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "offer")
        self._words = label("")
        self._words.setWordWrap(True)
        self.accept, self.decline = QPushButton(), QPushButton()
        self.decline.setProperty("role", "flat")
        self.accept.clicked.connect(self.accepted)
        self.decline.clicked.connect(self.declined)
        row = QHBoxLayout(self)
        row.setContentsMargins(GRID + 4, GRID // 2, GRID, GRID // 2)
        row.setSpacing(GRID)
        row.addWidget(self._words, 1)
        row.addWidget(self.accept)
        row.addWidget(self.decline)
        self.hide()

    def words(self) -> str:
        """What is offered; "" while nothing is."""
        return "" if self.isHidden() else self._words.text()

    def offer(self, words: str, yes: tuple[str, str], no: tuple[str, str]) -> None:
        """Offer something, in the place of what was offered before; ``yes`` and ``no`` are what the buttons say, and
        what they do."""
        self._words.setText(words)
        self.setAccessibleName(words)
        self.accept.show()
        for button, (text, does) in ((self.accept, yes), (self.decline, no)):
            button.setText(text)
            button.setToolTip(does)
        self.show()

    def tell(self, words: str) -> None:
        """Say something that asks for nothing; the button takes it away."""
        self.offer(words, ("", ""), ("Close", "Take this line away"))
        self.accept.hide()
