"""How the files of a folder become pictures of one size, and what was found in it. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

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


@dataclass(frozen=True, slots=True)
class FolderReport:
    """What there is in a folder of pictures.

    ``files`` have a picture's name, ``others`` have not; of the files came ``pictures`` of ``channels`` channels.
    ``sizes`` (width, height, how many files) are the most common ones as they were found, of ``different_sizes``;
    ``smallest`` and ``largest`` by their area. ``kinds`` says of how many files what had to be done: "16-bit", "CMYK",
    "palette", "transparent", "animated", "rotated", ... ``classes`` are (name, pictures). ``captions`` files have a
    text of the same name beside them. ``duplicates`` are groups of pictures that are nearly the same, by their paths,
    the largest first and not all of them: ``duplicate_groups`` there are, with ``duplicate_pictures`` more pictures
    than groups. ``quarantined`` lists what could not be read as (path, why). ``cache_bytes`` are kept in ``cache`` for
    the next time; 0 and "" where nothing is.
    """

    files: int = 0
    pictures: int = 0
    channels: int = 0
    sizes: tuple[tuple[int, int, int], ...] = ()
    different_sizes: int = 0
    smallest: tuple[int, int] = (0, 0)
    largest: tuple[int, int] = (0, 0)
    kinds: tuple[tuple[str, int], ...] = ()
    classes: tuple[tuple[str, int], ...] = ()
    captions: int = 0
    duplicates: tuple[tuple[str, ...], ...] = ()
    duplicate_groups: int = 0
    duplicate_pictures: int = 0
    quarantined: tuple[tuple[str, str], ...] = ()
    others: int = 0
    cache_bytes: int = 0
    cache: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> FolderReport:
        """The inverse of ``to_json`` after a trip through JSON text; for files of this program's own."""
        return cls(**{item.name: _tupled(data[item.name]) for item in fields(cls)})


def _tupled(value: Any) -> Any:
    return tuple(map(_tupled, value)) if isinstance(value, list | tuple) else value
