"""The U-Net against diffusers' UNet2DModel, and against formulas where no other library is needed."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from core.errors import Cancelled, Refusal
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


def reference(w: dict[str, Tensor], x: Tensor, t: Tensor, labels: Tensor) -> Tensor:
    """The class-conditional network of ``SMALL`` written out from the formulas, one line after another.

    DDPM, appendix B: blocks of norm, SiLU, convolution, time shift, norm, SiLU, convolution; attention
    softmax(q k / √d) v with heads of 8 channels; time embedding of cosines and sines of frequencies
    10000^(-i / (width / 2)).
    """

    def norm(x: Tensor, name: str) -> Tensor:
        groups = x.reshape(len(x), 8, -1).double()
        scaled = (groups - groups.mean(2, keepdim=True)) / (groups.var(2, keepdim=True, unbiased=False) + 1e-5).sqrt()
        return (scaled.reshape(x.shape) * w[f"{name}.weight"][:, None, None] + w[f"{name}.bias"][:, None, None]).float()

    def swish(x: Tensor) -> Tensor:
        return x / (1 + torch.exp(-x))

    def conv(x: Tensor, name: str, stride: int = 1) -> Tensor:
        weight = w[f"{name}.weight"]
        side = weight.shape[2] // 2
        windows = F.pad(x, (side, side, side, side)).unfold(2, 2 * side + 1, stride).unfold(3, 2 * side + 1, stride)
        return torch.einsum("nchwij,ocij->nohw", windows, weight) + w[f"{name}.bias"][:, None, None]

    def linear(x: Tensor, name: str) -> Tensor:
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def resnet(x: Tensor, name: str) -> Tensor:
        h = conv(swish(norm(x, f"{name}.norm1")), f"{name}.conv1")
        h = h + linear(swish(time), f"{name}.time_emb_proj")[:, :, None, None]
        h = conv(swish(norm(h, f"{name}.norm2")), f"{name}.conv2")
        return h + (conv(x, f"{name}.conv_shortcut") if f"{name}.conv_shortcut.weight" in w else x)

    def attention(x: Tensor, name: str) -> Tensor:
        tokens = norm(x, f"{name}.group_norm").flatten(2).transpose(1, 2)
        out = torch.zeros_like(tokens)
        q, k, v = (linear(tokens, f"{name}.to_{letter}") for letter in "qkv")
        for head in range(0, tokens.shape[2], 8):
            part = slice(head, head + 8)
            scores = torch.einsum("nid,njd->nij", q[..., part], k[..., part]) / 8**0.5
            out[..., part] = (scores.exp() / scores.exp().sum(2, keepdim=True)) @ v[..., part]
        return linear(out, f"{name}.to_out.0").transpose(1, 2).reshape(x.shape) + x

    half = w["conv_in.weight"].shape[0] // 2
    angles = t[:, None] * 10_000.0 ** (-torch.arange(half) / half)
    time = torch.cat([angles.cos(), angles.sin()], dim=1)
    time = linear(swish(linear(time, "time_embedding.linear_1")), "time_embedding.linear_2")
    time = time + w["class_embedding.weight"][labels]

    first = conv(x, "conv_in")
    second = resnet(first, "down_blocks.0.resnets.0")
    third = conv(second, "down_blocks.0.downsamplers.0.conv", stride=2)
    fourth = attention(resnet(third, "down_blocks.1.resnets.0"), "down_blocks.1.attentions.0")
    h = attention(resnet(fourth, "mid_block.resnets.0"), "mid_block.attentions.0")
    h = resnet(h, "mid_block.resnets.1")
    for i, skip in enumerate((fourth, third)):
        h = resnet(torch.cat([h, skip], 1), f"up_blocks.0.resnets.{i}")
        h = attention(h, f"up_blocks.0.attentions.{i}")
    h = conv(h.repeat_interleave(2, 2).repeat_interleave(2, 3), "up_blocks.0.upsamplers.0.conv")
    for i, skip in enumerate((second, first)):
        h = resnet(torch.cat([h, skip], 1), f"up_blocks.1.resnets.{i}")
    return conv(swish(norm(h, "conv_norm_out")), "conv_out")


@torch.inference_mode()
def test_that_it_answers_what_the_formulas_say() -> None:
    network = network_of(**CONFIGURATIONS["class-conditional"])
    x, t, labels = inputs_of(network)
    assert labels is not None
    assert relative_error(network(x, t, labels), reference(network.state_dict(), x, t, labels)) < 1e-5


@pytest.mark.parametrize("name", CONFIGURATIONS)
@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-5), ("bfloat16", 0.1)])
@torch.inference_mode()
def test_that_the_prepared_network_answers_the_same(name: str, precision: str, tolerance: float) -> None:
    network = network_of(**CONFIGURATIONS[name])
    x, t, labels = inputs_of(network)
    ready = prepare(network, "cpu", precision)
    expected = network(x, t, labels)
    assert ready(x, t, labels).dtype == getattr(torch, precision)
    assert relative_error(ready(x, t, labels), expected) < tolerance
    one = ready(x[:1], t[:1], None if labels is None else labels[:1])
    assert relative_error(one, expected[:1]) < tolerance


@torch.inference_mode()
def test_that_one_time_for_all_is_the_same_as_that_time_for_each() -> None:
    network = network_of(**SMALL)
    x, _, _ = inputs_of(network)
    for ready in (network, prepare(network, "cpu", "float32")):
        each = ready(x, torch.full((len(x),), 250.5))
        torch.testing.assert_close(ready(x, 250.5), each, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(ready(x, torch.tensor(250.5)), each, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(ready(x, torch.tensor([250.5]).expand(len(x))), each, rtol=1e-4, atol=1e-5)


@torch.inference_mode()
def test_that_the_answer_never_depends_on_neighbours_nor_changes_its_input() -> None:
    ready = prepare(network_of(**CONFIGURATIONS["class-conditional"]), "cpu", "float32")
    x, t, labels = inputs_of(ready, n=4)
    before = x.clone()
    together = ready(x, t, labels)
    for i in range(4):
        assert labels is not None
        alone = ready(x[i : i + 1], t[i : i + 1], labels[i : i + 1])
        torch.testing.assert_close(together[i : i + 1], alone, rtol=1e-4, atol=1e-5)
    assert torch.equal(x, before)


def test_that_gradients_are_those_of_the_formulas() -> None:
    network = network_of(**CONFIGURATIONS["class-conditional"])
    x, t, labels = inputs_of(network)
    assert labels is not None
    network(x, t, labels).square().mean().backward()
    weights = {name: value.detach().clone().requires_grad_() for name, value in network.state_dict().items()}
    reference(weights, x, t, labels).square().mean().backward()
    for name, parameter in network.named_parameters():
        # The keys' bias changes no attention, its gradient is rounding: hence the absolute tolerance.
        torch.testing.assert_close(parameter.grad, weights[name].grad, rtol=1e-3, atol=1e-6, msg=name)


def test_that_dropout_acts_in_training_alone() -> None:
    network = network_of(**SMALL, dropout=0.5)
    x, t, _ = inputs_of(network)
    assert torch.equal(network(x, t), network(x, t))
    network.train()
    assert not torch.equal(network(x, t), network(x, t))


@torch.inference_mode()
def test_that_the_check_is_made_between_blocks_and_can_stop_the_work() -> None:
    network = prepare(network_of(**SMALL), "cpu", "float32")
    x, t, _ = inputs_of(network)
    calls = []
    network.check = lambda: calls.append(None)
    network(x, t)
    assert len(calls) >= 5

    def stop() -> None:
        raise Cancelled

    network.check = stop
    with pytest.raises(Cancelled):
        network(x, t)


def test_that_labels_are_asked_for_where_they_belong() -> None:
    x = torch.zeros(1, 1, 8, 8)
    with pytest.raises(Refusal, match="choose one"):
        network_of(**CONFIGURATIONS["class-conditional"])(x, 0.0)
    with pytest.raises(Refusal, match="knows no classes"):
        network_of(**SMALL)(torch.zeros(1, 3, 8, 8), 0.0, torch.tensor([1]))


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


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_that_preparing_changes_no_count_of_operations(name: str) -> None:
    network = network_of(**CONFIGURATIONS[name])
    assert prepare(network, "cpu", "float32").flops(64, 32) == network.flops(64, 32) > 0


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


HALVING = UNetConfig(
    sample_size=8,
    block_out_channels=(8, 8),
    down_block_types=("DownBlock2D",) * 2,
    up_block_types=("UpBlock2D",) * 2,
    norm_num_groups=4,
)


def test_that_a_network_looks_up_between_its_blocks_on_the_way_back_as_well() -> None:
    network, calls = UNet(HALVING), []
    network.check = lambda: calls.append(None)
    x = torch.randn(1, 3, 8, 8)
    y = network(x, 5)
    assert len(calls) == 5  # two blocks down, the middle, two up
    y.sum().backward()
    assert len(calls) == 10
    with torch.no_grad():
        network(x, 5)
    assert len(calls) == 15


def test_that_a_way_back_is_left_where_somebody_says_stop() -> None:
    network, left = UNet(HALVING), [7]

    def check() -> None:
        left[0] -= 1
        if not left[0]:
            raise Cancelled

    network.check = check
    y = network(torch.randn(1, 3, 8, 8), 5)
    with pytest.raises(Cancelled):
        y.sum().backward()
    assert network.conv_in.weight.grad is None
    assert network.conv_out.weight.grad is not None
