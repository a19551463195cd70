"""A training run in the hands of whoever advances it: the engine, or a command."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from core.dataspec import ImageSpec
from core.errors import Refusal
from core.files import clear_leftovers
from core.library import NetworkModel
from core.messages import TrainingStarted
from core.model_folder import OpenModel
from core.pace import PREVIEW_SHARE, Pace
from core.training.checkpoint import FILE as CHECKPOINT
from core.training.checkpoint import load_checkpoint, read_request, save_checkpoint
from core.training.claim import claim
from core.training.classification import apart
from core.training.dataset import PictureFolder
from core.training.events import Drawn, Event, Saved
from core.training.film import FILE as FILM
from core.training.film import Film, read_film, told, write_film
from core.training.history import FILE as HISTORY
from core.training.history import History, read_history, write_history
from core.training.order import Instruction, TrainOrder
from core.training.product import ClassifierProduct, ModelProduct, Origin, Product
from core.training.resolve import resolved
from core.training.runs import FILE as SUMMARY
from core.training.runs import RunSummary, remember, write_summary
from core.training.samples import draw
from core.training.trainer import Trainer
from core.unet_config import UNetConfig

FIRST_SAMPLES = 7.5
"""Seconds of work after which samples are drawn a second time; then after twice as long, and so on."""
MOST_OVERHEAD = 0.25
"""What drawing and saving may add to the time foretold."""
NONE_ASIDE = "No pictures are kept aside, so its accuracy is not measured: with ten of a class, one would be."


class NotSaved(Refusal):
    """What was learned since the last checkpoint could not be written. The run in memory is whole and can go on."""


def nothing() -> None:
    pass


class TrainingSession:
    """A run that lies in ``out``, begun or gone on with.

    Attributes: ``request``, all that decides its bits; ``trainer``; ``history``, its losses; ``film``, what it
    has drawn; ``data``, its pictures as the network sees them; ``notes``, what the person should know of its beginning.
    """

    def __init__(
        self,
        order: TrainOrder,
        data: PictureFolder,
        base: NetworkModel | None = None,
        *,
        device: str = "cpu",
        check: Callable[[], None] = nothing,
        network: UNetConfig | None = None,
        description: str = "",
        licence: str = "",
    ) -> None:
        """``check`` is called between the parts of a step: it may do other work, or raise Cancelled. ``base`` is the
        model that ``order.base`` names; ``network`` takes the place of the preset's. Raises Refusal where nothing can
        be trained: the folder holds another run, the pictures do not fit it, its checkpoint is damaged."""
        self.order, self.out, self.device, self.check = order, order.out, device, check
        for path in (self.out, *(self.out / file for file in (CHECKPOINT, HISTORY, FILM, SUMMARY))):
            clear_leftovers(path)
        resumes = order.resume and (self.out / CHECKPOINT).is_file()
        before = read_request(self.out)
        aside: PictureFolder | None = None
        if (order if before is None else before).task == "classifier":
            data, aside = apart(data)
        self.request, self.data, begin = resolved(order, data, base, device, network)
        self.notes = begin.notes if begin else ()
        if aside is not None:
            kept = f"{len(aside)} pictures are kept aside, to measure on what it has not seen."
            self.notes += (kept if len(aside) else NONE_ASIDE,)
        weights = begin.weights if begin else None
        self.trainer = Trainer(self.request, self.data, device=device, check=check, weights=weights)
        self.history, self.film = History(), Film()
        if resumes:
            load_checkpoint(self.trainer, self.out)
            self.history, self.film = read_history(self.out), read_film(self.out)
            self.notes += tuple(filter(None, (self.history.note, self.film.note)))
            self.history.cut_to(self.trainer.step)
            self.film.cut_to(self.trainer.step)
        origin = Origin(self.out, base.info if base else None, resumes, description, licence)
        self._product: Product = (
            ModelProduct(self.request, self.data, origin)
            if aside is None
            else ClassifierProduct(self.request, self.data, aside, origin)
        )
        self._samples = order.samples if self._product.draws else 0
        self._pace = Pace()
        self._saving = 0.0
        self._saved_at: float | None = None
        self._saved_step = self._drawn_step = -1
        self._draw_next = 0.0 if not self.film.sets else self._next_drawing()
        self._snapshots: dict[int, Path] = {}

    # ------------------------------------------------------------------------------------------------ the run

    def work(self) -> Iterator[Event | None]:
        """Train to the end: one step an item, each set of samples with None for every step of the sampler before it,
        and each save. May be begun again after it was left, or has raised. Raises Refusal where a loss is no number any
        more, where the folder is another process's or cannot be written at the start, and NotSaved where it cannot be
        written later; the last checkpoint stays."""
        if self.trainer.progress >= 1:
            return
        if self._saved_step < 0:  # says at once where nothing can be written
            yield self._save(self.check)
        if self._drawing_is_due():
            yield from self._draw()
        while True:
            done = self.trainer.one_step()
            self.history.add(done)
            self._pace.stepped(done.seconds)
            yield done
            if self.trainer.progress >= 1:
                break
            if self._saved_at is None or time.monotonic() - self._saved_at > self.order.save_every:
                yield self._save(self.check)
            if self._drawing_is_due():
                yield from self._draw()
        if self._samples and self._drawn_step != self.trainer.step:
            yield from self._draw()
        yield self._save(self.check)

    @property
    def _parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.trainer.network.parameters())

    @property
    def images_per_second(self) -> float:
        """Pictures a second in recent steps, 0 before the first."""
        return self.request.batch * self._pace.rate

    @property
    def eta(self) -> float:
        """Seconds to go, from recent steps, with the time that drawing and saving take."""
        if self.request.steps is not None:
            left = (self.request.steps - self.trainer.step) * self._pace.step_seconds
        else:
            left = 60 * (self.request.minutes or 0.0) - self.trainer.seconds
        beside = (self._pace.previewing + self._saving) / self._pace.working if self._pace.working else 0.0
        return max(0.0, left) * (1 + min(MOST_OVERHEAD, beside))

    def started(self, job: int) -> TrainingStarted:
        """What the window is told at the beginning."""
        return TrainingStarted(
            job=job,
            name=self.out.name,
            folder=str(self.out),
            pictures=len(self.data),
            labels=self.request.labels,
            parameters=self._parameters,
            batch=self.request.batch,
            precision=self.request.precision,
            step=self.trainer.step,
            total=self.request.steps,
            minutes=self.request.minutes,
            losses=self.history.losses,
            samples=tuple(told(drawn, job) for drawn in self.film.sets),
            notes=self.notes,
        )

    # ------------------------------------------------------------------------------------------------ samples

    def _drawing_is_due(self) -> bool:
        """Before the first step; then oftener at first, within a share of the run's time."""
        if not self._samples or self.trainer.seconds < self._draw_next:
            return False
        affordable = self._pace.previewing + self._pace.preview_seconds <= PREVIEW_SHARE * self._pace.working
        return affordable or self.trainer.step == 0

    def _next_drawing(self) -> float:
        seconds = self.trainer.seconds
        return seconds + min(self.order.sample_every, max(FIRST_SAMPLES, seconds))

    def _draw(self) -> Iterator[Drawn | None]:
        seconds = 0.0
        assert isinstance(self._product, ModelProduct)
        network, info = self._product.network(self.trainer), self._product.info
        opened = OpenModel(info, ImageSpec(info.event_shape), network, network.config, self.out)
        step = self.trainer.step
        items = draw(opened, self.order.samples, self.request.precision, self.device, self.check, step=step)
        drawn = None
        while drawn is None:
            began = time.perf_counter()
            drawn = next(items)
            seconds += time.perf_counter() - began
            if drawn is None:
                yield None
        self._pace.previewed(seconds)
        self._drawn_step, self._draw_next = step, self._next_drawing()
        self.film.add(drawn)
        yield drawn

    # ------------------------------------------------------------------------------------------------ files

    def save(self) -> None:
        """Write the run as it was after its last whole step: history, checkpoint, model. Raises NotSaved, or Refusal
        where nothing was ever written."""
        self._save(nothing, measures=False)

    def _save(self, between: Callable[[], None], measures: bool = True) -> Saved:
        if self._saved_step < 0:
            claim(self.out, self)
        try:
            return self._write(between, measures)
        except Refusal as refusal:
            if self._saved_step < 0:
                raise
            raise NotSaved(str(refusal), refusal.details) from refusal

    def _write(self, between: Callable[[], None], measures: bool) -> Saved:
        began = time.perf_counter()
        if measures:
            self._product.measure(self.trainer, between)
        write_film(self.film, self.out)
        write_history(self.history, self.out)  # before the checkpoint, which both may be ahead of, not behind
        between()
        save_checkpoint(self.trainer, self.out)
        between()
        self._product.write(self.out, self.trainer)
        write_summary(self._summary())
        if self._saved_step < 0 and self.data.source is not None:
            remember(self.out, self.data.source)
        self._saved_step, self._saved_at = self.trainer.step, time.monotonic()
        self._saving += time.perf_counter() - began
        return Saved(self.trainer.step)

    def instruct(self, instruction: Instruction) -> None:
        """Do what a person asks of the training under way, from its next step on."""

    def snapshot(self) -> Path:
        """The averaged weights as they are, in a folder of their own that will not change. Raises Refusal."""
        step = self.trainer.step
        if step not in self._snapshots:
            name = f"{self.out.name} step {step}"
            folder, again = self.out / "snapshots" / name, 2
            while folder.exists():  # from before the run was interrupted, perhaps with other bits
                folder, again = folder.with_name(f"{name} ({again})"), again + 1
            self._product.write(folder, self.trainer, name)
            self._snapshots[step] = folder
        return self._snapshots[step]

    def _summary(self) -> RunSummary:
        return RunSummary(
            folder=self.out,
            name=self.out.name,
            step=self.trainer.step,
            steps=self.request.steps,
            minutes=self.request.minutes,
            finished=self.trainer.progress >= 1,
            seconds=self.trainer.seconds,
            loss=self.history.recent_loss(),
            size=self.data.pictures.shape[1],
            data_name=self.data.name,
            count=len(self.data),
            pictures=self.data.source,
            changed=time.time(),
            parameters=self._parameters,
            batch=self.request.batch,
            precision=self.request.precision,
        )
