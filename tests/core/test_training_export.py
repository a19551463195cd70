"""A run's model by itself: equal bits, nothing of the training's, opened by others too."""

from __future__ import annotations

import os
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from core.classifier_folder import read_classifier
from core.errors import Refusal
from core.model_folder import open_model, read_info
from core.training.ablation import Ablation, begin
from core.training.export import export_run
from core.training.order import TrainOrder
from core.training.session import TrainingSession
from tests.core.halves import DATA, TINY

WEIGHTS = "unet/diffusion_pytorch_model.safetensors"
MODEL = {
    "model_index.json",
    "unet/config.json",
    WEIGHTS,
    "scheduler/scheduler_config.json",
    "diffuscope.json",
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of two steps."""
    folder = tmp_path_factory.mktemp("runs") / "halves"
    order = TrainOrder(folder, steps=2, batch=4, samples=0, precision="float32", lr=1e-2)
    for _ in TrainingSession(order, DATA, network=TINY).work():
        pass
    return folder


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_that_an_exported_folder_holds_the_model_and_nothing_of_the_training(run: Path, tmp_path: Path) -> None:
    out = export_run(run, tmp_path / "out")
    assert files(out) == MODEL
    assert (out / WEIGHTS).read_bytes() == (run / WEIGHTS).read_bytes()
    assert read_info(out).ref.sha256 == read_info(run).ref.sha256
    assert os.listdir(tmp_path) == ["out"]


def test_that_half_precision_is_half_as_large_and_opens(run: Path, tmp_path: Path) -> None:
    out = export_run(run, tmp_path / "out", half=True)
    before, after = load_file(run / WEIGHTS), load_file(out / WEIGHTS)
    assert {values.dtype for values in after.values()} == {np.dtype(np.float16)}
    for name, values in before.items():
        np.testing.assert_array_equal(after[name], values.astype(np.float16))
    assert open_model(out).info.labels == read_info(run).labels


def test_that_a_zip_file_holds_one_folder_called_like_it(run: Path, tmp_path: Path) -> None:
    out = export_run(run, tmp_path / "my model.zip")
    with zipfile.ZipFile(out) as file:
        assert file.testzip() is None
        assert set(file.namelist()) == {f"my model/{name}" for name in MODEL}
        file.extractall(tmp_path)
    assert read_info(tmp_path / "my model").ref.sha256 == read_info(run).ref.sha256
    assert sorted(os.listdir(tmp_path)) == ["my model", "my model.zip"]


def test_that_diffusers_opens_what_was_exported(run: Path, tmp_path: Path) -> None:
    diffusers = pytest.importorskip("diffusers")
    out = export_run(run, tmp_path / "out")
    network = diffusers.UNet2DModel.from_pretrained(out, subfolder="unet")
    for name, values in load_file(run / WEIGHTS).items():
        np.testing.assert_array_equal(network.state_dict()[name].numpy(), values)
    assert diffusers.DDIMScheduler.from_pretrained(out, subfolder="scheduler").config.prediction_type == "v_prediction"


def test_that_a_classifier_is_exported_as_one(tmp_path: Path) -> None:
    order = TrainOrder(tmp_path / "run", steps=1, batch=4, task="classifier", precision="float32")
    for _ in TrainingSession(order, DATA, network=TINY).work():
        pass
    out = export_run(tmp_path / "run", tmp_path / "out")
    assert read_classifier(out).ref.sha256 == read_classifier(tmp_path / "run").ref.sha256
    assert not (out / "training").exists()


def test_that_nothing_is_written_over(run: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "mine.txt").touch()
    with pytest.raises(Refusal, match="something at"):
        export_run(run, tmp_path / "there")
    (tmp_path / "empty").mkdir()
    assert files(export_run(run, tmp_path / "empty")) == MODEL


def test_that_a_run_is_not_exported_into_itself(run: Path) -> None:
    for out in (run, run / "export", run / "unet" / "x.zip"):
        with pytest.raises(Refusal, match="outside"):
            export_run(run, out)


def test_that_only_runs_are_exported(tmp_path: Path, model: Path) -> None:
    with pytest.raises(Refusal, match="not the folder of a training"):
        export_run(model, tmp_path / "out")
    begin(Ablation("halves", 8, 10), tmp_path / "table")
    with pytest.raises(Refusal, match="one by one"):
        export_run(tmp_path / "table", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_that_a_damaged_model_is_refused_and_nothing_left_behind(run: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(run, damaged)
    (damaged / WEIGHTS).write_bytes((run / WEIGHTS).read_bytes()[:1000])
    for out in (tmp_path / "out", tmp_path / "out.zip"):
        with pytest.raises(Refusal):
            export_run(damaged, out)
    assert os.listdir(tmp_path) == ["damaged"]


def test_that_where_nothing_can_be_written_it_is_said(run: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Refusal):
        export_run(run, tmp_path / "file" / "out")
    with pytest.raises(Refusal, match="does not exist"):
        export_run(run, tmp_path / "nowhere" / "out.zip")


def test_that_what_is_saved_meanwhile_is_exported_as_one_save(run: Path, tmp_path: Path, monkeypatch) -> None:
    live = tmp_path / "live"
    shutil.copytree(run, live)
    read, order = Path.read_bytes, replace(TrainOrder(live), steps=4, resume=True, samples=0)
    times = []

    def read_bytes(path: Path) -> bytes:
        content = read(path)
        if path == live / WEIGHTS and not times:
            times.append(1)
            for _ in TrainingSession(order, DATA, network=TINY).work():
                pass
        return content

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    out = export_run(live, tmp_path / "out")
    assert (out / WEIGHTS).read_bytes() == (live / WEIGHTS).read_bytes() != (run / WEIGHTS).read_bytes()
