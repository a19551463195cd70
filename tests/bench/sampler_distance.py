"""Are Heun and DPM-Solver++ with few evaluations as good as DDIM with many? Distances of samples over sets of seeds.

    python -m tests.bench.sampler_distance --data DIR [--model digits] [--features digits-judge] [--few 15] [--many 50]

DIR holds the pictures of the reference (for the digits, those held out). Each set of seeds draws ``--count`` samples of
every class in turn with each sampler, from the same noise; the kernel distance to the reference is taken in the judge's
features. A sampler is worse where the mean of its paired differences from DDIM's distance lies more than two of its
standard errors above 0.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import torch

from core.evaluation import measurement_of
from core.evaluation.plans import Draws, distance_request, evaluations_of, series_of
from core.library import Library, NetworkModel
from core.measure_requests import Trial
from core.messages import Distances, ModelInfo
from core.model_folder import find_model, open_model
from core.recognisers import open_recogniser
from core.requests import ClipPolicy, SamplerName, SpacingName
from core.training.dataset import open_folder

FEW: tuple[SamplerName, ...] = ("dpmpp", "heun", "ddim")


def trials_of(info: ModelInfo, seed: int, options: argparse.Namespace) -> tuple[Trial, ...]:
    """DDIM with many evaluations, then every sampler with few."""
    draws = Draws(info, options.count, options.batch, seed, precision=options.precision, guidance=options.guidance)
    found = []
    for name, evaluations in (("ddim", options.many), *((name, options.few) for name in FEW)):
        sampler = replace(info.sampler, name=cast(SamplerName, name), eta=0.0, clip=cast(ClipPolicy, options.clip))
        steps = (evaluations + 1) // 2 if name == "heun" else evaluations
        spacing = options.many_spacing if evaluations == options.many else options.spacing
        request = replace(draws, spacing=cast(SpacingName, spacing)).request(steps, sampler)
        found.append(draws.trial(f"{series_of(sampler)}, {evaluations_of(request)}", seed, request))
    return tuple(found)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="digits")
    parser.add_argument("--features", default="digits-judge")
    parser.add_argument("--few", type=int, default=15)
    parser.add_argument("--many", type=int, default=50)
    parser.add_argument("--sets", type=int, default=5)
    parser.add_argument("--count", type=int, default=200, help="samples of a set")
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--spacing", default="trailing", help="of few evaluations")
    parser.add_argument("--many-spacing", default="leading", help="of many evaluations")
    parser.add_argument("--clip", default="none")
    parser.add_argument("--guidance", type=float, default=0.0)
    parser.add_argument("--precision", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()

    library, model = Library(), NetworkModel(open_model(find_model(options.model)))
    library.add_model(model)
    recogniser = open_recogniser(options.features).recogniser
    library.add_recogniser(recogniser)
    data = open_folder(options.data, model.info.event_shape[1])
    distances: dict[str, list[float]] = {}
    for number in range(options.sets):
        trials = trials_of(model.info, 1000 * number, options)
        request = distance_request(trials, data, recogniser.info.ref, reference=len(data))
        *_, last = measurement_of(request, library, "cpu", data, check=lambda: None, breathe=lambda: None).work()
        assert isinstance(last.result, Distances)
        for point in last.result.points:
            distances.setdefault(point.series, []).append(point.value)
            print(
                f"set {number}, {point.series}: {point.value:.4f} ± {point.error:.4f}, recognised "
                f"{point.recognised:.1%}, precision {point.precision:.2f}, recall {point.recall:.2f}, "
                f"{point.seconds:.0f} s",
                flush=True,
            )
    first, *others = distances
    figures = {}
    for series in others:
        apart = np.array(distances[series]) - np.array(distances[first])
        mean, error = float(apart.mean()), float(apart.std(ddof=1) / math.sqrt(len(apart)))
        figures[series] = {"difference": mean, "error": error, "worse": mean > 2 * error}
        verdict = "worse" if mean > 2 * error else "better" if mean < -2 * error else "not worse"
        print(f"{series} against {first}: {mean:+.5f} ± {error:.5f}: {verdict}")
    if options.json:
        settings = {name: str(value) for name, value in vars(options).items()}
        text = json.dumps(
            {"settings": settings, "distances": distances, "against": first, "compared": figures}, indent=2
        )
        options.json.write_text(text + "\n")
    promised = [figures[series]["worse"] for series in others if not series.startswith("DDIM")]
    return int(all(promised))


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(main())
