"""The figures of a training in a line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from app.stages.train_course import Course
from app.stages.train_figures import TrainFigures


@pytest.fixture
def figures(qtbot: QtBot) -> TrainFigures:
    made = TrainFigures()
    qtbot.addWidget(made)
    return made


def said(figures: TrainFigures) -> dict[str, str]:
    return {key: figure.value.text() for key, figure in figures.figures.items()}


def course(steps: int, **changes: object) -> Course:
    curves = {"losses": np.ones(steps, np.float32), "norms": np.full(steps, 0.25, np.float32)}
    values: dict[str, object] = curves | {"rates": np.full(steps, 1.5e-4, np.float32), "batch": 64, "state": "running"}
    return Course(Path("run"), "run", 8, 128, **(values | changes))  # type: ignore[arg-type]


def test_that_rate_gradient_and_epochs_stand_beside_step_and_loss(figures: TrainFigures) -> None:
    figures.show_course(course(25, total=100, images_per_second=80.4, eta=75.0, saved=20), "0.1234")
    assert said(figures) == {
        "step": "25 / 100",
        "epochs": "12.5",
        "loss": "0.1234",
        "lr": "1.50e\u221204",
        "norm": "0.25",
        "rate": "80",
        "eta": "1:15",
        "saved": "20",
    }


def test_that_what_is_unknown_is_a_dash(figures: TrainFigures) -> None:
    nothing = np.full(2, np.nan, np.float32)
    figures.show_course(course(2, norms=nothing, rates=nothing, batch=None, state="stopped"), "")
    values = said(figures)
    assert {values[key] for key in ("epochs", "loss", "lr", "norm", "rate", "eta", "saved")} == {"–"}


def test_that_the_figures_fit_beside_both_panels_of_a_small_screen(figures: TrainFigures) -> None:
    assert figures.sizeHint().width() <= 1280 - 220 - 320 - 24
