"""What a network's training costs, counted from its options alone."""

from __future__ import annotations

import pytest
import torch

from core.classifier import Classifier
from core.classifier_config import ClassifierConfig, classifier_network
from core.training.order import PresetName
from core.training.presets import network_of
from core.unet import UNet
from core.unet_work import unet_work


@pytest.mark.parametrize("preset", ["small", "medium", "large"])
@pytest.mark.parametrize("side", [16, 32])
def test_that_operations_are_those_of_the_networks_layers(preset: PresetName, side: int) -> None:
    config = network_of(preset, side, 3, 9)
    with torch.device("meta"):
        assert unet_work(config, side).flops == UNet(config).flops(side, side)


def test_that_a_classifier_costs_about_its_encoder() -> None:
    config = classifier_network("medium", 32, 3)
    with torch.device("meta"):
        flops = Classifier(ClassifierConfig(config, 9)).flops(32, 32)
    assert unet_work(config, 32, only_encoder=True).flops == pytest.approx(flops, rel=0.02)


def test_that_activations_are_about_what_autograd_keeps() -> None:
    config = network_of("small", 16, 3, 4)
    network, kept = UNet(config), dict[int, torch.Tensor]()
    own = {parameter.data_ptr() for parameter in network.parameters()}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    n = 8
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        network(torch.zeros(n, 3, 16, 16), torch.zeros(n), torch.zeros(n, dtype=torch.long))
    numbers = sum(tensor.untyped_storage().nbytes() // 4 for pointer, tensor in kept.items() if pointer not in own)
    assert unet_work(config, 16).activations == pytest.approx(numbers / n, rel=0.3)
