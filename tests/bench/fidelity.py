"""Does guidance buy fidelity with diversity? Precision, recall and distance over guidance, on one's own model.

    python -m tests.bench.fidelity --data DIR [--model digits] [--classifier digits-guide] [--features digits-judge]

DIR holds the pictures of the reference (for the digits, those held out). Printed for classifier-free guidance over w
(where the model knows no class: left out), for guidance by a classifier over its scale, and for the temperature of the
initial noise, the simplest way of drawing typical samples (Ho & Salimans 2022; Dhariwal & Nichol 2021, figure 4). A
conditional model that is guided by a classifier is told the class as well.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from core.evaluation import measurement_of
from core.evaluation.plans import Draws, classifier_sweep, distance_request, guidance_sweep, temperature_sweep
from core.library import Library, NetworkModel
from core.messages import Distances
from core.model_folder import find_model, open_model
from core.recognisers import open_recogniser
from core.training.dataset import open_folder


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="digits")
    parser.add_argument("--classifier", default="digits-guide")
    parser.add_argument("--features", default="digits-judge")
    parser.add_argument("--count", type=int, default=200, help="samples of a point")
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--precision", default="float32", choices=("float32", "bfloat16"))
    options = parser.parse_args()

    library, model = Library(), NetworkModel(open_model(find_model(options.model)))
    guide, judge = (open_recogniser(name).recogniser for name in (options.classifier, options.features))
    library.add_model(model)
    library.add_recogniser(guide)
    library.add_recogniser(judge)
    data = open_folder(options.data, model.info.event_shape[1])
    draws = Draws(model.info, options.count, 50, options.seed, options.steps, precision=options.precision)
    trials = guidance_sweep(draws) if model.info.null_label is not None else ()
    trials += classifier_sweep(draws, guide.info.ref, guide.info.labels) + temperature_sweep(draws)
    request = distance_request(trials, data, judge.info.ref, reference=len(data))
    *_, last = measurement_of(request, library, "cpu", data, check=lambda: None, breathe=lambda: None).work()
    assert isinstance(last.result, Distances)
    print(f"{last.result.metric} distance to {last.result.reference} pictures, {options.count} samples a point")
    for point in last.result.points:
        print(
            f"{point.series:24s} {point.x:<5g} distance {point.value:+.4f} ± {point.error:.4f}, "
            f"precision {point.precision:.3f}, recall {point.recall:.3f}, recognised {point.recognised:.1%}"
        )
    return 0


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(main())
