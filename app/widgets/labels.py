"""Words in the style sheet's roles, and the one filled button of a stage."""

from __future__ import annotations

from PySide6.QtWidgets import QLabel, QPushButton, QSizePolicy, QWidget


def label(text: str, role: str = "") -> QLabel:
    """A label in one of the style sheet's roles: "", "title", "quiet" or "caption"."""
    made = QLabel(text)
    if role:
        made.setProperty("role", role)
    return made


class PrimaryButton(QPushButton):
    """The one filled button of a stage: the thing to do next."""

    def __init__(self, text: str, tooltip: str = "", parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self.setProperty("role", "primary")
        self.setToolTip(tooltip)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
