"""Is this normal? The panel that says so, for a training at work and for one on the disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from app.stages.train_aim import Aim
from app.stages.train_course import Course
from app.stages.train_normal import TrainNormal, standing_of
from core.training.events import LEVELS, Validated
from core.training.standing import Note


def course(losses: np.ndarray, **changes: object) -> Course:
    values: dict[str, object] = {"losses": losses.astype(np.float32), "batch": 64, "state": "finished"}
    return Course(Path("run"), "run", 8, 10_000, **(values | changes))  # type: ignore[arg-type]


@pytest.fixture
def panel(qtbot: QtBot) -> TrainNormal:
    made = TrainNormal()
    qtbot.addWidget(made)
    made.resize(300, 400)
    return made


def test_that_nothing_is_said_while_no_training_is_looked_at(panel: TrainNormal) -> None:
    panel.show_course(None)
    assert not panel.isVisible()


def test_that_a_training_that_does_not_learn_is_said_in_a_sentence_with_what_to_do(panel: TrainNormal) -> None:
    panel.show_course(course(np.ones(600), aim=Aim(prediction="eps")))
    assert panel.isVisible()
    assert panel.headline.text().startswith("It does not learn")
    assert "third of the learning rate" in panel.headline.text()
    assert panel.accessibleDescription().startswith("No, do something")


def test_that_the_reasons_are_there_on_demand(panel: TrainNormal) -> None:
    panel.show_course(course(np.ones(600), aim=Aim(prediction="eps")))
    shown = [row for row in panel._rows if not row.isHidden()]
    assert len(shown) == len(panel.notes)
    assert not shown[0].isVisible()
    panel.why.click()
    assert shown[0].isVisible()
    words = " ".join(label.text() for label in shown[0].findChildren(type(panel.headline)))
    assert "answering nothing costs 1.000" in words
    assert "E ε² = 1" in words
    panel.grab()


def test_that_a_training_that_is_fine_is_not_an_alarm(panel: TrainNormal) -> None:
    panel.show_course(course(np.geomspace(1, 0.05, 2000)))
    assert panel.accessibleDescription().startswith("Yes, as expected")


def test_that_a_training_at_work_is_looked_at_once_a_second(panel: TrainNormal) -> None:
    at_work = course(np.geomspace(1, 0.05, 60), state="running")
    panel.show_course(at_work)
    before = panel.notes
    at_work.losses = np.geomspace(1, 0.05, 2000).astype(np.float32)
    panel.show_course(at_work)
    assert panel.notes is before
    at_work.validated = (Validated(2000, 0.1, np.zeros(LEVELS, np.float32)),)
    panel.show_course(at_work)
    assert panel.notes is not before


def test_that_all_that_is_known_of_a_training_counts() -> None:
    norms = np.full(3, 0.5, np.float32)
    made = standing_of(course(np.ones(3), norms=norms, progress=0.25, classes=("a", "b"), aim=Aim(prediction="x0")))
    assert (made.step, made.progress, made.pictures, made.batch, made.classes) == (3, 0.25, 10_000, 64, 2)
    assert made.prediction == "x0"
    assert made.norms is norms


def test_that_a_warning_does_not_hide_what_is_to_be_expected(panel: TrainNormal) -> None:
    warning, draws, loss = (
        Note("look", "So few pictures.", "12"),
        Note("fine", "It should draw digits.", "9"),
        Note("fine", "The loss.", "1"),
    )
    panel.show_prospect((warning, draws, loss))
    assert panel.headline.text() == "So few pictures."
    assert panel.beside.isVisible()
    assert panel.beside.text() == "It should draw digits."
    panel.why.click()
    words = [label.text() for label in panel.findChildren(QLabel) if label.isVisible()]
    assert words.count("It should draw digits.") == 1
    assert "The loss." in words
    panel.show_prospect((draws, loss))
    assert not panel.beside.isVisible()
