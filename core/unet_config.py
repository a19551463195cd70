"""The options of the U-Net, with the names and defaults that diffusers' UNet2DModel configuration uses; those it has no
name for change nothing where they are left out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from core.errors import Refusal

DOWN_BLOCKS = ("DownBlock2D", "AttnDownBlock2D", "ResnetDownsampleBlock2D")
UP_BLOCKS = ("UpBlock2D", "AttnUpBlock2D", "ResnetUpsampleBlock2D")
ACTIVATIONS = ("silu", "swish", "mish", "gelu", "relu")
RESAMPLINGS = ("conv", "resnet")

MAX_CHANNELS = 8192
MAX_LEVELS = 10
MAX_SIDE = 4096

_OLD_PREFIX = "UNetRes"
_CLASS_NAME, _OWN_CLASS_NAME = "UNet2DModel", "DiffuscopeUNet"
CLASS_NAMES = (_CLASS_NAME, _OWN_CLASS_NAME)
"""What a ``config.json`` may say it is: the second where diffusers would compute something else."""


@dataclass(frozen=True, slots=True)
class UNetConfig:
    """A U-Net of ``len(block_out_channels)`` resolutions, from the finest to the coarsest.

    Field names, defaults and meanings are those of diffusers' UNet2DModel, so a configuration is exchanged as it is.
    ``sample_size`` is a side, (height, width) or None; ``attention_head_dim`` None means one head over all channels;
    ``attn_norm_num_groups`` belongs to the middle attention alone; ``downsample_padding`` 0 pads right and bottom
    (DDPM), 1 on all sides.

    Four fields are beyond diffusers (see ``expressible``), for Improved DDPM, ADM and DDPM's own code:
    ``attention_heads`` is how many there are at every width, in place of ``attention_head_dim``; ``time_width`` the
    width of the time's sinusoid, else the first of ``block_out_channels``; times are multiplied by ``time_factor``
    first; without ``resample_conv`` sides are halved by averaging and doubled by repeating, where no residual block
    does it. The constructor raises Refusal where a combination cannot be built.
    """

    sample_size: int | tuple[int, int] | None = None
    in_channels: int = 3
    out_channels: int = 3
    center_input_sample: bool = False
    time_embedding_type: str = "positional"
    time_embedding_dim: int | None = None
    freq_shift: int = 0
    flip_sin_to_cos: bool = True
    down_block_types: tuple[str, ...] = ("DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D")
    mid_block_type: str | None = "UNetMidBlock2D"
    up_block_types: tuple[str, ...] = ("AttnUpBlock2D", "AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D")
    block_out_channels: tuple[int, ...] = (224, 448, 672, 896)
    layers_per_block: int = 2
    mid_block_scale_factor: float = 1
    downsample_padding: int = 1
    downsample_type: str = "conv"
    upsample_type: str = "conv"
    dropout: float = 0.0
    act_fn: str = "silu"
    attention_head_dim: int | None = 8
    norm_num_groups: int = 32
    attn_norm_num_groups: int | None = None
    norm_eps: float = 1e-5
    resnet_time_scale_shift: str = "default"
    add_attention: bool = True
    class_embed_type: str | None = None
    num_class_embeds: int | None = None
    num_train_timesteps: int | None = None
    attention_heads: int | None = None
    time_width: int | None = None
    time_factor: float = 1.0
    resample_conv: bool = True

    def __post_init__(self) -> None:
        _check(self)

    @property
    def time_hidden(self) -> int:
        """Width of the time embedding after its two linear layers."""
        return self.time_embedding_dim or 4 * self.time_channels

    @property
    def time_channels(self) -> int:
        """Width of the time's sinusoid."""
        return self.time_width or self.block_out_channels[0]

    def heads(self, channels: int) -> tuple[int, int]:
        """How many heads attend where there are this many channels, and the width of each."""
        if self.attention_heads is not None:
            return self.attention_heads, channels // self.attention_heads
        width = self.attention_head_dim or channels
        return channels // width, width

    @property
    def side_multiple(self) -> int:
        """The sides of a picture must be multiples of this."""
        return int(2 ** (len(self.block_out_channels) - 1))

    @property
    def sides(self) -> tuple[int, int] | None:
        """(height, width) of the pictures it was made for, where the configuration says so."""
        size = self.sample_size
        return (size, size) if isinstance(size, int) else size

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> UNetConfig:
        """The configuration in a parsed ``config.json``; fields it does not have keep their defaults, unknown ones
        are left out (``core.network_config`` tells which). Raises Refusal for wrong types, bounds and what is not
        covered."""
        values = {name: _read(name, data[name]) for name in _TYPES if name in data}
        for name in ("down_block_types", "up_block_types"):
            if name in values:
                values[name] = tuple(kind.removeprefix(_OLD_PREFIX) for kind in values[name])
        return cls(**values)

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values (tuples become lists); of those beyond diffusers only what is set."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        for name, plain in _BEYOND.items():
            if values[name] == plain:
                del values[name]
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


_BEYOND: dict[str, object] = {"attention_heads": None, "time_width": None, "time_factor": 1.0, "resample_conv": True}


def class_name(config: UNetConfig) -> str:
    """The ``_class_name`` of its ``config.json``."""
    return _OWN_CLASS_NAME if expressible(config) else _CLASS_NAME


def expressible(config: UNetConfig) -> str:
    """Why diffusers has no configuration for this network, in words for a person; "" where it has one."""
    reasons = []
    if config.attention_heads is not None:
        reasons.append("it attends with the same number of heads at every width")
    if config.time_width is not None:
        reasons.append("its times are embedded in another width than that of its first channels")
    if config.time_factor != 1:
        reasons.append("its times are rescaled before they are embedded")
    if not config.resample_conv:
        reasons.append("it changes resolution without convolutions")
    return f"diffusers has no network like this one: {', and '.join(reasons)}." if reasons else ""


_INT, _FLOAT, _BOOL, _TEXT, _NONE = "a whole number", "a number", "true or false", "a word", "null"
_TEXTS, _INTS, _PAIR = "a list of words", "a list of whole numbers", "a pair of whole numbers"

_TYPES: dict[str, tuple[str, ...]] = {
    "sample_size": (_INT, _PAIR, _NONE),
    "in_channels": (_INT,),
    "out_channels": (_INT,),
    "center_input_sample": (_BOOL,),
    "time_embedding_type": (_TEXT,),
    "time_embedding_dim": (_INT, _NONE),
    "freq_shift": (_INT,),
    "flip_sin_to_cos": (_BOOL,),
    "down_block_types": (_TEXTS,),
    "mid_block_type": (_TEXT, _NONE),
    "up_block_types": (_TEXTS,),
    "block_out_channels": (_INTS,),
    "layers_per_block": (_INT,),
    "mid_block_scale_factor": (_FLOAT,),
    "downsample_padding": (_INT,),
    "downsample_type": (_TEXT,),
    "upsample_type": (_TEXT,),
    "dropout": (_FLOAT,),
    "act_fn": (_TEXT,),
    "attention_head_dim": (_INT, _NONE),
    "norm_num_groups": (_INT,),
    "attn_norm_num_groups": (_INT, _NONE),
    "norm_eps": (_FLOAT,),
    "resnet_time_scale_shift": (_TEXT,),
    "add_attention": (_BOOL,),
    "class_embed_type": (_TEXT, _NONE),
    "num_class_embeds": (_INT, _NONE),
    "num_train_timesteps": (_INT, _NONE),
    "attention_heads": (_INT, _NONE),
    "time_width": (_INT, _NONE),
    "time_factor": (_FLOAT,),
    "resample_conv": (_BOOL,),
}


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _matches(value: object, kind: str) -> bool:
    if kind == _INT:
        return _is_int(value)
    if kind == _FLOAT:
        return _is_int(value) or (isinstance(value, float) and math.isfinite(value))
    if kind == _BOOL:
        return isinstance(value, bool)
    if kind == _TEXT:
        return isinstance(value, str)
    if kind == _NONE:
        return value is None
    if not isinstance(value, list | tuple) or len(value) > MAX_LEVELS:
        return False
    if kind == _TEXTS:
        return all(isinstance(item, str) for item in value)
    return all(_is_int(item) for item in value) and (kind == _INTS or len(value) == 2)


def _read(name: str, value: object) -> Any:
    if not any(_matches(value, kind) for kind in _TYPES[name]):
        raise Refusal(
            f"The network's configuration cannot be read: {name} must be {' or '.join(_TYPES[name])}.",
            details=f"{name} = {str(value)[:200]}",
        )
    return tuple(value) if isinstance(value, list) else value


def _check(config: UNetConfig) -> None:
    def refuse(message: str) -> None:
        raise Refusal(f"This network cannot be opened: {message}")

    def bounded(name: str, low: float, high: float) -> None:
        value = getattr(config, name)
        for number in value if isinstance(value, tuple) else (value,):
            if number is not None and not low <= number <= high:
                refuse(f"{name} is {number}, it must lie between {low} and {high}.")

    def one_of(name: str, allowed: tuple[str | None, ...]) -> None:
        value = getattr(config, name)
        for word in value if isinstance(value, tuple) else (value,):
            if word not in allowed:
                known = ", ".join(str(item) for item in allowed)
                refuse(f"{name} {word} is not a kind that Diffuscope computes (it knows {known}).")

    if config.time_embedding_type != "positional":
        refuse(
            f"its time embedding is of the kind {config.time_embedding_type}, which belongs to another process than "
            "the discrete diffusion Diffuscope computes."
        )
    one_of("down_block_types", DOWN_BLOCKS)
    one_of("up_block_types", UP_BLOCKS)
    one_of("mid_block_type", ("UNetMidBlock2D", None))
    one_of("downsample_type", RESAMPLINGS)
    one_of("upsample_type", RESAMPLINGS)
    one_of("act_fn", ACTIVATIONS)
    one_of("resnet_time_scale_shift", ("default", "scale_shift"))
    one_of("class_embed_type", (None, "timestep", "identity"))
    levels = len(config.block_out_channels)
    if not 1 <= levels <= MAX_LEVELS:
        refuse(f"it has {levels} resolutions, there must be 1 to {MAX_LEVELS}.")
    if len(config.down_block_types) != levels or len(config.up_block_types) != levels:
        refuse(
            f"it has {levels} widths, but {len(config.down_block_types)} blocks on the way down and "
            f"{len(config.up_block_types)} on the way up."
        )
    bounded("sample_size", 1, MAX_SIDE)
    bounded("in_channels", 1, 1024)
    bounded("out_channels", 1, 1024)
    bounded("time_embedding_dim", 1, 4 * MAX_CHANNELS)
    bounded("block_out_channels", 1, MAX_CHANNELS)
    bounded("layers_per_block", 1, 32)
    bounded("downsample_padding", 0, 1)
    bounded("dropout", 0, 1)
    bounded("attention_head_dim", 1, MAX_CHANNELS)
    bounded("norm_num_groups", 1, MAX_CHANNELS)
    bounded("attn_norm_num_groups", 1, MAX_CHANNELS)
    bounded("norm_eps", 0, 1)
    bounded("freq_shift", 0, 1)
    bounded("num_class_embeds", 1, 1_000_000)
    bounded("attention_heads", 1, MAX_CHANNELS)
    bounded("time_width", 1, MAX_CHANNELS)
    bounded("time_factor", 1e-6, 1e6)
    if config.time_channels // 2 <= config.freq_shift:
        refuse(f"{config.time_channels} channels are too few for its time embedding.")
    if config.mid_block_scale_factor <= 0:
        refuse("mid_block_scale_factor must be positive.")
    _check_groups(config, refuse)


def _check_groups(config: UNetConfig, refuse: Any) -> None:
    """Group normalisation divides every width that is normalised, the concatenated ones on the way up included."""
    groups, widths = config.norm_num_groups, config.block_out_channels
    for width in widths:
        if width % groups:
            refuse(f"{width} channels cannot be divided into {groups} groups (norm_num_groups).")
    mid_groups = config.attn_norm_num_groups
    if mid_groups is not None and widths[-1] % mid_groups:
        refuse(f"{widths[-1]} channels cannot be divided into {mid_groups} groups (attn_norm_num_groups).")
    attention = (*config.down_block_types, *config.up_block_types)
    attended = [width for kind, width in zip(attention, (*widths, *reversed(widths)), strict=True) if "Attn" in kind]
    if config.mid_block_type is not None and config.add_attention:
        attended.append(widths[-1])
    head, heads = config.attention_head_dim, config.attention_heads
    if heads is not None:
        for width in attended:
            if width % heads:
                refuse(f"{width} channels cannot be divided among {heads} heads (attention_heads).")
    elif head is not None and any(width < head for width in attended):
        refuse(
            f"a head of {head} channels (attention_head_dim) is wider than the {min(attended)} channels attended to."
        )
