"""``main.py train`` where something goes wrong on the way: it helps itself, and says so."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest
import torch

from core.errors import Diverged
from core.files import write_refusal
from core.training import saving
from core.training.trainer import Trainer
from tests.core.halves import DATA, TINY, folder_of

WRITE = saving.save_checkpoint


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[object, ...]:
    monkeypatch.setattr("core.training.resolve.network_of", lambda *settings: TINY)
    monkeypatch.setattr("core.cli.train.SAMPLES", 0)
    monkeypatch.setattr("core.cli.train.WAIT_SECONDS", 0.2)
    folder = folder_of(DATA, tmp_path / "halves")
    more = ("--size", 8, "--batch", 4, "--steps", 6, "--device", "cpu", "--json")
    return ("train", folder, "--out", "run", *more)


def fail_once(monkeypatch: pytest.MonkeyPatch, step: int, error: Exception) -> None:
    whole, left = Trainer.one_step, [error]

    def one_step(trainer: Trainer, *others: float):
        if trainer.step == step and left:
            raise left.pop()
        return whole(trainer, *others)

    monkeypatch.setattr(Trainer, "one_step", one_step)


def test_that_a_training_goes_back_and_says_so(command, arguments, monkeypatch) -> None:
    fail_once(monkeypatch, 4, Diverged("", 5))
    code, out, err = command(*arguments)
    assert (code, json.loads(out)["step"]) == (0, 6)
    assert "step 5: its loss is no longer a number. Going on from step 0 with a learning rate times 0.5" in err


def test_that_a_training_goes_on_in_smaller_parts_and_says_so(command, arguments, monkeypatch) -> None:
    fail_once(monkeypatch, 4, torch.OutOfMemoryError("out of memory"))
    code, out, err = command(*arguments)
    assert (code, json.loads(out)["step"]) == (0, 6)
    assert "from step 5 on: " in err
    assert "2 pictures at once (there was not enough memory for more at once)" in err


def test_that_a_training_waits_until_a_full_disk_has_room(command, arguments, monkeypatch) -> None:
    fails = [3]

    def save(trainer: Trainer, folder: Path, *others: object) -> None:
        if trainer.step and fails[0]:
            fails[0] -= 1
            raise write_refusal(folder, OSError(errno.ENOSPC, "No space left on device"))
        WRITE(trainer, folder, *others)

    monkeypatch.setattr(saving, "save_checkpoint", save)
    code, out, err = command(*arguments)
    assert (code, json.loads(out)["step"]) == (0, 6)
    assert err.count("disk is full") == 1
    assert "The training waits and keeps what it has learned" in err
    assert fails == [0]


def test_that_what_a_training_takes_and_what_may_go_wrong_is_said_before_its_first_step(command, arguments) -> None:
    code, _, err = command(*arguments[:-1], "--batch", 64, "--steps", 2)
    assert code == 0
    assert "2 steps in about 0:0" in err
    assert "each picture seen about 13 times" in err  # 2 x 64 of 10
    assert "A batch of 10 would do" in err
    _, _, again = command(*arguments[:-1], "--batch", 64, "--steps", 3, "--resume")
    assert "would do" not in again
