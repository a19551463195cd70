"""Checkpoints like those of ermongroup/ddim and pesser/pytorch_diffusion; their network written out from formulas."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.checkpoints.ddpm import FAMILY
from tests.lookalikes import Forward, LookAlike

Weights = dict[str, Tensor]

OPTIONS: dict[str, dict[str, Any]] = {
    "two resolutions, attention at the second": {},
    "three resolutions, attention at the third": {"mults": (1, 1, 2), "attention": (2,), "channels": 1},
    "two blocks, no attention on the way": {"blocks": 2, "attention": ()},
    "resampling without convolutions": {"resample": False},
}


def shapes(
    mults: tuple[int, ...] = (1, 2),
    attention: tuple[int, ...] = (1,),
    *,
    ch: int = 32,
    blocks: int = 1,
    channels: int = 3,
    resample: bool = True,
) -> dict[str, tuple[int, ...]]:
    """Those of its tensors. ``attention``: the resolutions that have some, counted from the finest, 0."""
    made: dict[str, tuple[int, ...]] = {}

    def layer(name: str, *shape: int) -> None:
        made[f"{name}.weight"], made[f"{name}.bias"] = shape, shape[:1]

    def norm(name: str, width: int) -> None:
        layer(name, width)

    def block(name: str, a: int, b: int) -> None:
        norm(f"{name}.norm1", a)
        layer(f"{name}.conv1", b, a, 3, 3)
        layer(f"{name}.temb_proj", b, 4 * ch)
        norm(f"{name}.norm2", b)
        layer(f"{name}.conv2", b, b, 3, 3)
        if a != b:
            layer(f"{name}.nin_shortcut", b, a, 1, 1)

    def attend(name: str, width: int) -> None:
        norm(f"{name}.norm", width)
        for part in ("q", "k", "v", "proj_out"):
            layer(f"{name}.{part}", width, width, 1, 1)

    widths = [ch * mult for mult in mults]
    last = len(widths) - 1
    layer("temb.dense.0", 4 * ch, ch)
    layer("temb.dense.1", 4 * ch, 4 * ch)
    layer("conv_in", ch, channels, 3, 3)
    for level, (before, width) in enumerate(itertools.pairwise([ch, *widths])):
        for j in range(blocks):
            block(f"down.{level}.block.{j}", width if j else before, width)
            if level in attention:
                attend(f"down.{level}.attn.{j}", width)
        if level < last and resample:
            layer(f"down.{level}.downsample.conv", width, width, 3, 3)
        above = widths[min(level + 1, last)]
        for j in range(blocks + 1):
            block(f"up.{level}.block.{j}", (width if j else above) + (before if j == blocks else width), width)
            if level in attention:
                attend(f"up.{level}.attn.{j}", width)
        if level and resample:
            layer(f"up.{level}.upsample.conv", width, width, 3, 3)
    block("mid.block_1", widths[-1], widths[-1])
    attend("mid.attn_1", widths[-1])
    block("mid.block_2", widths[-1], widths[-1])
    norm("norm_out", widths[0])
    layer("conv_out", channels, widths[0], 3, 3)
    return made


def weights(*arguments: Any, seed: int = 0, **options: Any) -> Weights:
    """A state dict of these ``shapes`` with random numbers, nowhere zero."""
    generator = torch.Generator().manual_seed(seed)
    made: Weights = {}
    for name, shape in shapes(*arguments, **options).items():
        drawn = torch.randn(shape, generator=generator)
        if len(shape) > 1:
            made[name] = math.prod(shape[1:]) ** -0.5 * drawn
        else:
            made[name] = 0.3 * drawn + (".norm" in f".{name}" and name.endswith("weight"))
    return made


def reference(w: Weights, x: Tensor, t: Tensor) -> Tensor:
    """The network of Ho et al. 2020, appendix B, from its formulas, one line after another."""
    levels = sum(f"down.{level}.block.0.conv1.weight" in w for level in range(20))
    blocks = sum(f"down.0.block.{j}.conv1.weight" in w for j in range(20))

    def conv(name: str, x: Tensor, padding: int = 1, stride: int = 1) -> Tensor:
        return F.conv2d(x, w[f"{name}.weight"], w[f"{name}.bias"], padding=padding, stride=stride)

    def norm(name: str, x: Tensor) -> Tensor:
        groups = x.reshape(len(x), 32, -1)
        scaled = (groups - groups.mean(2, keepdim=True)) / (groups.var(2, keepdim=True, unbiased=False) + 1e-6).sqrt()
        return scaled.reshape(x.shape) * w[f"{name}.weight"][:, None, None] + w[f"{name}.bias"][:, None, None]

    def silu(x: Tensor) -> Tensor:
        return x * torch.sigmoid(x)

    def linear(name: str, x: Tensor) -> Tensor:
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def block(name: str, x: Tensor) -> Tensor:
        h = conv(f"{name}.conv1", silu(norm(f"{name}.norm1", x)))
        h = h + linear(f"{name}.temb_proj", silu(time))[:, :, None, None]
        h = conv(f"{name}.conv2", silu(norm(f"{name}.norm2", h)))
        return h + (conv(f"{name}.nin_shortcut", x, 0) if f"{name}.nin_shortcut.weight" in w else x)

    def attend(name: str, x: Tensor) -> Tensor:
        if f"{name}.q.weight" not in w:
            return x
        h = norm(f"{name}.norm", x)
        q, k, v = (conv(f"{name}.{part}", h, 0).flatten(2) for part in "qkv")
        shares = torch.einsum("nci,ncj->nij", q, k).mul(q.shape[1] ** -0.5).softmax(-1)
        return x + conv(f"{name}.proj_out", torch.einsum("nij,ncj->nci", shares, v).reshape(x.shape), 0)

    half = w["temb.dense.0.weight"].shape[1] // 2
    angles = t[:, None] * torch.exp(torch.arange(half) * -(math.log(10000) / (half - 1)))
    time = linear("temb.dense.1", silu(linear("temb.dense.0", torch.cat((angles.sin(), angles.cos()), 1))))
    x = conv("conv_in", x)
    kept = [x]
    for level in range(levels):
        for j in range(blocks):
            x = attend(f"down.{level}.attn.{j}", block(f"down.{level}.block.{j}", x))
            kept.append(x)
        if level < levels - 1:
            if f"down.{level}.downsample.conv.weight" in w:
                x = conv(f"down.{level}.downsample.conv", F.pad(x, (0, 1, 0, 1)), 0, 2)
            else:
                x = (x[:, :, ::2, ::2] + x[:, :, 1::2, ::2] + x[:, :, ::2, 1::2] + x[:, :, 1::2, 1::2]) / 4
            kept.append(x)
    x = block("mid.block_2", attend("mid.attn_1", block("mid.block_1", x)))
    for level in reversed(range(levels)):
        for j in range(blocks + 1):
            x = attend(f"up.{level}.attn.{j}", block(f"up.{level}.block.{j}", torch.cat((x, kept.pop()), 1)))
        if level:
            x = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
            x = conv(f"up.{level}.upsample.conv", x) if f"up.{level}.upsample.conv.weight" in w else x
    return conv("conv_out", silu(norm("norm_out", x)))


def lookalikes() -> Iterator[LookAlike]:
    for name, options in OPTIONS.items():
        w = weights(**options)
        yield LookAlike(
            family="DDPM in PyTorch",
            name=name,
            reader=FAMILY,
            tensors=w,
            reference=lambda x, t, labels, w=w: reference(w, x, t),  # type: ignore[misc]
            side=16,
            channels=options.get("channels", 3),
            answers={"size": "16"},
            theirs=of_diffusers if options.get("resample", True) else None,
        )


def of_diffusers(network: nn.Module) -> Forward:
    import diffusers

    theirs = diffusers.UNet2DModel(**network.config.to_json()).eval()
    theirs.load_state_dict(network.state_dict())
    return lambda x, t, labels: theirs(x, t).sample
