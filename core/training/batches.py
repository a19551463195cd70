"""The batches of a run, one after another: which pictures, changed how, at which t, with which noise."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from core.denoiser import Condition
from core.training.augment import moved, moves
from core.training.dataset import PictureFolder
from core.training.request import TrainRequest
from core.training.timestep_samplers import timestep_sampler


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Some pictures of a global batch, on the CPU.

    x0 and eps float32 (n, channels, height, width), x0 in [-1, 1]; ``labels`` int64 (n,), None where there are no
    classes. ``t`` int64 and ``weights`` float32 (batch,), what each loss counts, are the whole global batch's.
    """

    x0: Tensor
    eps: Tensor
    labels: Tensor | None
    t: Tensor
    weights: Tensor


class Batches:
    """Draws batches from generators of its own, seeded by the request.

    Every number is drawn for the whole global batch and indexed by a picture's place in it, so that a batch is the same
    however many processes share it, and in which parts it goes through the network.
    """

    def __init__(self, request: TrainRequest, data: PictureFolder, drops_labels: bool) -> None:
        """``drops_labels``: whether some labels become the null label, as the request's ``label_dropout`` says."""
        self.request, self._data = request, data
        self._drops_labels = drops_labels and request.null_label is not None
        self._draws = torch.Generator("cpu").manual_seed(request.seed)
        self._shuffles = torch.Generator("cpu").manual_seed(request.seed ^ 0x5EED)
        self._order = torch.empty(0, dtype=torch.int64)
        self._labels = torch.from_numpy(data.labels)
        self._flippable = torch.from_numpy(data.flippable)
        self._rows = torch.from_numpy(data.trained_on)
        self.timesteps = timestep_sampler(request.timestep_sampler, request.schedule.T)

    def next(self, share: slice = slice(None)) -> Batch:
        """The next global batch, of which the pictures in ``share`` are read."""
        request, draws, n = self.request, self._draws, self.request.batch
        index = self._next_indices(n)
        mine = index[share]
        x0 = torch.from_numpy(self._data.at(mine.numpy())).permute(0, 3, 1, 2).float() / 127.5 - 1
        if request.flip:
            flipped = (torch.rand(n, generator=draws)[share] < 0.5) & self._flippable[mine]
            x0 = torch.where(flipped[:, None, None, None], x0.flip(-1), x0)
        if request.shift:
            x0 = moved(x0, request.shift, moves(n, request.shift, draws)[:, share])
        labels = None if request.null_label is None else self._labels[mine]
        if labels is not None and self._drops_labels:
            dropped = torch.rand(n, generator=draws) < request.label_dropout
            labels = Condition(labels, request.null_label or 0).dropped(dropped[share]).labels
        t, weights = self.timesteps.draw(n, draws)
        eps = torch.randn((n, *x0.shape[1:]), generator=draws)[share]
        return Batch(x0, eps, labels, t, weights)

    def _next_indices(self, count: int) -> Tensor:
        """The next pictures: each once before any comes again, in a new order every time, also in a small folder."""
        rounds = max(0, -((len(self._order) - count) // len(self._rows)))
        fresh = (self._rows[torch.randperm(len(self._rows), generator=self._shuffles)] for _ in range(rounds))
        self._order = torch.cat((self._order, *fresh))
        index, self._order = self._order[:count], self._order[count:]
        return index

    def state(self) -> dict[str, Tensor]:
        """Where the run's randomness is, as named tensors."""
        drawn = {"draws": self._draws.get_state(), "shuffles": self._shuffles.get_state(), "order": self._order.clone()}
        return drawn | {f"timesteps.{name}": tensor for name, tensor in self.timesteps.state().items()}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from what ``state`` gave. Raises KeyError, RuntimeError, TypeError or ValueError for another run's."""
        self._draws.set_state(state["draws"])
        self._shuffles.set_state(state["shuffles"])
        self._order = _order(state["order"], len(self._labels))
        learned = {name: tensor for name, tensor in state.items() if name.startswith("timesteps.")}
        self.timesteps.restore({name.removeprefix("timesteps."): tensor for name, tensor in learned.items()})


def _order(kept: Tensor, pictures: int) -> Tensor:
    """What a checkpoint says of the pictures to come. Raises ValueError where it is not of so many."""
    if kept.dtype != torch.int64 or kept.ndim != 1 or not ((kept >= 0) & (kept < pictures)).all():
        raise ValueError("its order is not of these pictures")
    return kept.clone()
