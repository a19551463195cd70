"""improved-diffusion's and guided-diffusion's networks, written down once more from the papers' formulas.

Nichol & Dhariwal 2021, section A; Dhariwal & Nichol 2021, sections 3 and 4.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.checkpoints.openai import FAMILY
from core.checkpoints.openai_classifier import CLASSIFIER
from tests.lookalikes import Draw, Forward, LookAlike

Weights = dict[str, Tensor]
Block = list[tuple[str, int, int]]
"""What stands in a block: kind, channels in, channels out."""


@dataclass(frozen=True)
class Options:
    """The options of the two programs. ``attention``: resolutions counted from the finest; ``heads`` at every width, or
    else ``head_channels`` in each; ``times``: what t is multiplied by. ``pool`` makes it a classifier of ``side``."""

    channels: int
    multipliers: tuple[float, ...]
    attention: tuple[int, ...]
    blocks: int = 1
    film: bool = True
    resampling: str = "conv"
    classes: int = 0
    inputs: int = 3
    outputs: int = 6
    heads: int = 0
    head_channels: int = 0
    new_order: bool = False
    times: float = 1.0
    pool: str = ""
    side: int = 16


def plan(o: Options) -> tuple[list[Block], Block, list[Block]]:
    """What stands where on the way down, in the middle, and on the way up."""
    widths = [int(o.channels * multiplier) for multiplier in o.multipliers]
    now, last = widths[0], len(widths) - 1
    down: list[Block] = [[("conv", o.inputs, now)]]
    kept = [now]
    for level, width in enumerate(widths):
        for _ in range(o.blocks):
            down.append([("res", now, width)] + [("attention", width, width)] * (level in o.attention))
            now = width
            kept.append(now)
        if level < last:
            down.append([(f"{o.resampling} down", now, now)])
            kept.append(now)
    middle: Block = [("res", now, now), ("attention", now, now), ("res", now, now)]
    up: list[Block] = []
    for level in reversed(range(len(widths))):
        for i in range(o.blocks + 1):
            width = widths[level]
            block: Block = [("res", now + kept.pop(), width)] + [("attention", width, width)] * (level in o.attention)
            now = width
            up.append(block + [(f"{o.resampling} up", now, now)] * (i == o.blocks and level > 0))
    return down, middle, [] if o.pool else up


def drawn(o: Options, seed: int) -> Weights:
    """A file's tensors."""
    return written(Draw(seed), o)


def written(draw: Draw, o: Options) -> Weights:
    hidden = 4 * o.channels
    draw.layer("time_embed.0", hidden, o.channels)
    draw.layer("time_embed.2", hidden, hidden)
    if o.classes:
        draw.weight("label_emb.weight", o.classes, hidden)
    down, middle, up = plan(o)
    for k, block in enumerate(down):
        _draw_block(draw, o, f"input_blocks.{k}", block)
    _draw_block(draw, o, "middle_block", middle)
    for k, block in enumerate(up):
        _draw_block(draw, o, f"output_blocks.{k}", block)
    final = int(o.channels * o.multipliers[-1 if o.pool else 0])
    draw.norm("out.0", final)
    if o.pool == "attention":
        tokens = (o.side // 2 ** (len(o.multipliers) - 1)) ** 2
        draw.weight("out.2.positional_embedding", final, tokens + 1)
        draw.layer("out.2.qkv_proj", 3 * final, final, 1)
        draw.layer("out.2.c_proj", o.outputs, final, 1)
    elif o.pool == "adaptive":
        draw.layer("out.3", o.outputs, final, 1, 1)
    else:
        draw.layer("out.2", o.outputs, final, 3, 3)
    return draw.tensors


def _draw_block(draw: Draw, o: Options, at: str, block: Block) -> None:
    for j, (kind, inputs, outputs) in enumerate(block):
        name = f"{at}.{j}"
        if kind == "attention":
            draw.norm(f"{name}.norm", inputs)
            draw.layer(f"{name}.qkv", 3 * inputs, inputs, 1)
            draw.layer(f"{name}.proj_out", inputs, inputs, 1)
        elif kind.startswith("res"):
            draw.norm(f"{name}.in_layers.0", inputs)
            draw.layer(f"{name}.in_layers.2", outputs, inputs, 3, 3)
            draw.layer(f"{name}.emb_layers.1", outputs * (2 if o.film else 1), 4 * o.channels)
            draw.norm(f"{name}.out_layers.0", outputs)
            draw.layer(f"{name}.out_layers.3", outputs, outputs, 3, 3)
            if inputs != outputs:
                draw.layer(f"{name}.skip_connection", outputs, inputs, 1, 1)
        elif kind == "conv":
            draw.layer(name, outputs, inputs, 3, 3)
        elif kind.startswith("conv"):
            draw.layer(f"{name}.{'op' if kind == 'conv down' else 'conv'}", outputs, inputs, 3, 3)


def forward(w: Weights, o: Options, x: Tensor, t: Tensor, labels: Tensor | None = None) -> Tensor:
    """What the network answers: a model (n, outputs, h, w), a classifier (n, outputs)."""
    half = o.channels // 2
    frequencies = torch.exp(-math.log(10000) * torch.arange(half, dtype=torch.float32) / half)
    angles = (t.float() * o.times)[:, None] * frequencies[None]
    embedded = F.linear(torch.cat([angles.cos(), angles.sin()], 1), w["time_embed.0.weight"], w["time_embed.0.bias"])
    embedded = F.linear(F.silu(embedded), w["time_embed.2.weight"], w["time_embed.2.bias"])
    if labels is not None and o.classes:
        embedded = embedded + w["label_emb.weight"][labels]
    down, middle, up = plan(o)
    kept, h = [], x
    for k, block in enumerate(down):
        h = _through(w, o, f"input_blocks.{k}", block, h, embedded)
        kept.append(h)
    h = _through(w, o, "middle_block", middle, h, embedded)
    for k, block in enumerate(up):
        h = _through(w, o, f"output_blocks.{k}", block, torch.cat([h, kept.pop()], 1), embedded)
    h = F.silu(_norm(w, "out.0", h))
    if o.pool == "attention":
        return _pooled(w, o, h)
    if o.pool == "adaptive":
        return F.conv2d(h.mean((2, 3), keepdim=True), w["out.3.weight"], w["out.3.bias"])[:, :, 0, 0]
    return F.conv2d(h, w["out.2.weight"], w["out.2.bias"], padding=1)


def _through(w: Weights, o: Options, at: str, block: Block, x: Tensor, embedded: Tensor) -> Tensor:
    for j, (kind, _, _) in enumerate(block):
        name = f"{at}.{j}"
        if kind == "attention":
            x = _attention(w, o, name, x)
        elif kind.startswith("res"):
            x = _residual(w, o, name, x, embedded, kind)
        elif kind == "conv":
            x = F.conv2d(x, w[f"{name}.weight"], w[f"{name}.bias"], padding=1)
        elif kind == "conv down":
            x = F.conv2d(x, w[f"{name}.op.weight"], w[f"{name}.op.bias"], stride=2, padding=1)
        elif kind == "conv up":
            x = F.conv2d(_resized(x, "up"), w[f"{name}.conv.weight"], w[f"{name}.conv.bias"], padding=1)
        else:
            x = _resized(x, kind)
    return x


def _residual(w: Weights, o: Options, name: str, x: Tensor, embedded: Tensor, kind: str) -> Tensor:
    h = _resized(F.silu(_norm(w, f"{name}.in_layers.0", x)), kind)
    h = F.conv2d(h, w[f"{name}.in_layers.2.weight"], w[f"{name}.in_layers.2.bias"], padding=1)
    times = F.linear(F.silu(embedded), w[f"{name}.emb_layers.1.weight"], w[f"{name}.emb_layers.1.bias"])
    times = times[:, :, None, None]
    if o.film:
        scale, shift = times[:, : h.shape[1]], times[:, h.shape[1] :]
        h = _norm(w, f"{name}.out_layers.0", h) * (1 + scale) + shift
    else:
        h = _norm(w, f"{name}.out_layers.0", h + times)
    h = F.conv2d(F.silu(h), w[f"{name}.out_layers.3.weight"], w[f"{name}.out_layers.3.bias"], padding=1)
    x = _resized(x, kind)
    if f"{name}.skip_connection.weight" in w:
        x = F.conv2d(x, w[f"{name}.skip_connection.weight"], w[f"{name}.skip_connection.bias"])
    return x + h


def _resized(x: Tensor, kind: str) -> Tensor:
    if kind.endswith("down"):
        return F.avg_pool2d(x, 2)
    return x.repeat_interleave(2, 2).repeat_interleave(2, 3) if kind.endswith("up") else x


def _attention(w: Weights, o: Options, name: str, x: Tensor) -> Tensor:
    n, c = x.shape[:2]
    tokens = _norm(w, f"{name}.norm", x).reshape(n, c, -1)
    qkv = F.conv1d(tokens, w[f"{name}.qkv.weight"], w[f"{name}.qkv.bias"])
    heads = o.heads or c // o.head_channels
    if o.new_order:
        q, k, v = qkv.reshape(n, 3, heads, c // heads, -1).unbind(1)
    else:
        q, k, v = qkv.reshape(n, heads, 3, c // heads, -1).unbind(2)
    a = _attended(q, k, v).reshape(n, c, -1)
    return x + F.conv1d(a, w[f"{name}.proj_out.weight"], w[f"{name}.proj_out.bias"]).reshape(x.shape)


def _attended(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """(n, heads, channels, tokens) each."""
    quarter = q.shape[2] ** -0.25
    weights = torch.einsum("nhct,nhcs->nhts", q * quarter, k * quarter).softmax(-1)
    return torch.einsum("nhts,nhcs->nhct", weights, v)


def _pooled(w: Weights, o: Options, h: Tensor) -> Tensor:
    n, c = h.shape[:2]
    pixels = h.reshape(n, c, -1)
    tokens = torch.cat([pixels.mean(2, keepdim=True), pixels], 2) + w["out.2.positional_embedding"]
    qkv = F.conv1d(tokens, w["out.2.qkv_proj.weight"], w["out.2.qkv_proj.bias"])
    q, k, v = qkv.reshape(n, 3, c // o.head_channels, o.head_channels, -1).unbind(1)
    a = _attended(q, k, v).reshape(n, c, -1)
    return F.conv1d(a, w["out.2.c_proj.weight"], w["out.2.c_proj.bias"])[:, :, 0]


def _norm(w: Weights, name: str, x: Tensor) -> Tensor:
    return F.group_norm(x, 32, w[f"{name}.weight"], w[f"{name}.bias"], 1e-5)


OPTIONS: dict[str, Options] = {
    "iDDPM, 4 heads, rescaled times": Options(32, (1, 2), (0, 1), heads=4, times=0.25),
    "iDDPM, shift only, 1 head": Options(32, (1, 2), (1,), film=False, heads=1),
    "iDDPM, no convolution between": Options(32, (1, 2), (1,), film=False, heads=2, resampling="pool", outputs=3),
    "ADM, classes, 2 heads, legacy": Options(32, (1, 2), (1,), resampling="res", classes=10, head_channels=32),
    "ADM, classes, 2 heads, new": Options(
        32, (1, 2), (1,), resampling="res", classes=10, head_channels=32, new_order=True
    ),
    "ADM, half a width": Options(64, (0.5, 1, 2), (2,), resampling="res", head_channels=64),
    "ADM, 4 heads, 2 blocks": Options(32, (1, 2, 3), (1, 2), blocks=2, resampling="res", heads=4),
}
CLASSIFIER_OPTIONS: dict[str, Options] = {
    "classifier, 2 heads": Options(64, (1, 2), (1,), resampling="res", head_channels=64, outputs=10, pool="attention"),
    "classifier, 2 blocks, mean": Options(
        32, (1, 2, 2), (1, 2), blocks=2, resampling="res", head_channels=32, outputs=4, pool="adaptive"
    ),
}


def answers(o: Options) -> dict[str, str]:
    """What the file cannot say."""
    return {
        "heads": f"heads-{o.heads}" if o.heads else f"channels-{o.head_channels}",
        "order": "new" if o.new_order else "legacy",
        "timesteps": str(round(1000 / o.times)),
        "rescaled": "no" if o.times == 1 else "yes",
        "schedule": "cosine" if o.times != 1 else "linear",
        "size": str(o.side),
    }


def lookalike(name: str, seed: int = 0) -> LookAlike:
    o = {**OPTIONS, **CLASSIFIER_OPTIONS}[name]
    tensors = drawn(o, seed)
    return LookAlike(
        family="guided-diffusion" if o.resampling == "res" else "improved-diffusion",
        name=name,
        reader=CLASSIFIER if o.pool else FAMILY,
        tensors=tensors,
        reference=partial(forward, tensors, o),
        side=o.side,
        classes=o.classes,
        answers=answers(o),
        theirs=partial(of_others, tensors, o),
    )


def lookalikes() -> Iterator[LookAlike]:
    for name in (*OPTIONS, *CLASSIFIER_OPTIONS):
        yield lookalike(name)


def of_others(tensors: Weights, o: Options, network: nn.Module) -> Forward | None:
    """guided-diffusion's own network where that program can be imported, else diffusers' where it has such a one."""
    try:
        return of_guided_diffusion(tensors, o)
    except ImportError:
        return None if o.pool else of_diffusers(network)


def of_guided_diffusion(tensors: Weights, o: Options) -> Forward:
    """The program's own network with the file's weights. Raises ImportError where the program is not there."""
    unet = importlib.import_module("guided_diffusion.unet")
    options = {
        "image_size": o.side,
        "in_channels": o.inputs,
        "model_channels": o.channels,
        "out_channels": o.outputs,
        "num_res_blocks": o.blocks,
        "attention_resolutions": tuple(2**level for level in o.attention),
        "channel_mult": o.multipliers,
        "conv_resample": o.resampling != "pool",
        "num_heads": o.heads or 1,
        "num_head_channels": o.head_channels or -1,
        "use_scale_shift_norm": o.film,
        "resblock_updown": o.resampling == "res",
        "use_new_attention_order": o.new_order,
    }
    if o.pool:
        network = unet.EncoderUNetModel(pool=o.pool, **options)
    else:
        network = unet.UNetModel(num_classes=o.classes or None, **options)
    network.load_state_dict(tensors)
    network.eval()
    return lambda x, t, labels: network(x, t * o.times, *([labels] if o.classes else []))


def of_diffusers(network: nn.Module) -> Forward | None:
    """diffusers' network with the same weights, where it has such a one."""
    import diffusers

    from core.unet import UNet
    from core.unet_config import expressible

    assert isinstance(network, UNet)
    if expressible(network.config):
        return None
    theirs = diffusers.UNet2DModel(**network.config.to_json()).eval()
    theirs.load_state_dict(network.state_dict())
    return lambda x, t, labels: theirs(x, t, class_labels=labels).sample
