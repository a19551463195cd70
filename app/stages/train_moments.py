"""Samples along their two times: which picture stands where in training time and in diffusion time. No widget here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from core.messages import Picture
from core.training.events import Drawn

Kind = Literal["x0_hat", "x_t"]

DATA = -1
"""The diffusion time of finished samples."""


def times_of(drawn: Drawn) -> tuple[int, ...]:
    """The moments of diffusion time of a set, falling: those of its way, as far as that was kept, and the end."""
    return (*drawn.timesteps, DATA)


def longest_way(samples: Sequence[Drawn]) -> tuple[int, ...]:
    """The moments of the set that has the most; those of one run are alike."""
    return max((times_of(drawn) for drawn in samples), key=len, default=(DATA,))


def place_of(drawn: Drawn, t: int) -> int:
    """Where in ``times_of`` the moment nearest to ``t`` is; ``DATA`` is none of the way's."""
    if t == DATA or not drawn.timesteps:
        return len(drawn.timesteps)
    return min(range(len(drawn.timesteps)), key=lambda place: abs(drawn.timesteps[place] - t))


def pictures_at(drawn: Drawn, t: int, kind: Kind) -> Picture:
    """What a set shows at the moment nearest to ``t``, uint8 (n, H, W, C)."""
    states = drawn.x0_hat if kind == "x0_hat" else drawn.x_t
    place = place_of(drawn, t)
    return drawn.pictures if states is None or place >= len(states) else states[place]


def has_moment(drawn: Drawn, t: int) -> bool:
    """Whether a set knows that moment of its way."""
    return t == DATA or bool(drawn.timesteps)


def step_words(step: int) -> str:
    """Where in training time."""
    return "before the first step" if not step else f"after {step:,} step{'s' if step > 1 else ''}"


def time_words(t: int) -> str:
    """Where in diffusion time."""
    return "finished" if t == DATA else f"t = {t}"


def spread(count: int, room: int, current: int) -> tuple[int, ...]:
    """At most ``room`` of ``count`` places, evenly spread with both ends, and ``current`` among them."""
    if count <= room:
        return tuple(range(count))
    room = max(3, room)
    chosen = [round(place * (count - 1) / (room - 1)) for place in range(room)]
    if current not in chosen:
        nearest = min(range(1, room - 1), key=lambda place: abs(chosen[place] - current))
        chosen[nearest] = current
    return tuple(sorted(chosen))


def matrix(samples: Sequence[Drawn], cell: int, kind: Kind) -> list[list[Picture | None]]:
    """One sample at every moment: a row for each of ``longest_way``, a column for each set; None where not kept."""
    return [
        [
            pictures_at(drawn, t, kind)[cell] if has_moment(drawn, t) and cell < len(drawn.pictures) else None
            for drawn in samples
        ]
        for t in longest_way(samples)
    ]


def as_one(pictures: Picture, cell: int | None) -> Picture:
    """What is seen of a set, uint8 (k, H, W, C): one sample alone, or all of them."""
    return pictures if cell is None or cell >= len(pictures) else np.ascontiguousarray(pictures[cell : cell + 1])
