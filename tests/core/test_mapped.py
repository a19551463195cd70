"""Decoded pictures whose file is cut short while they are in use: refused in words, where the system would end the
program, and nothing learned is lost."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from core.messages import Failed, TrainingSaved, TrainingTick
from core.training.dataset import PictureFolder, open_folder
from core.training.events import TrainStep
from core.training.keeping import LATEST, step_of
from core.training.mapped import CutShort, check_whole
from core.training.order import TrainOrder
from core.training.run import train_on_folder
from core.training.trainer import Trainer
from tests.core.halves import DATA, REQUEST, TINY, folder_of


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFUSCOPE_HOME", str(tmp_path / "home"))


@pytest.fixture
def halves(tmp_path: Path) -> Path:
    return folder_of(DATA, tmp_path / "halves")


def cut(data: PictureFolder, length: int = 100) -> None:
    os.truncate(Path(data.report.cache) / "pictures.u8", length)


def test_that_a_step_on_pictures_that_were_cut_short_is_refused_and_undone(halves: Path) -> None:
    data = open_folder(halves, 8)
    trainer = Trainer(replace(REQUEST, data_sha256=data.sha256), data)
    trainer.one_step()
    before = {name: value.clone() for name, value in trainer.state()[0].items()}
    cut(data)
    with pytest.raises(CutShort, match=r"cut short on the disk.*Open the folder again"):
        trainer.one_step()
    after = trainer.state()[0]
    assert before.keys() == after.keys()
    assert all(torch.equal(after[name], value) for name, value in before.items())


@pytest.mark.parametrize(
    "read",
    [
        lambda data: data.only(np.arange(10)),
        lambda data: data.at(np.array([9])),
        lambda data: replace(data, classes=("up", "down")).sha256,
        lambda data: data.in_channels(3).at(np.array([9])),
    ],
    ids=["only", "at", "hash", "in other channels"],
)
def test_that_pictures_that_were_cut_short_are_refused_not_read(
    halves: Path, read: Callable[[PictureFolder], object]
) -> None:
    data = open_folder(halves, 8)
    read(data)
    cut(data)
    with pytest.raises(CutShort):
        read(replace(data, _known=[]))


def test_that_pictures_whose_file_was_deleted_or_that_lie_in_memory_are_whole(halves: Path) -> None:
    data = open_folder(halves, 8)
    (Path(data.report.cache) / "pictures.u8").unlink()
    check_whole(data.pictures)
    check_whole(DATA.pictures)


def test_that_a_folder_whose_pictures_were_cut_short_is_decoded_anew(halves: Path) -> None:
    cut(open_folder(halves, 8))
    np.testing.assert_array_equal(open_folder(halves, 8).pictures[0], DATA.pictures[0])


def test_that_what_was_learned_before_is_kept_and_gone_on_with(halves: Path, tmp_path: Path) -> None:
    out, opened = tmp_path / "run", list[PictureFolder]()

    def cut_at_three(trainer: Trainer, step: TrainStep) -> None:
        if step.step == 3:
            cut(opened[0])

    with pytest.raises(CutShort):
        train_on_folder(
            *(halves, out), size=8, steps=6, batch=4, network=TINY, on_folder=opened.append, on_tick=cut_at_three
        )
    assert step_of(out / LATEST) == 3
    assert train_on_folder(halves, out, size=8, steps=6, resume=True, network=TINY).step == 6


def test_that_the_window_is_told_and_the_training_saved(halves: Path, tmp_path: Path, listening) -> None:
    toy, data = listening(), open_folder(halves, 8)
    job = toy.engine.train(TrainOrder(tmp_path / "run", preset="small", steps=10**6, batch=2, samples=0), data)
    toy.wait(lambda: toy.of(TrainingTick))
    cut(data)
    toy.wait(lambda: toy.ended(job))
    assert isinstance(toy.ended(job), Failed)
    assert "Open the folder again" in toy.ended(job).message
    assert toy.of(TrainingSaved)[-1].step == sum(len(tick.losses) for tick in toy.of(TrainingTick)) > 0
