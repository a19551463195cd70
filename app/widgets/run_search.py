"""The line above the history in which a run is looked for, once there are many."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QLineEdit, QWidget

from app.state import AppState

MANY = 8
"""Runs from which on the line is there without being asked for: fewer are in sight."""


class RunSearch(QLineEdit):
    """Signals: ``left()``, by Return or the down arrow: on to the runs that were found."""

    left = Signal()

    def __init__(self, state: AppState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self.setPlaceholderText("Find runs")
        self.setAccessibleName("Find runs")
        self.setClearButtonEnabled(True)
        self.setToolTip(
            "Words of a run: its name, model, sampler, class, seed … (Ctrl+F)\n"
            "Return leads to what was found, Esc shows all."
        )
        self.hide()
        state.runs_changed.connect(self._show_or_hide)
        state.run_removed.connect(self._show_or_hide)

    def begin(self) -> None:
        """Let the person type, however few runs there are."""
        self.show()
        self.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.selectAll()

    @Slot(int)
    def _show_or_hide(self, _job: int) -> None:
        if len(self._state.runs) >= MANY:
            self.show()
        elif not self.text() and not self.hasFocus():
            self.hide()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.clear()
            self.left.emit()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Down):
            self.left.emit()
        else:
            super().keyPressEvent(event)
