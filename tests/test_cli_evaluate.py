"""``main.py evaluate`` as a person meets it, on a tiny model and a folder of 8 × 8 pictures."""

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.classifier import Classifier
from core.classifier_config import ClassifierConfig
from core.classifier_folder import save_classifier
from core.messages import ClassifierInfo
from core.requests import ModelRef, ScheduleSpec
from core.unet_config import UNetConfig
from tests.conftest import Command

ENCODER = UNetConfig(
    sample_size=8,
    in_channels=1,
    out_channels=1,
    block_out_channels=(8, 16),
    down_block_types=("DownBlock2D", "DownBlock2D"),
    up_block_types=("UpBlock2D", "UpBlock2D"),
    layers_per_block=1,
    norm_num_groups=4,
    attn_norm_num_groups=4,
    attention_head_dim=8,
)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    rng = np.random.default_rng(2)
    for name in ("cat", "dog"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(8):
            levels = rng.integers(0, 256, (8, 8), dtype=np.uint8)
            Image.fromarray(levels).save(tmp_path / "pictures" / name / f"{number}.png")
    return tmp_path / "pictures"


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network = Classifier(ClassifierConfig(ENCODER, 2))
    info = ClassifierInfo(ModelRef("judge", ""), (1, 8, 8), ("cat", "dog"), ScheduleSpec(), 16, noisy=False)
    folder = tmp_path_factory.mktemp("classifiers") / "judge"
    save_classifier(folder, network, info)
    return folder


def figures(result: tuple[int, str, str]) -> dict[str, object]:
    code, out, err = result
    assert code == 0, err
    found = json.loads(out)
    assert isinstance(found, dict)
    return found


def test_that_bits_are_counted_in_strata_and_over_all_timesteps(command: Command, model: Path, pictures: Path) -> None:
    base = ("evaluate", "--model", model, "--data", pictures, "--count", 12, "--device", "cpu", "--json")
    found = figures(command(*base, "--nll", "--timesteps", 6))
    assert found["pictures"] == 12
    assert len(found["terms"]) == len(found["timesteps"]) == len(found["strata"]) == 6
    assert sum(found["strata"]) == 1000
    assert not found["exact"]
    weighted = sum(width * term for width, term in zip(found["strata"], found["terms"], strict=True))
    assert found["bits_per_dim"] == pytest.approx(found["prior"] + weighted, rel=1e-9)
    assert found["decoder"] == found["terms"][0]
    assert np.mean(found["per_picture"]) == pytest.approx(found["bits_per_dim"], rel=1e-9)
    assert found["variance"] == "large"
    assert figures(command(*base, "--timesteps", 6))["bits_per_dim"] == found["bits_per_dim"]
    other = figures(command(*base, "--timesteps", 6, "--variance", "small", "--clip", "none"))
    assert (other["variance"], other["clip"]) == ("small", "none")
    assert other["bits_per_dim"] != found["bits_per_dim"]


def test_that_pictures_are_measured_as_they_are_said_to_be_read(
    command: Command, model: Path, pictures: Path, tmp_path: Path
) -> None:
    for number in range(8):
        for name in ("cat", "dog"):
            path = pictures / name / f"{number}.png"
            Image.open(path).resize((16, 8)).save(path)
    base = ("evaluate", "--model", model, "--data", pictures, "--count", 4, "--timesteps", 3, "--device", "cpu")
    hashes = [
        figures(command(*base, "--json", *said))["data"]["sha256"]  # type: ignore[index]
        for said in ((), ("--crop", "whole"), ("--crop", "whole", "--background", "black"))
    ]
    assert len(set(hashes)) == 3


def test_that_all_timesteps_are_exact(command: Command, model: Path, pictures: Path, tmp_path: Path) -> None:
    short = tmp_path / "short"
    shutil.copytree(model, short)
    scheduler = short / "scheduler" / "scheduler_config.json"
    scheduler.write_text(json.dumps(json.loads(scheduler.read_text()) | {"num_train_timesteps": 40}))
    few = ("evaluate", "--model", short, "--data", pictures, "--count", 2, "--json")
    found = figures(command(*few, "--timesteps", "all"))
    assert found["exact"]
    assert found["strata"] == [1] * 40
    assert found["bits_per_dim"] == pytest.approx(found["prior"] + sum(found["terms"]), rel=1e-9)


def test_that_classes_are_told_to_the_model_unless_it_is_not_to_know(
    command: Command, model: Path, pictures: Path
) -> None:
    base = ("evaluate", "--model", model, "--data", pictures, "--count", 4, "--timesteps", 4, "--json")
    labelled, unlabelled = figures(command(*base)), figures(command(*base, "--unlabelled"))
    assert labelled["labelled"]
    assert not unlabelled["labelled"]
    assert labelled["bits_per_dim"] != unlabelled["bits_per_dim"]


def test_that_samplers_and_steps_are_compared(command: Command, model: Path, pictures: Path, judge: Path) -> None:
    base = ("evaluate", "--model", model, "--data", pictures, "--distance", "--features", judge, "--json")
    asked = (*base, "--count", 6, "--batch", 4, "--sampler", "ddim", "heun", "--steps", 3, 5)
    distance = figures(command(*asked))["distance"]
    assert [(point["series"], point["evaluations"], point["steps"], point["n"]) for point in distance["points"]] == [
        ("DDIM", 3, 3, 8),
        ("DDIM", 5, 5, 8),
        ("Heun", 3, 2, 8),
        ("Heun", 5, 3, 8),
    ]
    assert distance["features"] == "judge"
    assert distance["dimensions"] == 16
    assert distance["reference"] == 8
    assert distance["metric"] == "kernel"
    assert (distance["clip"], distance["spacing"]) == ("clamp", "leading")
    assert all(math.isfinite(point["value"]) for point in distance["points"])
    assert math.isfinite(distance["real"])
    again = figures(command(*asked))["distance"]
    assert [point["value"] for point in again["points"]] == [point["value"] for point in distance["points"]]
    guided = figures(command(*base, "--count", 6, "--steps", 3, "--guidance", 1, "--metric", "frechet"))["distance"]
    assert guided["points"][0]["evaluations"] == 6
    assert guided["metric"] == "kernel"
    assert "at least 80 samples" in guided["note"]


def test_that_the_words_say_what_stands_beside_a_number(
    command: Command, model: Path, pictures: Path, judge: Path
) -> None:
    code, out, err = command(
        *("evaluate", "--model", model, "--data", pictures, "--nll", "--timesteps", 3, "--distance"),
        *("--features", judge, "--count", 4, "--steps", 2, "--sampler", "ddpm", "--progress"),
    )
    assert code == 0
    for words in (
        "bits/dim",
        "4 pictures",
        "3 strata",
        "kernel distance",
        "judge",
        "clip clamp",
        "EMA",
        "DDPM",
        "leading",
    ):
        assert words in out, words
    assert "part" in err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--data", "nowhere"], "not a folder"),
        (["--distance", "--timesteps", "5"], "belongs to --nll"),
        (["--nll", "--steps", "5"], "belongs to --distance"),
        (["--variance", "learned"], "not learned"),
        (["--timesteps", "1"], "from 2"),
        (["--timesteps", "2000000"], "from 2"),
        (["--distance", "--features", "nobody"], "nobody"),
        (["--distance", "--features", "nobody.pth"], "nobody.pth"),
        (["--distance", "--sampler", "ddpm", "--eta", "0.5"], "--eta"),
        (["--clip", "dynamic"], "clamp"),
        (["--distance", "--steps", "5000"], "between 1 and 1000 steps"),
    ],
)
def test_that_what_cannot_be_measured_is_refused_in_one_line(
    command: Command, model: Path, pictures: Path, judge: Path, options: list[str], words: str
) -> None:
    data = [] if "--data" in options else ["--data", str(pictures)]
    features = [] if "--features" in options or "--steps" not in options else ["--features", str(judge)]
    code, out, err = command("evaluate", "--model", model, *data, *options, *features)
    assert code == 2
    assert out == ""
    assert err.count("\n") == 1
    assert words in err
