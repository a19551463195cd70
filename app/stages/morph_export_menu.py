"""What can be chosen about the file of a morph, or of samples: a menu under the button Export."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from PySide6.QtCore import QPoint, Signal
from PySide6.QtWidgets import QCheckBox, QMenu, QPushButton, QVBoxLayout, QWidget, QWidgetAction

from app.stages.morph_export import FORMATS, ExportSettings
from app.theme import GRID
from app.widgets.controls import ValueSlider


class ExportMenu(QMenu):
    """Frame time, direction and size, and a line for each format or kind of file.

    Attributes: ``formats``, the line of each by its key (a morph's: file endings). Signals: ``chosen(str)`` with one.
    """

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None, formats: Mapping[str, str] = FORMATS) -> None:
        super().__init__(parent)
        self.setToolTipsVisible(True)
        self.milliseconds = ValueSlider(
            "Frame time", 20, 1000, 100, step=10, unit="ms", tooltip="How long an animation shows each frame."
        )
        self.zoom = ValueSlider("Size", 1, 16, 8, unit="×", tooltip="Pixels of the file for one pixel of a frame.")
        self.both_ways = QCheckBox("There and back")
        self.both_ways.setToolTip("An animation that turns round at the end, and so has no jump when it begins again.")
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(GRID, GRID, GRID, GRID)
        column.setSpacing(GRID)
        for widget in (self.milliseconds, self.zoom, self.both_ways):
            column.addWidget(widget)
        body.setMinimumWidth(28 * GRID)
        place = QWidgetAction(self)
        place.setDefaultWidget(body)
        self.addAction(place)
        self.addSeparator()
        self.formats = {ending: self.addAction(f"{words.partition(' (')[0]}…") for ending, words in formats.items()}
        for ending, action in self.formats.items():
            action.triggered.connect(partial(self._choose, ending))

    def settings(self) -> ExportSettings:
        return ExportSettings(int(self.milliseconds.value()), self.both_ways.isChecked(), int(self.zoom.value()))

    def open_at(self, button: QPushButton) -> None:
        """Show the menu under a button."""
        self.popup(button.mapToGlobal(QPoint(0, button.height())))

    def _choose(self, ending: str, _checked: bool = False) -> None:
        self.chosen.emit(ending)
