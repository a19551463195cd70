"""What is known of a run's steps: losses, by level too, gradients, learning rates, validation, how often it was rolled
back. Torch-free."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.files import write_file, write_refusal
from core.messages import frozen
from core.training.arrays_file import Damaged, read_arrays
from core.training.events import LEVELS, RolledBack, TrainStep, Validated
from core.training.series import Rows, Series

FILE = Path("training") / "history.npz"
MAX_STEPS = 200_000
MAX_VALIDATED = 2_000
MAX_ROLLED_BACK = 100
MAX_FILE_BYTES = 256_000_000
LOSS, NORM, RATE, BY_LEVEL = 0, 1, 2, slice(3, 3 + LEVELS)
COLUMNS = 3 + LEVELS


class History:
    """The curves of a run's first ``step`` steps.

    Beyond ``MAX_STEPS`` of them two neighbours become their mean, again and again (core/training/series.py); of more
    validations than ``MAX_VALIDATED`` every second is forgotten. ``note`` says what is wrong with the file that it was
    read from, if anything is.
    """

    def __init__(self, note: str = "") -> None:
        self.note = note
        self._steps = Series(COLUMNS, MAX_STEPS)
        self._validated: list[Validated] = []
        self._rolled_back: list[RolledBack] = []

    @property
    def step(self) -> int:
        return self._steps.step

    @property
    def losses(self) -> NDArray[np.float32]:
        """The mean loss of every step's batch, float32 (step,), NaN where nobody knows it any more."""
        return self._curve(LOSS)

    @property
    def norms(self) -> NDArray[np.float32]:
        """The norm of every step's gradient before clipping, float32 (step,)."""
        return self._curve(NORM)

    @property
    def rates(self) -> NDArray[np.float32]:
        """The learning rate of every step, float32 (step,)."""
        return self._curve(RATE)

    @property
    def by_level(self) -> Rows:
        """The losses of every step in bins of t, float32 (step, LEVELS), NaN where a bin was not met."""
        return self._steps.rows(BY_LEVEL)

    @property
    def validated(self) -> tuple[Validated, ...]:
        """In the order of their steps."""
        return tuple(self._validated)

    @property
    def rolled_back(self) -> tuple[RolledBack, ...]:
        """In the order in which it happened."""
        return tuple(self._rolled_back)

    def add(self, step: TrainStep) -> None:
        """Take in the next step."""
        self._steps.add(step.loss, step.gradient_norm, step.lr, *step.by_level.tolist())

    def add_validated(self, validated: Validated) -> None:
        """Take in a validation, in the place of an earlier one of that step or of later ones."""
        self._validated = [kept for kept in self._validated if kept.step < validated.step]
        self._validated.append(validated)
        if len(self._validated) > MAX_VALIDATED:
            del self._validated[1:-1:2]

    def add_rolled_back(self, rolled_back: RolledBack) -> None:
        """Take in that the run goes on from ``rolled_back.step``: what came after counts no more."""
        self.cut_to(rolled_back.step)
        self._rolled_back = [*self._rolled_back, rolled_back][-MAX_ROLLED_BACK:]

    def recent_loss(self, steps: int = 100) -> float | None:
        """The mean of the last steps, None before the first."""
        known = self.losses[-steps:]
        known = known[np.isfinite(known)]
        return float(known.mean()) if len(known) else None

    def cut_to(self, step: int) -> None:
        """Be the history of the first ``step`` steps: forget later ones, and leave open what is not known."""
        self._steps.cut_to(step)
        self._validated = [kept for kept in self._validated if kept.step <= step]
        self._rolled_back = [kept for kept in self._rolled_back if kept.step <= step]

    def _curve(self, column: int) -> NDArray[np.float32]:
        return frozen(self._steps.rows(slice(column, column + 1))[:, 0])

    def to_arrays(self) -> dict[str, Any]:
        """All of it, for a file."""
        by_level = [kept.by_level for kept in self._validated]
        return {
            "steps": self._steps.means,
            "open": self._steps.open,
            "stride": np.int64(self._steps.stride),
            "validated_steps": np.array([kept.step for kept in self._validated], np.int64),
            "validated": np.array([kept.loss for kept in self._validated], np.float64),
            "validated_by_level": np.array(by_level, np.float32).reshape(-1, LEVELS),
            "rolled_back": np.array(json.dumps([asdict(kept) for kept in self._rolled_back])),
        }

    @classmethod
    def from_arrays(cls, kept: Any) -> History:
        """The inverse of ``to_arrays``. Raises ValueError, KeyError or TypeError for what is no history."""
        history = cls()
        if "losses" in kept:  # as it was written before there were other curves
            history._restore_losses(kept["losses"], int(kept["stride"]), int(kept["step"]))
            return history
        history._steps.restore(kept["steps"], int(kept["stride"]), kept["open"])
        steps, losses, by_level = kept["validated_steps"], kept["validated"], kept["validated_by_level"]
        if steps.dtype != np.int64 or losses.dtype != np.float64 or by_level.dtype != np.float32:
            raise ValueError("its validations are no numbers")
        if not len(steps) <= MAX_VALIDATED or losses.shape != steps.shape or by_level.shape != (len(steps), LEVELS):
            raise ValueError("its validations do not fit each other")
        for step, loss, levels in zip(steps.tolist(), losses.tolist(), by_level, strict=True):
            history.add_validated(Validated(step, loss, frozen(levels)))
        for entry in json.loads(str(kept["rolled_back"]))[-MAX_ROLLED_BACK:]:
            at, step, scale, why = (entry[name] for name in ("at", "step", "lr_scale", "why"))
            history._rolled_back.append(RolledBack(int(at), int(step), float(scale), str(why)))
        return history

    def _restore_losses(self, losses: NDArray[np.float32], stride: int, step: int) -> None:
        if losses.dtype != np.float32 or losses.ndim != 1 or stride < 1 or len(losses) != -(-step // stride):
            raise ValueError("its losses do not fit its steps")
        rows = np.full((len(losses), COLUMNS), np.nan, np.float32)
        rows[:, LOSS] = losses
        rest = step % stride
        self._steps.restore(rows[: step // stride], stride, np.repeat(rows[-1:].astype(np.float64), rest, axis=0))


def write_history(history: History, folder: Path) -> None:
    """Write it into a run's folder, whole or not at all. Raises Refusal where that is impossible."""
    arrays = history.to_arrays()
    try:
        (folder / FILE).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_refusal(folder, error) from error
    write_file(folder / FILE, lambda stream: np.savez(stream, **arrays))


def read_history(folder: Path) -> History:
    """The history in a run's folder; an empty one where there is none, with a note where it is damaged."""
    path = folder / FILE
    if not os.path.exists(path):
        return History()
    try:
        return read_arrays(path, MAX_FILE_BYTES, "a history", History.from_arrays)
    except Damaged as error:
        return History(f"The curves of this run cannot be shown: {path.name} is damaged ({error}).")
