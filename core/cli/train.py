"""``main.py train``: a training run on a folder, without a window."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from core.cli.answering import answers_of
from core.cli.expecting import expected
from core.cli.output import Progress, clock, counted, report
from core.cli.reading import said_reading
from core.device import pick_device
from core.errors import Cancelled, Refusal
from core.farewell import ENDING, on_farewell
from core.library import NetworkModel
from core.model_folder import find_model, open_model
from core.requests import ScheduleSpec
from core.training.checkpoint import read_request
from core.training.dataset import PictureFolder
from core.training.events import Event, PathChanged, RolledBack, TrainStep
from core.training.following import follow
from core.training.group import Group, joining
from core.training.order import TrainOrder
from core.training.request import TrainRequest
from core.training.run import TrainReport, train_on_folder
from core.training.session import TrainingSession
from core.training.trainer import Trainer

DEFAULT_MINUTES = 20.0
SKIPPED_SHOWN = 5
WAIT_SECONDS = 15.0
"""Between two looks whether a full disk has room again."""
SAMPLES = 16
SETTINGS = ("preset", "batch", "seed", "lr", "prediction", "objective", "variance", "timestep_sampler", "keep_every",
            "validation", "samples_from", "compile")  # fmt: skip


def train(options: argparse.Namespace) -> int:
    """Train, or go on with a run; raises Refusal, and Cancelled after Ctrl-C once the run is saved."""
    device = pick_device(options.device)
    with joining(device) as group:
        if group.rank == 0:
            return _lead(options, device, group)
        follow(group, options.folder, device)
        return 0


def _lead(options: argparse.Namespace, device: str, group: Group) -> int:
    before = read_request(options.out)
    if before is not None and not options.resume:
        raise Refusal(f"{options.out} already holds a training run. Add --resume to go on with it, or name another.")
    _refuse_misfits(options)
    base = _base(options, before, device)
    progress = Progress(options.progress)
    with interrupting(insisting=not group.is_shared) as interrupted:
        watcher = _Watcher(progress, interrupted)
        done = train_on_folder(
            options.folder,
            options.out,
            size=options.size,
            reading=said_reading(options),
            **_length(options, before),
            resume=options.resume,
            base=base,
            device=device,
            samples=SAMPLES,
            check=watcher.check,
            on_tick=watcher.tick,
            on_decoded=watcher.decoded,
            on_folder=watcher.found,
            on_session=watcher.begun,
            on_event=watcher.happened,
            on_full=watcher.waits,
            on_stop=watcher.stopped,
            **_settings(options, before, base) | _shared_batch(options, before, group),
        )
    progress.close()
    _report(options, done)
    return 0


def _length(options: argparse.Namespace, before: TrainRequest | None) -> dict[str, Any]:
    if before is None and options.steps is None and options.minutes is None:
        return {"minutes": DEFAULT_MINUTES}
    return {"steps": options.steps, "minutes": options.minutes}


def _shared_batch(options: argparse.Namespace, before: TrainRequest | None, group: Group) -> dict[str, Any]:
    """--batch is each process's; all of them together keep the batch of a run that goes on."""
    each = options.batch if options.batch is not None or before is not None else TrainOrder(options.out).batch
    return {} if each is None or not group.is_shared else {"batch": each * group.world}


def _settings(options: argparse.Namespace, before: TrainRequest | None, base: NetworkModel | None) -> dict[str, Any]:
    """What was said; what is left open is as in the run that goes on, or as usual."""
    said = {name: getattr(options, name) for name in SETTINGS if getattr(options, name) is not None}
    if options.flip:
        said["flip"] = True
    if options.never_flip:
        said["never_flipped"] = tuple(options.never_flip)
    if options.precision != "auto":
        said["precision"] = options.precision
    if (options.schedule, options.T, options.zero_snr) != (None, None, False):
        said["schedule"] = ScheduleSpec(options.schedule or "linear", options.T or 1000, zero_snr=options.zero_snr)
    if options.classifier:
        said |= {"task": "classifier", "noised": not options.clean}
    learns = said.get("variance", base.info.variance if base else "fixed") != "fixed"
    if learns and before is None and "objective" not in said:
        said["objective"] = "hybrid"
    return said


def _refuse_misfits(options: argparse.Namespace) -> None:
    """Options that have no meaning beside others."""
    if options.never_flip and not options.flip:
        raise Refusal("Without --flip no picture is mirrored: add it, or leave --never-flip out.")
    if options.classifier:
        for name in ("prediction", "objective", "variance", "base"):
            if getattr(options, name) is not None:
                option = "from" if name == "base" else name
                raise Refusal(f"A classifier knows no --{option}: leave it out, or leave out --classifier.")
    elif options.clean:
        raise Refusal("Only a classifier is trained on clean pictures: add --classifier, or leave --clean out.")
    if options.base is not None:
        kept = [name for name in ("preset", "prediction", "variance", "schedule", "T") if getattr(options, name)]
        if kept or options.zero_snr:
            option = f"--{kept[0] if kept else 'zero-snr'}"
            raise Refusal(f"A fine-tuning keeps the network, prediction and schedule of its model: leave {option} out.")
    elif options.answer:
        raise Refusal("Only a model's file asks for answers: name it by --from, or leave --answer out.")


def _base(options: argparse.Namespace, before: TrainRequest | None, device: str) -> NetworkModel | None:
    if options.base is None:
        return None
    path = find_model(options.base)
    base = NetworkModel(open_model(path, device, answers_of(options, path)))
    if before is not None and before.base != base.info.ref:
        raise Refusal(f"The run in {options.out} did not begin from {options.base}. Leave --from out to go on with it.")
    return base


class _Watcher:
    """Shows a run's progress, and stops it in the middle of a step, saved, when Ctrl-C was pressed."""

    def __init__(self, progress: Progress, interrupted: list[bool]) -> None:
        self._progress, self._interrupted = progress, interrupted
        self._loss: float | None = None
        self._trouble = ""

    def check(self) -> None:
        if self._interrupted:
            raise Cancelled

    def decoded(self, done: int, total: int) -> None:
        self._progress.step(done, total, unit="file")
        self.check()

    def found(self, data: PictureFolder) -> None:
        classes = f" in {len(data.classes)} classes" if data.classes else ""
        self._progress.say(f"{counted(len(data), 'picture')}{classes}")
        for name, why in data.skipped[:SKIPPED_SHOWN]:
            self._progress.say(f"skipped {name}: {why}")
        if len(data.skipped) > SKIPPED_SHOWN:
            self._progress.say(f"skipped {len(data.skipped) - SKIPPED_SHOWN} more")

    def begun(self, session: TrainingSession) -> None:
        for words in (*session.notes, *expected(session)):
            self._progress.say(words)

    def tick(self, trainer: Trainer, step: TrainStep) -> None:
        self._loss = step.loss if self._loss is None else 0.98 * self._loss + 0.02 * step.loss
        words = f"loss {self._loss:.4f}"
        if trainer.request.minutes is not None:
            words += f", {clock(60 * trainer.request.minutes * (1 - trainer.progress))} to go"
        self._progress.step(step.step, trainer.request.steps, words)

    def happened(self, event: Event) -> None:
        match event:
            case RolledBack(at=at, step=step, lr_scale=lr_scale, why=why):
                rate = f"a learning rate times {lr_scale:g}"
                self._progress.say(f"step {at}: {why}. Going on from step {step} with {rate}")
            case PathChanged(step=step, words=words, why=why):
                self._progress.say(f"from step {step + 1} on: {words}" + (f" ({why})" if why else ""))

    def waits(self, refusal: Refusal) -> None:
        """Until there may be room; Ctrl-C ends it."""
        if str(refusal) != self._trouble:
            self._trouble = str(refusal)
            self._progress.say(f"{refusal} The training waits and keeps what it has learned; Ctrl-C ends it.")
        until = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < until:
            self.check()
            time.sleep(0.1)

    def stopped(self, step: int) -> None:
        self._progress.say(f"saving step {step}; --resume goes on from there")


@contextmanager
def interrupting(insisting: bool = True) -> Iterator[list[bool]]:
    """A list that is filled by the first Ctrl-C, or whatever else asks this process to end; the second one, where
    ``insisting``, interrupts at once. Processes that train together hear Ctrl-C alone here."""
    pressed: list[bool] = []

    def press(number: int, frame: FrameType | None) -> None:
        pressed.append(True)
        if insisting and len(pressed) > 1:
            raise KeyboardInterrupt

    give_back = on_farewell(press, ENDING if insisting else ("SIGINT",))
    try:
        yield pressed
    finally:
        give_back()


def _report(options: argparse.Namespace, done: TrainReport) -> None:
    result = {
        "out": str(options.out),
        "step": done.step,
        "seconds": round(done.seconds, 2),
        "loss": done.loss,
        "skipped": [{"name": name, "why": why} for name, why in done.skipped],
    }
    if done.loss is None:
        words = f"{options.out}: finished already, after {done.step} steps"
    else:
        words = f"{options.out}: {done.step} steps in {clock(done.seconds)}, loss {done.loss:.4f}"
    report(result, options.json, words)
