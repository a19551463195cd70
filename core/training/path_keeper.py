"""Keeps a run to the path of kernels that its journal tells, and the journal to the path that the run takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from core.errors import Refusal
from core.training.compilation import Compilation
from core.training.events import PathChanged, TrainStep
from core.training.journal import Journal, Line
from core.training.kernel_path import KernelPath
from core.training.saving import NotSaved
from core.training.trainer import Trainer

TOO_LARGE, ASKED_FOR = "there was not enough memory for more at once", "as was asked for"
OTHER_PATH = "This computer computes it another way than before, so its bits differ from here on."


class PathKeeper:
    """Before each step: what the journal says of it is done, and what is wished besides is journalled, then done."""

    def __init__(self, trainer: Trainer, journal: Journal, compiles: bool) -> None:
        """``compiles``: whether compiled kernels are made where they pay."""
        self._trainer, self._journal = trainer, journal
        self._compilation = Compilation(trainer, compiles)
        self.close = self._compilation.close
        self._line: Line | None = None
        self._wished: tuple[KernelPath, str] | None = None
        self._was_too_large = False

    def resume(self) -> None:
        """Be on the path that the journal tells, as far as that takes no time: kernels are compiled before a step."""
        line = self._journal.in_force(self._trainer.step)
        if line is not None:
            self._trainer.take(replace(KernelPath.from_json(line.path), compiled=False))

    def before_step(self) -> Iterator[PathChanged]:
        """Raises NotSaved where the journal cannot be written; then nothing has changed."""
        line = self._journal.in_force(self._trainer.step)
        if line is None:
            yield from self._take(self._trainer.path)
        elif line is not self._line:
            yield from self._follow(line)
        if self._wished is not None:
            yield from self._take(*self._wished)
            self._wished = None

    def after_step(self, done: TrainStep, remaining: float) -> None:
        """Find out whether compiled kernels are wanted, ``remaining`` seconds before the run's end; not while steps are
        being repeated whose path is known."""
        if self._wished is None and not self._journal.says_more(done.step):
            wish = self._compilation.after_step(done.seconds, remaining)
            self._wished = None if wish is None else (wish.path, wish.why)

    def was_too_large(self) -> None:
        """A step did not fit into memory."""
        self._was_too_large = True

    def wish_parts(self, pictures: int) -> None:
        """From the next step on let so many pictures go through the network at once."""
        fitting = max(1, min(self._trainer.request.batch, pictures))
        why = TOO_LARGE if self._was_too_large else ASKED_FOR
        path = replace(self._trainer.path, micro_batch=fitting, compiled=False)  # its kernels are for more at once
        self._wished, self._was_too_large = (path, why), False

    def go_back(self, step: int, lr_scale: float, why: str) -> None:
        """Note that the run goes on from ``step`` with another learning rate. Raises NotSaved."""
        self._line = self._write(step, lr_scale, why)

    def _follow(self, line: Line) -> Iterator[PathChanged]:
        trainer = self._trainer
        before, wanted = trainer.path, KernelPath.from_json(line.path)
        taken, trainer.lr_scale = trainer.take(wanted), line.lr_scale
        if taken != wanted:
            yield from self._take(taken, OTHER_PATH)
            return
        self._line = line
        if taken != before:
            yield PathChanged(trainer.step, taken.words, line.why)

    def _take(self, path: KernelPath, why: str = "") -> Iterator[PathChanged]:
        trainer = self._trainer
        before, taken = trainer.path, trainer.take(path)
        try:
            self._line = self._write(trainer.step, trainer.lr_scale, why)
        except NotSaved:
            trainer.take(before)
            raise
        if taken != before or why:
            yield PathChanged(trainer.step, taken.words, why)

    def _write(self, step: int, lr_scale: float, why: str) -> Line:
        line = Line(step, self._trainer.path.to_json(), lr_scale, why)
        try:
            self._journal.write(line)
        except Refusal as refusal:
            raise NotSaved(str(refusal), refusal.details) from refusal
        return line
