"""What a run has shown so far, on the disk and back."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Refusal
from core.training import history as module
from core.training.events import LEVELS, RolledBack, TrainStep, Validated
from core.training.history import FILE, History, read_history, write_history


def of(losses: list[float]) -> History:
    history = History()
    for loss in losses:
        history.add(step_of(loss))
    return history


def step_of(loss: float, by_level: list[float] | None = None) -> TrainStep:
    levels = np.full(LEVELS, np.nan, np.float32) if by_level is None else np.array(by_level, np.float32)
    return TrainStep(step=0, loss=loss, lr=loss / 10, gradient_norm=loss * 10, seconds=0.1, by_level=levels)


def validated(step: int, loss: float = 0.5) -> Validated:
    return Validated(step, loss, np.linspace(0, 1, LEVELS, dtype=np.float32))


def test_that_losses_come_back_from_the_disk(tmp_path: Path) -> None:
    history = of([0.5, 0.25, 0.125])
    write_history(history, tmp_path)
    read = read_history(tmp_path)
    assert read.losses.tolist() == [0.5, 0.25, 0.125]
    assert (read.step, read.note) == (3, "")


def test_that_all_curves_come_back_from_the_disk(tmp_path: Path) -> None:
    history = of([0.5, 0.25])
    history.add(step_of(0.125, [*range(9), float("nan")]))
    history.add_validated(validated(2, 0.75))
    history.add_rolled_back(RolledBack(3, 2, 0.5, "The loss exploded."))
    history.add(step_of(4.0, [*range(9), float("nan")]))
    write_history(history, tmp_path)
    read = read_history(tmp_path)
    np.testing.assert_array_equal(read.norms, [5, 2.5, 40])
    np.testing.assert_allclose(read.rates, [0.05, 0.025, 0.4], rtol=1e-6)
    np.testing.assert_array_equal(read.by_level[2], [*range(9), math.nan])
    assert np.isnan(read.by_level[:2]).all()
    (kept,) = read.validated
    assert (kept.step, kept.loss) == (2, 0.75)
    np.testing.assert_array_equal(kept.by_level, validated(2).by_level)
    assert read.rolled_back == (RolledBack(3, 2, 0.5, "The loss exploded."),)


def test_that_a_history_of_losses_alone_is_still_read(tmp_path: Path) -> None:
    path = tmp_path / FILE
    path.parent.mkdir()
    losses = np.array([3, 2, 1], np.float32)
    np.savez(path, losses=losses, stride=np.int64(2), step=np.int64(5), sample_steps=np.zeros(0, np.int64))
    read = read_history(tmp_path)
    assert read.losses.tolist() == [3, 3, 2, 2, 1]
    assert np.isnan(read.norms).all()
    assert (read.step, read.validated, read.note) == (5, (), "")
    read.add(step_of(3.0))
    assert read.losses.tolist() == [3, 3, 2, 2, 2, 2]


def test_that_what_is_written_is_the_same_whether_or_not_it_was_read_in_between(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MAX_STEPS", 8)
        whole, parted = of([float(step) for step in range(45)]), of([float(step) for step in range(23)])
        write_history(parted, tmp_path / "parted")
        parted = read_history(tmp_path / "parted")
        for step in range(23, 45):
            parted.add(step_of(float(step)))
        for history, name in ((whole, "whole"), (parted, "parted")):
            history.add_validated(validated(40))
            write_history(history, tmp_path / name)
    assert (tmp_path / "whole" / FILE).read_bytes() == (tmp_path / "parted" / FILE).read_bytes()


def test_that_a_roll_back_takes_back_what_came_after() -> None:
    history = of([1.0, 1.0, 1.0, float("inf")])
    history.add_validated(validated(1))
    history.add_validated(validated(3))
    history.add_rolled_back(RolledBack(4, 2, 0.5, "once"))
    history.add(step_of(1.0))
    history.add_rolled_back(RolledBack(3, 2, 0.25, "twice"))
    assert (history.step, [kept.step for kept in history.validated]) == (2, [1])
    assert [kept.why for kept in history.rolled_back] == ["once", "twice"]
    history.cut_to(1)
    assert history.rolled_back == ()


def test_that_validations_stay_few_and_keep_both_ends() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MAX_VALIDATED", 9)
        history = of([1.0] * 500)
        for step in range(0, 500, 10):
            history.add_validated(validated(step))
    steps = [kept.step for kept in history.validated]
    assert len(steps) <= 9
    assert (steps[0], steps[-1]) == (0, 490)
    assert steps == sorted(set(steps))


def test_that_a_step_validated_again_takes_the_place_of_the_former() -> None:
    history = of([1.0] * 9)
    for step, loss in ((3, 0.5), (6, 0.4), (3, 0.3)):
        history.add_validated(validated(step, loss))
    assert [(kept.step, kept.loss) for kept in history.validated] == [(3, 0.3)]


def test_that_what_is_given_away_cannot_be_changed() -> None:
    history = of([1.0])
    assert not history.losses.flags.writeable


@given(steps=st.integers(0, 100), limit=st.sampled_from([4, 6, 10]))
def test_that_a_long_run_keeps_the_means_of_its_steps(steps: int, limit: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MAX_STEPS", limit)
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
        patch.setattr(module, "MAX_STEPS", 10)
        history = of([1.0] * steps)
        history.cut_to(cut)
        assert history.step == len(history.losses) == cut
        known = np.isfinite(history.losses)
        assert known[: min(cut, steps)].all()
        for _ in range(more):
            history.add(step_of(1.0))
        assert history.step == len(history.losses) == cut + more


def test_that_cut_histories_keep_the_values_of_the_steps_that_stay(tmp_path: Path) -> None:
    history = of([4.0, 3.0, 2.0, 1.0])
    history.cut_to(2)
    history.add(step_of(9.0))
    assert history.losses.tolist() == [4.0, 3.0, 9.0]


def test_that_the_recent_loss_is_the_mean_of_the_last_steps_that_are_known() -> None:
    assert of([]).recent_loss() is None
    assert of([9.0] * 50 + [1.0] * 60 + [3.0] * 40).recent_loss() == pytest.approx(1.8)
    assert of([float("nan"), 2.0]).recent_loss() == 2.0


def test_that_a_run_without_a_history_has_an_empty_one(tmp_path: Path) -> None:
    read = read_history(tmp_path)
    assert (read.step, read.note) == (0, "")


@pytest.mark.parametrize(
    "change",
    [
        *("cut", "text", "bomb", "steps", "stride", "open", "object", "validated", "rolled back", "text for json"),
        *("losses", "long"),
    ],
)
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
            "steps": {"steps": np.zeros(5, np.float32)},
            "stride": {"stride": np.int64(0)},
            "open": {"open": np.zeros((1, 13))},
            "object": {"steps": np.array([{}, {}])},
            "validated": {"validated": np.zeros(3)},
            "rolled back": {"rolled_back": np.array("[{}]")},
            "text for json": {"rolled_back": np.array("[[")},
            "losses": {"losses": np.zeros(5, np.float32), "step": np.int64(2), "stride": np.int64(1)},
            "long": {"losses": np.zeros(2, np.float32), "stride": np.int64(2**40), "step": np.int64(2**41)},
        }[change]
        np.savez(path, **arrays)
    read = read_history(tmp_path)
    assert read.step == 0
    assert "is damaged" in read.note


def test_that_a_history_that_cannot_be_written_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Refusal, match="could not be written"):
        write_history(History(), tmp_path / "file")
