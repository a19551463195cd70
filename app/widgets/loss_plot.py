"""How a training's loss falls: every step faintly, their trailing mean over it, on a logarithmic axis."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QWidget

from app.theme import palette
from app.widgets.step_lines import SMOOTHED, Losses, StepLine, every, smoothed
from app.widgets.step_plot import StepPlot


class LossPlot(StepPlot):
    """The loss over the steps of a training, beside the means of others where they are compared.

    Attributes: ``losses`` (n,), ``means`` (n,).
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Loss curve", parent=parent)
        self.losses: Losses = np.zeros(0, np.float32)
        self.means = np.zeros(0)
        self._others: tuple[StepLine, ...] = ()
        self._name, self._unit = "Loss", ""
        self.set_words("Loss", "", "What a step lowers")

    def set_losses(self, losses: Losses) -> None:
        """The loss of every step so far, the first one that of step 1."""
        self.losses = losses
        self.means = smoothed(losses)
        self._renew()

    def compare(self, others: Sequence[StepLine]) -> None:
        """Draw the means of other trainings beside its own; none: no more."""
        self._others = tuple(others)
        self._renew()

    def set_words(self, name: str, unit: str, meaning: str) -> None:
        """Which loss it is, what it is counted in ("" for none), and what that means."""
        if (name, unit) != (self._name, self._unit):
            self._name, self._unit = name, unit
            self._renew()
        self.explain(
            f"{name}: {meaning.rstrip('.')}; logarithmic.\n"
            f"Faint: every step, on noise levels of its own. Line: the mean of the last {SMOOTHED} steps.\n"
            "Ticks: samples were drawn here. Click to see them."
        )

    def _renew(self) -> None:
        steps, last = every(self.losses), self.means[-1] if len(self.means) else math.nan
        own = (self.subject or "this one") if self._others else None
        lines = (
            StepLine(self._named, steps, self.losses, _quiet, "each"),
            *self._others,
            StepLine(f"mean of the last {SMOOTHED} steps", steps, self.means, _text, legend=own),
        )
        self.set_lines(lines, loss_text(float(last)) if math.isfinite(last) else "")

    @property
    def _named(self) -> str:
        return f"{self._name} in {self._unit}" if self._unit else self._name

    def heading(self) -> str:
        return f"{self._named}, mean of {SMOOTHED} steps" if len(self.losses) else self._named

    def _headings(self) -> Sequence[str]:
        return self.heading(), self._named, self._name

    @property
    def file_name(self) -> str:
        return self._name


def _quiet() -> QColor:
    return QColor(palette().quiet)


def _text() -> QColor:
    return QColor(palette().text)


def loss_text(loss: float) -> str:
    """A loss in figures that mean something: 0.0312, 23.4567, 1,204.5."""
    return f"{loss:.4f}" if abs(loss) < 100 else f"{loss:,.1f}"
