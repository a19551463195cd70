"""``main.py nearest`` as a person meets it, on a tiny model and a folder of 8 × 8 pictures."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import Command


def write(folder: Path, seed: int, count: int = 12) -> Path:
    rng = np.random.default_rng(seed)
    folder.mkdir()
    for number in range(count):
        Image.fromarray(rng.integers(0, 256, (8, 8), dtype=np.uint8)).save(folder / f"{number:02}.png")
    return folder


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return write(tmp_path / "pictures", 2)


def asked(command: Command, model: Path, pictures: Path, *more: object) -> dict:
    out = pictures.parent / "sheet.png"
    code, said, err = command(
        "nearest", model, pictures, "--out", out, "--steps", 2, "--device", "cpu", "--json", *more
    )
    assert code == 0, err
    with Image.open(out) as sheet:
        sheet.load()
    return json.loads(said)


def samples_of(command: Command, model: Path, out: Path, count: int) -> np.ndarray:
    labels = ",".join(str(index % 3) for index in range(count))
    code, _said, err = command(
        "sample", "--model", model, "-n", count, "--steps", 2, "--label", labels, "--npy", out, "--device", "cpu"
    )
    assert code == 0, err
    return np.rint((np.load(out).clip(-1, 1) + 1) * 127.5).astype(np.uint8)


def test_that_a_sample_lying_in_the_folder_is_found(command: Command, model: Path, pictures: Path) -> None:
    drawn = samples_of(command, model, pictures.parent / "x.npy", 4)
    Image.fromarray(drawn[1, 0]).save(pictures / "planted.png")
    found = asked(command, model, pictures, "--samples", 4)
    for seen in (found["pixels"], found["features"]):
        assert seen["files"][1][0] == "planted.png"
        assert seen["distances"][1][0] == pytest.approx(0, abs=1)
        assert len(seen["files"]) == 4
    assert found["pixels"]["distances"][0][0] > 5
    assert found["features_of"].startswith("the middle of ")
    assert found["data"]["pictures"] == 13


def test_that_medians_are_those_of_each_ones_nearest(command: Command, model: Path, pictures: Path) -> None:
    aside = write(pictures.parent / "aside", 3, 5)
    found = asked(command, model, pictures, "--samples", 6, "--held-out", aside, "--features", "none")
    assert found["features"] is None
    assert found["held_out"] == 5
    trained, kept = (
        np.stack([np.asarray(Image.open(path)).astype(float) for path in sorted(folder.iterdir())])
        for folder in (pictures, aside)
    )

    def nearest(a: np.ndarray) -> np.ndarray:
        return np.sqrt(((a[:, None] - trained[None]) ** 2).mean(axis=(2, 3)))

    drawn = samples_of(command, model, pictures.parent / "x.npy", 6)[:, 0].astype(float)
    pixels = found["pixels"]
    assert pixels["samples_median"] == pytest.approx(np.median(nearest(drawn).min(axis=1)))
    assert pixels["held_out_median"] == pytest.approx(np.median(nearest(kept).min(axis=1)))
    own = nearest(trained)
    np.fill_diagonal(own, np.inf)
    assert pixels["training_median"] == pytest.approx(np.median(own.min(axis=1)))
    assert "too few" in pixels["verdict"]


def test_that_a_model_says_itself_how_its_pictures_were_used(
    command: Command, model: Path, pictures: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(model, copy)
    drawn = samples_of(command, model, pictures.parent / "x.npy", 3)
    for number, sample in ((3, 0), (7, 1)):
        Image.fromarray(drawn[sample, 0, :, ::-1]).save(pictures / f"{number:02}.png")

    def trained_on(data_sha256: str) -> Any:
        says = json.loads((copy / "diffuscope.json").read_text())
        how = {"flip": True, "never_flipped": ["03*"], "validation": 2, "data_sha256": data_sha256, "batch": 3}
        (copy / "diffuscope.json").write_text(json.dumps(says | {"provenance": {"training": how}}))
        return asked(command, copy, pictures, "--samples", 3, "--features", "none")

    others = trained_on("0" * 64)
    assert (others["held_out"], others["data"]["pictures"]) == (0, 12)
    assert "other pictures" in others["notes"][-1]
    found = trained_on(others["data"]["sha256"])
    assert found["mirrored"]
    assert (found["held_out"], found["data"]["pictures"]) == (2, 10)
    assert found["pixels"]["distances"][1][0] == 0
    assert found["pixels"]["files"][1][0] == "07.png"
    assert found["pixels"]["distances"][0][0] > 5  # 03.png is never mirrored
    assert not asked(command, model, pictures, "--samples", 3, "--features", "none")["mirrored"]


def test_that_a_person_is_told_in_words(command: Command, model: Path, pictures: Path) -> None:
    out = pictures.parent / "sheet.png"
    code, said, err = command("nearest", model, pictures, "--out", out, "--steps", 2, "--samples", 4)
    assert code == 0, err
    assert "median distance to the nearest of 12 training pictures" in said
    assert str(out) in said


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--out", "sheet.txt"), "sheet.txt"),
        (("--out", "sheet.png", "--features", "nobody"), "nobody"),
        (("--out", "sheet.png", "--samples", 0), "--samples"),
        (("--out", "sheet.png", "--held-out", "nowhere"), "nowhere"),
    ],
)
def test_that_nonsense_is_refused_in_one_line(
    command: Command, model: Path, pictures: Path, options, words, monkeypatch
) -> None:
    monkeypatch.chdir(pictures.parent)
    code, said, err = command("nearest", model, pictures, "--steps", 2, *options)
    assert (code, said) == (2, "")
    assert words in err
    assert len(err.strip().splitlines()) == 1
