"""Has it learned by heart? A training's samples beside the training pictures that are nearest to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QScrollArea, QStackedWidget, QVBoxLayout, QWidget

from app.theme import GRID
from app.widgets.controls import Choice, label
from app.widgets.labels import Lines
from app.widgets.nearest_pair import NearestPair
from app.widgets.nearest_table import BY, By, Cell, NearestTable
from app.widgets.strip_plot import Strip, StripPlot
from core.evaluation.nearest_sheet import order_of
from core.messages import Nearest, Neighbours, Picture
from core.recipe import Recipe

SIDE = 27 * GRID
OWN, NONE = "own", "none"
WHAT = (
    "Whether samples are copies of training pictures: the nearest ones beside each, by pixels and by features,\n"
    "and how near pictures are that it never saw (Meehan et al. 2020; Carlini et al. 2023)."
)
HELD_OUT = (
    "A folder of pictures of the same kind that were not trained on: how near they are to the training pictures is\n"
    "what samples are compared with. Without one, pictures that the training kept aside are, or training pictures."
)
START = "Compare every sample with every training picture. A training under way waits until this is done."
FEATURES = (
    "Whose features tell how alike pictures are: the middle of the model's own network at little noise\n"
    "(Baranchuk et al. 2022; Xiang et al. 2023), or a recogniser that is open. Angles between them, in degrees."
)
PIXELS_MEANING = (
    "Root mean square of the difference of 8-bit values, √(Σ (a − b)² / n), to the nearest training picture.\n"
    "Dots: samples. Filled: held-out pictures. Outlined: training pictures, each to the nearest other one.\n"
    "Dashed: nearer than all but 1 % of these."
)
FEATURES_MEANING = (
    "Angle between features to the nearest training picture, seen from their mean over the training pictures.\n"
    "Dots: samples. Filled: held-out pictures. Outlined: training pictures, each to the nearest other one.\n"
    "Dashed: nearer than all but 1 % of these."
)
EMPTY = "What the training draws appears here, to be compared with the pictures it learns from."
BEFORE = "Copies of training pictures would be found here, beside how near pictures are that it never saw."


class NearestPage(QWidget):
    """A click on a picture enlarges it beside its sample, with their difference; another brings the table back.

    Attributes: ``pair``, the cell that is enlarged or None; ``controls``, to stand where the page is named. Signals:
    ``opened()``, it is looked at; ``wanted()``, a check; ``stop_wanted()``; ``held_out_wanted()``, another folder to
    compare with; ``pair_changed()``.
    """

    opened = Signal()
    wanted = Signal()
    stop_wanted = Signal()
    held_out_wanted = Signal()
    pair_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.pair: Cell | None = None
        self._result: Nearest | None = None
        self._samples: Picture | None = None
        self._recipe: Recipe | None = None
        self.start = QPushButton("Find the nearest")
        self.start.setToolTip(START)
        self.start.clicked.connect(self.wanted)
        self.stop = QPushButton("Stop")
        self.stop.setToolTip("Compare no further; what is known by then stays")
        self.stop.clicked.connect(self.stop_wanted)
        self.features = Choice("Features", {OWN: "own network", NONE: "none"}, OWN, tooltip=FEATURES)
        self.features.setMinimumWidth(26 * GRID)
        self.held_out = QPushButton()
        self.held_out.setToolTip(HELD_OUT)
        self.held_out.clicked.connect(self.held_out_wanted)
        self.show_held_out("")
        self.words = Lines("caption")
        self.words.setMinimumWidth(24 * GRID)
        self.words.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.controls = QWidget()
        self.table = NearestTable()
        self.enlarged = NearestPair()
        self.plots: dict[By, StripPlot] = {
            "pixels": StripPlot("by pixels", PIXELS_MEANING),
            "features": StripPlot("by features", FEATURES_MEANING),
        }
        self.verdicts = {by: label("", "caption") for by in BY}
        self.before, self.about = label(BEFORE, "caption"), label("", "caption")
        self._lay_out()
        self.table.cell_clicked.connect(self.enlarge)
        self.table.current_changed.connect(self._show_current)
        self.enlarged.closed.connect(self.close_pair)
        for plot in self.plots.values():
            plot.dot_clicked.connect(self._dot_clicked)
        self.show_state("", can_start=False)
        self._paint()

    def _lay_out(self) -> None:
        buttons = QHBoxLayout(self.controls)
        buttons.setContentsMargins(0, 0, 0, 0)
        buttons.setSpacing(GRID)
        buttons.addStretch(1)
        buttons.addWidget(self.words, 10)  # the stretch has all of the room while nothing is said
        for widget in (self.features, self.start, self.stop):
            buttons.addWidget(widget)
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # the table has it, and scrolls
        self._scroll.setWidget(self.table)
        self._views = QStackedWidget()
        self._views.addWidget(self._scroll)
        self._views.addWidget(self.enlarged)
        beside = QWidget()
        column = QVBoxLayout(beside)
        column.setContentsMargins(0, 0, GRID, 0)
        column.setSpacing(GRID // 2)
        for by in BY:
            self.verdicts[by].setWordWrap(True)
            column.addWidget(self.plots[by])
            column.addWidget(self.verdicts[by])
        for said in (self.before, self.about):
            said.setWordWrap(True)
            column.addWidget(said)
        column.addWidget(self.held_out)
        column.addStretch(1)
        self._beside = QScrollArea()
        self._beside.setWidgetResizable(True)
        self._beside.setFrameShape(QFrame.Shape.NoFrame)
        self._beside.setAccessibleName("How near samples and pictures are, and what follows")
        self._beside.setFixedWidth(SIDE)
        self._beside.setWidget(beside)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID)
        row.addWidget(self._views, 1)
        row.addWidget(self._beside)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.opened.emit()

    def set_feature_networks(self, names: Mapping[str, str], chosen: str) -> None:
        """What can be compared by besides its own network: names by key, and which is chosen."""
        self.features.set_options({OWN: "own network", **names, NONE: "none"})
        self.features.set_value(chosen)

    def show_held_out(self, name: str) -> None:
        """The folder to compare with, "" where none was chosen."""
        text = f"Held out: {name}" if name else "Held-out pictures…"
        room = SIDE - 6 * GRID
        self.held_out.setText(self.held_out.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, room))

    def show_samples(
        self, samples: Picture | None, classes: Sequence[str], result: Nearest | None, recipe: Recipe | None = None
    ) -> None:
        """Samples uint8 (n, H, W, C) of these classes, what is known of their neighbours, and how they are made again;
        None: there are none."""
        self._recipe = recipe
        is_other = samples is not self._samples
        if is_other:
            self._samples = samples
            self.close_pair()
            self.table.set_samples(np.zeros((0, 1, 1, 1), np.uint8) if samples is None else samples, classes)
        if result is not self._result or is_other:
            self._result = result
            by = tuple(one for one in BY if one == "pixels" or self.features.value() != NONE or _has(result, one))
            order = range(0 if samples is None else len(samples)) if result is None else order_of(result).tolist()
            self.table.set_result(result, order, by)
            self._paint()

    def show_state(self, words: str, about: str = "", *, can_start: bool, is_busy: bool = False) -> None:
        """What is being done, what is shown, what can be done. The page knows nothing itself."""
        self.words.set_lines(words)
        self.words.setVisible(bool(words))
        self.about.setText(about)
        self.start.setVisible(not is_busy)
        self.start.setEnabled(can_start)
        self.stop.setVisible(is_busy)
        self.features.setEnabled(not is_busy)
        self.held_out.setEnabled(not is_busy)

    def show_busy(self, words: str) -> None:
        """What is being done elsewhere: nothing can be begun here, what is shown stays."""
        self.show_state(words, self.about.text(), can_start=False, is_busy=True)

    @Slot(object)
    def enlarge(self, cell: Cell) -> None:
        """Show a neighbour beside its sample, with their difference; of a sample its nearest by pixels."""
        self.table.set_current(cell)
        wanted = cell if cell.rank >= 0 else Cell(cell.sample, "pixels", 0)
        found = None if self._result is None else getattr(self._result, wanted.by)
        if found is None or self._result is None:
            return
        self.enlarged.show_pair(
            self._result.samples[wanted.sample], found.pictures[wanted.sample, wanted.rank], self.table.words(wanted)
        )
        recipe = None if self._recipe is None else self._recipe.of_cell(wanted.sample)
        self.enlarged.sample.set_names([f"sample {wanted.sample + 1}"], (), recipe)
        self.pair = wanted
        self._views.setCurrentWidget(self.enlarged)
        self.pair_changed.emit()

    @Slot()
    def close_pair(self) -> None:
        """Show all of them again."""
        if self.pair is not None:
            self.pair = None
            self._views.setCurrentWidget(self._scroll)
            self.table.setFocus()
            self.pair_changed.emit()

    @Slot(int)
    def _dot_clicked(self, sample: int) -> None:
        """The sample of a dot: into view, and framed."""
        self.close_pair()
        self.table.set_current(Cell(sample))
        self._show_current(Cell(sample))  # also where it was framed, and scrolled away from

    @Slot(object)
    def _show_current(self, cell: Cell) -> None:
        """The framed cell in view, and its sample's dots among the others'."""
        rect = self.table.cell_rect(cell).toRect()
        self._scroll.ensureVisible(rect.center().x(), rect.center().y(), rect.width(), rect.height())
        for plot in self.plots.values():
            plot.set_current(cell.sample)

    def _paint(self) -> None:
        self.before.setVisible(self._result is None or self._result.pixels is None)
        self.before.setText(EMPTY if self._samples is None else BEFORE)
        for by, plot in self.plots.items():
            found: Neighbours | None = None if self._result is None else getattr(self._result, by)
            plot.set_current(None)
            plot.setVisible(found is not None)
            self.verdicts[by].setVisible(found is not None)
            self.verdicts[by].setText("" if found is None else found.verdict)
            unit = "in 8-bit values" if by == "pixels" else "degrees"
            strip = None
            if found is not None:
                strip = Strip(found.distances[:, 0], found.held_out, found.own, found.limit, unit)
            plot.set_strip(strip)


def _has(result: Nearest | None, by: By) -> bool:
    return result is not None and getattr(result, by) is not None
