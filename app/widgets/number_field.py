"""Numbers that are typed: one with its name, and a length of work in minutes or steps."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Signal, Slot
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QWidget

from app.theme import GRID
from app.widgets.controls import NumberEdit, label

MINUTES, STEPS = "minutes", "steps"
RANGES = {MINUTES: (0.1, 100_000.0), STEPS: (1.0, 10_000_000.0)}
DECIMALS = {MINUTES: 1, STEPS: 0}


class NumberField(QWidget):
    """A number with its name on the left and its unit behind it; ``least`` is said in place of the smallest one.

    Attributes: ``named``, its label. Signals: ``value_changed(float)``.
    """

    value_changed = Signal(float)

    def __init__(
        self,
        name: str,
        minimum: float,
        maximum: float,
        value: float,
        *,
        step: float = 1.0,
        decimals: int = 0,
        unit: str = "",
        least: str = "",
        tooltip: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.name = name
        self._edit = NumberEdit(decimals, unit)
        self._edit.setSpecialValueText(least)
        self._edit.setProperty("role", "")
        self._edit.setRange(minimum, maximum)
        self._edit.setSingleStep(step)
        self._edit.setValue(value)
        self._edit.setAccessibleName(name)
        self._edit.setAccessibleDescription(tooltip)
        self.named = label(name)
        self.named.setBuddy(self._edit)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID)
        row.addWidget(self.named)
        row.addWidget(self._edit, 1)
        self.setFocusProxy(self._edit)
        self.setToolTip(tooltip)
        self.setAccessibleName(name)
        self._edit.valueChanged.connect(self.value_changed)

    def value(self) -> float:
        return self._edit.value()

    def set_value(self, value: float) -> None:
        """Show and announce a value, rounded and clamped."""
        self._edit.setValue(value)


class Duration(QWidget):
    """How long to work: a number of minutes or of steps; each unit keeps its own number.

    Attributes: ``named``, its label. Signals: ``duration_changed()``.
    """

    duration_changed = Signal()

    def __init__(
        self, name: str, *, minutes: float = 20.0, steps: int = 5000, tooltip: str = "", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.name = name
        self._kept = {MINUTES: minutes, STEPS: float(steps)}
        self._edit = NumberEdit()
        self._edit.setProperty("role", "")
        self._edit.setAccessibleName(name)
        self._edit.setAccessibleDescription(tooltip)
        self._edit.setMinimumWidth(8 * GRID)
        self._unit = QComboBox()
        self._unit.addItems([MINUTES, STEPS])
        self._unit.setAccessibleName(f"{name}, unit")
        self.named = label(name)
        self.named.setBuddy(self._edit)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID)
        row.addWidget(self.named)
        row.addWidget(self._edit, 1)
        row.addWidget(self._unit)
        self.setFocusProxy(self._edit)
        self.setToolTip(tooltip)
        self.setAccessibleName(name)
        self._show_unit()
        self._edit.valueChanged.connect(self._typed)
        self._unit.currentTextChanged.connect(self._unit_chosen)

    def unit(self) -> str:
        """ "minutes" or "steps"."""
        return self._unit.currentText()

    @property
    def minutes(self) -> float | None:
        """None where the length is in steps."""
        return self._edit.value() if self.unit() == MINUTES else None

    @property
    def steps(self) -> int | None:
        """None where the length is in minutes."""
        return int(self._edit.value()) if self.unit() == STEPS else None

    def set_duration(self, *, minutes: float | None = None, steps: int | None = None) -> None:
        """Show and announce one of the two."""
        unit, value = (STEPS, float(steps)) if steps is not None else (MINUTES, minutes or 0.0)
        self._kept[unit] = value
        with QSignalBlocker(self._unit):
            self._unit.setCurrentText(unit)
        self._unit_chosen(unit)

    def _show_unit(self) -> None:
        unit = self.unit()
        with QSignalBlocker(self._edit):
            self._edit.setDecimals(DECIMALS[unit])
            self._edit.setRange(*RANGES[unit])
            self._edit.setSingleStep(1 if unit == MINUTES else 100)
            self._edit.setValue(self._kept[unit])

    @Slot(float)
    def _typed(self, value: float) -> None:
        self._kept[self.unit()] = value
        self.duration_changed.emit()

    @Slot(str)
    def _unit_chosen(self, _unit: str) -> None:
        self._show_unit()
        self.duration_changed.emit()
