"""What a training that is being prepared will take, figure by figure, and what should be known before it begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFormLayout, QLabel, QVBoxLayout, QWidget

from app.stages.train_alike import scrolled
from app.theme import GRID
from app.widgets.controls import label


class Plan(QWidget):
    """Attributes: ``figures`` by their names, and ``warnings``, as they are shown."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.figures: Mapping[str, str] = {}
        self.warnings: tuple[str, ...] = ()
        self._shown: list[QLabel] = []
        self._body = QWidget()
        column = QVBoxLayout(self._body)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2 * GRID)
        self._warned = QVBoxLayout()
        self._warned.setSpacing(GRID)
        self._form = QFormLayout()
        self._form.setHorizontalSpacing(2 * GRID)
        self._form.setVerticalSpacing(GRID // 2)
        column.addLayout(self._form)
        column.addLayout(self._warned)
        column.addStretch(1)
        page = QVBoxLayout(self)
        page.setContentsMargins(0, 0, 0, 0)
        page.addWidget(scrolled(self._body, "What the training takes"))

    def show_plan(self, figures: Mapping[str, str], warnings: Sequence[str]) -> None:
        if (figures, tuple(warnings)) == (self.figures, self.warnings):
            return
        self.figures, self.warnings = dict(figures), tuple(warnings)
        while self._form.rowCount():
            self._form.removeRow(0)
        for shown in self._shown:
            shown.deleteLater()
        self._shown = [_text(warning) for warning in warnings]
        for name, words in figures.items():
            self._form.addRow(label(name, "quiet"), _text(words))
        for shown in self._shown:
            self._warned.addWidget(shown)


def _text(words: str) -> QLabel:
    made = QLabel(words)
    made.setTextFormat(Qt.TextFormat.PlainText)
    made.setWordWrap(True)
    made.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return made
