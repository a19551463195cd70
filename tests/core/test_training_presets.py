"""The networks offered for one's own pictures."""

from __future__ import annotations

import pytest
import torch

from core.errors import Refusal
from core.requests import VarianceKind
from core.training.order import PresetName
from core.training.presets import PRESETS, network_of, parameters_of
from core.unet import UNet

NAMES = list(PRESETS)


@pytest.mark.parametrize("preset", NAMES)
@pytest.mark.parametrize("size", [8, 16, 32, 48, 64, 256])
@pytest.mark.parametrize(("channels", "classes", "variance"), [(1, 0, "fixed"), (3, 7, "fixed"), (1, 2, "range")])
def test_that_a_presets_parameters_are_counted_without_torch(
    preset: PresetName, size: int, channels: int, classes: int, variance: VarianceKind
) -> None:
    with torch.device("meta"):
        network = UNet(network_of(preset, size, channels, classes, variance))
    counted = sum(parameter.numel() for parameter in network.parameters())
    assert parameters_of(preset, size, channels, classes, variance) == counted


@pytest.mark.parametrize("preset", NAMES)
@pytest.mark.parametrize("size", [8, 32, 64])
def test_that_a_preset_fits_its_pictures_and_has_a_null_label(preset: PresetName, size: int) -> None:
    config = network_of(preset, size, 3, 2)
    with torch.device("meta"):
        network = UNet(config)
        seen = network(torch.zeros(1, 3, size, size), 5, torch.tensor([2]))
    assert config.num_class_embeds == 3
    assert seen.shape == (1, 3, size, size)


def test_that_presets_grow() -> None:
    sizes = [parameters_of(preset, 32, 3, 10) for preset in ("small", "medium", "large")]
    assert sizes == sorted(sizes)


@pytest.mark.parametrize("preset", NAMES)
@pytest.mark.parametrize("size", [0, 4, 33, 50])
def test_that_sizes_that_cannot_be_halved_are_refused(preset: PresetName, size: int) -> None:
    assert parameters_of(preset, size, 1, 0) is None
    with pytest.raises(Refusal, match="choose a multiple of"):
        network_of(preset, size, 1, 0)


@pytest.mark.parametrize("preset", NAMES)
def test_that_the_words_of_a_preset_name_its_number_of_parameters(preset: PresetName) -> None:
    count = parameters_of(preset, 32, 1, 10)
    assert count is not None
    millions = f"{count / 1e6:.1f}" if count < 1e7 else f"{count / 1e6:.0f}"
    assert f"{millions} million parameters at 32 × 32" in PRESETS[preset].words
