"""The end points of a morph side by side: two to four cards, and a place for the next."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QToolButton, QWidget

from app.theme import GRID
from app.widgets.end_card import EndCard


class EndPoints(QWidget):
    """Cards A, B, C and D; the first two are always there.

    Attributes: ``cards``, ``add``. Signals, each with the card's place: ``seed_typed(int, int)``,
    ``seed_wanted(int)``, ``picture_wanted(int)``, ``label_chosen(int, str)``, ``removed(int)``,
    ``bundled_opened(int, QMenu)``, ``menu_opened(int, QMenu)``, ``dropped(int, QMimeData)``; and ``added()``.
    """

    seed_typed = Signal(int, int)
    seed_wanted = Signal(int)
    picture_wanted = Signal(int)
    label_chosen = Signal(int, str)
    removed = Signal(int)
    bundled_opened = Signal(int, object)
    menu_opened = Signal(int, object)
    dropped = Signal(int, object)
    added = Signal()

    def __init__(self, letters: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.cards = tuple(EndCard(letter) for letter in letters)
        self.add = QToolButton()
        self.add.setText("+")
        self.add.setToolTip("Add an end point: three make a triangle, four a square or a grid")
        self.add.setAccessibleName("Add an end point")
        self.add.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        self.add.setFixedWidth(4 * GRID)
        self.add.clicked.connect(lambda _checked=False: self.added.emit())
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID)
        for place, card in enumerate(self.cards):
            row.addWidget(card, 1)
            self._connect(place, card)
        row.addWidget(self.add)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.set_count(2)

    def set_count(self, count: int) -> None:
        """How many end points there are."""
        for place, card in enumerate(self.cards):
            card.setVisible(place < count)
            card.set_removable(count > 2)
        self.add.setVisible(count < len(self.cards))

    def _connect(self, place: int, card: EndCard) -> None:
        card.seed_typed.connect(_with(place, self.seed_typed.emit))
        card.seed_wanted.connect(lambda: self.seed_wanted.emit(place))
        card.picture_wanted.connect(lambda: self.picture_wanted.emit(place))
        card.label_chosen.connect(_with(place, self.label_chosen.emit))
        card.removed.connect(lambda: self.removed.emit(place))
        card.bundled_opened.connect(_with(place, self.bundled_opened.emit))
        card.menu_opened.connect(_with(place, self.menu_opened.emit))
        card.dropped.connect(_with(place, self.dropped.emit))


def _with(place: int, emit: Callable[[int, object], None]) -> Callable[[object], None]:
    return lambda value: emit(place, value)
