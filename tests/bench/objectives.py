"""Linear against cosine, L_simple against the hybrid with learned variances: bits at equal steps, on one's own folder.

    python -m tests.bench.objectives --data DIR --out DIR [--size 32] [--steps 1200] [--widths 16 32 64]

DIR holds ``train`` and ``held_out``, as the digits' recipe leaves them. Four models are trained on the same batches, t
and noise from the same seed (a finished one in ``--out`` is not trained again), each saved as a model folder. Then the
bits a value of ``--pictures`` held-out pictures are measured in strata of t with noise that all models share, and
compared picture by picture: a winner is one by more than two standard errors of the paired difference.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from dataclasses import asdict
from itertools import combinations
from pathlib import Path

import numpy as np
import torch

from core.evaluation import measurement_of
from core.evaluation.plans import likelihood_request
from core.library import Library, NetworkModel
from core.messages import Likelihood, ModelInfo
from core.model_folder import open_model, save_model
from core.requests import ModelRef, ScheduleName, ScheduleSpec, VarianceKind, VarianceName
from core.training.dataset import PictureFolder, open_folder
from core.training.order import ObjectiveName
from core.training.request import TrainRequest
from core.training.trainer import Trainer
from core.unet import UNet
from core.unet_config import UNetConfig

ARMS: dict[str, tuple[ScheduleName, ObjectiveName, VarianceKind]] = {
    "linear, simple": ("linear", "simple", "fixed"),
    "linear, hybrid": ("linear", "hybrid", "range"),
    "cosine, simple": ("cosine", "simple", "fixed"),
    "cosine, hybrid": ("cosine", "hybrid", "range"),
}


def network_of(size: int, widths: tuple[int, ...], classes: int, learned: bool) -> UNetConfig:
    return UNetConfig(
        sample_size=size,
        in_channels=1,
        out_channels=2 if learned else 1,
        block_out_channels=widths,
        down_block_types=("DownBlock2D",) * len(widths),
        up_block_types=("UpBlock2D",) * len(widths),
        layers_per_block=1,
        norm_num_groups=8,
        attn_norm_num_groups=8,
        attention_head_dim=32,
        time_embedding_dim=128,
        resnet_time_scale_shift="scale_shift",
        num_class_embeds=classes + 1 if classes else None,
    )


def train(arm: str, data: PictureFolder, folder: Path, options: argparse.Namespace) -> None:
    name, objective, variance = ARMS[arm]
    request = TrainRequest(
        data_name=data.name,
        data_sha256=data.sha256,
        network=network_of(options.size, tuple(options.widths), len(data.classes), variance != "fixed"),
        labels=data.classes,
        schedule=ScheduleSpec(name, options.T),
        prediction="eps",
        steps=options.steps,
        batch=options.batch,
        seed=options.seed,
        ema_decay=0.995,
        precision=options.precision,
        objective=objective,
        variance=variance,
    )
    trainer, began, losses = Trainer(request, data), time.perf_counter(), []
    for done in trainer.steps():
        losses.append(done.loss)
        if done.step % 50 == 0:
            seconds = time.perf_counter() - began
            print(f"{arm}: step {done.step}, loss {np.mean(losses[-50:]):.4f}, {seconds:.0f} s", flush=True)
    info = ModelInfo(
        ref=ModelRef(folder.name, ""),
        event_shape=(1, options.size, options.size),
        schedule=request.schedule,
        prediction="eps",
        labels=data.classes,
        null_label=request.null_label,
        variance=variance,
        description=f"{arm}, {options.steps} steps of {options.batch}",
    )
    averaged = UNet(request.network)
    averaged.load_state_dict(trainer.ema.averages)
    save_model(folder, averaged, info, provenance={"training": asdict(request), "seconds": trainer.seconds})


def measure(folder: Path, held_out: PictureFolder, variance: VarianceName, options: argparse.Namespace) -> Likelihood:
    library, model = Library(), NetworkModel(open_model(folder))
    library.add_model(model)
    request = likelihood_request(
        model.info, held_out, pictures=options.pictures, timesteps=options.timesteps, variance=variance, seed=1
    )
    *_, last = measurement_of(request, library, "cpu", held_out, check=lambda: None, breathe=lambda: None).work()
    assert isinstance(last.result, Likelihood)
    return last.result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--arms", nargs="+", choices=list(ARMS), default=list(ARMS))
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--size", type=int, default=32, help="of the pictures; 16 is four times as fast")
    parser.add_argument("--widths", type=int, nargs="+", default=[16, 32, 64])
    parser.add_argument("--T", type=int, default=1000)
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32", help="of the training")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--timesteps", type=int, default=60)
    parser.add_argument("--train-only", action="store_true")
    options = parser.parse_args()

    data = open_folder(options.data / "train", options.size)
    options.out.mkdir(parents=True, exist_ok=True)
    folders = {arm: options.out / arm.replace(", ", "-") for arm in options.arms}
    for arm, folder in folders.items():
        if not (folder / "model_index.json").exists():
            train(arm, data, folder, options)
    if options.train_only:
        return 0

    held_out = open_folder(options.data / "held_out", options.size)
    results: dict[str, Likelihood] = {}
    for arm, folder in folders.items():
        variances: tuple[VarianceName, ...] = ("small", "large") if arm.endswith("simple") else ("learned",)
        for variance in variances:
            name = f"{arm}, {variance} variance"
            results[name] = found = measure(folder, held_out, variance, options)
            terms = found.terms
            print(
                f"{name:34s} {found.bits_per_dim:.4f} ± {found.bits_error:.4f} bits/dim "
                f"(prior {found.prior:.5f}, L_0 {terms[0]:.4f}, "
                f"between {found.bits_per_dim - found.prior - terms[0]:.4f})",
                flush=True,
            )
    print("\npaired differences over the same pictures, t and noise:")
    verdicts = []
    for one, other in combinations(results, 2):
        apart = results[one].per_picture - results[other].per_picture
        mean, error = float(apart.mean()), float(apart.std(ddof=1) / math.sqrt(len(apart)))
        better = "no winner" if abs(mean) <= 2 * error else f"{one if mean < 0 else other} is better"
        verdicts.append({"one": one, "other": other, "difference": mean, "error": error, "better": better})
        print(f"{one} - {other}: {mean:+.4f} ± {error:.4f}: {better}")
    figures = {name: {"bits_per_dim": r.bits_per_dim, "error": r.bits_error} for name, r in results.items()}
    text = json.dumps({"settings": vars(options), "bits": figures, "paired": verdicts}, indent=2, default=str)
    (options.out / "objectives.json").write_text(text + "\n")
    return 0


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(main())
