"""A process that trains with others and does what the first one of them says."""

from __future__ import annotations

import signal
from pathlib import Path

from core.errors import Diverged, Refusal
from core.training.classification import apart
from core.training.dataset import PictureFolder, open_folder
from core.training.group import Group
from core.training.kernel_path import KernelPath
from core.training.reading import Reading
from core.training.request import TrainRequest
from core.training.split import aside_of, kept_aside
from core.training.trainer import Trainer


def follow(group: Group, folder: Path, device: str) -> None:
    """Train on the pictures in ``folder`` until the first process ends; it writes, draws and speaks for all.

    Raises Refusal where another process has ended by mistake, or where this one finds other pictures.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first one saves, and ends all
    trainer: Trainer | None = None
    while True:
        order, tensors = group.hear()
        if order.do == "train":
            request = TrainRequest.from_json(order.words)
            trainer = Trainer(request, _seen(request, folder), device=device)
        elif order.do == "end" or trainer is None:
            return
        elif order.do == "state":
            trainer.restore(tensors, order.words)
        else:
            trainer.take(KernelPath.from_json(order.words["path"]))
            try:
                trainer.one_step(order.words["lr"])
            except Diverged:
                continue  # as the first process has found too; it says what is next


def _seen(request: TrainRequest, folder: Path) -> PictureFolder:
    """The folder's pictures as the run's network sees them."""
    if request.network.sides is None:
        raise Refusal("A run whose network names no size of pictures cannot be shared by processes.")
    data = open_folder(folder, request.reading or Reading(request.network.sides[0]))
    rows = aside_of(request, data)
    if request.task == "classifier":
        data = apart(data, rows)[0]
    data = data.in_channels(request.network.in_channels).unflipped(request.never_flipped)
    return data if request.task == "classifier" else kept_aside(data, rows)[0]
