"""The page of Measure: controls, what it would cost, and below that the pictures, a result, or coarse to fine."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QPushButton, QStackedWidget, QVBoxLayout, QWidget

from app.stages.measure_controls import MeasureControls
from app.stages.measure_data import MeasureData
from app.stages.measure_view import MeasureView
from app.stages.run_instruments import button
from app.theme import GRID, PANEL_PADDING
from app.widgets.controls import PrimaryButton, label

IDLE_COARSE = "Press Measure: one run is drawn, and samples that leave it at several t."


class MeasurePage:
    """Attributes: ``controls``, ``start``, ``pause``, ``stop``, ``smaller`` (takes what is proposed), ``data``,
    ``view``."""

    def __init__(self, coarse: QWidget, nearest: QWidget) -> None:
        self.controls = MeasureControls()
        self.start = PrimaryButton("Measure", "Measure with these settings (Ctrl+Enter)")
        self.pause = button("Pause", "Pause, or go on (Space)")
        self.stop = button("Stop", "Stop now; what was measured stays (Esc)")
        self.cost = label("", "quiet")
        self.cost.setWordWrap(True)
        self.smaller = QPushButton()
        self.smaller.setToolTip("Take this smaller choice; what it costs in certainty is said beside the result")
        self.data, self.view = MeasureData(), MeasureView()
        self._coarse_words = label(IDLE_COARSE, "quiet")
        holder = QWidget()
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        column.addWidget(self._coarse_words)
        column.addWidget(coarse, 1)
        self._coarse, self._nearest = holder, nearest
        self._pages = QStackedWidget()
        for page in (self.data, self.view, holder, nearest):
            self._pages.addWidget(page)
        self.say_cost("", "")

    def fill(self, content: QWidget) -> None:
        """Lay the page out in a stage."""
        beside = self.controls.more.add_beside
        beside(self.start, 2)
        beside(self.pause)
        beside(self.stop)
        costs = QHBoxLayout()
        costs.setSpacing(2 * GRID)
        costs.addWidget(self.cost, 1)
        costs.addWidget(self.smaller)
        column = QVBoxLayout(content)
        column.setContentsMargins(PANEL_PADDING, GRID, PANEL_PADDING, GRID)
        column.setSpacing(GRID)
        column.addWidget(self.controls)
        column.addLayout(costs)
        column.addWidget(self._pages, 1)

    def say_cost(self, words: str, proposal: str) -> None:
        """What the settings would take, and what would take less."""
        self.cost.setText(words)
        self.smaller.setText(f"Take {proposal}")
        self.smaller.setVisible(bool(proposal))

    def show_buttons(self, *, can_start: bool, busy: bool, can_pause: bool, paused: bool) -> None:
        self.start.setEnabled(can_start)
        self.pause.setEnabled(can_pause)
        self.stop.setEnabled(busy)
        self.pause.setText("Resume" if paused else "Pause")

    def show_data(self) -> None:
        self._pages.setCurrentWidget(self.data)

    def show_result(self) -> None:
        self._pages.setCurrentWidget(self.view)

    def show_nearest(self) -> None:
        self._pages.setCurrentWidget(self._nearest)

    def show_coarse(self, words: str, has_begun: bool) -> None:
        self._coarse_words.setText(words or ("" if has_begun else IDLE_COARSE))
        self._coarse_words.setVisible(bool(self._coarse_words.text()))
        self._pages.setCurrentWidget(self._coarse)
