"""Checkpoints like those of denoising-diffusion-pytorch, made without it, and its network written out from formulas."""

from __future__ import annotations

import importlib.util
import itertools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.checkpoints.lucidrains import FAMILY
from tests.lookalikes import Forward, LookAlike

Weights = dict[str, Tensor]

OPTIONS: dict[str, dict[str, Any]] = {
    "version 2": {},
    "three resolutions, grey": {"mults": (1, 2, 3), "channels": 1, "first": 24},
    "version 1.9": {"norm": "group"},
    "version 1.8": {"norm": "group", "memory": 0},
    "other heads": {"heads": 2, "width": 16, "memory": 3},
    "learned variance": {"out": 6},
    "one resolution": {"mults": (2,)},
}


def weights(
    dim: int = 8,
    mults: tuple[int, ...] = (1, 2),
    *,
    channels: int = 3,
    given: int | None = None,
    out: int | None = None,
    norm: str = "rms",
    memory: int = 4,
    heads: int = 4,
    width: int = 32,
    fourier: int | None = None,
    first: int | None = None,
    seed: int = 0,
) -> Weights:
    """A state dict of its Unet with random numbers, nowhere zero. ``given`` is what its first convolution takes."""
    generator = torch.Generator().manual_seed(seed)
    made: Weights = {}

    def draw(name: str, *shape: int, around: float = 0.0) -> None:
        spread = 0.3 if around or len(shape) == 1 else math.prod(shape[1:]) ** -0.5
        made[name] = around + spread * torch.randn(shape, generator=generator)

    def layer(name: str, *shape: int, bias: bool = True) -> None:
        draw(f"{name}.weight", *shape)
        if bias:
            draw(f"{name}.bias", shape[0])

    def gain(name: str, channels: int) -> None:
        draw(f"{name}.g", 1, channels, 1, 1, around=1)

    def block(name: str, inputs: int, outputs: int) -> None:
        layer(f"{name}.mlp.1", 2 * outputs, 4 * dim)
        for number, a in ((1, inputs), (2, outputs)):
            layer(f"{name}.block{number}.proj", outputs, a, 3, 3)
            if norm == "rms":
                gain(f"{name}.block{number}.norm", outputs)
            else:
                draw(f"{name}.block{number}.norm.weight", outputs, around=1)
                draw(f"{name}.block{number}.norm.bias", outputs)
        if inputs != outputs:
            layer(f"{name}.res_conv", outputs, inputs, 1, 1)

    def attention(name: str, inputs: int, full: bool) -> None:
        inner = heads * width
        gain(f"{name}.norm", inputs)
        if memory:
            draw(f"{name}.mem_kv", 2, heads, *((memory, width) if full else (width, memory)))
        layer(f"{name}.to_qkv", 3 * inner, inputs, 1, 1, bias=False)
        layer(f"{name}.to_out" if full else f"{name}.to_out.0", inputs, inner, 1, 1)
        if not full:
            gain(f"{name}.to_out.1", inputs)

    widths = [first or dim, *(dim * mult for mult in mults)]
    last = len(mults) - 1
    layer("init_conv", widths[0], given or channels, 7, 7)
    if fourier:
        draw("time_mlp.0.weights", fourier // 2)
    layer("time_mlp.1", 4 * dim, fourier + 1 if fourier else dim)
    layer("time_mlp.3", 4 * dim, 4 * dim)
    for i, (a, b) in enumerate(itertools.pairwise(widths)):
        block(f"downs.{i}.0", a, a)
        block(f"downs.{i}.1", a, a)
        attention(f"downs.{i}.2", a, i == last)
        layer(*((f"downs.{i}.3", b, a, 3, 3) if i == last else (f"downs.{i}.3.1", b, 4 * a, 1, 1)))
        up = last - i
        block(f"ups.{up}.0", a + b, b)
        block(f"ups.{up}.1", a + b, b)
        attention(f"ups.{up}.2", b, i == last)
        layer(f"ups.{up}.3" if i == 0 else f"ups.{up}.3.1", a, b, 3, 3)
    block("mid_block1", widths[-1], widths[-1])
    attention("mid_attn", widths[-1], True)
    block("mid_block2", widths[-1], widths[-1])
    block("final_res_block", 2 * widths[0], widths[0])
    layer("final_conv", out or channels, widths[0], 1, 1)
    return made


def tables(
    betas: Tensor, objective: str = "pred_noise", limit: float = math.inf, weight: str = "loss_weight"
) -> Weights:
    """What its diffusion stores beside the network, of betas (float64)."""
    alpha_bar = torch.cumprod(1 - betas, 0)
    before = torch.cat((torch.ones(1, dtype=torch.float64), alpha_bar[:-1]))
    snr = alpha_bar / (1 - alpha_bar)
    limited = snr.clamp(max=limit)
    losses = {"pred_noise": limited / snr, "pred_x0": limited, "pred_v": limited / (snr + 1)}
    variance = betas * (1 - before) / (1 - alpha_bar)
    made = {
        "betas": betas,
        "alphas_cumprod": alpha_bar,
        "alphas_cumprod_prev": before,
        "sqrt_alphas_cumprod": alpha_bar.sqrt(),
        "sqrt_one_minus_alphas_cumprod": (1 - alpha_bar).sqrt(),
        "log_one_minus_alphas_cumprod": (1 - alpha_bar).log(),
        "sqrt_recip_alphas_cumprod": (1 / alpha_bar).sqrt(),
        "sqrt_recipm1_alphas_cumprod": (1 / alpha_bar - 1).sqrt(),
        "posterior_variance": variance,
        "posterior_log_variance_clipped": variance.clamp(min=1e-20).log(),
        "posterior_mean_coef1": betas * before.sqrt() / (1 - alpha_bar),
        "posterior_mean_coef2": (1 - before) * (1 - betas).sqrt() / (1 - alpha_bar),
        weight: losses[objective] if weight == "loss_weight" else torch.ones_like(betas),
    }
    return {name: values.float() for name, values in made.items()}


def linear_betas(T: int) -> Tensor:
    return torch.linspace(0.1 / T, 20 / T, T, dtype=torch.float64)


def cosine_betas(T: int) -> Tensor:
    u = torch.linspace(0, 1, T + 1, dtype=torch.float64)
    alpha_bar = torch.cos((u + 0.008) / 1.008 * math.pi / 2) ** 2
    return (1 - alpha_bar[1:] / alpha_bar[:-1]).clamp(max=0.999)


def save(path: Path, network: Weights, beside: Weights, *, version: str | None = "2.1.1", ema: bool = True) -> Path:
    """As its Trainer saves: raw weights that differ, their averages, the optimiser."""
    inner = {f"model.{name}": tensor for name, tensor in network.items()} | beside
    raw = (
        {name: tensor + 1 if name.startswith("model.") else tensor for name, tensor in inner.items()} if ema else inner
    )
    averaged: dict[str, Any] = {"initted": torch.tensor(True), "step": torch.tensor(10)}
    averaged |= {f"online_model.{name}": tensor for name, tensor in raw.items()}
    averaged |= {f"ema_model.{name}": tensor for name, tensor in inner.items()}
    saved = {"step": 10, "model": raw, "opt": {"state": {}, "param_groups": [{"lr": 1e-4, "params": [0]}]}}
    saved |= {"ema": averaged} if ema else {}
    saved |= {"scaler": None} | ({"version": version} if version else {})
    torch.save(saved, path)
    return path


def reference(w: Weights, x: Tensor, t: Tensor, heads: int = 4) -> Tensor:
    """The network from its formulas, one line after another. x (n, as many as its first convolution takes, h, w)."""
    channels_of = {name: tensor.shape for name, tensor in w.items()}
    levels = sum(f"downs.{i}.0.block1.proj.weight" in w for i in range(20))

    def conv(name: str, x: Tensor) -> Tensor:
        weight = w[f"{name}.weight"]
        return F.conv2d(x, weight, w.get(f"{name}.bias"), padding=weight.shape[-1] // 2)

    def rms(name: str, x: Tensor) -> Tensor:
        length = x.square().sum(1, keepdim=True).sqrt().clamp(min=1e-12)
        return x / length * w[f"{name}.g"] * math.sqrt(x.shape[1])

    def norm(name: str, x: Tensor) -> Tensor:
        if f"{name}.g" in w:
            return rms(name, x)
        groups = x.reshape(len(x), 8, -1)
        scaled = (groups - groups.mean(2, keepdim=True)) / (groups.var(2, keepdim=True, unbiased=False) + 1e-5).sqrt()
        return scaled.reshape(x.shape) * w[f"{name}.weight"][:, None, None] + w[f"{name}.bias"][:, None, None]

    def silu(x: Tensor) -> Tensor:
        return x * torch.sigmoid(x)

    def linear(name: str, x: Tensor) -> Tensor:
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def block(name: str, x: Tensor) -> Tensor:
        scale, shift = linear(f"{name}.mlp.1", silu(time))[:, :, None, None].chunk(2, dim=1)
        h = silu(norm(f"{name}.block1.norm", conv(f"{name}.block1.proj", x)) * (scale + 1) + shift)
        h = silu(norm(f"{name}.block2.norm", conv(f"{name}.block2.proj", h)))
        return h + (conv(f"{name}.res_conv", x) if f"{name}.res_conv.weight" in w else x)

    def attention(name: str, x: Tensor) -> Tensor:
        n, _, height, width = x.shape
        q, k, v = conv(f"{name}.to_qkv", rms(f"{name}.norm", x)).reshape(n, 3, heads, -1, height * width).unbind(1)
        full = f"{name}.to_out.weight" in w
        if f"{name}.mem_kv" in w:
            kept = w[f"{name}.mem_kv"].mT if full else w[f"{name}.mem_kv"]  # 2, heads, channels, tokens
            k, v = (torch.cat((part.expand(n, -1, -1, -1), of), dim=3) for part, of in zip(kept, (k, v), strict=True))
        scale = q.shape[2] ** -0.5
        if full:
            shares = torch.einsum("nhdi,nhdj->nhij", q * scale, k).softmax(-1)
            h = torch.einsum("nhij,nhdj->nhdi", shares, v).reshape(n, -1, height, width)
            return conv(f"{name}.to_out", h)
        context = torch.einsum("nhdj,nhej->nhde", k.softmax(-1), v)
        h = torch.einsum("nhde,nhdi->nhei", context, q.softmax(2) * scale).reshape(n, -1, height, width)
        return rms(f"{name}.to_out.1", conv(f"{name}.to_out.0", h))

    def space_to_depth(x: Tensor) -> Tensor:
        return torch.stack((x[:, :, ::2, ::2], x[:, :, ::2, 1::2], x[:, :, 1::2, ::2], x[:, :, 1::2, 1::2]), 2).flatten(
            1, 2
        )

    if "time_mlp.0.weights" in w:
        angles = t[:, None] * w["time_mlp.0.weights"] * 2 * math.pi
        waves = torch.cat((t[:, None], angles.sin(), angles.cos()), 1)
    else:
        half = channels_of["time_mlp.1.weight"][1] // 2
        angles = t[:, None] * torch.exp(-math.log(10000) * torch.arange(half) / (half - 1))
        waves = torch.cat((angles.sin(), angles.cos()), 1)
    hidden = linear("time_mlp.1", waves)
    time = linear("time_mlp.3", 0.5 * hidden * (1 + torch.erf(hidden / math.sqrt(2))))
    x = first = conv("init_conv", x)
    kept: list[Tensor] = []
    for i in range(levels):
        x = block(f"downs.{i}.0", x)
        kept.append(x)
        x = block(f"downs.{i}.1", x)
        x = attention(f"downs.{i}.2", x) + x
        kept.append(x)
        x = conv(f"downs.{i}.3", x) if i == levels - 1 else conv(f"downs.{i}.3.1", space_to_depth(x))
    x = block("mid_block1", x)
    x = attention("mid_attn", x) + x
    x = block("mid_block2", x)
    for i in range(levels):
        x = block(f"ups.{i}.0", torch.cat((x, kept.pop()), 1))
        x = block(f"ups.{i}.1", torch.cat((x, kept.pop()), 1))
        x = attention(f"ups.{i}.2", x) + x
        if i < levels - 1:
            x = conv(f"ups.{i}.3.1", x.repeat_interleave(2, 2).repeat_interleave(2, 3))
        else:
            x = conv(f"ups.{i}.3", x)
    return conv("final_conv", block("final_res_block", torch.cat((x, first), 1)))


def lookalikes() -> Iterator[LookAlike]:
    return (_lookalike(name, options) for name, options in OPTIONS.items())


def _lookalike(name: str, options: dict[str, Any]) -> LookAlike:
    w = weights(**options)
    return LookAlike(
        family="lucidrains",
        name=name,
        reader=FAMILY,
        tensors=w,
        reference=lambda x, t, labels: reference(w, x, t, options.get("heads", 4)),
        side=8,
        channels=options.get("channels", 3),
        answers={"size": "8"},
        theirs=None if options.get("norm") else lambda network: of_package(w, options),
    )


def of_package(w: Weights, options: dict[str, Any]) -> Forward | None:
    """The package's own network, where it is installed; of memories other than four it can make none."""
    if options.get("memory", 4) != 4 or importlib.util.find_spec("denoising_diffusion_pytorch") is None:
        return None
    from tests.bench.theirs import import_theirs

    theirs: nn.Module = import_theirs().Unet(
        dim=8,
        init_dim=options.get("first"),
        dim_mults=options.get("mults", (1, 2)),
        channels=options.get("channels", 3),
        out_dim=options.get("out"),
    )
    theirs.load_state_dict(w)
    return lambda x, t, labels: theirs.eval()(x, t)
