"""What an export is to be, and writing it: no widget here, and nothing that needs the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from app.exports.ways import State, Way
from core.errors import Refusal
from core.files import check_writable
from core.recipe import Quantity, Recipe, as_film, as_sheet, as_values
from core.render import (
    ANIMATIONS,
    contact_sheet,
    enlarged,
    grid,
    of_state,
    sheet_of_states,
    write_frames,
    write_npy,
    write_png,
    write_safetensors,
)
from core.video import ENDING as VIDEO
from core.video import why_not, write_video

Pixels = NDArray[np.uint8]
Kind = Literal["picture", "grid", "sheet", "film", "numbers"]
OnDone = Callable[[int], object]

ENDINGS: Mapping[Kind, Mapping[str, str]] = {
    "picture": {".png": "PNG picture"},
    "grid": {".png": "PNG picture"},
    "sheet": {".png": "PNG picture"},
    "film": {
        ".gif": "GIF animation",
        ".apng": "APNG animation",
        ".webp": "WebP animation",
        VIDEO: "MP4 video",
    },
    "numbers": {".npy": "NumPy array", ".safetensors": "Safetensors"},
}
LARGEST = 2**28
"""Pixels of a picture: beyond that hardly any program opens it."""
MANY = 50
"""States that an export has without being asked for more."""


@dataclass(frozen=True)
class Still:
    """A pane as it was when the question came: its ``pictures`` uint8 (H, W, C), the ``cell`` that is meant, and how
    all of them are made again."""

    name: str
    pictures: Sequence[Pixels]
    cell: int
    recipe: Recipe | None
    words: str = ""


@dataclass(frozen=True)
class Order:
    """What the person has chosen. ``every`` so many states one is taken; ``alone`` takes the sample looked at and not
    the whole batch; times in milliseconds."""

    kind: Kind
    ending: str
    quantities: tuple[Quantity, ...] = ("x_t",)
    alone: bool = False
    every: int = 1
    zoom: int = 4
    columns: int = 8
    milliseconds: int = 100
    hold: int = 1000
    there_and_back: bool = False


def positions(way: Way, every: int) -> tuple[int, ...]:
    """Every so many states from the first on, and the last whatever may be left over."""
    last = len(way.captions) - 1
    return tuple(sorted({*range(0, last + 1, every), last}))


def every_for(way: Way) -> int:
    """Which states are enough to see the way: about ``MANY``."""
    return max(1, -(-len(way.captions) // MANY))


def cells(way: Way, alone: bool) -> tuple[int, ...]:
    """The samples that are taken."""
    return (way.cell or 0,) if alone else tuple(range(way.count))


def frames_of(order: Order, count: int) -> list[int]:
    """Which of so many pictures a film shows, in order."""
    there = list(range(count))
    return there + there[-2:0:-1] if order.there_and_back else there


def write_still(path: Path, order: Order, still: Still) -> str:
    """Write a picture, or a grid of all that stand beside it, and say what was written. Raises Refusal."""
    check_writable(path, ".png")
    one = order.kind == "picture"
    pixels = still.pictures[still.cell] if one else grid(still.pictures)
    _check_size(pixels.shape[1], pixels.shape[0], order.zoom)
    recipe = still.recipe
    if recipe is not None:
        recipe = recipe.of_cell(still.cell) if one else replace(recipe, shown=replace(recipe.shown, layout="grid"))
        recipe = replace(recipe, shown=replace(recipe.shown, zoom=order.zoom))
    write_png(path, enlarged(pixels, order.zoom), recipe)
    return f"Saved {path}"


def write_states(
    path: Path, order: Order, way: Way, chosen: Sequence[int], states: Sequence[State], on_done: OnDone = lambda _: None
) -> str:
    """Write the ``chosen`` states of a way as a contact sheet, a film or numbers, and say what was written.

    ``on_done`` hears how many states are written so far, and may raise to leave. Raises Refusal.
    """
    check_writable(path, *ENDINGS[order.kind])
    recipe = way.recipe(chosen, order.quantities[0], cells(way, order.alone))
    if recipe is not None and len(order.quantities) > 1 and order.kind != "numbers":
        recipe = replace(recipe, shown=replace(recipe.shown, beside=order.quantities[1]))
    if order.kind == "numbers":
        return _write_numbers(path, order, way, chosen, states, recipe)
    pictures = [of_state([state.pictures[name] for name in order.quantities]) for state in states]
    height, width = pictures[0].shape[:2]
    if order.kind == "sheet":
        names = [way.captions[position] for position in chosen]
        columns = min(order.columns, len(chosen))
        _check_size(width * columns, height * -(-len(chosen) // columns), order.zoom)
        recipe = None if recipe is None else as_sheet(recipe, names, columns, order.zoom)
        sheet = sheet_of_states if recipe is not None and recipe.shown.steps else contact_sheet
        write_png(path, sheet(np.stack(pictures), names, columns, order.zoom), recipe)
        return f"Contact sheet of {len(chosen)} states saved as {path}"
    _check_size(width, height, order.zoom)
    shown = frames_of(order, len(pictures))
    frames: Iterator[Pixels] = (enlarged(pictures[index], order.zoom) for index in shown)
    if recipe is not None:
        both_ways = order.there_and_back
        recipe = as_film(recipe, order.milliseconds, zoom=order.zoom, there_and_back=both_ways, hold=order.hold)
    if path.suffix.lower() == VIDEO:
        write_video(path, frames, order.milliseconds, recipe, hold=order.hold, on_frame=on_done)
    else:
        write_frames(path, frames, len(shown), order.milliseconds, recipe, hold=order.hold, on_frame=on_done)
    return f"{len(shown)} frames, {seconds(order, len(pictures)):.1f} s, saved as {path}"


def _write_numbers(
    path: Path, order: Order, way: Way, chosen: Sequence[int], states: Sequence[State], recipe: Recipe | None
) -> str:
    """States that have no such quantity, as the data have no noise, are left out."""
    arrays: dict[str, NDArray[np.float32]] = {}
    for name in order.quantities:
        known = [place for place, state in enumerate(states) if name in state.values]
        if not known:
            raise Refusal(f"There is no {name} in these states. Choose other numbers, or more states.")
        arrays[name] = np.stack([states[place].values[name] for place in known]).astype(np.float32, copy=False)
        arrays[f"{name}.t"] = np.array([way.times[chosen[place]] for place in known], np.float32)
    first = arrays[order.quantities[0]]
    if recipe is not None:  # that of the states which are written
        written = [place for place, state in enumerate(states) if order.quantities[0] in state.values]
        made = way.recipe([chosen[place] for place in written], order.quantities[0], cells(way, order.alone))
        recipe = None if made is None else as_values(made)
    if recipe is not None and not recipe.shown.steps:  # one batch, as the times of a forward process are
        arrays = {name: values if name.endswith(".t") else values[:, 0] for name, values in arrays.items()}
        first = arrays[order.quantities[0]]
    if path.suffix.lower() == ".npy":
        write_npy(path, first, recipe)
    else:
        write_safetensors(path, arrays, recipe)
    return f"{len(first)} states, {' × '.join(map(str, first.shape))} numbers, saved as {path}"


def seconds(order: Order, states: int) -> float:
    """How long a film of so many states is."""
    return (len(frames_of(order, states)) * order.milliseconds + order.hold) / 1000


def refusals(kind: Kind) -> Mapping[str, str]:
    """Why a format cannot be had here, by its ending."""
    return {VIDEO: why_not()} if kind == "film" else {}


def is_animation(ending: str) -> bool:
    return ending in ANIMATIONS or ending == VIDEO


def _check_size(width: int, height: int, zoom: int) -> None:
    if width * height * zoom * zoom > LARGEST:
        raise Refusal(
            f"The picture would have {width * zoom:,} × {height * zoom:,} pixels, more than other programs open. "
            "Choose a smaller size or fewer states."
        )
