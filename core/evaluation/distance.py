"""How far two sets of pictures are from each other, by their features (n, d): numpy, float64.

Distances between features are taken in blocks, between which ``breathe`` is called, so that others can be served.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float64]

FRECHET_SAMPLES = 5
"""Samples for each dimension of the features, below which a Frechet distance says more of n than of the samples."""
GROUPS = 10
BLOCK = 512
JACKKNIFED_DIMENSIONS = 512
"""Above it every covariance's root takes seconds, and the Frechet distance goes without an error."""


@dataclass(frozen=True, slots=True)
class Distance:
    """A distance and its standard error, NaN where there is none."""

    value: float
    error: float


def _nothing() -> None:
    pass


def may_use_frechet(n: int, reference: int, dimensions: int) -> bool:
    """Whether both sets are large enough and of one size: its bias grows with d / n, so it compares only equal n."""
    return n == reference and n >= FRECHET_SAMPLES * dimensions


def frechet(a: Features, b: Features, seed: int = 0, breathe: Callable[[], None] = _nothing) -> Distance:
    """|mean_a - mean_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)) (Dowson & Landau 1982; Heusel et al. 2017).

    The error is a jackknife's, a tenth of either set left out at a time. Both need at least two samples.
    """
    value = _frechet(_Moments.of(a), _Moments.of(b))
    if a.shape[1] > JACKKNIFED_DIMENSIONS or min(len(a), len(b)) < 2 * GROUPS:
        return Distance(value, float("nan"))
    left_out = []
    for mine, theirs in zip(_groups(len(a), seed), _groups(len(b), seed + 1), strict=True):
        breathe()
        left_out.append(_frechet(_Moments.of(np.delete(a, mine, axis=0)), _Moments.of(np.delete(b, theirs, axis=0))))
    return Distance(value, _jackknife(np.array(left_out)))


def kernel_distance(a: Features, b: Features, seed: int = 0, breathe: Callable[[], None] = _nothing) -> Distance:
    """The squared maximum mean discrepancy with the kernel (x y / d + 1)^3, unbiased (Binkowski et al. 2018).

    It may be negative, about 0 where both sets come from one distribution, whatever n is. The error is a jackknife's,
    a tenth of either set, drawn with ``seed``, left out at a time. Both need at least two samples.
    """
    groups = max(1, min(GROUPS, len(a) // 2, len(b) // 2))
    mine = [a[rows] for rows in _groups(len(a), seed, groups)]
    theirs = [b[rows] for rows in _groups(len(b), seed + 1, groups)]
    sums = _KernelSums(
        _within(mine, breathe), _within(theirs, breathe), _between(mine, theirs, breathe), _sizes(mine), _sizes(theirs)
    )
    every = np.arange(groups)
    value = sums.unbiased(every)
    if groups < 2:
        return Distance(value, float("nan"))
    return Distance(value, _jackknife(np.array([sums.unbiased(every[every != group]) for group in every])))


def precision_and_recall(
    samples: Features, real: Features, neighbours: int = 3, breathe: Callable[[], None] = _nothing
) -> tuple[float, float]:
    """The share of samples within the real pictures' manifold, and of real pictures within the samples'.

    A manifold is the union of balls about its points, each as wide as the distance to its k-th nearest neighbour
    (Kynkaanniemi et al. 2019, eqs. 1 and 2). NaN where there are not enough points for k neighbours.
    """
    if min(len(samples), len(real)) <= neighbours:
        return float("nan"), float("nan")
    precision = _covered(samples, real, _radii(real, neighbours, breathe), breathe)
    recall = _covered(real, samples, _radii(samples, neighbours, breathe), breathe)
    return precision, recall


@dataclass(frozen=True, slots=True)
class _Moments:
    mean: Features
    covariance: Features

    @classmethod
    def of(cls, features: Features) -> _Moments:
        return cls(features.mean(axis=0), np.atleast_2d(np.cov(features, rowvar=False)))


def _frechet(a: _Moments, b: _Moments) -> float:
    values, vectors = np.linalg.eigh(a.covariance)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ b.covariance @ root).clip(0)).sum()
    apart = np.square(a.mean - b.mean).sum()
    return float(apart + np.trace(a.covariance) + np.trace(b.covariance) - 2 * cross)


@dataclass(frozen=True, slots=True)
class _KernelSums:
    """Sums of the kernel over pairs, (groups, groups): within either set, without a point's pair with itself, and
    between both; and the groups' sizes."""

    a: Features
    b: Features
    both: Features
    sizes_a: NDArray[np.int64]
    sizes_b: NDArray[np.int64]

    def unbiased(self, kept: NDArray[np.int64]) -> float:
        """The unbiased estimate from these groups of either set."""
        n, m = int(self.sizes_a[kept].sum()), int(self.sizes_b[kept].sum())
        pairs = np.ix_(kept, kept)
        within = self.a[pairs].sum() / (n * (n - 1)) + self.b[pairs].sum() / (m * (m - 1))
        return float(within - 2 * self.both[pairs].sum() / (n * m))


def _kernel(a: Features, b: Features) -> Features:
    kernel: Features = (a @ b.T / a.shape[1] + 1) ** 3
    return kernel


def _within(parts: list[Features], breathe: Callable[[], None]) -> Features:
    sums = np.zeros((len(parts), len(parts)))
    for i, part in enumerate(parts):
        breathe()
        own = _kernel(part, part)
        sums[i, i] = own.sum() - np.trace(own)
        for j in range(i):
            sums[i, j] = sums[j, i] = _kernel(part, parts[j]).sum()
    return sums


def _between(a: list[Features], b: list[Features], breathe: Callable[[], None]) -> Features:
    sums = np.zeros((len(a), len(b)))
    for i, part in enumerate(a):
        breathe()
        sums[i] = [_kernel(part, other).sum() for other in b]
    return sums


def _sizes(parts: list[Features]) -> NDArray[np.int64]:
    return np.array([len(part) for part in parts], dtype=np.int64)


def _groups(count: int, seed: int, groups: int = GROUPS) -> list[NDArray[np.int64]]:
    """Numbers 0..count-1 dealt out at random into groups of about one size."""
    order = np.random.default_rng(abs(seed)).permutation(count)
    return [np.sort(part) for part in np.array_split(order, groups)]


def _jackknife(left_out: NDArray[np.float64]) -> float:
    """The standard error from estimates without one group each (Quenouille; Tukey 1958)."""
    groups = len(left_out)
    return float(np.sqrt((groups - 1) / groups * np.square(left_out - left_out.mean()).sum()))


def _squares(a: Features, b: Features) -> Features:
    """Squared distances, (len(a), len(b))."""
    squares = np.square(a).sum(axis=1)[:, None] + np.square(b).sum(axis=1) - 2 * (a @ b.T)
    return np.asarray(np.maximum(squares, 0))


def _radii(points: Features, neighbours: int, breathe: Callable[[], None]) -> Features:
    """Squared distance of every point to its k-th nearest neighbour."""
    radii = np.empty(len(points))
    for start in range(0, len(points), BLOCK):
        breathe()
        squares = _squares(points[start : start + BLOCK], points)
        rows = np.arange(len(squares))
        squares[rows, start + rows] = np.inf
        radii[start : start + BLOCK] = np.partition(squares, neighbours - 1, axis=1)[:, neighbours - 1]
    return radii


def _covered(points: Features, centres: Features, radii: Features, breathe: Callable[[], None]) -> float:
    """The share of points that lie in the ball of at least one centre."""
    covered = 0
    for start in range(0, len(points), BLOCK):
        breathe()
        covered += int((_squares(points[start : start + BLOCK], centres) <= radii).any(axis=1).sum())
    return covered / len(points)
