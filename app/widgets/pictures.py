"""Pictures side by side, looked at as one: linked zoom and panning, and the same pixel read in all of them."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QObject, QRect, QSize, Signal, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.theme import GRID
from app.widgets.picture_pane import CAPTION_HEIGHT, PicturePane
from app.widgets.picture_view import View

__all__ = ["PicturePane", "PictureRow", "View"]


class PictureRow(QWidget):
    """Panes in one row, or in several where that shows the pictures larger.

    Panes of the same size share zoom and place exactly; panes of another size share the place and the extent.

    Attributes: ``panes``. Signals: ``cell_clicked(cell)`` from whichever pane; ``view_changed(View)``.
    """

    cell_clicked = Signal(int)
    view_changed = Signal(object)

    def __init__(self, panes: Sequence[PicturePane], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.panes = list(panes)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        for pane in self.panes:
            pane.setParent(self)
            pane.installEventFilter(self)
            pane.hovered.connect(self._share_pixel)
            pane.count_changed.connect(self._arrange)
            pane.view_changed.connect(self._share_view)
            pane.cell_clicked.connect(self.cell_clicked)
        self._arrange()

    def select(self, cell: int | None) -> None:
        """Frame the same cell in every pane."""
        for pane in self.panes:
            pane.select(cell)

    def empty(self, words: str, at: PicturePane) -> None:
        """Show no picture in any pane, and ``words`` in the one ``at`` which one is looked for."""
        for pane in self.panes:
            pane.set_pictures(None)
            pane.set_caption("")
            pane.set_names()
            pane.set_placeholder(words if pane is at else "")
            pane.set_busy(False)

    def fit(self) -> None:
        """Show everything in every pane."""
        self._look(View())

    @Slot(int, int, int)
    def _share_pixel(self, cell: int, row: int, column: int) -> None:
        source = self.sender()
        if not isinstance(source, PicturePane) or source.content is None:
            cell, height, width = -1, 1, 1
        else:
            _, height, width = source.content.shape
        for pane in self.panes:
            if pane is not source:
                pane.show_pixel(cell, (row + 0.5) / height, (column + 0.5) / width)

    @Slot(object)
    def _share_view(self, view: View) -> None:
        self._look(view)

    def _look(self, view: View) -> None:
        for pane in self.panes:
            pane.set_view(view)
        self.view_changed.emit(view)

    @Slot()
    def _arrange(self) -> None:
        """Lay the panes that are not hidden on a grid with the columns that leave each the largest square."""
        shown = [pane for pane in self.panes if not pane.isHidden()]
        if not shown:
            return
        width, height = self.width(), self.height()

        def side(columns: int) -> tuple[int, int]:
            """How large the squares are, and then how few places stay empty."""
            rows = -(-len(shown) // columns)
            largest = min((width - (columns - 1) * GRID) // columns, height // rows - CAPTION_HEIGHT)
            return largest, len(shown) - rows * columns

        columns = max(range(len(shown), 0, -1), key=side)
        rows = -(-len(shown) // columns)
        shares = self._shares(shown) if rows == 1 else [1] * columns
        part = (width - (columns - 1) * GRID) / sum(shares)
        cell_height = height // rows  # captions keep rows apart
        for place, pane in enumerate(shown):
            row, column = divmod(place, columns)
            left, right = (round(part * sum(shares[:end])) + column * GRID for end in (column, column + 1))
            pane.setGeometry(QRect(left, row * cell_height, right - left, cell_height))

    @staticmethod
    def _shares(shown: Sequence[PicturePane]) -> list[int]:
        """In one row, grids get three times the width of a single picture; what is empty may become a grid."""
        most = max(pane.count for pane in shown)
        return [3 if most > 1 and pane.count != 1 else 1 for pane in shown]

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.HideToParent, QEvent.Type.ShowToParent):
            self._arrange()
        return False

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._arrange()

    def sizeHint(self) -> QSize:
        return QSize(280 * max(1, len(self.panes)), 280 + CAPTION_HEIGHT)

    def minimumSizeHint(self) -> QSize:
        return QSize(200, 140 + CAPTION_HEIGHT)
