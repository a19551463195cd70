"""Every tensor of an OpenAI checkpoint: how it is called there and here, and how it is laid out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from core.checkpoints.family import Shapes, Tensors
from core.checkpoints.openai_anatomy import Anatomy, strange

if TYPE_CHECKING:
    from torch import Tensor

Order = Literal["legacy", "new"]
"""How q, k and v lie in one tensor: head by head ("legacy"), or all q, all k, all v ("new")."""

Layout = Literal["same", "linear", "turned", "legacy or new", "new"]


@dataclass(frozen=True, slots=True)
class Part:
    """A tensor of shape ``shape`` in the file. ``ours`` is its name here, with {} where it becomes q, k and v.

    "linear": a convolution of single tokens, which is a matrix; "turned": a matrix whose sides are swapped.
    """

    theirs: str
    ours: str
    shape: tuple[int, ...]
    layout: Layout = "same"


def layout(anatomy: Anatomy) -> tuple[Part, ...]:
    """All tensors of such a file, each once."""
    return tuple(_encoder(anatomy)) + tuple(_head(anatomy) if anatomy.pool else _decoder(anatomy))


def compare(parts: tuple[Part, ...], shapes: Shapes) -> None:
    """Raises Refusal unless exactly these tensors are there, in these shapes."""
    expected = {part.theirs: part.shape for part in parts}
    wrong = [f"missing: {name}" for name in sorted(expected.keys() - shapes.keys())]
    wrong += [f"unknown: {name}" for name in sorted(shapes.keys() - expected.keys())]
    wrong += [
        f"{name} has the shape {shapes[name]}, not {shape}"
        for name, shape in expected.items()
        if tuple(shapes.get(name, shape)) != shape
    ]
    if wrong:
        raise strange("\n".join(wrong))


def converted(
    parts: tuple[Part, ...], tensors: Tensors, heads: Callable[[int], tuple[int, int]], order: Order
) -> dict[str, Tensor]:
    """The tensors by the names they have here; ``heads`` tells how many attend at a width, and how wide each is."""
    compare(parts, {name: tuple(tensor.shape) for name, tensor in tensors.items()})
    result: dict[str, Tensor] = {}
    for part in parts:
        tensor = tensors[part.theirs]
        if part.layout in ("same", "linear", "turned"):
            plain = tensor.flatten(1) if part.layout == "linear" else tensor
            result[part.ours] = plain.T.contiguous() if part.layout == "turned" else plain
            continue
        legacy = order == "legacy" and part.layout == "legacy or new"
        for name, piece in zip("qkv", split_heads(tensor, heads(part.shape[0] // 3)[0], legacy), strict=True):
            result[part.ours.format(name)] = piece
    return result


def split_heads(tensor: Tensor, heads: int, legacy: bool) -> tuple[Tensor, Tensor, Tensor]:
    """q, k and v from what holds all three: (3 c,) or (3 c, c, 1) to three of (c,) or (c, c), head after head."""
    channels, rest = tensor.shape[0] // 3, tensor.shape[1:2]
    by_head = tensor.reshape((heads, 3, -1, *rest)) if legacy else tensor.reshape((3, heads, -1, *rest)).transpose(0, 1)
    q, k, v = (by_head[:, i].reshape(channels, *rest).clone() for i in range(3))
    return q, k, v


def _encoder(anatomy: Anatomy) -> Iterator[Part]:
    widths, blocks, hidden = anatomy.widths, anatomy.blocks, 4 * anatomy.channels
    yield from _matrix("time_embed.0", "time_embedding.linear_1", anatomy.channels, hidden)
    yield from _matrix("time_embed.2", "time_embedding.linear_2", hidden, hidden)
    if anatomy.classes:
        yield Part("label_emb.weight", "class_embedding.weight", (anatomy.classes, hidden))
    yield from _convolution("input_blocks.0.0", "conv_in", anatomy.inputs, widths[0])
    for level, width in enumerate(widths):
        block = f"down_blocks.{level}"
        for j in range(blocks):
            theirs = f"input_blocks.{1 + level * (blocks + 1) + j}"
            inputs = width if j else widths[max(level - 1, 0)]
            yield from _residual(anatomy, f"{theirs}.0", f"{block}.resnets.{j}", inputs, width)
            if anatomy.attention[level]:
                yield from _attention(f"{theirs}.1", f"{block}.attentions.{j}", width)
        if level < len(widths) - 1:
            theirs, ours = f"input_blocks.{(level + 1) * (blocks + 1)}.0", f"{block}.downsamplers.0"
            yield from _resampler(anatomy, theirs, "op", ours, width)
    yield from _residual(anatomy, "middle_block.0", "mid_block.resnets.0", widths[-1], widths[-1])
    yield from _attention("middle_block.1", "mid_block.attentions.0", widths[-1])
    yield from _residual(anatomy, "middle_block.2", "mid_block.resnets.1", widths[-1], widths[-1])


def _decoder(anatomy: Anatomy) -> Iterator[Part]:
    widths, count = anatomy.widths, anatomy.blocks + 1
    for step, level in enumerate(reversed(range(len(widths)))):
        width, block = widths[level], f"up_blocks.{step}"
        above, below = widths[min(level + 1, len(widths) - 1)], widths[max(level - 1, 0)]
        for i in range(count):
            theirs = f"output_blocks.{step * count + i}"
            inputs = (width if i else above) + (width if i < count - 1 else below)
            yield from _residual(anatomy, f"{theirs}.0", f"{block}.resnets.{i}", inputs, width)
            if anatomy.attention[level]:
                yield from _attention(f"{theirs}.1", f"{block}.attentions.{i}", width)
        if level:
            theirs = f"output_blocks.{step * count + count - 1}.{1 + anatomy.attention[level]}"
            yield from _resampler(anatomy, theirs, "conv", f"{block}.upsamplers.0", width)
    yield from _norm("out.0", "conv_norm_out", widths[0])
    yield from _convolution("out.2", "conv_out", widths[0], anatomy.outputs)


def _head(anatomy: Anatomy) -> Iterator[Part]:
    """Of a classifier."""
    width, classes = anatomy.widths[-1], anatomy.outputs
    yield from _norm("out.0", "norm_out", width)
    if anatomy.pool == "adaptive":
        yield Part("out.3.weight", "to_logits.weight", (classes, width, 1, 1), "linear")
        yield Part("out.3.bias", "to_logits.bias", (classes,))
        return
    yield Part("out.2.positional_embedding", "pool.positions", (width, anatomy.tokens + 1), "turned")
    yield Part("out.2.qkv_proj.weight", "pool.to_{}.weight", (3 * width, width, 1), "new")
    yield Part("out.2.qkv_proj.bias", "pool.to_{}.bias", (3 * width,), "new")
    yield from _tokens("out.2.c_proj", "to_logits", width, classes)


def _residual(anatomy: Anatomy, theirs: str, ours: str, inputs: int, outputs: int) -> Iterator[Part]:
    yield from _norm(f"{theirs}.in_layers.0", f"{ours}.norm1", inputs)
    yield from _convolution(f"{theirs}.in_layers.2", f"{ours}.conv1", inputs, outputs)
    times = 2 * outputs if anatomy.film else outputs
    yield from _matrix(f"{theirs}.emb_layers.1", f"{ours}.time_emb_proj", 4 * anatomy.channels, times)
    yield from _norm(f"{theirs}.out_layers.0", f"{ours}.norm2", outputs)
    yield from _convolution(f"{theirs}.out_layers.3", f"{ours}.conv2", outputs, outputs)
    if inputs != outputs:
        yield from _convolution(f"{theirs}.skip_connection", f"{ours}.conv_shortcut", inputs, outputs, 1)


def _resampler(anatomy: Anatomy, theirs: str, convolution: str, ours: str, width: int) -> Iterator[Part]:
    if anatomy.resampling == "res":
        yield from _residual(anatomy, theirs, ours, width, width)
    elif anatomy.resampling == "conv":
        yield from _convolution(f"{theirs}.{convolution}", f"{ours}.conv", width, width)


def _attention(theirs: str, ours: str, width: int) -> Iterator[Part]:
    yield from _norm(f"{theirs}.norm", f"{ours}.group_norm", width)
    yield Part(f"{theirs}.qkv.weight", f"{ours}.to_{{}}.weight", (3 * width, width, 1), "legacy or new")
    yield Part(f"{theirs}.qkv.bias", f"{ours}.to_{{}}.bias", (3 * width,), "legacy or new")
    yield from _tokens(f"{theirs}.proj_out", f"{ours}.to_out.0", width, width)


def _norm(theirs: str, ours: str, width: int) -> Iterator[Part]:
    for name in ("weight", "bias"):
        yield Part(f"{theirs}.{name}", f"{ours}.{name}", (width,))


def _matrix(theirs: str, ours: str, inputs: int, outputs: int) -> Iterator[Part]:
    yield Part(f"{theirs}.weight", f"{ours}.weight", (outputs, inputs))
    yield Part(f"{theirs}.bias", f"{ours}.bias", (outputs,))


def _tokens(theirs: str, ours: str, inputs: int, outputs: int) -> Iterator[Part]:
    """A convolution of single tokens."""
    yield Part(f"{theirs}.weight", f"{ours}.weight", (outputs, inputs, 1), "linear")
    yield Part(f"{theirs}.bias", f"{ours}.bias", (outputs,))


def _convolution(theirs: str, ours: str, inputs: int, outputs: int, side: int = 3) -> Iterator[Part]:
    yield Part(f"{theirs}.weight", f"{ours}.weight", (outputs, inputs, side, side))
    yield Part(f"{theirs}.bias", f"{ours}.bias", (outputs,))
