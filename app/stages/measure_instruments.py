"""What stands beside and under a measurement: its formula, the list of measurements, bits as bars, samples."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QStackedWidget, QVBoxLayout, QWidget

from app.formulas import Formula
from app.stages.measure_formulas import formula_of
from app.stages.measure_kinds import VIEWS, KindName
from app.stages.measure_maths import account, note_of
from app.stages.measure_record import Record
from app.stages.measure_words import point_words
from app.theme import GRID
from app.widgets.accounting_bar import AccountingBar
from app.widgets.controls import label
from app.widgets.equation import Equation
from app.widgets.labels import Lines
from app.widgets.measure_list import MeasureList
from app.widgets.sample_sheet import SampleSheet, SheetRow
from core.measure_requests import MetricName
from core.messages import DistancePoint, Likelihood

HEIGHT = 14 * GRID
IDEAS = {
    "coarse": "Rows share x_t: what is the same in a row was decided before t, what differs comes after it.",
    "nearest": "A model that has learned by heart draws samples that lie nearer to its training pictures than pictures "
    "do that it never saw (Meehan et al. 2020; Carlini et al. 2023).",
}


class PointSamples(QWidget):
    """The samples of a point. Signals: ``opened()``, they are wanted as a run in Denoise."""

    opened = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = label("")
        self.words = Lines("quiet")
        self.open = QPushButton("Open in Denoise")
        self.open.setToolTip("Draw the first of these samples again as a run, to go through every step of it")
        self.sheet = SampleSheet()
        self.sheet.setAccessibleName("Samples of this point")
        head = QHBoxLayout()
        head.setSpacing(2 * GRID)
        head.addWidget(self.title)
        head.addWidget(self.words, 1)
        head.addWidget(self.open)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID // 2)
        column.addLayout(head)
        column.addWidget(self.sheet, 1)
        self.open.clicked.connect(self.opened)

    def show_point(self, record: Record, point: DistancePoint) -> None:
        self.title.setText(", ".join(filter(None, (point.series, note_of(point)))))
        self.words.set_lines(point_words(record, point))
        self.sheet.set_rows((SheetRow("", "", point.pictures),) if len(point.pictures) else ())


class MeasureInstruments:
    """The instruments of Measure. Attributes: ``bottom``, ``right``, ``accounting``, ``samples``, ``list``."""

    def __init__(self, coarse: QWidget) -> None:
        self._coarse = coarse
        self.equation = Equation()
        self.about = label("", "quiet")
        self.about.setWordWrap(True)
        self.about.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.list = MeasureList()
        self.accounting = AccountingBar()
        self.samples = PointSamples()
        self.bottom = QStackedWidget()
        self.bottom.setFixedHeight(HEIGHT)
        for widget in (self.accounting, self.samples, coarse):
            self.bottom.addWidget(widget)

    @property
    def right(self) -> Sequence[QWidget]:
        return (self.equation, self.about, label("Measurements", "caption"), self.list)

    def show_idea(self, kind: KindName, view: str, metric: MetricName) -> None:
        """The mathematics of what is plotted."""
        formula: Formula = formula_of(kind, view, metric)
        self.equation.set_formula(formula.latex, {})
        self.equation.setToolTip(formula.paper)
        about = VIEWS[kind][view].about if kind in VIEWS else IDEAS[kind]
        self.about.setText(about.replace("\n", " "))

    def show_bottom(
        self, kind: KindName, together: Sequence[Record], at: tuple[Record, DistancePoint] | None, names: dict[int, str]
    ) -> None:
        """Bits as bars for likelihoods; for distances the samples of the point that was chosen."""
        results = [(names[record.job], record.result) for record in together]
        accounts = [account(name, result) for name, result in results if isinstance(result, Likelihood)]
        if kind == "coarse":
            self._turn_to(self._coarse)
        elif kind == "likelihood" and accounts:
            self.accounting.show_accounts(accounts)
            self._turn_to(self.accounting)
        elif kind != "likelihood" and at is not None:
            self.samples.show_point(*at)
            self._turn_to(self.samples)
        else:
            self._turn_to(None)

    def _turn_to(self, widget: QWidget | None) -> None:
        """What stands under the page; None: nothing, and the page has the room."""
        self.bottom.setVisible(widget is not None)
        if widget is not None:
            self.bottom.setCurrentWidget(widget)
