"""Teaching a noisy classifier: the classes of noised pictures (Dhariwal & Nichol 2021, section 4.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from core.classifier import Classifier
from core.classifier_config import ClassifierConfig
from core.schedules import make_schedule
from core.training.dataset import PictureFolder
from core.training.losses import Levels, noised
from core.training.request import TrainRequest
from core.training.split import Rows
from core.training.tasks import Network

MEASURED = 500
LEVELS_MEASURED = 8
AT_ONCE = 50


class ClassifierTask:
    """Cross-entropy in nats of the class, from x_t, or from x_0 at t = 0 where the request is not ``noised``."""

    drops_labels = False

    def __init__(self, request: TrainRequest, device: torch.device | str = "cpu") -> None:
        self._noised = request.noised
        self._levels = Levels(make_schedule(request.schedule), device)

    def network(self, request: TrainRequest) -> Classifier:
        """A classifier to which every class is as likely at first."""
        network = Classifier(ClassifierConfig(request.network, len(request.labels)))
        network.initialise()
        return network

    def losses(self, network: Network, x0: Tensor, eps: Tensor, t: Tensor, labels: Tensor | None) -> Tensor:
        assert labels is not None
        x = noised(x0, eps, t, self._levels) if self._noised else x0
        logits = network(x, t if self._noised else torch.zeros_like(t), None)
        return F.cross_entropy(logits.float(), labels, reduction="none")


def apart(data: PictureFolder, rows: Rows) -> tuple[PictureFolder, PictureFolder]:
    """The pictures to train on, and those numbered ``rows``, to measure on what has never been trained on."""
    return data.only(np.delete(np.arange(len(data)), rows)), data.only(rows)


def accuracy(
    network: Classifier,
    request: TrainRequest,
    data: PictureFolder,
    check: Callable[[], None] = lambda: None,
    most: int = MEASURED,
) -> dict[str, Any]:
    """The share of pictures whose class is recognised at evenly spread noise levels, or of clean ones alone.

    At most ``most`` evenly spread pictures; their noise depends on t alone. A JSON object of ``pictures`` (how
    many), ``timesteps`` and ``recognised`` (0..1, one for each of them); empty where there are no pictures.
    """
    few = slice(None, None, -(-len(data) // most) or 1)
    x0 = torch.from_numpy(np.array(data.pictures[few])).permute(0, 3, 1, 2).float() / 127.5 - 1
    labels = torch.from_numpy(data.labels[few])
    if not len(x0):
        return {}
    schedule = make_schedule(request.schedule)
    levels = Levels(schedule)
    spread = [schedule.T * step // LEVELS_MEASURED for step in range(LEVELS_MEASURED)]
    timesteps = list(dict.fromkeys(spread)) if request.noised else [0]
    shares = []
    for t in timesteps:
        times = torch.full((len(x0),), t)
        eps = torch.randn(x0.shape, generator=torch.Generator().manual_seed(t))
        x = noised(x0, eps, times, levels) if request.noised else x0
        right = 0
        for start in range(0, len(x), AT_ONCE):
            check()
            part = slice(start, start + AT_ONCE)
            with torch.no_grad():
                right += int((network(x[part], times[part]).argmax(1) == labels[part]).sum())
        shares.append(round(right / len(x), 4))
    return {"pictures": len(x0), "timesteps": timesteps, "recognised": shares}
