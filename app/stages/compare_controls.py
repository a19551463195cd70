"""What can be set where two runs are compared: which two, how, what of them, which sample."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QSignalBlocker, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from app.theme import GRID
from app.widgets.controls import Choice

MODES = {"wipe": "wipe", "beside": "side by side", "difference": "difference"}
WHATS = {"x_t": "state x_t", "x0_hat": "estimate x̂₀"}
ALL = "all"


class CompareControls(QWidget):
    """Attributes: ``first`` and ``second`` (keys: job numbers), ``mode`` (of ``MODES``), ``what`` (of ``WHATS``),
    ``sample`` (ALL, or a place in the first's batch), ``swap``, ``done``.

    Signals: ``runs_chosen(int, int)``; ``changed()``, how the two are looked at; ``left()``.
    """

    runs_chosen = Signal(int, int)
    changed = Signal()
    left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._runs: dict[str, str] = {}
        self._samples: dict[str, str] = {ALL: "all"}
        self.first = Choice("First", {}, tooltip="The run that leads: the slider goes along its way")
        self.second = Choice("Second", {}, tooltip="The run beside it, shown at the nearest t")
        self.swap = QPushButton("Swap")
        self.swap.setToolTip("The second run leads, the first is beside it (X)")
        self.swap.setShortcut("X")
        self.mode = Choice(
            "Show",
            MODES,
            "wipe",
            tooltip="Wipe: both in one place, with a line between them to drag.\nSide by side: with zoom, panning and "
            "the pixel under the pointer in common.\nDifference: first minus second, green where the first is brighter",
        )
        self.what = Choice(
            "Of",
            WHATS,
            "x_t",
            tooltip="x_t: the state itself, as it is stored.\nx̂₀: what the network takes the picture to be there "
            "(DDPM, eq. 15); it is asked for both",
        )
        self.sample = Choice("Sample", {ALL: "all"}, ALL, tooltip="Which of the batch; the other run's of that number")
        self.done = QPushButton("Done")
        self.done.setToolTip("Back to the stage (Esc)")
        upper, lower = QHBoxLayout(), QHBoxLayout()
        for row, widgets in ((upper, (self.first, self.second)), (lower, (self.mode, self.what, self.sample))):
            row.setSpacing(2 * GRID)
            for widget in widgets:
                row.addWidget(widget, 1)
        upper.addWidget(self.swap)
        lower.addWidget(self.done)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        column.addLayout(upper)
        column.addLayout(lower)
        self.first.value_changed.connect(self._choose)
        self.second.value_changed.connect(self._choose)
        self.swap.clicked.connect(self._swap)
        for choice in (self.mode, self.what, self.sample):
            choice.value_changed.connect(self.changed)
        self.done.clicked.connect(self.left)

    def set_runs(self, names: Mapping[int, str], first: int | None, second: int | None) -> None:
        """The runs there are, newest last, and the two that are compared; without a signal."""
        options = {str(job): name for job, name in reversed(list(names.items()))}
        for choice, job in ((self.first, first), (self.second, second)):
            with QSignalBlocker(choice):
                if options != self._runs:
                    choice.set_options(options)
                if str(job) in options:
                    choice.set_value(str(job))
        self._runs = options
        self.swap.setEnabled(first is not None and second is not None)

    def set_samples(self, numbers: tuple[int, ...], *, can_show_all: bool) -> None:
        """The samples of the first run by their number (from 0); whether all can be shown beside their own."""
        options = {ALL: f"all {len(numbers)}"} if can_show_all else {}
        options |= {str(place): str(number + 1) for place, number in enumerate(numbers)}
        with QSignalBlocker(self.sample):
            if options != self._samples:
                self._samples = options
                self.sample.set_options(options)
        self.sample.setEnabled(len(options) > 1)

    def cell(self) -> int | None:
        """The place of the sample in the first's batch; None for all of them."""
        return None if self.sample.value() in (ALL, "") else int(self.sample.value())

    def turn_cell(self, cell: int) -> None:
        """Enlarge one of those that are shown, or show all again."""
        wanted = str(cell) if self.cell() is None else ALL
        if wanted in self.sample.options():
            self.sample.set_value(wanted)

    @Slot()
    def _choose(self) -> None:
        first, second = int(self.first.value()), int(self.second.value())
        self.runs_chosen.emit(first, second)

    @Slot()
    def _swap(self) -> None:
        self.runs_chosen.emit(int(self.second.value()), int(self.first.value()))
