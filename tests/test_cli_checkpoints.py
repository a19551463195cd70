"""main.py inspect and convert, and commands whose model is a file of weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.checkpoints.answers import AnswerBook
from core.classifier_folder import BUNDLED, bundled_classifiers, read_classifier
from core.model_folder import open_model, read_info
from core.training.checkpoint import read_request
from tests.conftest import Command
from tests.lookalikes.openai import CLASSIFIER_OPTIONS, Options, answers, drawn

OPTIONS = Options(32, (1, 2), (1,), heads=4, times=0.25)
SAID = {**answers(OPTIONS), "size": "8"}
ANSWERS = [f"--answer={key}={value}" for key, value in SAID.items()]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("files") / "mine.pt"
    torch.save(drawn(OPTIONS, 0), path)
    return path


def test_that_inspect_says_what_a_file_is_and_asks_what_it_does_not_say(command: Command, weights: Path) -> None:
    code, out, err = command("inspect", weights)
    assert (code, err) == (0, "")
    parameters = sum(tensor.numel() for tensor in drawn(OPTIONS, 0).values())
    assert "mine.pt: " in out
    assert f"{parameters:,} parameters" in out
    assert "from the shapes" in out
    assert "--answer heads=heads-4" in out
    assert "Four heads everywhere are improved-diffusion's default." in out


def test_that_inspect_for_machines_has_the_same_in_fields(command: Command, weights: Path) -> None:
    code, out, _ = command("inspect", weights, "--json")
    found = json.loads(out)
    assert code == 0
    assert found["kind"] == "model"
    assert {question["key"] for question in found["questions"]} == set(SAID)
    assert "guessed" in {fact["origin"] for fact in found["facts"]}


def test_that_what_is_answered_is_asked_no_more(command: Command, weights: Path) -> None:
    code, out, _ = command("inspect", weights, "--json", *ANSWERS)
    found = json.loads(out)
    assert (code, found["questions"]) == (0, [])
    assert sum(fact["origin"] == "answered" for fact in found["facts"]) == len(SAID)


def test_that_folders_are_inspected_as_well(command: Command, model: Path) -> None:
    code, out, _ = command("inspect", model)
    assert code == 0
    assert "tiny" in out


@pytest.mark.parametrize("name", bundled_classifiers())
def test_that_classifiers_are_inspected_as_well(command: Command, name: str) -> None:
    code, out, _ = command("inspect", name)
    assert code == 0
    assert f"{name}: Diffuscope, a classifier" in out
    assert command("inspect", BUNDLED / name)[1] == out


@pytest.mark.parametrize("as_json", [False, True])
def test_that_what_is_refused_is_so_with_the_reason_and_code_2(command: Command, tmp_path: Path, as_json: bool) -> None:
    (tmp_path / "notes.pt").write_text("no weights")
    code, out, err = command("inspect", tmp_path / "notes.pt", *(["--json"] if as_json else []))
    assert code == 2
    assert "notes.pt" in err
    if as_json:
        assert json.loads(out)["refused"] in " ".join(err.split())


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--answer", "haeds=4"], "does not ask for all of haeds"),
        (["--answer", "heads"], "not of the form KEY=VALUE"),
        (["--answer", "heads=nine"], "Attention heads"),
        (["--answer", "size=9"], "a multiple of"),
        (["--answer", "heads=heads-4", "--answer", "heads=heads-1"], "contradicts"),
    ],
)
def test_that_an_answer_to_nothing_or_of_no_meaning_is_refused(
    command: Command, weights: Path, given: list[str], words: str
) -> None:
    code, _, err = command("inspect", weights, *given)
    assert code == 2
    assert words in err


def test_that_convert_writes_a_folder_that_is_asked_nothing(command: Command, weights: Path, tmp_path: Path) -> None:
    code, out, err = command("convert", weights, "--out", tmp_path / "copy", "--json", *ANSWERS)
    assert (code, err) == (0, "")
    assert json.loads(out)["guessed"] == {}
    code, out, _ = command("inspect", tmp_path / "copy", "--json")
    assert (code, json.loads(out)["questions"]) == (0, [])
    provenance = json.loads((tmp_path / "copy" / "diffuscope.json").read_text())["provenance"]
    assert provenance["answers"] == SAID
    assert provenance["file"] == "mine.pt"
    original, copy = open_model(weights, "cpu", SAID), open_model(tmp_path / "copy", "cpu")
    x, t = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0)), torch.tensor([100.0])
    with torch.inference_mode():
        assert torch.equal(original.network(x, t), copy.network(x, t))
    assert copy.info.schedule == original.info.schedule
    assert copy.info.variance == original.info.variance


def test_that_convert_writes_a_classifier_too_and_not_for_diffusers(command: Command, tmp_path: Path) -> None:
    file, out = tmp_path / "judge.pt", tmp_path / "copy"
    torch.save(drawn(CLASSIFIER_OPTIONS["classifier, 2 blocks, mean"], 0), file)
    code, _, err = command("convert", file, "--out", out, "--diffusers")
    assert code == 2
    assert "diffusers has no classifiers" in err
    assert not out.exists()
    code, said, _ = command("convert", file, "--out", out)
    assert code == 0
    assert str(out) in said
    assert read_classifier(out).labels == ("0", "1", "2", "3")
    assert command("inspect", out)[0] == 0


def test_that_inspect_offers_the_weights_that_a_file_has_besides(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "training.pt"
    torch.save({"model": drawn(OPTIONS, 0), "ema": drawn(OPTIONS, 1)}, file)
    _, out, _ = command("inspect", file)
    assert "a choice:\n  Weights: --answer weights=ema; or raw" in out
    raw = json.loads(command("inspect", file, "--json", "--answer", "weights=raw")[1])
    assert [option["key"] for option in raw["options"]] == ["weights"]
    assert {"name": "weights", "value": "raw", "origin": "answered"} in raw["facts"]


def test_that_convert_says_what_it_guessed_and_writes_over_nothing(
    command: Command, weights: Path, tmp_path: Path
) -> None:
    code, _, err = command("convert", weights, "--out", tmp_path / "copy", "--half")
    assert code == 0
    assert "guessed heads=heads-4" in err
    code, _, err = command("convert", weights, "--out", tmp_path / "copy")
    assert code == 2
    assert "already" in err


def test_that_convert_for_diffusers_refuses_what_diffusers_cannot_say(
    command: Command, weights: Path, tmp_path: Path
) -> None:
    code, _, err = command("convert", weights, "--out", tmp_path / "copy", "--diffusers", *ANSWERS)
    assert code == 2
    assert "times are rescaled" in err
    assert "safe copy" in err
    assert not (tmp_path / "copy").exists()


def test_that_every_command_with_a_model_takes_a_file_and_its_answers(
    command: Command, weights: Path, picture: Path, tmp_path: Path
) -> None:
    few = ["--model", weights, "--steps", "2", *ANSWERS]
    assert command("sample", *few, "--out", "s.png", "--npy", "s.npy")[0] == 0
    assert np.load(tmp_path / "s.npy").shape == (1, 3, 8, 8)
    assert command("denoise", picture, "--from-t", "2000", *few, "--out", "d.png")[0] == 0
    assert command("invert", picture, *few, "--out", "i.png")[0] == 0


def test_that_a_file_is_looked_into_and_trained_further_with_its_answers(
    command: Command, weights: Path, tmp_path: Path
) -> None:
    (tmp_path / "pictures").mkdir()
    for number in range(4):
        pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "pictures" / f"{number}.png")
    few = ["--samples", "2", "--steps", "2", "--features", "none", "--out", "sheet.png", "--json"]
    code, out, err = command("nearest", weights, tmp_path / "pictures", *few, *ANSWERS)
    assert code == 0, err
    assert not any("Guessed" in note for note in json.loads(out)["notes"])
    brief = ["--steps", "1", "--batch", "4", "--no-compile", "--device", "cpu"]
    code, _, err = command("train", tmp_path / "pictures", "--from", weights, "--out", "run", *brief, *ANSWERS)
    assert code == 0, err
    answered = open_model(weights, "cpu", SAID).info
    assert read_info(tmp_path / "run").schedule == answered.schedule
    assert read_request(tmp_path / "run").base == answered.ref


def test_that_answers_without_a_file_to_train_from_are_refused(command: Command, tmp_path: Path) -> None:
    code, _, err = command("train", tmp_path, "--out", "run", "--answer", "size=8")
    assert code == 2
    assert "--from" in err


def test_that_what_was_answered_in_the_window_holds_on_the_command_line(
    command: Command, weights: Path, tmp_path: Path
) -> None:
    guessed = command("sample", "--model", weights, "--steps", "1", "--npy", "x.npy", "--json")
    assert any("Guessed" in note for note in json.loads(guessed[1])["notes"])
    AnswerBook().remember(weights, SAID)
    answered = command("sample", "--model", weights, "--steps", "1", "--npy", "x.npy", "--json")
    assert json.loads(answered[1])["shape"] == [1, 3, 8, 8]
    assert not any("Guessed" in note for note in json.loads(answered[1])["notes"])
