"""The exponential moving average of a network's weights, which is what one samples from."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor


class Ema:
    """An average of parameters over the last steps: average <- decay * average + (1 - decay) * parameter.

    The decay warms up as min(decay, (1 + n) / (10 + n)) at the n-th update, so that the random start is forgotten
    at once (the rule that Song et al. 2021, score SDE, train with). Averages are float32, on the parameters' device.
    """

    def __init__(self, parameters: Iterable[tuple[str, Tensor]], decay: float) -> None:
        named = dict(parameters)
        self.decay = decay
        self.updates = 0
        self.averages = {name: value.detach().float().clone() for name, value in named.items()}
        self._parameters = list(named.values())

    def decay_at(self, update: int) -> float:
        """The decay of the n-th update, counted from 0."""
        return min(self.decay, (1 + update) / (10 + update))

    @torch.no_grad()
    def update(self) -> None:
        """Take in the parameters as they are now."""
        weight = 1 - self.decay_at(self.updates)
        torch._foreach_lerp_(list(self.averages.values()), [value.float() for value in self._parameters], weight)
        self.updates += 1

    @torch.no_grad()
    def restore(self, averages: dict[str, Tensor], updates: int) -> None:
        """Go on from stored averages; the names must be the same."""
        for name, average in self.averages.items():
            average.copy_(averages[name])
        self.updates = updates
