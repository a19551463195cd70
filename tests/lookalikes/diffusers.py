"""Weights like those of diffusers' UNet2DModel; the network written out from its definition, by its tensors' names."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.checkpoints.diffusers_weights import FAMILY
from tests.lookalikes import Draw, Forward, LookAlike

Weights = dict[str, Tensor]

GOOGLE: dict[str, Any] = {
    "norm_eps": 1e-6,
    "downsample_padding": 0,
    "flip_sin_to_cos": False,
    "freq_shift": 1,
    "attention_head_dim": None,
}
FILM: dict[str, Any] = {
    "resnet_time_scale_shift": "scale_shift",
    "downsample_type": "resnet",
    "upsample_type": "resnet",
    "attn_norm_num_groups": 4,
    "down_block_types": ["AttnDownBlock2D", "AttnDownBlock2D"],
    "up_block_types": ["AttnUpBlock2D", "AttnUpBlock2D"],
}
OLD_NAMES = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}


@dataclass(frozen=True)
class Kind:
    """A network by its ``config.json``, and what a person says of its weights without one."""

    name: str
    config: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)
    old_names: bool = False


KINDS = (
    Kind("as Google trained it", GOOGLE, {"preset": "google"}),
    Kind("as diffusers' examples train it", {}, {"preset": "diffusers"}),
    Kind("as Google's of 2022, with old names", GOOGLE, {"preset": "google"}, old_names=True),
    Kind("class-conditional, grey", {"num_class_embeds": 5, "in_channels": 1, "out_channels": 1}),
    Kind("scale and shift, residual resampling", FILM, {"preset": "diffusers"}),
    Kind(
        "scale and shift without a norm in the middle", {**FILM, "attn_norm_num_groups": None}, {"preset": "diffusers"}
    ),
    Kind(
        "residual resampling with and without attention",
        {
            **FILM,
            "block_out_channels": [8, 8, 16],
            "down_block_types": ["ResnetDownsampleBlock2D", "AttnDownBlock2D", "DownBlock2D"],
            "up_block_types": ["ResnetUpsampleBlock2D", "AttnUpBlock2D", "UpBlock2D"],
        },
    ),
    Kind(
        "heads that do not divide the channels",
        {"block_out_channels": [4, 8], "norm_num_groups": 2, "attention_head_dim": 3},
        {"groups": "2", "head": "3"},
    ),
    Kind("no attention in the middle, a learned variance", {"add_attention": False, "out_channels": 6}),
    Kind(
        "three resolutions, attention twice",
        {
            "block_out_channels": [8, 16, 16],
            "layers_per_block": 2,
            "down_block_types": ["DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"],
            "up_block_types": ["AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"],
        },
    ),
)


def config_of(kind: Kind) -> dict[str, Any]:
    """Its whole ``config.json``."""
    return {
        "_class_name": "UNet2DModel",
        "sample_size": 16,
        "in_channels": 3,
        "out_channels": 3,
        "block_out_channels": [8, 16],
        "layers_per_block": 1,
        "norm_num_groups": 4,
        "attention_head_dim": 8,
        "norm_eps": 1e-5,
        "downsample_padding": 1,
        "flip_sin_to_cos": True,
        "freq_shift": 0,
        "resnet_time_scale_shift": "default",
        "downsample_type": "conv",
        "upsample_type": "conv",
        "attn_norm_num_groups": None,
        "add_attention": True,
        "num_class_embeds": None,
        "down_block_types": ["DownBlock2D", "AttnDownBlock2D"],
        "up_block_types": ["AttnUpBlock2D", "UpBlock2D"],
        **kind.config,
    }


def drawn(kind: Kind) -> Weights:
    """Its tensors, by the names that the file has."""
    config, draw = config_of(kind), Draw(11)
    widths, n = config["block_out_channels"], config["layers_per_block"]
    hidden, film = 4 * widths[0], config["resnet_time_scale_shift"] == "scale_shift"

    def resnet(name: str, a: int, b: int) -> None:
        draw.norm(f"{name}.norm1", a)
        draw.layer(f"{name}.conv1", b, a, 3, 3)
        draw.layer(f"{name}.time_emb_proj", 2 * b if film else b, hidden)
        draw.norm(f"{name}.norm2", b)
        draw.layer(f"{name}.conv2", b, b, 3, 3)
        if a != b:
            draw.layer(f"{name}.conv_shortcut", b, a, 1, 1)

    def attention(name: str, width: int, normed: bool = True) -> None:
        head = config["attention_head_dim"]
        inner = width if head is None else width // head * head
        if normed:
            draw.norm(f"{name}.group_norm", width)
        for part in ("to_q", "to_k", "to_v"):
            draw.layer(f"{name}.{part}", inner, width)
        draw.layer(f"{name}.to_out.0", width, inner)

    def change(name: str, width: int, by_resnet: bool) -> None:
        resnet(name, width, width) if by_resnet else draw.layer(f"{name}.conv", width, width, 3, 3)

    draw.layer("conv_in", widths[0], config["in_channels"], 3, 3)
    draw.layer("time_embedding.linear_1", hidden, widths[0])
    draw.layer("time_embedding.linear_2", hidden, hidden)
    if config["num_class_embeds"]:
        draw.weight("class_embedding.weight", config["num_class_embeds"], hidden)
    kept, last = [widths[0]], len(widths) - 1
    for level, (width, block) in enumerate(zip(widths, config["down_block_types"], strict=True)):
        for j in range(n):
            resnet(f"down_blocks.{level}.resnets.{j}", kept[-1], width)
            if block.startswith("Attn"):
                attention(f"down_blocks.{level}.attentions.{j}", width)
            kept.append(width)
        if level < last:
            by_resnet = _by_resnet(block, config["downsample_type"])
            change(f"down_blocks.{level}.downsamplers.0", width, by_resnet)
            kept.append(width)
    for j in range(2):
        resnet(f"mid_block.resnets.{j}", widths[-1], widths[-1])
    if config["add_attention"]:
        attention("mid_block.attentions.0", widths[-1], not film or config["attn_norm_num_groups"] is not None)
    came = widths[-1]
    for step, block in enumerate(config["up_block_types"]):
        width = widths[last - step]
        for j in range(n + 1):
            resnet(f"up_blocks.{step}.resnets.{j}", came + kept.pop(), width)
            came = width
            if block.startswith("Attn"):
                attention(f"up_blocks.{step}.attentions.{j}", width)
        if step < last:
            by_resnet = _by_resnet(block, config["upsample_type"])
            change(f"up_blocks.{step}.upsamplers.0", width, by_resnet)
    draw.norm("conv_norm_out", widths[0])
    draw.layer("conv_out", config["out_channels"], widths[0], 3, 3)
    return {_old(name) if kind.old_names else name: tensor for name, tensor in draw.tensors.items()}


def _by_resnet(block: str, of_attention: str) -> bool:
    """Whether such a block changes the resolution by a residual block."""
    return block.startswith("Resnet") or (block.startswith("Attn") and of_attention == "resnet")


def _old(name: str) -> str:
    for new, old in OLD_NAMES.items():
        name = name.replace(f".{new}.", f".{old}.")
    return name


def reference(w: Weights, c: dict[str, Any], x: Tensor, t: Tensor, labels: Tensor | None) -> Tensor:
    """UNet2DModel, straight down: w its weights by present names, c its configuration."""

    def linear(name: str, value: Tensor) -> Tensor:
        return value @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def conv(name: str, value: Tensor, **how: int) -> Tensor:
        return F.conv2d(value, w[f"{name}.weight"], w[f"{name}.bias"], **how)

    def norm(name: str, value: Tensor, groups: int) -> Tensor:
        n, channels, height, width = value.shape
        parts = value.reshape(n, groups, -1)
        mean = parts.mean(2, keepdim=True)
        variance = parts.var(2, unbiased=False, keepdim=True)
        whole = ((parts - mean) / (variance + c["norm_eps"]).sqrt()).reshape(n, channels, height, width)
        return whole * w[f"{name}.weight"][:, None, None] + w[f"{name}.bias"][:, None, None]

    def swish(value: Tensor) -> Tensor:
        return value * torch.sigmoid(value)

    def resnet(name: str, value: Tensor, resampled: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        h = swish(norm(f"{name}.norm1", value, c["norm_num_groups"]))
        if resampled is not None:
            h, value = resampled(h), resampled(value)
        h = conv(f"{name}.conv1", h, padding=1)
        told = linear(f"{name}.time_emb_proj", swish(time))[:, :, None, None]
        if c["resnet_time_scale_shift"] == "scale_shift":
            scale, shift = told.chunk(2, dim=1)
            h = norm(f"{name}.norm2", h, c["norm_num_groups"]) * (1 + scale) + shift
        else:
            h = norm(f"{name}.norm2", h + told, c["norm_num_groups"])
        h = conv(f"{name}.conv2", swish(h), padding=1)
        return h + (conv(f"{name}.conv_shortcut", value) if f"{name}.conv_shortcut.weight" in w else value)

    def attention(name: str, value: Tensor, groups: int) -> Tensor:
        n, channels, height, width = value.shape
        h = norm(f"{name}.group_norm", value, groups) if f"{name}.group_norm.weight" in w else value
        tokens = h.flatten(2).transpose(1, 2)
        head = c["attention_head_dim"] or channels
        answers = []
        q, k, v = (linear(f"{name}.{part}", tokens) for part in ("to_q", "to_k", "to_v"))
        for start in range(0, channels // head * head, head):
            here = slice(start, start + head)
            scores = q[..., here] @ k[..., here].transpose(1, 2) / math.sqrt(head)
            answers.append(torch.softmax(scores, dim=-1) @ v[..., here])
        answer = linear(f"{name}.to_out.0", torch.cat(answers, dim=-1))
        return value + answer.transpose(1, 2).reshape(n, channels, height, width)

    def halved(value: Tensor) -> Tensor:
        return (value[..., ::2, ::2] + value[..., 1::2, ::2] + value[..., ::2, 1::2] + value[..., 1::2, 1::2]) / 4

    def doubled(value: Tensor) -> Tensor:
        return value.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)

    def blocks(way: str) -> list[int]:
        return sorted({int(name.split(".")[1]) for name in w if name.startswith(f"{way}_blocks.")})

    def resnets(name: str) -> list[int]:
        return sorted({int(key.split(".")[3]) for key in w if key.startswith(f"{name}.resnets.")})

    first = w["conv_in.weight"].shape[0]
    half = first // 2
    frequencies = torch.exp(-math.log(10000) * torch.arange(half) / (half - c["freq_shift"]))
    angles = t[:, None] * frequencies
    sin_cos = [angles.sin(), angles.cos()]
    waves = torch.cat(sin_cos[::-1] if c["flip_sin_to_cos"] else sin_cos, dim=1)
    time = linear("time_embedding.linear_2", swish(linear("time_embedding.linear_1", waves)))
    if labels is not None:
        time = time + w["class_embedding.weight"][labels]
    x = conv("conv_in", x, padding=1)
    skips = [x]
    groups = c["norm_num_groups"]
    for level in blocks("down"):
        name = f"down_blocks.{level}"
        for j in resnets(name):
            x = resnet(f"{name}.resnets.{j}", x)
            if f"{name}.attentions.{j}.to_q.weight" in w:
                x = attention(f"{name}.attentions.{j}", x, groups)
            skips.append(x)
        if f"{name}.downsamplers.0.conv1.weight" in w:
            x = resnet(f"{name}.downsamplers.0", x, halved)
            skips.append(x)
        elif f"{name}.downsamplers.0.conv.weight" in w:
            padding = c["downsample_padding"]
            x = F.pad(x, (padding, 1, padding, 1))
            x = conv(f"{name}.downsamplers.0.conv", x, stride=2)
            skips.append(x)
    x = resnet("mid_block.resnets.0", x)
    if "mid_block.attentions.0.to_q.weight" in w:
        x = attention("mid_block.attentions.0", x, c["attn_norm_num_groups"] or groups)
    x = resnet("mid_block.resnets.1", x)
    for step in blocks("up"):
        name = f"up_blocks.{step}"
        for j in resnets(name):
            x = resnet(f"{name}.resnets.{j}", torch.cat([x, skips.pop()], dim=1))
            if f"{name}.attentions.{j}.to_q.weight" in w:
                x = attention(f"{name}.attentions.{j}", x, groups)
        if f"{name}.upsamplers.0.conv1.weight" in w:
            x = resnet(f"{name}.upsamplers.0", x, doubled)
        elif f"{name}.upsamplers.0.conv.weight" in w:
            x = conv(f"{name}.upsamplers.0.conv", doubled(x), padding=1)
    return conv("conv_out", swish(norm("conv_norm_out", x, groups)), padding=1)


def present(tensors: Weights) -> Weights:
    """Under the names of today."""
    for new, old in OLD_NAMES.items():
        tensors = {name.replace(f".{old}.", f".{new}."): tensor for name, tensor in tensors.items()}
    return tensors


def theirs(kind: Kind, network: nn.Module) -> Forward:
    """diffusers' own network with the same weights."""
    import diffusers

    model = diffusers.UNet2DModel.from_config(config_of(kind)).eval()
    model.load_state_dict(network.state_dict())
    return lambda x, t, labels: model(x, t, class_labels=labels).sample


def lookalikes() -> Iterator[LookAlike]:
    for kind in KINDS:
        tensors, config = drawn(kind), config_of(kind)
        answers = {"preset": "diffusers", "groups": "4", "size": "16", **kind.answers}
        yield LookAlike(
            "diffusers, weights alone",
            kind.name,
            FAMILY,
            tensors,
            partial(reference, present(tensors), config),
            side=16,
            channels=config["in_channels"],
            classes=config["num_class_embeds"] or 0,
            answers=answers,
            theirs=partial(theirs, kind),
        )
