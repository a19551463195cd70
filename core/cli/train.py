"""``main.py train``: a training run on a folder, without a window."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, cast

from core.cli.output import Progress, clock, report
from core.device import SMALL_FLOPS, auto_precision, pick_device
from core.errors import Cancelled, Refusal
from core.requests import Precision
from core.training.checkpoint import read_request
from core.training.dataset import PictureFolder
from core.training.request import TrainRequest
from core.training.run import TrainReport, save_run, train_on_folder
from core.training.trainer import Trainer, TrainStep

DEFAULT_MINUTES = 20.0
SKIPPED_SHOWN = 5


def train(options: argparse.Namespace) -> int:
    """Train, or go on with a run; raises Refusal, and Cancelled after Ctrl-C once the run is saved."""
    before = read_request(options.out)
    if before is not None and not options.resume:
        raise Refusal(f"{options.out} already holds a training run. Add --resume to go on with it, or name another.")
    device = pick_device(options.device)
    progress = Progress(options.progress)
    with _interrupt() as interrupted:
        watcher = _Watcher(options.out, progress, interrupted)
        done = train_on_folder(
            options.folder,
            options.out,
            **_settings(options, before, device),
            resume=options.resume,
            device=device,
            on_tick=watcher.tick,
            on_decoded=watcher.decoded,
            on_folder=watcher.found,
        )
    progress.close()
    _report(options, done)
    return 0


def _settings(options: argparse.Namespace, before: TrainRequest | None, device: str) -> dict[str, Any]:
    """What the options say; what they leave open a resumed run has said before."""
    steps, minutes = options.steps, options.minutes
    if steps is None and minutes is None:
        steps, minutes = (before.steps, before.minutes) if before else (None, DEFAULT_MINUTES)
    return {
        "size": options.size or (before.network.sides[0] if before and before.network.sides else 32),
        "steps": steps,
        "minutes": minutes,
        "batch": options.batch or (before.batch if before else 64),
        "seed": options.seed if options.seed is not None else (before.seed if before else 0),
        "precision": _precision(options.precision, before, device),
    }


def _precision(asked: str, before: TrainRequest | None, device: str) -> Precision:
    if asked == "auto" and before is not None:
        return before.precision
    return auto_precision(device, SMALL_FLOPS) if asked == "auto" else cast(Precision, asked)


class _Watcher:
    """Shows a run's progress, and stops it between two steps, saved, when Ctrl-C was pressed."""

    def __init__(self, out: Path, progress: Progress, interrupted: list[bool]) -> None:
        self._out, self._progress, self._interrupted = out, progress, interrupted
        self._data: PictureFolder | None = None
        self._loss: float | None = None

    def decoded(self, done: int, total: int) -> None:
        self._progress.step(done, total, unit="file")
        if self._interrupted:
            raise Cancelled

    def found(self, data: PictureFolder) -> None:
        self._data = data
        classes = f" in {len(data.classes)} classes" if data.classes else ""
        self._progress.say(f"{len(data)} pictures{classes}")
        for name, why in data.skipped[:SKIPPED_SHOWN]:
            self._progress.say(f"skipped {name}: {why}")
        if len(data.skipped) > SKIPPED_SHOWN:
            self._progress.say(f"skipped {len(data.skipped) - SKIPPED_SHOWN} more")

    def tick(self, trainer: Trainer, step: TrainStep) -> None:
        self._loss = step.loss if self._loss is None else 0.98 * self._loss + 0.02 * step.loss
        words = f"loss {self._loss:.4f}"
        if trainer.request.minutes is not None:
            words += f", {clock(60 * trainer.request.minutes * (1 - trainer.progress))} to go"
        self._progress.step(step.step, trainer.request.steps, words)
        if self._interrupted and trainer.progress < 1:
            assert self._data is not None
            self._progress.say(f"saving step {step.step}; --resume goes on from there")
            save_run(trainer, self._data, self._out)
            raise Cancelled


@contextmanager
def _interrupt() -> Iterator[list[bool]]:
    """A list that is filled by the first Ctrl-C; the second one interrupts at once."""
    pressed: list[bool] = []

    def press(number: int, frame: FrameType | None) -> None:
        pressed.append(True)
        if len(pressed) > 1:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, press)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)


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
