"""How near do few evaluations of a trained network come to many? Every deterministic sampler, in every spacing.

    python -m tests.bench.few_steps [--model digits] [--count 16] [--evaluations 15 25 50] [--quick]

The samples of one seed are drawn with 200 steps of DPM-Solver++ in trailing spacing; the table holds the root mean
square distance from them, in the data's own units (a range of 2), of what few evaluations make of the same noise.
``--quick`` draws 2 samples with 5 evaluations, against 20.
"""

from __future__ import annotations

import argparse
import itertools

import numpy as np
from numpy.typing import NDArray

from core.jobs import SampleRun
from core.library import Library, NetworkModel
from core.messages import ModelInfo
from core.model_folder import find_model, open_model
from core.paths import model_timesteps
from core.requests import SampleRequest, SamplerName, SamplerSpec, SpacingName

SAMPLERS: tuple[SamplerName, ...] = ("ddim", "heun", "dpmpp")
SPACINGS: tuple[SpacingName, ...] = ("leading", "trailing", "linspace", "quadratic_full", "log_snr")
MANY = 200


def steps_for(sampler: SamplerName, evaluations: int) -> int:
    """As many steps as these evaluations pay for: Heun's last one, onto the data, takes one alone."""
    return (evaluations + 1) // 2 if sampler == "heun" else evaluations


def drawn(
    library: Library, info: ModelInfo, sampler: SamplerName, steps: int, spacing: SpacingName, count: int
) -> NDArray[np.float32]:
    """The samples of seed 0, float32 (count, *event_shape), of each class in turn where there are classes."""
    request = SampleRequest(
        model=info.ref,
        schedule=info.schedule,
        timesteps=model_timesteps(info, steps, spacing),
        spacing=spacing,
        sampler=SamplerSpec(sampler, clip=info.sampler.clip),
        seed=0,
        count=count,
        labels=tuple(itertools.islice(itertools.cycle(range(len(info.labels))), count)) if info.labels else (),
    )
    run = SampleRun(request, library, cap=0)
    for _ in run.steps():
        pass
    return run.trajectory.frame(steps)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="digits")
    parser.add_argument("--count", type=int, default=16)
    parser.add_argument("--evaluations", type=int, nargs="+", default=[15, 25, 50])
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    many, count, budgets = (20, 2, [5]) if options.quick else (MANY, options.count, options.evaluations)
    opened = open_model(find_model(options.model))
    library = Library()
    library.add_model(NetworkModel(opened))
    aim = drawn(library, opened.info, "dpmpp", many, "trailing", count)
    print(f"{opened.info.ref.name}: {count} samples, distance from {many} steps of dpmpp in trailing spacing")
    print(f"{'':>14}", *(f"{spacing:>14}" for spacing in SPACINGS))
    for budget, sampler in itertools.product(budgets, SAMPLERS):
        steps = steps_for(sampler, budget)
        row = (drawn(library, opened.info, sampler, steps, spacing, count) for spacing in SPACINGS)
        cells = [f"{float(np.sqrt(np.square(x - aim).mean())):>14.4f}" for x in row]
        print(f"{sampler:>6} {budget:>7}", *cells, flush=True)


if __name__ == "__main__":
    main()
