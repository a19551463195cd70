"""The model in use, what it is, and the others at hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QPoint, Signal, Slot
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from app.theme import GRID
from app.widgets.labels import Lines
from core.messages import ModelInfo

PREDICTIONS = {"eps": "ε", "x0": "x₀", "v": "v"}


class ModelChooser(QWidget):
    """The open model and the others that are at hand.

    Attributes: ``about``, the line that leads to what is known of the open model. Signals: ``chosen(str)`` with a name
    or path; ``browse(QPoint)``, where on the screen the ways to open another can be offered; ``about_requested()``.
    """

    chosen = Signal(str)
    browse = Signal(QPoint)
    about_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._requested = ""
        self._new = ""
        self._open = ""
        self._combo = QComboBox()
        self._browse = QPushButton("Open…")
        self._combo.setAccessibleName("Model")
        self._combo.setToolTip("The diffusion model that looks at the picture")
        self._combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._combo.setMinimumContentsLength(4)
        self._browse.setProperty("role", "narrow")
        self._combo.setPlaceholderText("No model open")
        self._browse.setAccessibleName("Open another model")
        self._browse.setToolTip("Open a model's file or folder (Ctrl+Alt+O, Ctrl+Shift+O), or drop it on the window")
        self._says = Lines("caption")
        self.about = QPushButton()
        self.about.setProperty("role", "link")
        self.about.hide()
        row = QHBoxLayout()
        row.setSpacing(GRID)
        row.addWidget(self._combo, 1)
        row.addWidget(self._browse)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID // 2)
        column.addLayout(row)
        column.addWidget(self._says)
        column.addWidget(self.about)
        self._combo.activated.connect(self._activated)
        self._browse.clicked.connect(self._offer_ways)
        self.about.clicked.connect(self.about_requested)

    def keys(self) -> tuple[str, ...]:
        return tuple(str(self._combo.itemData(place)) for place in range(self._combo.count()))

    def set_models(self, models: Sequence[tuple[str, str]]) -> None:
        """Names with the key (bundled name or path) that opens each."""
        self._combo.clear()
        for name, key in models:
            self._combo.addItem(name, key)
        self._combo.setCurrentIndex(self._combo.findData(self._open))

    def request(self, key: str, name: str = "") -> None:
        """A model is being opened; it is listed from now on."""
        self._forget_new()
        self._requested = key
        if self._combo.findData(key) < 0:
            self._combo.addItem(name or Path(key).name, key)
            self._new = key
        self._combo.setCurrentIndex(self._combo.findData(key))

    def set_model(self, model: ModelInfo | None) -> None:
        """The model that is open now."""
        if model is not None and self._combo.findData(self._requested) < 0:
            self.request(model.ref.name)
        self._new = ""
        self._open = self._requested if model is not None else ""
        self._combo.setCurrentIndex(self._combo.findData(self._open))
        self._says.set_lines("" if model is None else describe(model))
        self.setToolTip("" if model is None else "\n".join(filter(None, (model.description, model.licence))))

    def opened(self, key: str, name: str) -> None:
        """What is open now, whoever asked for it: what is not listed yet is, under this name."""
        if Path(key).absolute() != Path(self._open).absolute():
            self.request(key, name)
            self._new, self._open = "", key

    def set_about(self, words: str, tooltip: str = "") -> None:
        """What the line about the open model says, "" without one."""
        self.about.setText(words)
        self.about.setToolTip(tooltip)
        self.about.setVisible(bool(words))

    def give_up(self) -> None:
        """Opening failed: the model from before is still the open one."""
        self._forget_new()
        self._requested = self._open
        self._combo.setCurrentIndex(self._combo.findData(self._open))

    def _forget_new(self) -> None:
        """What was listed only because it was asked for, and never opened, goes again."""
        place, self._new = self._combo.findData(self._new) if self._new else -1, ""
        if place >= 0:
            self._combo.removeItem(place)

    @Slot()
    def _offer_ways(self) -> None:
        self.browse.emit(self._browse.mapToGlobal(self._browse.rect().bottomLeft()))

    @Slot(int)
    def _activated(self, place: int) -> None:
        key = str(self._combo.itemData(place))
        if key != self._open:
            self._requested = key
            self.chosen.emit(key)


def describe(model: ModelInfo) -> str:
    """A model in two lines: data and prediction; classes and parameters."""
    if len(model.event_shape) == 3:
        channels, height, width = model.event_shape
        data = f"{width} × {height} {({1: 'grey', 3: 'colour'}).get(channels, f'with {channels} channels')}"
    else:
        data = " × ".join(map(str, model.event_shape))
    size = f"{model.parameters / 1e6:.1f} M parameters" if model.parameters else ""
    classes = f"{len(model.labels)} classes" if model.labels else "no classes"
    return f"{data}, predicts {PREDICTIONS[model.prediction]}\n" + ", ".join(filter(None, (classes, size)))
