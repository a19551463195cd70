"""A guidance sheet as a picture file, with its names on two sides as in the papers' figures. No widget here."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.stages.guidance_plan import SheetPlan
from core.errors import Refusal
from core.files import check_writable
from core.recipe import Recipe, Shown, as_table
from core.render import table, write_png

SIDE = 96
"""The least width of a cell in the file; pixels of the pictures become whole squares."""
WHITE = 255


def export(path: Path, plan: SheetPlan, pictures: Mapping[int, NDArray[np.uint8]], step: int | None = None) -> str:
    """Write a sheet as PNG with the recipe of its rows at state ``step`` (None: their last), and say what was written:
    ``pictures`` uint8 (H, W, C) by cell, row by row; those that are missing stay white.

    Raises Refusal where there is none at all.
    """
    check_writable(path, ".png")
    if not pictures:
        raise Refusal("No picture is finished yet. Render the sheet first.")
    blank = np.full_like(next(iter(pictures.values())), WHITE)
    cells = np.stack([pictures.get(cell, blank) for cell in range(len(plan.rows) * len(plan.columns))])
    zoom = max(1, math.ceil(SIDE / blank.shape[1]))
    write_png(path, table(cells, plan.columns, plan.rows, len(plan.columns), zoom), recipe_of(plan, zoom, step))
    return f"The sheet was written to {path}"


def recipe_of(plan: SheetPlan, zoom: int, step: int | None = None) -> Recipe:
    """How a sheet is made again."""
    first, *others = plan.requests
    recipe = Recipe(first, Shown(step=first.steps if step is None else step), tuple(others))
    return as_table(recipe, plan.columns, plan.rows, zoom)
