"""A guidance sheet as a picture file, with its names on two sides as in the papers' figures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QFont, QFontMetricsF, QImage, QPainter

from app.incoming import pixels_of
from app.theme import font
from app.widgets.rasters import to_image
from core.errors import Refusal
from core.files import check_writable
from core.recipe import Recipe
from core.render import write_png

SIDE = 96
"""The least width of a cell in the file; pixels of the pictures become whole squares."""
GAP = 2
MARGIN = 8


def figure(rows: Sequence[str], columns: Sequence[str], pictures: Mapping[int, NDArray[np.uint8]]) -> QImage:
    """The sheet on white: ``pictures`` uint8 (H, W, C) by cell, row by row; those that are missing stay empty.

    Raises Refusal where there is none at all.
    """
    if not pictures:
        raise Refusal("No picture is finished yet. Render the sheet first.")
    height, width = next(iter(pictures.values())).shape[:2]
    zoom = max(1, math.ceil(SIDE / width))
    wide, high = width * zoom, height * zoom
    written = _font()
    metrics = QFontMetricsF(written)
    left = MARGIN + math.ceil(max(metrics.horizontalAdvance(name) for name in rows)) + MARGIN
    top = MARGIN + math.ceil(metrics.height())
    image = QImage(
        left + len(columns) * (wide + GAP) + MARGIN,
        top + len(rows) * (high + GAP) + MARGIN,
        QImage.Format.Format_RGB888,
    )
    image.fill(Qt.GlobalColor.white)
    painter = QPainter(image)
    painter.setFont(written)
    painter.setPen(Qt.GlobalColor.black)
    for column, name in enumerate(columns):
        place = QRectF(left + column * (wide + GAP), 0, wide, top)
        painter.drawText(
            place, Qt.AlignmentFlag.AlignCenter, metrics.elidedText(name, Qt.TextElideMode.ElideRight, wide)
        )
    for row, name in enumerate(rows):
        place = QRectF(0, top + row * (high + GAP), left - MARGIN, high)
        painter.drawText(place, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, name)
    for cell, picture in pictures.items():
        row, column = divmod(cell, len(columns))
        place = QRectF(left + column * (wide + GAP), top + row * (high + GAP), wide, high)
        painter.drawImage(place, to_image(picture))
    painter.end()
    return image


def export(path: Path, image: QImage, recipe: Recipe | None = None) -> str:
    """Write the figure as PNG with the recipe of its rows, and say what was written. Raises Refusal."""
    check_writable(path, ".png")
    write_png(path, pixels_of(image), recipe)
    return f"The sheet was written to {path}"


def _font() -> QFont:
    made = font("body", numbers=True)
    made.setPixelSize(16)
    return made
