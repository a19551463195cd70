"""The U-Net against diffusers' UNet2DModel, and against formulas where no other library is needed."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from core.errors import Refusal
from core.unet import UNet, UNetConfig, prepare

DDPM: dict[str, Any] = {
    "freq_shift": 1,
    "flip_sin_to_cos": False,
    "downsample_padding": 0,
    "norm_eps": 1e-6,
    "attention_head_dim": None,
}
SMALL: dict[str, Any] = {
    "block_out_channels": [16, 32],
    "layers_per_block": 1,
    "norm_num_groups": 8,
    "down_block_types": ["DownBlock2D", "AttnDownBlock2D"],
    "up_block_types": ["AttnUpBlock2D", "UpBlock2D"],
}
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "DDPM CIFAR-10": {
        **DDPM,
        "block_out_channels": [32, 64, 64, 64],
        "down_block_types": ["DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"],
        "up_block_types": ["UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"],
    },
    "DDPM 256": {
        **DDPM,
        "block_out_channels": [32, 32, 32, 32, 64, 64],
        "down_block_types": ["DownBlock2D"] * 4 + ["AttnDownBlock2D", "DownBlock2D"],
        "up_block_types": ["UpBlock2D", "AttnUpBlock2D"] + ["UpBlock2D"] * 4,
    },
    "training script": {
        "block_out_channels": [32, 32, 32, 32, 64, 64],
        "down_block_types": ["DownBlock2D"] * 4 + ["AttnDownBlock2D", "DownBlock2D"],
        "up_block_types": ["UpBlock2D", "AttnUpBlock2D"] + ["UpBlock2D"] * 4,
    },
    "class-conditional": {**SMALL, "num_class_embeds": 11, "in_channels": 1, "out_channels": 1},
    "class as a time": {**SMALL, "class_embed_type": "timestep"},
    "class as a vector": {**SMALL, "class_embed_type": "identity"},
    "scale and shift, resnet resampling": {
        **SMALL,
        "resnet_time_scale_shift": "scale_shift",
        "down_block_types": ["ResnetDownsampleBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"],
        "up_block_types": ["AttnUpBlock2D", "AttnUpBlock2D", "ResnetUpsampleBlock2D"],
        "block_out_channels": [16, 24, 32],
        "downsample_type": "resnet",
        "upsample_type": "resnet",
        "attn_norm_num_groups": 4,
    },
    "scale and shift, no norm in the middle": {**SMALL, "resnet_time_scale_shift": "scale_shift", "in_channels": 2},
    "mish, middle scale, four channels": {
        **SMALL,
        "act_fn": "mish",
        "mid_block_scale_factor": 2**0.5,
        "in_channels": 4,
        "out_channels": 2,
    },
    "gelu, no middle attention, centred": {
        **SMALL,
        "act_fn": "gelu",
        "add_attention": False,
        "center_input_sample": True,
    },
    "relu, no middle": {**SMALL, "act_fn": "relu", "mid_block_type": None},
    "head width that does not divide": {**SMALL, "attention_head_dim": 3, "time_embedding_dim": 40},
    "odd time width": {**SMALL, "block_out_channels": [15, 30], "norm_num_groups": 3, "attention_head_dim": 15},
}


def network_of(**options: Any) -> UNet:
    """A network whose weights are nowhere zero, so that no branch hides."""
    network = UNet(UNetConfig.from_json(options)).eval()
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            fan_in = parameter[0].numel() if parameter.ndim > 1 else 16
            parameter.copy_(torch.randn(parameter.shape, generator=generator) / fan_in**0.5)
            if "norm" in name and name.endswith("weight"):
                parameter.add_(1)
    return network


def inputs_of(network: UNet, n: int = 2, sides: tuple[int, int] | None = None) -> tuple[Tensor, Tensor, Tensor | None]:
    config = network.config
    generator = torch.Generator().manual_seed(11)
    height, width = sides or (config.side_multiple * 2, config.side_multiple * 4)
    x = torch.randn(n, config.in_channels, height, width, generator=generator)
    t = torch.tensor([3.0, 712.0, 999.0, 41.0][:n])
    labels: Tensor | None = None
    if config.class_embed_type == "identity":
        labels = torch.randn(n, config.time_hidden, generator=generator)
    elif network.wants_labels:
        labels = torch.tensor([2, 10, 0, 5][:n])
    return x, t, labels


def relative_error(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max() / b.abs().max())


@pytest.mark.parametrize("name", CONFIGURATIONS)
@torch.inference_mode()
def test_that_it_answers_what_diffusers_answers(name: str) -> None:
    diffusers = pytest.importorskip("diffusers")
    network = network_of(**CONFIGURATIONS[name])
    theirs = diffusers.UNet2DModel(**CONFIGURATIONS[name]).eval()
    theirs.load_state_dict(network.state_dict())
    x, t, labels = inputs_of(network)
    expected = theirs(x, t, class_labels=labels).sample
    assert relative_error(network(x, t, labels), expected) < 1e-4


def test_that_sides_that_do_not_fit_are_refused() -> None:
    network = network_of(**SMALL)
    with pytest.raises(Refusal, match="multiples of 2"):
        network(torch.zeros(1, 3, 7, 8), 0.0)


def test_that_the_count_of_operations_is_that_of_the_convolutions_and_products() -> None:
    network = UNet(UNetConfig.from_json({**SMALL, "layers_per_block": 1}))
    counter = pytest.importorskip("torch.utils.flop_counter").FlopCounterMode(display=False)
    with counter, torch.inference_mode():
        network(torch.zeros(1, 3, 8, 16), 0.0)
    pixels, channels, attentions = 4 * 8, 32, 1 + 1 + 2  # the counter leaves the attention itself out on a CPU
    assert network.flops(8, 16) == counter.get_total_flops() + attentions * 2 * (2 * pixels**2 * channels)


def test_that_preparing_leaves_the_network_itself_alone() -> None:
    network = network_of(**SMALL).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    prepare(network, "cpu", "bfloat16")
    assert network.training
    assert all(parameter.requires_grad for parameter in network.parameters())
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])


def test_that_a_fresh_network_answers_zero_and_still_learns() -> None:
    network = UNet(UNetConfig.from_json(SMALL))
    network.initialise()
    x, t, _ = inputs_of(network)
    assert torch.count_nonzero(network(x, t)) == 0
    network(x, t).sub(1).square().mean().backward()
    assert network.conv_out.weight.grad is not None
    assert torch.count_nonzero(network.conv_out.weight.grad) > 0
