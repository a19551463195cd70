"""Schedule and objective, from what denoising-diffusion-pytorch stores beside its network."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from core.checkpoints.family import Loose
from core.errors import Refusal
from core.requests import PredictionKind, ScheduleName, ScheduleSpec
from core.schedules import MAX_T, Table, make_schedule

_SAME = 2e-6
"""Relative: numbers that were rounded to float32 count as the same within this."""
_MUCH_THE_SAME = 1e-3
"""Relative: of loss weights, which are made of differences of rounded numbers."""
_NAMES: Mapping[ScheduleName, str] = {"linear": "linear", "cosine": "cosine", "sigmoid_alpha_bar": "sigmoid"}
"""Its schedules: what they are called here, and there."""
_FIRST_WITH_V = (1, 6, 3)


def stored_schedule(found: Loose) -> ScheduleSpec | None:
    """The schedule whose betas lie in the file, by its name where it has one; None where there are none.

    Raises Refusal where they make no schedule.
    """
    shape = found.shapes.get("betas")
    if shape is None:
        return None
    if len(shape) != 1 or not 2 <= shape[0] <= MAX_T:
        raise Refusal(f"The file’s noise schedule has the shape {shape}; it has 2 to {MAX_T} timesteps.")
    betas: Table = found.peek("betas").double().numpy()
    for name in _NAMES:
        spec = ScheduleSpec(name, len(betas))
        if np.allclose(betas, make_schedule(spec).betas, rtol=_SAME, atol=0):
            return spec
    spec = ScheduleSpec("betas", len(betas), betas=tuple(float(beta) for beta in betas))
    make_schedule(spec)
    return spec


def schedule_words(spec: ScheduleSpec) -> str:
    """What a stored schedule is called."""
    return _NAMES.get(spec.name, "its own betas")


def named_schedule(name: str, T: int) -> ScheduleSpec:
    """ "linear", "cosine" or "sigmoid" as that package has them."""
    return ScheduleSpec(next(ours for ours, theirs in _NAMES.items() if theirs == name), T)


def predicted(found: Loose) -> PredictionKind | None:
    """What the network was trained to predict, from the weights of its loss; None where they do not tell.

    They are min(SNR, g) over SNR for the noise, over 1 for the picture, over SNR + 1 for v, whatever the limit g
    (Hang et al. 2023).
    """
    shape = found.shapes.get("loss_weight")
    if shape is None or shape != found.shapes.get("betas"):
        return None
    betas: Table = found.peek("betas").double().numpy()
    weights: Table = found.peek("loss_weight").double().numpy()
    snr = make_schedule(ScheduleSpec("betas", len(betas), betas=tuple(float(beta) for beta in betas))).snr
    divisors: dict[PredictionKind, Table] = {"eps": snr, "x0": np.ones_like(snr), "v": snr + 1}
    for kind, divisor in divisors.items():
        limited = weights * divisor
        if np.allclose(limited, np.minimum(snr, limited.max()), rtol=_MUCH_THE_SAME, atol=0):
            return kind
    return None


def likely_prediction(version: object) -> tuple[PredictionKind, str]:
    """The default objective of the version that saved the file, and why it is guessed."""
    numbers = re.match(r"(\d+)\.(\d+)\.(\d+)", version) if isinstance(version, str) else None
    if numbers is not None and tuple(map(int, numbers.groups())) < _FIRST_WITH_V:
        return "eps", f"Version {numbers[0]}, which saved it, predicts the noise unless it is told otherwise."
    return "v", "Since version 1.6.3 the package predicts v unless it is told otherwise."
