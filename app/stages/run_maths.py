"""The mathematics beside a run: which algorithm it is, which of its lines is reached, and the step in numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from app.formulas import (
    DDIM_STEP,
    DDPM_LEARNED_STEP,
    DDPM_STEP,
    DPMPP_STEP,
    HEUN_STEP,
    Formula,
    sampling,
)
from app.state import Run
from core.levels import Level, Path
from core.process import ddim_step, posterior, transition_variance
from core.requests import FromNoise, SampleRequest, SamplerSpec

Algorithm = tuple[str, tuple[str, ...]]

_ONE, _ZERO = np.ones(1), np.zeros(1)


def algorithm_of(request: SampleRequest) -> Algorithm:
    """Title and lines of the algorithm that the run's sampler follows, with what guides it."""
    guided = request.guidance not in (0, -1)
    listing = sampling(request.sampler.name, guided, request.classifier is not None)
    return listing.title, listing.lines


def line_of(request: SampleRequest, step: int) -> int:
    """The line (1 is the first) reached in state ``step``: the start, the update that leaves it, or the end.

    What starts from a picture or from another run draws no x_T and enters at the loop, line 2. Heun's last step ends
    with the first of its two updates.
    """
    lines = len(algorithm_of(request)[1])
    if step == request.steps:
        return lines
    if step > 0:
        is_eulers = request.sampler.name == "heun" and step == request.steps - 1
        return lines - (4 if is_eulers else 2)
    return 1 if isinstance(request.start, FromNoise) else 2


def first_numbers(request: SampleRequest, path: Path) -> Mapping[str, float]:
    """The coefficients of the first step, before the run exists."""
    return step_numbers(request.sampler, path[0], path[1])


def formula_of(request: SampleRequest) -> Formula:
    if request.sampler.name == "ddpm":
        return DDPM_LEARNED_STEP if request.sampler.variance == "learned" else DDPM_STEP
    return {"ddim": DDIM_STEP, "heun": HEUN_STEP, "dpmpp": DPMPP_STEP}[request.sampler.name]


def numbers_of(run: Run, step: int) -> Mapping[str, float]:
    """The coefficients of the step that leaves state ``step``; at the end those of the last step."""
    step = min(step, run.steps - 1)
    before = run.path[step - 1] if step > 0 else None
    return step_numbers(run.sampling.sampler, run.path[step], run.path[step + 1], before)


def step_numbers(
    sampler: SamplerSpec, level: Level, next_level: Level, before: Level | None = None
) -> dict[str, float]:
    """What the step multiplies x0_hat, eps_hat or x_t, and new noise with (the equations of ``formula_of``).

    ``before`` is the level that was left for ``level``, where there is one: DPM-Solver++ remembers it.
    """
    match sampler.name:
        case "ddim":
            to_x0, std = ddim_step(_ONE, _ZERO, level, next_level, sampler.eta)
            to_eps, _ = ddim_step(_ZERO, _ONE, level, next_level, sampler.eta)
            return {"to_x0": float(to_x0[0]), "to_eps": float(to_eps[0]), "to_z": std}
        case "heun":
            return _of_heun(level, next_level)
        case "dpmpp":
            return _of_dpmpp(level, next_level, before)
    to_x0, variance = posterior(_ONE, _ZERO, level, next_level)
    to_x_t, _ = posterior(_ZERO, _ONE, level, next_level)
    numbers = {"to_x0": float(to_x0[0]), "to_x_t": float(to_x_t[0])}
    if sampler.variance == "learned":  # another one at each pixel
        return numbers
    if sampler.variance == "large" and not next_level.is_clean:
        variance = transition_variance(next_level, level)
    return {**numbers, "to_z": math.sqrt(variance)}


def _of_heun(level: Level, next_level: Level) -> dict[str, float]:
    if level.alpha == 0:  # x / alpha is not there: the sampler takes DDIM's step
        return {}
    to_x_t = next_level.alpha / level.alpha
    return {"to_x_t": to_x_t, "to_eps": next_level.sigma - to_x_t * level.sigma}


def _of_dpmpp(level: Level, next_level: Level, before: Level | None) -> dict[str, float]:
    to_x_t = next_level.sigma / level.sigma
    numbers = {"to_x_t": to_x_t, "to_x0": next_level.alpha - to_x_t * level.alpha}
    h = _half(next_level) - _half(level)
    if before is None or not (math.isfinite(h) and math.isfinite(_half(before))):
        return {**numbers, "now": 1.0, "before": 0.0}
    share = h / (_half(level) - _half(before)) / 2
    return {**numbers, "now": 1 + share, "before": share}


def _half(level: Level) -> float:
    """lambda, half the log-SNR."""
    return level.log_snr / 2
