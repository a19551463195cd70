"""A training of an ablation on a card: what it draws, how its loss falls, how it ended, what was measured."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QPushButton, QSizePolicy, QVBoxLayout, QWidget

from app.stages.ablation_record import CellRecord, aim_of
from app.stages.train_maths import words_of
from app.theme import GRID
from app.widgets.controls import label
from app.widgets.loss_plot import LossPlot
from app.widgets.picture_pane import PicturePane
from core.training.ablation import Ablation

CURVE = 9 * GRID
DASH = "–"


class AblationCard(QWidget):
    """The card at a ``place``. Signals: ``chosen(place)`` when the person wants to look at this training alone."""

    chosen = Signal(int)

    def __init__(self, place: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._place = place
        self.title = QPushButton()
        self.title.setProperty("role", "link")
        self.title.clicked.connect(self._choose)
        self.state = label("", "caption")
        self.samples = PicturePane("x_0", "x_0")
        self.samples.setMinimumSize(96, 12 * GRID)
        self.plot = LossPlot()
        self.plot.setFixedHeight(CURVE)
        self.plot.setMinimumWidth(12 * GRID)
        self.measured = label("", "caption")
        for words in (self.title, self.state, self.measured):  # the columns are equally wide, whatever is said in them
            words.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.title)
        column.addWidget(self.state)
        column.addWidget(self.samples, 1)
        column.addWidget(self.plot)
        column.addWidget(self.measured)

    def show_cell(self, one: CellRecord, plan: Ablation, *, is_measured: bool) -> None:
        """The training as far as it has come; ``is_measured``: there are figures of some."""
        course, words = one.course, words_of(aim_of(plan, one.cell))
        self.title.setText(one.name)
        self.plot.subject = one.name
        self.title.setEnabled(course is not None)
        self.title.setToolTip("Look at this training alone" if course is not None else "This training has not begun.")
        self.state.setText(one.state)
        self.setAccessibleName(f"{one.name}: {one.state}")
        self.plot.set_words(words.name, words.unit, words.meaning)
        self.plot.set_placeholder("diverged at once" if one.diverged is not None else "")
        if course is None:
            self.samples.set_pictures(None)
            self.samples.set_placeholder("")
        else:
            self.plot.set_losses(course.losses)
            self.plot.set_moments(course.moments)
            self._show_samples(one)
        self.measured.setText(figures(one))
        self.measured.setVisible(is_measured)
        self.measured.setToolTip(meaning(one))

    def _show_samples(self, one: CellRecord) -> None:
        course = one.course
        assert course is not None
        if course.samples:
            drawn = course.samples[-1]
            step = drawn.step
            self.samples.set_pictures(drawn.pictures)
            self.samples.set_caption(f"after {step:,} steps" if step else "before the first step")
        else:
            self.samples.set_pictures(None)
            self.samples.set_placeholder("Samples appear here.")

    @Slot()
    def _choose(self) -> None:
        self.chosen.emit(self._place)

    def clear(self) -> None:
        """Another ablation will be shown."""
        self.samples.set_pictures(None)
        self.samples.set_caption("")


def figures(one: CellRecord) -> str:
    """ "3.142 ± 0.010 bits/dim", and in a line of its own "distance 0.0210 ± 0.0030"."""
    found = one.figures
    bits = with_error(found.bits_per_dim, found.bits_error, 3)
    distance = with_error(found.distance, found.distance_error, 4)
    parts = (f"{bits} bits/dim" if bits != DASH else "", f"distance {distance}" if distance != DASH else "")
    return "\n".join(parts)


def meaning(one: CellRecord) -> str:
    """What the figures are."""
    found = one.figures
    bits = "Bits a value that the model needs for pictures (Ho et al. 2020, eq. 5), over all t, by strata."
    distance = (
        f"{found.metric.capitalize()} distance of samples in the features of {found.features}, the less the better."
    )
    return bits + ("" if found.distance is None else f"\n{distance}")


def with_error(value: float | None, error: float | None, decimals: int) -> str:
    """A figure with its standard error, a dash where nobody knows."""
    if value is None:
        return DASH
    decimals = decimals if abs(value) < 100 else 1
    return f"{value:,.{decimals}f}" + ("" if error is None else f" ± {error:,.{decimals}f}")
