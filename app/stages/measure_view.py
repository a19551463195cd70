"""The page of a result: its one number, what stands beside it, its curves, and how they are plotted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QSignalBlocker, Qt, Signal, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from app.stages.measure_kinds import FIRST_VIEW, VIEWS, KindName
from app.stages.measure_maths import distance_curves, distance_frame, has, likelihood_curves, likelihood_frame, paired
from app.stages.measure_record import Record
from app.stages.measure_words import beside, progress_words
from app.theme import GRID
from app.widgets.controls import Choice, label
from app.widgets.measure_plot import MeasurePlot
from core.messages import Distances

WAY = "Click a point, or walk there with ← → and press Enter, to see its samples."


class MeasureView(QWidget):
    """Attributes: ``plot``, ``view`` (which plot), ``log_x``, ``log_y``.

    Signals: ``view_changed()``.
    """

    view_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._kind: KindName = "likelihood"
        self._logs: dict[str, tuple[bool, bool]] = {}
        """The axes of each plot as the person left them."""
        self.headline = label("", "title")
        self.beside = label("", "quiet")
        self.note = label("", "quiet")
        for line in (self.beside, self.note):
            line.setWordWrap(True)
            line.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setRange(0, 1000)
        self.bar.setAccessibleName("How far the measurement has come")
        self.progress = label("", "quiet")
        self.view = Choice("Plot", {"terms": "L_t by t"})
        self.log_x, self.log_y = QCheckBox("Log x"), QCheckBox("Log y")
        self.log_x.setToolTip("A logarithmic horizontal axis; values that are not above 0 are left out")
        self.log_y.setToolTip("A logarithmic vertical axis; values that are not above 0 are left out")
        self.save = QPushButton("Save…")
        self.save.setToolTip("Save this plot as SVG or PNG, or its numbers as CSV (Ctrl+E in the plot)")
        self.plot = MeasurePlot()
        self.way = label(WAY, "caption")
        self._lay_out()
        self.view.value_changed.connect(self._view_chosen)
        self.log_x.toggled.connect(self._axes_chosen)
        self.log_y.toggled.connect(self._axes_chosen)
        self.save.clicked.connect(self._save)
        self.show_kind("likelihood")

    def _lay_out(self) -> None:
        under_way = QHBoxLayout()
        under_way.setSpacing(GRID)
        under_way.addWidget(self.bar, 1)
        under_way.addWidget(self.progress)
        self._under_way = QWidget()
        under_way.setContentsMargins(0, 0, 0, 0)
        self._under_way.setLayout(under_way)
        choices = QHBoxLayout()
        choices.setSpacing(2 * GRID)
        self.view.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.view.setMinimumWidth(34 * GRID)
        choices.addWidget(self.view)
        choices.addWidget(self.log_x)
        choices.addWidget(self.log_y)
        choices.addStretch(1)
        choices.addWidget(self.save)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        head = QVBoxLayout()
        head.setSpacing(2)
        for widget in (self.headline, self.beside, self.note):
            head.addWidget(widget)
        column.addLayout(head)
        column.addWidget(self._under_way)
        column.addLayout(choices)
        column.addWidget(self.plot, 1)
        column.addWidget(self.way)

    def show_kind(self, kind: KindName) -> None:
        """Offer the plots of a kind, the first one chosen where it is another than before."""
        views = VIEWS.get(kind, {})
        if not views:
            return
        changes = self._kind != kind or not set(self.view.options()) & set(views)
        self._kind = kind
        with QSignalBlocker(self.view):
            self.view.set_options({key: view.name for key, view in views.items()})
            if changes:
                self.view.set_value(FIRST_VIEW.get(kind, "value"))
        self._show_axes()

    def show_record(self, record: Record | None, together: Sequence[Record], note: str, waits: str) -> None:
        """One measurement in words, and the curves of all that are drawn ``together``."""
        live = record is not None and record.is_live
        self._under_way.setVisible(live)
        self.headline.setText("" if record is None else record.headline or record.model)
        self.beside.setText("" if record is None else beside(record))
        remark = record.result.note if record is not None and isinstance(record.result, Distances) else ""
        compared = paired(together, names_of(together, self._kind)) if self._kind == "likelihood" else ""
        self.note.setText(" ".join(filter(None, (compared, remark, note))))
        self.note.setVisible(bool(self.note.text()))
        if record is not None and live:
            self.bar.setValue(round(1000 * record.progress))
            self.progress.setText(progress_words(record, waits))
        self.way.setVisible(self._kind != "likelihood" and bool(together))
        self._show_curves(record, together)

    @property
    def key(self) -> str:
        """The plot that is chosen."""
        return self.view.value()

    def _show_curves(self, record: Record | None, together: Sequence[Record]) -> None:
        names, key = names_of(together, self._kind), self.key
        log_x, log_y = self.log_x.isChecked(), self.log_y.isChecked()
        title = VIEWS[self._kind][key].name
        self.plot.set_placeholder(
            "The first values appear here in a moment."
            if record is not None and record.is_live
            else "Nothing of this is known of what is drawn."
        )
        if self._kind == "likelihood":
            T = max((one.length for one in together), default=1)
            curves, frame = likelihood_curves(together, key, names), likelihood_frame(key, T, log_x=log_x, log_y=log_y)
        else:
            curves, frame = (
                distance_curves(together, key, names),
                distance_frame(together, key, log_x=log_x, log_y=log_y),
            )
        self.plot.show_curves(curves, frame, title[0].upper() + title[1:])
        for offered in self.view.options():
            self.view.refuse(offered, "" if has(offered, together) or not together else "Nothing of this was measured.")

    def _show_axes(self) -> None:
        """Each plot's axes as they were left, at first as they are best."""
        view = VIEWS[self._kind][self.key]
        self.view.setToolTip(view.about)
        self.plot.setToolTip("")
        log_x, log_y = self._logs.get(self.key, (view.log_x, view.log_y))
        for box, is_log in ((self.log_x, log_x), (self.log_y, log_y)):
            with QSignalBlocker(box):
                box.setChecked(is_log)

    @Slot(str)
    def _view_chosen(self, _key: str) -> None:
        self._show_axes()
        self.view_changed.emit()

    @Slot(bool)
    def _axes_chosen(self, _checked: bool) -> None:
        self._logs[self.key] = (self.log_x.isChecked(), self.log_y.isChecked())
        self.view_changed.emit()

    @Slot()
    def _save(self) -> None:
        self.plot.open_menu(self.save.mapToGlobal(self.save.rect().bottomLeft()))


def names_of(records: Sequence[Record], kind: KindName) -> Mapping[int, str]:
    """What the curves of each are called, by job: the model, with its number where two are of one model; nothing
    where only one comparison is drawn, whose series have names."""
    if kind not in ("likelihood", "distance") and len(records) == 1:
        return {records[0].job: ""}
    models = [record.model for record in records]
    return {
        record.job: record.model if models.count(record.model) == 1 else f"{record.model} ({number})"
        for number, record in enumerate(records, 1)
    }
