"""Samples of a training that come back: the training where it is here, else its settings, all or some of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QUrl
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.incoming import offer
from app.stages.train_moments import DATA
from app.window import STAGES, MainWindow
from core.recipe import Recipe, Shown
from core.requests import ModelRef, ScheduleSpec
from core.training.draw_request import STEPS, draw_of, moments
from core.training.presets import network_of
from core.training.reading import Reading
from core.training.request import TrainRequest
from core.training.runs import RunSummary
from tests.app.conftest import shown_window
from tests.app.fake_engine import DIGITS
from tests.app.test_recipes import dropped, restore
from tests.app.test_train_samples import COUNT, a_set, with_request

TRAINING = TrainRequest(
    "shapes",
    "d" * 64,
    network_of("medium", 16, 3, 2, "range", 4000),
    ("circle", "square"),
    schedule=ScheduleSpec("cosine", 4000),
    prediction="eps",
    objective="hybrid",
    variance="range",
    minutes=7.0,
    batch=24,
    seed=11,
    lr=3e-4,
    flip=True,
    never_flipped=("Flags/*",),
    precision="float32",
    timestep_sampler="antithetic",
    reading=Reading(16, "whole", (0, 0, 0), "all"),
)


@pytest.fixture
def window(qapp: QApplication, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> MainWindow:
    made = shown_window(qtbot, STAGES)
    made.bridge.ready()
    made.state.move(stage="train")
    QApplication.processEvents()  # what the model brings is no change by the person
    monkeypatch.setattr("app.sought.find_training", lambda _training: None)
    return made


def offered(window: MainWindow, folder: Path, training: TrainRequest = TRAINING, **shown: object) -> None:
    draw = draw_of(training, ((4, "ema"),), COUNT)
    dropped(window, Recipe(draw, replace(Shown(step=STEPS), **shown)), folder)


def settings(window: MainWindow):
    return window._stages["train"].setup.controls.settings()


def hint(window: MainWindow) -> str:
    return window.status_line._hint.text()


def test_that_such_a_picture_says_what_drew_it(window: MainWindow, tmp_path: Path) -> None:
    offered(window, tmp_path)
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(tmp_path / "made.png"))])
    assert window.dropping._promise(offer(mime), mime)[0] == "restore this training"
    assert window.recipe_bar.words().endswith("4 samples after 4 steps of a training on “shapes”.")
    boxes = [box.text() for box in window.recipe_bar.menu.boxes.values()]
    assert "Trains a: diffusion model" in boxes
    assert "Network: medium" in boxes
    assert "Train for: 7 minutes" in boxes
    assert "Objective: ε, L_hybrid, variance learned, range" in boxes


def test_that_its_settings_are_set_where_the_training_is_not_here(window: MainWindow, tmp_path: Path) -> None:
    offered(window, tmp_path)
    restore(window)
    assert window.state.cursor.stage == "train"
    says = settings(window)
    assert says.reading == TRAINING.reading
    aim = says.aim
    assert (aim.prediction, aim.objective, aim.variance) == ("eps", "hybrid", "range")
    assert (aim.schedule, aim.timestep_sampler) == (TRAINING.schedule, "antithetic")
    assert (says.preset, says.minutes, says.steps) == ("medium", 7.0, None)
    assert (says.batch, says.lr, says.seed, says.precision) == (24, 3e-4, 11, "float32")
    assert (says.flip, says.never_flipped) == (True, ("Flags/*",))
    assert says.samples == COUNT
    assert "Choose the folder of its pictures, “shapes”" in hint(window)
    assert window.recipe_bar.words() == ""
    window.undo.flush()
    window.registry["undo"].trigger()
    assert (settings(window).batch, settings(window).preset) == (64, "small")


def test_that_some_of_its_settings_can_be_taken(window: MainWindow, tmp_path: Path) -> None:
    offered(window, tmp_path)
    before = settings(window)
    restore(window, "technique", "steps")
    after = settings(window)
    assert after == replace(before, batch=24, lr=3e-4, precision="float32", minutes=7.0)


def test_that_what_no_control_can_say_is_said(window: MainWindow, tmp_path: Path) -> None:
    odd = replace(
        TRAINING,
        network=replace(TRAINING.network, layers_per_block=3),
        schedule=ScheduleSpec("cosine", 123, beta_start=0.1),
    )
    offered(window, tmp_path, odd)
    restore(window)
    assert "none of the presets" in hint(window)
    assert "values of its own" in hint(window)
    assert "no such T here" in hint(window)


def test_that_numbers_beyond_what_controls_reach_are_said(window: MainWindow, tmp_path: Path) -> None:
    offered(window, tmp_path, replace(TRAINING, batch=100_000, lr=2.5e-7, never_flipped=("x" * 5000,)))
    restore(window)
    for name in ("batch", "learning rate", "never mirrored"):
        assert f"no such {name} here" in hint(window)
    assert "no such size" not in hint(window)


def test_that_a_fine_tuning_says_which_model_it_wants(window: MainWindow, tmp_path: Path) -> None:
    tuned = replace(TRAINING, variance="fixed", objective="simple", base=ModelRef("other", "e" * 64))
    offered(window, tmp_path, tuned)
    assert "Begins from: other" in [box.text() for box in window.recipe_bar.menu.boxes.values()]
    restore(window)
    assert "“other”, which is not open" in hint(window)
    assert not settings(window).fine_tune
    offered(window, tmp_path, replace(tuned, base=DIGITS.ref))
    restore(window)
    assert settings(window).fine_tune


def test_that_the_training_itself_is_looked_at_where_it_drew(
    window: MainWindow, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    course = with_request(a_set(0), a_set(4), a_set(9))
    course.folder = tmp_path / "shapes"
    summary = RunSummary(course.folder, "shapes", 9, 9, None, True, 1.0, 0.5, 8, "shapes", 12, None, 0.0)
    monkeypatch.setattr("app.sought.find_training", lambda training: summary if training == TRAINING else None)
    monkeypatch.setattr("app.stages.train_runs.read_course", lambda asked: course if asked is summary else None)
    stage = window._stages["train"]
    page = stage.view.samples_page
    offered(window, tmp_path, step=moments(STEPS)[3], quantity="x_t", cells=(2,))
    restore(window)
    qtbot.waitUntil(lambda: stage.course is course)
    assert (stage.film.index, page.cell, page.t, page.kind) == (1, 2, 600, "x_t")
    assert page.pane.recipe_of(0).shown == Shown("x_t", moments(STEPS)[3], (2,))
    offered(window, tmp_path)
    restore(window)
    qtbot.waitUntil(lambda: page.t == DATA)
    assert (stage.film.index, page.cell) == (1, None)


def test_that_the_very_pictures_bring_their_mirroring_back_and_others_do_not(
    window: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered(window, tmp_path)
    restore(window)
    stage = window._stages["train"]
    setup = stage.setup
    data = type("Data", (), {"sha256": "e" * 64, "name": "shapes"})()
    setup.data, setup.folder = data, tmp_path
    setup.controls.reading.choose_flip(False)
    setup.accepted.emit()
    assert "not the very pictures" in hint(window)
    assert not setup.controls.flip.isChecked()
    data.sha256 = TRAINING.data_sha256
    setup.accepted.emit()
    assert setup.controls.flip.isChecked()
    assert setup.controls.never.text() == "Flags/*"
    assert "Press Start" in hint(window)


def test_that_numbers_of_a_picture_are_no_run(window: MainWindow, tmp_path: Path) -> None:
    """A film of the samples is offered as the picture it is."""
    offered(window, tmp_path)
    window.recipe_bar.use.click()
    assert window.state.image.pixels.shape == (4, 4, 1)
    assert np.all(window.state.image.pixels == 9)
