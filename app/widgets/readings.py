"""Beside the large plot: the formula of what is plotted, and each curve with its value at the cursor."""

from __future__ import annotations

from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QSizePolicy, QWidget

from app.theme import GRID, font, palette, theme
from app.widgets import typeset
from app.widgets.caption import quantity_colours
from app.widgets.curves import GHOST, SHOWN, Curve, Swatch

LARGEST = 18.0
HEIGHT = 6 * GRID
NAMES = {SHOWN: "the schedule shown", GHOST: "the one compared"}


class Formula(QWidget):
    """A line of mathematics, made smaller where it is wider than its room. Attributes: ``latex``."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.latex = ""
        self.setFixedHeight(HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme().theme_changed.connect(self.update)

    def set_latex(self, latex: str) -> None:
        self.latex = latex
        self.setAccessibleName(typeset.plain(latex))
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        ink, baseline = QColor(palette().text), QPointF(0, 0.55 * HEIGHT)
        if self.latex:
            made = typeset.typeset(self.latex)
            size = min(LARGEST, LARGEST * self.width() / max(1.0, made.width(LARGEST)))
            made.paint(painter, baseline, size, quantity_colours(), ink)


class Reading(QWidget):
    """Whether a curve is drawn, how it is drawn, its name and its value at the cursor.

    Signals: ``toggled()``.
    """

    toggled = Signal()

    def __init__(self, key: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._key = key
        self.box = QCheckBox(NAMES.get(key, key))
        self.box.setChecked(key in NAMES)
        self.box.setToolTip("Draw this curve")
        self.value = QLabel()
        self.value.setFont(font("body", numbers=True))
        self.value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID)
        row.addWidget(Swatch(key))
        row.addWidget(self.box, 1)
        row.addWidget(self.value)
        self.box.toggled.connect(self.toggled)

    @property
    def is_chosen(self) -> bool:
        return self.box.isChecked()

    def offer(self, curve: Curve | None, refusal: str = "") -> None:
        """The curve that can be drawn; without one the row is hidden, or says why it cannot be."""
        self.setVisible(curve is not None or bool(refusal))
        self.box.setEnabled(curve is not None)
        self.box.setToolTip(refusal or "Draw this curve")
        self.box.setText(self._key if curve is None else curve.label)
        self.box.setAccessibleName(self.box.text())

    def say(self, text: str) -> None:
        self.value.setText(text)
        self.value.setAccessibleName(f"{self.box.text()} at the cursor: {text}")
