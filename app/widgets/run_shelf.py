"""The list of trainings under its name, with the button that lays their curves over each other."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from app.theme import GRID
from app.widgets.controls import label
from app.widgets.run_list import RunList

COMPARE = (
    "Tick trainings to draw their curves over that of the one looked at, and their samples beside its samples\n"
    "(or Ctrl+click them)"
)


class RunShelf(QWidget):
    """Attributes: ``runs``; ``compare``, the button, offered once there are two.

    Signals: ``comparing_changed(bool)`` by the person.
    """

    comparing_changed = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.runs = RunList()
        self.compare = QToolButton()
        self.compare.setText("Compare")
        self.compare.setCheckable(True)
        self.compare.setToolTip(COMPARE)
        self.compare.toggled.connect(self._toggled)
        self.runs.listed.connect(self._offer)
        head = QHBoxLayout()
        head.setSpacing(GRID)
        head.addWidget(label("Trainings", "caption"), 1)
        head.addWidget(self.compare)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID // 2)
        column.addLayout(head)
        column.addWidget(self.runs, 1)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._offer()

    def set_comparing(self, comparing: bool) -> None:
        """Show that trainings are compared, or no more."""
        self.compare.blockSignals(True)
        self.compare.setChecked(comparing)
        self.compare.blockSignals(False)
        self.runs.set_comparing(comparing)

    @Slot(bool)
    def _toggled(self, comparing: bool) -> None:
        self.runs.set_comparing(comparing)
        self.comparing_changed.emit(comparing)

    @Slot()
    def _offer(self) -> None:
        self.compare.setVisible(len(self.runs.runs) > 1)
