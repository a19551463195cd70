"""Which timesteps stand for which: a sum over all t from few of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.errors import Refusal

Times = NDArray[np.int64]

GOLDEN = (5**0.5 - 1) / 2


def edges(timesteps: Sequence[int], T: int) -> Times:
    """The strata of 0..T-1 that rising ``timesteps`` stand for, as int64 (k + 1,): stratum i is edges[i]..edges[i+1]-1.

    t = 0 stands for itself alone, because L_0 is of another kind; every other one for all that are nearer to it than
    to its neighbours. Raises Refusal for timesteps that do not rise from 0, and for 0 alone where there are more.
    """
    rising = np.asarray(timesteps, dtype=np.int64)
    if not len(rising) or rising[0] != 0 or rising[-1] >= T or bool(np.any(np.diff(rising) <= 0)):
        raise Refusal(f"A likelihood is measured at distinct timesteps from 0 to at most {T - 1}; 0 is one of them.")
    if len(rising) == 1 and T > 1:
        raise Refusal("A likelihood needs at least two timesteps: t = 0, whose term is of its own kind, and another.")
    between = (rising[1:-1] + rising[2:]) // 2 + 1
    return np.concatenate(([0], [1] if T > 1 else [], between, [T])).astype(np.int64)


def times_within(low: int, high: int, places: Times, shift: float) -> Times:
    """A timestep of low..high-1 for each of ``places``: uniform for a ``shift`` uniform in 0..1, and evenly spread over
    the places (a lattice rotated at random; Cranley & Patterson 1976)."""
    turned = np.modf(shift + GOLDEN * places)[0]
    times: Times = np.minimum(low + (turned * (high - low)).astype(np.int64), high - 1)
    return times


def coarse_first(count: int) -> tuple[int, ...]:
    """0..count-1 from coarse to fine: the ends, then what halves the widest gaps."""
    if count < 3:
        return tuple(range(count))
    order, gaps = [0, count - 1], [(0, count - 1)]
    while gaps:
        halves = [(low, (low + high) // 2, high) for low, high in gaps if high - low > 1]
        order += [middle for _, middle, _ in halves]
        gaps = [gap for low, middle, high in halves for gap in ((low, middle), (middle, high))]
    return tuple(order)
