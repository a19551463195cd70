"""The figures of a training in a line, each over its name."""

from __future__ import annotations

import math

from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from app.stages.train_course import Course
from app.stages.train_maths import words_of
from app.theme import GRID, font
from app.widgets.controls import label
from app.widgets.status import clock
from app.widgets.step_lines import SMOOTHED
from core.training.standing import mean_of

FIGURES = {
    "step": (
        "step",
        "10,000,000 / 10,000,000",
        "Steps of the optimiser so far, of all where their number is set",
    ),
    "epochs": ("epochs", "10,000.0", "How often every picture was learned from, on average"),
    "loss": ("loss", "10,000.0000", "Mean over the last 100 steps"),
    "lr": ("learning rate", "0.00e−00", "Of the last step: rises in the warm-up, then falls along half a cosine"),
    "norm": ("gradient", "0.000", "Norm of the gradient before clipping to 1, mean over the last 100 steps"),
    "rate": ("images/s", "10,000", "Pictures learned from a second, pauses excluded"),
    "eta": ("to go", "100:00:00", "Time to go, pauses excluded"),
    "saved": ("saved at step", "10,000,000", "The last checkpoint: from there the run goes on whatever happens"),
}
WIDEST = 13 * GRID


class TrainFigures(QWidget):
    """Attributes: ``figures`` by their keys in ``FIGURES``."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.figures = {key: Figure(*words) for key, words in FIGURES.items()}
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID)
        for figure in self.figures.values():
            row.addWidget(figure, 1)

    def show_course(self, course: Course, loss: str) -> None:
        """The figures of a training; ``loss`` is its loss as the curve says it, "" where it has none."""
        total = "" if course.total is None else f" / {course.total:,}"
        rate = course.images_per_second if course.state == "running" else 0.0
        values = {
            "step": f"{course.step:,}{total}",
            "epochs": _epochs(course),
            "loss": loss or "–",
            "lr": _power(float(course.rates[-1])) if len(course.rates) else "–",
            "norm": _figure(mean_of(course.norms[-SMOOTHED:])),
            "rate": f"{rate:,.0f}" if rate else "–",
            "eta": clock(course.eta) if course.is_live and course.eta is not None else "–",
            "saved": "–" if course.saved is None else f"{course.saved:,}",
        }
        for key, value in values.items():
            self.figures[key].value.setText(value)
        words = words_of(course.aim)
        self.figures["loss"].name.setText(f"loss, {words.unit}" if words.unit else "loss")
        self.figures["loss"].setToolTip(f"{words.name}: {words.meaning}\nMean over the last 100 steps.")


def _epochs(course: Course) -> str:
    if not course.batch or not course.count:
        return "–"
    epochs = course.step * course.batch / course.count
    return f"{epochs:,.1f}" if epochs < 1000 else f"{epochs:,.0f}"


def _figure(value: float) -> str:
    """In three digits: 0.213, 12.4."""
    return f"{value:,.3g}" if math.isfinite(value) else "–"


def _power(value: float) -> str:
    """As a learning rate is written: 1.00e−03."""
    return f"{value:.2e}".replace("-", "\u2212") if math.isfinite(value) else "–"


class Figure(QWidget):
    """A number over its name, always as wide."""

    def __init__(self, name: str, widest: str, tooltip: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.value = QLabel("–")
        self.value.setFont(font("body", numbers=True))
        self.value.setAccessibleName(name)
        self.value.setMinimumWidth(min(QFontMetrics(self.value.font()).horizontalAdvance(widest), WIDEST))
        self.name = label(name, "caption")
        self.setToolTip(tooltip)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.value)
        column.addWidget(self.name)
