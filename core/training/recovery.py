"""When a run has gone wrong, and what it then tries before it gives up. Torch-free."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from itertools import islice

import numpy as np

from core.errors import Diverged, Refusal
from core.training.request import TrainRequest

RECENT, USUAL = 25, 500
"""Steps: of the median that is looked at, and of the one before them that it is held against."""
FEWEST = 100
"""Steps before which nothing is usual."""
EXPLODED = 10.0
"""Times the usual loss; medians of ordinary runs, by any objective, stay far below."""
SUSPICIOUS = 3.0


class NotEnoughMemory(Refusal):
    """A step in parts of so many pictures did not fit into memory; in parts of ``micro_batch`` the next may, unless
    that is 0: then nothing smaller is left."""

    def __init__(self, pictures: int, details: str = "") -> None:
        self.micro_batch = pictures // 2
        less = (
            f"In parts of {self.micro_batch} picture{'' if self.micro_batch == 1 else 's'} it needs less; what it "
            "learns stays the same."
        )
        none = (
            "Not even one picture at a time fits. What it had learned is kept: close other programs and go on with it, "
            "or begin another with a smaller network or size."
        )
        words = less if self.micro_batch else none
        super().__init__(f"There is not enough memory for a step of this training. {words}", details)


class Watch:
    """Looks at the losses as they come: has the run exploded?

    It has where the median of the last ``RECENT`` is more than ``EXPLODED`` times that of up to ``USUAL`` before them.
    """

    LONGEST = RECENT + USUAL

    def __init__(self, losses: Iterable[float] = ()) -> None:
        """``losses`` are those of the steps that were made already."""
        self._losses: deque[float] = deque(maxlen=self.LONGEST)
        for loss in losses:
            self.add(loss)

    def add(self, loss: float) -> None:
        """Take in the loss of the next step; one that nobody knows is left out."""
        if math.isfinite(loss):
            self._losses.append(loss)

    @property
    def times_usual(self) -> float:
        """How many times the usual loss the recent ones are; 1 where nothing is usual yet."""
        before = len(self._losses) - RECENT
        if before < FEWEST:
            return 1.0
        usual = float(np.median(np.fromiter(islice(self._losses, before), np.float64)))
        recent = float(np.median(np.fromiter(islice(self._losses, before, None), np.float64)))
        return recent / usual if usual > 0 else 1.0

    @property
    def has_exploded(self) -> bool:
        return self.times_usual > EXPLODED

    @property
    def is_suspicious(self) -> bool:
        """Whether what is learned now is perhaps no good to keep."""
        return self.times_usual > SUSPICIOUS


def rescues_made(lr_scale: float) -> int:
    """How often the learning rate was halved."""
    return round(-math.log2(lr_scale)) if 0 < lr_scale <= 1 else 0


def gave_up(at: int, why: str, request: TrainRequest, lr_scale: float, good: int | None) -> Diverged:
    """What to tell of a run that went wrong at step ``at``, and for which nothing is left to try; its checkpoint of
    step ``good`` is whole."""
    made = rescues_made(lr_scale)
    often = {1: "once", 2: "twice", 3: "three times"}.get(made, f"{made} times")
    after = f", although its learning rate was halved {often}" if made else ""
    advice = [f"a lower learning rate than {request.lr * lr_scale:g}"]
    if request.precision != "float32":
        advice.append("float32")
    if request.objective != "simple":
        advice.append("the simple objective")
    tries = " or ".join([", ".join(advice[:-1]), advice[-1]] if len(advice) > 1 else advice)
    kept = "" if good is None else f" Its checkpoint of step {good} is still good."
    return Diverged(f"The training stopped at step {at}: {why}{after}. Train again with {tries}.{kept}", at)
