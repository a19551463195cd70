"""What a training that does not fit into memory asks of the person: whether it may go on in smaller parts."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QWidget

from app.stages.train_course import Course
from app.theme import GRID
from app.widgets.controls import label
from core.training.order import Instruction

TOOLTIP = (
    "So many pictures go through the network at once; the gradients of the parts add up to those of the whole batch.\n"
    "What is learned stays the same up to rounding, in a little more time. The training remembers the step."
)


class TrainOffer(QFrame):
    """The question and the button that answers it with yes; to say no, stop the training or leave it paused.

    Signals: ``accepted(Instruction)``.
    """

    accepted = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._micro_batch = 0
        self.words = label("")
        self.words.setWordWrap(True)
        self.accept = QPushButton()
        self.accept.setToolTip(TOOLTIP)
        self.accept.clicked.connect(self._accept)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID)
        row.addWidget(self.words, 1)
        row.addWidget(self.accept)
        self.hide()

    def show_course(self, course: Course) -> None:
        """The question that stands, if any does."""
        offer = course.offer
        self.setVisible(offer is not None)
        if offer is not None and course.batch:
            self._micro_batch = offer.micro_batch
            parts = -(-course.batch // offer.micro_batch)
            self.words.setText(offer.why)
            self.accept.setText(f"Go on with {parts} × {offer.micro_batch} pictures")

    @Slot()
    def _accept(self) -> None:
        self.accepted.emit(Instruction(micro_batch=self._micro_batch))
