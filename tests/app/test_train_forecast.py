"""What a training will take: asked beside the window, the last question answered, said in words."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from app.stages.train_forecast import Forecaster, Question, about, answer_to, details, line, question
from core.lucidrains_config import LucidrainsConfig
from core.messages import EngineState, Status
from core.training.dataset import PictureFolder
from core.training.forecast import Forecast
from core.training.order import TrainOrder
from core.training.presets import network_of
from tests.app.test_train_loader import LateBackground

TOLD = Forecast(
    steps=13_234,
    steps_per_second=11.03,
    seconds=1200.0,
    epochs=246.7,
    memory=1_234_000_000,
    parameters=2_600_000,
    flops=650_000_000,
    is_known=True,
)


def pictures(count: int = 100, side: int = 16) -> PictureFolder:
    return PictureFolder("some", np.zeros((count, side, side, 3), np.uint8), np.zeros(count, np.int64), ())


def order(**changes) -> TrainOrder:
    return TrainOrder(Path("/runs/some"), **({"steps": 10} | changes))


def test_that_the_words_are_as_exact_as_is_known() -> None:
    assert line(TOLD, order(steps=None, minutes=20.0)) == (
        "20 minutes: about 13,000 steps · each picture seen about 250 times · 1.2 GB of memory"
    )
    assert line(TOLD, order(steps=13_234)).startswith("13,234 steps: about 20 min · ")
    assert details(TOLD, order())["Pace"].startswith("11.0 steps a second, 710 pictures a second: as a training")


def test_that_a_guess_is_called_one() -> None:
    from dataclasses import replace

    guessed = replace(TOLD, is_known=False, steps_per_second=0.2)
    assert "at a guess" in line(guessed, order(steps=None, minutes=20.0))
    assert details(guessed, order())["Pace"].startswith("5.0 s a step, 13 pictures a second: a guess")


@pytest.mark.parametrize(("count", "said"), [(7, "7"), (99, "99"), (104, "100"), (13_234, "13,000"), (995, "1,000")])
def test_that_two_figures_are_told(count, said) -> None:
    assert about(count) == said


def test_that_it_says_why_a_model_from_elsewhere_has_no_forecast(tmp_path) -> None:
    config = LucidrainsConfig(16, 16, (16, 32), heads=(4, 4), head_width=(8, 8), full_attention=(False, True))
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "config.json").write_text(json.dumps({"_class_name": "LucidrainsUnet", **config.to_json()}))
    assert "another kind" in answer_to(Question(order(), pictures(), base=str(tmp_path)))
    assert "has begun" in answer_to(Question(order(), pictures(), base=str(tmp_path / "model-7.pt")))


def test_that_only_the_last_question_is_answered_once_one_is_at_work(qtbot) -> None:
    background = LateBackground()
    forecaster = Forecaster(background)
    heard = []
    forecaster.answered.connect(lambda: heard.append(forecaster.question.order.steps))
    for steps in (10, 20, 30):
        forecaster.ask(Question(order(steps=steps), pictures()))
    while background.waiting:
        background.run()
    assert heard == [10, 30]
    assert forecaster.answer.steps == 30


def test_that_nothing_is_told_of_what_is_asked_no_more(qtbot) -> None:
    forecaster = Forecaster(LateBackground())
    forecaster.ask(None)
    assert forecaster.answer is None


def test_that_a_size_that_no_network_fits_is_told_in_words() -> None:
    answer = answer_to(Question(order(), pictures(side=30)))
    assert isinstance(answer, Forecast | str)
    assert "choose" in answer_to(Question(order(), pictures(side=50)))


def test_that_a_fine_tuning_takes_what_the_models_own_network_takes(tmp_path) -> None:
    (tmp_path / "unet").mkdir()
    config = network_of("medium", 16, 3, 0)
    (tmp_path / "unet" / "config.json").write_text(json.dumps(config.to_json()))
    small, tuned = (answer_to(Question(order(), pictures(), base=base)) for base in ("", str(tmp_path)))
    assert tuned.parameters == answer_to(Question(order(preset="medium"), pictures())).parameters
    assert tuned.parameters > small.parameters


def test_that_a_device_with_memory_of_its_own_is_measured_by_it() -> None:
    there = Status(EngineState.IDLE, "cuda:0", memory_total=1000)
    assert question(order(), pictures(), there, "").memory == 1000
    assert any("memory" in warning for warning in answer_to(question(order(), pictures(), there, "")).warnings)
    assert question(order(), pictures(), Status(EngineState.STARTING, ""), "").device == "cpu"
