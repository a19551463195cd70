"""How the files of a folder become pictures of one size. Torch-free."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CropName = Literal["middle", "whole"]
FramesName = Literal["first", "all"]
Colour = tuple[int, int, int]
WHITE: Colour = (255, 255, 255)


@dataclass(frozen=True, slots=True)
class Reading:
    """``size`` is the side of the square pictures.

    ``crop`` "middle" takes the middle square of a picture, "whole" all of it with bars of the colour ``background``,
    which is also put under what is transparent. ``frames`` of an animated picture: its first, or all of them.
    """

    size: int = 32
    crop: CropName = "middle"
    background: Colour = WHITE
    frames: FramesName = "first"
