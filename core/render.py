"""Pictures made of pictures: grids, strips and sheets; and pictures and arrays as files that carry their recipe."""

from __future__ import annotations

import io
import itertools
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from core.errors import Refusal
from core.files import write_file
from core.recipe import Recipe, to_text
from core.recipe_files import KEYWORD, beside, carrying

Pixels = NDArray[np.uint8]

GAP = 2
"""Pixels between the cells of a grid; there are none around it."""

CAPTION = 14
"""Height of a line under a picture of a contact sheet, in pixels."""
SMALLEST = 7
TITLE = 16
"""Size of the names beside a table, in pixels."""
MARGIN = 8
LARGEST_FILM = 2**31
"""Bytes of the frames of an animation, which pillow holds all at once."""

ANIMATIONS = {".gif": "GIF", ".webp": "WEBP", ".apng": "PNG"}
"""File endings of animations, and pillow's names of their formats."""


def grid(pictures: Pixels | Sequence[Pixels], columns: int | None = None, gap: int = GAP, ground: int = 255) -> Pixels:
    """The pictures (n, H, W, C) row by row as one (height, width, C); by default as square as it can be."""
    n = len(pictures)
    columns = columns or math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    height, width, channels = pictures[0].shape
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, channels), ground, np.uint8)
    for index, picture in enumerate(pictures):
        top, left = index // columns * (height + gap), index % columns * (width + gap)
        sheet[top : top + height, left : left + width] = picture
    return sheet


def strip(pictures: Pixels | Sequence[Pixels], gap: int = GAP) -> Pixels:
    """The pictures (n, H, W, C) side by side."""
    return grid(pictures, columns=len(pictures), gap=gap)


def enlarged(pictures: Pixels, zoom: int) -> Pixels:
    """Every pixel of (..., H, W, C) as a square of ``zoom`` × ``zoom``."""
    return pictures.repeat(zoom, axis=-3).repeat(zoom, axis=-2)


def of_state(sides: Sequence[Pixels]) -> Pixels:
    """One picture of a state: the samples (n, H, W, C) of each quantity as a grid, the quantities side by side."""
    grids = [grid(side) for side in sides]
    return grids[0] if len(grids) == 1 else grid(grids, columns=len(grids), gap=2 * GAP)


def contact_sheet(pictures: Pixels, names: Sequence[str], columns: int, zoom: int = 1, gap: int = 2 * GAP) -> Pixels:
    """The pictures (n, H, W, 1|3) row by row, enlarged, each with its name below it in black on white."""
    cells = [
        np.concatenate([picture, _written(name, *picture.shape[1:])])
        for picture, name in zip(enlarged(pictures, zoom), names, strict=True)
    ]
    return grid(cells, columns, gap=gap)


def sheet_of_states(pictures: Pixels, names: Sequence[str], columns: int, zoom: int = 1) -> Pixels:
    """The same of pictures that may be grids, so far from each other that the eye keeps them apart."""
    return contact_sheet(pictures, names, columns, zoom, gap=2 * GAP * zoom)


def table(
    pictures: Pixels | Sequence[Pixels], columns: Sequence[str], rows: Sequence[str], across: int, zoom: int = 1
) -> Pixels:
    """The pictures (n, H, W, 1|3) in rows of ``across``, enlarged, on white, with the names of columns above and those
    of rows on the left, as in the papers' figures. A name that is too long for its column ends in "…"."""
    cells = grid(enlarged(np.asarray(pictures), zoom), across)
    height, width = (side * zoom + GAP for side in pictures[0].shape[:2])
    ruler, font = ImageDraw.Draw(Image.new("L", (1, 1))), ImageFont.load_default(TITLE)
    left = max((math.ceil(ruler.textlength(name, font)) for name in rows), default=-MARGIN) + 2 * MARGIN
    top = TITLE + 2 * MARGIN if columns else MARGIN
    sheet = Image.new("L", (left + cells.shape[1] + MARGIN, top + cells.shape[0] + MARGIN), 255)
    draw = ImageDraw.Draw(sheet)
    for column, name in enumerate(columns[:across]):
        shown = next(words for words in _shorter(name) if draw.textlength(words, font) <= width - GAP or len(words) < 2)
        draw.text((left + column * width + (width - GAP) / 2, top / 2), shown, 0, font, anchor="mm")
    for row, name in enumerate(rows[: -(-len(pictures) // across)]):
        draw.text((left - MARGIN, top + row * height + (height - GAP) / 2), name, 0, font, anchor="rm")
    drawn = np.repeat(np.asarray(sheet)[:, :, None], cells.shape[2], axis=2)
    drawn[top : top + cells.shape[0], left : left + cells.shape[1]] = cells
    return drawn


def _shorter(text: str) -> Iterator[str]:
    """A text, then ever less of it."""
    yield text
    yield from (f"{text[:length].rstrip()}…" for length in range(len(text) - 1, -1, -1))


def _written(text: str, width: int, channels: int) -> Pixels:
    """A line of text on white, in the largest size up to ``CAPTION`` that fits the width."""
    line = Image.new("L", (width, CAPTION + 4), 255)
    draw = ImageDraw.Draw(line)
    fonts = (ImageFont.load_default(size) for size in range(CAPTION - 2, SMALLEST - 1, -1))
    font = next((font for font in fonts if draw.textlength(text, font) <= width - 2), ImageFont.load_default(SMALLEST))
    draw.text((width / 2, (CAPTION + 4) / 2), text, 0, font, anchor="mm")
    return np.repeat(np.asarray(line)[:, :, None], channels, axis=2)


def write_png(path: Path, pixels: Pixels, recipe: Recipe | None = None) -> None:
    """Write (H, W, 1|3|4) uint8 as a PNG that holds the pixels, their recipe and nothing else. Raises Refusal."""
    write_file(path, lambda stream: _save_png(stream, pixels, recipe))


def png_bytes(pixels: Pixels, recipe: Recipe | None = None) -> bytes:
    """The same PNG as bytes."""
    stream = io.BytesIO()
    _save_png(stream, pixels, recipe)
    return stream.getvalue()


def _save_png(stream: BinaryIO, pixels: Pixels, recipe: Recipe | None) -> None:
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else np.ascontiguousarray(pixels))
    image.save(stream, "PNG", **_carried("PNG", recipe))


def _carried(form: str, recipe: Recipe | None) -> dict[str, Any]:
    return {} if recipe is None else carrying(form, recipe.sentence, to_text(recipe))


def write_animation(
    path: Path, pictures: Pixels, milliseconds: int, recipe: Recipe | None = None, *, hold: int = 0
) -> None:
    """Write (n, H, W, 1|3) uint8 as an endless animation with its recipe, the format by the path's ending; exact but
    for GIF's 256 colours a frame. The last frame stays ``hold`` milliseconds longer. Raises Refusal."""
    write_frames(path, pictures, len(pictures), milliseconds, recipe, hold=hold)


def write_frames(
    path: Path,
    frames: Iterable[Pixels],
    count: int,
    milliseconds: int,
    recipe: Recipe | None = None,
    *,
    hold: int = 0,
    on_frame: Callable[[int], object] = lambda _: None,
) -> None:
    """The same for frames that are made one by one. ``on_frame`` hears how many there were so far, and may raise to
    leave; then nothing is written. Raises Refusal."""
    name = ANIMATIONS[path.suffix.lower()]
    Image.init()
    if name not in Image.SAVE_ALL:
        raise Refusal(f"{path.suffix} animations cannot be written here. Name a .gif instead.")
    images = _images(frames, count, on_frame)
    first = next(images)
    others = images if name == "GIF" else list(images)  # the writer of APNG goes through them twice
    durations = [milliseconds] * (count - 1) + [milliseconds + hold]
    how: dict[str, Any] = {"duration": durations, "loop": 0, "lossless": True, **_carried(name, recipe)}
    write_file(path, lambda stream: first.save(stream, name, save_all=True, append_images=others, **how))


def _images(frames: Iterable[Pixels], count: int, on_frame: Callable[[int], object]) -> Iterator[Image.Image]:
    for done, pixels in enumerate(itertools.islice(frames, count)):
        if done == 0 and count * pixels.shape[0] * pixels.shape[1] * 4 > LARGEST_FILM:
            raise Refusal(
                f"{count} frames of {pixels.shape[1]} × {pixels.shape[0]} pixels are more than fits into memory. "
                "Make the film smaller, or take fewer frames."
            )
        on_frame(done)
        yield Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else np.ascontiguousarray(pixels))


def there_and_back(pictures: Pixels) -> Pixels:
    """The frames (n, ...) and then those between the ends again, backwards: an endless loop without a jump."""
    return np.concatenate([pictures, pictures[-2:0:-1]])


def write_npy(path: Path, values: NDArray[np.float32], recipe: Recipe | None = None) -> None:
    """Write an array as .npy, and its recipe beside it as <name>.npy.json. Raises Refusal."""
    values = np.ascontiguousarray(values)

    def write(stream: BinaryIO) -> None:  # np.save's own errors would not say that the disk is full
        np.lib.format.write_array_header_1_0(stream, np.lib.format.header_data_from_array_1_0(values))
        stream.write(values.data)

    write_file(path, write)
    write_beside(path, recipe)


def write_safetensors(path: Path, arrays: Mapping[str, NDArray[Any]], recipe: Recipe | None = None) -> None:
    """Write named arrays as .safetensors, and their recipe into its metadata and beside it. Raises Refusal."""
    from safetensors.numpy import save

    said = {} if recipe is None else {"about": recipe.sentence, KEYWORD: to_text(recipe)}
    content = save({name: np.ascontiguousarray(array) for name, array in arrays.items()}, said)
    write_file(path, lambda stream: stream.write(content))
    write_beside(path, recipe)


def write_beside(path: Path, recipe: Recipe | None) -> None:
    """Write what a file is beside it, as <name>.json, for people to read as well. Raises Refusal."""
    if recipe is None:
        return
    data = {"about": recipe.sentence, **json.loads(to_text(recipe))}
    lines = (f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in data.items())
    text = "{\n " + ",\n ".join(lines) + "\n}\n"
    write_file(beside(path), lambda stream: stream.write(text.encode()))
