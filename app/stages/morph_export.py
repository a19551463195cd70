"""A morph as a file: an animation, or a contact sheet with what each frame is. No widget here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import Refusal
from core.files import check_writable
from core.render import ANIMATIONS, contact_sheet, enlarged, write_animation, write_png

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


def there_and_back(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The frames (n, ...) and then those between the ends again, backwards: an endless loop without a jump."""
    return np.concatenate([pictures, pictures[-2:0:-1]])


def export(
    path: Path,
    pictures: NDArray[np.uint8],
    names: Sequence[str],
    columns: int,
    settings: ExportSettings = ExportSettings(),
) -> str:
    """Write frames uint8 (n, H, W, C) in the format of the path's ending, and say what was written. Raises Refusal."""
    check_writable(path, *FORMATS)
    if not len(pictures):
        raise Refusal("No frame is finished yet. Wait for the first ones, or press Morph.")
    if path.suffix.lower() not in ANIMATIONS:
        write_png(path, contact_sheet(pictures, names, columns, settings.zoom))
        return f"Contact sheet of {len(pictures)} frames written to {path}"
    shown = there_and_back(pictures) if settings.there_and_back else pictures
    write_animation(path, enlarged(shown, settings.zoom), settings.milliseconds)
    seconds = len(shown) * settings.milliseconds / 1000
    return f"{len(shown)} frames, {seconds:.1f} s, written to {path}"
