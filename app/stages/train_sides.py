"""Which sizes of pictures are offered for a training: those that suit the network, and why the folder's own may not."""

from __future__ import annotations

from app.stages.train_settings import SIZES
from core.errors import Refusal
from core.training.presets import network_of
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


def why_not_side(side: int) -> str:
    """What keeps pictures of this side from being learned, "" where nothing does."""
    try:
        network_of("small", side, 3, 0)
    except Refusal:
        levels = max(2, min(4, (side // 8).bit_length()))
        return (
            f"The network halves its pictures {levels - 1} times, and {side} cannot be halved so often. Choose the "
            "next smaller or larger size: pictures are scaled to it."
        )
    return ""
