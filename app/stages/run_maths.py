"""The mathematics beside a run: which algorithm it is, which of its lines is reached, and the step in numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from app.formulas import ALGORITHM_2, ALGORITHM_DDIM, DDIM_STEP, DDPM_STEP, Formula
from app.state import Run
from core.levels import Level, Path
from core.process import ddim_step, posterior, transition_variance
from core.requests import FromNoise, SampleRequest, SamplerSpec

Algorithm = tuple[str, tuple[str, ...]]

_ONE, _ZERO = np.ones(1), np.zeros(1)


def algorithm_of(request: SampleRequest) -> Algorithm:
    """Title and lines of the algorithm that the run's sampler follows."""
    return ALGORITHM_2 if request.sampler.name == "ddpm" else ALGORITHM_DDIM


def line_of(request: SampleRequest, step: int) -> int:
    """The line (1 is the first) reached in state ``step``: the start, the update that leaves it, or the end.

    What starts from a picture or from another run draws no x_T and enters at the loop, line 2.
    """
    lines = len(algorithm_of(request)[1])
    if step == request.steps:
        return lines
    if step > 0:
        return lines - 2
    return 1 if isinstance(request.start, FromNoise) else 2


def first_numbers(request: SampleRequest, path: Path) -> Mapping[str, float]:
    """The coefficients of the first step, before the run exists."""
    return step_numbers(request.sampler, path[0], path[1])


def formula_of(request: SampleRequest) -> Formula:
    return DDPM_STEP if request.sampler.name == "ddpm" else DDIM_STEP


def numbers_of(run: Run, step: int) -> Mapping[str, float]:
    """The coefficients of the step that leaves state ``step``; at the end those of the last step."""
    step = min(step, run.steps - 1)
    return step_numbers(run.sampling.sampler, run.path[step], run.path[step + 1])


def step_numbers(sampler: SamplerSpec, level: Level, next_level: Level) -> dict[str, float]:
    """What the step multiplies x0_hat, eps_hat or x_t, and new noise with (DDIM, eq. 12; DDPM, eq. 7)."""
    if sampler.name == "ddim":
        to_x0, std = ddim_step(_ONE, _ZERO, level, next_level, sampler.eta)
        to_eps, _ = ddim_step(_ZERO, _ONE, level, next_level, sampler.eta)
        return {"to_x0": float(to_x0[0]), "to_eps": float(to_eps[0]), "to_z": std}
    to_x0, variance = posterior(_ONE, _ZERO, level, next_level)
    to_x_t, _ = posterior(_ZERO, _ONE, level, next_level)
    if sampler.variance == "large" and not next_level.is_clean:
        variance = transition_variance(next_level, level)
    return {"to_x0": float(to_x0[0]), "to_x_t": float(to_x_t[0]), "to_z": math.sqrt(variance)}
