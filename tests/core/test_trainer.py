"""Training: the steps, and runs that go on with the same bits."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from core.errors import Cancelled, Refusal
from core.model_folder import open_model
from core.requests import ModelRef, PredictionKind, ScheduleSpec
from core.training.checkpoint import FILE, load_checkpoint, read_request, save_checkpoint
from core.training.presets import default_network
from core.training.request import TrainRequest
from core.training.run import train_on_folder
from core.training.trainer import Trainer
from core.unet import UNet
from tests.core.halves import DATA, REQUEST, TINY, folder_of, two_classes


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFUSCOPE_HOME", str(tmp_path / "home"))


def weights(trainer: Trainer) -> torch.Tensor:
    return torch.cat([value.flatten() for value in trainer.ema.averages.values()])


# ---------------------------------------------------------------------------------------------------- the steps


def test_that_training_learns_two_classes() -> None:
    trainer = Trainer(replace(REQUEST, steps=60, batch=8, lr=5e-3, label_dropout=0.1), DATA)
    losses = [step.loss for step in trainer.steps()]
    assert np.mean(losses[-10:]) < 0.6 * np.mean(losses[:5])
    network = trainer.averaged()
    x_t = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        x0_hat = -network(x_t, torch.tensor([999, 999]), torch.tensor([0, 1]))  # x0_hat = -v where alpha is nearly 0
    halves = x0_hat.view(2, 8, 2, 4).mean((1, 3))
    assert halves[0, 0] > halves[0, 1] + 0.3
    assert halves[1, 1] > halves[1, 0] + 0.3


def test_that_the_same_request_gives_the_same_bits() -> None:
    first, second = Trainer(REQUEST, DATA), Trainer(REQUEST, DATA)
    assert [step.loss for step in first.steps()] == [step.loss for step in second.steps()]
    assert torch.equal(weights(first), weights(second))


def test_that_other_work_between_steps_changes_no_bits() -> None:
    alone, disturbed = Trainer(REQUEST, DATA), Trainer(REQUEST, DATA)
    losses = [step.loss for step in alone.steps()]
    for loss, step in zip(losses, disturbed.steps(), strict=True):
        torch.randn(1000)
        torch.manual_seed(7)
        assert step.loss == loss


def test_that_dropout_layers_change_no_bits_of_others_and_repeat() -> None:
    request = replace(REQUEST, network=replace(TINY, dropout=0.5))
    losses = [step.loss for step in Trainer(request, DATA).steps()]
    torch.manual_seed(3)
    expected = torch.random.get_rng_state()
    again = [step.loss for step in Trainer(request, DATA).steps()]
    assert again == losses
    assert torch.equal(torch.random.get_rng_state(), expected)
    assert losses != [step.loss for step in Trainer(REQUEST, DATA).steps()]


def test_that_every_picture_comes_once_before_any_comes_again() -> None:
    trainer = Trainer(REQUEST, DATA)
    seen = torch.cat([trainer.batches._next_indices(4) for _ in range(5)])
    assert sorted(seen[:10].tolist()) == sorted(seen[10:].tolist()) == list(range(10))


def test_that_a_folder_smaller_than_the_batch_trains() -> None:
    small = two_classes(2)
    trainer = Trainer(replace(REQUEST, data_sha256=small.sha256, steps=1, batch=7), small)
    assert len(list(trainer.steps())) == 1


def test_that_labels_are_dropped_as_often_as_asked() -> None:
    request = replace(REQUEST, batch=5000, label_dropout=0.2)
    labels = Trainer(request, DATA).batches.next().labels
    assert labels is not None
    shares = torch.bincount(labels, minlength=3) / 5000
    np.testing.assert_allclose(shares, [0.4, 0.4, 0.2], atol=0.03)


def test_that_half_of_the_pictures_are_flipped_where_asked() -> None:
    batch = Trainer(replace(REQUEST, batch=2000, flip=True, label_dropout=0.0), DATA).batches.next()
    x0, labels = batch.x0, batch.labels
    assert labels is not None
    lit_on_the_left = x0[labels == 0, 0, 0, 0] == 1
    assert lit_on_the_left.double().mean().item() == pytest.approx(0.5, abs=0.06)


def test_that_the_learning_rate_warms_up_and_falls_to_nothing() -> None:
    trainer = Trainer(replace(REQUEST, lr=0.01, warm_up=2, steps=6), DATA)
    rates = [step.lr for step in trainer.steps()]
    cosine = [0.5 * (1 + math.cos(math.pi * step / 6)) for step in range(6)]
    assert rates == pytest.approx([0.005, *(0.01 * value for value in cosine[1:])])


def test_that_a_loss_that_is_no_number_stops_with_words_and_leaves_the_weights() -> None:
    trainer = Trainer(REQUEST, DATA)
    with torch.no_grad():
        trainer.network.conv_out.bias.fill_(math.nan)  # type: ignore[union-attr]
    before = weights(trainer)
    with pytest.raises(Refusal, match="stopped at step 1: its loss is no longer a number"):
        trainer.one_step()
    assert torch.equal(weights(trainer), before)
    assert trainer.step == 0


def test_that_a_cancelled_step_leaves_the_run_where_it_was() -> None:
    def cancel() -> None:
        raise Cancelled

    trainer = Trainer(REQUEST, DATA, check=cancel)
    with pytest.raises(Cancelled):
        trainer.one_step()
    assert trainer.step == 0


def whole_state(trainer: Trainer) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in trainer.state()[0].items()}


def calls_of_a_step(request: TrainRequest) -> int:
    calls: list[None] = []
    Trainer(request, DATA, check=lambda: calls.append(None)).one_step()
    return len(calls)


def test_that_a_step_looks_up_between_its_micro_batches_and_the_networks_blocks() -> None:
    once, often = calls_of_a_step(REQUEST), calls_of_a_step(replace(REQUEST, micro_batch=1))
    assert once >= 2 + 2 * 5  # before and after; two blocks down, the middle, two up; the same on the way back
    assert often >= 4 * (once - 1)


@pytest.mark.parametrize("request_", [replace(REQUEST, micro_batch=2), replace(REQUEST, flip=True, batch=7)])
def test_that_a_step_cancelled_anywhere_is_as_if_it_had_not_begun(request_: TrainRequest) -> None:
    whole = Trainer(request_, DATA)
    losses = [step.loss for step in whole.steps()]
    for last_call in range(1, calls_of_a_step(request_) + 1):
        left = [last_call]

        def check(left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] == 0:
                raise Cancelled

        trainer = Trainer(request_, DATA, check=check)
        before = whole_state(trainer)
        with pytest.raises(Cancelled):
            trainer.one_step()
        after = whole_state(trainer)
        assert before.keys() == after.keys()
        assert all(torch.equal(before[name], after[name]) for name in before)
        assert all(parameter.grad is None for parameter in trainer.network.parameters())
        assert trainer.seconds == 0
        if last_call % 7 == 1:
            assert [step.loss for step in trainer.steps()] == losses
            assert torch.equal(weights(trainer), weights(whole))


def test_that_the_state_in_the_middle_of_a_step_is_that_of_the_step_before() -> None:
    seen: list[dict[str, torch.Tensor]] = []
    trainer = Trainer(REQUEST, DATA, check=lambda: seen.append(whole_state(trainer)))
    before = whole_state(trainer)
    trainer.one_step()
    assert len(seen) > 5
    assert all(torch.equal(state[name], before[name]) for state in seen for name in before)


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_that_other_work_in_the_middle_of_a_step_changes_no_bits(dropout: float) -> None:
    request = replace(REQUEST, network=replace(TINY, dropout=dropout), micro_batch=2, steps=3, precision="bfloat16")
    casts: list[torch.dtype] = []

    def others() -> None:
        torch.manual_seed(7)
        casts.append((torch.randn(4, 4) @ torch.randn(4, 4)).dtype)

    alone, disturbed = Trainer(request, DATA), Trainer(request, DATA, check=others)
    assert [step.loss for step in disturbed.steps()] == [step.loss for step in alone.steps()]
    assert torch.equal(weights(alone), weights(disturbed))
    assert set(casts) == {torch.float32}  # nor does the step's precision reach the others


def test_that_time_spent_on_others_is_not_the_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("core.training.trainer.time.perf_counter", lambda: now[0])

    def others() -> None:
        now[0] += 10

    trainer = Trainer(REQUEST, DATA, check=others)
    assert trainer.one_step().seconds == 0
    assert trainer.seconds == 0


def test_that_a_run_of_some_minutes_does_not_spend_them_where_its_process_was_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, passes = [0.0], iter([2.0] * 10 + [1000.0])
    monkeypatch.setattr("core.training.trainer.time.perf_counter", lambda: now[0])
    trainer = Trainer(replace(REQUEST, steps=None, minutes=1.0), DATA)
    learn = trainer.optimizer.step

    def slowly() -> None:
        now[0] += next(passes)
        learn()

    monkeypatch.setattr(trainer.optimizer, "step", slowly)
    told = [trainer.one_step().seconds for _ in range(11)]
    assert told == [2.0] * 11
    assert trainer.progress == pytest.approx(22 / 60)


@pytest.mark.parametrize("micro_batch", [1, 2, 3])
def test_that_micro_batches_add_up_to_the_batch(micro_batch: int) -> None:
    request = replace(REQUEST, batch=5, steps=3)
    whole, split = Trainer(request, DATA), Trainer(replace(request, micro_batch=micro_batch), DATA)
    for one, other in zip(whole.steps(), split.steps(), strict=True):
        assert other.loss == pytest.approx(one.loss, rel=1e-5)
        assert other.gradient_norm == pytest.approx(one.gradient_norm, rel=1e-4)


def test_that_a_run_begins_with_the_weights_it_is_given() -> None:
    given = Trainer(replace(REQUEST, seed=9), DATA).averaged().state_dict()
    trainer = Trainer(REQUEST, DATA, weights=given)
    for now in (trainer.averaged().state_dict(), trainer.network.state_dict()):
        assert all(torch.equal(now[name], given[name]) for name in given)


@pytest.mark.parametrize(("prediction", "batch", "micro_batch"), [("v", 4, None), ("eps", 4, 2), ("x0", 8, 4)])
def test_that_the_gradient_of_a_usual_step_is_that_of_the_papers_algorithm(
    prediction: PredictionKind, batch: int, micro_batch: int | None
) -> None:
    """Drawn, noised, asked, squared, averaged and added up by hand."""
    request = replace(REQUEST, prediction=prediction, batch=batch, micro_batch=micro_batch, label_dropout=0.0)
    trainer, other = Trainer(request, DATA), Trainer(request, DATA)
    network, draws = other.network, torch.Generator().manual_seed(request.seed)
    order = torch.randperm(len(DATA), generator=torch.Generator().manual_seed(request.seed ^ 0x5EED))[:batch]
    x0 = torch.from_numpy(DATA.pictures[order.numpy()]).permute(0, 3, 1, 2).float() / 127.5 - 1
    torch.rand(batch, generator=draws)  # of labels that are dropped
    u = torch.rand((), generator=draws, dtype=torch.float64)
    t = ((u + torch.arange(batch, dtype=torch.float64) / batch) % 1.0 * 1000).long()
    eps = torch.randn(x0.shape, generator=draws)
    alpha_bar = torch.from_numpy(np.cumprod(1 - np.linspace(1e-4, 0.02, 1000)))[t].view(-1, 1, 1, 1)
    alpha, sigma = alpha_bar.sqrt().float(), (1 - alpha_bar).sqrt().float()
    wanted = {"eps": eps, "x0": x0, "v": alpha * eps - sigma * x0}[prediction]
    for part in torch.arange(batch).split(micro_batch or batch):
        output = network((alpha * x0 + sigma * eps)[part], t[part], torch.from_numpy(DATA.labels)[order][part])
        ((output - wanted[part]).square().mean() * len(part) / batch).backward()
    gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
    seen: dict[str, torch.Tensor] = {}

    def note(*arguments: object) -> None:
        seen.update({name: parameter.grad.clone() for name, parameter in trainer.network.named_parameters()})

    trainer.request = replace(request, gradient_clip=math.inf)
    trainer.optimizer.register_step_pre_hook(note)
    trainer.one_step()
    for name, gradient in gradients.items():
        assert gradient is not None
        assert torch.allclose(seen[name], gradient, rtol=1e-5, atol=1e-8), name


def test_that_other_pictures_than_those_of_the_request_are_refused() -> None:
    with pytest.raises(Refusal, match="not the pictures"):
        Trainer(REQUEST, two_classes(12))


def test_that_bfloat16_trains_close_to_float32() -> None:
    full = [step.loss for step in Trainer(REQUEST, DATA).steps()]
    half = [step.loss for step in Trainer(replace(REQUEST, precision="bfloat16"), DATA).steps()]
    assert half != full
    assert half == pytest.approx(full, rel=0.02)


# ---------------------------------------------------------------------------------------------------- requests


def test_that_a_request_survives_json() -> None:
    request = replace(REQUEST, schedule=ScheduleSpec("drawn", 10, points=((0.0, 0.9), (1.0, 0.1))), micro_batch=3)
    request = replace(request, base=ModelRef("digits", "0" * 64))
    assert TrainRequest.from_json(json.loads(request.to_text())) == request
    long = replace(REQUEST, steps=2_000_000)
    assert TrainRequest.from_json(json.loads(long.to_text())) == long


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"steps": None}, "how long to train"),
        ({"minutes": 3.0}, "how long to train"),
        ({"steps": 0}, "at least 1"),
        ({"steps": None, "minutes": 0.0}, "more than 0"),
        ({"batch": 0}, "empty"),
        ({"lr": 0.0}, "learning rate"),
        ({"lr": math.nan}, "learning rate"),
        ({"label_dropout": 1.0}, "Label dropout"),
        ({"precision": "float16"}, "bfloat16 or float32"),
        ({"micro_batch": 0}, "at least 1"),
        ({"gamma": 0.0}, "gamma"),
        ({"vlb_weight": -1.0}, "bound's weight"),
        ({"weight_decay": 1.0}, "Weight decay"),
        ({"objective": "hybrid"}, "this variance is fixed"),
        ({"variance": "range"}, "would teach the network its variance"),
        ({"variance": "diagonal", "objective": "min_snr"}, "would teach the network its variance"),
        ({"prediction": "eps", "schedule": ScheduleSpec(zero_snr=True)}, "predicts eps"),
        ({"objective": "min_snr", "schedule": ScheduleSpec(zero_snr=True)}, "never be learned"),
        ({"task": "classifier", "labels": ()}, "sub-folder"),
    ],
)
def test_that_requests_that_make_no_sense_are_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(Refusal, match=words):
        replace(REQUEST, **changes)  # type: ignore[arg-type]


def test_that_a_request_of_an_older_run_reads_as_one_with_what_was_then_the_only_way() -> None:
    data = json.loads(REQUEST.to_text())
    del data["micro_batch"], data["base"]
    for name in ("task", "objective", "variance", "timestep_sampler", "gamma", "vlb_weight", "weight_decay", "noised"):
        del data[name]
    assert (REQUEST.objective, REQUEST.variance, REQUEST.timestep_sampler) == ("simple", "fixed", "spread")
    assert TrainRequest.from_json(data) == REQUEST


@pytest.mark.parametrize(
    "change",
    [
        {"batch": "64"},
        {"batch": 2.5},
        {"prediction": "guess"},
        {"precision": "float8"},
        {"lr": None},
        {"flip": 1},
        {"labels": [1, 2]},
        {"schedule": {"name": "linear", "T": 10**9}},
        {"base": {"name": "digits", "sha256": "short"}},
        {"network": {"layers_per_block": 10**6}},
    ],
)
def test_that_a_changed_request_is_refused_before_anything_is_made_of_it(change: dict[str, object]) -> None:
    with pytest.raises(Refusal, match="settings cannot be read"):
        TrainRequest.from_json(json.loads(REQUEST.to_text()) | change)


@pytest.mark.parametrize("text", ["{}", '{"schedule": 3}', '{"schedule": {"points": [], "betas": []}, "labels": []}'])
def test_that_what_is_no_request_is_refused(text: str) -> None:
    with pytest.raises(Refusal, match="settings cannot be read"):
        TrainRequest.from_json(json.loads(text))


@pytest.mark.parametrize("size", [8, 16, 32, 64])
def test_that_the_default_network_fits_its_pictures(size: int) -> None:
    network = UNet(default_network(size, 3, 2)).eval()
    with torch.no_grad():
        assert network(torch.zeros(1, 3, size, size), 5, torch.tensor([2])).shape == (1, 3, size, size)


@pytest.mark.parametrize("size", [0, 4, 33, 50])
def test_that_sizes_that_cannot_be_halved_are_refused(size: int) -> None:
    with pytest.raises(Refusal, match="cannot be trained on"):
        default_network(size, 1, 0)


# ---------------------------------------------------------------------------------------------------- checkpoints


def test_that_a_resumed_run_ends_on_the_same_bits(tmp_path: Path) -> None:
    whole = Trainer(REQUEST, DATA)
    losses = [step.loss for step in whole.steps()]
    begun = Trainer(REQUEST, DATA)
    for _ in range(3):
        begun.one_step()
    save_checkpoint(begun, tmp_path)
    resumed = Trainer(replace(REQUEST), DATA)
    load_checkpoint(resumed, tmp_path)
    assert resumed.step == 3
    assert [step.loss for step in resumed.steps()] == losses[3:]
    assert torch.equal(weights(resumed), weights(whole))
    for mine, other in zip(resumed.network.parameters(), whole.network.parameters(), strict=True):
        assert torch.equal(mine, other)


def test_that_a_run_folder_is_a_model_folder_and_finishes(tmp_path: Path) -> None:
    pictures, out = folder_of(DATA, tmp_path / "halves"), tmp_path / "run"
    ticks: list[int] = []
    report = train_on_folder(
        pictures, out, size=8, steps=3, batch=4, network=TINY, on_tick=lambda trainer, step: ticks.append(step.step)
    )
    assert (report.step, ticks) == (3, [1, 2, 3])
    assert report.loss is not None
    model = open_model(out)
    assert (model.info.labels, model.info.null_label) == (("left", "right"), 2)
    assert (model.info.prediction, model.info.event_shape) == ("v", (1, 8, 8))
    assert len(model.info.data_statistics) > 0

    again = train_on_folder(pictures, out, size=8, steps=3, batch=4, network=TINY, resume=True)
    assert (again.step, again.loss) == (3, None)


def test_that_resume_without_a_checkpoint_starts_at_the_beginning(tmp_path: Path) -> None:
    pictures, out = folder_of(DATA, tmp_path / "halves"), tmp_path / "run"
    assert train_on_folder(pictures, out, size=8, steps=1, batch=2, network=TINY, resume=True).step == 1


def test_that_a_longer_run_goes_on_from_a_finished_one(tmp_path: Path) -> None:
    pictures, out = folder_of(DATA, tmp_path / "halves"), tmp_path / "run"
    train_on_folder(pictures, out, size=8, steps=1, batch=2, network=TINY)
    ticks: list[int] = []
    train_on_folder(
        pictures,
        out,
        size=8,
        steps=3,
        batch=2,
        network=TINY,
        resume=True,
        on_tick=lambda trainer, step: ticks.append(step.step),
    )
    assert ticks == [2, 3]


def test_that_a_run_is_not_overwritten_without_resume(tmp_path: Path) -> None:
    pictures, out = folder_of(DATA, tmp_path / "halves"), tmp_path / "run"
    train_on_folder(pictures, out, size=8, steps=1, batch=2, network=TINY)
    with pytest.raises(Refusal, match="already holds a training run"):
        train_on_folder(pictures, out, size=8, steps=1, batch=2, network=TINY)


def test_that_resuming_with_other_settings_is_refused(tmp_path: Path) -> None:
    pictures, out = folder_of(DATA, tmp_path / "halves"), tmp_path / "run"
    train_on_folder(pictures, out, size=8, steps=1, batch=2, network=TINY)
    with pytest.raises(Refusal, match="other settings: its batch is 2"):
        train_on_folder(pictures, out, size=8, steps=2, batch=3, network=TINY, resume=True)


def test_that_a_damaged_checkpoint_is_said_to_be_so(tmp_path: Path) -> None:
    trainer = Trainer(REQUEST, DATA)
    save_checkpoint(trainer, tmp_path)
    whole = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Refusal, match="damaged"):
        read_request(tmp_path)
    with pytest.raises(Refusal, match="damaged"):
        load_checkpoint(trainer, tmp_path)


def test_that_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    save_checkpoint(Trainer(REQUEST, DATA), tmp_path)
    wider = Trainer(replace(REQUEST, network=replace(TINY, block_out_channels=(8, 16))), DATA)
    with pytest.raises(Refusal, match="does not belong to this network"):
        load_checkpoint(wider, tmp_path)


@pytest.mark.parametrize(
    ("numbers", "words"),
    [([], "damaged"), ({"step": None}, "damaged"), ({"step": 1}, "does not belong"), ({"step": "one"}, "damaged")],
)
def test_that_a_checkpoint_whose_numbers_are_none_is_refused(tmp_path: Path, numbers: object, words: str) -> None:
    trainer = Trainer(REQUEST, DATA)
    tensors, _ = trainer.state()
    (tmp_path / FILE).parent.mkdir()
    safetensors.torch.save_file(
        {name: tensor.contiguous() for name, tensor in tensors.items()},
        tmp_path / FILE,
        {"request": REQUEST.to_text(), "numbers": json.dumps(numbers)},
    )
    with pytest.raises(Refusal, match=words):
        load_checkpoint(trainer, tmp_path)


def test_that_a_run_that_cannot_be_written_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Refusal, match="could not be written"):
        save_checkpoint(Trainer(REQUEST, DATA), tmp_path / "file")


def test_that_a_failed_write_leaves_the_older_checkpoint_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = Trainer(REQUEST, DATA)
    save_checkpoint(trainer, tmp_path)
    before = (tmp_path / FILE).read_bytes()
    trainer.one_step()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(Refusal, match="disk is full"):
        save_checkpoint(trainer, tmp_path)
    assert (tmp_path / FILE).read_bytes() == before
    assert list((tmp_path / FILE).parent.glob(".*")) == []
