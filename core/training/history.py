"""What a run has shown so far: its losses. Torch-free."""

from __future__ import annotations

import math
import os
import zipfile
from array import array
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import Refusal
from core.files import write_file, write_refusal
from core.messages import frozen

FILE = Path("training") / "history.npz"
MAX_LOSSES = 200_000
MAX_STRIDE = 512
MAX_FILE_BYTES = 256_000_000


class History:
    """Losses of a run's first ``step`` steps.

    Beyond ``MAX_LOSSES`` steps two neighbours become their mean, again and again. ``note`` says what is wrong with the
    file that it was read from, if anything is.
    """

    def __init__(self, note: str = "") -> None:
        self.note = note
        self.step = 0
        self._means, self._stride = array("f"), 1
        self._open: list[float] = []  # steps whose mean is not complete

    @property
    def losses(self) -> NDArray[np.float32]:
        """One number a step, float32 (step,): L_simple of its batch, NaN where nobody knows it any more."""
        whole = np.repeat(np.array(self._means, dtype=np.float32), self._stride)
        rest = np.repeat(np.float32(_mean(self._open)), len(self._open))
        return frozen(np.concatenate((whole, rest)))

    def add(self, loss: float) -> None:
        """Take in the loss of the next step."""
        self.step += 1
        self._open.append(loss)
        if len(self._open) == self._stride:
            self._means.append(_mean(self._open))
            self._open.clear()
        if len(self._means) >= MAX_LOSSES:
            pairs = zip(self._means[::2], self._means[1::2], strict=True)
            self._means, self._stride = array("f", map(_mean, pairs)), 2 * self._stride

    def recent_loss(self, steps: int = 100) -> float | None:
        """The mean of the last steps, None before the first."""
        known = self.losses[-steps:]
        known = known[np.isfinite(known)]
        return float(known.mean()) if len(known) else None

    def cut_to(self, step: int) -> None:
        """Be the history of the first ``step`` steps: forget later ones, and leave open what is not known."""
        losses = self.losses[:step]
        self._means = array("f", losses[self._stride - 1 : len(losses) : self._stride])
        self.step, self._open = len(losses), losses[len(self._means) * self._stride :].tolist()
        while self.step < step:
            self.add(math.nan)


def _mean(losses: Iterable[float]) -> float:
    """The mean of those that are known, NaN where none is."""
    known = [loss for loss in losses if not math.isnan(loss)]
    return sum(known) / len(known) if known else math.nan


def write_history(history: History, folder: Path) -> None:
    """Write it into a run's folder, whole or not at all. Raises Refusal where that is impossible."""
    arrays: dict[str, Any] = {"losses": history.losses[:: history._stride], "stride": np.int64(history._stride)}
    arrays |= {"step": np.int64(history.step)}
    try:
        (folder / FILE).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_refusal(folder, error) from error
    write_file(folder / FILE, lambda stream: np.savez(stream, **arrays))


def read_history(folder: Path) -> History:
    """The history in a run's folder; an empty one where there is none, with a note where it is damaged."""
    path = folder / FILE
    if not os.path.isfile(path):
        return History()
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            if sum(member.file_size for member in kept.zip.infolist()) > MAX_FILE_BYTES:
                raise ValueError("it is larger than a history can be")
            return _read(kept)
    except (Refusal, OSError, ValueError, KeyError, TypeError, EOFError, MemoryError, zipfile.BadZipFile) as error:
        return History(f"The curve of this run cannot be shown: {path.name} is damaged ({error}).")


def _read(kept: np.lib.npyio.NpzFile) -> History:
    losses, stride, step = kept["losses"], int(kept["stride"]), int(kept["step"])
    if losses.dtype != np.float32 or losses.ndim != 1 or not 1 <= stride <= MAX_STRIDE:
        raise ValueError("its losses are no curve")
    if len(losses) > MAX_LOSSES or len(losses) != -(-step // stride):
        raise ValueError("its losses do not fit its steps")
    history = History()
    history._stride = stride
    history._means = array("f", np.ascontiguousarray(losses[: step // stride]))
    history.step, history._open = step, [float(value) for value in losses[step // stride :]] * (step % stride)
    return history
