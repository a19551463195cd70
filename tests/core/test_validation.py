"""Pictures kept aside, and the loss on them with fixed noise."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from core.requests import ScheduleSpec
from core.training.dataset import PictureFolder
from core.training.events import LEVELS, means_by_level
from core.training.request import TrainRequest
from core.training.split import evenly
from core.training.split import kept_aside as kept_aside_rows
from core.training.tasks import Network
from core.training.trainer import Trainer
from core.training.validation import Validator
from core.unet_config import UNetConfig

TINY = UNetConfig(
    sample_size=8,
    in_channels=1,
    out_channels=1,
    block_out_channels=(8,),
    down_block_types=("DownBlock2D",),
    up_block_types=("UpBlock2D",),
    layers_per_block=1,
    norm_num_groups=4,
    num_class_embeds=3,
)


def folder(count: int, classes: int = 2) -> PictureFolder:
    pictures = np.random.default_rng(3).integers(0, 256, (count, 8, 8, 1), dtype=np.uint8)
    labels = np.sort(np.arange(count) % classes).astype(np.int64)
    paths = tuple(f"{label}/{row}.png" for row, label in enumerate(labels))
    return PictureFolder("noise", pictures, labels, ("a", "b")[:classes], paths=paths)


def kept_aside(data: PictureFolder, count: int) -> tuple[PictureFolder, PictureFolder]:
    return kept_aside_rows(data, evenly(len(data), count))


def request_for(data: PictureFolder, **changes: object) -> TrainRequest:
    made = TrainRequest(data_name="noise", data_sha256=data.sha256, network=TINY, labels=data.classes, steps=3, batch=4)
    return replace(made, **changes)  # type: ignore[arg-type]


class Echo(nn.Module):
    """A network that answers a multiple of what it sees, and remembers with what it was asked."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))
        self.asked: list[tuple[Tensor, Tensor, Tensor | None]] = []

    def forward(self, x: Tensor, t: Tensor, labels: Tensor | None) -> Tensor:
        assert not self.training
        self.asked.append((x.clone(), t.clone(), None if labels is None else labels.clone()))
        return self.factor * x


class Errors:
    """A task whose losses are t / 1000."""

    drops_labels = True

    def network(self, request: TrainRequest) -> nn.Module:
        raise AssertionError("the network is given")

    def losses(self, network: Network, x0: Tensor, eps: Tensor, t: Tensor, labels: Tensor | None) -> Tensor:
        network(eps, t, labels)
        return t.float() / 1000


def test_that_a_training_never_sees_a_picture_that_is_kept_aside() -> None:
    data, _aside = kept_aside(folder(10), 3)
    trainer = Trainer(request_for(data), data)
    seen = [int(row) for _ in range(7) for row in trainer.batches._next_indices(4)]
    assert sorted(set(seen)) == data.trained_on.tolist()
    assert all(seen.count(row) == 4 for row in set(seen))


def test_that_levels_are_met_evenly_and_the_mean_is_theirs() -> None:
    _train, aside = kept_aside(folder(100), 50)
    request = request_for(aside, schedule=ScheduleSpec(T=1000))
    validated = Validator(request, aside, Errors()).measure(Echo(1.0), step=7)
    assert validated is not None
    assert validated.step == 7
    assert validated.loss == pytest.approx(0.4995, abs=1e-3)  # the mean of 0..999 over 1000
    np.testing.assert_allclose(validated.by_level, 0.05 + np.arange(10) / 10, atol=6e-3)


def test_that_no_label_is_dropped_and_few_pictures_are_measured_on_several_noises() -> None:
    _train, aside = kept_aside(folder(10), 5)
    network = Echo(1.0)
    Validator(request_for(aside, label_dropout=0.9), aside, Errors()).measure(network)
    labels = torch.cat([labels for _x, _t, labels in network.asked if labels is not None])
    noise = torch.cat([x for x, _t, _labels in network.asked])
    assert labels.tolist() == aside.labels.tolist() * 13
    assert len({tuple(x.flatten().tolist()) for x in noise}) == 65


def test_that_the_loss_of_answering_the_target_is_nothing_and_that_of_answering_nothing_its_power() -> None:
    _train, aside = kept_aside(folder(40), 20)
    request = request_for(aside, prediction="eps")
    trainer = Trainer(request, aside)
    of_nothing = Validator(request, aside, trainer.task).measure(Echo(0.0))
    assert of_nothing is not None
    assert of_nothing.loss == pytest.approx(1.0, abs=0.1)  # E |eps|^2 of a value


def test_that_the_same_network_is_measured_the_same_and_a_step_notices_nothing() -> None:
    data, aside = kept_aside(folder(30), 10)

    def run(measures: bool) -> tuple[list[float], list[float]]:
        trainer = Trainer(request_for(data), data)
        validator, seen = Validator(trainer.request, aside, trainer.task), []
        losses = []
        for _ in range(3):
            losses.append(trainer.one_step().loss)
            if measures:
                for network in (trainer.averaged(), trainer.averaged(), trainer.network):
                    validated = validator.measure(network)
                    assert validated is not None
                    seen.append(validated.loss)
                torch.rand(3)
        return losses, seen

    alone, _nothing = run(measures=False)
    watched, seen = run(measures=True)
    assert watched == alone
    assert seen[0::3] == seen[1::3]
    assert seen[0] != seen[3]
    assert seen == run(measures=True)[1]


def test_that_a_network_that_was_learning_goes_on_learning() -> None:
    _train, aside = kept_aside(folder(10), 5)
    network = Echo(1.0).train()
    Validator(request_for(aside), aside, Errors()).measure(network)
    assert network.training


def test_that_nothing_is_measured_where_nothing_is_kept_aside() -> None:
    _train, aside = kept_aside(folder(10), 0)
    assert Validator(request_for(aside), aside, Errors()).measure(Echo(1.0)) is None


def test_that_others_are_let_in_between_the_parts() -> None:
    _train, aside = kept_aside(folder(200), 100)
    called = []
    Validator(request_for(aside), aside, Errors()).measure(Echo(1.0), check=lambda: called.append(1))
    assert len(called) == 7


def test_that_losses_are_told_in_ten_bins_of_t() -> None:
    t, losses = np.array([0, 99, 100, 999]), np.array([1, 3, 5, 7], np.float32)
    means = means_by_level(t, losses, 1000)
    assert (means[0], means[1], means[9]) == (2, 5, 7)
    assert np.isnan(means[2:9]).all()
    assert len(means_by_level(np.arange(3), np.ones(3, np.float32), 3)) == LEVELS
    assert math.isnan(float(means_by_level(np.zeros(0, np.int64), np.zeros(0, np.float32), 10)[0]))
