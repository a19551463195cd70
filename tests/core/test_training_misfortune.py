"""What can go wrong around a training: nothing learned is lost without a word, and the word says what to do."""

from __future__ import annotations

import errno
import gc
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch

from core.errors import Refusal
from core.files import write_refusal
from core.messages import (
    Failed,
    RunPaused,
    RunResumed,
    TrainingOffer,
    TrainingPath,
    TrainingSaved,
    TrainingStarted,
    TrainingTick,
)
from core.training import saving
from core.training.checkpoint import load_checkpoint
from core.training.claim import FILE as CLAIM
from core.training.dataset import PictureFolder
from core.training.events import Event, PathChanged, TrainStep
from core.training.journal import Journal
from core.training.keeping import LATEST, step_of
from core.training.order import Instruction, TrainOrder
from core.training.product import ModelProduct
from core.training.recovery import NotEnoughMemory
from core.training.run import train_on_folder, whole_work
from core.training.run_folder import rename_run
from core.training.runs import list_runs, remember
from core.training.session import NotSaved, TrainingSession
from core.training.trainer import Trainer
from tests.core.halves import DATA, REQUEST, TINY, folder_of, two_classes
from tests.forked import forked


class Disk:
    """A disk that is full when it is said to be."""

    full = False


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk, write = Disk(), saving.save_checkpoint

    def save(trainer: Trainer, folder: Path, *others: Any) -> None:
        if disk.full:
            raise write_refusal(folder, OSError(errno.ENOSPC, "No space left on device"))
        write(trainer, folder, *others)

    monkeypatch.setattr(saving, "save_checkpoint", save)
    return disk


@pytest.fixture
def order(tmp_path: Path) -> TrainOrder:
    return TrainOrder(tmp_path / "run", steps=100_000, batch=4, samples=0, precision="float32")


@pytest.fixture
def pictures() -> PictureFolder:
    rng = np.random.default_rng(0)
    return PictureFolder("noise", rng.integers(0, 256, (24, 8, 8, 1), np.uint8), np.zeros(24, np.int64), ())


@pytest.fixture
def other_process() -> Iterator[int]:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process.pid
    process.communicate(b"\n")


def saved_step(order: TrainOrder) -> int:
    """As whoever goes on would find it."""
    run = TrainingSession(replace(order, resume=True), DATA, network=TINY)
    load_checkpoint(run.trainer, order.out)
    return run.trainer.step


# ------------------------------------------------------------------------------------------- a full disk


def test_that_a_disk_that_is_full_later_leaves_the_run_whole_and_its_checkpoint_good(order, disk) -> None:
    run = TrainingSession(replace(order, steps=8, save_every=0), DATA, network=TINY)
    events = run.work()
    while run.trainer.step < 3:
        next(events)
    next(events)  # saves step 3
    disk.full = True
    with pytest.raises(NotSaved, match=r"disk is full.*Make room"):
        for _ in events:
            pass
    assert (run.trainer.step, saved_step(order)) == (4, 3)
    disk.full = False
    assert sum(type(item).__name__ == "TrainStep" for item in run.work()) == 4
    assert saved_step(order) == 8


def test_that_a_disk_that_is_full_from_the_start_refuses_the_training(order, disk) -> None:
    disk.full = True
    with pytest.raises(Refusal, match="disk is full") as caught:
        next(TrainingSession(order, DATA, network=TINY).work())
    assert not isinstance(caught.value, NotSaved)


def test_that_a_training_that_cannot_be_saved_pauses_says_why_and_goes_on(listening, pictures, order, disk) -> None:
    toy = listening()
    job = toy.engine.train(replace(order, save_every=0), pictures)
    toy.wait(lambda: toy.of(TrainingTick))
    disk.full = True
    toy.wait(lambda: toy.of(RunPaused))
    reason = toy.of(RunPaused)[-1].reason
    assert "disk is full" in reason
    assert "Make room" in reason
    assert "keeps what it has learned" in reason
    assert toy.ended(job) is None
    disk.full = False
    learned = toy.of(RunPaused)[-1].step
    toy.engine.resume(job)
    toy.wait(lambda: toy.of(RunResumed))
    toy.wait(lambda: toy.of(TrainingSaved)[-1].step > learned)


def test_that_what_could_not_be_saved_at_a_pause_is_saved_as_soon_as_the_training_goes_on(
    listening, pictures, order, disk
) -> None:
    toy = listening()
    job = toy.engine.train(order, pictures)
    toy.wait(lambda: toy.of(TrainingTick))
    disk.full = True
    toy.engine.pause(job)
    toy.wait(lambda: toy.of(RunPaused))
    learned = toy.of(RunPaused)[-1].step
    toy.engine.resume(job)  # while it is still full
    toy.wait(lambda: len(toy.of(RunPaused)) == 2)
    assert "disk is full" in toy.of(RunPaused)[-1].reason
    assert toy.of(RunPaused)[-1].step == learned
    disk.full = False
    toy.engine.resume(job)
    toy.wait(lambda: toy.of(TrainingSaved)[-1].step == learned)


def test_that_a_pause_saves_and_has_nothing_to_explain(listening, pictures, order) -> None:
    toy = listening()
    job = toy.engine.train(order, pictures)
    toy.wait(lambda: any(tick.first_step > 2 for tick in toy.of(TrainingTick)))
    toy.engine.pause(job)
    toy.wait(lambda: toy.of(RunPaused))
    paused = toy.of(RunPaused)[-1]
    assert (paused.reason, toy.of(TrainingSaved)[-1].step) == ("", paused.step)
    assert not toy.engine.has_unsaved


def test_that_a_training_stopped_on_a_full_disk_rests_until_it_can_be_kept(listening, pictures, order, disk) -> None:
    toy = listening()
    job = toy.engine.train(order, pictures)
    toy.wait(lambda: any(tick.first_step > 2 for tick in toy.of(TrainingTick)))
    disk.full = True
    toy.engine.cancel(job)
    toy.wait(lambda: toy.of(RunPaused))
    assert "disk is full" in toy.of(RunPaused)[-1].reason
    assert "Stop it again then" in toy.of(RunPaused)[-1].reason
    disk.full = False
    toy.engine.cancel(job)
    toy.wait(lambda: toy.ended(job))
    assert toy.ended(job).reason == "stopped"
    assert toy.of(TrainingSaved)[-1].step == toy.of(RunPaused)[-1].step == toy.ended(job).steps


def test_that_one_that_rests_on_a_full_disk_is_not_ended_by_the_first_stop(listening, pictures, order, disk) -> None:
    toy = listening()
    job = toy.engine.train(order, pictures)
    toy.wait(lambda: toy.of(TrainingTick))
    disk.full = True
    toy.engine.pause(job)
    toy.wait(lambda: toy.of(RunPaused))
    toy.engine.cancel(job)
    toy.wait(lambda: len(toy.of(RunPaused)) == 2)
    assert ["Stop it again then" in paused.reason for paused in toy.of(RunPaused)] == [False, True]
    assert toy.ended(job) is None


def test_that_stopping_twice_on_a_full_disk_says_what_is_kept(listening, pictures, order, disk) -> None:
    toy = listening()
    job = toy.engine.train(order, pictures)
    toy.wait(lambda: any(tick.first_step > 2 for tick in toy.of(TrainingTick)))
    disk.full = True
    toy.engine.cancel(job)
    toy.wait(lambda: toy.of(RunPaused))
    toy.engine.cancel(job)
    toy.wait(lambda: toy.ended(job))
    assert "checkpoint of step 0 is good" in toy.of(Failed)[-1].message


# ------------------------------------------------------------------------------------------- folders that go away


def test_that_a_run_whose_folder_is_deleted_is_written_again_as_a_whole(order) -> None:
    run = TrainingSession(replace(order, steps=6, save_every=0), DATA, network=TINY)
    for _ in run.work():
        if run.trainer.step == 3:
            shutil.rmtree(order.out, ignore_errors=True)
    assert saved_step(order) == 6
    assert len(TrainingSession(replace(order, resume=True), DATA, network=TINY).history.losses) == 6
    assert (order.out / "model_index.json").is_file()


def go_wrong_at(run: TrainingSession, step: int, misfortune: Callable[[], object]) -> list[str]:
    """What is said of how it goes on."""
    said = []
    for event in run.work():
        if isinstance(event, TrainStep) and event.step == step:
            misfortune()
        if isinstance(event, PathChanged) and event.why:
            said.append(event.why)
    return said


def test_that_a_run_whose_folder_is_renamed_goes_on_under_its_old_name_and_says_so(order) -> None:
    run = TrainingSession(replace(order, steps=6, save_every=0), DATA, network=TINY)
    run.instruct(Instruction(micro_batch=2))
    other = order.out.with_name("a better name")
    said = go_wrong_at(run, 3, lambda: order.out.rename(other))
    assert said[-1] == "its folder was renamed to “a better name”, so it goes on in a new one under its old name"
    assert saved_step(order) == 6
    assert Journal(order.out).lines == run.journal.lines
    assert len(run.journal.lines) == 2
    assert saved_step(replace(order, out=other)) == 2
    assert rename_run(other, "another").is_dir()  # nobody trains into it


def test_that_a_run_whose_folder_is_deleted_says_so_and_has_a_snapshot_again(order) -> None:
    run = TrainingSession(replace(order, steps=6, save_every=0), DATA, network=TINY)

    def misfortune() -> None:
        run.snapshot()
        shutil.rmtree(order.out)

    said = go_wrong_at(run, 3, misfortune)
    assert said[-1] == "its folder was deleted or moved, so it goes on in a new one"
    assert Journal(order.out).note == ""
    snapshot = run.snapshot()
    shutil.rmtree(order.out)
    assert run.snapshot() == snapshot
    assert (snapshot / "model_index.json").is_file()


def test_that_a_pause_says_at_once_that_the_folder_was_deleted(listening, pictures, order) -> None:
    toy = listening()
    job = toy.engine.train(order, pictures)
    toy.wait(lambda: toy.of(TrainingTick))
    shutil.rmtree(order.out)
    toy.engine.pause(job)
    toy.wait(lambda: toy.of(RunPaused))
    assert [path.why for path in toy.of(TrainingPath) if "folder" in path.why] == [
        "its folder was deleted or moved, so it goes on in a new one"
    ]
    assert step_of(order.out / LATEST) == toy.of(RunPaused)[-1].step


def test_that_a_run_waits_for_a_drive_that_was_taken_away(tmp_path, order) -> None:
    drive = tmp_path / "drive"
    order = replace(order, out=drive / "run", steps=6, save_every=0)
    run = TrainingSession(order, DATA, network=TINY)
    with pytest.raises(NotSaved, match=r"drive is gone. Bring it back"):
        go_wrong_at(run, 3, lambda: drive.rename(tmp_path / "elsewhere"))
    assert not drive.exists()
    (tmp_path / "elsewhere").rename(drive)
    list(run.work())
    assert saved_step(order) == 6


def test_that_pictures_that_have_changed_are_told_from_those_trained_on(order) -> None:
    list(TrainingSession(replace(order, steps=1), DATA, network=TINY).work())
    fewer = PictureFolder(DATA.name, DATA.pictures[1:], DATA.labels[1:], DATA.classes)
    with pytest.raises(Refusal, match=r"added, removed or changed.*fine-tune"):
        TrainingSession(replace(order, steps=2, resume=True), fewer, network=TINY)


# ------------------------------------------------------------------------------------------- memory


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How many pictures fit into it at once, from the fourth step on."""
    fitting, whole = {"pictures": 1}, Trainer.one_step

    def one_step(trainer: Trainer):
        if trainer.step >= 3 and trainer.path.micro_batch > fitting["pictures"]:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return whole(trainer)

    monkeypatch.setattr(Trainer, "one_step", one_step)
    return fitting


def test_that_smaller_parts_are_offered_where_a_step_does_not_fit_and_taken_when_accepted(
    listening, pictures, order, memory
) -> None:
    toy = listening()
    job = toy.engine.train(replace(order, steps=6), pictures)
    toy.wait(lambda: toy.of(RunPaused))
    (offer,) = toy.of(TrainingOffer)
    assert (offer.job, offer.micro_batch) == (job, 2)
    assert "not enough memory" in toy.of(RunPaused)[-1].reason
    assert toy.of(TrainingSaved)[-1].step == 3

    toy.engine.instruct(job, Instruction(micro_batch=2))
    toy.engine.resume(job)
    toy.wait(lambda: len(toy.of(TrainingOffer)) == 2)
    assert toy.of(TrainingOffer)[-1].micro_batch == 1
    toy.wait(lambda: len(toy.of(RunPaused)) == 2)
    toy.engine.instruct(job, Instruction(micro_batch=1))
    toy.engine.resume(job)
    toy.wait(lambda: toy.ended(job))
    assert toy.ended(job).reason == "finished"
    assert ["2 pictures at once" in path.words for path in toy.of(TrainingPath)] == [True, False]
    assert {path.step for path in toy.of(TrainingPath)} == {3}


def test_that_a_training_that_fits_not_even_one_by_one_is_said_in_words_and_loses_nothing(
    listening, pictures, order, memory
) -> None:
    memory["pictures"] = 0
    toy = listening()
    job = toy.engine.train(replace(order, batch=1), pictures)
    toy.wait(lambda: toy.ended(job))
    assert "Not even one picture at a time fits" in toy.ended(job).message
    assert toy.of(TrainingSaved)[-1].step == 3


def test_that_a_training_goes_on_without_what_does_not_fit_beside_it_and_says_so(
    order, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def fails(*others: Any, **names: Any) -> Any:
        tried.append(1)
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr("core.training.drawing.draw", fails)
    monkeypatch.setattr("core.training.validation.Validator.measure", fails)
    longer = replace(order, steps=4, samples=2, sample_every=0.0, validation=4, keep_every=2)
    run = TrainingSession(longer, DATA, network=TINY)
    told = [event.why for event in run.work() if isinstance(event, PathChanged)]
    assert run.trainer.step == saved_step(longer) == 4
    assert [why.partition(": ")[2] for why in told if "memory" in why] == [
        "samples are drawn only when you ask for them",
        "the pictures kept aside are not measured any more",
    ]
    assert len(tried) == 2


def test_that_samples_asked_for_are_tried_again_where_memory_was_short(order, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*others: Any, **names: Any) -> Any:
        raise MemoryError

    run = TrainingSession(replace(order, steps=3, samples=2), DATA, network=TINY)
    with monkeypatch.context() as short:
        short.setattr("core.training.drawing.draw", fails)
        events = run.work()
        while run.trainer.step < 1:
            next(events)
    run.instruct(Instruction(draw=True))
    list(events)
    assert run.film.sets


def test_that_a_command_goes_on_in_smaller_parts_by_itself(tmp_path, memory) -> None:
    memory["pictures"] = 2
    heard: list[Event] = []
    folder = folder_of(DATA, tmp_path / "halves")
    out = tmp_path / "run"
    report = train_on_folder(folder, out, size=8, steps=5, batch=8, network=TINY, on_event=heard.append)
    assert report.step == 5
    changes = [event for event in heard if isinstance(event, PathChanged)]
    assert [change.step for change in changes] == [3, 3]
    assert "2 pictures at once" in changes[-1].words
    assert Journal(out).in_force(3).path["micro_batch"] == 2


def test_that_what_is_learned_does_not_depend_on_the_parts_but_for_rounding(tmp_path, memory) -> None:
    folder = folder_of(DATA, tmp_path / "halves")
    losses = {}
    for fitting in (1, 8):
        memory["pictures"] = fitting
        heard: list[float] = []
        listen = partial(lambda heard, trainer, step: heard.append(step.loss), heard)
        out = tmp_path / str(fitting)
        train_on_folder(folder, out, size=8, steps=6, batch=8, network=TINY, precision="float32", on_tick=listen)
        losses[fitting] = heard
    np.testing.assert_allclose(losses[1], losses[8], rtol=1e-4)


def test_that_a_step_without_room_for_the_moments_of_its_gradients_is_as_if_it_had_not_begun(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where memory runs out last in the first step: half of AdamW's moments are there already."""
    request = replace(REQUEST, steps=3)
    whole, short = Trainer(request, DATA), Trainer(request, DATA)
    expected = [step.loss for step in whole.steps()]
    zeros, left = torch.zeros_like, [5]

    def fails(*others: Any, **more: Any) -> torch.Tensor:
        left[0] -= 1
        if left[0] == 0:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")
        return zeros(*others, **more)

    with monkeypatch.context() as full:
        full.setattr(torch, "zeros_like", fails)
        with pytest.raises(RuntimeError):
            short.one_step()
    assert left == [0]
    assert [step.loss for step in short.steps()] == expected
    assert all(torch.equal(whole.state()[0][name], value) for name, value in short.state()[0].items())


@pytest.mark.parametrize("what", ["write", "save"])
def test_that_a_training_that_has_no_memory_to_be_saved_pauses_and_loses_nothing(
    listening, pictures, order, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    toy, is_short = listening(), [False]
    owner, name = (ModelProduct, "write") if what == "write" else (saving, "save_checkpoint")
    plain = getattr(owner, name)

    def fails(*others: Any) -> None:
        if is_short[0]:
            raise MemoryError
        plain(*others)

    monkeypatch.setattr(owner, name, fails)
    job = toy.engine.train(replace(order, save_every=0.0), pictures)
    toy.wait(lambda: toy.of(TrainingTick))
    is_short[0] = True
    toy.wait(lambda: toy.of(RunPaused))
    assert "not enough memory to save" in toy.of(RunPaused)[-1].reason
    assert toy.ended(job) is None
    is_short[0] = False
    learned = toy.of(RunPaused)[-1].step
    toy.engine.resume(job)
    toy.wait(lambda: toy.of(TrainingSaved)[-1].step > learned)


def test_that_a_classifier_is_trained_on_where_memory_is_short_for_its_accuracy(
    order, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*others: Any) -> Any:
        raise RuntimeError("could not create a primitive")

    monkeypatch.setattr("core.training.product.accuracy", fails)
    data = two_classes(40)
    run = TrainingSession(replace(order, steps=3, keep_every=1, task="classifier"), data)
    told = [event.why for event in run.work() if isinstance(event, PathChanged)]
    assert [why.partition(": ")[2] for why in told if "memory" in why] == [
        "how many pictures it recognises is not measured any more"
    ]
    assert run.trainer.step == step_of(order.out / LATEST) == 3


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing limits a process's memory")
def test_that_a_training_without_memory_says_so_and_leaves_its_run_whole(order) -> None:
    import resource

    large = replace(order, steps=2, batch=64, samples=2, sample_every=0.0, save_every=0.0)
    data, before = two_classes(40), torch.get_num_threads()
    torch.set_num_threads(1)  # more are not forked with their process
    Trainer(replace(REQUEST, data_sha256=data.sha256), data)

    def trains() -> None:
        run = TrainingSession(large, data, network=TINY)
        events = whole_work(run)
        next(events)
        limit = psutil.Process().memory_info().vms
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        with suppress(NotSaved, NotEnoughMemory):  # and nothing else
            list(events)

    try:
        assert forked(trains) == 0
    finally:
        torch.set_num_threads(before)
    assert step_of(order.out / LATEST) is not None
    assert TrainingSession(replace(order, resume=True), data, network=TINY).trainer.step >= 0


# ------------------------------------------------------------------------------------------- two at once


def test_that_a_second_process_may_not_train_into_the_same_folder(order, other_process) -> None:
    run = TrainingSession(order, DATA, network=TINY)
    next(run.work())
    holder = {"process": other_process, "born": round(psutil.Process(other_process).create_time(), 1)}
    (order.out / CLAIM).write_text(json.dumps(holder))
    with pytest.raises(Refusal, match=f"another window or command.*{other_process}"):
        next(TrainingSession(replace(order, resume=True), DATA, network=TINY).work())


def test_that_of_two_processes_that_have_begun_at_once_one_ends_without_spoiling_what_the_other_writes(
    order, other_process
) -> None:
    run = TrainingSession(replace(order, save_every=0), DATA, network=TINY)
    holder = {"process": other_process, "born": round(psutil.Process(other_process).create_time(), 1)}

    def misfortune() -> None:
        (order.out / CLAIM).write_text(json.dumps(holder))
        (order.out / LATEST).write_bytes(b"of the other")

    with pytest.raises(Refusal, match=f"process {other_process}.*as well. This one ends here") as caught:
        go_wrong_at(run, 3, misfortune)
    assert not isinstance(caught.value, NotSaved)
    with pytest.raises(Refusal, match="as well"):
        run.save()
    assert (order.out / LATEST).read_bytes() == b"of the other"


def test_that_a_folder_in_which_another_process_trains_is_refused_before_its_pictures_are_read(
    order, other_process
) -> None:
    holder = {"process": other_process, "born": round(psutil.Process(other_process).create_time(), 1)}
    (order.out / CLAIM).parent.mkdir(parents=True)
    (order.out / CLAIM).write_text(json.dumps(holder))
    with pytest.raises(Refusal, match="another window or command"):
        train_on_folder(order.out / "there are none", order.out, steps=1)
    with pytest.raises(Refusal, match="another window or command"):
        TrainingSession(order, DATA, network=TINY)


@pytest.mark.parametrize(
    "left",
    [
        '{"process": 999999999, "born": 1.0}',
        '{"process": 1, "born": 1.0}',
        '{"process": Infinity, "born": 1.0}',
        f'{{"process": 1{"0" * 30}, "born": 1.0}}',
        '{"process": [], "born": {}}',
        "{",
        "[]",
        "[" * 100_000,
    ],
    ids=["dead", "another", "endless", "large", "lists", "cut", "a list", "brackets"],
)
def test_that_what_a_killed_process_has_left_holds_nobody_up(order, left: str) -> None:
    (order.out / CLAIM).parent.mkdir(parents=True)
    (order.out / CLAIM).write_text(left)
    run = TrainingSession(order, DATA, network=TINY)
    next(run.work())
    assert json.loads((order.out / CLAIM).read_text())["process"] == os.getpid()


def test_that_a_folder_is_free_again_when_its_training_is_over(order) -> None:
    run = TrainingSession(replace(order, steps=1), DATA, network=TINY)
    list(run.work())
    assert (order.out / CLAIM).is_file()
    del run
    gc.collect()
    assert not (order.out / CLAIM).exists()


# ------------------------------------------------------------------------------------------- the list


def test_that_the_list_knows_what_a_run_was_made_with(order, listening, pictures) -> None:
    toy = listening()
    job = toy.engine.train(replace(order, steps=2), pictures)
    toy.wait(lambda: toy.ended(job))
    remember(order.out, order.out)
    (summary,) = [run for run in list_runs() if run.folder == order.out.resolve()]
    (started,) = toy.of(TrainingStarted)
    assert (summary.parameters, summary.batch, summary.precision) == (started.parameters, 4, "float32")
