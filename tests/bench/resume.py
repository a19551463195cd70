"""Kills a training with SIGKILL at random moments and looks whether it ends on the same bytes as one left in peace.

    python -m tests.bench.resume --kills 20 --steps 400 [--compiled]

Each process trains on as if nothing had been, and is killed again: while it starts, within a step, while it draws,
validates or saves. In the end the averaged weights, the curves, and everything that the last checkpoint holds but the
clock's seconds are compared, byte by byte. With --compiled both runs go over to compiled kernels and bfloat16's
vectors, on two threads, after the same step; by itself that step depends on how long compiling takes.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from core.training.compilation import Wish
from core.training.history import FILE as HISTORY
from core.training.keeping import KEPT, LATEST, list_checkpoints, step_of
from core.training.trainer import Trainer

ROOT = Path(__file__).resolve().parents[2]
WEIGHTS = Path("unet") / "diffusion_pytorch_model.safetensors"
SIDE = 16
COMPILED_FROM = 20
"""The last step before it goes over to compiled kernels."""


def make_pictures(folder: Path, count: int = 120) -> Path:
    """Two classes of random blocks, so that some are kept aside."""
    rng = np.random.default_rng(0)
    for index in range(count):
        path = folder / ("even" if index % 2 else "odd") / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        blocks = rng.integers(0, 256, (4, 4), np.uint8)
        Image.fromarray(np.kron(blocks, np.ones((SIDE // 4, SIDE // 4), np.uint8))).save(path)
    return folder


def say(step: int) -> None:
    print(step, flush=True)


class AtOneStep:
    """Stands in for ``Compilation``, which looks at the clock: kernels are taken after one certain step."""

    def __init__(self, trainer: Trainer, wanted: bool = True) -> None:
        self._trainer = trainer

    def after_step(self, seconds: float, remaining: float) -> Wish | None:
        path = self._trainer.path
        is_time = self._trainer.step == COMPILED_FROM and not path.compiled
        return Wish(replace(path, compiled=True), "as the comparison wants it") if is_time else None

    def close(self) -> None:
        pass


def train(
    folder: Path, out: Path, steps: int, tell: Callable[[int], object] = say, *, is_compiled: bool = False
) -> None:
    """What a child process does: begin the run in ``out``, or go on with it, to its end. Tells each step that is done.

    Its settings have every kind of state: dropout, a sampler of timesteps that learns, mirrored pictures, dropped
    labels, kept checkpoints, pictures kept aside, samples.
    """
    from core.training import path_keeper
    from core.training.run import train_on_folder
    from core.unet_config import UNetConfig

    if is_compiled:
        torch.set_num_threads(2)
        path_keeper.Compilation = AtOneStep  # type: ignore[assignment,misc]

    network = UNetConfig(
        sample_size=SIDE,
        in_channels=1,
        out_channels=1,
        block_out_channels=(16, 32),
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        norm_num_groups=4,
        dropout=0.1,
        num_class_embeds=3,
    )
    train_on_folder(
        folder,
        out,
        size=SIDE,
        steps=steps,
        resume=True,
        network=network,
        samples=2,
        sample_every=1.0,
        save_every=0.3,
        batch=8,
        flip=True,
        timestep_sampler="loss_second_moment",
        keep_every=max(1, steps // 4),
        precision="bfloat16" if is_compiled else "float32",
        on_tick=lambda trainer, step: tell(step.step),
    )


def begin(folder: Path, out: Path, steps: int, *, is_compiled: bool = False) -> subprocess.Popen[str]:
    """A child process that trains."""
    paths = f"Path({str(folder)!r}), Path({str(out)!r})"
    code = f"from tests.bench.resume import *; train({paths}, {steps}, is_compiled={is_compiled})"
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=ROOT)


def finish(child: subprocess.Popen[str]) -> tuple[float, float]:
    """Seconds until its first step, and from there to its end; raises where it did not end well."""
    began = time.monotonic()
    assert child.stdout is not None
    child.stdout.readline()
    first = time.monotonic()
    child.communicate()
    if child.returncode:
        raise SystemExit(f"a training ended with code {child.returncode}")
    return first - began, time.monotonic() - first


def kill(child: subprocess.Popen[str]) -> None:
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert child.returncode == -signal.SIGKILL


def contents(out: Path) -> dict[str, str]:
    """What must not depend on interruptions, by name: SHA-256 of each."""
    from safetensors import safe_open

    found = {str(path): hashlib.sha256((out / path).read_bytes()).hexdigest() for path in (WEIGHTS, HISTORY)}
    for path in (
        LATEST,
        *(KEPT / checkpoint.path.name for checkpoint in list_checkpoints(out) if not checkpoint.latest),
    ):
        with safe_open(str(out / path), framework="np") as file:
            for name in sorted(file.keys()):
                found[f"{path}: {name}"] = hashlib.sha256(file.get_tensor(name).tobytes()).hexdigest()
    return found


def differences(out: Path, other: Path) -> list[str]:
    """The names of what is not the same in two finished runs."""
    mine, theirs = contents(out), contents(other)
    return sorted(name for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--compiled", action="store_true", help="by compiled kernels after the first steps (minutes)")
    options = parser.parse_args()
    moments = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as place:
        os.environ["DIFFUSCOPE_HOME"] = str(Path(place) / "home")
        folder = make_pictures(Path(place) / "pictures")
        whole, killed = Path(place) / "whole", Path(place) / "killed"

        def child_of(out: Path) -> subprocess.Popen[str]:
            return begin(folder, out, options.steps, is_compiled=options.compiled)

        if options.compiled:
            finish(begin(folder, Path(place) / "first", COMPILED_FROM + 1, is_compiled=True))  # makes the kernels
        start, work = finish(child_of(whole))
        print(f"never killed: {options.steps} steps in {work:.1f} s, after {start:.1f} s to start")
        for number in range(1, options.kills + 1):
            child = child_of(killed)
            moment = moments.uniform(0.5 * start, start + 1.5 * work / options.kills)
            try:
                child.wait(moment)
            except subprocess.TimeoutExpired:
                kill(child)
                print(
                    f"kill {number:2} after {moment:5.2f} s: step {step_of(killed / LATEST)} is on the disk", flush=True
                )
            else:
                print(f"kill {number:2}: the run had ended before {moment:.2f} s")
        finish(child_of(killed))
        wrong = differences(killed, whole)
        count = len(contents(whole))
    print(f"{count - len(wrong)} of {count} parts have the same bytes" + "".join(f"\n  not {name}" for name in wrong))
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
