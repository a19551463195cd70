"""Whether compiled kernels are worth it for a run: made beside it, tried, and kept where they are faster."""

from __future__ import annotations

import subprocess
from collections import deque
from dataclasses import dataclass, replace

from core.errors import Refusal
from core.training.compiled import Kernels, compiler, end
from core.training.kernel_path import KernelPath
from core.training.trainer import Trainer

MEASURED = 12
"""Steps of each kind that are timed; the fastest of each are compared, which a busy machine disturbs least."""
LONG = {"cpu": 900.0, "cuda": 300.0}
"""Seconds that a run has to go on for, for compiling, which takes minutes, to pay."""
SHORT = 60.0
"""The same for kernels that are at hand and need only be loaded and tried."""
WORTH = 1.04
"""Times as fast as eager steps, at least: a compiled step looks up but twice a part, so that others wait longer."""

NO_COMPILER = "There is no C++ compiler on this computer, so the network is not compiled."


@dataclass(frozen=True, slots=True)
class Wish:
    """The path that the next step should take, and why, for the person; perhaps it is the one it is on."""

    path: KernelPath
    why: str


class Compilation:
    """Asked after every step; one wish at a time, which is to be journalled and taken before the next."""

    def __init__(self, trainer: Trainer, wanted: bool = True) -> None:
        """``wanted``: what ``TrainOrder.compile`` says. Processes that share a batch are not compiled for."""
        self._trainer = trainer
        self._is_over = not wanted or trainer.group.is_shared or trainer.device.type not in LONG
        self._kernels: Kernels | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._eager: deque[float] = deque(maxlen=MEASURED)
        self._compiled: deque[float] = deque(maxlen=MEASURED)
        self._tried = False

    def after_step(self, seconds: float, remaining: float) -> Wish | None:
        """What is wished after a step of so many seconds, with so many to go."""
        if self._is_over:
            return None
        path = self._trainer.path
        if self._tried:
            return self._judged(path, seconds)
        if path.compiled:  # as the run's journal says: that was judged before
            self._is_over = True
            return None
        self._eager.append(seconds)
        if len(self._eager) < MEASURED:
            return None
        if self._kernels is None:
            return self._begin(path, remaining)
        if self._process is not None and self._process.poll() is None:
            return None
        if not self._kernels.are_made or self._kernels.path != path:
            self.close()
            return None
        self._tried = True
        return Wish(replace(path, compiled=True), "compiled kernels are ready")

    def close(self) -> None:
        """Nothing more is wished; the process that compiles ends."""
        self._is_over = True
        if self._process is not None:
            end(self._process)
            self._process = None

    def _begin(self, path: KernelPath, remaining: float) -> Wish | None:
        if remaining < SHORT:
            return None
        try:
            kernels = self._kernels = Kernels(self._trainer.request, path)
            is_no_use = kernels.gain is not None and kernels.gain < WORTH  # a run like this one has tried them
            if is_no_use or not (kernels.are_made or remaining >= LONG[self._trainer.device.type]):
                self._is_over = True
            elif not kernels.are_made:
                if compiler() is None:
                    self._is_over = True
                    return Wish(path, NO_COMPILER)
                self._process = kernels.make()
        except Refusal:
            self._is_over = True
        return None

    def _judged(self, path: KernelPath, seconds: float) -> Wish | None:
        if not path.compiled:
            self._is_over = True
            is_as_wished = self._kernels is not None and path == self._kernels.path
            return Wish(path, "this version of torch cannot load compiled kernels") if is_as_wished else None
        self._compiled.append(seconds)
        if len(self._compiled) < MEASURED:
            return None
        assert self._kernels is not None
        gain = min(self._eager) / min(self._compiled)
        self._kernels.note(gain)
        self.close()
        if gain >= WORTH:
            return Wish(path, f"compiled kernels are {gain:.2f} times as fast here")
        return Wish(replace(path, compiled=False), f"compiled kernels are no faster here: {gain:.2f} times as fast")
