"""A training run in the hands of whoever advances it: the engine, or a command."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from core.errors import Diverged, Refusal, is_out_of_memory
from core.files import clear_leftovers
from core.library import NetworkModel
from core.messages import TrainingRolledBack, TrainingStarted, TrainingValidated
from core.pace import Pace
from core.training.checkpoint import FILE as CHECKPOINT
from core.training.checkpoint import find_checkpoint, load_checkpoint, read_request, restore_checkpoint
from core.training.claim import check_free
from core.training.classification import apart
from core.training.dataset import PictureFolder
from core.training.drawing import Drawing
from core.training.events import Event, PathChanged, RolledBack, Saved, TrainStep
from core.training.film import FILE as FILM
from core.training.film import Film, read_film, told
from core.training.history import FILE as HISTORY
from core.training.history import History, read_history, write_history
from core.training.journal import Journal
from core.training.keeping import duplicate, forget_after
from core.training.order import Instruction, TrainOrder
from core.training.path_keeper import PathKeeper
from core.training.product import ClassifierProduct, ModelProduct, Origin, Product
from core.training.recovery import RECENT, NotEnoughMemory, Watch, gave_up, rescues_made
from core.training.resolve import resolved
from core.training.runs import FILE as SUMMARY
from core.training.runs import finished_at
from core.training.saving import NotSaved, Saver, nothing, parameters_of
from core.training.split import ALIKE, kept_aside, split
from core.training.trainer import Trainer
from core.training.training_pace import remember_pace
from core.training.validation import Validator
from core.unet_config import UNetConfig
from core.unet_work import unet_work

__all__ = ["NotSaved", "TrainingSession", "nothing"]

MOST_OVERHEAD = 0.25
"""What drawing and saving may add to the time foretold."""
SETTLED = 5.0
"""Seconds of work after which a run's pace is worth remembering."""
NONE_ASIDE = "No pictures are kept aside, so its accuracy is not measured: with ten of a class, one would be."


def validates_every(steps: int | None) -> int:
    """After how many steps a run of so many (None: as many as there is time for) looks at the pictures kept aside."""
    return 100 if steps is None else min(250, max(50, steps // 40))


class TrainingSession:
    """A run that lies in ``out``, begun or gone on with.

    The same request gives the same bits, however often the run was left, killed and gone on with on one machine: every
    random number comes from the trainer's own generators, and what else decides bits (the path of the kernels, a
    lowered learning rate) is in the journal before the first step that it holds for, and done again from there. Two
    things depend on the clock by nature: a run by minutes, whose learning rate follows the time spent in steps, and
    after how many steps samples are drawn.

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
        be trained: the folder holds another run or is another process's, the pictures do not fit it, its checkpoints
        are damaged."""
        self.order, self.out, self.device, self.check = order, order.out, device, check
        _refuse_bytes(self.out)
        check_free(self.out)
        for path in (self.out, *(self.out / file for file in (CHECKPOINT, HISTORY, FILM, SUMMARY))):
            clear_leftovers(path)
        before = read_request(self.out)
        resumes = order.resume and before is not None
        aside: PictureFolder | None = None
        classifies = (order if before is None else before).task == "classifier"
        rows, are_without_twins = split(order, before, data, check)
        if classifies:
            data, aside = apart(data, rows)
        self.request, self.data, begin = resolved(order, data, base, device, network, rows)
        self.notes = begin.notes if begin else ()
        if aside is not None:
            kept = f"Of its pictures {len(aside):,} are kept aside, to measure on what it has not seen."
            self.notes += (kept if len(aside) else NONE_ASIDE,)
        else:
            self.data, aside = kept_aside(self.data, rows)
        self.notes += () if are_without_twins else (ALIKE,)
        weights = begin.weights if begin else None
        self.trainer = Trainer(self.request, self.data, device=device, check=check, weights=weights)
        self.journal, self.history, self.film = Journal(self.out, begins=not resumes), History(), Film()
        self._path = PathKeeper(self.trainer, self.journal, order.compile)
        weakref.finalize(self, self._path.close)  # however the run is left
        if resumes:
            self._go_on()
        origin = Origin(self.out, base.info if base else None, resumes, description, licence)
        self._product: Product = (
            ClassifierProduct(self.request, self.data, aside, origin)
            if classifies
            else ModelProduct(self.request, self.data, origin)
        )
        aside = aside.in_channels(self.request.network.in_channels)
        self._validator = Validator(self.request, aside, self.trainer.task) if len(aside) else None
        self._pace = Pace()
        self._drawing = Drawing(order, self.trainer, self._product, self.film, self._pace)
        self._saver = Saver(order, self.trainer, self.data, self._product, self.journal, self.history, self.film)
        self._watch = Watch(self.history.losses[-Watch.LONGEST :])
        self._keeps_next = False

    def _go_on(self) -> None:
        """Be where the run in the folder was."""
        note = load_checkpoint(self.trainer, self.out, self.journal)
        self._path.resume()
        self.history, self.film = read_history(self.out), read_film(self.out)
        self.notes += tuple(filter(None, (note, self.journal.note, self.history.note, self.film.note)))
        self.history.cut_to(self.trainer.step)
        self.film.cut_to(self.trainer.step)

    # ------------------------------------------------------------------------------------------------ the run

    def work(self) -> Iterator[Event | None]:
        """Train to the end: one event an item, and None for every step of the sampler before a set of samples.

        May be begun again after it was left, or has raised. Raises Diverged where the loss is no number any more, or
        has exploded, and nothing is left to try; NotEnoughMemory where a step did not fit; Refusal where the folder is
        another process's or cannot be written at the start, and NotSaved where it cannot be written later; the last
        checkpoint stays.
        """
        if self._is_over:
            return
        if self._saver.step < 0 or self._saver.is_due():  # says at once where nothing can be written
            yield from self._save()
        yield from self._draw_if_due()
        while self.trainer.progress < 1:
            yield from self._path.before_step()
            yield from self._step()
            if self.trainer.progress < 1:
                yield from self._look_after()
        if self._drawing.belongs_to_checkpoint(stays=True, best=False):
            yield from self._draw()
        yield from self._validate(at_the_end=True)
        yield from self._save()

    @property
    def _is_over(self) -> bool:
        """Whether nothing is left to do, also of what a killed process would have written last."""
        known = self._saver.step if self._saver.step >= 0 else finished_at(self.out)
        return self.trainer.progress >= 1 and known == self.trainer.step

    def _step(self) -> Iterator[Event]:
        try:
            done = self._try_step()
        except Diverged as diverged:
            yield self._roll_back(diverged.step, "its loss is no longer a number", [diverged.step - 2])
            return
        self.history.add(done)
        self._watch.add(done.loss)
        self._pace.stepped(done.seconds)
        yield done
        self._path.after_step(done, self.eta)
        if self._watch.has_exploded:
            at, words = done.step, f"its loss has risen to {self._watch.times_usual:.0f} times what was usual"
            yield self._roll_back(at, words, [at - RECENT, at - 2])

    def _try_step(self) -> TrainStep:
        try:
            return self.trainer.one_step()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            words = repr(error)
        self._path.was_too_large()
        # Not while the error is at hand, which holds on to all that the step had made.
        raise NotEnoughMemory(self.trainer.path.micro_batch, words)

    def _look_after(self) -> Iterator[Event | None]:
        """What is due between two steps."""
        yield from self._validate()
        best, kept = self._is_best, self._keeps_next
        if best or kept or self._saver.is_due(self._watch.is_suspicious):
            if self._drawing.belongs_to_checkpoint(stays=kept or self._saver.keeps_this_step, best=best):
                yield from self._draw()  # before it, so that they are in the folder together
            yield from self._save()
        yield from self._draw_if_due()

    def instruct(self, instruction: Instruction) -> None:
        """Do what a person asks of the training under way, from its next step on."""
        if instruction.samples_from is not None:
            self._drawing.weights = instruction.samples_from
        if instruction.draw:
            self._drawing.asked, self._drawing.has_given_up = True, False
        self._keeps_next |= instruction.save
        if instruction.micro_batch is not None:
            self._path.wish_parts(instruction.micro_batch)

    # ------------------------------------------------------------------------------------------------ misfortune

    def _roll_back(self, at: int, why: str, at_most: list[int]) -> RolledBack:
        """Go back to the newest good checkpoint with half of the learning rate. A step that fails right after a
        checkpoint would fail whatever the rate, so that one is none of them."""
        trainer, lr_scale = self.trainer, self.trainer.lr_scale
        found = None
        if rescues_made(lr_scale) < self.order.rescues:
            sought = (find_checkpoint(self.out, self.journal, steps) for steps in at_most)
            found = next((checkpoint for checkpoint in sought if checkpoint is not None), None)
        if found is None:
            good = find_checkpoint(self.out, self.journal)
            raise gave_up(at, why, self.request, lr_scale, good.step if good else None)
        event = RolledBack(at, found.step, lr_scale / 2, why)
        self._path.go_back(found.step, event.lr_scale, f"Step {at}: {why}.")
        restore_checkpoint(trainer, found.path)
        trainer.lr_scale = event.lr_scale
        if found.path != self.out / CHECKPOINT:
            duplicate(found.path, self.out / CHECKPOINT)
        forget_after(self.out, found.step)
        self.history.add_rolled_back(event)
        with suppress(Refusal):
            write_history(self.history, self.out)
        self.film.cut_to(found.step)
        self._watch = Watch(self.history.losses[-Watch.LONGEST :])
        self._saver.taken_back_to(found.step)
        return event

    # ------------------------------------------------------------------------------------------------ samples, files

    def _draw_if_due(self) -> Iterator[Event | None]:
        if self._drawing.is_due:
            yield from self._draw()

    def _draw(self) -> Iterator[Event | None]:
        """Samples; where memory is short, the word that the training does without them."""
        try:
            yield from self._drawing.draw(self.device, self.check)
            return
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        self._drawing.has_given_up = True
        yield self._without("samples are drawn only when you ask for them")

    @property
    def draws(self) -> bool:
        """Whether samples can be drawn of it."""
        return self._drawing.is_possible

    def draw(self) -> Iterator[Event | None]:
        """Draw samples between two items of ``work``, which notices nothing, and keep them: None after each step of the
        sampler, in the end what was drawn. Raises NotSaved where they cannot be written."""
        yield from self._draw()
        if self._saver.step >= 0:
            self._saver.save_film()

    def _validate(self, at_the_end: bool = False) -> Iterator[Event]:
        """The loss on the pictures kept aside, after steps that no clock has chosen; where memory is short, the word
        that the training does without it."""
        step = self.trainer.step
        if self._validator is None or not (at_the_end or step % validates_every(self.request.steps) == 0):
            return
        if any(known.step == step for known in self.history.validated):
            return
        try:
            found = self._validator.measure(self.trainer.averaged().to(self.device), self.check, step)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            found = self._validator = None
        if found is None:
            yield self._without("the pictures kept aside are not measured any more")
            return
        self.history.add_validated(found)
        yield found

    def _without(self, what: str) -> PathChanged:
        return PathChanged(self.trainer.step, self.trainer.path.words, f"there was not enough memory: {what}")

    @property
    def _is_best(self) -> bool:
        """Whether the step just done is the best so far on the pictures kept aside."""
        known = self.history.validated
        if not (known and self.order.keep_best and known[-1].step == self.trainer.step):
            return False
        return known[-1].loss <= min(other.loss for other in known)

    def _save(self) -> Iterator[Event]:
        if not self._saver.measure(self.check):
            yield self._without("how many pictures it recognises is not measured any more")
        self._saver.save(self.check, best=self._is_best, kept=self._keeps_next)
        self._keeps_next = False
        yield from self.news()
        if self._pace.working > SETTLED:
            side, is_half = self.data.pictures.shape[1], self.request.task == "classifier"
            flops = unet_work(self.request.network, side, only_encoder=is_half).flops
            remember_pace(self.device, flops, self.images_per_second)
        yield Saved(self.trainer.step)

    def save(self) -> None:
        """Write the run as it was after its last whole step. Raises NotSaved, or Refusal where nothing was ever
        written."""
        self._saver.save(best=self._is_best, kept=self._keeps_next)
        self._keeps_next = False

    def news(self) -> Iterator[Event]:
        """What has become of its folder, once, where a save has found it gone."""
        moved, self._saver.moved = self._saver.moved, ""
        if moved:
            yield PathChanged(self.trainer.step, self.trainer.path.words, moved)

    def snapshot(self) -> Path:
        """The averaged weights as they are, in a folder of their own that will not change. Raises Refusal."""
        return self._saver.snapshot()

    # ------------------------------------------------------------------------------------------------ what is told

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
        beside = (self._pace.previewing + self._saver.seconds) / self._pace.working if self._pace.working else 0.0
        return max(0.0, left) * (1 + min(MOST_OVERHEAD, beside))

    def started(self, job: int) -> TrainingStarted:
        """What the window is told at the beginning."""
        request, history = self.request, self.history
        return TrainingStarted(
            job=job,
            name=self.out.name,
            folder=str(self.out),
            pictures=len(self.data),
            labels=request.labels,
            parameters=parameters_of(self.trainer),
            batch=request.batch,
            precision=request.precision,
            step=self.trainer.step,
            total=request.steps,
            minutes=request.minutes,
            losses=history.losses,
            samples=tuple(told(drawn, job) for drawn in self.film.sets),
            notes=self.notes,
            path=self.trainer.path.words,
            norms=history.norms,
            rates=history.rates,
            by_level=history.by_level,
            validated=tuple(TrainingValidated(job, v.step, v.loss, v.by_level) for v in history.validated),
            rolled_back=tuple(TrainingRolledBack(job, b.at, b.step, b.lr_scale, b.why) for b in history.rolled_back),
            request=request,
        )


def _refuse_bytes(out: Path) -> None:
    """Raises Refusal for a folder that no model could be opened from again."""
    try:
        str(out).encode()
    except UnicodeEncodeError as error:
        raise Refusal(f"{out} has a name that is no text (UTF-8). Name another folder for the run.") from error
