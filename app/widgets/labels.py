"""Words in the style sheet's roles, lines cut to their room, and the one filled button of a stage."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QLabel, QPushButton, QSizePolicy, QWidget


def label(text: str, role: str = "") -> QLabel:
    """A label in one of the style sheet's roles: "", "title", "quiet" or "caption"."""
    made = QLabel(text)
    if role:
        made.setProperty("role", role)
    return made


def align(together: Iterable[QWidget | None]) -> None:
    """Make the names of controls that stand below each other as wide as the widest of them, so that what they name
    begins at one edge; a control's name is the label in its attribute ``named``."""
    names = [widget if isinstance(widget, QLabel) else getattr(widget, "named", None) for widget in together]
    labels = [name for name in names if isinstance(name, QLabel)]
    widest = max((name.sizeHint().width() for name in labels), default=0)
    for name in labels:
        name.setMinimumWidth(widest)


class Lines(QLabel):
    """Lines of text, each cut where the panel ends, whole in the tooltip."""

    def __init__(self, role: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", role)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self._lines = ""

    def set_lines(self, text: str) -> None:
        self._lines = text
        self.setToolTip(text)
        self._cut()

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._cut()

    def _cut(self) -> None:
        metrics, width = self.fontMetrics(), self.width()
        cut = (metrics.elidedText(line, Qt.TextElideMode.ElideRight, width) for line in self._lines.split("\n"))
        self.setText("\n".join(cut))


class PrimaryButton(QPushButton):
    """The one filled button of a stage: the thing to do next."""

    def __init__(self, text: str, tooltip: str = "", parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self.setProperty("role", "primary")
        self.setToolTip(tooltip)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
