"""A run's folder in which somebody, or something, has changed what is written: refused in words, or mended."""

from __future__ import annotations

import json
import math
import os
import pickle
import sys
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

from core.errors import Refusal
from core.model_folder import read_info
from core.training.checkpoint import FILE, find_checkpoint, read_request, restore_checkpoint
from core.training.dataset import open_folder
from core.training.journal import DAMAGED, Journal
from core.training.journal import FILE as JOURNAL
from core.training.keeping import list_checkpoints
from core.training.kernel_path import KernelPath
from core.training.order import TrainOrder
from core.training.run import train_on_folder
from core.training.runs import list_runs, runs_folder
from core.training.sealed import write_sealed
from core.training.session import TrainingSession
from tests.core.halves import DATA, REQUEST, TINY, folder_of

SETTINGS: dict[str, Any] = {"batch": 4, "samples": 0, "precision": "float32"}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    out = tmp_path / "run"
    for _ in TrainingSession(order(out, steps=2), DATA, network=TINY).work():
        pass
    return out


def order(out: Path, **settings: Any) -> TrainOrder:
    return TrainOrder(out, **SETTINGS, **settings)


def resumed(out: Path) -> TrainingSession:
    return TrainingSession(order(out, steps=3, resume=True), DATA, network=TINY)


def rewritten(out: Path, tensors: dict[str, torch.Tensor] | None = None, **metadata: str) -> None:
    """The checkpoint with other contents under a seal of its own, as one who means harm would make it."""
    with safe_open(out / FILE, "pt") as file:
        said = {name: value for name, value in file.metadata().items() if name not in ("format", "sha256")}
        kept = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    (out / FILE).unlink()
    with (out / FILE).open("wb") as stream:
        write_sealed(stream, kept | (tensors or {}), said | metadata, lambda: None)


def numbers(out: Path, **changes: float) -> str:
    with safe_open(out / FILE, "pt") as file:
        return json.dumps(json.loads(file.metadata()["numbers"]) | changes)


@pytest.mark.parametrize(
    "changes",
    [{"step": math.inf}, {"step": -1}, {"step": math.nan}, {"updates": math.inf}, {"lr_scale": 0}, {"lr_scale": 2}],
)
def test_that_a_checkpoint_with_impossible_numbers_is_refused(run: Path, changes: dict[str, float]) -> None:
    rewritten(run, numbers=numbers(run, **changes))
    with pytest.raises(Refusal, match="is damaged"):
        resumed(run)
    list_checkpoints(run)


def test_that_a_checkpoint_of_endless_brackets_is_refused(run: Path) -> None:
    rewritten(run, numbers="[" * 100_000)
    assert list_checkpoints(run) == ()
    with pytest.raises(Refusal, match="is damaged"):
        find_checkpoint(run)


@pytest.mark.parametrize("prefix", ["weights/", "average/"])
def test_that_weights_that_are_no_numbers_are_not_gone_on_with(run: Path, prefix: str) -> None:
    trainer = resumed(run).trainer
    name, weights = next(item for item in trainer.state()[0].items() if item[0].startswith(prefix))
    rewritten(run, {name: torch.full_like(weights, math.nan)})
    with pytest.raises(Refusal, match="is damaged"):
        restore_checkpoint(trainer, run / FILE)


def test_that_an_order_of_other_pictures_is_refused(run: Path) -> None:
    rewritten(run, {"order": torch.tensor([3, 10**12])})
    with pytest.raises(Refusal, match="does not belong"):
        resumed(run)


def test_that_a_checkpoint_that_is_a_pickle_is_never_unpickled(run: Path, tmp_path: Path) -> None:
    (run / FILE).unlink()
    (run / FILE).write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    with pytest.raises(Refusal, match="is damaged"):
        read_request(run)
    assert not (tmp_path / "sprung").exists()


class Trap:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[Path]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize(
    "changes",
    [
        {"lr_scale": math.nan},
        {"lr_scale": 0.0},
        {"lr_scale": 1e9},
        {"step": -5},
        {"step": math.inf},
        {"path": {"threads": -1}},
        {"path": {"threads": 10**9}},
        {"path": {"micro_batch": 0}},
        {"path": {"precision": "int3"}},
        {"path": {"threads": "many"}},
    ],
)
def test_that_absurd_lines_of_a_journal_are_left_out_and_the_run_goes_on(run: Path, changes: dict[str, Any]) -> None:
    text = (run / JOURNAL).read_bytes().splitlines()[0].partition(b" ")[2]
    line = json.loads(text)
    changed = json.dumps({**line, **changes, "path": {**line["path"], **changes.get("path", {})}}).encode()
    with (run / JOURNAL).open("ab") as file:
        file.write(b"%08x %s\n" % (zlib.crc32(changed), changed))
    assert [kept.step for kept in Journal(run).lines] == [0]
    going_on = resumed(run)
    assert DAMAGED in going_on.notes
    assert [event.step for event in going_on.work() if event is not None][-1] == 3


def test_that_a_journal_of_endless_brackets_is_left_out(run: Path) -> None:
    text = b"[" * 100_000
    (run / JOURNAL).write_bytes(b"%08x %s\n" % (zlib.crc32(text), text))
    assert Journal(run).note == DAMAGED


def test_that_a_step_is_not_worked_on_by_a_million_threads() -> None:
    with pytest.raises(Refusal, match="at most 1024 threads"):
        KernelPath(threads=1_000_000)


def test_that_a_batch_that_no_memory_holds_is_refused_before_it_is_drawn() -> None:
    with pytest.raises(Refusal, match=r"batch of 1,000,000,000 pictures is too large"):
        replace(REQUEST, batch=1_000_000_000)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere every name is text")
def test_that_folders_whose_names_are_no_text_are_trained_on_and_listed(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("DIFFUSCOPE_HOME", str(tmp_path / "home"))
    named = Path(os.fsdecode(os.fsencode(tmp_path) + b"/pictures\xff"))
    folder_of(replace(DATA, classes=("left", os.fsdecode(b"\xfe"))), named)
    out = runs_folder() / "run"
    train_on_folder(named, out, size=8, steps=2, network=TINY, **SETTINGS)
    train_on_folder(named, out, size=8, steps=3, resume=True, network=TINY)
    (listed,) = list_runs()
    assert (listed.data_name, listed.pictures, listed.step) == (r"pictures\xff", named, 3)
    assert set(read_info(out).labels) == {"left", r"\xfe"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes among its files")
def test_that_pipes_and_devices_among_the_pictures_are_left_out_and_said(tmp_path: Path) -> None:
    folder = folder_of(DATA, tmp_path / "halves")
    os.mkfifo(folder / "left" / "pipe.png")
    (folder / "left" / "zero.png").symlink_to("/dev/zero")
    found = open_folder(folder, 8)
    assert len(found) == len(DATA)
    assert [(name, why.partition(" is ")[2]) for name, why in found.skipped] == [
        ("left/pipe.png", "a device or a pipe, not a file."),
        ("left/zero.png", "a device or a pipe, not a file."),
    ]


@pytest.mark.parametrize("file", ["history.npz", "samples.npz", "journal.jsonl", "run.json", "at-work.json"])
def test_that_a_folder_in_the_place_of_a_file_is_said_with_what_to_do(run: Path, file: str) -> None:
    path = run / "training" / file
    path.unlink(missing_ok=True)
    path.mkdir()
    with pytest.raises(Refusal, match=rf"{file}.*[Mm]ove it") as caught:
        list(resumed(run).work())
    assert "Traceback" not in str(caught.value)
    path.rmdir()
    assert resumed(run).trainer.step == 2


@pytest.mark.parametrize("file", ["history.npz", "samples.npz"])
def test_that_what_cannot_be_shown_for_a_folder_in_its_place_is_said(run: Path, file: str) -> None:
    path = run / "training" / file
    path.unlink(missing_ok=True)
    path.mkdir()
    assert any(f"{file} is damaged" in note for note in resumed(run).notes)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere every name is text")
def test_that_a_run_is_refused_a_folder_whose_name_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="no text"):
        TrainingSession(order(tmp_path / os.fsdecode(b"\xff"), steps=1), DATA, network=TINY)
