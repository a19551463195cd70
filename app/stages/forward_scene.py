"""A picture on its way into noise, ready for the screen: numbers and pictures, no widgets."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.conversion import convert, display_pixels
from core.forward import Forward, shown_picture
from core.images import OpenedImage
from core.levels import Level
from core.requests import Conversion, ImageRef, NoiseRequest, ScheduleSpec
from core.schedules import Schedule, make_schedule

Pictures = NDArray[np.uint8]
Values = NDArray[np.float32]

LARGEST = 720
"""Pixels of the longer side at which a picture is shown; larger ones are scaled down so that the slider stays fluid."""
LARGEST_LOG_SNR = 1000.0
"""Stands for the infinite one where nothing, or nothing but the picture, is left."""
STRIP_SIDE = 96
STRIP_LENGTH = 10


@dataclass(frozen=True)
class Shown:
    """x_t as it is put on the screen: picture (1, H, W, C), the numbers behind it, their range, and how they map."""

    picture: Pictures
    values: Values
    value_range: tuple[float, float]
    mapping: str


class ForwardScene:
    """One picture, one schedule, one seed."""

    def __init__(self, pixels: Pictures, schedule: Schedule, seed: int, background: tuple[int, int, int]) -> None:
        """``pixels`` uint8 (H, W, 1, 3 or 4); ``background`` is what transparent parts become."""
        self._pixels = opaque(display_pixels(pixels, LARGEST), background)
        self.schedule = schedule
        self._seed, self.background = seed, background
        self.scaled = self._pixels.shape[:2] != pixels.shape[:2]
        self.forward = Forward(self._pixels, schedule, seed)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) as shown."""
        return self._pixels.shape[0], self._pixels.shape[1]

    @property
    def x0(self) -> Pictures:
        return self._pixels[None]

    @property
    def eps(self) -> Values:
        """The noise as signed numbers, (1, C, H, W)."""
        return self.forward.eps.transpose(2, 0, 1)[None]

    def x_t(self, t: int, normalised: bool) -> Shown:
        """x_t clamped to [-1, 1], or with its own extremes as black and white."""
        x = self.forward.at(t)
        low, high = float(x.min()), float(x.max())
        picture = shown_picture(x, normalised)
        return Shown(picture[None], x[None], (low, high), "normalised" if normalised else "clamped to [-1, 1]")

    def strip(self, schedule: Schedule) -> Pictures:
        """The picture at ``strip_times``, small: uint8 (n, H, W, C). Its noise is drawn at that size."""
        return Forward(self._small, schedule, self._seed).strip(strip_times(schedule.T))

    @cached_property
    def _small(self) -> Pictures:
        return display_pixels(self._pixels, STRIP_SIDE)


def noise_request(image: OpenedImage, scene: ForwardScene, schedule: ScheduleSpec, t: int, seed: int) -> NoiseRequest:
    """What makes x_t of a scene again."""
    channels = scene.x0.shape[3]
    conversion = Conversion(scene.size, channels, background=scene.background)
    return NoiseRequest(ImageRef(image.sha256, conversion), schedule, (t,), seed)


def opaque(pixels: Pictures, background: tuple[int, int, int]) -> Pictures:
    """The picture without transparency."""
    if pixels.shape[2] != 4:
        return pixels
    return convert(pixels, Conversion((pixels.shape[0], pixels.shape[1]), 3, background=background))


def strip_times(T: int) -> tuple[int, ...]:
    """Ten times (fewer where there are fewer) evenly from the first to the last."""
    return tuple(sorted({round(i * (T - 1) / (STRIP_LENGTH - 1)) for i in range(STRIP_LENGTH)}))


def same_noise(t: int, here: Schedule, there: Schedule) -> int:
    """The time of another schedule at which a picture is as noisy as at ``t`` of this one: nearest in log-SNR."""
    if here.spec == there.spec:
        return t
    wanted, known = (np.maximum(log_snr, -LARGEST_LOG_SNR) for log_snr in (here.log_snr[t], there.log_snr))
    return int(np.abs(known - wanted).argmin())


def snr_words(level: Level) -> str:
    """The signal-to-noise ratio in numbers of fixed width: plain, in decibels, as natural logarithm."""
    decibels = 10 * level.log_snr / math.log(10)
    plain = f"{level.snr:9.4f}" if 1e-3 <= level.snr < 1e4 or level.snr == 0 else f"{level.snr:9.2e}"
    return f"SNR {plain}   {decibels:+7.2f} dB   ln {level.log_snr:+8.3f}".replace("inf", "∞")


def drawn_from(schedule: Schedule, count: int = 8) -> tuple[tuple[float, float], ...]:
    """Control points (t / (T - 1), alpha_bar) through which a drawn schedule begins as the present one.

    They lie where the curve bends: evenly along t, alpha_bar and log-SNR taken together.
    """
    top = schedule.T - 1
    way = np.arange(schedule.T) / top + 1 - schedule.alpha_bar + (schedule.log_snr[0] - schedule.log_snr) / 8
    wanted = np.linspace(way[0], way[-1], count)
    times = sorted({int(np.abs(way - length).argmin()) for length in wanted})
    return tuple((t / top, float(schedule.alpha_bar[t])) for t in times)


def schedule_named(name: str, before: ScheduleSpec) -> ScheduleSpec:
    """The schedule of this name with as many timesteps, and as little signal at its end; a drawn one begins as the
    present one and ends where it is drawn."""
    if name == "drawn":
        return ScheduleSpec("drawn", before.T, points=drawn_from(make_schedule(replace(before, zero_snr=False))))
    return ScheduleSpec(name, before.T, zero_snr=before.zero_snr)  # type: ignore[arg-type]
