"""A colour: one of a few by name, or any by its hexadecimal number."""

from __future__ import annotations

from PySide6.QtCore import QRegularExpression, Signal, Slot
from PySide6.QtGui import QColor, QRegularExpressionValidator
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QWidget

from app.theme import GRID
from app.widgets.controls import Choice

NAMED = {"white": (255, 255, 255), "black": (0, 0, 0), "grey": (128, 128, 128)}
OWN = "own"
Colour = tuple[int, int, int]


class HexColour(QWidget):
    """Attributes: ``choice`` and, for a colour of one's own, ``edit``. Signals: ``colour_changed()``."""

    colour_changed = Signal()

    def __init__(self, name: str, value: Colour = NAMED["white"], *, tooltip: str = "") -> None:
        super().__init__()
        self.choice = Choice(name, {key: key for key in NAMED} | {OWN: "another"}, tooltip=tooltip)
        self.edit = QLineEdit()
        self.edit.setAccessibleName(f"{name}, as a hexadecimal number")
        self.edit.setToolTip("Red, green and blue, two hexadecimal digits each: #FF0000 is red")
        self.edit.setValidator(QRegularExpressionValidator(QRegularExpression("#?[0-9a-fA-F]{6}"), self.edit))
        self.edit.setFixedWidth(10 * GRID)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID // 2)
        row.addWidget(self.choice, 1)
        row.addWidget(self.edit)
        self.set_colour(value)
        self._said = self.colour()
        self.choice.value_changed.connect(self._choose)
        self.edit.editingFinished.connect(self._tell)

    def colour(self) -> Colour:
        named = NAMED.get(self.choice.value())
        if named is not None:
            return named
        text = self.edit.text().removeprefix("#")
        made = QColor(f"#{text}")
        return (made.red(), made.green(), made.blue()) if len(text) == 6 and made.isValid() else self._said

    def set_colour(self, value: Colour) -> None:
        self._said = value
        key = next((name for name, known in NAMED.items() if known == value), OWN)
        self.edit.setText("#{:02X}{:02X}{:02X}".format(*value))
        self.choice.set_value(key)
        self.edit.setVisible(key == OWN)

    @Slot(str)
    def _choose(self, key: str) -> None:
        """A colour of one's own begins with the one that was there."""
        self.edit.setText("#{:02X}{:02X}{:02X}".format(*self._said))
        self.edit.setVisible(key == OWN)
        self._tell()

    @Slot()
    def _tell(self) -> None:
        now = self.colour()
        self.edit.setText("#{:02X}{:02X}{:02X}".format(*now))
        if now != self._said:
            self._said = now
            self.colour_changed.emit()
