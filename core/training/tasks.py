"""What a training teaches: a network and its losses, behind one interface for all kinds of training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor, nn

from core.training.request import TrainRequest

Network = Callable[[Tensor, Tensor, Tensor | None], Tensor]
"""x (n, *event_shape), t int64 (n,) and labels int64 (n,) or None to the network's output; gradients flow through."""


class Task(Protocol):
    """One task serves one run; what it needs of tables lies on the run's device."""

    @property
    def drops_labels(self) -> bool:
        """Whether some labels become the null label, as the request's ``label_dropout`` says."""
        ...

    def network(self, request: TrainRequest) -> nn.Module:
        """The network with its first weights, drawn with torch's global generator; under torch.device("meta") only its
        shape. It has an attribute ``check``, called between its blocks, and takes what ``Network`` takes."""
        ...

    def losses(self, network: Network, x0: Tensor, eps: Tensor, t: Tensor, labels: Tensor | None) -> Tensor:
        """The loss of every picture, float32 (n,): x0 and eps (n, *event_shape), t int64 (n,) of 0..T-1."""
        ...


def task_of(request: TrainRequest, device: torch.device | str = "cpu") -> Task:
    """Raises Refusal where the request's schedule makes no sense."""
    if request.task == "classifier":
        from core.training.classification import ClassifierTask

        return ClassifierTask(request, device)
    from core.training.objectives import DiffusionTask

    return DiffusionTask(request, device)
