"""What to expect of a training before its first step, from its pictures and its forecast."""

from __future__ import annotations

import math

import numpy as np
import pytest

from core.training.forecast import Forecast
from core.training.prospect import power_of, prospects
from core.training.standing import Standing

GREY = np.full((10, 4, 4, 1), 128, np.uint8)
BLACK = np.zeros((10, 4, 4, 1), np.uint8)


def told(steps: int, per_second: float = 1.0, **changes: object) -> Forecast:
    values = {"memory": 0, "parameters": 1, "flops": 1, "is_known": True, "epochs": 15.2} | changes
    return Forecast(steps=steps, steps_per_second=per_second, seconds=steps / per_second, **values)  # type: ignore[arg-type]


def standing(**changes: object) -> Standing:
    values = {"step": 0, "progress": 0.0, "pictures": 3432, "batch": 64} | changes
    return Standing(**values)  # type: ignore[arg-type]


def test_that_what_will_be_drawn_when_follows_from_the_pictures_seen() -> None:
    first = prospects(standing(), told(1000), GREY)[0]
    assert first.severity == "fine"
    assert "simple things" in first.headline  # 64,000 pictures
    assert "noise or blots until 78 s" in first.headline  # 5,000 pictures at 64 a second
    assert "colours and large shapes until 7 min" in first.headline  # 25,000
    assert "64,000 pictures seen" in first.numbers
    assert "15 times" in first.numbers


def test_that_a_guess_is_called_one() -> None:
    assert "guess" not in prospects(standing(), told(1000), GREY)[0].numbers
    assert "guess" in prospects(standing(), told(1000, is_known=False), GREY)[0].numbers


@pytest.mark.parametrize(("pictures", "power"), [(BLACK, 1.0), (GREY, (128 / 127.5 - 1) ** 2)])
def test_that_the_loss_of_answering_nothing_is_that_of_these_pictures(pictures, power) -> None:
    assert power_of(pictures) == pytest.approx(power, abs=1e-6)
    eps = prospects(standing(prediction="eps"), None, pictures)[0]
    assert "begins near 1.00" in eps.headline
    x0 = prospects(standing(prediction="x0"), None, pictures)[0]
    assert f"begins near {power:.2f}" in x0.headline


def test_that_a_classifier_is_compared_with_guessing() -> None:
    note = prospects(standing(task="classifier", classes=9), told(5000, 10.0), GREY)[0]
    assert f"{math.log(9):.2f}" in note.headline
    assert "by step 1,000, after about 2 min" in note.headline


def test_that_warnings_and_too_short_a_training_come_first() -> None:
    notes = prospects(standing(), told(20, warnings=("Each of the pictures is seen often.",)), GREY)
    assert [note.severity for note in notes] == ["look", "look", "fine", "fine"]
    assert "before it has really begun" in notes[0].headline
    assert notes[1].headline == "Each of the pictures is seen often."
