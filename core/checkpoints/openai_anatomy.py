"""What the names and shapes of an OpenAI checkpoint say of its network (improved-diffusion, guided-diffusion)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

from core.checkpoints.family import Shapes
from core.errors import Refusal

Resampling = Literal["res", "conv", "pool"]
Pool = Literal["", "attention", "adaptive"]

MAX_LEVELS, MAX_BLOCKS = 10, 32

_PLACE = re.compile(r"(input|output)_blocks\.(\d{1,4})\.(\d)\.(\w+)")


@dataclass(frozen=True, slots=True)
class Anatomy:
    """All that decides the shapes: equal anatomies have equal tensors.

    ``channels`` is the width of the time's sinusoid, ``widths`` are those of the resolutions from the finest on, with
    ``blocks`` residual blocks each on the way down; ``attention`` says at which of them there is any. Resolutions are
    changed by residual blocks ("res"), convolutions, or without anything to learn ("pool"). ``film``: times scale and
    shift. A classifier has a ``pool`` in place of the way up; its ``outputs`` are its classes, ``tokens`` the pixels
    that the pool attends to, and ``classes``, which a model is told, 0.
    """

    channels: int
    inputs: int
    outputs: int
    classes: int
    widths: tuple[int, ...]
    blocks: int
    attention: tuple[bool, ...]
    film: bool
    resampling: Resampling
    pool: Pool = ""
    tokens: int = 0

    @property
    def side_multiple(self) -> int:
        return int(2 ** (len(self.widths) - 1))

    @property
    def multipliers(self) -> tuple[float, ...]:
        return tuple(width / self.channels for width in self.widths)

    @property
    def attended(self) -> tuple[int, ...]:
        """The widths that are attended to, that of the middle last."""
        return (
            *(width for width, attends in zip(self.widths, self.attention, strict=True) if attends),
            self.widths[-1],
        )


def model_anatomy(shapes: Shapes) -> Anatomy:
    """Of a U-Net. Raises Refusal where names and shapes make none."""
    places = tuple(_places(shapes))
    count, gaps = _count(places, "output"), _gaps(places)
    up_samplers = {k: kind for way, k, j, kind in places if way == "output" and j > 0 and kind in ("in_layers", "conv")}
    levels = 1 + (len(up_samplers) or len(gaps))
    if count % levels or count // levels < 2:
        raise strange(f"{count} blocks on the way up, {levels} resolutions")
    resampling: Resampling = "conv" if up_samplers else "pool"
    if "in_layers" in up_samplers.values():
        resampling = "res"
    classes = _side(shapes, "label_emb.weight", 0) if "label_emb.weight" in shapes else 0
    return _anatomy(shapes, levels, count // levels - 1, resampling, _side(shapes, "out.2.weight", 0), classes)


def classifier_anatomy(shapes: Shapes) -> Anatomy:
    """Of a classifier, which is the half of a U-Net. Raises Refusal where names and shapes make none, or one whose
    head is not computed."""
    places = tuple(_places(shapes))
    pool, outputs, tokens = _head(shapes)
    count, gaps = _count(places, "input"), _gaps(places)
    convolved = {k for _, k, _, kind in places if kind == "op"}
    resampling: Resampling = "conv" if convolved else "pool" if gaps else "res"
    possible = [
        blocks
        for blocks in range(1, count)
        if count % (blocks + 1) == 0 and _repeats(shapes, count, blocks, convolved or gaps)
    ]
    if len(possible) != 1:
        raise Refusal(
            "Where this classifier changes its resolution cannot be told from its file. Diffuscope opens those of "
            "guided-diffusion.",
            f"{count} blocks; residual blocks at each resolution: {possible or 'no number'}",
        )
    blocks = possible[0]
    return _anatomy(shapes, count // (blocks + 1), blocks, resampling, outputs, 0, pool, tokens)


def strange(details: str) -> Refusal:
    """What to tell of a file that has names of this family, but not its tensors."""
    return Refusal(
        "This file is written like a model of OpenAI's improved-diffusion or guided-diffusion, but its tensors do not "
        "make one: it belongs to a changed program, or is damaged. Diffuscope opens models of those two as they are.",
        details,
    )


def _anatomy(
    shapes: Shapes,
    levels: int,
    blocks: int,
    resampling: Resampling,
    outputs: int,
    classes: int,
    pool: Pool = "",
    tokens: int = 0,
) -> Anatomy:
    if levels > MAX_LEVELS or blocks > MAX_BLOCKS:
        raise strange(f"{levels} resolutions of {blocks} residual blocks")
    first = [1 + level * (blocks + 1) for level in range(levels)]
    widths = tuple(_side(shapes, f"input_blocks.{k}.0.out_layers.3.weight", 0) for k in first)
    return Anatomy(
        channels=_side(shapes, "time_embed.0.weight", 1),
        inputs=_side(shapes, "input_blocks.0.0.weight", 1),
        outputs=outputs,
        classes=classes,
        widths=widths,
        blocks=blocks,
        attention=tuple(f"input_blocks.{k}.1.qkv.weight" in shapes for k in first),
        film=_side(shapes, "input_blocks.1.0.emb_layers.1.weight", 0) == 2 * widths[0],
        resampling=resampling,
        pool=pool,
        tokens=tokens,
    )


def _head(shapes: Shapes) -> tuple[Pool, int, int]:
    """A classifier's pool, how many classes it tells apart, and how many pixels the pool attends to."""
    if "out.2.positional_embedding" in shapes:
        return "attention", _side(shapes, "out.2.c_proj.weight", 0), _side(shapes, "out.2.positional_embedding", 1) - 1
    if len(shapes.get("out.3.weight", ())) == 4:
        return "adaptive", _side(shapes, "out.3.weight", 0), 0
    raise Refusal(
        "This classifier pools its features in a way that Diffuscope does not compute (“spatial”). Use one with an "
        "attention pool or an adaptive one, as the published classifiers have."
    )


def _repeats(shapes: Shapes, count: int, blocks: int, resampled: Collection[int]) -> bool:
    """Whether every resolution has this many residual blocks, alike in width and attention, and what changes the
    resolution keeps the width and never attends."""

    def is_alike(first: int) -> bool:
        each = range(first, first + blocks)
        ends = {shapes.get(f"input_blocks.{k}.0.out_layers.3.weight", ())[:1] for k in each}
        return len(ends) == 1 and len({f"input_blocks.{k}.1.qkv.weight" in shapes for k in each}) == 1

    def is_plain(k: int) -> bool:
        return not any(f"input_blocks.{k}.{part}" in shapes for part in ("1.qkv.weight", "0.skip_connection.weight"))

    between = range(blocks + 1, count, blocks + 1)
    if resampled and set(resampled) != set(between):
        return False
    return all(map(is_alike, range(1, count, blocks + 1))) and all(map(is_plain, between))


def _places(shapes: Shapes) -> Iterator[tuple[str, int, int, str]]:
    """Way, block, place in the block and kind of what stands there, of every tensor in the blocks."""
    for name in shapes:
        match = _PLACE.match(name)
        if match is not None:
            yield match[1], int(match[2]), int(match[3]), match[4]


def _count(places: tuple[tuple[str, int, int, str], ...], way: str) -> int:
    return 1 + max((k for there, k, _, _ in places if there == way), default=-1)


def _gaps(places: tuple[tuple[str, int, int, str], ...]) -> set[int]:
    """Blocks on the way down that have nothing to learn."""
    return set(range(_count(places, "input"))) - {k for way, k, _, _ in places if way == "input"}


def _side(shapes: Shapes, name: str, side: int) -> int:
    shape = shapes.get(name, ())
    if side >= len(shape):
        raise strange(f"{name}: {shape or 'missing'}")
    return shape[side]
