"""The bar in which a stage says what went wrong and what to do; never modal."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from app.theme import GRID


class ErrorBar(QFrame):
    """One message at a time: what happened and what to do, Details that can be copied, dismissed with a button.

    Hidden while there is nothing to say. Signals: ``dismissed()``.
    """

    dismissed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "error")
        self.setAccessibleName("Error")
        self._details_text = ""
        self._message = QLabel()
        self._message.setWordWrap(True)
        self._message.setTextFormat(Qt.TextFormat.PlainText)
        self._message.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self._details = QPlainTextEdit()
        self._details.setReadOnly(True)
        self._details.setMaximumHeight(18 * GRID)
        self._details.setAccessibleName("Details of the error")
        self._more = QPushButton("Details")
        self._more.setCheckable(True)
        self._copy = QPushButton("Copy")
        self._copy.setToolTip("Copy the message and its details")
        self._close = QPushButton("Dismiss")
        for button in (self._more, self._copy, self._close):
            button.setProperty("role", "flat")

        row = QHBoxLayout()
        row.setSpacing(GRID // 2)
        row.addWidget(self._message, 1)
        for button in (self._more, self._copy, self._close):
            row.addWidget(button, 0, Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout(self)
        column.setContentsMargins(GRID + 4, GRID, GRID, GRID)
        column.addLayout(row)
        column.addWidget(self._details)
        self._more.toggled.connect(self._details.setVisible)
        self._copy.clicked.connect(self.copy)
        self._close.clicked.connect(self.dismiss)
        self._details.hide()
        self.hide()

    def message(self) -> str:
        """What is shown; "" while the bar is hidden."""
        return "" if self.isHidden() else self._message.text()

    def show_error(self, message: str, details: str = "") -> None:
        """Show a message, in place of an earlier one."""
        self._message.setText(message)
        self._details_text = details
        self._details.setPlainText(details)
        self._more.setChecked(False)
        self._more.setVisible(bool(details))
        self.show()

    @Slot()
    def dismiss(self) -> None:
        if not self.isHidden():
            self.hide()
            self.dismissed.emit()

    @Slot()
    def copy(self) -> None:
        QGuiApplication.clipboard().setText("\n\n".join(filter(None, (self._message.text(), self._details_text))))
