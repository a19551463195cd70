"""Any file of weights, whoever wrote it: looked through without running anything, then read tensor by tensor.

Three layouts come down to one: names, and where in the file the numbers lie. Pickles are read as data
(``core.checkpoints.pickle_data``), so there is nothing that a file could make run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.checkpoints.family import Loose
from core.checkpoints.kinds import kind_of
from core.checkpoints.pickled import TensorNote, read_legacy, read_zip
from core.checkpoints.stored import Stored
from core.checkpoints.unwrap import Unwrapped, unwrap
from core.errors import Refusal
from core.weights_file import MAX_TENSORS, OnProgress, WeightsFile, look_through, never, unheard

if TYPE_CHECKING:
    from torch import Tensor

_PEEK = 2**22


@dataclass(frozen=True, slots=True)
class Container:
    """A file that has been looked through. ``loose`` is its state dict, chosen and unwrapped; ``averaged`` says whether
    it is the average over a training (EMA), which is taken where there is one unless the raw weights are wanted;
    ``has_both`` whether the other ones are there as well."""

    path: Path
    weights: WeightsFile
    loose: Loose
    averaged: bool = False
    has_both: bool = False

    @property
    def notes(self) -> tuple[str, ...]:
        return ("The averaged weights (EMA) of the file are taken.",) if self.averaged and not self.has_both else ()

    @property
    def is_raw_half(self) -> bool:
        """Whether these are raw weights, of a file that has averaged ones as well."""
        return self.has_both and not self.averaged

    @property
    def nbytes(self) -> int:
        """Bytes of the weights in the file."""
        return self.weights.nbytes

    def load(self, on_progress: OnProgress = unheard, check: Callable[[], None] = never) -> dict[str, Tensor]:
        """The tensors of ``loose``, float32 on the CPU. See ``WeightsFile.load``."""
        return self.weights.load(on_progress, check)


def open_container(path: str | Path, wanted: str = "") -> Container:
    """Look through a file of weights: safetensors, or what torch.save writes now or wrote before 2020.

    ``wanted`` is "ema" or "raw" where the file holds both and it matters which; "" takes averages where there are any.
    Raises Refusal, in words that say what it is and what to do, for every other file, and for one that is damaged, or
    that would run anything.
    """
    path, averaged = Path(path), wanted != "raw"
    kind = kind_of(path)
    if kind == "safetensors":
        saved: object = dict(look_through(path).stored)
        found = unwrap(saved, path.name, averaged)
        stored = {name: value for name, value in found.tensors.items() if isinstance(value, Stored)}
    else:
        pickled = read_zip(path) if kind == "zip" else read_legacy(path)
        saved = pickled.value
        found = unwrap(saved, path.name, averaged)
        if len(found.tensors) > MAX_TENSORS:
            raise Refusal(f"{path.name} holds {len(found.tensors)} tensors, more than any network has.")
        notes = {name: value for name, value in found.tensors.items() if isinstance(value, TensorNote)}
        stored = {name: pickled.stored(note) for name, note in notes.items()}
    if wanted and found.averaged != averaged:
        raise Refusal(
            f"{path.name} holds {'no averaged' if averaged else 'averaged'} weights{'' if averaged else ' alone'}."
        )
    has_both = unwrap(saved, path.name, not found.averaged).averaged != found.averaged
    return _container(path, stored, found, has_both)


def _container(path: Path, stored: dict[str, Stored], found: Unwrapped, has_both: bool) -> Container:
    counters = [name for name, tensor in stored.items() if tensor.numel == 1 and tensor.dtype == "int64"]
    weights = WeightsFile(path, {name: tensor for name, tensor in stored.items() if name not in counters})
    if not weights.stored:
        raise Refusal(f"{path.name} holds no weights by name. Open the file that a training saves its network in.")

    def peek(name: str) -> Tensor:
        if weights.stored[name].numel > _PEEK:
            raise ValueError(f"{name} is not small")
        return WeightsFile(path, {name: weights.stored[name]}).load()[name]

    return Container(path, weights, Loose(weights.shapes, peek, path.name, found.extras), found.averaged, has_both)
