"""Is a picture like the data a model was trained on?

A handful of features of a picture, each a number in [0, 1], is compared with the range that each feature has in the
training set. That is crude, but it tells a photograph from a handwritten digit, costs microseconds and can be said in
words. The ranges are stored with the model as a flat tuple: (low, median, high) for each feature of ``FEATURES`` in
that order, low and high being the 0.5 % and 99.5 % quantiles.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Pictures = NDArray[np.uint8]
Values = NDArray[np.float64]


class Feature(NamedTuple):
    """``of`` maps pictures (n, H, W, C) with values in [0, 1] to n numbers; the words say "lower" and "higher"."""

    of: Callable[[Values], Values]
    lower: str
    higher: str


def _luma(pictures: Values) -> Values:
    return np.asarray(pictures.mean(axis=-1))


def _border(pictures: Values) -> Values:
    luma = _luma(pictures)
    sides = luma[:, :1], luma[:, -1:], luma[:, 1:-1, :1], luma[:, 1:-1, -1:]
    return np.concatenate([side.reshape(len(luma), -1) for side in sides], axis=1)


def _roughness(pictures: Values) -> Values:
    luma = _luma(pictures)
    down, across = np.abs(np.diff(luma, axis=1)), np.abs(np.diff(luma, axis=2))
    return (_mean(down) + _mean(across)) / 2


def _mean(values: Values) -> Values:
    flat = values.reshape(len(values), -1)
    return flat.mean(axis=1) if flat.shape[1] else np.zeros(len(values))


FEATURES = (
    Feature(lambda x: _mean(_luma(x)), "darker", "lighter"),
    Feature(lambda x: _luma(x).reshape(len(x), -1).std(axis=1), "less contrast", "more contrast"),
    Feature(lambda x: _border(x).mean(axis=1), "darker border", "lighter border"),
    Feature(lambda x: _border(x).std(axis=1), "more even border", "less even border"),
    Feature(lambda x: _mean((_luma(x) < 0.1).astype(float)), "less black", "more black"),
    Feature(lambda x: _mean((_luma(x) > 0.9).astype(float)), "less white", "more white"),
    Feature(_roughness, "smoother", "rougher"),
    Feature(lambda x: _mean(np.ptp(x, axis=-1)), "less colour", "more colour"),
)

_QUANTILES = (0.005, 0.5, 0.995)
_VALUES_AT_ONCE = 2**21


def measure(pictures: Pictures) -> tuple[float, ...]:
    """The statistics of a training set, pictures uint8 (n, H, W, C): 3 floats a feature, see the module."""
    at_once = max(1, _VALUES_AT_ONCE // pictures[0].size)
    features = np.concatenate([_features(pictures[i : i + at_once]) for i in range(0, len(pictures), at_once)])
    return tuple(float(round(value, 6)) for value in np.quantile(features, _QUANTILES, axis=0).T.ravel())


def likeness(picture: Pictures, statistics: tuple[float, ...]) -> str | None:
    """How a converted picture, uint8 (H, W, C), is unlike the training data, as a sentence; None if it is like them.

    None too where ``statistics`` are missing or were measured by another version of this module.
    """
    outside = _outside(picture, statistics)
    if outside is None or np.abs(outside).max() <= 1:
        return None
    worst = [int(i) for i in np.argsort(-np.abs(outside))[:2] if abs(outside[i]) > 1]
    reasons = [FEATURES[i].higher if outside[i] > 0 else FEATURES[i].lower for i in worst]
    return f"Unlike the training data: {', '.join(reasons)}."


def prefers_inverted(picture: Pictures, statistics: tuple[float, ...]) -> bool:
    """Whether the negative of a picture, uint8 (H, W, C), is clearly more like the training data than the picture."""
    straight, inverted = _outside(picture, statistics), _outside(255 - picture, statistics)
    if straight is None or inverted is None:
        return False
    return float(np.abs(straight).sum()) > 1 and float(np.abs(inverted).sum()) < 0.5 * float(np.abs(straight).sum())


def _features(pictures: Pictures) -> Values:
    scaled = pictures.astype(np.float64) / 255
    return np.stack([feature.of(scaled) for feature in FEATURES], axis=1)


def _outside(picture: Pictures, statistics: tuple[float, ...]) -> Values | None:
    """How far each feature lies outside of its range, signed, in units of a tolerance; 0 inside."""
    if len(statistics) != 3 * len(FEATURES):
        return None
    low, _, high = np.asarray(statistics, dtype=np.float64).reshape(-1, 3).T
    values = _features(picture[None])[0]
    tolerance = 0.02 + 0.2 * (high - low)
    return np.asarray((np.maximum(values - high, 0) - np.maximum(low - values, 0)) / tolerance)
