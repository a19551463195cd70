"""Does classifier guidance lead a model that knows no classes to the class asked for?

    python -m tests.bench.guidance --model FOLDER [--guide digits-guide] [--judge digits-judge] [--scales 0 1 2 4 8]

FOLDER is a model trained without labels on the digits of the recipe (resources/recipes/digits.py). For each sampler and
scale: the share of samples that the judge, which does not guide, takes for the class asked for; beside it the share
that the guide takes for it, and how various the samples of a class are (mean distance between the judge's features of
two of them, real digits of ``--data`` being 1). Samples of one row share seed and classes with all others.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from core.jobs import SampleRun
from core.levels import CLEAN
from core.library import Library, NetworkModel, Recogniser
from core.model_folder import open_model
from core.paths import spaced_timesteps
from core.recognisers import open_recogniser
from core.requests import ClassifierSpec, GradientPlace, Precision, SampleRequest, SamplerName, SamplerSpec
from core.schedules import make_schedule
from core.training.dataset import open_folder

REQUIRED = 0.85
WAYS: tuple[tuple[SamplerName, GradientPlace], ...] = (("ddim", "x_t"), ("ddpm", "x_t"), ("ddpm", "mean"))


@dataclass(frozen=True, slots=True)
class Row:
    sampler: SamplerName
    at: GradientPlace
    scale: float
    judge: float
    guide: float
    variety: float
    seconds: float


def drawn(library: Library, request: SampleRequest) -> Tensor:
    run = SampleRun(request, library)
    for _ in run.steps():
        pass
    return torch.from_numpy(run.trajectory.frame(request.steps).copy())


def recognised(recogniser: Recogniser, x: Tensor, labels: Tensor) -> float:
    return float((recogniser.log_probabilities(x, CLEAN).argmax(1) == labels).float().mean())


def variety(judge: Recogniser, x: Tensor, labels: Tensor) -> float:
    """The mean distance between the features of two pictures of one class."""
    features = judge.features(x, lambda: None)
    distances = []
    for label in labels.unique():
        own = features[labels == label]
        distances += [float((own[i] - own[j]).norm()) for i, j in combinations(range(len(own)), 2)]
    return sum(distances) / max(1, len(distances))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--guide", default="digits-guide")
    parser.add_argument("--judge", default="digits-judge")
    parser.add_argument("--data", type=Path, help="real digits in sub-folders, to compare the variety with")
    parser.add_argument("--scales", type=float, nargs="+", default=[0, 1, 2, 4, 8])
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ways", nargs="+", choices=["-".join(way) for way in WAYS])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="where the table goes")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    library = Library()
    model = NetworkModel(open_model(options.model))
    guide, judge = open_recogniser(options.guide).recogniser, open_recogniser(options.judge).recogniser
    library.add_model(model)
    library.add_recogniser(guide)
    info = model.info
    classes = tuple(index % len(guide.info.labels) for index in range(options.samples))
    labels = torch.tensor(classes)
    unit = 1.0
    if options.data is not None:
        real = open_folder(options.data, info.event_shape[1])
        x = torch.from_numpy(real.pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
        theirs = torch.from_numpy(real.labels)
        few = torch.cat([torch.nonzero(theirs == label)[:40, 0] for label in range(len(guide.info.labels))])
        unit = variety(judge, x[few], theirs[few])
        print(f"the judge recognises {recognised(judge, x, theirs):.1%} of {len(x)} real digits")
    timesteps = spaced_timesteps(make_schedule(info.schedule), options.steps, "trailing")
    rows: list[Row] = []
    for sampler, at in WAYS:
        if options.ways and f"{sampler}-{at}" not in options.ways:
            continue
        for scale in options.scales:
            began = time.monotonic()
            request = SampleRequest(
                model=info.ref,
                schedule=info.schedule,
                timesteps=timesteps,
                spacing="trailing",
                sampler=SamplerSpec(sampler, clip=info.sampler.clip),
                seed=options.seed,
                count=options.samples,
                precision=cast(Precision, info.precision),
                classifier=ClassifierSpec(guide.info.ref, classes, scale, at),
            )
            x = drawn(library, request)
            row = Row(
                sampler,
                at,
                scale,
                recognised(judge, x, labels),
                recognised(guide, x, labels),
                variety(judge, x, labels) / unit,
                round(time.monotonic() - began),
            )
            rows.append(row)
            print(
                f"{sampler:5} {at:5} scale {scale:<5g} judge {row.judge:6.1%}  guide {row.guide:6.1%}  "
                f"variety {row.variety:.2f}  {row.seconds:.0f} s",
                flush=True,
            )
    if options.json:
        rest = {"model": info.ref.name, "samples": options.samples, "steps": options.steps}
        options.json.write_text(json.dumps({**rest, "rows": [asdict(row) for row in rows]}, indent=2))
    best = max(row.judge for row in rows)
    print(f"best {best:.1%}, required {REQUIRED:.0%}")
    return 0 if best >= REQUIRED else 1


if __name__ == "__main__":
    sys.exit(main())
