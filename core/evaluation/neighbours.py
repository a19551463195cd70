"""The nearest of very many points, met some at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Pictures = NDArray[np.uint8]

SPARE = 8
"""Candidates beyond those wanted, which rounding may have put in the wrong order."""
PIECE_FLOPS = 1e9
"""Of one piece of work: well under 150 ms on two cores."""
FEWEST, MOST = 16, 4096
"""Points that are met at once."""


class NearestSearch:
    """The ``k`` nearest of all points that it is shown, for each of ``queries`` float32 (q, d).

    ``mirrored`` are the queries' mirror images: a point is as near as it is to the nearer of both. The point number
    ``own`` (q,) of a query is the query itself, and does not count; -1 for none.
    """

    def __init__(self, queries: Tensor, k: int, own: Tensor, mirrored: Tensor | None = None) -> None:
        self._forms = [queries] if mirrored is None else [queries, mirrored]
        self._own, self._k = own, k
        self._squares = queries.new_empty(len(queries), 0)
        self._indices = own.new_empty(len(queries), 0)

    def look_at(self, points: Tensor, numbers: Tensor, may_mirror: Tensor, *, exact: bool = False) -> None:
        """Meet points (m, d) with these ``numbers`` int64 (m,); those that ``may_mirror`` (m,) count mirrored too.
        ``exact`` sums differences instead of multiplying: for points of few dimensions."""
        squares = _squares(self._forms[0], points, exact)
        if len(self._forms) > 1:
            turned = _squares(self._forms[1], points, exact)
            squares = torch.minimum(squares, turned.masked_fill_(~may_mirror, torch.inf))
        squares.masked_fill_(self._own[:, None] == numbers, torch.inf)
        every = torch.cat((self._squares, squares), dim=1)
        named = torch.cat((self._indices, numbers.expand(len(squares), -1)), dim=1)
        self._squares, places = every.topk(min(self._k, every.shape[1]), largest=False)
        self._indices = named.gather(1, places)

    @property
    def found(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Squared distances and numbers (q, k), nearest first, of equal ones that of the lower number; infinite where
        there was no other point."""
        squares, indices = self._squares.double().cpu().numpy(), self._indices.cpu().numpy()
        order = np.lexsort((indices, squares), axis=1)
        return np.take_along_axis(squares, order, 1), np.take_along_axis(indices, order, 1)


def _squares(queries: Tensor, points: Tensor, exact: bool) -> Tensor:
    if exact:
        return torch.cdist(queries, points, compute_mode="donot_use_mm_for_euclid_dist").square_()
    squares = torch.addmm(points.square().sum(dim=1), queries, points.T, alpha=-2)
    return squares.add_(queries.square().sum(dim=1, keepdim=True)).clamp_(min=0)


def pieces(count: int, queries: int, dimensions: int) -> Iterator[slice]:
    """``count`` points in pieces whose distances to so many queries are soon computed."""
    size = max(FEWEST, min(MOST, int(PIECE_FLOPS / (2 * max(1, queries * dimensions)))))
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


def differences(picture: Pictures, others: Pictures) -> NDArray[np.float64]:
    """Root mean squares of differences in 8-bit values, exact: (H, W, C) and (k, H, W, C) to (k,)."""
    apart = others.astype(np.int32) - picture.astype(np.int32)
    return np.asarray(np.sqrt(np.square(apart).reshape(len(others), -1).sum(axis=1, dtype=np.int64) / picture.size))


def mirror(pictures: Pictures) -> Pictures:
    """Left and right exchanged, (..., H, W, C)."""
    return pictures[..., ::-1, :]
