"""Checkpoints: sealed, so that harm is noticed; kept, so that there is one to fall back on."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open

from core.errors import Refusal
from core.training.checkpoint import FILE, find_checkpoint, load_checkpoint, read_request, save_checkpoint
from core.training.journal import Journal, Line
from core.training.keeping import KEPT, PREVIOUS, branch, forget_after, keep, list_checkpoints, settle
from core.training.sealed import Harmed, check_seal, metadata_of, write_sealed
from core.training.trainer import Trainer
from tests.core.halves import DATA, REQUEST

TENSORS = {
    "a": torch.arange(6, dtype=torch.float32).reshape(2, 3),
    "one": torch.tensor(3, dtype=torch.int64),
    "draws": torch.arange(7, dtype=torch.uint8),
    "half": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
    "exact": torch.tensor([[0.1]], dtype=torch.float64),
}


@pytest.fixture(scope="module")
def sealed(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("sealed") / "sealed.safetensors"
    with path.open("wb") as stream:
        write_sealed(stream, TENSORS, {"said": 'a “text” with "quotes"'}, lambda: None)
    return path


def trained(folder: Path, steps: int) -> Trainer:
    """A trainer whose checkpoints of steps 1, 2, ... were written, one after the other."""
    trainer = Trainer(REQUEST, DATA)
    for _ in range(steps):
        trainer.one_step()
        save_checkpoint(trainer, folder)
    return trainer


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 16
    path.unlink()  # the file may have other names
    path.write_bytes(content)


def loaded_step(folder: Path, journal: Journal | None = None) -> int:
    trainer = Trainer(REQUEST, DATA)
    load_checkpoint(trainer, folder, journal)
    return trainer.step


# ------------------------------------------------------------------------------------------- the seal


def test_that_others_read_what_was_sealed(sealed: Path) -> None:
    check_seal(sealed)
    with safe_open(str(sealed), framework="pt") as file:
        assert set(file.keys()) == set(TENSORS)
        for name, tensor in TENSORS.items():
            assert torch.equal(file.get_tensor(name), tensor)
            assert file.get_tensor(name).dtype == tensor.dtype
    assert metadata_of(sealed)["said"] == 'a “text” with "quotes"'


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_that_any_flipped_bit_is_noticed(sealed: Path, data: st.DataObject) -> None:
    content = bytearray(sealed.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    harmed = sealed.with_name("harmed.safetensors")
    harmed.write_bytes(content)
    with pytest.raises(Harmed):
        check_seal(harmed)


def test_that_a_file_that_ends_early_is_noticed(sealed: Path) -> None:
    harmed = sealed.with_name("short.safetensors")
    for length in range(0, sealed.stat().st_size, 7):
        harmed.write_bytes(sealed.read_bytes()[:length])
        with pytest.raises(Harmed):
            check_seal(harmed)
        with pytest.raises(Harmed):
            metadata_of(harmed)


# ------------------------------------------------------------------------------------------- falling back


def test_that_a_flipped_byte_is_found_and_the_checkpoint_before_takes_its_place(tmp_path: Path) -> None:
    trained(tmp_path, 3)
    flip(tmp_path / FILE, -1000)
    trainer = Trainer(REQUEST, DATA)
    note = load_checkpoint(trainer, tmp_path)
    assert trainer.step == 2
    assert note == "The latest checkpoint is damaged: the run goes on from that of step 2."
    assert read_request(tmp_path) == REQUEST


def test_that_what_goes_on_from_the_checkpoint_before_ends_on_the_same_bits(tmp_path: Path) -> None:
    whole = trained(tmp_path, 4)
    flip(tmp_path / FILE, -1)
    trainer = Trainer(REQUEST, DATA)
    load_checkpoint(trainer, tmp_path)
    trainer.one_step()
    assert trainer.step == 4
    for name, average in whole.ema.averages.items():
        assert torch.equal(trainer.ema.averages[name], average)


def test_that_a_kept_checkpoint_is_the_last_resort(tmp_path: Path) -> None:
    trained(tmp_path, 1)
    keep(tmp_path, 1)
    trained(tmp_path, 3)
    flip(tmp_path / FILE, 200)
    (tmp_path / PREVIOUS).write_bytes(b"")
    assert loaded_step(tmp_path) == 1
    assert read_request(tmp_path) == REQUEST


def test_that_a_run_of_which_nothing_is_whole_is_refused(tmp_path: Path) -> None:
    trained(tmp_path, 2)
    for path in (tmp_path / FILE, tmp_path / PREVIOUS):
        flip(path, -8)
    with pytest.raises(Refusal, match="damaged"):
        loaded_step(tmp_path)


def test_that_an_older_version_s_checkpoint_without_a_seal_is_read(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    trainer = trained(tmp_path, 1)
    metadata = {name: text for name, text in metadata_of(tmp_path / FILE).items() if name in ("request", "numbers")}
    save_file(load_file(tmp_path / FILE), tmp_path / FILE, metadata)
    assert loaded_step(tmp_path) == trainer.step == 1


def test_that_what_was_taken_back_is_not_gone_on_from(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.write(Line(0, {}))
    trainer = Trainer(REQUEST, DATA)
    for _ in range(2):
        trainer.one_step()
        save_checkpoint(trainer, tmp_path, journal)
    assert loaded_step(tmp_path, journal=journal) == 2
    journal.write(Line(1, {}, 0.5))
    assert loaded_step(tmp_path, journal=journal) == 1
    assert find_checkpoint(tmp_path, journal, at_most=0) is None


def test_that_others_may_work_while_a_checkpoint_is_written_and_stop_it(tmp_path: Path) -> None:
    trainer = trained(tmp_path, 1)
    before, calls = (tmp_path / FILE).read_bytes(), [0]

    def stops() -> None:
        calls[0] += 1
        if calls[0] == 20:
            raise KeyboardInterrupt

    trainer.one_step()
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(trainer, tmp_path, between=stops)
    assert (tmp_path / FILE).read_bytes() == before
    assert list((tmp_path / FILE).parent.glob(".*")) == []


# ------------------------------------------------------------------------------------------- keeping


def test_that_of_each_step_one_is_listed(tmp_path: Path) -> None:
    assert list_checkpoints(tmp_path) == ()
    for step in (1, 2, 3):
        trained(tmp_path, step)
        keep(tmp_path, step)
    keep(tmp_path, 3, best=True)
    trained(tmp_path, 4)
    found = list_checkpoints(tmp_path)
    assert [checkpoint.step for checkpoint in found] == [1, 2, 3, 4]
    assert [checkpoint.latest for checkpoint in found] == [False, False, False, True]
    assert [checkpoint.best for checkpoint in found] == [False, False, True, False]
    assert found[0].path == tmp_path / KEPT / "step-000001.safetensors"
    for checkpoint in found:
        check_seal(checkpoint.path)


def test_that_the_best_takes_the_place_of_the_best_before(tmp_path: Path) -> None:
    for step in (1, 2):
        trained(tmp_path, step)
        keep(tmp_path, step, best=True)
    assert sorted(os.listdir(tmp_path / KEPT)) == ["step-000002-best.safetensors"]


def test_that_what_is_kept_does_not_change_with_the_latest(tmp_path: Path) -> None:
    trained(tmp_path, 1)
    keep(tmp_path, 1)
    kept = list_checkpoints(tmp_path)[0]
    content = kept.path.read_bytes()
    trained(tmp_path, 3)
    assert (tmp_path / KEPT / "step-000001.safetensors").read_bytes() == content


def test_that_checkpoints_are_kept_on_disks_without_second_names(tmp_path: Path, monkeypatch) -> None:
    def no_link(source: object, target: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_link)
    trained(tmp_path, 2)
    keep(tmp_path, 2)
    assert (tmp_path / KEPT / "step-000002.safetensors").read_bytes() == (tmp_path / FILE).read_bytes()
    assert find_checkpoint(tmp_path, at_most=1).path == tmp_path / PREVIOUS


def test_that_a_run_that_is_over_keeps_one_latest_checkpoint(tmp_path: Path) -> None:
    trained(tmp_path, 2)
    settle(tmp_path)
    assert not (tmp_path / PREVIOUS).exists()
    trained(tmp_path, 3)
    flip(tmp_path / FILE, -3)
    settle(tmp_path)
    assert loaded_step(tmp_path) == 2


def test_that_later_steps_are_forgotten(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        trained(tmp_path, step)
        keep(tmp_path, step, best=step == 3)
    forget_after(tmp_path, 1)
    assert os.listdir(tmp_path / KEPT) == ["step-000001.safetensors"]


def test_that_a_run_can_branch_off_a_kept_checkpoint(tmp_path: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "branch"
    trained(run, 2)
    keep(run, 2)
    trained(run, 4)
    shutil.copy(run / FILE, run / "training" / "history.npz")  # any file: it is copied as it is
    branch(run, 2, out)
    assert loaded_step(out) == 2
    assert read_request(out) == replace(REQUEST)
    assert (out / "training" / "history.npz").is_file()
    with pytest.raises(Refusal, match="no checkpoint of step 3"):
        branch(run, 3, tmp_path / "other")
    with pytest.raises(Refusal, match="there already"):
        branch(run, 2, out)
