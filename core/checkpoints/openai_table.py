"""The published models of improved-diffusion and guided-diffusion, and what their files cannot say.

Nichol & Dhariwal 2021, Dhariwal & Nichol 2021: settings are those that the two programs' instructions give for each
file. Files of other people that have the same tensors were trained with the same settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from core.checkpoints.openai_anatomy import Anatomy, Resampling
from core.checkpoints.openai_layout import Order

Noise = Literal["linear", "cosine"]


@dataclass(frozen=True, slots=True)
class Settings:
    """``heads`` is "heads-4" (as many at every width) or "channels-64" (as many channels in each)."""

    heads: str
    order: Order
    schedule: Noise
    T: int
    rescaled: bool
    size: int


@dataclass(frozen=True, slots=True)
class Published:
    """Models that share their tensors' shapes and all settings; ``files`` are how their names begin."""

    files: tuple[str, ...]
    anatomy: Anatomy
    settings: Settings


def published(anatomy: Anatomy, file_name: str) -> Published | None:
    """The published model with these tensors; of several, the one whose name is in the file's."""
    fitting = [model for model in MODELS if model.anatomy == anatomy]
    named = [model for model in fitting if any(name in file_name for name in model.files)]
    return next(iter(named or fitting), None)


def published_classifier(anatomy: Anatomy) -> Published | None:
    return next((model for model in CLASSIFIERS if model.anatomy == anatomy), None)


def size_of(anatomy: Anatomy, file_name: str) -> tuple[int, str]:
    """The side of the pictures that a model with these tensors was probably made for, and why."""
    for size in (512, 256, 128, 64, 32):
        if (f"{size}x{size}" in file_name or f"{size}_" in file_name) and size % anatomy.side_multiple == 0:
            return size, f"The file's name says {size}."
    if anatomy.multipliers in _SIZES:
        size = _SIZES[anatomy.multipliers]
        return size, f"The program gives these widths to pictures of {size} × {size}."
    return 8 * anatomy.side_multiple, "Such networks mostly end at 8 × 8 pixels in the middle."


def _improved(
    channels: int,
    multipliers: Sequence[float],
    blocks: int,
    attention: Sequence[int],
    *,
    classes: int = 0,
    film: bool = True,
    inputs: int = 3,
    resampling: Resampling = "conv",
) -> Anatomy:
    """``attention``: the resolutions that have some, counted from the finest, 0."""
    return Anatomy(
        channels=channels,
        inputs=inputs,
        outputs=6,
        classes=classes,
        widths=tuple(int(multiplier * channels) for multiplier in multipliers),
        blocks=blocks,
        attention=tuple(level in attention for level in range(len(multipliers))),
        film=film,
        resampling=resampling,
    )


def _guided(
    channels: int,
    multipliers: Sequence[float],
    blocks: int,
    attention: Sequence[int],
    *,
    classes: int = 0,
    inputs: int = 3,
) -> Anatomy:
    return _improved(channels, multipliers, blocks, attention, classes=classes, inputs=inputs, resampling="res")


def _classifier(multipliers: Sequence[float], blocks: int, attention: Sequence[int]) -> Anatomy:
    plain = _guided(128, multipliers, blocks, attention)
    return replace(plain, outputs=1000, pool="attention", tokens=64)


_32, _64, _128 = (1, 2, 2, 2), (1, 2, 3, 4), (1, 1, 2, 3, 4)
_256, _512 = (1, 1, 2, 2, 4, 4), (0.5, 1, 1, 2, 2, 4, 4)
_SIZES: dict[tuple[float, ...], int] = {_32: 32, _64: 64, _128: 128, _256: 256, _512: 512}

MODELS = (
    Published(
        ("cifar10_uncond_50M_500K", "cifar10_uncond_vlb_50M_500K"),
        _improved(128, _32, 3, (1, 2)),
        Settings("heads-4", "legacy", "cosine", 4000, True, 32),
    ),
    Published(
        ("imagenet64_uncond_100M_1500K", "imagenet64_uncond_vlb_100M_1500K"),
        _improved(128, _64, 3, (2, 3)),
        Settings("heads-4", "legacy", "cosine", 4000, True, 64),
    ),
    Published(
        ("imagenet64_cond_270M_250K",),
        _improved(192, _64, 3, (2, 3), classes=1000),
        Settings("heads-4", "legacy", "cosine", 4000, False, 64),
    ),
    Published(
        ("upsample_cond_500K",),
        _improved(192, _256, 2, (4, 5), classes=1000, inputs=6),
        Settings("heads-4", "legacy", "linear", 4000, False, 256),
    ),
    Published(
        ("lsun_uncond_100M_1200K_bs128", "lsun_uncond_100M_2400K_bs64"),
        _improved(128, _256, 2, (4,), film=False),
        Settings("heads-1", "legacy", "linear", 1000, False, 256),
    ),
    Published(
        ("64x64_diffusion",),
        _guided(192, _64, 3, (1, 2, 3), classes=1000),
        Settings("channels-64", "new", "cosine", 1000, False, 64),
    ),
    Published(
        ("128x128_diffusion",),
        _guided(256, _128, 2, (2, 3, 4), classes=1000),
        Settings("heads-4", "legacy", "linear", 1000, False, 128),
    ),
    Published(
        ("256x256_diffusion",),
        _guided(256, _256, 2, (3, 4, 5), classes=1000),
        Settings("channels-64", "legacy", "linear", 1000, False, 256),
    ),
    Published(
        ("256x256_diffusion_uncond", "lsun_bedroom", "lsun_cat", "lsun_horse", "celeba256_250000", "places256_300000"),
        _guided(256, _256, 2, (3, 4, 5)),
        Settings("channels-64", "legacy", "linear", 1000, False, 256),
    ),
    Published(
        ("512x512_diffusion",),
        _guided(256, _512, 2, (4, 5, 6), classes=1000),
        Settings("channels-64", "legacy", "linear", 1000, False, 512),
    ),
    Published(
        ("ffhq_p2", "ffhq_10m"),
        _guided(128, _256, 1, (4,)),
        Settings("channels-64", "legacy", "linear", 1000, False, 256),
    ),
    Published(
        ("64_256_upsampler",),
        _guided(192, _256, 2, (3, 4, 5), classes=1000, inputs=6),
        Settings("heads-4", "legacy", "linear", 1000, False, 256),
    ),
    Published(
        ("128_512_upsampler",),
        _guided(192, _256, 2, (4, 5), classes=1000, inputs=6),
        Settings("channels-64", "legacy", "linear", 1000, False, 512),
    ),
)

CONSISTENCY = (
    replace(_guided(192, _64, 3, (1, 2, 3), classes=1000), outputs=3),
    replace(_guided(256, _256, 2, (3, 4, 5)), outputs=3, film=False),
)
"""Consistency models and their teachers (Song et al. 2023), which are told other noise levels."""

CLASSIFIERS = (
    Published(
        ("64x64_classifier",),
        _classifier(_64, 4, (1, 2, 3)),
        Settings("channels-64", "legacy", "cosine", 1000, False, 64),
    ),
    Published(
        ("128x128_classifier",),
        _classifier(_128, 2, (2, 3, 4)),
        Settings("channels-64", "legacy", "linear", 1000, False, 128),
    ),
    Published(
        ("256x256_classifier",),
        _classifier(_256, 2, (3, 4, 5)),
        Settings("channels-64", "legacy", "linear", 1000, False, 256),
    ),
    Published(
        ("512x512_classifier",),
        _classifier(_512, 2, (4, 5, 6)),
        Settings("channels-64", "legacy", "linear", 1000, False, 512),
    ),
)
