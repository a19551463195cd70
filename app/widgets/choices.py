"""One of several named options."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QStandardItemModel
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QWidget

from app.theme import GRID
from app.widgets.labels import label


class Choice(QWidget):
    """One of several named options, with its label on the left.

    ``options`` are keys, or keys with the texts to show. Attributes: ``named``, its label.
    Signals: ``value_changed(str)`` with the key.
    """

    value_changed = Signal(str)

    def __init__(
        self,
        name: str,
        options: Mapping[str, str] | Iterable[str],
        value: str = "",
        *,
        tooltip: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.name = name
        self.named = label(name)
        self._combo = QComboBox()
        self._combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._combo.setMinimumContentsLength(6)
        self.named.setBuddy(self._combo)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID)
        row.addWidget(self.named)
        row.addWidget(self._combo, 1)
        self.setFocusProxy(self._combo)
        self.setToolTip(tooltip)
        self.setAccessibleName(name)
        self._combo.setAccessibleName(name)
        self._combo.setAccessibleDescription(tooltip)
        self.set_options(options)
        if value:
            self.set_value(value)
        self._combo.currentIndexChanged.connect(self._chosen)

    def value(self) -> str:
        """The key chosen; "" while there are no options."""
        return str(self._combo.currentData() or "")

    def set_value(self, key: str) -> None:
        """Choose and announce an option; an unknown key is a programming error (ValueError)."""
        index = self._combo.findData(key)
        if index < 0:
            raise ValueError(f"{self.name} has no option {key!r}")
        self._combo.setCurrentIndex(index)

    def options(self) -> tuple[str, ...]:
        return tuple(self._combo.itemData(i) for i in range(self._combo.count()))

    def refuse(self, key: str, why: str) -> None:
        """Grey an option, with the reason as its tooltip; "" offers it again."""
        index, items = self._combo.findData(key), self._combo.model()
        if index >= 0 and isinstance(items, QStandardItemModel):
            items.item(index).setEnabled(not why)
            self._combo.setItemData(index, why or None, Qt.ItemDataRole.ToolTipRole)

    def refusal(self, key: str) -> str:
        """Why an option is greyed; "" where it is not."""
        return str(self._combo.itemData(self._combo.findData(key), Qt.ItemDataRole.ToolTipRole) or "")

    def set_options(self, options: Mapping[str, str] | Iterable[str]) -> None:
        """Replace the options; the chosen one stays where it still exists, otherwise the first is chosen."""
        texts = dict(options) if isinstance(options, Mapping) else {key: key for key in options}
        kept = self.value()
        self._combo.blockSignals(True)
        self._combo.clear()
        for key, text in texts.items():
            self._combo.addItem(text, key)
        self._combo.setCurrentIndex(max(0, self._combo.findData(kept)))
        self._combo.blockSignals(False)
        if self.value() != kept and kept:
            self.value_changed.emit(self.value())

    def set_reasons(self, reasons: Mapping[Any, str]) -> None:
        """Grey the options that have a reason not to be chosen, "" for none; the reason is said beside them."""
        items = self._combo.model()
        assert isinstance(items, QStandardItemModel)
        for index, key in enumerate(self.options()):
            why = reasons.get(key, "")
            if (self._combo.itemData(index, Qt.ItemDataRole.ToolTipRole) or "") != why:
                items.item(index).setEnabled(not why)
                self._combo.setItemData(index, why or None, Qt.ItemDataRole.ToolTipRole)

    def reason(self, key: str) -> str:
        """Why an option cannot be chosen, "" where it can."""
        return str(self._combo.itemData(self._combo.findData(key), Qt.ItemDataRole.ToolTipRole) or "")

    @Slot(int)
    def _chosen(self, _index: int) -> None:
        self.value_changed.emit(self.value())
