"""What a run has shown so far, on the disk and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Refusal
from core.training import history as module
from core.training.history import FILE, History, read_history, write_history


def of(losses: list[float]) -> History:
    history = History()
    for loss in losses:
        history.add(loss)
    return history


def test_that_losses_come_back_from_the_disk(tmp_path: Path) -> None:
    history = of([0.5, 0.25, 0.125])
    write_history(history, tmp_path)
    read = read_history(tmp_path)
    assert read.losses.tolist() == [0.5, 0.25, 0.125]
    assert (read.step, read.note) == (3, "")


def test_that_what_is_given_away_cannot_be_changed() -> None:
    history = of([1.0])
    assert not history.losses.flags.writeable


@given(steps=st.integers(0, 100), limit=st.sampled_from([4, 6, 10]))
def test_that_a_long_run_keeps_the_means_of_its_steps(steps: int, limit: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MAX_LOSSES", limit)
        losses = of([float(step) for step in range(steps)]).losses
    assert len(losses) == steps
    assert losses.sum() == pytest.approx(sum(range(steps)), rel=1e-5)
    stride = 1
    while steps // stride >= limit:
        stride *= 2
    for first in range(0, steps, stride):
        block = range(first, min(first + stride, steps))
        np.testing.assert_allclose(losses[block.start : block.stop], np.mean(block), rtol=1e-6)


@given(steps=st.integers(0, 40), cut=st.integers(0, 60), more=st.integers(0, 20))
def test_that_a_history_can_be_cut_and_gone_on_with(steps: int, cut: int, more: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MAX_LOSSES", 10)
        history = of([1.0] * steps)
        history.cut_to(cut)
        assert history.step == len(history.losses) == cut
        known = np.isfinite(history.losses)
        assert known[: min(cut, steps)].all()
        for _ in range(more):
            history.add(1.0)
        assert history.step == len(history.losses) == cut + more


def test_that_cut_histories_keep_the_values_of_the_steps_that_stay(tmp_path: Path) -> None:
    history = of([4.0, 3.0, 2.0, 1.0])
    history.cut_to(2)
    history.add(9.0)
    assert history.losses.tolist() == [4.0, 3.0, 9.0]


def test_that_the_recent_loss_is_the_mean_of_the_last_steps_that_are_known() -> None:
    assert of([]).recent_loss() is None
    assert of([9.0] * 50 + [1.0] * 60 + [3.0] * 40).recent_loss() == pytest.approx(1.8)
    assert of([float("nan"), 2.0]).recent_loss() == 2.0


def test_that_a_run_without_a_history_has_an_empty_one(tmp_path: Path) -> None:
    read = read_history(tmp_path)
    assert (read.step, read.note) == (0, "")


@pytest.mark.parametrize("change", ["cut", "text", "losses", "stride", "long", "object", "bomb"])
def test_that_a_damaged_history_is_empty_and_says_so(
    tmp_path: Path, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = of([0.5, 0.25])
    write_history(history, tmp_path)
    path = tmp_path / FILE
    with np.load(path) as kept:
        arrays = dict(kept)
    if change == "cut":
        path.write_bytes(path.read_bytes()[:200])
    elif change == "text":
        path.write_text("no history")
    elif change == "bomb":
        monkeypatch.setattr(module, "MAX_FILE_BYTES", 100)
    else:
        arrays |= {
            "losses": {"losses": np.zeros(5, np.float32)},
            "stride": {"stride": np.int64(0)},
            "long": {"stride": np.int64(2**40), "step": np.int64(2**41)},
            "object": {"losses": np.array([{}, {}])},
        }[change]
        np.savez(path, **arrays)
    read = read_history(tmp_path)
    assert read.step == 0
    assert "is damaged" in read.note


def test_that_a_history_that_cannot_be_written_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Refusal, match="could not be written"):
        write_history(History(), tmp_path / "file")
