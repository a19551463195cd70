"""The bundled classifiers of digits, made by one command.

    python -m resources.recipes.digits_classifiers --out DIR

takes the data of the recipe ``digits`` (DIR/train and DIR/held_out, fetched where they are not there) and trains two
classifiers: "digits-guide" on noised digits, which guides and never judges, and "digits-judge" on clean ones, which
judges, lends its features to distances, and never guides. They lie in DIR as they are bundled, weights in float16, and
say how many of the 1,000 held-out digits, which neither has seen, they recognise through how much noise. Started again
it goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from core.classifier_folder import open_classifier, save_classifier
from core.errors import Refusal
from core.training.checkpoint import read_request
from core.training.classification import accuracy
from core.training.dataset import open_folder
from core.training.events import TrainStep
from core.training.run import train_on_folder
from core.training.trainer import Trainer
from resources.recipes.digits import LICENCE, prepare_data


@dataclass(frozen=True, slots=True)
class Recipe:
    name: str
    noised: bool
    steps: int
    seed: int
    description: str


RECIPES = (
    Recipe("digits-judge", False, 1500, 1, "tells clean handwritten digits apart, 32 × 32 grey; it never guides"),
    Recipe("digits-guide", True, 1200, 0, "tells noisy handwritten digits apart, 32 × 32 grey; it never judges"),
)


def bundle(run: Path, held_out: Path, out: Path) -> dict[str, Any]:
    """The run's classifier as it is bundled, and how many of the held-out digits it recognises as such."""
    request = read_request(run)
    if request is None:
        raise Refusal(f"{run} holds no training.")
    trained = open_classifier(run)
    provenance = json.loads((run / "diffuscope.json").read_text())["provenance"]
    save_classifier(out, trained.network, trained.info, provenance=provenance, half=True)
    found = accuracy(open_classifier(out).network, request, open_folder(held_out), most=1000)
    provenance["held_out"] = found
    save_classifier(out, trained.network, trained.info, provenance=provenance, half=True)
    return found


def _printer(every: int) -> Callable[[Trainer, TrainStep], None]:
    losses = list[float]()

    def tick(trainer: Trainer, done: TrainStep) -> None:
        losses.append(done.loss)
        if done.step % every == 0:
            recent = sum(losses[-every:]) / len(losses[-every:])
            rate = done.step * trainer.request.batch / trainer.seconds
            print(f"step {done.step}  loss {recent:.4f} nats  {rate:.0f} images/s", flush=True)

    return tick


def main() -> int:
    parser = argparse.ArgumentParser(description="Make the bundled classifiers of digits.")
    parser.add_argument("--out", type=Path, required=True, help="folder for the data, the runs and the classifiers")
    parser.add_argument("--threads", type=int, default=1, help="1 is best while others use the machine")
    parser.add_argument("--only", choices=[recipe.name for recipe in RECIPES], help="one of the two")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    try:
        train, held_out = prepare_data(options.out)
        for recipe in RECIPES:
            if options.only not in (None, recipe.name):
                continue
            run = options.out / "runs" / recipe.name
            report = train_on_folder(
                train,
                run,
                steps=recipe.steps,
                resume=True,
                task="classifier",
                noised=recipe.noised,
                seed=recipe.seed,
                precision="float32",
                description=recipe.description,
                licence=LICENCE,
                on_tick=_printer(100),
            )
            found = bundle(run, held_out, options.out / recipe.name)
            print(f"{recipe.name}: {report.step} steps in {report.seconds / 60:.0f} minutes; recognised by t:", found)
    except Refusal as refusal:
        print(refusal, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
