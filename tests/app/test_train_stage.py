"""Train: a folder is looked at, learned and watched; every control is in the order, every button follows the run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, QUrl
from PySide6.QtWidgets import QAbstractButton, QAbstractSpinBox, QComboBox

from app.bridge import ticked
from app.stages.train import EXAMPLE
from app.stages.train_controls import TrainControls
from app.stages.train_settings import SIZES
from app.state import Training
from app.widgets.controls import MoreSection, Track
from app.window import STAGES
from core.messages import (
    ClassifierOpened,
    EngineState,
    Failed,
    ModelOpened,
    RunEnded,
    RunPaused,
    Status,
    TrainingSamples,
    TrainingSaved,
    TrainingStarted,
    TrainingTick,
    frozen,
)
from core.requests import ScheduleSpec
from core.training.dataset import PictureFolder
from core.training.events import Drawn, TrainStep
from core.training.film import Film, write_film
from core.training.history import History, write_history
from core.training.order import FINE_TUNING_LR, TrainOrder
from core.training.picture_cache import cache_size
from core.training.presets import PRESETS, parameters_of
from core.training.reading import Reading
from core.training.runs import RunSummary, list_runs, remember, runs_folder, write_summary
from core.training.training_pace import remember_pace
from tests.app.conftest import shown_window
from tests.app.fake_engine import DIGITS, GUIDE
from tests.app.scenes import training


def a_folder(root: Path, classes: dict[str, int], side: int = 20) -> Path:
    """Pictures whose colour is their class; a folder of its own for each class, none for the class ""."""
    for index, (name, count) in enumerate(classes.items()):
        place = root / name
        place.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            pixels = np.full((side, side, 3), (40 * index + 20, number, 200), np.uint8)
            Image.fromarray(pixels).save(place / f"{number:03}.png")
    return root


@pytest.fixture
def scene(qtbot):
    with training(qtbot) as found:
        yield found


@pytest.fixture
def folder(tmp_path):
    return a_folder(tmp_path / "shapes", {"circle": 8, "square": 4})


@pytest.fixture
def mixed(tmp_path):
    """An oblong picture, one that is transparent, one that moves and one that is none of these."""
    place = tmp_path / "mixed"
    place.mkdir()
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (20, 40, 3), np.uint8)).save(place / "oblong.png")
    Image.fromarray(rng.integers(0, 256, (20, 20, 4), np.uint8)).save(place / "transparent.png")
    Image.fromarray(rng.integers(0, 256, (20, 20, 3), np.uint8)).save(place / "plain.png")
    frames = [Image.fromarray(rng.integers(0, 256, (20, 20), np.uint8)) for _ in range(2)]
    frames[0].save(place / "moves.gif", save_all=True, append_images=frames[1:])
    return place


def order(stage) -> TrainOrder:
    """Press Start; the order that was sent. The training is stopped again."""
    stage.setup.start.click()
    bridge = stage.trainings._bridge
    sent, _ = bridge.trained[-1]
    bridge.say(RunEnded(len(bridge.submitted), "stopped", 0, 0.0))
    return sent


def started(job: int, run: Path, step: int = 0, **changes) -> TrainingStarted:
    losses = frozen(np.full(step, 0.5, np.float32))
    values = {"pictures": 12, "labels": ("circle", "square"), "parameters": 2_600_000, "batch": 64}
    values |= {"precision": "bfloat16", "total": 1000, "minutes": None, "samples": ()} | changes
    return TrainingStarted(job=job, name=run.name, folder=str(run), step=step, losses=losses, **values)


def tick(job: int, first: int, losses, rate: float = 80.0, eta: float = 90.0) -> TrainingTick:
    return TrainingTick(job, first, frozen(np.array(losses, np.float32)), rate, eta, 0.1)


def drawn(job: int, step: int, grey: int, count: int = 4) -> TrainingSamples:
    return TrainingSamples(job, step, frozen(np.full((count, 8, 8, 1), grey, np.uint8)))


def begun(stage) -> int:
    """A training that the engine has begun; its job."""
    stage.setup.start.click()
    bridge = stage.trainings._bridge
    job, (sent, _) = len(bridge.submitted), bridge.trained[-1]
    bridge._status(EngineState.TRAINING, job)
    bridge.say(started(job, sent.out))
    bridge.say(TrainingSaved(job, 0))
    return job


def a_stored_run(name: str, pictures: Path | None, step: int = 40, **changes) -> RunSummary:
    run = runs_folder() / name
    history = History()
    for _ in range(step):
        history.add(TrainStep(history.step + 1, 0.25, 1e-3, 0.1, 0.01))
    write_history(history, run)
    ends = ((0, 0), (step, 200))
    write_film(Film([Drawn(at, np.full((4, 8, 8, 1), grey, np.uint8)) for at, grey in ends]), run)
    values = {"steps": 100, "minutes": None, "finished": False, "seconds": 30.0, "loss": 0.25, "size": 16}
    values |= {"data_name": "shapes", "count": 12, "pictures": pictures, "changed": 0.0} | changes
    summary = RunSummary(folder=run, name=name, step=step, **values)
    write_summary(summary)
    if pictures is not None:
        remember(run, pictures)
    return summary


def value(pane) -> int:
    return pane.content.image.pixelColor(0, 0).red()


# The folder


def test_that_the_first_look_shows_bundled_pictures_to_try(scene):
    _, _, stage = scene
    assert stage.setup.data.source == EXAMPLE
    assert len(stage.setup.view.sheet.rows[0].pictures) == len(stage.setup.data)
    assert "example" in stage.setup.view.advice.text()
    assert stage.setup.start.isEnabled()


def test_that_a_dropped_folder_is_shown_class_by_class(scene, folder):
    _, _, stage = scene
    assert stage.handle_folder(folder)
    assert [(row.name, row.note, len(row.pictures)) for row in stage.setup.view.sheet.rows] == [
        ("circle", "8", 8),
        ("square", "4", 4),
    ]
    assert stage.setup.view.facts.text() == "shapes: 12 pictures · 2 classes · colour · 20 × 20, learned at 32 × 32"
    assert stage.setup.controls.folder.text() == "shapes…"  # a click chooses another


def test_that_what_was_left_out_is_listed_with_the_reason(scene, folder):
    _, _, stage = scene
    (folder / "circle" / "broken.png").write_bytes(b"no picture")
    stage.handle_folder(folder)
    view = stage.setup.view
    view.tabs.set_current("left out")
    assert view.left_out.table.isVisible()
    assert view.left_out.text().startswith("circle/broken.png\t")


def test_that_a_few_pictures_are_said_to_be_learned_by_heart(scene, folder):
    _, _, stage = scene
    stage.handle_folder(folder)
    assert any("by heart" in warning for warning in stage.setup.plan.warnings)


@pytest.mark.parametrize("size", ["16", "64"])
def test_that_another_size_reads_the_pictures_again(scene, folder, size):
    _, _, stage = scene
    stage.handle_folder(folder)
    stage.setup.controls.side.set_value(size)
    assert stage.setup.data.pictures.shape[1:3] == (int(size), int(size))
    stage.setup.start.click()
    assert stage.trainings._bridge.trained[-1][1].pictures.shape[1] == int(size)


def test_that_a_folder_without_pictures_is_refused_and_the_one_before_stays(scene, folder, tmp_path):
    _, _, stage = scene
    stage.handle_folder(folder)
    empty = tmp_path / "empty"
    empty.mkdir()
    stage.handle_folder(empty)
    assert "no pictures" in stage.errors.message()
    assert stage.setup.data.name == "shapes"
    assert stage.setup.start.isEnabled()
    stage.handle_folder(folder)
    assert stage.errors.message() == ""


def test_that_pictures_beside_classes_are_refused_in_words(scene, folder):
    _, _, stage = scene
    a_folder(folder, {"": 2})
    stage.handle_folder(folder)
    assert "sub-folders" in stage.errors.message()


def test_that_the_drop_says_what_will_become_of_a_folder_and_of_a_picture(scene, folder):
    _, _, stage = scene
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(folder))])
    assert stage.drop_verbs(mime) == "train on this folder"
    mime.setUrls([QUrl.fromLocalFile(str(folder / "circle" / "000.png"))])
    assert stage.drop_verbs(mime) != "train on this folder"


# Every control is in the order


def test_that_the_order_has_the_pictures_and_a_folder_of_its_own(scene, folder):
    _, bridge, stage = scene
    stage.handle_folder(folder)
    first = order(stage)
    _, data = bridge.trained[-1]
    assert isinstance(data, PictureFolder)
    assert data.source == folder
    assert first.out.parent == runs_folder()
    assert first.out.name == "shapes small"
    assert not first.resume
    assert (first.minutes, first.steps) == (20.0, None)


@pytest.mark.parametrize(
    ("control", "chosen", "field", "expected"),
    [
        ("preset", "medium", "preset", "medium"),
        ("prediction", "eps", "prediction", "eps"),
        ("prediction", "x0", "prediction", "x0"),
        ("prediction", "mean", "prediction", "mean"),
        ("objective", "weighted", "objective", "weighted"),
        ("objective", "vlb", "objective", "vlb"),
        ("objective", "min_snr", "objective", "min_snr"),
        ("objective", "hybrid", "objective", "hybrid"),
        ("objective", "hybrid", "variance", "range"),
        ("schedule", "cosine", "schedule", ScheduleSpec("cosine")),
        ("schedule", "quadratic", "schedule", ScheduleSpec("quadratic")),
        ("length", "4000", "schedule", ScheduleSpec("linear", 4000)),
        ("timesteps", "uniform", "timestep_sampler", "uniform"),
        ("timesteps", "antithetic", "timestep_sampler", "antithetic"),
        ("timesteps", "loss_second_moment", "timestep_sampler", "loss_second_moment"),
        ("precision", "bfloat16", "precision", "bfloat16"),
        ("precision", "float32", "precision", "float32"),
        ("batch", 16, "batch", 16),
        ("lr", 0.0004, "lr", 0.0004),
        ("samples", 9, "samples", 9),
        ("every", 30, "sample_every", 30.0),
        ("weights", "raw", "samples_from", "raw"),
        ("validation", "64", "validation", 64),
        ("validation", "0", "validation", 0),
        ("keep_every", 2000, "keep_every", 2000),
    ],
)
def test_that_every_control_is_in_the_order(scene, control, chosen, field, expected):
    _, _, stage = scene
    before = getattr(order(stage), field)
    getattr(stage.setup.controls, control).set_value(chosen)
    after = getattr(order(stage), field)
    assert after == expected
    assert after != before


def test_that_seed_and_mirroring_are_in_the_order(scene):
    _, _, stage = scene
    before = order(stage)
    stage.setup.controls.seed.set_seed(before.seed + 5)
    stage.setup.controls.flip.setChecked(True)
    after = order(stage)
    assert (after.seed, after.flip) == (before.seed + 5, True)
    assert not before.flip


def test_that_what_is_kept_and_compiled_is_in_the_order(scene):
    _, _, stage = scene
    before, controls = order(stage), stage.setup.controls
    controls.keep_best.setChecked(False)
    controls.compile.setChecked(False)
    after = order(stage)
    assert (before.keep_best, before.compile, after.keep_best, after.compile) == (True, True, False, False)
    assert (before.keep_every, before.validation) == (None, None)


@pytest.mark.parametrize(("there", "can"), [("/usr/bin/c++", True), (None, False)])
def test_that_compiling_says_where_there_is_no_compiler(qtbot, monkeypatch, there, can):
    monkeypatch.setattr("app.stages.train_technique.compiler", lambda: there)
    controls = TrainControls()
    qtbot.addWidget(controls)
    assert controls.compile.isEnabled() is can
    assert ("no C++ compiler" in controls.compile.toolTip()) is not can


def test_that_the_best_is_kept_only_where_pictures_are_kept_aside(scene):
    _, _, stage = scene
    controls = stage.setup.controls
    assert controls.keep_best.isEnabled()
    controls.validation.set_value("0")
    assert not controls.keep_best.isEnabled()
    assert "without pictures kept aside" in controls.keep_best.toolTip()


@pytest.mark.parametrize(
    ("control", "chosen", "expected"),
    [
        ("crop", "whole", Reading(crop="whole")),
        ("background", "black", Reading(background=(0, 0, 0))),
        ("frames", "all", Reading(frames="all")),
        ("side", "16", Reading(size=16)),
    ],
)
def test_that_another_reading_reads_the_folder_again(scene, mixed, control, chosen, expected):
    _, bridge, stage = scene
    stage.handle_folder(mixed)
    before = stage.setup.data
    assert before.reading == Reading()
    getattr(stage.setup.controls, control).set_value(chosen)
    stage.setup.start.click()
    _, data = bridge.trained[-1]
    assert data.reading == expected
    assert data.sha256 != before.sha256


def test_that_a_size_that_the_network_cannot_take_is_greyed_with_the_reason(scene, tmp_path):
    _, _, stage = scene
    stage.handle_folder(a_folder(tmp_path / "fifty", {"": 3}, side=50))
    side = stage.setup.controls.side
    assert "50" in side.options()
    assert "48 × 48" in side.reason("50")
    assert side.reason("48") == ""
    stage.handle_folder(a_folder(tmp_path / "forty", {"": 3}, side=40))
    assert "50" not in side.options()
    assert side.reason("40") == ""
    side.set_value("40")
    assert stage.setup.data.pictures.shape[1:3] == (40, 40)


def test_that_the_background_is_any_colour(scene, mixed):
    _, _, stage = scene
    controls = stage.setup.controls
    stage.handle_folder(mixed)
    controls.background.set_value("own")
    controls.colour.setText("#ff8000")
    controls.colour.editingFinished.emit()
    assert stage.setup.data.reading == Reading(background=(255, 128, 0))
    controls.colour.setText("#ff")  # half typed
    controls.colour.editingFinished.emit()
    assert controls.colour.text() == "#FF8000"


def test_that_classes_that_are_never_mirrored_are_in_the_order(scene, folder):
    _, _, stage = scene
    stage.handle_folder(folder)
    controls = stage.setup.controls
    controls.flip.setChecked(False)
    assert not controls.never.isEnabled()
    controls.flip.setChecked(True)
    controls.never.setText("*left*")
    controls.never.editingFinished.emit()
    controls.reading.classes.menu().actions()[1].trigger()
    assert order(stage).never_flipped == ("square/*", "*left*")
    controls.reading.classes.menu().actions()[1].trigger()
    assert order(stage).never_flipped == ("*left*",)
    controls.flip.setChecked(False)
    assert order(stage).never_flipped == ()


def test_that_another_folder_begins_without_the_names_of_the_one_before(scene, folder, tmp_path):
    _, _, stage = scene
    controls = stage.setup.controls
    stage.handle_folder(folder)
    controls.flip.setChecked(True)
    controls.reading.classes.menu().actions()[0].trigger()
    assert controls.never.text() == "circle/*"
    controls.side.set_value("16")  # the same folder, read again
    assert controls.never.text() == "circle/*"
    stage.handle_folder(a_folder(tmp_path / "others", {"one": 3, "two": 3}))
    assert controls.never.text() == ""
    assert [action.text() for action in controls.reading.classes.menu().actions()] == ["one", "two"]


def test_that_mirroring_is_proposed_where_it_suits_the_folder_until_the_person_chooses(scene, folder, tmp_path):
    _, _, stage = scene
    controls = stage.setup.controls
    digits = stage.setup.data  # the example
    assert digits.source == EXAMPLE
    assert not controls.flip.isChecked()
    assert "mirror" in controls.reading.why.text()
    stage.handle_folder(folder)
    assert controls.flip.isChecked()
    controls.flip.setChecked(False)
    controls.side.set_value("16")
    assert not controls.flip.isChecked()
    stage.handle_folder(a_folder(tmp_path / "others", {"left arrow": 3, "right arrow": 3}))
    assert not controls.flip.isChecked()
    assert "left arrow" in controls.reading.why.text()


def test_that_what_a_training_takes_follows_the_controls(scene, folder):
    _, _, stage = scene
    stage.handle_folder(folder)
    controls, view = stage.setup.controls, stage.setup.view
    controls.duration.set_duration(steps=600)
    controls.batch.set_value(8)
    assert view.plan.text().startswith("600 steps: about ")
    assert "each picture seen about 400 times" in view.plan.text()  # 600 batches of 8 from 12 pictures
    controls.duration.set_duration(steps=6)
    assert "each picture seen about 4.0 times" in view.plan.text()
    small = stage.setup.plan.figures["Network"]
    controls.preset.set_value("medium")
    assert stage.setup.plan.figures["Network"] != small


def test_that_a_training_that_has_ended_is_known_to_the_next_forecast(scene, folder):
    _, bridge, stage = scene
    stage.handle_folder(folder)
    stage.setup.controls.duration.set_duration(steps=100)
    assert "a guess" in stage.setup.plan.figures["Pace"]
    job = begun(stage)
    remember_pace("cpu", stage.setup.forecaster.answer.flops, 500.0)
    bridge.say(RunEnded(job, "finished", 100, 10.0))
    assert "as a training much like it ran" in stage.setup.plan.figures["Pace"]
    assert "500 pictures a second" in stage.setup.plan.figures["Pace"]


def test_that_what_should_be_known_is_said_in_a_line_and_on_its_page(scene, folder):
    _, _, stage = scene
    stage.handle_folder(folder)
    view = stage.setup.view
    assert view.advice.text().startswith("Each of the 12 pictures is seen about")
    told = len(stage.setup.plan.warnings)
    assert told > 1
    assert view.advice.text().endswith(f"And {told - 1} more.")
    stage.setup.controls.batch.set_value(4)
    assert len(stage.setup.plan.warnings) == told - 1
    assert view.advice.text().startswith(stage.setup.plan.warnings[0])
    assert "by heart" in view.advice.text()


def test_that_the_preview_shows_originals_beside_what_was_read(scene, mixed):
    _, _, stage = scene
    stage.handle_folder(mixed)
    preview = stage.setup.preview
    assert len(preview.sheet.pairs) == 4
    assert all(pair.exact for pair in preview.sheet.pairs)
    assert preview.sheet.pairs[0].after.shape[:2] == (32, 32)
    stage.setup.controls.flip.setChecked(True)
    assert [pair.mark for pair in preview.sheet.pairs].count("mirrored") == 2


def test_that_other_pictures_of_a_large_folder_are_looked_at(scene, tmp_path):
    _, _, stage = scene
    stage.handle_folder(a_folder(tmp_path / "many", {"": 60}, side=8))
    preview = stage.setup.preview
    before = [original.index for original in preview.originals.found]
    assert preview.others.isEnabled()
    preview.others.click()
    after = [original.index for original in preview.originals.found]
    assert set(after) != set(before)
    assert len(preview.sheet.pairs) == len(after)


def test_that_the_preview_of_a_small_folder_has_no_others(scene, mixed):
    _, _, stage = scene
    stage.handle_folder(mixed)
    assert not stage.setup.preview.others.isEnabled()


def test_that_what_is_kept_of_a_folder_is_deleted_on_demand(scene, folder):
    _, _, stage = scene
    stage.handle_folder(folder)
    page, kept = stage.setup.view.folder, Path(stage.setup.data.report.cache)
    assert kept.is_dir()
    page.delete.click()
    assert not kept.exists()
    assert not page.delete.isEnabled()
    assert "Nothing is kept" in page.kept.text()
    assert "of all folders" in page.kept.text()  # the example's
    assert cache_size() > 0
    page.delete_all.click()
    assert cache_size() == 0
    assert not page.delete_all.isEnabled()
    assert "of all folders" not in page.kept.text()
    stage.setup.start.click()  # the pictures are there still
    assert stage.trainings._bridge.trained[-1][1] is stage.setup.data


def test_that_zero_terminal_snr_is_in_the_order(scene):
    _, _, stage = scene
    stage.setup.controls.zero_snr.setChecked(True)
    assert order(stage).schedule == ScheduleSpec("linear", zero_snr=True)


def test_that_a_learned_variance_is_in_the_order(scene):
    _, _, stage = scene
    controls = stage.setup.controls
    controls.objective.set_value("vlb")
    assert order(stage).variance == "fixed"
    controls.variance.set_value("diagonal")
    assert (order(stage).objective, order(stage).variance) == ("vlb", "diagonal")


@pytest.mark.parametrize(("goal", "noised"), [("classifier", True), ("judge", False)])
def test_that_a_classifier_is_ordered_with_its_noise_or_without(scene, folder, goal, noised):
    _, _, stage = scene
    stage.handle_folder(folder)
    assert order(stage).task == "diffusion"
    stage.setup.controls.goal.set_value(goal)
    sent = order(stage)
    assert (sent.task, sent.noised) == ("classifier", noised)
    assert sent.out.name == f"shapes {'guide' if noised else 'judge'}"


def test_that_a_classifier_greys_what_means_nothing_to_it(scene, folder):
    _, _, stage = scene
    stage.handle_folder(folder)
    controls = stage.setup.controls
    controls.goal.set_value("classifier")
    for control in (controls.prediction, controls.objective, controls.variance):
        assert not control.isEnabled()
        assert "predicts no noise" in control.toolTip()
    assert "draws no pictures" in controls.samples.toolTip()
    assert controls.schedule.isEnabled()
    controls.goal.set_value("judge")
    assert not controls.schedule.isEnabled()
    assert "meets no noise" in controls.schedule.toolTip()
    controls.goal.set_value("diffusion")
    assert controls.prediction.isEnabled()
    assert controls.samples.isEnabled()


def test_that_a_classifier_has_networks_of_its_own(scene):
    _, _, stage = scene
    controls = stage.setup.controls
    controls.goal.set_value("classifier")
    assert PRESETS["small"].words not in controls.preset.toolTip()
    assert "For minutes on two CPU cores" in controls.preset.toolTip()


def test_that_a_folder_without_classes_trains_no_classifier(scene, tmp_path):
    _, _, stage = scene
    stage.handle_folder(a_folder(tmp_path / "plain", {"": 6}))
    assert stage.setup.start.isEnabled()
    stage.setup.controls.goal.set_value("classifier")
    assert not stage.setup.start.isEnabled()
    assert "no classes to tell apart" in stage.setup.view.advice.text()
    stage.setup.controls.goal.set_value("diffusion")
    assert stage.setup.start.isEnabled()
    assert "no classes" not in stage.setup.view.advice.text()


def test_that_a_variance_is_learned_only_by_a_loss_that_knows_of_it(scene):
    _, _, stage = scene
    controls = stage.setup.controls
    assert not controls.variance.isEnabled()
    assert "teach the network its variance" in controls.variance.toolTip()
    controls.objective.set_value("hybrid")
    assert controls.variance.isEnabled()
    assert controls.variance.value() == "range"
    assert "this variance is fixed" in controls.variance.reason("fixed")
    controls.variance.set_value("diagonal")
    controls.objective.set_value("simple")
    assert controls.variance.value() == "fixed"
    controls.objective.set_value("vlb")
    assert controls.variance.value() == "diagonal"


def test_that_zero_terminal_snr_says_with_which_predictions_it_is_nothing(scene):
    _, _, stage = scene
    controls = stage.setup.controls
    controls.zero_snr.setChecked(True)
    controls.prediction.set_value("eps")
    assert not controls.zero_snr.isEnabled()
    assert not controls.zero_snr.isChecked()
    assert "says nothing of the picture" in controls.zero_snr.toolTip()
    assert not order(stage).schedule.zero_snr
    controls.prediction.set_value("x0")
    assert controls.zero_snr.isChecked()


def test_that_a_model_with_a_learned_variance_is_tuned_by_a_loss_that_knows_of_it(scene):
    state, _, stage = scene
    controls = stage.setup.controls
    state.set_model(replace(DIGITS, variance="range", schedule=ScheduleSpec("cosine", 4000)))
    controls.fine_tune.setChecked(True)
    assert controls.objective.value() == "hybrid"
    assert (controls.schedule.value(), controls.length.value()) == ("cosine", "4000")
    assert "brings its own" in controls.schedule.toolTip()
    assert controls.objective.reason("simple")
    controls.objective.set_value("vlb")
    assert order(stage).objective == "vlb"
    controls.fine_tune.setChecked(False)
    assert (controls.schedule.value(), controls.length.value()) == ("linear", "1000")


def test_that_a_training_lasts_minutes_or_steps(scene):
    _, _, stage = scene
    duration = stage.setup.controls.duration
    duration.set_duration(minutes=7.5)
    assert (order(stage).minutes, order(stage).steps) == (7.5, None)
    duration._unit.setCurrentText("steps")
    duration._edit.setValue(800)
    assert (order(stage).minutes, order(stage).steps) == (None, 800)
    duration._unit.setCurrentText("minutes")
    assert order(stage).minutes == 7.5


def test_that_the_open_model_is_fine_tuned_at_its_own_size(scene):
    _, _, stage = scene
    controls = stage.setup.controls
    controls.side.set_value("16")
    controls.fine_tune.setChecked(True)
    assert stage.setup.data.pictures.shape[1] == DIGITS.event_shape[1]
    assert not controls.preset.isEnabled()
    assert not controls.side.isEnabled()
    tuned = order(stage)
    assert tuned.base == DIGITS.ref
    assert tuned.out.name == "digits from digits"
    controls.fine_tune.setChecked(False)
    assert controls.side.value() == "16"
    assert order(stage).base is None


def test_that_fine_tuning_shows_what_the_model_brings_and_begins_with_small_steps(scene):
    state, _, stage = scene
    controls = stage.setup.controls
    state.set_model(replace(DIGITS, prediction="eps", parameters=2_600_000))
    controls.preset.set_value("medium")
    controls.fine_tune.setChecked(True)
    assert controls.preset._combo.currentText() == "digits, 2.6 M"
    assert controls.prediction.value() == "eps"
    assert controls.lr.value() == FINE_TUNING_LR
    assert order(stage).lr == FINE_TUNING_LR
    controls.fine_tune.setChecked(False)
    assert (controls.preset.value(), controls.prediction.value()) == ("medium", "v")
    assert controls.lr.value() == 1e-3
    begun = order(stage)
    assert (begun.preset, begun.prediction) == ("medium", "v")


def test_that_a_learning_rate_of_ones_own_stays_with_fine_tuning(scene):
    _, _, stage = scene
    controls = stage.setup.controls
    controls.lr.set_value(0.005)
    controls.fine_tune.setChecked(True)
    assert order(stage).lr == 0.005


def test_that_fine_tuning_without_a_model_is_greyed_with_the_reason(scene):
    state, _, stage = scene
    box = stage.setup.controls.fine_tune
    box.setChecked(True)
    state.set_model(None)
    assert not box.isEnabled()
    assert not box.isChecked()
    assert "No model is open" in box.toolTip()
    state.set_model(DIGITS)
    assert box.isEnabled()
    assert "digits" in box.text()


def test_that_the_loss_and_the_algorithm_are_those_of_the_prediction(scene):
    _, _, stage = scene
    equation, algorithm = stage.instruments.equation, stage.instruments.algorithm
    assert "v_" in equation.latex
    stage.setup.controls.prediction.set_value("eps")
    assert "epsilon_" in equation.latex
    assert "epsilon_" in algorithm.lines[4]
    assert algorithm.title.startswith("Algorithm 1")


# While it runs


def test_that_figures_curve_and_samples_follow_the_training(scene):
    _, bridge, stage = scene
    job = begun(stage)
    bridge.say(drawn(job, 0, 10))
    bridge.say(tick(job, 1, [0.8, 0.6]))
    bridge.say(tick(job, 3, [0.4]))
    bridge.say(drawn(job, 3, 90))
    bridge.say(TrainingSaved(job, 3))
    stage.flush()
    figures = {key: figure.value.text() for key, figure in stage.view.figures.items()}
    assert figures == {
        "step": "3 / 1,000",
        "loss": "0.6000",
        "rate": "80",
        "eta": "1:30",
        "saved": "3",
        "epochs": "16.0",  # 3 batches of 64 from 12 pictures
        "lr": "–",
        "norm": "–",
    }
    np.testing.assert_allclose(stage.view.plot.losses, [0.8, 0.6, 0.4])
    assert stage.transport.times == (0, 3)
    assert value(stage.view.samples) == 90
    assert stage.instruments.equation.numbers["loss"] == pytest.approx(0.6)
    assert stage.instruments.algorithm.lit == len(stage.instruments.algorithm.lines) - 1


def test_that_one_can_go_back_to_see_it_learn(scene):
    _, bridge, stage = scene
    job = begun(stage)
    bridge.say(tick(job, 1, [0.5] * 20))
    for step, grey in ((0, 10), (10, 60), (20, 120)):
        bridge.say(drawn(job, step, grey))
    assert value(stage.view.samples) == 120
    stage.strip.frame_clicked.emit(1)
    assert value(stage.view.samples) == 60
    assert stage.view.plot.looked_at == 10
    bridge.say(drawn(job, 30, 200))
    assert value(stage.view.samples) == 60
    stage.seek(5)
    assert value(stage.view.samples) == 200
    bridge.say(drawn(job, 40, 220))
    assert value(stage.view.samples) == 220


def test_that_a_click_on_the_curve_goes_to_the_nearest_samples(scene):
    _, bridge, stage = scene
    job = begun(stage)
    bridge.say(tick(job, 1, [0.5] * 20))
    for step, grey in ((0, 10), (10, 60), (20, 120)):
        bridge.say(drawn(job, step, grey))
    stage.view.plot.step_asked.emit(8)
    assert value(stage.view.samples) == 60
    assert stage.transport.position == 1


def test_that_the_filmstrip_shows_the_sample_that_was_chosen(scene):
    _, bridge, stage = scene
    job = begun(stage)
    pictures = np.zeros((4, 8, 8, 1), np.uint8) + np.array([0, 50, 100, 150], np.uint8)[:, None, None, None]
    bridge.say(TrainingSamples(job, 0, frozen(pictures)))
    stage.view.samples.cell_clicked.emit(2)
    assert stage.view.samples.content.shape[0] == 1
    assert value(stage.view.samples) == 100
    stage.strip.flush()
    assert stage.strip.has_frame(0)
    assert stage.strip._images[0].pixelColor(0, 0).red() == 100
    assert "sample 3 of 4, circle · before the first step" in stage.view.samples.accessibleName()
    stage.stop()
    assert stage.view.samples.content.shape[0] == 4
    assert ("cancel", job) not in bridge.calls


def test_that_pause_resume_and_stop_reach_the_engine(scene):
    from core.messages import RunResumed

    _, bridge, stage = scene
    job = begun(stage)
    stage.view.pause.click()
    bridge.say(RunPaused(job, 3))
    assert stage.view.pause.text() == "Resume"
    assert "paused" in stage.view.state.text()
    stage.toggle()
    bridge.say(RunResumed(job))
    assert stage.view.pause.text() == "Pause"
    stage.view.stop.click()
    assert bridge.calls[-3:] == [("pause", job), ("resume", job), ("cancel", job)]


def test_that_a_training_that_cannot_be_saved_says_why_it_waits(scene):
    from core.messages import RunResumed

    _, bridge, stage = scene
    job = begun(stage)
    bridge.say(RunPaused(job, 3, "The disk is full. Make room, then try again."))
    assert "disk is full" in stage.errors.message()
    assert stage.view.pause.text() == "Resume"
    bridge.say(RunResumed(job))
    assert not stage.errors.isVisible()


def test_that_why_a_training_rested_is_over_when_it_was_stopped_and_kept(scene):
    _, bridge, stage = scene
    job = begun(stage)
    bridge.say(RunPaused(job, 3, "The disk is full. Make room, then try again."))
    bridge.say(TrainingSaved(job, 3))
    bridge.say(RunEnded(job, "stopped", 3, 1.0))
    assert stage.errors.message() == ""
    stage.errors.show_error("Something else.")
    bridge.say(RunEnded(job, "stopped", 3, 1.0))
    assert stage.errors.message() == "Something else."


def test_that_a_model_that_cannot_be_pinned_is_said_in_words(scene):
    _, bridge, stage = scene
    begun(stage)
    stage.view.use.click()
    bridge.say(Failed(None, "The disk is full.", ""))
    assert stage.errors.message() == "The disk is full."


def test_that_the_hint_is_what_can_be_done_at_the_moment(scene, qtbot):
    _, bridge, stage = scene
    hints = []
    stage.hint_changed.connect(hints.append)
    job = begun(stage)
    assert "Space pauses" in hints[-1]
    bridge.say(RunEnded(job, "stopped", 3, 1.0))
    assert "Resume goes on" in hints[-1]
    assert "pauses" not in hints[-1]


def test_that_the_hint_names_the_button_of_a_finished_training(scene):
    _, bridge, stage = scene
    hints = []
    stage.hint_changed.connect(hints.append)
    bridge.say(RunEnded(begun(stage), "finished", 3, 1.0))
    assert stage.view.pause.text() in hints[-1]


def test_that_the_model_in_training_is_opened_for_every_stage(scene):
    _, bridge, stage = scene
    job = begun(stage)
    assert stage.primary_action is stage.view.use
    stage.view.use.click()
    assert bridge.calls[-1] == ("snapshot", job)
    bridge.say(ModelOpened(DIGITS))
    assert "open in every stage" in stage.view.state.text()


def test_that_a_model_that_another_stage_opens_is_not_said_to_be_the_training(scene):
    _, bridge, stage = scene
    begun(stage)
    bridge.say(ModelOpened(DIGITS))
    assert "open in every stage" not in stage.view.state.text()
    stage.view.use.click()
    bridge.say(Failed(None, "The disk is full.", ""))
    bridge.say(ModelOpened(DIGITS))
    assert "open in every stage" not in stage.view.state.text()


def test_that_a_classifier_has_its_curves_and_the_room_of_a_film_that_it_never_draws(scene, folder):
    _, _, stage = scene
    stage.handle_folder(folder)
    stage.view.pages.set_current("nearest")  # of the training looked at before
    stage.setup.controls.goal.set_value("classifier")
    begun(stage)
    assert stage.instruments.bottom.isHidden()
    assert not stage.view.curves.isHidden()


@pytest.mark.parametrize(("goal", "words"), [("classifier", "can guide"), ("judge", "can judge")])
def test_that_a_classifier_is_opened_to_guide_or_to_judge(scene, folder, goal, words):
    _, bridge, stage = scene
    stage.handle_folder(folder)
    stage.setup.controls.goal.set_value(goal)
    job = begun(stage)
    stage.view.use.click()
    assert bridge.calls[-1] == ("snapshot", job)
    bridge.say(ModelOpened(DIGITS))
    assert words not in stage.view.state.text()
    bridge.say(ClassifierOpened(GUIDE))
    assert f"“digits-guide” {words}" in stage.view.state.text()
    bridge.say(RunEnded(job, "finished", 5, 1.0))
    stage.view.use.click()
    assert bridge.calls[-1] == ("open_classifier", str(bridge.trained[-1][0].out))


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({}, "L_simple"),
        ({"objective": "vlb"}, "L_vlb in bits/dim"),
        ({"objective": "weighted"}, "L, weighted error in bits/dim"),
        ({"objective": "hybrid"}, "L_hybrid"),
        ({"goal": "classifier"}, "Cross-entropy in nats"),
    ],
)
def test_that_it_is_said_which_loss_is_plotted_and_in_what(scene, folder, chosen, said):
    _, bridge, stage = scene
    stage.handle_folder(folder)
    for control, value in chosen.items():
        getattr(stage.setup.controls, control).set_value(value)
    job = begun(stage)
    bridge.say(tick(job, 1, [0.5, 0.25]))
    stage.flush()
    assert stage.view.plot.heading() == f"{said}, mean of 100 steps"
    unit = said.partition(" in ")[2]
    assert stage.view.figures["loss"].name.text() == (f"loss, {unit}" if unit else "loss")


def test_that_what_fine_tuning_forgets_is_said(scene):
    _, bridge, stage = scene
    stage.setup.start.click()
    bridge.say(started(1, bridge.trained[-1][0].out, notes=("It forgets what these pictures do not show: 7.",)))
    assert "forgets" in stage.view.notes.text()


def test_that_it_is_said_for_which_run_a_training_waits(scene):
    state, _, stage = scene
    begun(stage)
    assert "waits" not in stage.view.state.text()
    state.set_status(Status(EngineState.SAMPLING, "cpu", 33))
    assert "waits for run 33" in stage.view.state.text()
    assert stage.instruments.algorithm.lit is None
    state.set_status(Status(EngineState.TRAINING, "cpu", 1))
    assert "waits" not in stage.view.state.text()


def test_that_a_second_training_is_queued_and_begins_when_the_first_is_over(scene):
    _, bridge, stage = scene
    first = begun(stage)
    name = stage.course.name
    stage.view.new.click()
    assert stage.setup.start.text() == "Queue"
    assert f"once {name} is over" in stage.setup.start.toolTip()
    stage.setup.back.click()
    assert stage.primary_action is stage.view.use
    stage.view.new.click()
    stage.setup.start.click()
    second = stage.course
    assert len(bridge.trained) == 2
    assert second.folder != stage.trainings.live.folder
    assert f"queued, waits for {name}" in stage.view.state.text()
    assert [stage.runs.item(row).text() for row in range(1, 3)] == [f"● {second.name}\nqueued", f"● {name}\nrunning"]
    assert not stage.view.pause.isEnabled()
    stage.toggle()
    assert all(name != "pause" for name, _ in bridge.calls)

    bridge.say(TrainingSaved(first, 5))
    bridge.say(RunEnded(first, "stopped", 5, 1.0))
    assert stage.trainings.live is second
    bridge.say(started(second.job, second.folder))
    assert "waits" not in stage.view.state.text()
    assert stage.view.stop.text() == "Stop and keep"
    stage.view.new.click()
    bridge.say(RunEnded(second.job, "stopped", 0, 1.0))
    assert stage.setup.start.text() == "Start"
    assert not stage.setup.back.isVisible()


def test_that_a_queued_training_can_be_taken_out_again(scene):
    _, bridge, stage = scene
    begun(stage)
    stage.view.new.click()
    stage.setup.start.click()
    second = stage.course
    assert stage.view.stop.text() == "Leave the queue"
    stage.view.stop.click()
    assert ("cancel", second.job) in bridge.calls
    bridge.say(RunEnded(second.job, "stopped", 0, 0.0))
    assert stage.course is None
    assert [stage.runs.item(row).text().split("\n")[1] for row in range(1, stage.runs.count())] == ["running"]


def test_that_of_trainings_of_one_name_the_one_at_work_is_looked_at(scene):
    _, bridge, stage = scene
    stage.setup.start.click()
    stopped = stage.course
    bridge.say(RunEnded(stopped.job, "stopped", 0, 0.0))
    stage.setup.start.click()
    again = stage.course
    assert again.folder == stopped.folder
    stage.view.new.click()
    stage.runs.setCurrentRow(1)
    assert stage.course is again


def test_that_fine_tuning_is_not_queued_because_its_model_may_be_gone_by_then(scene):
    _, _, stage = scene
    begun(stage)
    stage.view.new.click()
    stage.setup.controls.fine_tune.setChecked(True)
    assert not stage.setup.start.isEnabled()
    assert "once it is over" in stage.setup.start.toolTip()


def test_that_the_status_bar_and_the_stage_say_the_same_loss(scene):
    _, bridge, stage = scene
    job = begun(stage)
    training = Training(job, "run", 0, 500)
    rng = np.random.default_rng(0)
    losses = rng.uniform(0.1, 1.0, 180).astype(np.float32)
    for first in range(0, 180, 45):
        tick = TrainingTick(job, first + 1, frozen(losses[first : first + 45]), 60.0, 30.0, 0.1)
        training = ticked(training, tick)
        bridge.say(tick)
    stage.flush()
    assert training.loss == pytest.approx(losses[-100:].mean(dtype=np.float64))
    assert stage.view.figures["loss"].value.text() == f"{training.loss:.4f}"


def test_that_it_is_said_when_a_second_training_will_begin(scene):
    _, _, stage = scene
    begun(stage)
    hints = []
    stage.hint_changed.connect(hints.append)
    stage.view.new.click()
    assert "is being trained: what you start now begins when it is over" in hints[-1]
    stage.setup.start.click()
    assert "Esc takes it out of the queue" in hints[-1]


def test_that_a_failure_is_said_in_words_and_the_training_can_be_gone_on_with(scene):
    _, bridge, stage = scene
    job = begun(stage)
    bridge.say(tick(job, 1, [0.5] * 20))
    bridge.say(TrainingSaved(job, 20))
    bridge.say(Failed(job, "The training stopped at step 21: its loss is no longer a number.", "details"))
    assert "no longer a number" in stage.errors.message()
    assert "failed" in stage.view.state.text()
    assert not stage.view.stop.isVisible()
    assert stage.view.pause.text() == "Resume"


def test_that_a_training_refused_at_once_leads_back_to_its_settings(scene):
    _, bridge, stage = scene
    stage.setup.start.click()
    bridge.say(Failed(len(bridge.submitted), "The disk is full.", ""))
    assert "disk is full" in stage.errors.message()
    assert stage.primary_action is stage.setup.start
    assert stage.setup.start.isEnabled()


def test_that_everything_that_can_be_set_or_pressed_says_what_it_does(scene):
    _, _, stage = scene
    begun(stage)
    for made in (QAbstractButton, QComboBox, QAbstractSpinBox, Track):
        for widget in stage.content.findChildren(made):
            if isinstance(widget.parentWidget(), MoreSection):
                continue
            said = widget.toolTip() or widget.parentWidget().toolTip()
            assert said, widget.accessibleName()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("preset", PRESETS)
def test_that_every_network_can_be_made_for_every_size_offered(preset, size):
    assert parameters_of(preset, size, 3, 2) is not None


# Trainings on the disk


def test_that_trainings_on_the_disk_are_listed_and_shown(scene, folder):
    _, _, stage = scene
    summary = a_stored_run("older", folder)
    stage.activate()
    assert [run.name for run in stage.runs.runs] == ["older"]
    assert "40 steps · stopped · loss 0.250" in stage.runs.item(1).text()
    stage.runs.setCurrentRow(1)
    assert stage.view.name.text() == "older"
    assert len(stage.view.plot.losses) == summary.step
    assert stage.transport.times == (0, 40)
    assert value(stage.view.samples) == 200
    stage.runs.setCurrentRow(0)
    assert stage.primary_action is stage.setup.start


def test_that_the_film_has_no_room_until_there_is_a_training(scene, folder):
    _, _, stage = scene
    a_stored_run("older", folder)
    stage.activate()
    assert stage.instruments.bottom.isHidden()
    stage.runs.setCurrentRow(1)
    assert not stage.instruments.bottom.isHidden()
    stage.runs.setCurrentRow(0)
    assert stage.instruments.bottom.isHidden()
    stage.prepare_ablation()
    assert not stage.instruments.bottom.isHidden()


def test_that_the_curves_leave_their_room_to_the_nearest_pictures(scene, folder):
    _, _, stage = scene
    a_stored_run("older", folder)
    stage.activate()
    stage.runs.setCurrentRow(1)
    stage.view.pages.set_current("nearest")
    assert stage.view.curves.isHidden()
    stage.view.pages.set_current("samples")
    assert not stage.view.curves.isHidden()


def test_that_space_plays_the_film_of_a_training_that_has_ended_and_no_button_says_otherwise(scene, folder):
    _, bridge, stage = scene
    a_stored_run("older", folder)
    stage.activate()
    stage.runs.setCurrentRow(1)
    stage.transport.set_position(0)
    sent = len(bridge.trained)
    stage.toggle()
    assert stage.transport.is_playing
    assert len(bridge.trained) == sent
    stage.transport.stop()
    assert "(Space)" not in stage.view.pause.toolTip()


def test_that_a_training_is_gone_on_with_its_own_pictures(scene, folder):
    _, bridge, stage = scene
    a_stored_run("older", folder)
    stage.activate()
    stage.runs.setCurrentRow(1)
    stage.view.length.set_duration(steps=250)
    stage.view.pause.click()
    sent, data = bridge.trained[-1]
    assert sent == TrainOrder(out=list_runs()[0].folder, steps=250, resume=True, samples=4)  # as many as it drew
    assert data.source == folder
    assert data.pictures.shape[1] == 16
    assert "queued" in stage.view.state.text()


def test_that_a_training_whose_pictures_are_gone_asks_for_them(scene, folder, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("app.stages.train.choose_folder", lambda parent, title, take: asked.append((title, take)))
    _, bridge, stage = scene
    a_stored_run("older", tmp_path / "gone")
    stage.activate()
    stage.runs.setCurrentRow(1)
    stage.view.pause.click()
    assert "no longer" in stage.errors.message()
    assert bridge.trained == []
    (title, take) = asked[0]
    assert "older" in title
    take(folder)
    assert bridge.trained[-1][1].source == folder


def test_that_a_training_cannot_be_gone_on_with_to_where_it_is(scene, folder):
    _, _, stage = scene
    a_stored_run("older", folder, parameters=2_600_000, batch=16, precision="float32")
    stage.activate()
    stage.runs.setCurrentRow(1)
    assert "2.6 M parameters · batch 16 · float32" in stage.view.state.text()
    assert stage.view.pause.isEnabled()
    stage.view.length.set_duration(steps=40)
    assert not stage.view.pause.isEnabled()
    assert "beyond" in stage.view.pause.toolTip()


def test_that_the_model_of_a_training_on_the_disk_is_opened_from_its_folder(scene, folder):
    _, bridge, stage = scene
    a_stored_run("older", folder)
    stage.activate()
    stage.runs.setCurrentRow(1)
    stage.view.use.click()
    assert bridge.calls[-1] == ("open_model", str(list_runs()[0].folder))


def test_that_nobody_wonders_why_the_first_step_is_late(scene):
    _, bridge, stage = scene
    stage.setup.start.click()
    bridge.say(started(1, bridge.trained[-1][0].out, samples=()))
    assert "appear here" in stage.view.samples._placeholder
    bridge.say(TrainingSaved(1, 0))
    assert "being drawn before the first step" in stage.view.samples._placeholder


# In the window


def test_that_a_folder_named_at_the_start_is_ready_to_be_trained_on(qapp, qtbot, folder):
    window = shown_window(qtbot, STAGES)
    window.commands.begin([str(folder)])
    assert window.state.cursor.stage == "train"
    assert window.stage.setup.data.source == folder
    assert window.state.image is not None


def test_that_the_keys_have_somewhere_to_begin_even_where_nothing_can_be_started(scene):
    state, _, stage = scene
    stage.window().activateWindow()
    stage.activate()
    assert stage.setup.start.hasFocus()
    state.set_status(Status(EngineState.FAILED, "cpu"))
    stage.activate()
    assert stage.setup.controls.folder.hasFocus()
