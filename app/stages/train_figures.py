"""The figures of a training in a line, each over its name."""

from __future__ import annotations

from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from app.stages.train_course import Course
from app.stages.train_maths import words_of
from app.theme import GRID, font
from app.widgets.controls import label
from app.widgets.status import clock

FIGURES = {
    "step": (
        "step",
        "10,000,000 / 10,000,000",
        "Steps of the optimiser so far, of all where their number is set",
    ),
    "loss": ("loss", "0.0000 bits/dim", "Mean over the last 100 steps"),
    "rate": ("images/s", "10,000", "Pictures learned from a second, pauses excluded"),
    "eta": ("to go", "100:00:00", "Time to go, pauses excluded"),
    "saved": ("saved at step", "10,000,000", "The last checkpoint: from there the run goes on whatever happens"),
}


class TrainFigures(QWidget):
    """Attributes: ``figures`` by their keys in ``FIGURES``."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.figures = {key: Figure(*words) for key, words in FIGURES.items()}
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2 * GRID)
        for figure in self.figures.values():
            row.addWidget(figure)
        row.addStretch(1)

    def show_course(self, course: Course, loss: str) -> None:
        """The figures of a training; ``loss`` is its loss as the curve says it, "" where it has none."""
        total = "" if course.total is None else f" / {course.total:,}"
        rate = course.images_per_second if course.state == "running" else 0.0
        values = {
            "step": f"{course.step:,}{total}",
            "loss": loss or "–",
            "rate": f"{rate:,.0f}" if rate else "–",
            "eta": clock(course.eta) if course.is_live and course.eta is not None else "–",
            "saved": "–" if course.saved is None else f"{course.saved:,}",
        }
        for key, value in values.items():
            self.figures[key].value.setText(value)
        words = words_of(course.aim)
        self.figures["loss"].name.setText(f"loss, {words.unit}" if words.unit else "loss")
        self.figures["loss"].setToolTip(f"{words.name}: {words.meaning}\nMean over the last 100 steps.")


class Figure(QWidget):
    """A number over its name, always as wide."""

    def __init__(self, name: str, widest: str, tooltip: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.value = QLabel("–")
        self.value.setFont(font("body", numbers=True))
        self.value.setAccessibleName(name)
        self.value.setMinimumWidth(min(QFontMetrics(self.value.font()).horizontalAdvance(widest), 14 * GRID))
        self.name = label(name, "caption")
        self.setToolTip(tooltip)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.value)
        column.addWidget(self.name)
