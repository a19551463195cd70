"""A morph as a file: an animation, or a contact sheet with what each frame is. No widget here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import Refusal
from core.files import check_writable
from core.recipe import Recipe, as_film, as_sheet
from core.render import ANIMATIONS, contact_sheet, enlarged, there_and_back, write_animation, write_png

FORMATS = {
    ".gif": "GIF animation (*.gif)",
    ".apng": "APNG animation (*.apng)",
    ".webp": "WebP animation (*.webp)",
    ".png": "Contact sheet (*.png)",
}


@dataclass(frozen=True, slots=True)
class ExportSettings:
    """``milliseconds`` a frame; ``there_and_back`` turns round at the end; ``zoom`` pixels for one of the model's."""

    milliseconds: int = 100
    there_and_back: bool = False
    zoom: int = 8


def export(
    path: Path,
    pictures: NDArray[np.uint8],
    names: Sequence[str],
    columns: int,
    settings: ExportSettings = ExportSettings(),
    recipe: Recipe | None = None,
) -> str:
    """Write frames uint8 (n, H, W, C) with the ``recipe`` of these frames in the format of the path's ending, and say
    what was written. Raises Refusal."""
    check_writable(path, *FORMATS)
    if not len(pictures):
        raise Refusal("No frame is finished yet. Wait for the first ones, or press Morph.")
    if path.suffix.lower() not in ANIMATIONS:
        made = None if recipe is None else as_sheet(recipe, names, columns, settings.zoom)
        write_png(path, contact_sheet(pictures, names, columns, settings.zoom), made)
        return f"Contact sheet of {len(pictures)} frames written to {path}"
    shown = there_and_back(pictures) if settings.there_and_back else pictures
    made = None
    if recipe is not None:
        made = as_film(recipe, settings.milliseconds, zoom=settings.zoom, there_and_back=settings.there_and_back)
    write_animation(path, enlarged(shown, settings.zoom), settings.milliseconds, made)
    seconds = len(shown) * settings.milliseconds / 1000
    return f"{len(shown)} frames, {seconds:.1f} s, written to {path}"
