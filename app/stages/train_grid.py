"""Controls in three columns, whose names are as wide as each other in a column."""

from __future__ import annotations

from itertools import zip_longest

from PySide6.QtWidgets import QGridLayout, QWidget

from app.theme import GRID
from app.widgets.controls import align


def page_of(*rows: tuple[QWidget, ...]) -> QWidget:
    """Controls in rows of three."""
    page, grid = QWidget(), three_columns()
    page.setLayout(grid)
    for row, widgets in enumerate(rows):
        for column, widget in enumerate(widgets):
            grid.addWidget(widget, row, column)
    for together in zip_longest(*rows):
        align(together)
    return page


def three_columns() -> QGridLayout:
    """Equally wide."""
    grid = QGridLayout()
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setHorizontalSpacing(2 * GRID)
    grid.setVerticalSpacing(GRID)
    for column in range(3):
        grid.setColumnStretch(column, 1)
    return grid
