"""Training classifiers: what they learn, what is kept aside, and what lies in their folder afterwards."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from core.classifier import Classifier
from core.classifier_folder import open_classifier, read_classifier
from core.errors import Cancelled, Refusal
from core.levels import CLEAN
from core.recognisers import NetworkRecogniser, open_recogniser
from core.requests import ScheduleSpec
from core.schedules import make_schedule
from core.training.augment import moved, moves
from core.training.checkpoint import read_request
from core.training.classification import ClassifierTask, accuracy, apart
from core.training.dataset import PictureFolder
from core.training.events import Drawn
from core.training.order import TrainOrder
from core.training.request import TrainRequest
from core.training.session import TrainingSession
from core.training.split import last_of_ten
from core.training.tasks import task_of
from core.training.trainer import Trainer
from tests.core.halves import DATA, REQUEST, TINY, two_classes

SMALL = replace(TINY, num_class_embeds=None)
CLASSIFIES = replace(REQUEST, task="classifier", network=SMALL, label_dropout=0.0, weight_decay=0.05)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFUSCOPE_HOME", str(tmp_path / "home"))


def trained(request: TrainRequest, data: PictureFolder = DATA) -> Classifier:
    trainer = Trainer(request, data)
    for _ in trainer.steps():
        pass
    network = trainer.averaged()
    assert isinstance(network, Classifier)
    return network


# ---------------------------------------------------------------------------------------------------- the task


def test_that_a_classifier_learns_two_classes_through_noise() -> None:
    network = trained(replace(CLASSIFIES, steps=60, batch=8, lr=5e-3))
    found = accuracy(network, CLASSIFIES, two_classes(100))
    assert found["pictures"] == 100
    assert found["timesteps"] == [0, 125, 250, 375, 500, 625, 750, 875]
    assert min(found["recognised"][:4]) > 0.95
    assert 0.3 < found["recognised"][-1] < 0.95  # at t = 875 nobody can know


def test_that_the_loss_is_cross_entropy_in_nats_of_the_noised_pictures() -> None:
    asked: list[tuple[Tensor, Tensor]] = []

    def network(x: Tensor, t: Tensor, labels: Tensor | None) -> Tensor:
        assert labels is None  # it must not be told
        asked.append((x, t))
        return torch.tensor([[0.0, math.log(3.0)]]).expand(len(x), 2)

    x0, eps = torch.full((2, 1, 8, 8), 0.5), torch.ones(2, 1, 8, 8)
    t, labels = torch.tensor([0, 700]), torch.tensor([0, 1])
    losses = task_of(CLASSIFIES).losses(network, x0, eps, t, labels)
    assert losses.tolist() == pytest.approx([math.log(4), math.log(4 / 3)], rel=1e-6)
    schedule = make_schedule(ScheduleSpec("linear"))
    for index, step in enumerate((0, 700)):
        bar = float(schedule.alpha_bar[step])
        expected = 0.5 * math.sqrt(bar) + math.sqrt(1 - bar)
        assert float(asked[0][0][index].mean()) == pytest.approx(expected, rel=1e-6)
    assert asked[0][1].tolist() == [0, 700]


def test_that_a_judge_is_shown_clean_pictures_at_time_zero() -> None:
    asked: list[tuple[Tensor, Tensor]] = []

    def network(x: Tensor, t: Tensor, labels: Tensor | None) -> Tensor:
        asked.append((x, t))
        return torch.zeros(len(x), 2)

    x0 = torch.rand(3, 1, 8, 8)
    task = ClassifierTask(replace(CLASSIFIES, noised=False))
    task.losses(network, x0, torch.randn_like(x0), torch.tensor([5, 50, 500]), torch.tensor([0, 1, 0]))
    assert torch.equal(asked[0][0], x0)
    assert asked[0][1].tolist() == [0, 0, 0]


def test_that_labels_are_never_dropped() -> None:
    trainer = Trainer(replace(CLASSIFIES, label_dropout=0.9, batch=10), DATA)
    for _ in range(5):
        batch = trainer.batches.next()
        x0, labels = batch.x0, batch.labels
        assert labels is not None
        left = x0[:, 0, :, :4].mean((1, 2)) > 0
        assert torch.equal(labels, (~left).long())


def test_that_weights_decay_towards_zero() -> None:
    def size(decay: float) -> float:
        network = trained(replace(CLASSIFIES, weight_decay=decay, steps=30, lr=1e-2))
        return sum(float(parameter.detach().square().sum()) for parameter in network.down_blocks.parameters())

    assert size(0.5) < 0.95 * size(0.0)


# ---------------------------------------------------------------------------------------------------- pictures


def test_that_pictures_are_moved_as_a_whole_and_their_edges_repeated() -> None:
    x = torch.arange(36.0).view(1, 1, 6, 6).repeat(200, 2, 1, 1) + torch.tensor([0.0, 100.0]).view(1, 2, 1, 1)
    shown = moved(x, 2, moves(len(x), 2, torch.Generator().manual_seed(0)))
    assert shown.shape == x.shape
    places = set()
    for picture in shown:
        down, right = (int(value) for value in divmod(float(picture[0, 2, 2]), 6))
        down, right = down - 2, right - 2
        places.add((down, right))
        rows = (torch.arange(6) + down).clamp(0, 5)
        columns = (torch.arange(6) + right).clamp(0, 5)
        assert torch.equal(picture, x[0][:, rows][:, :, columns])
    assert places == {(down, right) for down in range(-2, 3) for right in range(-2, 3)}


def test_that_a_training_shows_its_pictures_moved() -> None:
    still, shifted = (Trainer(replace(CLASSIFIES, shift=shift, batch=10), DATA).batches.next().x0 for shift in (0, 2))
    edges = [float((batch[:, 0, 0].diff(dim=1) != 0).float().argmax(1).float().std()) for batch in (still, shifted)]
    assert edges[0] == 0
    assert edges[1] > 0


def test_that_one_picture_in_ten_of_each_class_is_kept_aside_always_the_same() -> None:
    labels = np.array([0] * 25 + [1] * 9 + [2] * 40)
    pictures = np.arange(74, dtype=np.uint8).reshape(74, 1, 1, 1).repeat(8, 1).repeat(8, 2)
    data = PictureFolder("three", pictures, labels, ("a", "b", "c"))
    shown, kept = apart(data, last_of_ten(data))
    assert [int((kept.labels == label).sum()) for label in range(3)] == [2, 0, 4]
    seen = [set(part.pictures[:, 0, 0, 0].tolist()) for part in (shown, kept)]
    assert seen[0] | seen[1] == set(range(74))
    assert not seen[0] & seen[1]
    again = apart(data, last_of_ten(data))
    assert (again[0].sha256, again[1].sha256) == (shown.sha256, kept.sha256)
    assert shown.sha256 != data.sha256


def test_that_pictures_without_classes_are_refused_in_words(tmp_path: Path) -> None:
    data = PictureFolder("all", DATA.pictures, np.zeros(10, dtype=np.int64), ())
    with pytest.raises(Refusal, match="no classes to tell apart"):
        TrainingSession(TrainOrder(tmp_path / "run", steps=2, task="classifier"), data)


# ---------------------------------------------------------------------------------------------------- the run


def session(out: Path, check: Callable[[], None] = lambda: None, **changes: object) -> TrainingSession:
    order = TrainOrder(out, steps=6, batch=4, samples=4, task="classifier", precision="float32", save_every=0.0)
    return TrainingSession(replace(order, **changes), two_classes(40), network=SMALL, check=check)  # type: ignore[arg-type]


def test_that_a_run_leaves_a_classifier_that_says_how_good_it_is(tmp_path: Path) -> None:
    run = session(tmp_path / "halves")
    assert not any(isinstance(item, Drawn) for item in run.work())
    info = read_classifier(tmp_path / "halves")
    assert info.labels == ("left", "right")
    assert info.noisy
    assert (info.event_shape, info.features) == ((1, 8, 8), 8)
    assert "2 classes of halves" in info.description
    told = json.loads((tmp_path / "halves" / "diffuscope.json").read_text())["provenance"]
    assert told["step"] == told["accuracy"]["step"] == 6
    assert told["accuracy"]["pictures"] == 4
    assert told["training"]["weight_decay"] == 0.05
    network = open_classifier(tmp_path / "halves").network
    x, t = torch.randn(2, 1, 8, 8), torch.tensor([3.0, 3.0])
    assert torch.equal(network(x, t), run.trainer.averaged()(x, t))


def test_that_the_person_is_told_what_is_kept_aside(tmp_path: Path) -> None:
    started = session(tmp_path / "run").started(1)
    assert started.pictures == 36
    assert any("Of its pictures 4 are kept aside" in note for note in started.notes)


def test_that_the_person_is_told_where_too_few_pictures_leave_none_aside(tmp_path: Path) -> None:
    order = session(tmp_path / "run").order
    few = TrainingSession(replace(order, out=tmp_path / "few"), two_classes(8), network=SMALL)
    assert any("No pictures are kept aside" in note for note in few.started(1).notes)


def test_that_a_judge_says_so(tmp_path: Path) -> None:
    for _ in session(tmp_path / "judge", noised=False).work():
        pass
    told = json.loads((tmp_path / "judge" / "diffuscope.json").read_text())
    assert not told["noisy"]
    assert told["provenance"]["accuracy"]["timesteps"] == [0]
    recogniser = open_recogniser(tmp_path / "judge").recogniser
    assert isinstance(recogniser, NetworkRecogniser)
    assert recogniser.log_probabilities(torch.zeros(1, 1, 8, 8), CLEAN).shape == (1, 2)


def test_that_a_run_that_was_left_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    whole, parts = session(tmp_path / "whole"), session(tmp_path / "parts")
    for _ in whole.work():
        pass
    for _ in parts.work():
        if parts.trainer.step == 3:
            break
    parts.save()
    del parts
    order = TrainOrder(tmp_path / "parts", resume=True)
    resumed = TrainingSession(order, two_classes(40))
    assert resumed.request.task == "classifier"
    assert resumed.trainer.step == 3
    for _ in resumed.work():
        pass
    one, other = (read_classifier(tmp_path / name).ref.sha256 for name in ("whole", "parts"))
    assert one == other


def test_that_a_run_of_other_pictures_is_not_gone_on_with(tmp_path: Path) -> None:
    for _ in session(tmp_path / "run").work():
        pass
    with pytest.raises(Refusal, match="not the pictures"):
        TrainingSession(TrainOrder(tmp_path / "run", resume=True, steps=20), two_classes(42))


def test_that_measuring_can_be_stopped_and_the_run_still_be_saved(tmp_path: Path) -> None:
    stop = False

    def check() -> None:
        if stop:
            raise Cancelled

    run = session(tmp_path / "run", check)
    work = run.work()
    while run.trainer.step < 2:
        next(work)
    stop = True
    with pytest.raises(Cancelled):
        next(work)
    run.save()
    request = read_request(tmp_path / "run")
    assert request is not None
    assert request.task == "classifier"
    told = json.loads((tmp_path / "run" / "diffuscope.json").read_text())["provenance"]
    assert told["step"] == 2


def test_that_a_snapshot_is_a_classifier_too(tmp_path: Path) -> None:
    run = session(tmp_path / "run")
    work = run.work()
    while run.trainer.step < 1:
        next(work)
    folder = run.snapshot()
    assert read_classifier(folder).ref.name == "run step 1"
    run.save()
