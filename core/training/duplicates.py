"""Pictures of a training set that are nearly the same, found in near-linear time. Torch-free.

Each picture is averaged down to 8 x 8 and described by its largest principal components over the folder. Their signs
about the folder's medians are its perceptual hash: bits that halve whatever pictures there are. Pictures that agree in
a band of the hash, and lie close in it, are compared: first small, then pixel by pixel. Of few pictures every pair is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

GRID = 8
COMPONENTS = 32
"""Bits of the hash."""
BANDS = 4
"""Parts of the hash, of which one must agree."""
WINDOW = 12
"""Pictures after each one, within a band, that it is compared with."""
FEW = 6
"""Components by which pairs are told apart first."""
SMALL_RMS = 5.0
"""Root mean square of differences between averaged pictures, in grey levels of 255, up to which pixels are compared."""
PIXEL_RMS = 10.0
"""That between pixels, up to which two pictures are nearly the same: another compression, another scaling."""
EVERY_PAIR = 500
"""Pictures of which all pairs are compared: hashes miss one in some thousands of near-duplicates."""
SAMPLE = 20_000
"""Pictures of which the principal components are found."""
BLOCK = 1 << 22
"""Bytes that are worked on at once."""

Pictures = NDArray[np.uint8]
Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class Duplicates:
    """``groups`` of indices that rise within a group, the largest group first."""

    groups: tuple[tuple[int, ...], ...]

    @property
    def pictures(self) -> int:
        """How many would go if one of each group stayed."""
        return sum(len(group) - 1 for group in self.groups)


def find_duplicates(
    pictures: Pictures, owners: NDArray[np.int64] | None = None, check: Callable[[], None] = lambda: None
) -> Duplicates:
    """Groups among pictures uint8 (n, side, side, channels), the same ones and those that are nearly the same.

    Pictures of one ``owner`` (frames of one file) are never compared with one another. ``check`` is called again and
    again and may raise.
    """
    n = len(pictures)
    owners = np.arange(n, dtype=np.int64) if owners is None else owners
    groups = _Groups(n)
    small, digests = _described(pictures, check)
    _, first, inverse = np.unique(digests, return_index=True, return_inverse=True)
    same = first[inverse]
    groups.join(np.flatnonzero((same != np.arange(n)) & (owners[same] != owners)), same)
    single = np.sort(first)
    for i, j in _candidates(small[single]):
        check()
        i, j = single[i], single[j]
        new = (owners[i] != owners[j]) & groups.apart(i, j)
        i, j = i[new], j[new]
        near = _rms(small, i, j) <= SMALL_RMS
        i, j = i[near], j[near]
        groups.join_pairs(*_alike(pictures, i, j))
    return Duplicates(groups.found())


def _described(pictures: Pictures, check: Callable[[], None]) -> tuple[NDArray[np.uint8], NDArray[np.bytes_]]:
    """Each picture averaged to 8 x 8, uint8 (n, 64 channels), and the hash of its pixels."""
    n, side, _, channels = pictures.shape
    average = _averages(side)
    small = np.empty((n, len(average) ** 2 * channels), np.uint8)
    digests = np.empty(n, "S16")
    for part in _blocks(n, pictures[0].nbytes):
        check()
        block = np.ascontiguousarray(pictures[part])
        digests[part] = [hashlib.blake2b(one.data, digest_size=8).hexdigest() for one in block]
        rows = average @ block.reshape(len(block), side, -1).astype(np.float32)
        across = average @ rows.reshape(len(block), -1, side, channels)
        small[part] = (across.reshape(len(block), -1) + 0.5).clip(0, 255)
    return small, digests


def _averages(side: int) -> NDArray[np.float32]:
    """The matrix that averages ``side`` values down to 8, by the share of each value in each of the 8 intervals."""
    grid = min(GRID, side)
    edges = np.linspace(0, side, grid + 1)
    left, right = edges[:-1, None], edges[1:, None]
    pixel = np.arange(side)
    shares = np.clip(np.minimum(right, pixel + 1) - np.maximum(left, pixel), 0, None)
    return np.asarray(shares / shares.sum(1, keepdims=True), np.float32)


def _candidates(small: NDArray[np.uint8]) -> Iterator[Pairs]:
    """Pairs that may be alike: those that lie close, or of many pictures neighbours within a band of the hash."""
    n = len(small)
    if n < 2:
        return
    sample = small[:: -(-n // SAMPLE)].astype(np.float32)
    middle = sample.mean(0)
    sample -= middle
    _, axes = np.linalg.eigh(sample.T @ sample)
    axes = axes[:, ::-1][:, :COMPONENTS]
    values = np.empty((n, axes.shape[1]), np.float32)
    for part in _blocks(n, 4 * small.shape[1]):
        values[part] = (small[part] - middle) @ axes
    varied = values.std(axis=0) > SMALL_RMS  # the bits of others would be noise
    bits = values > np.median(values, axis=0)
    strongest, farthest = np.ascontiguousarray(values[:, :FEW]), SMALL_RMS**2 * small.shape[1]
    if n <= EVERY_PAIR:
        for one in range(n - 1):
            others = one + 1 + np.flatnonzero(np.square(strongest[one + 1 :] - strongest[one]).sum(1) <= farthest)
            yield np.full(len(others), one), others
        return
    for band in range(BANDS):
        chosen = np.flatnonzero(varied[band::BANDS]) * BANDS + band
        key = bits[:, chosen] @ (1 << np.arange(len(chosen), dtype=np.int64))
        along = values[:, band % max(1, int(varied.sum()))]
        order = np.lexsort((along, key))
        key, along = key[order], along[order]
        for step in range(1, min(WINDOW, n - 1) + 1):
            near = np.flatnonzero((key[step:] == key[:-step]) & (along[step:] - along[:-step] <= farthest**0.5))
            if not len(near):
                break
            i, j = order[near], order[near + step]
            near = np.square(strongest[i] - strongest[j]).sum(1) <= farthest
            yield np.minimum(i[near], j[near]), np.maximum(i[near], j[near])


def _rms(values: NDArray[np.uint8], i: NDArray[np.int64], j: NDArray[np.int64]) -> NDArray[np.float32]:
    out = np.empty(len(i), np.float32)
    for part in _blocks(len(i), 8 * values[0].nbytes):
        a, b = (values[index[part]].astype(np.float32) for index in (i, j))
        out[part] = np.sqrt(np.square(a - b).mean(1))
    return out


def _alike(pictures: Pictures, i: NDArray[np.int64], j: NDArray[np.int64]) -> Pairs:
    """The pairs whose pixels differ little."""
    alike = np.zeros(len(i), np.bool_)
    for part in _blocks(len(i), 4 * pictures[0].nbytes):
        a, b = (pictures[index[part]].reshape(len(index[part]), -1).astype(np.float32) for index in (i, j))
        alike[part] = np.sqrt(np.square(a - b).mean(1)) <= PIXEL_RMS
    return i[alike], j[alike]


def _blocks(count: int, each: int) -> Iterator[slice]:
    at_once = max(1, BLOCK // each)
    return (slice(start, start + at_once) for start in range(0, count, at_once))


class _Groups:
    """Which pictures belong together: disjoint sets, each named by its first picture."""

    def __init__(self, n: int) -> None:
        self._first = np.arange(n, dtype=np.int64)

    def join(self, index: NDArray[np.intp], to: NDArray[np.intp]) -> None:
        self._first[index] = to[index]

    def apart(self, i: NDArray[np.int64], j: NDArray[np.int64]) -> NDArray[np.bool_]:
        return np.asarray(self._first[i] != self._first[j])

    def join_pairs(self, i: NDArray[np.int64], j: NDArray[np.int64]) -> None:
        first = self._first
        for a, b in zip(i.tolist(), j.tolist(), strict=True):
            while first[a] != a:
                a = int(first[a])
            while first[b] != b:
                b = int(first[b])
            first[max(a, b)] = min(a, b)
        while not np.array_equal(further := first[first], first):
            first[:] = further

    def found(self) -> tuple[tuple[int, ...], ...]:
        order = np.argsort(self._first, kind="stable")
        starts = np.flatnonzero(np.diff(self._first[order])) + 1
        groups = [tuple(group.tolist()) for group in np.split(order, starts) if len(group) > 1]
        return tuple(sorted(groups, key=lambda group: (-len(group), group)))
