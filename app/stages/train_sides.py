"""Which sizes of pictures are offered for a training."""

from __future__ import annotations

from app.stages.train_settings import SIZES
from core.training.reading import FolderReport

SMALLEST, LARGEST = 8, 256
"""Sides between which the folder's own is offered."""


def own_side(report: FolderReport) -> int | None:
    """The side of most pictures of a folder, where these are square and neither tiny nor large."""
    if not report.sizes:
        return None
    width, height, _count = report.sizes[0]
    return width if width == height and SMALLEST <= width <= LARGEST else None


def sides(report: FolderReport, also: int | None = None) -> dict[str, str]:
    """The sides to choose from, with their words: the usual ones, the folder's own and ``also``."""
    own = own_side(report)
    every = {*SIZES, *(side for side in (own, also) if side is not None)}
    return {str(side): f"{side} × {side}" + (", as they are" if side == own else "") for side in sorted(every)}
