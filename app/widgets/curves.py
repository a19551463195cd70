"""The curves of the large plot: whose schedule each is, and how it is told apart without its colour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
from PySide6.QtCore import QPointF
from PySide6.QtGui import QBrush, QColor, QLinearGradient, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from app.theme import GRID, colour, palette, signal_colour, theme
from core.requests import ScheduleName, ScheduleSpec
from core.schedules import Schedule, make_schedule

SHOWN, GHOST = "shown", "ghost"
NAMED: tuple[ScheduleName, ...] = ("linear", "cosine", "quadratic", "sigmoid", "constant")
KEYS = (SHOWN, GHOST, *NAMED)
WORDS: Mapping[str, str] = {"drawn": "drawn by hand", "betas": "the model's own", "sigmoid_alpha_bar": "sigmoid of ᾱ"}

_DASHES: Mapping[str, tuple[float, ...]] = {
    GHOST: (4, 3),
    "linear": (9, 3),
    "cosine": (6, 2, 1.5, 2),
    "quadratic": (3, 2),
    "sigmoid": (1.5, 2),
    "constant": (9, 2, 1.5, 2, 1.5, 2),
}
_COLOURS: Mapping[str, str] = {"linear": "neutral", "cosine": "score", "quadratic": "eps", "constant": "alpha_bar"}
_STOPS = 33


@dataclass(frozen=True)
class Curve:
    """One schedule in the plot. ``key`` is one of ``KEYS``."""

    key: str
    schedule: Schedule

    @property
    def label(self) -> str:
        name = WORDS.get(self.schedule.spec.name, self.schedule.spec.name)
        return {SHOWN: f"{name} (shown)", GHOST: f"{name} (compared)"}.get(self.key, name)


def curve_of(key: str, shown: Schedule, ghost: Schedule | None) -> Curve | None:
    """The curve of a key; None without a schedule to compare with. A named one has its published ends and as many
    timesteps as the one shown, and is None where it is shown or compared already. Raises Refusal where it cannot have
    so few."""
    if key in (SHOWN, GHOST):
        schedule = shown if key == SHOWN else ghost
        return None if schedule is None else Curve(key, schedule)
    named = make_schedule(ScheduleSpec(cast(ScheduleName, key), T=shown.T))
    there = (schedule.betas for schedule in (shown, ghost) if schedule is not None)
    return None if any(np.array_equal(betas, named.betas) for betas in there) else Curve(key, named)


def ink(key: str) -> QColor:
    surfaces = {SHOWN: palette().text, GHOST: palette().quiet, "sigmoid": palette().danger}
    return QColor(surfaces[key]) if key in surfaces else colour(_COLOURS[key])


def pen(key: str, instead: QColor | None = None) -> QPen:
    """How a curve is drawn in the scheme in force, or in another colour: cosmetic, in pixels."""
    made = QPen(instead or ink(key), 2.5 if key == SHOWN else 1.5)
    made.setCosmetic(True)
    if key in _DASHES:
        made.setDashPattern(_DASHES[key])
    return made


def signal_pen(schedule: Schedule) -> QPen:
    """The pen of the schedule that is shown, from the data's colour to the noise's along t = 0..T-1."""
    gradient = QLinearGradient(QPointF(0, 0), QPointF(max(1, schedule.T - 1), 0))
    for stop in range(_STOPS):
        share = stop / (_STOPS - 1)
        gradient.setColorAt(share, signal_colour(float(schedule.alpha_bar[round(share * (schedule.T - 1))])))
    made = pen(SHOWN)
    made.setBrush(QBrush(gradient))
    return made


class Swatch(QWidget):
    """A short piece of a curve's line, beside its name."""

    def __init__(self, key: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._key = key
        self.setFixedSize(4 * GRID, 2 * GRID)
        theme().theme_changed.connect(self.update)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(pen(self._key))
        middle = self.height() / 2
        painter.drawLine(QPointF(1, middle), QPointF(self.width() - 1, middle))
