"""The sheet of an ablation: a card for each training, in two rows as in the paper's table, and what can be done."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from app.stages.ablation_card import AblationCard
from app.stages.ablation_record import AblationRecord, aim_of
from app.stages.run_instruments import button
from app.stages.train_maths import words_of
from app.theme import GRID
from app.widgets.controls import Choice, PrimaryButton, label
from app.widgets.number_field import NumberField
from app.widgets.status import Hint
from core.training.ablation import Figures

NOTHING = ""
"""No classifier: no distance either."""
WHAT = (
    "DDPM's table 2 on these pictures: the mean μ̃ or the noise ε predicted, by the bound L or by L_simple,\n"
    "with a learned or a fixed variance, each trained equally long on the same batches and noise (Ho et al. 2020)."
)


WORDS = (
    "DDPM's table 2 on these pictures, each training equally long on the same batches and noise: above, the mean μ̃ is "
    "predicted, below the noise ε."
)


class AblationView(QWidget):
    """Signals: ``cell_chosen(int)`` when one training is to be looked at alone; ``settings_changed()``."""

    cell_chosen = Signal(int)
    settings_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.cards: list[AblationCard] = []
        self.name = label("", "title")
        self.name.setToolTip(WHAT)
        self.state = Hint()
        self.words = label(WORDS, "quiet")
        self.words.setWordWrap(True)
        self.words.setToolTip(WHAT)
        self.new = QPushButton("New training")
        self.new.setToolTip("Choose pictures and settings for another training; this one goes on")
        self.next = PrimaryButton("Train all six", WHAT)
        self.pause = button("Pause", "Pause the training under way, and save (Space)")
        self.stop = button("Stop and keep", "Save, and go on later (Esc)")
        self.steps = NumberField(
            "Steps each", 1, 10_000_000, 2000, step=100,
            tooltip="How long each training is, the same for all: what differs is only what the table compares.",
        )  # fmt: skip
        self.hybrid = QCheckBox("and L_hybrid")
        self.hybrid.setToolTip(
            "One more training: ε by L_simple with a variance that L_vlb teaches beside it, which made learning it\n"
            "stable (Nichol & Dhariwal 2021, section 3.1)."
        )
        self.judge = Choice("Distance by", {NOTHING: "no classifier"})
        self.judge.setToolTip(
            "The classifier in whose features samples are compared with pictures. Train a clean classifier on the\n"
            "same folder to have one that knows these pictures."
        )
        self.judge.setMinimumWidth(24 * GRID)
        self.common = QCheckBox("One axis")
        self.common.setToolTip("Draw all curves of losses counted in the same on one axis, to compare them")
        self._grid = QGridLayout()
        self._scroll = QScrollArea()
        self._lay_out()
        self.steps.value_changed.connect(self.settings_changed)
        self.hybrid.toggled.connect(self.settings_changed)
        self.common.toggled.connect(self._share_axes)
        self._record: AblationRecord | None = None

    def _lay_out(self) -> None:
        title, does, settings = QHBoxLayout(), QHBoxLayout(), QHBoxLayout()
        for row in (title, does, settings):
            row.setSpacing(GRID)
        title.addWidget(self.name)
        title.addWidget(self.state, 1)
        title.addWidget(self.new)
        does.addWidget(self.next, 1)
        for widget in (self.pause, self.stop):
            does.addWidget(widget)
        for field in (self.steps, self.hybrid, self.judge, self.common):
            settings.addWidget(field)
        settings.addStretch(1)
        body = QWidget()
        self._grid.setContentsMargins(0, 0, GRID, 0)
        self._grid.setHorizontalSpacing(2 * GRID)
        self._grid.setVerticalSpacing(GRID)
        body.setLayout(self._grid)
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setWidget(body)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        column.addLayout(title)
        column.addWidget(self.words)
        column.addLayout(does)
        column.addLayout(settings)
        column.addWidget(self._scroll, 1)

    def show_record(self, record: AblationRecord) -> None:
        """The cards as far as their trainings have come."""
        if self._record is not record:
            self._record = record
            for card in self.cards:
                card.clear()
        self._make_cards(len(record.cells))
        self.name.setText(record.name)
        for card, one in zip(self.cards, record.cells, strict=True):
            card.show_cell(one, record.plan, is_measured=any(other.figures != Figures() for other in record.cells))
        self._share_axes()

    def set_judges(self, names: dict[str, str]) -> None:
        """The classifiers there are, by hash; the one chosen stays, a first one is chosen."""
        had = self.judge.options()
        self.judge.set_options({**names, NOTHING: "no classifier"})
        if names and had == (NOTHING,):
            self.judge.set_value(next(iter(names)))

    def _make_cards(self, count: int) -> None:
        """Two rows: three of the mean, three of the noise, beside which the hybrid stands."""
        while len(self.cards) > count:
            card = self.cards.pop()
            self._grid.removeWidget(card)
            card.deleteLater()
        while len(self.cards) < count:
            place = len(self.cards)
            card = AblationCard(place)
            card.chosen.connect(self.cell_chosen)
            self.cards.append(card)
            self._grid.addWidget(card, int(place >= 3), place if place < 3 else place - 3)
        for column in range(4):
            self._grid.setColumnStretch(column, 1 if column < 3 or count > 6 else 0)

    @Slot()
    def _share_axes(self) -> None:
        """One axis for those that are counted in the same, or to each its own."""
        record = self._record
        if record is None:
            return
        units = [words_of(aim_of(record.plan, one.cell)) for one in record.cells]
        kinds = [words.unit or words.name for words in units]
        for card, kind in zip(self.cards, kinds, strict=True):
            ranges = [
                other.plot.own_range
                for other, same, one in zip(self.cards, kinds, record.cells, strict=True)
                if same == kind and one.step
            ]
            shared = (min(low for low, _ in ranges), max(high for _, high in ranges)) if ranges else None
            card.plot.set_range(shared if self.common.isChecked() else None)
