"""The forward process on a picture at its own size and in its own colours, fast enough to follow a slider."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from core.conversion import convert, display_pixels
from core.errors import Refusal
from core.levels import Level
from core.noise import initial_noise
from core.requests import NoiseRequest
from core.schedules import Schedule, make_schedule

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]


class Forward:
    """q(x_t | x_0) of one picture with one noise, in closed form (DDPM eq. 4).

    ``x0`` and ``eps`` are float32 (height, width, channels), read-only, x0 in [-1, 1]. The noise is drawn in the order
    (channels, height, width) of the networks, so a picture of a network's size gets the network's own noise.
    """

    def __init__(self, pixels: Pixels, schedule: Schedule, seed: int) -> None:
        """``pixels`` uint8 (height, width, 1 or 3). Raises Refusal for anything else."""
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in (1, 3) or pixels.size == 0:
            raise Refusal("The forward process needs a grey or colour picture without transparency.")
        height, width, channels = pixels.shape
        self.schedule = schedule
        self.x0: Floats = pixels * np.float32(1 / 127.5)
        self.x0 -= np.float32(1)
        noise = initial_noise(seed, (channels, height, width))
        self.eps: Floats = np.ascontiguousarray(noise.transpose(1, 2, 0))
        self.x0.flags.writeable = False
        self.eps.flags.writeable = False
        self._x_t = np.empty_like(self.x0)
        self._noise = np.empty_like(self.x0)

    def level(self, t: int) -> Level:
        """The level at time t; -1 is the picture itself. Raises Refusal for a t outside the schedule."""
        return self.schedule.level(t)

    def at(self, t: int) -> Floats:
        """x_t, float32 (height, width, channels), an array of its own."""
        return self._mixed(t).copy()

    def picture(self, t: int) -> Pixels:
        """x_t as a picture, clamped to [-1, 1]: uint8 (height, width, channels), an array of its own."""
        return _to_picture(self._mixed(t), self._noise)

    def strip(self, timesteps: Sequence[int]) -> Pixels:
        """x_t at several times with the one noise: uint8 (len(timesteps), height, width, channels)."""
        strip = np.empty((len(timesteps), *self.x0.shape), dtype=np.uint8)
        for i, t in enumerate(timesteps):
            strip[i] = self.picture(t)
        return strip

    def _mixed(self, t: int) -> Floats:
        level = self.schedule.level(t)
        np.multiply(self.x0, np.float32(level.alpha), out=self._x_t)
        np.multiply(self.eps, np.float32(level.sigma), out=self._noise)
        self._x_t += self._noise
        return self._x_t


def shown_picture(x: Floats, normalised: bool) -> Pixels:
    """x clamped to [-1, 1], or with its own extremes as black and white; any shape."""
    low, high = float(x.min()), float(x.max())
    if normalised and high > low:
        return to_picture((x - np.float32(low)) * np.float32(2 / (high - low)) - np.float32(1))
    return to_picture(x)


def forward_of(request: NoiseRequest, pixels: Pixels) -> Forward:
    """The forward process that a request describes, on its picture (height, width, 1, 3 or 4): at its own size or,
    where the request says a smaller one, scaled down as the screen does. Raises Refusal."""
    conversion = replace(request.image.conversion, crop=(0.0, 0.0, 1.0, 1.0))
    scaled = display_pixels(pixels, max(conversion.size))
    return Forward(convert(scaled, conversion), make_schedule(request.schedule), request.seed)


def to_picture(x: Floats) -> Pixels:
    """[-1, 1] to 0..255, rounded to the nearest and clamped; any shape."""
    return _to_picture(x, np.empty(x.shape, dtype=np.float32))


def _to_picture(x: Floats, scratch: Floats) -> Pixels:
    np.multiply(x, np.float32(127.5), out=scratch)
    scratch += np.float32(128)  # 127.5, and a half because the cast rounds down
    np.clip(scratch, 0, 255, out=scratch)
    return scratch.astype(np.uint8)
