"""Every option of the commands for guidance, measuring and training, with nonsense: one line and exit code 2."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import Command


@pytest.fixture
def place(tmp_path: Path, model: Path) -> Path:
    """Where commands run: a model, pictures in classes, and what is none."""
    (tmp_path / "model").symlink_to(model)
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "classes" / name).mkdir(parents=True)
        for number in range(2):
            Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8)).save(tmp_path / "classes" / name / f"{number}.png")
    (tmp_path / "single").mkdir()
    Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8)).save(tmp_path / "single" / "only.png")
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("no weights")
    for name in ("bad.pth", "bad.safetensors"):
        (tmp_path / name).write_bytes(b"no weights")
    (tmp_path / "zero.pth").write_bytes(b"")
    return tmp_path


SAMPLE = "sample --model model --out a.png --steps 2"
BITS = "evaluate --model model --data classes --count 2 --timesteps 2"
DISTANCE = "evaluate --model model --data classes --distance --count 2 --steps 2"
TRAIN = "train classes --out run --steps 1 --size 8"
NEAREST = "nearest model classes --out near.png --samples 2 --steps 2"
ABLATION = "ablation classes --out table --steps 1 --size 8"

NONSENSE = [
    *(f"{SAMPLE} --classifier {name} --label cat" for name in ("nowhere", "notes.txt", "empty", "model", "classes")),
    *(f"{SAMPLE} --classifier {name} --label cat" for name in ("bad.pth", "bad.safetensors", "zero.pth", "/dev/null")),
    f"{SAMPLE} --classifier digits-judge --label cat",
    f"{SAMPLE} --classifier digits-guide",
    f"{SAMPLE} --classifier digits-guide --label cat",
    *(f"{SAMPLE} --classifier-scale {value}" for value in ("nan", "inf", "-1e9", "five", "5")),
    *(f"{SAMPLE} --classifier-at {value}" for value in ("y", "x_t")),
    *(f"{SAMPLE} --interval {value}" for value in ("5", "5,6,7", "a,b", "5,", ",", "5,99999", "1e3,0", "6,5")),
    *(f"{SAMPLE} --guidance 1 --label cat --rescale {value}" for value in ("2", "-0.1", "nan", "much")),
    f"{SAMPLE} --rescale 0.5",
    *(f"{SAMPLE} --temperature {value}" for value in ("-1", "nan", "1e9", "warm")),
    *(f"{SAMPLE} --clip dynamic --percentile {value}" for value in ("-1", "1.5", "nan", "most")),
    *(f"{SAMPLE} --clip dynamic --limit {value}" for value in ("0", "-2", "nan", "inf", "1e30")),
    f"{SAMPLE} --percentile 0.5",
    f"{SAMPLE} --limit 2",
    f"{SAMPLE} --clip dynamics",
    *(f"{SAMPLE} --sampler {name}" for name in ("euler", "ddim,heun", "HEUN", "")),
    *(f"{SAMPLE} --sampler {name} --eta 1" for name in ("heun", "dpmpp", "ddpm")),
    *(f"{SAMPLE} --sampler {name} --variance small" for name in ("heun", "dpmpp", "ddim")),
    f"{SAMPLE} --sampler ddpm --variance learned",
    f"{SAMPLE} --sampler ddpm --variance huge",
    *(f"evaluate --model {name} --data classes" for name in ("nowhere", "classes", "notes.txt", "digits-judge")),
    *(f"evaluate --model model --data {name}" for name in ("nowhere", "empty", "notes.txt", "/dev/null", "model")),
    "evaluate --model model",
    "evaluate --data classes",
    "evaluate",
    *(f"{BITS} --count {value}" for value in ("0", "1", "-5", "1e3", "all", "99999999")),
    *(f"{BITS} --timesteps {value}" for value in ("0", "1", "-2", "20000", "none")),
    *(f"{BITS} --draws {value}" for value in ("0", "9999", "two")),
    *(f"{BITS} --variance {value}" for value in ("learned", "fixed")),
    *(f"{BITS} --clip {value}" for value in ("dynamic", "rederive", "hard")),
    *(f"{BITS} --seed {value}" for value in ("-1", "1.5", str(2**64))),
    *(f"{BITS} {option}" for option in ("--steps 2", "--sampler ddim", "--metric kernel", "--features x", "--eta 0")),
    *(f"{BITS} {option}" for option in ("--guidance 1", "--spacing leading", "--device gpu", "--precision float8")),
    *(f"{DISTANCE} --features {name}" for name in ("nowhere", "empty", "notes.txt", "model", "digits-judge")),
    *(f"{DISTANCE} --features {name}" for name in ("bad.pth", "zero.pth", "bad.safetensors", "/dev/null", "digits")),
    f"{DISTANCE} --metric fid",
    *(f"{DISTANCE} --sampler {name}" for name in ("euler", "ddim,heun")),
    *(f"{DISTANCE} --steps {value}" for value in ("0", "5000", "-1", "2,4")),
    *(f"{DISTANCE} --batch {value}" for value in ("0", "5000", "two")),
    *(f"{DISTANCE} --guidance {value}" for value in ("nan", "1e9", "strong")),
    *(f"{DISTANCE} --eta {value}" for value in ("2", "-1", "nan")),
    f"{DISTANCE} --sampler heun --eta 1",
    f"{DISTANCE} --spacing hand",
    f"{DISTANCE} --timesteps 2",
    *(f"{TRAIN} --classifier {option}" for option in ("--objective vlb", "--variance range", "--prediction eps")),
    f"{TRAIN} --classifier --from model",
    f"{TRAIN} --clean",
    f"{TRAIN} --objective best",
    f"{TRAIN} --variance range --objective simple",
    f"{TRAIN} --prediction eps --zero-snr",
    f"{TRAIN} --timestep-sampler importance",
    *(f"{TRAIN} --T {value}" for value in ("0", "1", "20000", "many")),
    *(f"nearest {name} classes --out near.png" for name in ("nowhere", "classes", "notes.txt", "digits-judge")),
    *(f"nearest model {name} --out near.png" for name in ("nowhere", "empty", "notes.txt", "/dev/null", "model")),
    "nearest model classes",
    "nearest model --out near.png",
    *(f"nearest model classes --out {name}" for name in ("notes.txt", "nowhere/near.png", "classes")),
    *(f"{NEAREST} --features {name}" for name in ("nowhere", "empty", "notes.txt", "bad.pth", "digits-judge")),
    *(f"{NEAREST} --held-out {name}" for name in ("nowhere", "empty", "notes.txt")),
    *(f"{NEAREST} --neighbours {value}" for value in ("0", "99", "few")),
    *(f"{NEAREST} --samples {value}" for value in ("0", "-1", "99999", "all")),
    *(f"{NEAREST} {option}" for option in ("--steps 5000", "--shown 0", "--seed -1", "--device gpu", "--metric fid")),
    "ablation classes --out table",
    "ablation nowhere --out table --steps 1",
    "ablation empty --out table --steps 1",
    *(f"ablation classes --out {name} --steps 1 --size 8" for name in ("notes.txt", "notes.txt/x", "model")),
    *(f"{ABLATION} --steps {value}" for value in ("0", "-1", "some")),
    *(f"{ABLATION} --size {value}" for value in ("7", "9", "5000")),
    *(f"{ABLATION} {option}" for option in ("--batch 0", "--lr 0", "--lr nan", "--preset huge", "--device gpu")),
    *(f"{ABLATION} --held-out {name}" for name in ("nowhere", "empty", "notes.txt")),
    *(f"{ABLATION} --features {name}" for name in ("nowhere", "model", "bad.pth", "digits-judge")),
]


@pytest.mark.parametrize("line", NONSENSE)
def test_that_nonsense_is_one_line_and_exit_code_2(command: Command, place: Path, line: str) -> None:
    before = {path.name for path in place.iterdir()}
    code, out, err = command(*line.split(" "))
    assert code == 2, err
    assert out == ""
    assert err.startswith("diffuscope: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    assert {path.name for path in place.iterdir()} <= before | {"home"}


@pytest.mark.parametrize("folder", ["single", "empty"])
def test_that_a_classifier_needs_classes(command: Command, place: Path, folder: str) -> None:
    code, _out, err = command("train", folder, "--out", "run", "--classifier", "--steps", "1", "--size", "8")
    assert code == 2
    assert "Traceback" not in err
    assert "no classes to tell apart" in err or "There are no pictures" in err
