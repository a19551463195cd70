"""Writing a run into its folder: when that is due, and what is written in which order."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from core.errors import Refusal, is_out_of_memory
from core.training.checkpoint import save_checkpoint
from core.training.claim import Taken, claim, hold
from core.training.dataset import PictureFolder
from core.training.film import Film, write_film
from core.training.history import History, write_history
from core.training.journal import Journal
from core.training.keeping import keep, settle
from core.training.order import TrainOrder
from core.training.product import Product
from core.training.runs import RunSummary, remember, write_summary
from core.training.trainer import Trainer

LONGEST_DOUBT = 3.0
"""Times the usual pause between two saves, after which one comes however the loss looks."""


NO_MEMORY = "There is not enough memory to save this training: close other programs."


class NotSaved(Refusal):
    """What was learned since the last checkpoint could not be written. The run in memory is whole and can go on."""


def nothing() -> None:
    pass


class Saver:
    """Knows what is on the disk: the first ``step`` steps, -1 where it has written none; ``seconds`` spent writing.

    ``moved`` is what has become of the folder, to be told, where it was deleted or moved.
    """

    def __init__(
        self,
        order: TrainOrder,
        trainer: Trainer,
        data: PictureFolder,
        product: Product,
        journal: Journal,
        history: History,
        film: Film,
    ) -> None:
        self._order, self._trainer, self._data, self._product = order, trainer, data, product
        self._journal, self._history, self._film = journal, history, film
        self.out = order.out
        self.step, self.seconds = -1, 0.0
        self.moved = ""
        self._at: float | None = None
        self._is_measured = True
        self._snapshots: dict[int, Path] = {}

    def is_due(self, doubtful: bool = False) -> bool:
        """Whether it is time to save; what is ``doubtful`` waits a little, so that it does not take a good place."""
        if self.keeps_this_step and self.step != self._trainer.step:
            return True
        pause = self._order.save_every * (LONGEST_DOUBT if doubtful else 1.0)
        return self._at is None or time.monotonic() - self._at > pause

    def hurry(self) -> None:
        """Save as soon as the run goes on."""
        self._at = None

    def taken_back_to(self, step: int) -> None:
        """The run goes on from ``step``."""
        self.step = step
        self._snapshots = {at: folder for at, folder in self._snapshots.items() if at <= step}
        self.hurry()

    def measure(self, between: Callable[[], None] = nothing) -> bool:
        """Find out how good the model is, where its folder says so; whether there was memory for it, without which it
        is not tried again. ``between`` its parts others may work."""
        began = time.perf_counter()
        try:
            if self._is_measured:
                self._product.measure(self._trainer, between)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            self._is_measured = False
            return False
        finally:
            self.seconds += time.perf_counter() - began
        return True

    def save(self, between: Callable[[], None] = nothing, *, best: bool = False, kept: bool = False) -> None:
        """Write the run as it was after its last whole step: film, history, checkpoint, model; a checkpoint that is the
        ``best`` so far, or to be ``kept``, also by itself. ``between`` two of them others may work.

        Raises NotSaved, or Refusal where nothing was ever written, or where another process trains into the folder."""
        if self.step < 0:
            claim(self.out, self)
        try:
            self.moved = self.moved if self.step < 0 else hold(self.out, self) or self.moved
            self._write(between, best, kept)
        except Taken:
            raise
        except Exception as error:
            if not (isinstance(error, Refusal) or is_out_of_memory(error)):
                raise
            refusal = error if isinstance(error, Refusal) else Refusal(NO_MEMORY, repr(error))
            if self.step < 0:
                raise refusal from error
            self.hurry()
            raise NotSaved(str(refusal), refusal.details) from error

    def _write(self, between: Callable[[], None], best: bool, kept: bool) -> None:
        began, step = time.perf_counter(), self._trainer.step
        self._journal.bring_back()
        if (self.step < 0 or self.moved) and self._data.source is not None:
            remember(self.out, self._data.source)  # first, for whoever goes on with what a killed process has left
        write_film(self._film, self.out)
        write_history(self._history, self.out)  # before the checkpoint, which both may be ahead of, not behind
        between()
        save_checkpoint(self._trainer, self.out, self._journal, between)
        if kept or self.keeps_this_step:
            keep(self.out, step)
        if best:
            keep(self.out, step, best=True)
        between()
        self._product.write(self.out, self._trainer)
        write_summary(self._summary())
        if self._trainer.progress >= 1:
            settle(self.out)
        self.step, self._at = step, time.monotonic()
        self.seconds += time.perf_counter() - began

    def save_film(self) -> None:
        """Write what was drawn alone. Raises NotSaved."""
        try:
            write_film(self._film, self.out)
        except Refusal as refusal:
            raise NotSaved(str(refusal), refusal.details) from refusal

    @property
    def keeps_this_step(self) -> bool:
        """Whether the checkpoint of the step just done is one of every so many that are kept."""
        every, step = self._order.keep_every, self._trainer.step
        return every is not None and every > 0 and step > 0 and step % every == 0

    def snapshot(self) -> Path:
        """The averaged weights as they are, in a folder of their own that will not change. Raises Refusal."""
        step = self._trainer.step
        if step not in self._snapshots or not self._snapshots[step].is_dir():
            name = f"{self.out.name} step {step}"
            folder, again = self.out / "snapshots" / name, 2
            while folder.exists():  # from before the run was interrupted, perhaps with other bits
                folder, again = folder.with_name(f"{name} ({again})"), again + 1
            self._product.write(folder, self._trainer, name)
            self._snapshots[step] = folder
        return self._snapshots[step]

    def _summary(self) -> RunSummary:
        trainer, request = self._trainer, self._trainer.request
        return RunSummary(
            folder=self.out,
            name=self.out.name,
            step=trainer.step,
            steps=request.steps,
            minutes=request.minutes,
            finished=trainer.progress >= 1,
            seconds=trainer.seconds,
            loss=self._history.recent_loss(),
            size=self._data.pictures.shape[1],
            data_name=self._data.name,
            count=len(self._data),
            pictures=self._data.source,
            changed=time.time(),
            parameters=parameters_of(trainer),
            batch=request.batch,
            precision=request.precision,
        )


def parameters_of(trainer: Trainer) -> int:
    return sum(parameter.numel() for parameter in trainer.network.parameters())
