"""The options of denoising-diffusion-pytorch's U-Net. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from core.errors import Refusal
from core.json_file import Fields

CLASS_NAME = "LucidrainsUnet"
"""How a folder's config.json calls this network."""

NormName = Literal["rms", "group"]

MAX_WIDTH = 8192
MAX_LEVELS = 10
MAX_SIDE = 4096
GROUPS = 8
MAX_MEMORY = 1024


@dataclass(frozen=True, slots=True)
class LucidrainsConfig:
    """A network of ``len(widths)`` resolutions, from the finest to the coarsest.

    ``first_width`` is what the first convolution makes of the picture, ``widths`` what each resolution hands on to the
    next. Time is a sinusoid of ``time_width`` numbers, or with ``fourier`` that many numbers of learned or random
    frequencies; its embedding has four times ``time_width``. Each resolution attends with ``heads`` of ``head_width``
    channels, over all pixels (``full_attention``) or with linear attention, beside ``memory`` learned keys and values.
    ``norm`` of the residual blocks: over each pixel's channels ("rms"), or in eight groups ("group", until version 2).
    The constructor raises Refusal where a combination cannot be built.
    """

    time_width: int
    first_width: int
    widths: tuple[int, ...]
    heads: tuple[int, ...]
    head_width: tuple[int, ...]
    full_attention: tuple[bool, ...]
    in_channels: int = 3
    out_channels: int = 3
    memory: int = 4
    norm: NormName = "rms"
    fourier: int | None = None
    sample_size: int | tuple[int, int] | None = None

    def __post_init__(self) -> None:
        _check(self)

    @property
    def levels(self) -> int:
        return len(self.widths)

    @property
    def side_multiple(self) -> int:
        """The sides of a picture must be multiples of this."""
        return int(2 ** (self.levels - 1))

    @property
    def sides(self) -> tuple[int, int] | None:
        """(height, width) of the pictures it was made for, where the configuration says so."""
        size = self.sample_size
        return (size, size) if isinstance(size, int) else size

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> LucidrainsConfig:
        """The configuration in a parsed ``config.json``. Raises Refusal for wrong types and bounds."""
        fields = Fields(data, "The network's configuration")
        norm = fields.text("norm", "rms")
        full = data.get("full_attention")
        if norm not in ("rms", "group"):
            raise _refusal(f"its norm is of a kind that Diffuscope does not compute ({norm[:60]}).")
        if not isinstance(full, list) or not all(isinstance(flag, bool) for flag in full):
            raise _refusal("full_attention must be a list of true and false.")
        size = data.get("sample_size")
        sides = _wholes(fields, "sample_size") if isinstance(size, list) else None
        if sides is not None and len(sides) != 2:
            raise _refusal("sample_size must be a side, or height and width.")
        return cls(
            time_width=fields.whole("time_width", 0),
            first_width=fields.whole("first_width", 0),
            widths=_wholes(fields, "widths"),
            heads=_wholes(fields, "heads"),
            head_width=_wholes(fields, "head_width"),
            full_attention=tuple(full),
            in_channels=fields.whole("in_channels", 3),
            out_channels=fields.whole("out_channels", 3),
            memory=fields.whole("memory", 4),
            norm="rms" if norm == "rms" else "group",
            fourier=fields.maybe_whole("fourier"),
            sample_size=fields.maybe_whole("sample_size") if sides is None else (sides[0], sides[1]),
        )

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values (tuples become lists)."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


def _wholes(fields: Fields, name: str) -> tuple[int, ...]:
    values = fields.numbers(name)
    if any(value != int(value) for value in values):
        raise _refusal(f"{name} must be whole numbers.")
    return tuple(int(value) for value in values)


def _refusal(message: str) -> Refusal:
    return Refusal(f"This network cannot be opened: {message}")


def _check(config: LucidrainsConfig) -> None:
    def bounded(name: str, low: int, high: int, *values: int | None) -> None:
        for value in values:
            if value is not None and not low <= value <= high:
                raise _refusal(f"{name} is {value}, it must lie between {low} and {high}.")

    bounded("the number of its resolutions", 1, MAX_LEVELS, config.levels)
    for name in ("heads", "head_width", "full_attention"):
        if len(getattr(config, name)) != config.levels:
            raise _refusal(f"it has {config.levels} resolutions, but {len(getattr(config, name))} of {name}.")
    bounded("time_width", 4, MAX_WIDTH, config.time_width)
    bounded("first_width", 1, MAX_WIDTH, config.first_width)
    bounded("one of its widths", 1, MAX_WIDTH, *config.widths)
    bounded("the number of its heads", 1, 1024, *config.heads)
    bounded("the width of a head", 1, MAX_WIDTH, *config.head_width)
    bounded("in_channels", 1, 1024, config.in_channels)
    bounded("out_channels", 1, 1024, config.out_channels)
    bounded("memory", 0, MAX_MEMORY, config.memory)
    bounded("fourier", 2, MAX_WIDTH, config.fourier)
    bounded("sample_size", 1, MAX_SIDE, *(config.sides or ()))
    for name, width in (("time_width", config.time_width), ("fourier", config.fourier or 0)):
        if width % 2:
            raise _refusal(f"{name} is {width}, it must be even: half of it are sines, half cosines.")
    for width in (config.first_width, *config.widths):
        if config.norm == "group" and width % GROUPS:
            raise _refusal(f"{width} channels cannot be divided into {GROUPS} groups.")
