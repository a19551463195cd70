"""Beside two runs that are compared: how far apart they are here, and which of their settings differ."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from app.theme import GRID, font
from app.widgets.labels import label

FIGURES = {
    "mse": ("Mean squared error", "A value, in units in which the data's range is [0, 1]"),
    "psnr": ("PSNR", "10 log₁₀ (1 / mean squared error), in decibels; ∞ where nothing differs"),
    "largest": ("Largest difference", "Of any value, in the units of the pictures, whose data lie in [−1, 1]"),
}
NOTHING = "None: the same request, which makes the same pictures."


class ComparisonFacts(QWidget):
    """Attributes: ``figures``, labels by the keys of ``FIGURES``; ``note``, what has to be said of the two states."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.figures: dict[str, QLabel] = {}
        self._rows: list[QLabel] = []
        grid = QGridLayout()
        grid.setColumnStretch(0, 1)
        for row, (key, (name, tooltip)) in enumerate(FIGURES.items()):
            named, value = label(name, "quiet"), QLabel()
            value.setFont(font("body", numbers=True))
            value.setAlignment(Qt.AlignmentFlag.AlignRight)
            value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            for widget in (named, value):
                widget.setToolTip(tooltip)
            grid.addWidget(named, row, 0)
            grid.addWidget(value, row, 1)
            self.figures[key] = value
        self.note = label("", "caption")
        self.note.setWordWrap(True)
        self._settings = QGridLayout()
        self._settings.setHorizontalSpacing(GRID)
        self._settings.setVerticalSpacing(GRID // 2)
        for column, stretch in enumerate((4, 5, 5)):
            self._settings.setColumnStretch(column, stretch)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(GRID)
        whole.addWidget(label("How far apart"))
        whole.addLayout(grid)
        whole.addWidget(self.note)
        whole.addSpacing(GRID)
        whole.addWidget(label("Settings that differ"))
        whole.addLayout(self._settings)
        whole.addStretch(1)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self.set_figures(None)

    def set_figures(self, figures: tuple[float, float, float] | None) -> None:
        """Mean squared error, PSNR in decibels and the largest difference; None while they are not known."""
        mse, psnr, largest = figures or (math.nan,) * 3
        said = {
            "mse": "–" if math.isnan(mse) else f"{mse:.6f}" if mse >= 1e-4 or mse == 0 else f"{mse:.2e}",
            "psnr": "–" if math.isnan(psnr) else "∞ dB" if math.isinf(psnr) else f"{psnr:.2f} dB".replace("-", "−"),
            "largest": "–" if math.isnan(largest) else f"{largest:.3f}",
        }
        for key, text in said.items():
            self.figures[key].setText(text)
            self.figures[key].setAccessibleName(f"{FIGURES[key][0]}: {text}")

    def set_settings(self, names: tuple[str, str], rows: Sequence[tuple[str, str, str]]) -> None:
        """Settings that differ, each with what the first and the second run have."""
        for old in self._rows:
            self._settings.removeWidget(old)
            old.deleteLater()
        self._rows = []
        lines = [("", *names), *rows] if rows else [(NOTHING, "", "")]
        for row, (name, *values) in enumerate(lines):
            self._put(name, row, 0, "quiet", 1 if rows else 3)
            for column, text in enumerate(values if rows else (), 1):
                self._put(text, row, column, "quiet" if row == 0 else "")

    def rows(self) -> list[tuple[str, ...]]:
        """What is listed, line by line, for whoever asks."""
        texts = [row.text() for row in self._rows]
        return [tuple(texts[3:][at : at + 3]) for at in range(0, len(texts[3:]), 3)]

    def _put(self, text: str, row: int, column: int, role: str, span: int = 1) -> None:
        made = label(text, role)
        made.setWordWrap(True)
        made.setTextFormat(Qt.TextFormat.PlainText)
        made.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        made.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        made.setMinimumWidth(0)
        self._settings.addWidget(made, row, column, 1, span)
        self._rows.append(made)
