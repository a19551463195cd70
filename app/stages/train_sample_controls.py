"""What can be chosen about the samples of a training: what is shown, whose weights draw, when; and their files."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QWidget

from app.stages.run_instruments import button
from app.stages.train_course import Course
from app.stages.train_moments import longest_way
from app.theme import GRID
from app.widgets.controls import Choice
from core.training.events import Drawn
from core.training.order import WeightsName

KINDS = {"x0_hat": "guess of x₀", "x_t": "state x_t"}
KIND = (
    "What is shown on the way: x̂₀, the picture that the network guesses behind the noise (DDPM, eq. 15),\n"
    "or x_t, the noisy state itself. At the end of the way they are one."
)
NO_WAY = "No way was kept of these samples: only what they became."
WEIGHTS = {"ema": "EMA weights", "raw": "raw weights"}
WHOSE = (
    "Which weights the samples are drawn with: averaged over the last steps (EMA, θ̄ ← d·θ̄ + (1 − d)·θ, smoother and\n"
    "nearly always better; Song et al. 2021), or as they are. It holds for samples to come; “Draw now” draws at once."
)
WHOSE_KEPT = "Which weights drew the samples: averaged (EMA) or raw. Choosing goes to the nearest set that they drew."
ONE_KIND = "All samples of this training were drawn with the same weights."
DRAW = "Draw samples after this step, with these weights, beside those drawn by themselves; also in a pause"
NOT_AT_WORK = "Samples are drawn once the training has begun."


class SampleControls(QWidget):
    """The controls know nothing themselves: ``show_course`` says what they show, and which make sense.

    Attributes: ``kind``, ``weights``, ``draw``, ``export``. Signals: ``weights_asked(str)``; ``draw_asked()``.
    """

    weights_asked = Signal(str)
    draw_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.kind = _choice("What is shown of the way", KINDS, KIND)
        self.weights = _choice("Weights that draw", WEIGHTS, WHOSE)
        self.draw: QPushButton = button("Draw now", DRAW)
        self.export: QPushButton = button("Export", "Save the picture, the map or a film of both times (a menu)")
        self.export.setEnabled(False)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID)
        for widget in (self.kind, self.weights, self.draw, self.export):
            row.addWidget(widget)
        self.weights.value_changed.connect(self._weights_chosen)
        self.draw.clicked.connect(self.draw_asked)

    def show_course(self, course: Course, drawn: Drawn | None) -> None:
        """``drawn`` is the set that is shown. Of a training at work the weights are those of samples to come, of one
        that has ended those of the set."""
        has_way = len(longest_way(course.samples)) > 1
        self.kind.setEnabled(has_way)
        self.kind.setToolTip(KIND if has_way else NO_WAY)
        both = len({known.weights for known in course.samples}) > 1
        can_say = course.state in ("running", "paused")
        weights: WeightsName = course.samples_from if course.is_live else _weights_of(drawn)
        self.weights.blockSignals(True)
        self.weights.set_value(weights)
        self.weights.blockSignals(False)
        self.weights.setEnabled(can_say or (both and not course.is_live))
        self.weights.setToolTip(WHOSE if can_say or course.is_live else WHOSE_KEPT if both else ONE_KIND)
        self.draw.setVisible(course.is_live)
        self.draw.setEnabled(can_say and not course.will_draw)
        self.draw.setText("Drawing…" if course.will_draw and course.is_live else "Draw now")
        self.draw.setToolTip(DRAW if can_say else NOT_AT_WORK)
        self.export.setEnabled(drawn is not None)

    @Slot(str)
    def _weights_chosen(self, weights: str) -> None:
        self.weights_asked.emit(weights)


def _choice(name: str, options: Mapping[str, str], tooltip: str) -> Choice:
    """Its options say what it is about: there is no room for more in the line."""
    made = Choice(name, options, tooltip=tooltip)
    made.setMinimumWidth(15 * GRID)
    for words in made.findChildren(QLabel):
        words.hide()
    return made


def _weights_of(drawn: Drawn | None) -> WeightsName:
    return "raw" if drawn is not None and drawn.weights == "raw" else "ema"
