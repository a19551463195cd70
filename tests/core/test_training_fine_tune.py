"""Fine-tuning: an open model goes on learning, from other pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from core.errors import Refusal
from core.library import NetworkModel
from core.messages import ModelInfo
from core.model_folder import open_model, save_model
from core.requests import ModelRef, SamplerSpec, ScheduleSpec
from core.training.dataset import PictureFolder
from core.training.events import Saved
from core.training.fine_tune import beginning
from core.training.order import TrainOrder
from core.training.session import TrainingSession
from core.unet import UNet
from core.unet_config import UNetConfig
from tests.core.halves import DATA, TINY

X = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
T = torch.tensor([10, 700])


def base(folder: Path, labels: tuple[str, ...] = (), null: bool = False, channels: int = 1) -> NetworkModel:
    """A model with random weights, whose last layer is not 0."""
    classes = len(labels) + null if labels else None
    config = replace(TINY, num_class_embeds=classes, in_channels=channels, out_channels=channels)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        network = UNet(config)
    info = ModelInfo(
        ref=ModelRef("base", ""),
        event_shape=(channels, 8, 8),
        schedule=ScheduleSpec("cosine", 200),
        prediction="eps",
        labels=labels,
        null_label=len(labels) if null else None,
        sampler=SamplerSpec("ddpm", variance="large", clip="clamp"),
        usual_guidance=2.0,
        usual_steps=20,
    )
    save_model(folder / "base", network, info)
    return NetworkModel(open_model(folder / "base"))


def begun(model: NetworkModel, data: PictureFolder = DATA) -> UNet:
    """The network that a fine-tuning begins with."""
    begin = beginning(model, data)
    network = UNet(begin.network)
    network.load_state_dict(begin.weights)
    return network.eval()


@torch.no_grad()
def answer(network: UNet, label: int | None = None) -> torch.Tensor:
    seen: torch.Tensor = network(X, T, None if label is None else torch.full((2,), label))
    return seen


UNLABELLED = replace(DATA, labels=np.zeros(10, np.int64), classes=())


def test_that_equal_classes_keep_every_answer(tmp_path: Path) -> None:
    model = base(tmp_path, ("left", "right"), null=True)
    for label in range(3):
        assert torch.equal(answer(begun(model), label), answer(model.network, label))
    assert beginning(model, DATA).notes == ()


def test_that_classes_of_the_same_name_are_found_in_another_place_and_new_ones_begin_as_no_class(
    tmp_path: Path,
) -> None:
    model = base(tmp_path, ("right", "up"), null=True)
    network = begun(model)
    assert torch.equal(answer(network, 1), answer(model.network, 0))  # right
    assert torch.equal(answer(network, 0), answer(model.network, 2))  # left is new
    assert torch.equal(answer(network, 2), answer(model.network, 2))
    (note,) = beginning(model, DATA).notes
    assert note == "New to “base”: left. It forgets what these pictures do not show: up."


def test_that_a_model_without_classes_answers_as_before_until_it_learns_them(tmp_path: Path) -> None:
    model = base(tmp_path)
    for label in range(3):
        assert torch.equal(answer(begun(model), label), answer(model.network))
    (note,) = beginning(model, DATA).notes
    assert "learns the 2" in note


@pytest.mark.parametrize("null", [True, False])
def test_that_pictures_without_classes_make_a_model_without(tmp_path: Path, null: bool) -> None:
    model = base(tmp_path, ("left", "right"), null=null)
    network = begun(model, UNLABELLED)
    assert not network.wants_labels
    if null:
        torch.testing.assert_close(answer(network), answer(model.network, 2))
    (note,) = beginning(model, UNLABELLED).notes
    assert "goes on without" in note


def test_that_a_model_without_classes_stays_so(tmp_path: Path) -> None:
    model = base(tmp_path)
    assert torch.equal(answer(begun(model, UNLABELLED)), answer(model.network))
    assert beginning(model, UNLABELLED).notes == ()


def test_that_a_model_without_a_null_label_gets_one_between_its_classes(tmp_path: Path) -> None:
    model = base(tmp_path, ("left", "right"))
    begin = beginning(model, DATA)
    rows = model.network.state_dict()["class_embedding.weight"]
    torch.testing.assert_close(begin.weights["class_embedding.weight"], torch.cat((rows, rows.mean(0, keepdim=True))))


def test_that_another_size_is_taken_where_the_network_can_and_said(tmp_path: Path) -> None:
    model = base(tmp_path)
    large = replace(UNLABELLED, pictures=UNLABELLED.pictures.repeat(2, axis=1).repeat(2, axis=2))
    begin = beginning(model, large)
    assert begin.network.sides == (16, 16)
    assert "pictures of 8 × 8; it goes on with 16 × 16" in begin.notes[0]
    odd = replace(UNLABELLED, pictures=UNLABELLED.pictures[:, :7, :7])
    with pytest.raises(Refusal, match="multiples of 2, not 7"):
        beginning(model, odd)


def test_that_the_model_itself_is_left_as_it_is(tmp_path: Path) -> None:
    model = base(tmp_path, ("left", "right"), null=True)
    before = {name: tensor.clone() for name, tensor in model.network.state_dict().items()}
    order = TrainOrder(tmp_path / "run", steps=3, batch=4, base=model.info.ref, samples=0)
    list(TrainingSession(order, UNLABELLED, model).work())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.network.state_dict().items())


def test_that_a_fine_tuning_keeps_what_the_model_is_and_names_it(tmp_path: Path) -> None:
    model = base(tmp_path, ("left", "right"), null=True)
    order = TrainOrder(tmp_path / "run", steps=4, batch=4, base=model.info.ref, prediction="v", samples=0)
    run = TrainingSession(order, DATA, model)
    items = run.work()
    assert next(items) == Saved(0)
    first = open_model(order.out)
    assert torch.equal(answer(first.network, 1), answer(model.network, 1))
    assert (first.info.schedule, first.info.prediction) == (model.info.schedule, "eps")
    assert first.info.sampler == model.info.sampler
    assert (first.info.usual_guidance, first.info.usual_steps) == (None, None)  # what suits it is not known yet
    list(items)
    assert not torch.equal(answer(open_model(order.out).network, 1), answer(model.network, 1))
    assert run.request.base == model.info.ref


def test_that_the_window_is_told_what_becomes_of_the_classes(tmp_path: Path) -> None:
    model = base(tmp_path)
    order = TrainOrder(tmp_path / "run", steps=1, base=model.info.ref)
    assert TrainingSession(order, DATA, model).started(1).notes == beginning(model, DATA).notes != ()


def test_that_a_fine_tuning_goes_on_without_its_model(tmp_path: Path) -> None:
    model = base(tmp_path, ("left", "right"), null=True)
    order = TrainOrder(tmp_path / "run", steps=2, batch=4, base=model.info.ref, samples=0)
    list(TrainingSession(order, DATA, model).work())
    longer = TrainingSession(replace(order, resume=True, steps=4), DATA)
    assert longer.trainer.step == 2
    list(longer.work())
    info = open_model(order.out).info
    assert (info.schedule, info.sampler) == (model.info.schedule, model.info.sampler)


def test_that_a_model_that_is_not_open_is_asked_for(tmp_path: Path) -> None:
    order = TrainOrder(tmp_path / "run", steps=2, base=ModelRef("flowers", "0" * 64))
    with pytest.raises(Refusal, match="“flowers” that this training begins from is not open"):
        TrainingSession(order, DATA)


def test_that_grey_pictures_are_given_to_a_model_of_colours(tmp_path: Path) -> None:
    model = base(tmp_path, channels=3)
    order = TrainOrder(tmp_path / "run", steps=1, batch=4, base=model.info.ref, samples=0)
    run = TrainingSession(order, UNLABELLED, model)
    list(run.work())
    np.testing.assert_array_equal(run.data.pictures, UNLABELLED.pictures.repeat(3, axis=3))
    again = TrainingSession(replace(order, resume=True, steps=2), UNLABELLED)
    assert again.trainer.step == 1


def test_that_every_kind_of_network_can_be_begun_from(model: Path) -> None:
    opened = NetworkModel(open_model(model))
    config: UNetConfig = beginning(opened, DATA).network
    assert config.block_out_channels == (8, 16)
