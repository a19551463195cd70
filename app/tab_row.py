"""The row above the stage: a tab for each stage, and at its ends what folds the panels."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QWidget

from app.actions import Actions
from app.panels import surface
from app.theme import GRID
from app.widgets.panel_button import PanelButton


def tab_row(registry: Actions, stages: Sequence[str]) -> QWidget:
    """``stages`` by their keys, from left to right."""
    bar = surface(QWidget())
    row = QHBoxLayout(bar)
    row.setContentsMargins(GRID, 0, GRID, 0)
    row.setSpacing(GRID)
    row.addWidget(PanelButton(registry["left_panel"], "left"))
    for key in stages:
        row.addWidget(_tab(registry[f"stage_{key}"]))
    row.addStretch()
    row.addWidget(PanelButton(registry["right_panel"], "right"))
    return bar


def _tab(action: QAction) -> QToolButton:
    tab = QToolButton()
    tab.setProperty("role", "stage")
    tab.setDefaultAction(action)
    tab.setAccessibleName(action.text().replace("&", ""))
    return tab
