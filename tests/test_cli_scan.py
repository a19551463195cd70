"""``main.py scan``, and what ``train`` says of how pictures are read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core import cli
from core.cli.parser import parse
from core.errors import Refusal
from core.training.presets import network_of
from core.training.reading import Reading
from core.training.run import train_on_folder


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFUSCOPE_HOME", str(tmp_path / "home"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place, rng = tmp_path / "pictures", np.random.default_rng(0)
    for name in ("cats/a", "cats/b", "dogs/c"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (8, 16, 3), dtype=np.uint8)).save(place / f"{name}.png")
    (place / "cats" / "a.txt").write_text("a cat")
    (place / "dogs" / "bad.png").write_bytes(b"")
    return place


def test_that_a_scan_says_what_there_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["scan", str(folder), "--size", "8"]) == 0
    said = capsys.readouterr().out
    for words in ("3 pictures of 4 files, in colour, at 8 × 8", "16 × 8 (3)", "cats (2), dogs (1)", "1 file with a",
                  "1 left out:", "dogs/bad.png: bad.png is empty", "kept for training"):  # fmt: skip
        assert words in said


def test_that_a_scan_names_near_duplicates_and_counts_the_rest(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(5):
        Image.open(folder / "dogs" / "c.png").save(folder / "dogs" / f"copy {number}.png")
    assert cli.run(["scan", str(folder), "--size", "8"]) == 0
    said = capsys.readouterr().out
    assert "5 near-duplicates in 1 group:" in said
    assert "  dogs/c.png, dogs/copy 0.png, dogs/copy 1.png and 3 more" in said


def test_that_a_scan_is_told_to_machines(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["scan", str(folder), "--size", "8", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["pictures"] == 3
    assert told["classes"] == [["cats", 2], ["dogs", 1]]
    assert told["captions"] == 1
    assert [name for name, _ in told["quarantined"]] == ["dogs/bad.png"]
    assert told["flip"]["suits"] is True


def test_that_a_scan_of_nothing_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.guarded(lambda: cli.run(["scan", str(tmp_path)])) == 2
    assert "There are no pictures" in capsys.readouterr().err


def test_that_colours_are_named_or_given_in_hexadecimal() -> None:
    assert parse(["scan", "x", "--background", "black"]).background == (0, 0, 0)
    assert parse(["train", "x", "--out", "y", "--background", "#0a0B0c"]).background == (10, 11, 12)
    assert parse(["evaluate", "--model", "x", "--data", "y", "--background", "#fff"]).background == (255, 255, 255)
    with pytest.raises(Refusal, match="no colour"):
        parse(["scan", "x", "--background", "greyish"])


def test_that_never_flip_takes_several_patterns_and_needs_flip(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = parse(["train", "x", "--out", "y", "--flip", "--never-flip", "Flags/*", "*left*", "--never-flip", "a"])
    assert options.never_flip == ["Flags/*", "*left*", "a"]
    assert cli.run(["train", str(folder), "--out", str(folder / "run"), "--never-flip", "cats/*"]) == 2
    assert "Without --flip" in capsys.readouterr().err


def test_that_a_training_reads_its_pictures_as_it_is_told_and_goes_on_so(folder: Path, tmp_path: Path) -> None:
    seen: list[Reading | None] = []
    small = network_of("small", 8, 3, 2)
    network = replace(small, block_out_channels=(8, 8), norm_num_groups=4, attn_norm_num_groups=4, attention_head_dim=8)

    def train(steps: int, *, resume: bool = False, **reading: object) -> None:
        train_on_folder(
            folder,
            tmp_path / "run",
            size=8,
            reading=reading,
            steps=steps,
            resume=resume,
            network=network,
            on_folder=lambda data: seen.append(data.reading),
            batch=2,
            precision="float32",
        )

    train(1, crop="whole", background=(255, 0, 0))
    train(2, resume=True)
    assert seen == [Reading(8, "whole", (255, 0, 0))] * 2
    with pytest.raises(Refusal, match="another crop"):
        train(3, resume=True, crop="middle")
