"""The line above the history in which a run is looked for."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent
from PySide6.QtWidgets import QLineEdit, QWidget


class RunSearch(QLineEdit):
    """There from ``begin`` until Esc is pressed, or it is left without a word in it.

    Signals: ``left()``, by Return, the down arrow or Esc: on to the runs.
    """

    left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setPlaceholderText("Find runs")
        self.setAccessibleName("Find runs")
        self.setClearButtonEnabled(True)
        self.setToolTip(
            "Words of a run: its name, model, sampler, class, seed …\nReturn leads to what was found, Esc shows all."
        )
        self.hide()

    def begin(self) -> None:
        """Let the person type."""
        self.show()
        self.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.selectAll()

    def event(self, event: QEvent) -> bool:
        is_esc = isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape
        if is_esc and event.type() == QEvent.Type.ShortcutOverride:  # else it would stop what runs
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.clear()
            self.left.emit()
            self.hide()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Down):
            self.left.emit()
        else:
            super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        elsewhere = (Qt.FocusReason.ActiveWindowFocusReason, Qt.FocusReason.PopupFocusReason)
        if not self.text() and event.reason() not in elsewhere:
            self.hide()
