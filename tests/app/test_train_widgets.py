"""The smaller pieces of Train: numbers that are typed, the sheet of samples, the list of trainings, the mathematics."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor

from app.stages.train_aim import OBJECTIVES, PREDICTIONS, VARIANCES, Aim, sensible
from app.stages.train_controls import TrainControls
from app.stages.train_data import IN_A_MIX, IN_A_ROW, advice, facts, rows_of
from app.stages.train_folder import RunFolder, read_run_folder
from app.stages.train_maths import aims, algorithm_of, line_of, loss_of, words_of
from app.stages.train_networks import millions
from app.widgets import typeset
from app.widgets.accuracy_plot import AccuracyPlot
from app.widgets.number_field import Duration, NumberField
from app.widgets.run_list import RunList
from app.widgets.sample_sheet import LEAST, SampleSheet, SheetRow
from app.widgets.training_words import when
from core.requests import ScheduleSpec
from core.training.dataset import PictureFolder
from core.training.presets import network_of
from core.training.request import TrainRequest
from core.training.runs import RunSummary
from tests.app.fake_engine import DIGITS


def folder_of(counts: dict[str, int]) -> PictureFolder:
    total = sum(counts.values())
    pictures = np.arange(total, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 1), np.uint8)
    labels = np.repeat(np.arange(len(counts)), list(counts.values())) if len(counts) > 1 else np.zeros(total, np.int64)
    return PictureFolder("things", pictures, labels, tuple(counts) if len(counts) > 1 else ())


def a_run(name: str, **changes) -> RunSummary:
    values = {"step": 1204, "steps": 5000, "minutes": None, "finished": False, "seconds": 60.0, "loss": 0.0312}
    values |= {"size": 32, "data_name": "digits", "count": 9000, "pictures": None, "changed": time.time()} | changes
    return RunSummary(folder=Path("/runs") / name, name=name, **values)


def test_that_a_typed_number_is_announced(qtbot) -> None:
    field = NumberField("Rate", 0.001, 1, 0.5, decimals=3)
    qtbot.addWidget(field)
    with qtbot.waitSignal(field.value_changed) as changed:
        field._edit.selectAll()
        qtbot.keyClicks(field._edit, "0.25")
        qtbot.keyClick(field._edit, Qt.Key.Key_Return)
    assert changed.args == [0.25]


def test_that_what_stands_in_a_column_of_the_form_begins_at_one_edge(qtbot) -> None:
    controls = TrainControls()
    qtbot.addWidget(controls)
    controls.resize(714, 200)
    controls.more.set_open(True)
    controls.show()

    def left(named) -> int:
        field = named.named.buddy()
        return field.mapTo(controls, QPoint()).x()

    assert left(controls.goal) == left(controls.preset)
    assert controls.folder.mapTo(controls, QPoint()).x() == left(controls.duration)
    assert left(controls.prediction) == left(controls.schedule)
    assert left(controls.objective) == left(controls.length)


def test_that_minutes_and_steps_keep_numbers_of_their_own(qtbot) -> None:
    duration = Duration("for", minutes=12, steps=700)
    qtbot.addWidget(duration)
    assert (duration.minutes, duration.steps) == (12.0, None)
    duration._unit.setCurrentText("steps")
    assert (duration.minutes, duration.steps) == (None, 700)
    duration.set_duration(steps=900)
    duration._unit.setCurrentText("minutes")
    assert duration.minutes == 12.0
    duration._unit.setCurrentText("steps")
    assert duration.steps == 900


def test_that_every_class_has_a_row_evenly_chosen() -> None:
    rows = rows_of(folder_of({"a": 100, "b": 3}))
    assert [(row.name, row.note) for row in rows] == [("a", "100"), ("b", "3")]
    assert len(rows[0].pictures) == IN_A_ROW
    assert rows[0].pictures[[0, -1], 0, 0, 0].tolist() == [0, 99]
    assert rows[1].pictures[:, 0, 0, 0].tolist() == [100, 101, 102]


def test_that_pictures_without_classes_are_mixed_evenly() -> None:
    (row,) = rows_of(folder_of({"all": 250}))
    assert (row.name, len(row.pictures)) == ("", IN_A_MIX)
    assert row.pictures[[0, -1], 0, 0, 0].tolist() == [0, 249]


def test_that_the_facts_and_the_advice_fit_the_folder() -> None:
    assert facts(folder_of({"a": 1})) == "things: 1 picture · no classes · grey · learned at 4 × 4"
    assert "by heart" in advice(folder_of({"a": 499}), is_example=False)
    assert advice(folder_of({"a": 600, "b": 5}), is_example=False).startswith("Few pictures of b:")
    assert advice(folder_of({"a": 300, "b": 300}), is_example=False) == ""


def test_that_as_many_pictures_as_fit_stand_in_a_row(qtbot) -> None:
    sheet = SampleSheet()
    qtbot.addWidget(sheet)
    sheet.set_rows([SheetRow(name, "9", np.full((9, 8, 8, 1), 200, np.uint8)) for name in ("one", "two")])
    sheet.resize(300, 200)
    few = sheet.shown[0]
    assert 0 < few < 9
    sheet.resize(1600, 200)
    assert sheet.shown == (9, 9)
    assert QColor(sheet.grab().toImage().pixel(200, 40)).red() == 200


def test_that_many_classes_are_scrolled_instead_of_cropped(qtbot) -> None:
    sheet = SampleSheet()
    qtbot.addWidget(sheet)
    sheet.set_rows([SheetRow(str(number), "1", np.zeros((1, 8, 8, 1), np.uint8)) for number in range(50)])
    assert sheet.minimumSizeHint().height() >= 50 * LEAST


def test_that_the_list_announces_what_is_chosen_and_keeps_its_place(qtbot) -> None:
    runs = RunList()
    qtbot.addWidget(runs)
    runs.set_runs([a_run("one"), a_run("two", finished=True)])
    with qtbot.waitSignal(runs.chosen) as chosen:
        runs.setCurrentRow(2)
    assert chosen.args == [Path("/runs/two")]
    with qtbot.assertNotEmitted(runs.chosen):
        runs.set_runs([a_run("three"), a_run("one"), a_run("two")], {Path("/runs/one"): "running"})
    assert runs.current() == Path("/runs/two")
    assert runs.item(2).text() == "● one\nrunning"
    with qtbot.assertNotEmitted(runs.chosen):
        runs.look_at(None)
    assert runs.current() is None


def test_that_a_run_of_today_has_a_time_and_an_older_one_a_date() -> None:
    assert ":" in when(time.time())
    assert when(86_400.0 * 365).startswith("19")


@pytest.mark.parametrize(("prediction", "lines"), [("eps", 6), ("x0", 7), ("v", 8), ("mean", 7)])
def test_that_the_mathematics_is_that_of_the_prediction(prediction, lines) -> None:
    aim = Aim(prediction=prediction)
    listing = algorithm_of(aim)
    assert len(listing.lines) == lines
    assert "descend" in listing.lines[line_of(aim, "running") - 1]
    assert "converged" in listing.lines[line_of(aim, "finished") - 1]
    assert line_of(aim, "paused") is None
    assert "loss" in typeset.typeset(loss_of(aim).latex).boxes


@pytest.mark.parametrize(("count", "words"), [(2_599_185, "2.6 M"), (28_400_000, "28 M"), (9_960_000, "10 M")])
def test_that_parameters_are_counted_in_two_figures(count, words) -> None:
    assert millions(count) == words


def test_that_the_folder_of_a_run_says_what_it_has_learned(tmp_path) -> None:
    training = {"task": "classifier", "noised": True, "schedule": {"name": "cosine", "T": 4000}, "steps": 3}
    accuracy = {"pictures": 9, "timesteps": [0, 2000], "recognised": [0.9, 0.2]}
    says = {"labels": ["a", "b"], "provenance": {"training": training, "accuracy": accuracy}}
    (tmp_path / "diffuscope.json").write_text(json.dumps(says))
    found = read_run_folder(tmp_path)
    assert found.classes == ("a", "b")
    assert found.aim == Aim(task="classifier", schedule=ScheduleSpec("cosine", 4000))
    assert found.accuracy == ((0, 0.9), (2000, 0.2))


@pytest.mark.parametrize(
    "content",
    ["{", "[]", '{"provenance": 3}', '{"provenance": {"training": {"task": "x"}, "accuracy": {"recognised": 1}}}'],
)
def test_that_a_folder_that_says_nonsense_is_taken_as_usual(tmp_path, content) -> None:
    (tmp_path / "diffuscope.json").write_text(content)
    assert read_run_folder(tmp_path) == RunFolder()
    assert read_run_folder(tmp_path / "nowhere") == RunFolder()


def test_that_accuracy_is_drawn_over_t(qtbot) -> None:
    plot = AccuracyPlot()
    qtbot.addWidget(plot)
    plot.resize(400, 300)
    assert "appears here" in plot.summary()
    plot.set_accuracy([(500, 0.5), (0, 1.0), (1000, 0.1)], 10)
    assert plot.summary() == "100.0% at t = 0, 10.0% at t = 1000"
    rect = plot.plot_rect()
    assert plot.place(0, 1.0) == rect.topLeft()
    assert plot.place(1000, 0.0) == rect.bottomRight()
    assert plot.place(500, 0.5) == rect.center()
    plot.set_accuracy([(0, 0.98)], 10)
    assert plot.summary() == "98.0% of pictures that training has not met are recognised"
    plot.set_accuracy([], 10, is_coming=False)
    assert "was not measured" in plot.summary()


UNITS: list[tuple[Aim, str]] = [
    (Aim(), "L_simple"),
    (Aim(objective="weighted"), "bits/dim"),
    (Aim(objective="vlb"), "bits/dim"),
    (Aim().towards("judge"), "nats"),
]


@pytest.mark.parametrize(("aim", "word"), UNITS)
def test_that_a_loss_is_named_with_its_unit(aim, word) -> None:
    words = words_of(aim)
    assert word in (words.name, words.unit)
    assert words.meaning


@pytest.mark.parametrize("aim", tuple(aims()), ids=lambda aim: f"{aim.goal} {aim.prediction} {aim.objective}")
def test_that_every_loss_has_a_formula_with_its_paper_and_a_gradient_step(aim) -> None:
    formula, listing = loss_of(aim), algorithm_of(aim)
    assert "loss" in typeset.typeset(formula.latex).boxes
    assert "20" in formula.paper or aim.goal == "judge"
    assert sum("descend" in line for line in listing.lines) == 1


def every_aim() -> Iterator[Aim]:
    for prediction, objective, variance, zero in product(PREDICTIONS, OBJECTIVES, VARIANCES, (False, True)):
        yield Aim("diffusion", True, prediction, objective, variance, ScheduleSpec(zero_snr=zero))


@pytest.mark.parametrize(
    "model", [None, *(replace(DIGITS, prediction=p, variance=v) for p in ("v", "eps") for v in VARIANCES)]
)
def test_that_whatever_is_wished_what_comes_of_it_can_be_trained(model) -> None:
    for wished in every_aim():
        aim = sensible(wished, model)
        network = network_of("small", 16, 1, 0)
        values = {"prediction": aim.prediction, "objective": aim.objective, "variance": aim.variance}
        assert TrainRequest("x", "0", network, schedule=aim.schedule, steps=1, **values)
        assert aim.prediction == (wished.prediction if model is None else model.prediction)
        if model is None:
            assert aim.objective == wished.objective
