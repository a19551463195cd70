"""What a training is measured on while it learns: pictures that it never sees, always the same noise on each.

The loss of a batch jumps with the noise levels and the pictures that fell into it; on fixed ones alone it can be seen
whether a model still learns, or only learns by heart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from core.messages import frozen
from core.training.dataset import PictureFolder
from core.training.events import Validated, means_by_level
from core.training.request import TrainRequest
from core.training.tasks import Task

LEAST = 64
"""Evaluations of a network: fewer pictures are measured several times, on other noise."""
AT_ONCE = 16


class Validator:
    """Measures networks on the pictures ``aside``.

    Each of them is measured on so many fixed pairs of t and noise, by the request's seed, that at least 64 are, and
    the t are evenly spread over 0..T-1, in an order of their own, so that those of a class meet all levels. No picture
    is mirrored or moved, no label dropped. A step of the training notices nothing: every random number comes from
    generators made here.
    """

    def __init__(self, request: TrainRequest, aside: PictureFolder, task: Task) -> None:
        """``task`` is the training's; the networks measured lie where its tables do."""
        self._request, self._task = request, task
        count = len(aside)
        self._rows = np.tile(np.arange(count), -(-LEAST // count) if count else 0)
        self._pictures, self._labels = aside.pictures, aside.labels
        draws = torch.Generator("cpu").manual_seed(request.seed ^ 0xA51DE)
        evaluations = len(self._rows)
        spread = (2 * torch.arange(evaluations) + 1) * request.schedule.T // max(1, 2 * evaluations)
        self._t = spread[torch.randperm(evaluations, generator=draws)]
        self._noise = draws.get_state()

    def measure(self, network: nn.Module, check: Callable[[], None] = lambda: None, step: int = 0) -> Validated | None:
        """The mean loss of ``network`` as it is after ``step`` steps; None where no pictures are kept aside.

        ``check`` is called between parts of the work: it may do other work, or raise Cancelled.
        """
        if not len(self._rows):
            return None
        was_learning = network.training
        network.eval()
        try:
            losses = np.concatenate(list(self._losses(network, check)))
        finally:
            network.train(was_learning)
        means = means_by_level(self._t.numpy(), losses, self._request.schedule.T)
        return Validated(step, float(losses.mean(dtype=np.float64)), frozen(means))

    def _losses(self, network: nn.Module, check: Callable[[], None]) -> Iterator[NDArray[np.float32]]:
        device = next(network.parameters()).device
        noise = torch.Generator("cpu")
        noise.set_state(self._noise)
        for start in range(0, len(self._rows), AT_ONCE):
            check()
            rows = self._rows[start : start + AT_ONCE]
            x0 = torch.from_numpy(self._pictures[rows]).permute(0, 3, 1, 2).float() / 127.5 - 1
            eps = torch.randn(x0.shape, generator=noise)
            t = self._t[start : start + AT_ONCE]
            labels = None if self._request.null_label is None else torch.from_numpy(self._labels[rows]).to(device)
            with torch.no_grad(), self._autocast(device):
                losses = self._task.losses(network, x0.to(device), eps.to(device), t.to(device), labels)
            yield losses.float().cpu().numpy()

    def _autocast(self, device: torch.device) -> torch.autocast:
        precision = self._request.precision
        dtype = torch.bfloat16 if precision == "float32" else getattr(torch, precision)
        return torch.autocast(device.type, dtype, enabled=precision != "float32")
