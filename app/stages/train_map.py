"""One sample at every moment of both times: training to the right, diffusion downwards."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QWidget

from app.stages.train_moments import DATA, Kind, longest_way, matrix, place_of, spread
from app.widgets.sheet import GAP, Sheet
from core.training.events import Drawn

SMALLEST = 28
"""Width of a column, GAP included, that is still looked at with pleasure."""


class LearningMap(Sheet):
    """Columns are moments of training, as many as fit; rows are moments of diffusion, noise above, the end below.

    Dragging goes where the pointer is. Signals: ``moment_asked(int, int)``: which set, and which t.
    """

    moment_asked = Signal(int, int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Map of training time and diffusion time")
        self.setToolTip(
            "This sample at every moment: to the right the model has trained longer, downwards the noise is taken\n"
            "away, from t = T to the finished picture. Click or drag to go there; ← → ↑ ↓ move by one."
        )
        self._samples: Sequence[Drawn] = ()
        self._cell, self._index, self._t = 0, 0, DATA
        self._kind: Kind = "x0_hat"
        self._chosen: tuple[int, ...] = ()
        self._times: tuple[int, ...] = (DATA,)
        self.cell_clicked.connect(self._ask)

    def show_samples(self, samples: Sequence[Drawn], cell: int, kind: Kind) -> None:
        """Another sample, other states of it, or sets that have come."""
        self._samples, self._cell, self._kind = samples, cell, kind
        self._times = longest_way(samples)
        self._fill()

    def look_at(self, index: int, t: int) -> None:
        """The set and the moment that are shown."""
        self._index, self._t = index, t
        if index not in self._chosen and index < len(self._samples):
            self._fill()
        self._frame()

    @property
    def chosen(self) -> tuple[int, ...]:
        """The sets that have a column."""
        return self._chosen

    def resizeEvent(self, event: QResizeEvent) -> None:
        if self._choice() != self._chosen:
            self._fill()
        super().resizeEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            for cell in range(len(self.rows) * len(self.columns)):
                if cell != self.current and self.cell_rect(cell).contains(event.position()):
                    self.cell_clicked.emit(cell)

    def _choice(self) -> tuple[int, ...]:
        return spread(len(self._samples), self.width() // (SMALLEST + GAP) - 1, self._index)

    def _fill(self) -> None:
        self._chosen = self._choice()
        sets = [self._samples[index] for index in self._chosen]
        if not sets:
            self.set_cells((), ())
            return
        names = [f"t = {t}" if place == 0 else "data" if t == DATA else str(t) for place, t in enumerate(self._times)]
        self.set_cells(names, ["raw" if drawn.weights == "raw" else f"{drawn.step:,}" for drawn in sets])
        whole = matrix(sets, self._cell, self._kind)
        for row, pictures in enumerate(whole):
            for column, picture in enumerate(pictures):
                if picture is not None:
                    self.put(row * len(sets) + column, picture, finished=True)
        self._frame()

    def _frame(self) -> None:
        if self._index not in self._chosen:
            return
        drawn = self._samples[self._index]
        place = place_of(drawn, self._t)
        row = place if drawn.timesteps else len(self._times) - 1
        self.set_current(row * len(self._chosen) + self._chosen.index(self._index))

    @Slot(int)
    def _ask(self, cell: int) -> None:
        row, column = divmod(cell, len(self._chosen))
        self.moment_asked.emit(self._chosen[column], self._times[row])
