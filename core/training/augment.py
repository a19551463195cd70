"""Pictures changed a little every time they are seen, so that a network does not learn them by heart."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def moves(n: int, most: int, generator: torch.Generator) -> Tensor:
    """By how many pixels each of n pictures is moved down and across, int64 (2, n) of 0..2 most, ``most`` for none."""
    return torch.randint(0, 2 * most + 1, (2, n), generator=generator)


def moved(x: Tensor, most: int, by: Tensor) -> Tensor:
    """Each picture of x (n, channels, height, width) moved as ``moves`` says, its edge repeated."""
    n, _, height, width = x.shape
    rows, columns = by[0, :, None] + torch.arange(height), by[1, :, None] + torch.arange(width)
    wide = F.pad(x, (most,) * 4, mode="replicate")
    return wide[torch.arange(n)[:, None, None], :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
