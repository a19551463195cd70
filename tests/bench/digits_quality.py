"""How good is the bundled digits model? Judged by a small classifier that never guides and selects nothing.

    python -m tests.bench.digits_quality --data DIR [--model digits] [--guidance 0.5 ...] [--samples 1000]

DIR is where the recipe (resources/recipes/digits.py) has put ``train`` and ``held_out``. The judge is trained on the
training digits alone and kept in the program's cache folder. Printed for each guidance w, with DDIM steps:
how many of the samples are recognised as the class asked for, and the Fréchet distance (Heusel et al. 2017, in the
judge's 64 features) between the samples and the held-out digits, beside that of as many real training digits.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from core.denoiser import Clipped, Condition, Guided, NetworkDenoiser
from core.folders import cache_folder
from core.model_folder import OpenModel, find_model, open_model
from core.paths import make_path, spaced_timesteps
from core.samplers import StepNoise, ddim
from core.schedules import make_schedule
from core.training.dataset import PictureFolder, open_folder
from core.unet import prepare

REQUIRED_ACCURACY = 0.97
REQUIRED_RECOGNISED = 0.95
REQUIRED_RATIO = 3.0


class Judge(nn.Module):
    """A picture (n, channels, 32, 32) in [-1, 1] to the classes' logits, by way of 64 features."""

    def __init__(self, channels: int = 1, classes: int = 10) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *self._stage(channels, 16), *self._stage(16, 32), *self._stage(32, 64), nn.Flatten(), nn.Dropout(0.3),
            nn.Linear(64 * 4 * 4, 64), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Linear(64, classes)

    @staticmethod
    def _stage(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
        return nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(2)

    def features(self, x: Tensor) -> Tensor:
        features: Tensor = self.body(x)
        return features

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(x))
        return logits


def pixels_to_x(pictures: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1


def _judge_of(data: PictureFolder) -> Judge:
    return Judge(data.pictures.shape[3], len(data.classes))


def train_judge(data: PictureFolder, epochs: int = 8, seed: int = 0) -> Judge:
    """Trained on pictures shifted by up to two pixels; its seed is fixed, so that it is always the same judge."""
    torch.manual_seed(seed)
    judge, x = _judge_of(data).train(), pixels_to_x(data.pictures)
    labels = torch.from_numpy(data.labels)
    batch = 100
    optimizer = torch.optim.AdamW(judge.parameters(), lr=2e-3)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=epochs * (len(x) // batch))
    for _ in range(epochs):
        order = torch.randperm(len(x))
        for index in order[: len(x) // batch * batch].view(-1, batch):
            shift = torch.randint(-2, 3, (2,)).tolist()
            loss = F.cross_entropy(judge(x[index].roll(shift, (2, 3))), labels[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            rate.step()
    return judge.eval()


def the_judge(data: PictureFolder, epochs: int = 8) -> Judge:
    """From the cache, or trained now (about a minute)."""
    path = cache_folder() / f"judge-1-{data.sha256[:16]}.pt"
    if path.is_file():
        judge = _judge_of(data)
        judge.load_state_dict(torch.load(path, weights_only=True))
        return judge.eval()
    judge = train_judge(data, epochs)
    torch.save(judge.state_dict(), path)
    return judge


@torch.inference_mode()
def look(judge: Judge, x: Tensor) -> tuple[Tensor, NDArray[np.float64]]:
    """The classes that the judge sees in x, and its features (n, 64)."""
    features = torch.cat([judge.features(part) for part in x.split(250)])
    return judge.head(features).argmax(1), features.double().numpy()


def frechet(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """|mean_a - mean_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)) of features (n, d) (Dowson & Landau 1982)."""
    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    values, vectors = np.linalg.eigh(cov_a)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ cov_b @ root).clip(0)).sum()
    return float(np.square(a.mean(0) - b.mean(0)).sum() + np.trace(cov_a) + np.trace(cov_b) - 2 * cross)


@torch.inference_mode()
def draw(
    model: OpenModel, labels: Tensor, w: float, steps: int, seed: int, precision: str = "float32", batch: int = 50
) -> Tensor:
    """Samples of these labels, (n, 1, 32, 32) in [-1, 1], as the program makes them."""
    info = model.info
    schedule = make_schedule(info.schedule)
    path = make_path(schedule, spaced_timesteps(schedule, steps, "leading"))
    network = NetworkDenoiser(prepare(model.network, "cpu", precision), info.prediction)
    denoiser = Clipped(Guided(network, w), info.sampler.clip)
    samples = []
    for number, part in enumerate(labels.split(batch)):
        noise = StepNoise(seed + number, (len(part), *info.event_shape))
        x = noise.initial()
        for step in ddim(denoiser, path, x, Condition(part, info.null_label), eta=0.0, noise=noise):
            x = step.x_next
        samples.append(x)
    return torch.cat(samples).clamp(-1, 1)


def evenly(data: PictureFolder, each: int) -> NDArray[np.uint8]:
    """``each`` pictures of every class, spread over its pictures."""
    chosen = []
    for label in range(len(data.classes)):
        indices = np.flatnonzero(data.labels == label)
        chosen.append(indices[np.linspace(0, len(indices) - 1, each).round().astype(int)])
    return data.pictures[np.concatenate(chosen)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the recipe's folder, with train and held_out")
    parser.add_argument("--model", default="digits", help="a model folder or a bundled model's name")
    parser.add_argument("--guidance", type=float, nargs="+", default=[0.5])
    parser.add_argument("--samples", type=int, default=1000, help="fewer for a quick look; the requirement is 1000")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--precision", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()

    train, held_out = open_folder(options.data / "train"), open_folder(options.data / "held_out")
    judge = the_judge(train)
    seen, real = look(judge, pixels_to_x(held_out.pictures))
    accuracy = float((seen.numpy() == held_out.labels).mean())
    each = options.samples // 10
    baseline = frechet(look(judge, pixels_to_x(evenly(train, each)))[1], real)
    print(f"judge: {accuracy:.1%} of the {len(held_out)} held-out digits recognised (at least {REQUIRED_ACCURACY:.0%})")
    print(f"Fréchet distance of {10 * each} real training digits to the held-out ones: {baseline:.3f}")

    model = open_model(find_model(options.model))
    labels = torch.arange(10).repeat_interleave(each)
    figures, good = [], False
    for w in options.guidance:
        start = time.perf_counter()
        samples = draw(model, labels, w, options.steps, options.seed, options.precision)
        seconds = time.perf_counter() - start
        seen, features = look(judge, samples)
        recognised = float((seen == labels).double().mean())
        distance = frechet(features, real)
        figures.append({"guidance": w, "recognised": recognised, "frechet": distance, "ratio": distance / baseline})
        reached = accuracy >= REQUIRED_ACCURACY and recognised >= REQUIRED_RECOGNISED
        reached = reached and distance <= REQUIRED_RATIO * baseline
        good = good or reached
        print(
            f"w = {w:<4g} {len(samples)} samples, {options.steps} DDIM steps: {recognised:.1%} recognised, "
            f"Fréchet distance {distance:.3f} = {distance / baseline:.2f} x real ({seconds:.0f} s)"
            f"{'  reached' if reached else ''}",
            flush=True,
        )
    if options.json:
        result = {"judge_accuracy": accuracy, "frechet_real": baseline, "samples": 10 * each, "steps": options.steps}
        options.json.write_text(json.dumps(result | {"figures": figures}, indent=2) + "\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
