"""How far a reconstruction is from its picture, and how near a latent is to noise. numpy alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.floating[Any]]
Curve = NDArray[np.float64]

PAPER_RECONSTRUCTION = {10: 0.014, 20: 0.0065, 50: 0.0023, 100: 0.0009, 200: 0.0004, 500: 0.0001, 1000: 0.0001}
"""Steps to the mean squared error a value in [0, 1], CIFAR-10 test set (Song et al. 2021, table 2)."""

_BINS = 48
_REACH = 4.0


def mean_squared_error(a: Values, b: Values, low: float = -1.0, high: float = 1.0) -> Curve:
    """Of each sample (n, ...), a value, in units in which the data's range ``low``..``high`` is [0, 1]; (n,)."""
    difference = (np.asarray(a, np.float64) - np.asarray(b, np.float64)) / (high - low)
    each: Curve = np.square(difference).reshape(len(a), -1).mean(axis=1)
    return each


def psnr(mse: float) -> float:
    """Peak signal-to-noise ratio in decibels of a mean squared error with a peak of 1; infinite at 0."""
    return math.inf if mse == 0 else -10 * math.log10(mse)


@dataclass(frozen=True, slots=True, eq=False)
class LatentStatistics:
    """A latent beside N(0, I), of which ``count`` values have mean 0 and variance 1 within a few standard errors.

    ``autocorrelation`` is that of neighbours along the last two axes (down, across), 0 for noise; an axis of length 1
    has 0. ``density`` (per unit, of what lies within the edges as of all) belongs to the bins between ``edges``, as
    does ``normal``, that of N(0, 1).
    """

    count: int
    mean: float
    variance: float
    autocorrelation: tuple[float, float]
    edges: Curve
    density: Curve
    normal: Curve

    @property
    def mean_error(self) -> float:
        """Standard error of the mean of as much noise; also that of an autocorrelation."""
        return 1 / math.sqrt(self.count)

    @property
    def variance_error(self) -> float:
        """Standard error of the variance of as much noise."""
        return math.sqrt(2 / self.count)


def latent_statistics(latent: Values) -> LatentStatistics:
    """Of all values of a latent (n, ..., height, width), taken together."""
    values = np.asarray(latent, np.float64)
    mean, variance = float(values.mean()), float(values.var())
    centred = values - mean
    edges = np.linspace(-_REACH, _REACH, _BINS + 1)
    counts = np.histogram(values, edges)[0]
    cumulative = np.array([0.5 * (1 + math.erf(edge / math.sqrt(2))) for edge in edges])
    return LatentStatistics(
        count=values.size,
        mean=mean,
        variance=variance,
        autocorrelation=(_neighbours(centred, -2, variance), _neighbours(centred, -1, variance)),
        edges=edges,
        density=counts / (values.size * np.diff(edges)),
        normal=np.diff(cumulative) / np.diff(edges),
    )


def _neighbours(centred: Curve, axis: int, variance: float) -> float:
    if variance == 0 or centred.ndim < 1 - axis or centred.shape[axis] < 2:
        return 0.0
    lines = np.moveaxis(centred, axis, -1)
    return float((lines[..., 1:] * lines[..., :-1]).mean() / variance)
