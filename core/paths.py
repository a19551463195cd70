"""Which timesteps a sampler visits, and the path of levels they make.

A spacing only chooses timesteps. The step that follows from a path is always to the next level of the path, never to
t - T // S, which most spacings do not visit.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from core.errors import Refusal
from core.levels import CLEAN, CLEAN_TIME, Level, Path
from core.messages import ModelInfo
from core.requests import SpacingName
from core.schedules import Schedule, make_schedule


def spaced_timesteps(
    schedule: Schedule, steps: int, spacing: SpacingName, hand: Sequence[int] = (), offset: int = 0
) -> tuple[int, ...]:
    """Exactly ``steps`` distinct timesteps, falling, within 0..T-1. Raises Refusal where there are none.

    - ``leading``: floor(i T / S), i = 0..S-1 (Song et al. 2021, appendix D.2, "linear"), plus ``offset``;
    - ``linspace``: evenly from 0 to T-1, rounded to the nearest;
    - ``trailing``: T-1, T-1 - T/S, ..., rounded to the nearest (Lin et al. 2023, table 2);
    - ``quadratic``: floor(c i^2) up to 0.8 T (Song et al. 2021, appendix D.2); ``quadratic_full``: up to T-1;
    - ``log_snr``: the nearest to evenly spaced log-SNR from t = T-1 to t = 0 (at zero terminal SNR from T-2, T-1
      being one more step);
    - ``hand``: the timesteps given in ``hand``.

    Where quadratic and log-SNR spacing would visit a timestep twice, its neighbours are visited instead. A single
    step starts at the top, except that leading spacing always includes t = 0.
    """
    T = schedule.T
    if offset and spacing != "leading":
        raise Refusal("Only leading spacing has an offset.")
    if spacing == "hand":
        return _by_hand(T, steps, hand)
    if not 1 <= steps <= T:
        raise Refusal(f"With {T} timesteps a sampler takes between 1 and {T} steps, not {steps}.")
    if steps == 1 and spacing not in ("leading", "quadratic"):
        return (T - 1,)
    rising = _RISING[spacing](schedule, steps)
    if rising[-1] + offset >= T or offset < 0:
        raise Refusal(f"{steps} leading steps fit {T} timesteps with an offset of 0 to {T - 1 - rising[-1]}.")
    return tuple(t + offset for t in reversed(rising))


def model_timesteps(info: ModelInfo, steps: int, spacing: SpacingName, hand: Sequence[int] = ()) -> tuple[int, ...]:
    """``spaced_timesteps`` on a model's own schedule, shifted as its scheduler says where the spacing is leading."""
    offset = info.steps_offset if spacing == "leading" else 0
    return spaced_timesteps(make_schedule(info.schedule), steps, spacing, hand, offset)


def make_path(schedule: Schedule, timesteps: Sequence[int], final_alpha_bar: float = 1.0) -> Path:
    """The levels of these timesteps in their order, then the level the walk ends on: steps + 1 levels.

    The end is the data themselves (``CLEAN``) or the variance-preserving level of ``final_alpha_bar`` in (0, 1].
    Raises Refusal for timesteps outside 0..T-1.
    """
    if not timesteps:
        raise Refusal("A path needs at least one timestep.")
    if not 0 < final_alpha_bar <= 1:
        raise Refusal(f"A run ends on an alpha_bar above 0 and at most 1, not {final_alpha_bar}.")
    end = CLEAN if final_alpha_bar == 1 else Level.from_alpha_bar(CLEAN_TIME, final_alpha_bar)
    _check_range(schedule.T, timesteps)
    return (*(schedule.level(t) for t in timesteps), end)


def partial_timesteps(timesteps: Sequence[int], t: int) -> tuple[int, ...]:
    """``t`` and then those of the falling ``timesteps`` that lie below it: where SDEdit and branches begin."""
    return (t, *(s for s in timesteps if s < t))


def steps_of_whole(info: ModelInfo, timesteps: Sequence[int], spacing: SpacingName, usual: int = 0) -> int | None:
    """Of how many steps of a model's ``spacing`` these are the ``partial_timesteps`` that begin at their first one;
    ``usual`` where that is one of several, else the fewest, None where there are none."""
    if spacing == "hand":
        return None
    t, below = timesteps[0], tuple(timesteps[1:])

    def order(steps: int) -> tuple[int, ...]:
        """Grows with the steps: more of them lie below t, or as many and each further down or where it was."""
        try:
            found = partial_timesteps(model_timesteps(info, steps, spacing), t)[1:]
        except Refusal:  # more than the spacing has room for
            return (info.schedule.T + 1,)
        return len(found), *(-s for s in reversed(found))

    wanted = (len(below), *(-s for s in reversed(below)))
    if 1 <= usual <= info.schedule.T and order(usual) == wanted:
        return usual
    fewest = 1 + bisect_left(range(1, info.schedule.T + 1), wanted, key=order)
    return fewest if fewest <= info.schedule.T and order(fewest) == wanted else None


def partial_path(schedule: Schedule, timesteps: Sequence[int], t: int, final_alpha_bar: float = 1.0) -> Path:
    """The path from time ``t`` down through those of ``timesteps`` below it (Meng et al. 2022, SDEdit)."""
    return make_path(schedule, partial_timesteps(timesteps, t), final_alpha_bar)


def _leading(schedule: Schedule, steps: int) -> list[int]:
    return [i * schedule.T // steps for i in range(steps)]


def _linspace(schedule: Schedule, steps: int) -> list[int]:
    return [round(i * (schedule.T - 1) / (steps - 1)) for i in range(steps)]


def _trailing(schedule: Schedule, steps: int) -> list[int]:
    return [round(i * schedule.T / steps) - 1 for i in range(1, steps + 1)]


def _quadratic(schedule: Schedule, steps: int) -> list[int]:
    top = 4 * schedule.T // 5
    if steps > top + 1:
        raise Refusal(
            f"The paper's quadratic spacing ends at t = {top} and so takes at most {top + 1} steps, not {steps}: "
            "take fewer, or quadratic spacing up to the last timestep."
        )
    if steps == 1:
        return [top]
    return _distinct([4 * schedule.T * i * i // (5 * (steps - 1) ** 2) for i in range(steps)], top)


def _quadratic_full(schedule: Schedule, steps: int) -> list[int]:
    top = schedule.T - 1
    return _distinct([top * i * i // (steps - 1) ** 2 for i in range(steps)], top)


def _log_snr(schedule: Schedule, steps: int) -> list[int]:
    if schedule.spec.zero_snr:  # T-1 is infinitely far away
        return [*(_log_snr_to(schedule.log_snr[:-1], steps - 1) if steps > 1 else ()), schedule.T - 1]
    return _log_snr_to(schedule.log_snr, steps)


def _log_snr_to(log_snr: NDArray[np.float64], steps: int) -> list[int]:
    wanted = np.linspace(log_snr[0], log_snr[-1], steps)
    between = (log_snr[1:] + log_snr[:-1]) / 2  # falling: beyond it the next timestep is the nearer one
    return _distinct([int(t) for t in np.searchsorted(-between, -wanted)], len(log_snr) - 1)


_RISING: dict[str, Callable[[Schedule, int], list[int]]] = {
    "leading": _leading,
    "linspace": _linspace,
    "trailing": _trailing,
    "quadratic": _quadratic,
    "quadratic_full": _quadratic_full,
    "log_snr": _log_snr,
}


def _distinct(rising: list[int], top: int) -> list[int]:
    """Repeats pushed up to the next free timestep, then down again where that would pass the top."""
    pushed, previous = [], -1
    for t in rising:
        previous = max(t, previous + 1)
        pushed.append(previous)
    last = len(pushed) - 1
    return [min(t, top - last + i) for i, t in enumerate(pushed)]


def _by_hand(T: int, steps: int, hand: Sequence[int]) -> tuple[int, ...]:
    if not hand:
        raise Refusal("Hand-picked spacing needs a list of timesteps.")
    if len(hand) != steps:
        raise Refusal(f"{len(hand)} timesteps were picked by hand for {steps} steps: they must be as many.")
    _check_range(T, hand)
    if any(later >= earlier for earlier, later in pairwise(hand)):
        raise Refusal("Hand-picked timesteps must fall, from the noisiest to the cleanest, without repeats.")
    return tuple(int(t) for t in hand)


def _check_range(T: int, timesteps: Sequence[int]) -> None:
    for t in timesteps:
        if not (math.isfinite(t) and t == int(t) and 0 <= t < T):
            raise Refusal(f"Timestep {t} does not exist: this schedule has the timesteps 0 to {T - 1}.")
