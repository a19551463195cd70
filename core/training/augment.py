"""Pictures changed a little every time they are seen, so that a network does not learn them by heart."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def moved(x: Tensor, most: int, generator: torch.Generator) -> Tensor:
    """Each picture of x (n, channels, height, width) moved by up to ``most`` pixels either way, its edge repeated."""
    n, _, height, width = x.shape
    by = torch.randint(0, 2 * most + 1, (2, n, 1), generator=generator)
    rows, columns = by[0] + torch.arange(height), by[1] + torch.arange(width)
    wide = F.pad(x, (most,) * 4, mode="replicate")
    return wide[torch.arange(n)[:, None, None], :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
