"""The schedule in a window of its own: one table, several schedules, read off at the cursor, to take away."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QEvent, Qt, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from app.plot_files import PlotSaver
from app.theme import GRID, PANEL_PADDING, font
from app.widgets.controls import Choice, label
from app.widgets.curves import KEYS, SHOWN, Curve, curve_of
from app.widgets.drawn_plot import SaveWanted
from app.widgets.error_bar import ErrorBar
from app.widgets.large_plot import LargePlot
from app.widgets.plot_tables import TABLES
from app.widgets.readings import Formula, Reading
from app.widgets.schedule_plots import SchedulePlots
from core.errors import Refusal

READINGS = 36 * GRID
EXPORTS = {
    ".svg": "as it is seen, to be scaled",
    ".png": "as it is seen, with twice its pixels",
    ".csv": "the whole table of every curve drawn, all digits",
}
HINT = "Drag the yellow line or use ← →. The wheel zooms, dragging the plot pans."


class PlotWindow(QWidget):
    """Shows what the schedule plots of a stage show, larger, and moves the same cursor.

    Attributes: ``plot``, ``table`` and ``log_axis`` (what is plotted and how), ``readings`` (by curve: whether it is
    drawn, and its value at the cursor), ``errors``, ``saved`` (the line that says where an export went).
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.WindowType.Window)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Schedule – Diffuscope")
        self._plots: SchedulePlots | None = None
        self._heard: list[SchedulePlots] = []
        self._curves: dict[str, Curve] = {}
        self.plot = LargePlot()
        self.table = Choice("Plot", {key: table.name for key, table in TABLES.items()}, "alpha_bar")
        self.log_axis = QCheckBox("Log axis")
        self.log_axis.setToolTip("A logarithmic vertical axis; values that are not above 0 are left out")
        self.formula = Formula()
        self.errors = ErrorBar()
        self.saved = label(HINT, "caption")
        self.readings = {key: Reading(key) for key in KEYS}
        self._saver = PlotSaver(self)
        self._t = label("")
        self._t.setFont(font("body", numbers=True, bold=True))
        self._lay_out()
        self.table.value_changed.connect(self._show_table)
        self.log_axis.toggled.connect(self._show_table)
        for reading in self.readings.values():
            reading.toggled.connect(self._show_curves)
        self.plot.t_dragged.connect(self._ask)
        self._saver.saved.connect(self._say_saved)
        self._saver.refused.connect(self.errors.show_error)
        self.setMinimumSize(720, 440)
        self.resize(1000, 620)
        self.plot.setFocus()

    def follow(self, plots: SchedulePlots) -> None:
        """Show what these plots show from now on, and move their cursor."""
        if plots is self._plots:
            return
        self._plots = plots
        if plots not in self._heard:
            self._heard.append(plots)
            plots.shown_changed.connect(self._show_curves)
            plots.cursor_moved.connect(self._show_cursor)
        self._show_table()

    def enlarge(self, table: str) -> None:
        """Show a table by its key in ``TABLES``."""
        self.table.set_value(table)

    def save(self, path: Path) -> bool:
        """Export in the format of the path's ending; False where it could not be, and the bar says why."""
        self.errors.dismiss()
        return self._saver.save(self.plot, path)

    def choose_file(self, ending: str) -> None:
        """Ask where an export is to go; the window stays usable meanwhile."""
        self.errors.dismiss()
        shown = None if self._plots is None else self._plots.schedule
        self._saver.choose(self.plot, ending, "" if shown is None else shown.spec.name)

    def customEvent(self, event: QEvent) -> None:
        if isinstance(event, SaveWanted):
            self.choose_file(event.ending)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Qt.Key(event.key())
        stride = 10 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
        moves = {Qt.Key.Key_Left: self.plot.t - stride, Qt.Key.Key_Right: self.plot.t + stride, Qt.Key.Key_Home: 0.0}
        control = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        if key == Qt.Key.Key_Escape or (control and key == Qt.Key.Key_W):
            self.close()
        elif key == Qt.Key.Key_End:
            self._ask(10**9)
        elif key in moves:
            self._ask(round(moves[key]))
        else:
            super().keyPressEvent(event)

    @Slot(object)
    def _say_saved(self, path: Path) -> None:
        self.saved.setText(f"Saved {path}")

    @Slot(int)
    def _ask(self, t: int) -> None:
        if self._plots is not None:
            self._plots.move_cursor(t)

    @Slot()
    def _show_table(self) -> None:
        table = TABLES[self.table.value()]
        self.log_axis.setEnabled(table.has_log)
        self.formula.set_latex(table.formula)
        self._meaning.setText(table.meaning)
        self._show_curves()
        self.plot.show_table(table, self.log_axis.isChecked())
        self._show_cursor()

    @Slot()
    def _show_curves(self) -> None:
        plots = self._plots
        if plots is None or plots.schedule is None:
            return
        self._curves = {}
        for key, reading in self.readings.items():
            try:
                curve = curve_of(key, plots.schedule, plots.ghost)
            except Refusal as refusal:
                reading.offer(None, str(refusal))
                continue
            reading.offer(curve)
            if curve is not None:
                self._curves[key] = curve
        chosen = [curve for key, curve in self._curves.items() if self.readings[key].is_chosen]
        self.plot.show_curves(chosen, self._curves[SHOWN], plots.timesteps)
        self._show_cursor()

    @Slot()
    def _show_cursor(self) -> None:
        if self._plots is None:
            return
        self.plot.set_cursor(self._plots.cursor_t)
        self._t.setText(f"t = {self.plot.t:.0f}")
        for key, reading in self.readings.items():
            curve = self._curves.get(key)
            reading.say("" if curve is None else self.plot.plotted.text(self.plot.value(curve, self.plot.t)))

    def _lay_out(self) -> None:
        self._meaning = label("", "quiet")
        fit = QPushButton("Fit")
        fit.setToolTip("Bring the whole table into sight")
        fit.clicked.connect(self.plot.fit)
        top = QHBoxLayout()
        top.setSpacing(PANEL_PADDING)
        for widget in (self.table, self.log_axis, fit):
            top.addWidget(widget)
        top.addStretch()
        for ending, words in EXPORTS.items():
            button = QPushButton(f"{ending[1:].upper()}…")
            button.setToolTip(f"Save a {ending[1:].upper()} file: {words}")
            button.clicked.connect(self._chooser(ending))
            top.addWidget(button)
        side = QVBoxLayout()
        side.setSpacing(GRID)
        side.addWidget(self.formula)
        side.addWidget(self._meaning)
        side.addSpacing(GRID)
        side.addWidget(self._t)
        for reading in self.readings.values():
            side.addWidget(reading)
        side.addStretch()
        self._meaning.setWordWrap(True)
        holder = QWidget()
        holder.setFixedWidth(READINGS)
        holder.setLayout(side)
        side.setContentsMargins(0, 0, 0, 0)
        middle = QHBoxLayout()
        middle.setSpacing(2 * GRID)
        middle.addWidget(self.plot, 1)
        middle.addWidget(holder)
        column = QVBoxLayout(self)
        column.setContentsMargins(PANEL_PADDING, PANEL_PADDING, PANEL_PADDING, GRID)
        column.setSpacing(GRID)
        column.addWidget(self.errors)
        column.addLayout(top)
        column.addLayout(middle, 1)
        column.addWidget(self.saved)

    def _chooser(self, ending: str) -> Callable[[], None]:
        return lambda: self.choose_file(ending)
