"""A run that was killed ends on the same bytes as one that was not, whatever it met on the way."""

from __future__ import annotations

import errno
import itertools
import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from core.errors import Diverged
from core.training import compilation, recovery
from core.training.events import Event, PathChanged, RolledBack, Saved, TrainStep, Validated
from core.training.history import FILE as HISTORY
from core.training.history import read_history
from core.training.journal import Journal
from core.training.keeping import KEPT, LATEST, list_checkpoints, step_of
from core.training.order import Instruction, TrainOrder
from core.training.session import NotSaved, TrainingSession
from core.training.trainer import Trainer
from tests.bench import resume
from tests.core.halves import DATA, TINY, two_classes
from tests.core.test_compiled_training import FakeCompiler
from tests.forked import can_fork, die, forked


@pytest.fixture
def order(tmp_path: Path) -> TrainOrder:
    return TrainOrder(tmp_path / "run", steps=12, batch=4, samples=0, precision="float32", save_every=1e9)


def session(order: TrainOrder) -> TrainingSession:
    return TrainingSession(order, DATA, network=TINY)


def events(run: TrainingSession, until: int | None = None) -> list[Event]:
    """What it tells, to its end, or until so many steps are done."""
    heard = []
    for event in run.work():
        if event is not None:
            heard.append(event)
        if until is not None and isinstance(event, TrainStep) and event.step == until:
            break
    return heard


def average(folder: Path) -> bytes:
    return (folder / resume.WEIGHTS).read_bytes()


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    """As many as before, whatever a run's journal has asked for."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


# ------------------------------------------------------------------------------------------- killed


@pytest.mark.skipif(not can_fork, reason="this system cannot fork")
def test_that_a_run_killed_twice_ends_on_the_same_bytes(tmp_path: Path) -> None:
    steps, folder = 16, resume.make_pictures(tmp_path / "pictures", 40)
    torch.set_num_threads(1)  # more are not forked with their process
    resume.train(folder, tmp_path / "whole", steps)
    for after in (7, 4):

        def killed(after: int = after) -> None:
            told = itertools.count(1)
            soon = threading.Timer(0.03, die)  # within whatever comes then
            resume.train(folder, tmp_path / "killed", steps, lambda step: next(told) == after and soon.start())

        assert forked(killed) == -signal.SIGKILL
    reached = step_of(tmp_path / "killed" / LATEST)
    assert reached is not None
    assert 0 < reached < steps
    resume.train(folder, tmp_path / "killed", steps)
    assert resume.differences(tmp_path / "killed", tmp_path / "whole") == []
    assert {checkpoint.step for checkpoint in list_checkpoints(tmp_path / "killed")} == {4, 8, 12, 16}


# ------------------------------------------------------------------------------------------- the path


def test_that_a_change_of_path_is_journalled_before_its_first_step_and_done_again(order: TrainOrder) -> None:
    def changing(run: TrainingSession) -> None:
        events(run, until=4)
        run.instruct(Instruction(micro_batch=1))

    left, whole = session(order), session(replace(order, out=order.out.with_name("whole")))
    for run in (left, whole):
        changing(run)
    events(left, until=9)  # and then nothing more of it: its checkpoint is still that of step 0
    events(whole)
    assert step_of(order.out / LATEST) == 0
    again = session(replace(order, resume=True))
    heard = events(again)
    changes = [event for event in heard if isinstance(event, PathChanged)]
    assert [(change.step, "1 picture at once" in change.words) for change in changes] == [(4, True)]
    assert average(order.out) == average(whole.out)
    assert (order.out / HISTORY).read_bytes() == (whole.out / HISTORY).read_bytes()
    assert Journal(order.out).lines == Journal(whole.out).lines


def test_that_a_run_goes_on_with_the_threads_it_had(order: TrainOrder) -> None:
    torch.set_num_threads(2)
    order = replace(order, steps=2)
    run = session(order)
    events(run, until=1)
    run.save()
    torch.set_num_threads(1)
    again = session(replace(order, resume=True))
    assert "2 threads" in again.started(1).path
    assert PathChanged not in {type(event) for event in events(again)}
    assert torch.get_num_threads() == 2


def test_that_another_machine_s_path_is_taken_and_said(order: TrainOrder) -> None:
    run = session(order)
    events(run, until=2)
    run.save()
    journal = Journal(order.out)
    elsewhere = replace(journal.lines[0], step=2, path={**journal.lines[0].path, "device": "cuda"})
    journal.write(elsewhere)
    heard = events(session(replace(order, resume=True)))
    (change,) = [event for event in heard if isinstance(event, PathChanged)]
    assert change.step == 2
    assert "bits differ" in change.why
    assert Journal(order.out).in_force(2).path["device"] == "cpu"


def test_that_a_journal_left_by_another_run_is_not_followed(order: TrainOrder) -> None:
    run = session(order)
    events(run, until=1)
    journal = Journal(order.out)
    journal.write(replace(journal.lines[0], step=1, lr_scale=0.25))
    for file in (LATEST, Path("model_index.json")):
        (order.out / file).unlink()
    again = session(order)
    events(again)
    assert [line.lr_scale for line in Journal(order.out).lines] == [1.0]


def test_that_compiled_kernels_are_taken_again_from_the_same_step_on(
    order: TrainOrder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compilation, "LONG", {"cpu": 0.0})
    monkeypatch.setattr(compilation, "SHORT", 0.0)
    monkeypatch.setattr(compilation, "MEASURED", 3)
    fake, order = FakeCompiler(monkeypatch), replace(order, steps=400)
    left = session(order)
    (taken,) = itertools.islice((event for event in left.work() if isinstance(event, PathChanged)), 1)
    assert "compiled" in taken.words
    assert taken.step >= 3
    del left
    again = session(replace(order, resume=True, steps=taken.step + 1))
    assert "eager" in again.started(1).path
    changes = [event for event in events(again) if isinstance(event, PathChanged)]
    assert changes == [taken]
    assert len(fake.made) == 1


# ------------------------------------------------------------------------------------------- rolled back


@pytest.fixture
def explodes(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, float], None]:
    """Let the step after so many be no number as long as the learning rate is above a share of its own."""

    def at(step: int, above: float) -> None:
        whole = Trainer.one_step

        def one_step(trainer: Trainer, *others: float) -> TrainStep:
            if trainer.step == step and trainer.lr_scale > above:
                raise Diverged("no number", step + 1)
            return whole(trainer, *others)

        monkeypatch.setattr(Trainer, "one_step", one_step)

    return at


def test_that_a_run_whose_loss_is_no_number_goes_back_and_on_more_slowly(order: TrainOrder, explodes) -> None:
    explodes(8, 0.3)
    run = session(replace(order, keep_every=3))
    heard = events(run)
    backs = [event for event in heard if isinstance(event, RolledBack)]
    assert [(back.at, back.step, back.lr_scale) for back in backs] == [(9, 6, 0.5), (9, 6, 0.25)]
    assert "no longer a number" in backs[0].why
    assert [event.step for event in heard if isinstance(event, TrainStep)] == [*range(1, 9), 7, 8, *range(7, 13)]
    assert run.history.step == 12
    assert [back.step for back in read_history(order.out).rolled_back] == [6, 6]
    whole = session(replace(order, out=order.out.with_name("other"), rescues=0, lr=order.lr))
    rates = run.history.rates
    explodes(99, 1.0)
    with_all = Trainer(whole.request, DATA)
    with_all.step = 8
    assert rates[8] == pytest.approx(with_all.learning_rate() / 4)


def test_that_a_run_killed_after_it_went_back_ends_on_the_same_bytes(order: TrainOrder, explodes) -> None:
    explodes(8, 0.6)
    order = replace(order, keep_every=3)
    whole, left = session(replace(order, out=order.out.with_name("whole"))), session(order)
    events(whole)
    heard = []
    for event in left.work():
        heard.append(event)
        if isinstance(event, RolledBack):
            break
    explodes(99, 1.0)  # once is enough to know
    again = session(replace(order, resume=True))
    assert (again.trainer.step, left.trainer.step) == (6, 6)
    events(again)
    assert average(order.out) == average(whole.out)


def test_that_what_was_kept_of_steps_taken_back_is_let_go(order: TrainOrder, explodes) -> None:
    explodes(6, 0.6)
    run = session(replace(order, keep_every=2))
    for event in run.work():
        if isinstance(event, RolledBack):
            break
    assert event.step == 4  # step 7 fails from the very state that the checkpoint of step 6 holds
    assert sorted(os.listdir(order.out / KEPT)) == ["step-000002.safetensors", "step-000004.safetensors"]
    assert step_of(order.out / LATEST) == 4


def test_that_a_run_is_given_up_after_three_times_and_says_what_to_try(order: TrainOrder, explodes) -> None:
    explodes(8, 0.0)
    heard: list[Event | None] = []
    run = session(replace(order, keep_every=3, lr=0.008))
    with pytest.raises(
        Diverged, match=r"step 9.*halved three times.*lower learning rate than 0.001.*step 6 is"
    ) as caught:
        heard.extend(run.work())
    assert caught.value.step == 9
    assert Journal(order.out).lines[-1].lr_scale == 0.125


def test_that_a_run_that_is_no_number_from_the_start_is_not_tried_again(order: TrainOrder, explodes) -> None:
    explodes(0, 0.0)
    with pytest.raises(Diverged, match="step 1"):
        events(session(order))


def test_that_a_loss_that_explodes_is_taken_back_too(order: TrainOrder, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Trainer.one_step

    def one_step(trainer: Trainer, *others: float) -> TrainStep:
        done = whole(trainer, *others)
        return replace(done, loss=50.0 * done.loss) if done.step > 45 and trainer.lr_scale == 1 else done

    monkeypatch.setattr(Trainer, "one_step", one_step)
    monkeypatch.setattr(recovery, "FEWEST", 20)
    run = session(replace(order, steps=60, keep_every=10))
    (back,) = [event for event in events(run) if isinstance(event, RolledBack)]
    assert (back.at, back.step) == (58, 30)  # 13 of the last 25, and what had not yet begun to rise
    assert "times what was usual" in back.why
    assert run.trainer.step == 60


# ------------------------------------------------------------------------------------------- looked at beside


def test_that_drawing_validating_and_saving_leave_the_bits_of_a_run_alone(
    order: TrainOrder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.training.session.validates_every", lambda steps: 6)
    data = two_classes(120)
    plain = TrainingSession(replace(order, steps=14, validation=6), data, network=TINY)
    watched = replace(order, out=order.out.with_name("watched"), samples=2, keep_every=5, steps=14)
    run = TrainingSession(replace(watched, validation=6), data, network=TINY)
    events(plain)
    heard = []
    for event in run.work():
        heard.append(event)
        if isinstance(event, TrainStep) and event.step in (3, 7):
            run.instruct(Instruction(draw=True, save=True, samples_from="raw" if event.step == 3 else "ema"))
            run.snapshot()
    assert [event.step for event in heard if isinstance(event, Validated)] == [6, 12, 14]
    assert {(drawn.step, drawn.weights) for drawn in run.film.sets} >= {(3, "raw"), (7, "ema")}
    assert sum(isinstance(event, Saved) for event in heard) >= 6
    assert average(run.out) == average(order.out)
    assert {checkpoint.step for checkpoint in list_checkpoints(run.out)} >= {3, 5, 7, 10}
    (best,) = [checkpoint for checkpoint in list_checkpoints(run.out) if checkpoint.best]
    losses = {kept.step: kept.loss for kept in run.history.validated}
    assert losses[best.step] == min(losses.values())


# ------------------------------------------------------------------------------------------- a full disk


def test_that_a_disk_that_is_full_at_any_moment_of_a_save_leaves_the_run_whole(
    order: TrainOrder, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = session(replace(order, out=order.out.with_name("whole")))
    events(whole)
    run, fsync = session(replace(order, keep_every=1)), os.fsync
    events(run, until=1)
    met = 0
    while run.trainer.progress < 1 or met < 3:
        left = [met]

        def full(descriptor: int, left: list[int] = left) -> None:
            if left[0] == 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            left[0] -= 1
            fsync(descriptor)

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(NotSaved, match="disk is full"):
            events(run)
        monkeypatch.setattr(os, "fsync", fsync)
        assert list(order.out.rglob("*.part")) == []
        assert session(replace(order, resume=True)).trainer.step <= run.trainer.step
        met += 1
    run.save()
    assert average(order.out) == average(whole.out)
