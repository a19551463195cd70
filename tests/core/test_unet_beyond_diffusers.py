"""What the U-Net can do that diffusers has no name for, and that models without it stay as they are."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from core.errors import Refusal
from core.network_config import unknown_fields
from core.unet import UNet, UNetConfig, prepare
from core.unet_config import class_name, expressible
from tests.core.test_unet import SMALL, network_of, relative_error

BEYOND: dict[str, dict[str, Any]] = {
    "four heads": {"attention_heads": 4},
    "narrow sinusoid": {"time_width": 10},
    "rescaled times": {"time_factor": 0.25},
    "no convolution between resolutions": {"resample_conv": False},
}
X = torch.randn(2, 3, 4, 8, generator=torch.Generator().manual_seed(11))
T = torch.tensor([3.0, 712.0])


@torch.inference_mode()
def test_that_times_are_multiplied_before_the_network_sees_them() -> None:
    rescaled, plain = network_of(**SMALL, time_factor=0.25), network_of(**SMALL)
    torch.testing.assert_close(rescaled(X, 4 * T), plain(X, T), rtol=0, atol=0)
    assert relative_error(rescaled(X, T), plain(X, T)) > 0.01


@torch.inference_mode()
def test_that_a_number_of_heads_is_that_number_at_every_width() -> None:
    plain = {**SMALL, "down_block_types": ["AttnDownBlock2D"] * 2, "up_block_types": ["AttnUpBlock2D"] * 2}
    network = network_of(**plain, attention_heads=4)
    found = {module.to_q.out_features: module.heads for module in network.modules() if hasattr(module, "to_q")}
    assert found == {16: 4, 32: 4}
    one_width = network_of(**SMALL, attention_heads=4)  # attends at 32 channels alone
    assert relative_error(one_width(X, T), network_of(**SMALL, attention_head_dim=8)(X, T)) < 1e-6
    assert relative_error(one_width(X, T), network_of(**SMALL, attention_head_dim=16)(X, T)) > 1e-3


def test_that_the_width_of_the_sinusoid_is_that_of_the_time_embedding() -> None:
    network = UNet(UNetConfig.from_json({**SMALL, "time_width": 10}))
    assert network.time_embedding.linear_1.weight.shape == (40, 10)
    assert network.conv_in.weight.shape[0] == 16


@torch.inference_mode()
def test_that_without_convolutions_sides_are_halved_by_averages_and_doubled_by_repeating() -> None:
    network = network_of(**SMALL, resample_conv=False)
    assert not [name for name in network.state_dict() if "samplers" in name]
    assert network.down_blocks[0].downsamplers is not None
    assert network.up_blocks[0].upsamplers is not None
    y = network.down_blocks[0].downsamplers[0](X, T)
    torch.testing.assert_close(y, X.reshape(2, 3, 2, 2, 4, 2).mean((3, 5)))
    torch.testing.assert_close(
        network.up_blocks[0].upsamplers[0](X, T), X.repeat_interleave(2, 2).repeat_interleave(2, 3)
    )


@pytest.mark.parametrize("name", BEYOND)
@torch.inference_mode()
def test_that_the_prepared_network_answers_the_same(name: str) -> None:
    network = network_of(**SMALL, **BEYOND[name])
    assert relative_error(prepare(network, "cpu", "float32")(X, T), network(X, T)) < 1e-5


@pytest.mark.parametrize("name", BEYOND)
def test_that_such_a_configuration_is_written_as_ours_and_read_back(name: str) -> None:
    config = UNetConfig.from_json({**SMALL, **BEYOND[name]})
    data = config.to_json()
    assert BEYOND[name].items() <= data.items()
    assert UNetConfig.from_json(data) == config
    assert not unknown_fields(config, data)
    assert class_name(config) == "DiffuscopeUNet"
    assert expressible(config).startswith("diffusers has no network like this")


def test_that_other_configurations_are_written_as_before() -> None:
    config = UNetConfig.from_json(SMALL)
    assert not {"attention_heads", "time_width", "time_factor", "resample_conv"} & config.to_json().keys()
    assert (class_name(config), expressible(config)) == ("UNet2DModel", "")


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ({"attention_heads": 5}, "32 channels cannot be divided among 5 heads"),
        ({"attention_heads": 0}, "attention_heads is 0"),
        ({"time_width": 0}, "time_width is 0"),
        ({"time_factor": 0}, "time_factor is 0"),
        ({"time_factor": "a quarter"}, "time_factor must be a number"),
        ({"resample_conv": 1}, "resample_conv must be true or false"),
    ],
)
def test_that_what_makes_no_network_is_refused(field: dict[str, Any], words: str) -> None:
    with pytest.raises(Refusal, match=words):
        UNetConfig.from_json({**SMALL, **field})


def test_that_operations_are_counted_with_those_heads_and_without_those_convolutions() -> None:
    heads = network_of(**SMALL, attention_heads=4)
    assert heads.flops(8, 8) == network_of(**SMALL).flops(8, 8)
    bare = network_of(**SMALL, resample_conv=False)
    convolutions = 2 * 9 * (16 * 16 * 4 * 4 + 32 * 32 * 8 * 8)
    assert network_of(**SMALL).flops(8, 8) - bare.flops(8, 8) == convolutions
