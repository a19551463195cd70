"""In what trainings differ, and in nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.requests import ModelRef, ScheduleSpec
from core.training.comparison import Difference, differences, read_settings
from core.training.request import TrainRequest
from core.training.runs import RunSummary
from core.unet_config import UNetConfig
from tests.core.test_training_runs import summary

REQUEST = TrainRequest("flowers", "a" * 64, UNetConfig(), steps=500, batch=16)


def written(folder: Path, request: TrainRequest = REQUEST, **changes: Any) -> RunSummary:
    training = request.to_json()
    del training["network"]
    folder.mkdir()
    (folder / "diffuscope.json").write_text(json.dumps({"provenance": {"training": training}}))
    values = {"steps": 500, "minutes": None, "batch": 16, "parameters": 2_600_000, "precision": "bfloat16"} | changes
    return summary(folder, **values)


def test_that_equal_runs_differ_in_nothing(tmp_path: Path) -> None:
    assert differences([written(tmp_path / "a"), written(tmp_path / "b")]) == ()


def test_that_settings_come_first_and_what_came_of_them_last(tmp_path: Path) -> None:
    one = written(tmp_path / "a", loss=0.25, seconds=60.0)
    other = written(tmp_path / "b", replace(REQUEST, lr=2e-4, prediction="eps"), loss=0.125, seconds=30.0)
    assert differences([one, other]) == (
        Difference("prediction", ("v", "eps")),
        Difference("learning rate", ("0.001", "0.0002")),
        Difference("minutes", ("1.0", "0.5")),
        Difference("images/s", ("32", "64")),  # 120 steps of 16
        Difference("loss", ("0.2500", "0.1250")),
    )


@pytest.mark.parametrize(
    ("changes", "name", "values"),
    [
        ({"seed": 7}, "seed", ("0", "7")),
        ({"flip": True}, "mirrored", ("none", "half")),
        ({"objective": "hybrid", "variance": "range"}, "objective", ("L_simple", "L_hybrid")),
        ({"objective": "hybrid", "variance": "range"}, "variance", ("fixed", "range")),
        ({"timestep_sampler": "loss_second_moment"}, "timesteps", ("spread", "loss second moment")),
        ({"base": ModelRef("digits", "f" * 64)}, "begun from", ("nothing", "digits")),
        (
            {"schedule": ScheduleSpec("cosine", 4000, zero_snr=True)},
            "schedule",
            ("linear, T = 1000", "cosine, T = 4000, zero SNR"),
        ),
        ({"task": "classifier", "labels": ("a", "b")}, "task", ("diffusion model", "classifier")),
    ],
)
def test_that_each_setting_is_told(tmp_path: Path, changes: dict[str, Any], name: str, values: tuple[str, str]) -> None:
    runs = [written(tmp_path / "a"), written(tmp_path / "b", replace(REQUEST, **changes))]
    assert Difference(name, values) in differences(runs)


def test_that_what_only_one_run_knows_is_a_difference(tmp_path: Path) -> None:
    old = summary(tmp_path / "old", steps=500, minutes=None)
    found = {difference.name: difference.values for difference in differences([written(tmp_path / "a"), old])}
    assert found["learning rate"] == ("0.001", "–")
    assert found["batch"] == ("16", "–")


def test_that_a_run_without_a_loss_yet_is_compared(tmp_path: Path) -> None:
    runs = [written(tmp_path / "a"), written(tmp_path / "b", step=0, seconds=0.0, loss=None)]
    found = {difference.name: difference.values for difference in differences(runs)}
    assert found["loss"] == ("0.2500", "–")
    assert found["steps"] == ("120", "0")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"provenance": 3}', '{"provenance": {"training": {"batch": "many"}}}']
)
def test_that_settings_that_cannot_be_read_are_unknown(tmp_path: Path, text: str) -> None:
    (tmp_path / "diffuscope.json").write_text(text)
    assert read_settings(tmp_path) is None
    assert read_settings(tmp_path / "nowhere") is None


def test_that_settings_come_back_as_they_were_written(tmp_path: Path) -> None:
    request = replace(REQUEST, labels=("a", "b"), never_flipped=("Flags/*",), lr=3e-4)
    assert read_settings(written(tmp_path / "a", request).folder) == request
