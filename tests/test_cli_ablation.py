"""``main.py ablation``: trains the cells of DDPM's table 2 one after the other, goes on, and prints the table."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.cli.ablation import with_error
from core.errors import Refusal
from core.evaluation import measurement_of
from core.training.ablation import HYBRID, TABLE, Cell
from core.training.objectives import DiffusionTask
from core.training.session import TrainingSession

LOSSES = DiffusionTask.losses


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.cli.ablation.SAMPLES", 0)
    monkeypatch.setattr("core.evaluation.ablation.PICTURES", 3)
    monkeypatch.setattr("core.evaluation.ablation.TIMESTEPS", 2)
    monkeypatch.setattr("core.evaluation.ablation.SAMPLES", 4)
    monkeypatch.setattr("core.evaluation.ablation.STEPS", 2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(3)
    for name in ("a", "b"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(4):
            Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8)).save(tmp_path / "pictures" / name / f"{number}.png")
    return tmp_path / "pictures"


def arguments(folder: Path, *more: str) -> list[str]:
    return ["ablation", str(folder), "--out", str(folder.parent / "out"), "--batch", "2", "--size", "8", *more]


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> tuple[Cell, ...]:
    """A table of two cells."""
    cells = TABLE[3:5]
    monkeypatch.setattr("core.training.ablation.TABLE", cells)
    return cells


@pytest.fixture
def diverging(monkeypatch: pytest.MonkeyPatch) -> None:
    """The noise with a learned variance under the bound is unstable, as it was for Ho et al."""

    def losses(task, network, x0, eps, t, labels):
        found = LOSSES(task, network, x0, eps, t, labels)
        request = task._request
        return np.nan * found if (request.prediction, request.variance) == ("eps", "diagonal") else found

    monkeypatch.setattr(DiffusionTask, "losses", losses)


def test_that_the_table_is_trained_measured_and_printed(command, folder, diverging) -> None:
    code, out, err = command(*arguments(folder, "--steps", "2", "--json"))
    assert code == 0, err
    result = json.loads(out)
    cells = {cell["cell"]: cell for cell in result["cells"]}
    assert tuple(cells) == tuple(cell.key for cell in TABLE)
    assert result["steps"] == 2
    unstable = cells.pop("eps-L-learned")
    assert unstable["diverged"] == 1
    assert unstable["bits_per_dim"] is None
    assert "eps-L-learned diverged at step 1" in err
    for cell in cells.values():
        assert cell["step"] == 2
        assert cell["diverged"] is None
        assert cell["loss"] > 0
        assert cell["bits_per_dim"] > 0


def test_that_what_is_trained_is_not_trained_again(command, folder, short, diverging, monkeypatch) -> None:
    command(*arguments(folder, "--steps", "1", "--json"))

    def refuse(*_arguments: object, **_options: object) -> None:
        raise AssertionError("this one was finished")

    monkeypatch.setattr(TrainingSession, "__init__", refuse)
    code, out, err = command(*arguments(folder))
    assert code == 0, err
    assert out.count("\n") == len(short) + 1
    assert "diverged at step 1" in out
    assert "13.51" in out


def test_that_an_ablation_that_was_stopped_goes_on(command, folder, short, monkeypatch) -> None:
    began: list[str] = []
    begin = TrainingSession.__init__

    def note(session, order, *others, **options):
        began.append(order.out.name)
        if len(began) == 2:
            raise KeyboardInterrupt
        begin(session, order, *others, **options)

    monkeypatch.setattr(TrainingSession, "__init__", note)
    code, _out, err = command(*arguments(folder, "--steps", "1", "--hybrid"))
    assert (code, err.splitlines()[-1]) == (130, "diffuscope: stopped")
    code, _out, err = command(*arguments(folder))
    assert code == 0, err
    keys = [cell.key for cell in (*short, HYBRID)]
    assert began == keys[:2] + keys[1:]


def test_that_distances_are_measured_in_the_features_asked_for(command, folder, short) -> None:
    judge = folder.parent / "judge"
    code, _out, err = command(
        *("train", str(folder), "--out", str(judge), "--classifier", "--clean"),
        *("--steps", "1", "--size", "8", "--batch", "2"),
    )
    assert code == 0, err
    code, out, err = command(*arguments(folder, "--steps", "1", "--json", "--features", str(judge)))
    assert code == 0, err
    cells = json.loads(out)["cells"]
    assert {cell["features"] for cell in cells} == {"judge"}
    assert all(np.isfinite(cell["distance"]) for cell in cells)


@pytest.mark.parametrize(
    ("more", "words"),
    [([], "--steps"), (["--steps", "0"], "whole number"), (["--steps", "2", "--preset", "huge"], "huge")],
)
def test_that_what_cannot_be_done_is_refused_in_a_line(command, folder, more, words) -> None:
    code, out, err = command(*arguments(folder, *more))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert words in err


def test_that_an_ablation_goes_on_with_its_own_settings_alone(command, folder, short) -> None:
    command(*arguments(folder, "--steps", "1"))
    code, _out, err = command(*arguments(folder, "--steps", "2"))
    assert code == 2
    assert "its steps is 1" in err


def test_that_an_ablation_goes_on_with_its_own_pictures_alone(command, folder, short) -> None:
    command(*arguments(folder, "--steps", "1"))
    (folder / "a" / "0.png").unlink()
    code, _out, err = command(*arguments(folder))
    assert code == 2
    assert "not the pictures of this ablation" in err


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--held-out", "nowhere"], "nowhere is not a folder"),
        (["--features", "nowhere"], "no classifier “nowhere”"),
        (["--features", "digits-judge"], "32 × 32 pixels, not at those of the trained models"),
    ],
)
def test_that_what_it_is_to_be_measured_with_is_asked_for_before_it_is_trained(command, folder, more, words) -> None:
    code, out, err = command(*arguments(folder, "--steps", "1", *more))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert words in err
    assert not (folder.parent / "out").exists()


def test_that_a_damaged_model_is_named_and_trained_again_once_it_is_deleted(command, folder, short) -> None:
    assert command(*arguments(folder, "--steps", "1"))[0] == 0
    out = folder.parent / "out"
    file = out / "ablation.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"figures": {}}))
    weights = out / short[1].key / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    code, _out, err = command(*arguments(folder))
    assert code == 2
    assert f"The model of {short[1].key} is damaged. Delete {out / short[1].key}" in err
    shutil.rmtree(out / short[1].key)
    code, _out, err = command(*arguments(folder))
    assert code == 0, err


def test_that_a_model_that_cannot_be_measured_leaves_the_others_measured(command, folder, short, monkeypatch) -> None:
    def measure(request, *others, **options):
        if request.model.name == short[0].key:
            raise Refusal("It answers no numbers.")
        return measurement_of(request, *others, **options)

    monkeypatch.setattr("core.cli.ablation.measurement_of", measure)
    code, out, err = command(*arguments(folder, "--steps", "1", "--json", "--progress"))
    assert code == 0, err
    assert f"{short[0].key}: It answers no numbers." in err
    assert [cell["bits_per_dim"] is None for cell in json.loads(out)["cells"]] == [True, False]


def test_that_figures_have_their_errors() -> None:
    assert with_error(3.14159, 0.01, 3) == "3.142 ± 0.010"
    assert with_error(3.14159, None, 2) == "3.14"
    assert with_error(None, None, 2) == "–"
