"""What is said of a training before it begins."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.errors import Refusal
from core.training import training_pace as pace
from core.training.forecast import forecast, size_trouble, sizes_for
from core.training.mirroring import flip_suggestion
from core.training.order import TrainOrder
from core.training.picture_folder import PictureFolder
from core.training.presets import network_of
from core.training.reading import FolderReport
from core.training.training_pace import remember_pace, training_pace
from core.unet_size import unet_parameters
from core.unet_work import unet_work

OUT = Path("run")
REAL_ARITHMETIC = pace._arithmetic


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFUSCOPE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(pace, "_arithmetic", lambda: 1e11)


def pictures(n: int, side: int = 16, classes: tuple[str, ...] = (), channels: int = 3, **more: object) -> PictureFolder:
    noise = np.random.default_rng(0).integers(60, 200, (n, side, side, channels), dtype=np.uint8)
    labels = np.arange(n, dtype=np.int64) % max(1, len(classes))
    return PictureFolder("things", noise, labels, classes, **more)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------ time


def test_that_steps_and_seconds_follow_from_the_machines_pace() -> None:
    told = forecast(TrainOrder(OUT, steps=100, batch=8), pictures(40))
    flops = unet_work(network_of("small", 16, 3, 0), 16).flops
    assert told.steps_per_second == pytest.approx(1e11 / (3 * flops * 8))
    assert told.seconds == pytest.approx(100 / told.steps_per_second)
    assert told.epochs == 100 * 8 / 40
    assert told.parameters == unet_parameters(network_of("small", 16, 3, 0))
    assert not told.is_known


def test_that_minutes_give_as_many_steps_as_fit() -> None:
    told = forecast(TrainOrder(OUT, minutes=2, batch=8), pictures(40))
    assert told.seconds == 120
    assert told.steps == round(120 * told.steps_per_second)


def test_that_a_run_on_this_machine_is_remembered() -> None:
    flops = unet_work(network_of("small", 16, 3, 0), 16).flops
    remember_pace("cpu", flops, 40.0)
    told = forecast(TrainOrder(OUT, steps=100, batch=8), pictures(40))
    assert told.is_known
    assert told.steps_per_second == pytest.approx(40 / 8)


def test_that_the_run_whose_network_is_most_alike_counts() -> None:
    remember_pace("cpu", 10**9, 10.0)
    remember_pace("cpu", 10**11, 1.0)
    remember_pace("cuda", 10**9, 10_000.0)
    assert training_pace("cpu", 2 * 10**10) == pace.TrainingPace(3e11, False)
    assert training_pace("cpu", 12 * 10**8) == pace.TrainingPace(3e10, True)
    assert training_pace("cuda", 10**9) == pace.TrainingPace(3e13, True)


@pytest.mark.parametrize("text", ["", "[]", '{"paces": 3}', '{"paces": [["cpu"]]}', '{"paces": [["cpu", 0, 1]]}'])
def test_that_a_damaged_memory_of_paces_is_none(text: str) -> None:
    pace._file().write_text(text)
    assert training_pace("cpu", 10**9) == pace.TrainingPace(1e11, False)


def test_that_nonsense_is_not_remembered() -> None:
    for rate in (0.0, -1.0, float("nan"), float("inf")):
        remember_pace("cpu", 10**9, rate)
    assert not pace._file().exists()


def test_that_the_arithmetic_of_a_real_machine_is_tried() -> None:
    assert 1e8 < REAL_ARITHMETIC() < 1e15


# ------------------------------------------------------------------------------------------------ memory


def test_that_memory_grows_with_what_the_network_learns_and_keeps() -> None:
    data = pictures(600)
    small = forecast(TrainOrder(OUT, steps=1, batch=8), data)
    larger = forecast(TrainOrder(OUT, steps=1, batch=16), data)
    large = forecast(TrainOrder(OUT, steps=1, batch=8, preset="large"), data)
    activations = unet_work(network_of("small", 16, 3, 0), 16).activations
    assert larger.memory - small.memory == pytest.approx(8 * 3 * activations + 8 * 12 * 16 * 16 * 3)
    assert large.memory - small.memory > 20 * (large.parameters - small.parameters)


def test_that_too_little_memory_is_said_first() -> None:
    told = forecast(TrainOrder(OUT, steps=1, batch=64), pictures(10), memory=100_000_000)
    assert told.warnings[0].startswith("This training takes about")
    assert "there are 0.1" in told.warnings[0]


# ------------------------------------------------------------------------------------------------ warnings


def warnings(order: TrainOrder, data: PictureFolder) -> str:
    return " ".join(forecast(order, data, memory=10**12).warnings)


def test_that_a_folder_one_can_train_on_is_not_warned_of() -> None:
    assert warnings(TrainOrder(OUT, steps=100, batch=8), pictures(600)) == ""


def test_that_fewer_pictures_than_a_batch_are_said() -> None:
    assert "a batch of 64 pictures, but there are only 12" in warnings(TrainOrder(OUT, steps=100), pictures(12))
    assert "fewer than a batch" not in warnings(TrainOrder(OUT, steps=100, batch=12), pictures(12))


@pytest.mark.parametrize("batch", [1, 64])
def test_that_one_picture_alone_is_said_once_and_in_its_number(batch: int) -> None:
    (said,) = forecast(TrainOrder(OUT, steps=100_000, batch=batch), pictures(1)).warnings
    assert said == "There is one picture alone: the network can learn nothing but to return it."


def test_that_the_pace_of_a_busy_machine_is_that_of_its_quietest_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    now, number = 0.0, 0

    def busy_but_once() -> float:
        nonlocal now, number
        number += 1
        if number % 2 == 0:
            now += 1e-3 if number == 30 else 1.0
        return now

    monkeypatch.setattr("core.training.training_pace.time.perf_counter", busy_but_once)
    assert REAL_ARITHMETIC.__wrapped__() == pytest.approx(0.8 * 2 * 256**3 / 1e-3)


def test_that_few_pictures_are_said_to_be_learned_by_heart() -> None:
    assert "by heart" in warnings(TrainOrder(OUT, steps=1000, batch=8), pictures(100))


def test_that_a_few_passes_over_few_pictures_teach_nothing_by_heart() -> None:
    assert "by heart" not in warnings(TrainOrder(OUT, steps=50, batch=8), pictures(100))


def test_that_many_passes_of_a_network_with_room_for_all_are_said_to_be_learned_by_heart() -> None:
    data = pictures(600)
    assert "1,200 times" in warnings(TrainOrder(OUT, steps=90_000, batch=8), data)
    assert warnings(TrainOrder(OUT, steps=10_000, batch=8), data) == ""
    small = forecast(TrainOrder(OUT, steps=90_000, batch=8), data)
    many = pictures(int(4 * small.parameters / (16 * 16 * 3)) + 100)
    assert "by heart" not in warnings(TrainOrder(OUT, steps=400 * len(many) // 8, batch=8), many)


def test_that_a_classifier_is_not_said_to_draw_what_it_knows() -> None:
    data = pictures(100, classes=("cats", "dogs"))
    assert "by heart" not in warnings(TrainOrder(OUT, steps=1000, batch=8, task="classifier"), data)


def test_that_one_class_is_said_to_be_none() -> None:
    data = pictures(600, paths=tuple(f"cats/{index}.png" for index in range(600)))
    assert "“cats”: one class is none" in warnings(TrainOrder(OUT, steps=100, batch=8), data)


def test_that_repeated_pictures_are_said() -> None:
    data = pictures(600, report=FolderReport(duplicate_pictures=60))
    assert "60 of 600 pictures" in warnings(TrainOrder(OUT, steps=100, batch=8), data)
    few = replace(data, report=FolderReport(duplicate_pictures=6))
    assert warnings(TrainOrder(OUT, steps=100, batch=8), few) == ""


def test_that_enlarged_pictures_are_said() -> None:
    data = pictures(600, side=32, report=FolderReport(largest=(20, 16)))
    assert "20 pixels on its longer side" in warnings(TrainOrder(OUT, steps=100, batch=8), data)


# ------------------------------------------------------------------------------------------------ sizes


def test_that_a_size_that_does_not_fit_is_refused_with_those_that_do() -> None:
    with pytest.raises(Refusal, match="choose 32 × 32 or 36 × 36"):
        forecast(TrainOrder(OUT, steps=1), pictures(2, side=33))


def test_that_sizes_that_are_offered_fit() -> None:
    for side in sizes_for("large"):
        assert size_trouble(side, "large") == ""
        network_of("large", side, 3, 0)
    assert "choose 8 × 8" in size_trouble(7, "small")


def test_that_nothing_of_it_needs_torch() -> None:
    code = "import sys, core.training.forecast, core.training.mirroring; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ------------------------------------------------------------------------------------------------ mirrored


@pytest.mark.parametrize(
    "classes",
    [("0", "1"), ("a", "b"), ("Faces", "Flags"), ("turn-left", "turn-right"), ("LeftHand", "other"), ("three", "four")],
)
def test_that_classes_with_a_left_and_a_right_are_not_mirrored(classes: tuple[str, ...]) -> None:
    suits, why = flip_suggestion(pictures(8, classes=classes))
    assert not suits
    assert "“" in why


def test_that_only_the_classes_concerned_are_named() -> None:
    _, why = flip_suggestion(pictures(8, classes=("Animals", "Flags")))
    assert "“Flags”" in why
    assert "Animals" not in why
    assert "all but these" in why


def test_that_cats_and_dogs_may_be_mirrored() -> None:
    suits, why = flip_suggestion(pictures(8, classes=("cats", "dogs", "bright things")))
    assert suits
    assert "mirror" in why


def test_that_a_folder_or_files_named_after_writing_are_not_mirrored() -> None:
    assert not flip_suggestion(replace(pictures(8), name="MNIST"))[0]
    assert not flip_suggestion(pictures(8, paths=tuple(f"letter_{index}.png" for index in range(8))))[0]
    assert flip_suggestion(pictures(8, paths=tuple(f"IMG_{index}.png" for index in range(8))))[0]


def test_that_grey_pictures_of_black_and_white_are_taken_for_writing() -> None:
    ink = np.zeros((8, 16, 16, 1), np.uint8)
    ink[:, 4:12, 7:9] = 255
    drawn = PictureFolder("scans", ink, np.zeros(8, np.int64), ())
    assert not flip_suggestion(drawn)[0]
    assert flip_suggestion(pictures(8, channels=1))[0]


def test_that_a_training_leaves_its_pace_for_the_next_forecast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from core.training import session as sessions

    monkeypatch.setattr(sessions, "SETTLED", 0.0)
    data = pictures(8, side=8)
    order = TrainOrder(tmp_path / "run", steps=3, batch=2, precision="float32", compile=False)
    session = sessions.TrainingSession(order, data)
    for _ in session.work():
        pass
    told = forecast(order, data)
    assert told.is_known
    assert told.steps_per_second == pytest.approx(session.images_per_second / 2, rel=1e-6)
