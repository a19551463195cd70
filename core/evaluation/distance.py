"""How far two sets of pictures are from each other, by their features (n, d): numpy, float64.

All pairs are met in blocks, between which ``breathe`` is called, so that others can be served.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.evaluation.aside import aside

Features = NDArray[np.float64]
Strata = tuple[NDArray[np.int64] | None, NDArray[np.int64] | None]

FRECHET_SAMPLES = 5
"""Samples for each dimension of the features, below which a Frechet distance says more of n than of the samples."""
GROUPS = 10
PAIRS = 2_000_000
"""Of a block: some 20 ms of arithmetic."""
SMALLEST_STRATUM = 4
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
    if a.shape[1] > JACKKNIFED_DIMENSIONS:
        return Distance(aside(lambda: _frechet(_Moments.of(a), _Moments.of(b)), breathe), float("nan"))
    value = _frechet(_Moments.of(a), _Moments.of(b))
    if min(len(a), len(b)) < 2 * GROUPS:
        return Distance(value, float("nan"))
    left_out = []
    for mine, theirs in zip(_groups(len(a), seed), _groups(len(b), seed + 1), strict=True):
        breathe()
        left_out.append(_frechet(_Moments.of(np.delete(a, mine, axis=0)), _Moments.of(np.delete(b, theirs, axis=0))))
    return Distance(value, _jackknife(np.array(left_out)))


def kernel_distance(
    a: Features,
    b: Features,
    seed: int = 0,
    breathe: Callable[[], None] = _nothing,
    strata: Strata = (None, None),
) -> Distance:
    """The squared maximum mean discrepancy with the kernel (x y / d + 1)^3, unbiased (Binkowski et al. 2018).

    It may be negative, about 0 where both sets come from one distribution, whatever n is. ``strata`` (int64, as many as
    ``a`` and as ``b``) says which samples were drawn as a class of a fixed size: two of one class meet more seldom then
    than among independent draws, and pairs are weighted so that the estimate stays unbiased. The error is a
    jackknife's, a tenth of either set, drawn with ``seed``, left out at a time. Both need at least two samples.
    """
    groups = max(1, min(GROUPS, len(a) // 2, len(b) // 2))
    ours = _Pairs.of(a, strata[0], seed, groups, breathe)
    theirs = _Pairs.of(b, strata[1], seed + 1, groups, breathe)
    between = _between(ours.parts, theirs.parts, breathe)
    every = np.arange(groups)

    def estimate(kept: NDArray[np.int64]) -> float:
        both = between[np.ix_(kept, kept)].sum() / (ours.count(kept) * theirs.count(kept))
        return float(ours.mean(kept) + theirs.mean(kept) - 2 * both)

    if groups < 2:
        return Distance(estimate(every), float("nan"))
    return Distance(estimate(every), _jackknife(np.array([estimate(every[every != group]) for group in every])))


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
class _Pairs:
    """A set in groups, and sums of the kernel over its pairs of different points: ``sums`` (groups, groups), of those
    ``alike`` in their stratum (groups, groups, strata), and ``sizes`` (groups, strata)."""

    parts: list[Features]
    sums: Features
    alike: Features
    sizes: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        points: Features,
        drawn_as: NDArray[np.int64] | None,
        seed: int,
        number: int,
        breathe: Callable[[], None],
    ) -> _Pairs:
        strata = _large_strata(np.zeros(len(points), dtype=np.int64) if drawn_as is None else drawn_as)
        groups = _groups(len(points), seed, number, strata)
        parts = [points[rows] for rows in groups]
        members = [(strata[rows][:, None] == np.arange(strata.max() + 1)).astype(np.float64) for rows in groups]
        sums, alike = np.zeros((len(parts), len(parts))), np.zeros((len(parts), len(parts), strata.max() + 1))
        for i, part in enumerate(parts):
            for j in range(i + 1):
                for rows in _rows(len(part), len(parts[j])):
                    breathe()
                    kernel = _kernel(part[rows], parts[j])
                    if i == j:
                        np.fill_diagonal(kernel[:, rows], 0)
                    sums[i, j] += kernel.sum()
                    alike[i, j] += ((kernel @ members[j]) * members[i][rows]).sum(axis=0)
                sums[j, i], alike[j, i] = sums[i, j], alike[i, j]
        return cls(parts, sums, alike, np.array([one.sum(axis=0) for one in members]).astype(np.int64))

    def count(self, kept: NDArray[np.int64]) -> int:
        return int(self.sizes[kept].sum())

    def mean(self, kept: NDArray[np.int64]) -> float:
        """The kernel's mean over pairs of independent points, from these groups: pairs of one stratum, of which there
        are N (N - 1) instead of N^2, weigh as much more."""
        sizes, pairs = self.sizes[kept].sum(axis=0), np.ix_(kept, kept)
        alike = self.alike[pairs].sum(axis=(0, 1))
        apart = self.sums[pairs].sum() - alike.sum()
        return float((apart + (alike * sizes / (sizes - 1)).sum()) / sizes.sum() ** 2)


def _kernel(a: Features, b: Features) -> Features:
    base: Features = a @ b.T / a.shape[1] + 1
    return base * base * base  # a power takes ten times as long


def _between(a: list[Features], b: list[Features], breathe: Callable[[], None]) -> Features:
    sums = np.zeros((len(a), len(b)))
    for i, part in enumerate(a):
        for j, other in enumerate(b):
            for rows in _rows(len(part), len(other)):
                breathe()
                sums[i, j] += _kernel(part[rows], other).sum()
    return sums


def _rows(rows: int, columns: int) -> Iterator[slice]:
    """A matrix in blocks of whole rows."""
    step = max(1, PAIRS // max(1, columns))
    for start in range(0, rows, step):
        yield slice(start, start + step)


def _large_strata(strata: NDArray[np.int64]) -> NDArray[np.int64]:
    """Strata 0..k-1 of at least four, so that pairs are left where a group is left out; smaller ones become one."""
    names, numbers, sizes = np.unique(strata, return_inverse=True, return_counts=True)
    large = np.flatnonzero(sizes >= SMALLEST_STRATUM)
    renamed = np.full(len(names), len(large))
    renamed[large] = np.arange(len(large))
    found = renamed[numbers]
    few = 0 < int((found == len(large)).sum()) < SMALLEST_STRATUM
    return np.asarray(np.minimum(found, len(large) - 1) if few and len(large) else found, dtype=np.int64)


def _groups(
    count: int, seed: int, groups: int = GROUPS, strata: NDArray[np.int64] | None = None
) -> list[NDArray[np.int64]]:
    """Numbers 0..count-1 dealt out at random into groups of about one size, each with its share of every stratum."""
    order = np.random.default_rng(abs(seed)).permutation(count)
    if strata is not None:
        order = order[np.argsort(strata[order], kind="stable")]
    return [np.sort(order[group::groups]) for group in range(groups)]


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
    for rows in _rows(len(points), len(points)):
        breathe()
        squares = _squares(points[rows], points)
        np.fill_diagonal(squares[:, rows], np.inf)
        radii[rows] = np.partition(squares, neighbours - 1, axis=1)[:, neighbours - 1]
    return radii


def _covered(points: Features, centres: Features, radii: Features, breathe: Callable[[], None]) -> float:
    """The share of points that lie in the ball of at least one centre."""
    covered = 0
    for rows in _rows(len(points), len(centres)):
        breathe()
        covered += int((_squares(points[rows], centres) <= radii).any(axis=1).sum())
    return covered / len(points)
