"""How good a model is after so many minutes on a folder: this program beside denoising-diffusion-pytorch.

    python -m tests.bench.quality_for_time --data DIR [--minutes 20] [--threads 2] [--samples 1000] [--out WORK]
        [--who ours theirs] [--preset small]

DIR holds ``train`` and ``held_out``, as the recipe of the digits leaves them. Each trains on ``train`` for the minutes
of its own loop, alone on the machine, one after the other, on as many threads, in a process of its own: ours with the
preset and settings that it has by itself, the other with its own (dim 64, mults 1 2 4 8, batch 16, learning rate 1e-4,
v, average of 0.995), but never mirroring the pictures. Then each draws the samples with 50 steps of DDIM from its
averaged weights, without guidance (ours class by class as often as in the folder), and both are measured alike: the
Fréchet distance (Heusel et al. 2017), in the features of the bundled judge of digits, to as many held-out pictures,
beside that of as many training pictures; errors by bootstrap over samples and reference. What was trained and drawn
stays in WORK, and is not made again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from core.dataspec import ImageSpec
from core.recognisers import open_recogniser
from core.training.dataset import PictureFolder, open_folder
from core.training.order import TrainOrder
from tests.bench import theirs
from tests.bench.digits_quality import draw, frechet, pixels_to_x

AT_ONCE = 50
RESAMPLED = 200
STEPS = 50
Features = NDArray[np.float64]


@dataclass(frozen=True)
class Trained:
    """``steps`` of ``batch`` pictures in ``seconds``."""

    steps: int
    batch: int
    seconds: float


def train_ours(data: Path, work: Path, minutes: float, preset: str, samples: int) -> Trained:
    from core.model_folder import open_model
    from core.training.run import train_on_folder

    done = train_on_folder(data, work / "run", minutes=minutes, preset=preset)
    folder = open_folder(data)
    share = np.linspace(0, len(folder) - 1, samples).round().astype(int)
    labels = torch.from_numpy(folder.labels[share])
    drawn = draw(open_model(work / "run"), labels, 0.0, STEPS, 0, batch=AT_ONCE)
    _keep(work, ImageSpec(tuple(drawn.shape[1:])).to_picture(drawn.numpy()))
    return Trained(done.step, TrainOrder(work).batch, done.seconds)


def train_theirs(data: Path, work: Path, minutes: float, preset: str, samples: int) -> Trained:
    pictures = open_folder(data)
    channels, size = pictures.pictures.shape[3], pictures.pictures.shape[1]
    torch.manual_seed(0)
    model = theirs.diffusion(theirs.unet(64, channels), size, STEPS)
    trainer = theirs.trainer(model, data, work, train_num_steps=10**9)
    began = time.perf_counter()
    steps = theirs.train_for(trainer, lambda: time.perf_counter() - began > 60 * minutes)
    seconds = time.perf_counter() - began
    average = trainer.ema.ema_model.eval()
    drawn = [average.sample(batch_size=min(AT_ONCE, samples - start)) for start in range(0, samples, AT_ONCE)]
    x = torch.cat(drawn).clamp(0, 1)
    _keep(work, (x * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy())
    return Trained(steps, trainer.batch_size, seconds)


def _keep(work: Path, pictures: NDArray[np.uint8]) -> None:
    np.save(work / "samples.npy", pictures)


WHO = {"ours": train_ours, "theirs": train_theirs}


def one(who: str, options: argparse.Namespace) -> None:
    """In a process of its own: train, draw, and leave the samples and what it took."""
    torch.set_num_threads(options.threads)
    work = options.out / who
    work.mkdir(parents=True, exist_ok=True)
    done = WHO[who](options.data / "train", work, options.minutes, options.preset, options.samples)
    (work / "done.json").write_text(json.dumps(vars(done)))


def apart(who: str, options: argparse.Namespace) -> Trained:
    done = options.out / who / "done.json"
    if not done.is_file():
        told = [f"--{name}={getattr(options, name)}" for name in ("data", "out", "minutes", "threads", "preset")]
        told.append(f"--samples={options.samples}")
        environment = os.environ | {
            "OMP_NUM_THREADS": str(options.threads),
            "GOMP_SPINCOUNT": "1000",
            "TQDM_DISABLE": "1",
        }
        command = [sys.executable, "-m", "tests.bench.quality_for_time", *told, "--alone", who]
        subprocess.run(command, env=environment, check=True)
    return Trained(**json.loads(done.read_text()))


def features(pictures: NDArray[np.uint8]) -> Features:
    """What the bundled judge is given to decide by, for pictures uint8 (n, H, W, 1)."""
    judge = open_recogniser("digits-judge").recogniser
    return judge.features(pixels_to_x(pictures)).double().numpy()


def with_error(a: Features, b: Features, seed: int = 0) -> tuple[float, float]:
    """The Fréchet distance, and its standard deviation where samples and reference are drawn again with replacement."""
    draws = np.random.default_rng(seed)
    again = [
        frechet(a[draws.integers(0, len(a), len(a))], b[draws.integers(0, len(b), len(b))]) for _ in range(RESAMPLED)
    ]
    return frechet(a, b), float(np.std(again, ddof=1))


def some(data: PictureFolder, count: int) -> NDArray[np.uint8]:
    """So many pictures, evenly spread over the folder and so over its classes."""
    return data.pictures[np.linspace(0, len(data) - 1, min(count, len(data))).round().astype(int)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("quality_for_time"))
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--preset", default="small")
    parser.add_argument("--who", nargs="+", choices=list(WHO), default=list(WHO))
    parser.add_argument("--alone", choices=list(WHO), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        one(options.alone, options)
        return
    reference = features(some(open_folder(options.data / "held_out"), options.samples))
    real = with_error(features(some(open_folder(options.data / "train"), options.samples)), reference)
    print(f"{options.minutes:g} minutes on {options.threads} threads; {len(reference)} held-out pictures")
    print(f"{'training pictures':28}{real[0]:10.3f} ± {real[1]:.3f}")
    found: dict[str, tuple[float, float]] = {}
    for who in options.who:
        done = apart(who, options)
        found[who] = with_error(features(np.load(options.out / who / "samples.npy")), reference)
        value, error = found[who]
        made = f"{done.steps} steps of {done.batch} in {done.seconds:.0f} s, {done.steps * done.batch} pictures"
        print(f"{who:28}{value:10.3f} ± {error:.3f}   {made}", flush=True)
    if len(found) == 2:
        (ours, mine), (other, its) = found["ours"], found["theirs"]
        apart_by = (other - ours) / np.hypot(mine, its)
        print(f"theirs / ours: {other / ours:.2f}; they are {apart_by:.1f} standard errors apart")


if __name__ == "__main__":
    main()
