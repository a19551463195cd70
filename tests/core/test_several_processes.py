"""Trainings that processes share: as torchrun starts them, here without its minutes of patience."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from safetensors.torch import load_file

from core.errors import Cancelled, Refusal
from core.training.events import TrainStep
from core.training.group import ALONE, Group, group_of_this_process, joining
from core.training.history import read_history
from core.training.run import train_on_folder
from core.training.trainer import Trainer
from tests.core.halves import folder_of, two_classes

MAIN = Path(__file__).parents[2] / "main.py"
SETTINGS = {"batch": 6, "samples": 0, "prediction": "eps", "timestep_sampler": "loss_second_moment", "flip": True}
OPTIONS = ("--size", "8", "--prediction", "eps", "--timestep-sampler", "loss_second_moment", "--flip", "--no-compile")

pytestmark = pytest.mark.skipif(not dist.is_available(), reason="this torch cannot join processes")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFUSCOPE_HOME", str(tmp_path / "home"))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return folder_of(two_classes(12), tmp_path / "halves")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def started(world: int, *arguments: str) -> list[subprocess.Popen[str]]:
    """The processes of ``main.py train`` with what torchrun tells each."""
    port = str(free_port())
    processes = []
    for rank in range(world):
        told = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world), "OMP_NUM_THREADS": "1"}
        place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        processes.append(
            subprocess.Popen(
                [sys.executable, str(MAIN), "train", *arguments],
                env=os.environ | told | place,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    return processes


def ended(processes: list[subprocess.Popen[str]]) -> list[tuple[int, str, str]]:
    """Exit code, output and complaints of each."""
    try:
        return [(process.wait(100), *process.communicate()) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def test_that_two_processes_go_on_with_the_run_of_one_as_if_it_were_still_one(pictures: Path, tmp_path: Path) -> None:
    whole, shared = tmp_path / "whole", tmp_path / "shared"
    train_on_folder(pictures, whole, size=8, steps=5, **SETTINGS)

    def stop(at: int) -> None:
        def tick(trainer: Trainer, step: TrainStep) -> None:
            if step.step == at:
                raise Cancelled

        with pytest.raises(Cancelled):
            train_on_folder(pictures, shared, size=8, steps=5, on_tick=tick, **SETTINGS)

    stop(2)
    found = ended(started(2, str(pictures), "--out", str(shared), "--batch", "3", "--resume", *OPTIONS))
    assert [code for code, _, _ in found] == [0, 0], found
    assert "5 steps" in found[0][1]
    assert found[1][1:] == ("", "")  # the first one speaks for all
    expected = read_history(whole).losses
    np.testing.assert_allclose(read_history(shared).losses, expected, rtol=1e-5)
    mine, other = (load_file(run / "unet" / "diffusion_pytorch_model.safetensors") for run in (shared, whole))
    assert all(torch.allclose(mine[name], other[name], rtol=1e-4, atol=1e-6) for name in other)
    longer = train_on_folder(pictures, shared, size=8, steps=6, resume=True, **SETTINGS)
    assert longer.step == 6


def test_that_a_killed_process_ends_all_with_words_and_keeps_the_checkpoint(pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    first, second = started(2, str(pictures), "--out", str(out), "--steps", "1000000", "--batch", "2", *OPTIONS)
    checkpoint, patience = out / "training" / "checkpoint.safetensors", time.monotonic() + 90
    while not checkpoint.is_file() and first.poll() is None and time.monotonic() < patience:
        time.sleep(0.1)
    time.sleep(0.5)
    second.send_signal(signal.SIGKILL)
    (code, _, words), _ = ended([first, second])
    assert code == 2
    assert "Another process of this training has ended" in words
    assert "--resume" in words
    assert "Traceback" not in words
    assert checkpoint.is_file()


def test_that_a_refusal_of_the_first_process_lets_the_others_go(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    found = ended(started(2, str(tmp_path / "empty"), "--out", str(tmp_path / "run"), *OPTIONS))
    assert [code for code, _, _ in found] == [2, 0]
    assert "There are no pictures" in found[0][2]
    assert found[1][1:] == ("", "")


@pytest.mark.parametrize(("batch", "world", "rank", "share"), [(6, 2, 1, slice(3, 6)), (5, 1, 0, slice(0, 5))])
def test_that_a_batch_is_shared_evenly(batch: int, world: int, rank: int, share: slice) -> None:
    assert Group(rank, world).share(batch) == share


@pytest.mark.parametrize(("batch", "world"), [(7, 2), (2, 4)])
def test_that_a_batch_that_cannot_be_shared_is_refused(batch: int, world: int) -> None:
    with pytest.raises(Refusal, match="cannot be shared evenly"):
        Group(0, world).share(batch)


def test_that_a_process_by_itself_joins_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with joining("cpu") as group:
        assert group is ALONE
        assert group_of_this_process() is ALONE
        assert not dist.is_initialized()
