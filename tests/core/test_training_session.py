"""A training run in the hands of whoever advances it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from core.errors import Cancelled, Refusal
from core.jobs import SampleRun
from core.library import Library, NetworkModel
from core.model_folder import open_model, read_info
from core.paths import spaced_timesteps
from core.requests import ClipPolicy, PredictionKind, SampleRequest, SamplerSpec
from core.schedules import make_schedule
from core.training.checkpoint import FILE
from core.training.events import Drawn, Saved, TrainStep
from core.training.film import read_film
from core.training.history import read_history
from core.training.order import TrainOrder
from core.training.resolve import micro_batch
from core.training.runs import list_runs
from core.training.session import TrainingSession
from tests.core.halves import DATA, TINY, two_classes


@pytest.fixture
def order(tmp_path: Path) -> TrainOrder:
    return TrainOrder(tmp_path / "run", steps=6, batch=4, samples=0)


@pytest.fixture
def drawing(order: TrainOrder) -> TrainOrder:
    return replace(order, samples=3)


def session(order: TrainOrder, check: Callable[[], None] = lambda: None, **settings: object) -> TrainingSession:
    return TrainingSession(order, DATA, check=check, network=TINY, **settings)  # type: ignore[arg-type]


def kinds(run: TrainingSession) -> list[tuple[str, int]]:
    return [(type(item).__name__, item.step) for item in run.work() if item is not None]


def weights_in(folder: Path) -> bytes:
    return (folder / "unet" / "diffusion_pytorch_model.safetensors").read_bytes()


# ------------------------------------------------------------------------------------------- the run


def test_that_a_run_saves_draws_trains_and_draws_and_saves_again(drawing: TrainOrder) -> None:
    steps = [("TrainStep", step) for step in range(1, 7)]
    assert kinds(session(drawing)) == [("Saved", 0), ("Drawn", 0), *steps, ("Drawn", 6), ("Saved", 6)]


def test_that_a_sampler_step_is_an_item_of_its_own(drawing: TrainOrder) -> None:
    items = list(session(drawing).work())
    assert sum(item is None for item in items) == 2 * 25


def test_that_a_run_draws_nothing_where_nothing_is_asked_for(order: TrainOrder) -> None:
    assert "Drawn" not in dict(kinds(session(order)))


@pytest.mark.parametrize(("prediction", "clip"), [("v", "none"), ("eps", "clamp")])
def test_that_samples_are_what_the_saved_model_draws_with_seed_0(
    drawing: TrainOrder, prediction: PredictionKind, clip: ClipPolicy
) -> None:
    run = session(replace(drawing, prediction=prediction))
    drawn = [item for item in run.work() if isinstance(item, Drawn)]
    assert drawn[-1].pictures.shape == (3, 8, 8, 1)
    assert not np.array_equal(drawn[0].pictures, drawn[-1].pictures)
    model, library = NetworkModel(open_model(drawing.out)), Library()
    library.add_model(model)
    request = SampleRequest(
        model=model.info.ref,
        schedule=model.info.schedule,
        timesteps=spaced_timesteps(make_schedule(model.info.schedule), 25, "leading"),
        spacing="leading",
        sampler=SamplerSpec("ddim", clip=clip),
        seed=0,
        count=3,
        labels=(0, 1, 0),
    )
    sampled = list(SampleRun(request, library, "cpu").steps())[-1].x_next
    np.testing.assert_array_equal(model.spec.to_picture(sampled.numpy()), drawn[-1].pictures)


def test_that_samples_change_no_bits_of_the_run(drawing: TrainOrder, tmp_path: Path) -> None:
    kinds(session(drawing))
    kinds(session(replace(drawing, out=tmp_path / "other", samples=0)))
    assert weights_in(drawing.out) == weights_in(tmp_path / "other")


def test_that_samples_come_oftener_at_first_and_take_at_most_a_tenth_of_the_time(
    drawing: TrainOrder, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    run = session(replace(drawing, steps=600, sample_every=60.0, save_every=1e9))
    items = run.work()

    def steps_drawn_at(seconds_a_step: float, seconds_a_set: float) -> list[int]:
        drawn = []
        for item in items:
            if isinstance(item, TrainStep):
                run.trainer.seconds += seconds_a_step
                run._pace.working += seconds_a_step
            elif isinstance(item, Drawn):
                drawn.append(item.step)
                run._pace.previewing += seconds_a_set
                run._pace.preview_seconds = seconds_a_set
        return drawn

    monkeypatch.setattr(run.trainer, "one_step", _counting(run))
    drawn = steps_drawn_at(1.0, 4.0)
    assert drawn[:2] == [0, 80]  # two sets are 8 seconds, a tenth of 80
    assert drawn[2] == 140
    assert drawn[3] == 200
    assert len(drawn) <= 600 * 0.1 / 4


def _counting(run: TrainingSession) -> Callable[[], TrainStep]:
    def one_step() -> TrainStep:
        run.trainer.step += 1
        return TrainStep(run.trainer.step, 1.0, 0.1, 1.0, 0.0)

    return one_step


def test_that_checkpoints_come_every_so_often(order: TrainOrder, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    saved = []
    for item in session(replace(order, save_every=10.0)).work():
        if isinstance(item, TrainStep):
            now[0] += 4
        elif isinstance(item, Saved):
            saved.append(item.step)
    assert saved == [0, 3, 6]


def test_that_what_is_left_is_foretold_from_recent_steps(order: TrainOrder) -> None:
    run = session(replace(order, steps=100))
    assert run.images_per_second == 0
    for _ in range(4):
        run._pace.stepped(0.5)
    run.trainer.step = 20
    assert run.images_per_second == pytest.approx(8.0)
    assert run.eta == pytest.approx(40.0)
    run._saver.seconds = 0.2
    assert run.eta == pytest.approx(44.0)  # a tenth of the time is spent on saving
    minutes = session(replace(order, steps=None, minutes=2.0, out=order.out.with_name("other")))
    minutes.trainer.seconds = 90.0
    assert minutes.eta == pytest.approx(30.0)


# ------------------------------------------------------------------------------------------- left and gone on with


@pytest.mark.parametrize("calls", [5, 30, 70, 160])
def test_that_a_run_cancelled_anywhere_and_saved_ends_on_the_same_bits(
    drawing: TrainOrder, tmp_path: Path, calls: int
) -> None:
    kinds(session(drawing))
    whole, left = weights_in(drawing.out), [calls]

    def check() -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Cancelled

    begun = replace(drawing, out=tmp_path / "begun")
    run = session(begun, check)
    with pytest.raises(Cancelled):
        kinds(run)
    run.save()
    again = session(replace(begun, resume=True, steps=None))
    assert again.trainer.step == run.trainer.step
    kinds(again)
    assert weights_in(begun.out) == whole
    np.testing.assert_array_equal(read_history(begun.out).losses, read_history(drawing.out).losses)
    assert [drawn.step for drawn in read_film(begun.out).sets][-1] == 6


def test_that_a_save_looks_up_between_its_files_and_can_be_left_there(order: TrainOrder) -> None:
    def check() -> None:
        if (order.out / FILE).exists():
            raise Cancelled

    with pytest.raises(Cancelled):
        next(session(order, check).work())
    assert not (order.out / "model_index.json").exists()
    assert kinds(session(replace(order, resume=True)))[-1] == ("Saved", 6)


def test_that_work_can_be_taken_up_again_after_it_was_left(order: TrainOrder) -> None:
    left = [True]

    def check() -> None:
        if left[0] and run.trainer.step == 2:
            raise Cancelled

    run = session(order, check)
    with pytest.raises(Cancelled):
        kinds(run)
    left[0] = False
    assert kinds(run) == [("TrainStep", step) for step in range(3, 7)] + [("Saved", 6)]


def test_that_a_finished_run_has_nothing_left_to_do(order: TrainOrder) -> None:
    kinds(session(order))
    before = (order.out / FILE).stat().st_mtime_ns
    assert kinds(session(replace(order, resume=True))) == []
    assert (order.out / FILE).stat().st_mtime_ns == before


def test_that_a_run_that_goes_on_keeps_its_own_settings_but_its_length(order: TrainOrder) -> None:
    kinds(session(order))
    other = replace(order, resume=True, steps=8, batch=99, seed=5, lr=0.5, prediction="eps", flip=True)
    longer = session(other)
    assert longer.request == replace(session(replace(order, out=order.out / "new")).request, steps=8)
    assert kinds(longer) == [("Saved", 6), ("TrainStep", 7), ("TrainStep", 8), ("Saved", 8)]


def test_that_what_the_folder_says_of_itself_stays_when_a_run_goes_on(order: TrainOrder) -> None:
    kinds(session(order, description="left and right", licence="free"))
    kinds(session(replace(order, resume=True, steps=7)))
    info = read_info(order.out)
    assert (info.description, info.licence) == ("left and right", "free")


def test_that_the_window_is_told_what_a_run_is_and_has_shown(drawing: TrainOrder) -> None:
    kinds(session(drawing))
    told = session(replace(drawing, resume=True, steps=9)).started(4)
    assert (told.job, told.name, told.folder) == (4, "run", str(drawing.out))
    assert (told.pictures, told.labels, told.batch, told.precision) == (10, ("left", "right"), 4, "float32")
    assert (told.step, told.total, told.minutes) == (6, 9, None)
    assert told.parameters == sum(tensor.numel() for tensor in open_model(drawing.out).network.parameters())
    assert told.losses.shape == (6,)
    assert [drawn.step for drawn in told.samples] == [0, 6]


def test_that_steps_beyond_the_checkpoint_are_forgotten(drawing: TrainOrder) -> None:
    kinds(session(drawing))
    run = session(replace(drawing, resume=True, steps=9))
    list(run.work())
    checkpoint = (drawing.out / FILE).read_bytes()
    kinds(session(replace(drawing, resume=True, steps=12)))
    (drawing.out / FILE).write_bytes(checkpoint)  # as if killed between the history and the checkpoint
    again = session(replace(drawing, resume=True, steps=12))
    assert (again.trainer.step, again.history.step) == (9, 9)
    np.testing.assert_array_equal(again.history.losses, run.history.losses)
    assert [drawn.step for drawn in again.film.sets] == [0, 6, 9]


def test_that_a_run_without_a_readable_history_goes_on_and_says_so(order: TrainOrder) -> None:
    kinds(session(order))
    (order.out / "training" / "history.npz").write_bytes(b"nothing")
    run = session(replace(order, resume=True, steps=7))
    assert any("cannot be shown" in note for note in run.notes)
    kinds(run)
    losses = read_history(order.out).losses
    assert np.isnan(losses).tolist() == [True] * 6 + [False]


# ------------------------------------------------------------------------------------------- refusals


def test_that_a_folder_with_a_run_is_not_begun_in_again(order: TrainOrder) -> None:
    kinds(session(order))
    with pytest.raises(Refusal, match="already holds a training run"):
        session(order)


def test_that_a_folder_with_another_model_is_left_alone(order: TrainOrder, model: Path) -> None:
    with pytest.raises(Refusal, match="no training run"):
        session(replace(order, out=model))
    with pytest.raises(Refusal, match="no training run"):
        session(replace(order, out=model, resume=True))


def test_that_other_pictures_or_another_size_are_refused_in_words(order: TrainOrder) -> None:
    kinds(session(order))
    with pytest.raises(Refusal, match="not the pictures"):
        TrainingSession(replace(order, resume=True), two_classes(12))
    large = replace(DATA, pictures=DATA.pictures.repeat(2, axis=1).repeat(2, axis=2))
    with pytest.raises(Refusal, match="pictures of 8 × 8, not 16 × 16"):
        TrainingSession(replace(order, resume=True), large)


def test_that_a_length_must_be_said(order: TrainOrder) -> None:
    with pytest.raises(Refusal, match="how long"):
        session(replace(order, steps=None))


def test_that_a_place_that_cannot_be_written_is_refused_before_the_first_step(order: TrainOrder) -> None:
    order.out.parent.joinpath("file").touch()
    run = session(replace(order, out=order.out.parent / "file" / "run"))
    with pytest.raises(Refusal, match="could not be written: a file lies where a folder is needed"):
        kinds(run)
    assert run.trainer.step == 0


def test_that_a_full_disk_stops_the_run_with_its_last_checkpoint_whole(
    order: TrainOrder, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = session(order)
    items = run.work()
    assert isinstance(next(items), Saved)
    for _ in range(6):
        assert isinstance(next(items), TrainStep)
    checkpoint = (order.out / FILE).read_bytes()
    fsync = os.fsync

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Refusal, match="disk is full"):
        next(items)
    assert (order.out / FILE).read_bytes() == checkpoint
    monkeypatch.setattr(os, "fsync", fsync)
    run.save()  # there is room again
    assert session(replace(order, resume=True)).trainer.step == 6


def test_that_a_loss_that_is_no_number_keeps_the_last_checkpoint(order: TrainOrder) -> None:
    run = session(replace(order, save_every=0.0, rescues=0))
    items = run.work()
    while next(items) != Saved(3):
        pass
    checkpoint = (order.out / FILE).read_bytes()
    with torch.no_grad():
        run.trainer.network.conv_in.weight.fill_(float("nan"))
    with pytest.raises(Refusal, match="stopped at step 4"):
        list(items)
    assert (order.out / FILE).read_bytes() == checkpoint
    assert session(replace(order, resume=True)).trainer.step == 3


# ------------------------------------------------------------------------------------------- snapshots, folders


def test_that_a_snapshot_is_a_model_that_stays_as_it_was(order: TrainOrder) -> None:
    run = session(order)
    items = run.work()
    while run.trainer.step < 3:
        next(items)
    folder = run.snapshot()
    assert folder == order.out / "snapshots" / "run step 3"
    assert run.snapshot() == folder
    info = read_info(folder)
    assert info.ref.name == "run step 3"
    assert info.labels == ("left", "right")
    held = open_model(folder).network.state_dict()
    averages = run.trainer.averaged().state_dict()
    assert all(torch.equal(held[name], averages[name]) for name in averages)
    list(items)
    assert read_info(folder) == info
    assert run.snapshot().name == "run step 6"


def test_that_a_snapshot_of_an_interrupted_run_does_not_take_an_older_ones_place(order: TrainOrder) -> None:
    run = session(order)
    kinds(run)
    first = run.snapshot()
    before = weights_in(first)
    again = session(replace(order, resume=True)).snapshot()
    assert again.name == "run step 6 (2)"
    assert weights_in(first) == before


def test_that_a_run_is_listed_with_the_pictures_it_was_trained_on(order: TrainOrder, tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    data = replace(DATA, source=tmp_path / "pictures")
    run = TrainingSession(order, data, network=TINY)
    kinds(run)
    (listed,) = list_runs()
    assert (listed.folder, listed.name, listed.pictures) == (order.out, "run", tmp_path / "pictures")
    assert (listed.step, listed.steps, listed.minutes, listed.finished) == (6, 6, None, True)
    assert (listed.size, listed.count, listed.data_name) == (8, 10, "halves")
    assert listed.loss == pytest.approx(float(run.history.losses.mean()), rel=1e-6)
    texts = [path.read_bytes() for path in order.out.rglob("*") if path.is_file()]
    assert not any(str(tmp_path / "pictures").encode() in text for text in texts)


def test_that_the_provenance_of_a_model_says_how_it_was_trained(order: TrainOrder) -> None:
    kinds(session(order))
    own = json.loads((order.out / "diffuscope.json").read_text())["provenance"]
    assert (own["step"], own["training"]["batch"], own["training"]["data_name"]) == (6, 4, "halves")


def test_that_the_preset_decides_the_network(tmp_path: Path) -> None:
    order = TrainOrder(tmp_path / "run", steps=1, preset="medium", prediction="eps", flip=True, lr=0.002, seed=3)
    request = TrainingSession(order, DATA).request
    assert request.network.block_out_channels == (64, 128)
    assert (request.prediction, request.flip, request.lr, request.seed) == ("eps", True, 0.002, 3)
    assert request.network.num_class_embeds == 3


def test_that_a_micro_batch_is_a_matter_of_the_network_and_the_device_alone() -> None:
    assert micro_batch(2_900_000_000, "cpu", 64) == 16
    assert micro_batch(1_000, "cpu", 64) == 32
    assert micro_batch(10**12, "cpu", 64) == 4
    assert micro_batch(650_000_000, "cuda", 64) == 64
