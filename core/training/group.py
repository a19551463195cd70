"""Processes that train together: each works on its share of every batch, and all keep the same weights.

The first of them leads: it alone reads checkpoints, writes, draws samples and decides; before every step it tells the
others what to do, and they wait for that as long as it takes. Gradients are averaged by DistributedDataParallel
(Li et al. 2020).
"""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from types import FrameType
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from core.errors import Refusal, is_out_of_memory

PATIENCE = timedelta(days=1)
"""For which the others wait while the first one draws samples, saves, or is paused."""
LEFT = (
    "Another process of this training has ended, so this one ends too. The last checkpoint is good: start all of them "
    "again with --resume to go on from it."
)


class Left(Refusal):
    """Another process of the training is gone."""


@dataclass(frozen=True, slots=True)
class Order:
    """What the first process tells the others: ``do`` is "train" (here is the request), "state" (tensors follow),
    "step" or "end"."""

    do: str
    words: dict[str, Any] = field(default_factory=dict)


class Group:
    """The processes of one training; ``rank`` is this one's number, of ``world``. A group of one exchanges nothing."""

    def __init__(self, rank: int = 0, world: int = 1) -> None:
        self.rank, self.world = rank, world

    @property
    def is_shared(self) -> bool:
        return self.world > 1

    @property
    def leads(self) -> bool:
        """Whether there are others, and this process tells them what to do."""
        return self.is_shared and self.rank == 0

    def share(self, batch: int) -> slice:
        """The places of a global batch that are this process's. Raises Refusal where they cannot be shared evenly."""
        each, rest = divmod(batch, self.world)
        if rest or not each:
            raise Refusal(
                f"A batch of {batch} pictures cannot be shared evenly by {self.world} processes: choose a number of "
                "processes that divides it."
            )
        return slice(self.rank * each, (self.rank + 1) * each)

    def joined(self, network: nn.Module) -> nn.Module:
        """The network, asked so that its gradients become the mean of all processes' on the way back."""
        if not self.is_shared:
            return network
        warnings.filterwarnings("ignore", message="Grad strides do not match bucket view strides")
        return nn.parallel.DistributedDataParallel(network)

    def gathered(self, values: Tensor) -> Tensor:
        """Every process's values (n,), one after another."""
        if not self.is_shared:
            return values
        parts = [torch.empty_like(values) for _ in range(self.world)]
        dist.all_gather(parts, values)
        return torch.cat(parts)

    # ------------------------------------------------------------------------------------------------ orders

    def tell(self, order: Order, tensors: dict[str, Tensor] | None = None) -> None:
        """Say to the others what to do; ``tensors`` follow a "state"."""
        if not self.leads:
            return
        tensors = {name: tensor.cpu().contiguous() for name, tensor in (tensors or {}).items()}
        shapes = {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in tensors.items()}
        with ends_together():
            dist.broadcast_object_list([(order, shapes)], src=0)
            for tensor in tensors.values():
                dist.broadcast(tensor, src=0)

    def hear(self) -> tuple[Order, dict[str, Tensor]]:
        """What the first process says next, and the tensors that follow."""
        heard: list[Any] = [None]
        with ends_together():
            dist.broadcast_object_list(heard, src=0)
            order, shapes = heard[0]
            tensors = {name: torch.empty(shape, dtype=dtype) for name, (shape, dtype) in shapes.items()}
            for tensor in tensors.values():
                dist.broadcast(tensor, src=0)
        return order, tensors


ALONE = Group()
_here = ALONE


def group_of_this_process() -> Group:
    """The group that ``joining`` has joined, else a group of one."""
    return _here


@contextmanager
def joining(device: str) -> Iterator[Group]:
    """Join the processes that torchrun has started, with NCCL on a GPU and gloo elsewhere; alone without it.

    Whatever ends the first process, the others are told; each takes a GPU of its own. Raises Refusal where this
    computer cannot, and Left, like every exchange, where another process is gone.
    """
    global _here
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield ALONE
        return
    if not dist.is_available():
        raise Refusal("This build of torch cannot train with several processes: start one alone, without torchrun.")
    backend = "gloo"
    if torch.device(device).type == "cuda":
        backend = "cpu:gloo,cuda:nccl"
        _take_gpu(int(os.environ.get("LOCAL_RANK", "0")))
    before = signal.signal(signal.SIGTERM, _leave)
    try:
        with ends_together():
            dist.init_process_group(backend, timeout=PATIENCE)
        _here = Group(dist.get_rank(), world)
        try:
            yield _here
        except Left:
            raise
        except BaseException:
            _here.tell(Order("end"))
            dist.destroy_process_group()  # its threads would abort this process where they are there at its end
            raise
        _here.tell(Order("end"))
        dist.destroy_process_group()
    finally:
        _here = ALONE
        signal.signal(signal.SIGTERM, before)


@contextmanager
def ends_together() -> Iterator[None]:
    """An exchange between processes. Raises Left where one of them is gone, and Refusal where memory is short."""
    try:
        yield
    except RuntimeError as error:
        if is_out_of_memory(error):
            words = "There is not enough memory for a step of this training. Start it with a smaller --batch."
            raise Refusal(words, repr(error)) from error
        if isinstance(error, dist.DistError) or "gloo" in str(error) or "onnection" in str(error):
            raise Left(LEFT, repr(error)) from error
        raise


def _leave(number: int, frame: FrameType | None) -> None:
    raise Left(LEFT)


def _take_gpu(number: int) -> None:
    there = torch.cuda.device_count()
    if number >= there:
        raise Refusal(f"This computer has {there} GPUs, fewer than there are processes: start {there}.")
    torch.cuda.set_device(number)
