"""Trainings whose process is killed at chosen moments: nothing is lost but the steps since the last checkpoint, it is
offered to go on, and the end is the same to the byte."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from core.errors import Diverged
from core.training.checkpoint import find_checkpoint
from core.training.claim import FILE as CLAIM
from core.training.comparison import read_settings
from core.training.events import Event, RolledBack, TrainStep
from core.training.keeping import LATEST, branch, step_of
from core.training.order import TrainOrder
from core.training.path_keeper import PathKeeper
from core.training.product import ModelProduct
from core.training.run_folder import check_run
from core.training.runs import FILE as SUMMARY
from core.training.runs import interrupted_runs, list_runs, new_run_folder, runs_folder
from core.training.saving import Saver
from core.training.session import TrainingSession
from core.training.trainer import Trainer
from core.training.validation import Validator
from tests.bench.resume import differences
from tests.core.halves import REQUEST, TINY, two_classes
from tests.forked import can_fork, die, die_at_change, forked

pytestmark = pytest.mark.skipif(not can_fork, reason="this system cannot fork")

DATA = two_classes(20)
STEPS = 6


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFUSCOPE_HOME", str(tmp_path / "home"))


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Threads of a pool are not forked with their process, but what it has imported is."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    Trainer(replace(REQUEST, data_sha256=DATA.sha256), DATA)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def order() -> TrainOrder:
    return order_for("run")


def order_for(name: str, samples: int = 0) -> TrainOrder:
    watched = {"validation": 4, "keep_every": 3, "keep_best": True, "samples": samples, "sample_every": 0.0}
    return TrainOrder(
        runs_folder() / name, steps=STEPS, batch=4, precision="float32", save_every=0.05, resume=True, **watched
    )


def train(order: TrainOrder, until: Callable[[Event | None], bool] = lambda event: False) -> None:
    """Begin the run or go on with it, to its end, or killed at an event of its."""
    for event in TrainingSession(order, DATA, network=TINY).work():
        if until(event):
            die()


def whole() -> Path:
    order = order_for("whole")
    train(order)
    return order.out


def check_it_ends_as_if_nothing_had_been(order: TrainOrder) -> None:
    train(order)
    assert differences(order.out, whole()) == []
    assert list(order.out.rglob(".*")) == []


# ------------------------------------------------------------------------------------------------ at chosen moments


def at_its_first_step(event: Event | None) -> bool:
    return isinstance(event, TrainStep)


def while_it_draws(event: Event | None) -> bool:
    return event is None


@pytest.mark.parametrize("moment", [at_its_first_step, while_it_draws])
def test_that_a_run_killed_before_its_first_step_is_over_begins_again(order: TrainOrder, moment) -> None:
    order = replace(order, samples=2)
    assert forked(lambda: train(order, moment)) == -signal.SIGKILL
    assert [run.step for run in interrupted_runs()] == [0]
    check_it_ends_as_if_nothing_had_been(order)


@pytest.mark.parametrize(
    ("owner", "method", "call"),
    [(Validator, "measure", 1), (Saver, "_write", 2), (PathKeeper, "before_step", 4)],
    ids=["validating", "saving", "between two steps"],
)
def test_that_a_run_killed_while_it_works_is_offered_and_loses_no_bit(
    order: TrainOrder, owner: type, method: str, call: int
) -> None:
    def killed() -> None:
        plain, left = getattr(owner, method), [call]

        def dies(*arguments: object, **more: object) -> object:
            left[0] -= 1
            if not left[0]:
                die()
            return plain(*arguments, **more)

        setattr(owner, method, dies)
        train(order)

    assert forked(killed) == -signal.SIGKILL
    (left,) = interrupted_runs()
    assert (left.folder, left.step) == (order.out.resolve(), step_of(order.out / LATEST))
    assert left.step < STEPS
    check_it_ends_as_if_nothing_had_been(order)


def test_that_a_run_killed_between_its_first_checkpoint_and_its_summary_is_listed_as_what_it_is(
    order: TrainOrder,
) -> None:
    def killed() -> None:
        ModelProduct.write = lambda *arguments: die()  # type: ignore[method-assign]
        list(TrainingSession(order, replace(DATA, source=order.out.parent), network=TINY).work())

    assert forked(killed) == -signal.SIGKILL
    assert not (order.out / SUMMARY).exists()
    (left,) = interrupted_runs()
    assert (left.folder, left.step, left.steps, left.size) == (order.out.resolve(), 0, STEPS, 8)
    assert (left.data_name, left.batch, left.precision) == (DATA.name, 4, "float32")
    assert left.pictures == order.out.parent.resolve()
    settings = read_settings(order.out)
    assert settings is not None
    assert settings.labels == DATA.classes
    assert check_run(order.out) == order.out.resolve()
    check_it_ends_as_if_nothing_had_been(order)


def test_that_a_branch_that_was_killed_halfway_leaves_its_name_free(order: TrainOrder) -> None:
    train(order)
    for number in range(1, 60):

        def killed(number: int = number) -> None:
            die_at_change(number)
            branch(order.out, STEPS, new_run_folder("branch"))

        if forked(killed) == 0:
            break
        assert [run.name for run in list_runs()] in (["run"], ["branch", "run"])
        if len(list_runs()) == 1:
            assert new_run_folder("branch").name == "branch"
            shutil.rmtree(runs_folder() / "branch", ignore_errors=True)
        else:
            break
    assert number > 5


def test_that_a_folder_with_anything_to_keep_is_no_place_for_another_run(order: TrainOrder) -> None:
    claim = order.out / CLAIM
    claim.parent.mkdir(parents=True)
    claim.write_text('{"process": 999999999, "born": 1.0}')
    assert new_run_folder("run") == order.out
    (order.out / "notes.txt").write_text("mine")
    assert new_run_folder("run") != order.out
    (order.out / "notes.txt").unlink()
    (order.out / LATEST).write_bytes(b"damaged")
    assert new_run_folder("run") != order.out


def test_that_a_run_killed_when_it_had_just_gone_back_goes_on_from_there(order: TrainOrder) -> None:
    def diverging() -> None:
        plain = Trainer.one_step

        def one_step(trainer: Trainer, *others: float) -> TrainStep:
            if trainer.step == 5 and trainer.lr_scale == 1:
                raise Diverged("no number", 6)
            return plain(trainer, *others)

        Trainer.one_step = one_step  # type: ignore[method-assign]

    order = replace(order, save_every=1e9)

    def killed() -> None:
        diverging()
        train(order, lambda event: isinstance(event, RolledBack))

    assert forked(killed) == -signal.SIGKILL
    found = find_checkpoint(order.out)
    assert found is not None
    assert found.step == 3
    train(order)
    other = replace(order, out=order.out.with_name("other"))

    def left_in_peace() -> None:
        diverging()
        train(other)

    assert forked(left_in_peace) == 0
    assert differences(order.out, other.out) == []


def test_that_a_run_killed_when_it_was_just_finished_is_finished(order: TrainOrder) -> None:
    def finishes() -> None:
        train(order)
        die()

    assert forked(finishes) == -signal.SIGKILL
    assert interrupted_runs() == ()
    assert [run.finished for run in list_runs()] == [True]


# ------------------------------------------------------------------------------------------------ at every write


def test_that_a_run_killed_again_and_again_as_it_writes_always_goes_on_and_loses_no_bit(order: TrainOrder) -> None:
    """Later and later, so that every kind of file meets its moment."""
    reached, left_behind = -1, 0
    for number in range(5, 200, 11):

        def killed(number: int = number) -> None:
            die_at_change(number)
            train(order)

        if forked(killed) == 0:
            break
        step = step_of(order.out / LATEST)
        assert (step is None and reached < 0) or (step is not None and step >= reached)
        reached = -1 if step is None else step
        left_behind += any(order.out.rglob(".*"))
        for run in list_runs():
            assert (run in interrupted_runs() and run.step <= reached) or run.finished
        assert len(list_runs()) == (reached >= 0)
        if reached < 0:  # whoever trains under that name next begins where nothing was left to go on from
            assert new_run_folder(order.out.name) == order.out
    assert number > 60
    assert left_behind  # and cleared away by the next
    check_it_ends_as_if_nothing_had_been(order)
