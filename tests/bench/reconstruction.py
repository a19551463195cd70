"""How well does a picture come back from its latent? The curve of Song et al. 2021, table 2, on one's own model.

    python -m tests.bench.reconstruction --data DIR [--model digits] [--images 100] [--steps 10 20 50 ...]

DIR holds pictures, or sub-folders of them (the recipe's ``held_out``); of each sub-folder in turn one is taken. The
error is the mean squared one a value in [0, 1], unclamped, of DDIM inversion and back with w = 0, without a label and
without clipping; beside it the paper's, for another model (CIFAR-10) in float32. ``--quick`` takes 5 pictures and 10
and 20 steps. Columns: each convention by number of fixed-point refinements, in float32; then bfloat16, in the
first convention alone.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_args

from core.conversion import default_conversion
from core.device import pick_device
from core.images import OpenedImage, open_image
from core.inversion import InvertRun
from core.inversion_plan import reconstruction
from core.jobs import SampleRun
from core.library import Library, NetworkModel
from core.measures import PAPER_RECONSTRUCTION, mean_squared_error
from core.messages import ModelInfo
from core.model_folder import find_model, open_model
from core.paths import spaced_timesteps
from core.requests import ImageRef, InversionConvention, InvertRequest, Precision
from core.schedules import make_schedule

CONVENTIONS = ["diffusers", "openai"]
STEPS = (10, 20, 50, 100, 200, 500, 1000)
PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}
SHORT = {"float32": "fp32", "bfloat16": "bf16", "float16": "fp16"}
Column = tuple[InversionConvention, int, Precision]


def pictures(folder: Path, count: int) -> list[OpenedImage]:
    """``count`` pictures, one of each class in turn, in the order of their names."""
    classes = [path for path in sorted(folder.iterdir()) if path.is_dir()] or [folder]
    files = [sorted(path for path in one.iterdir() if path.suffix.lower() in PICTURES) for one in classes]
    dealt = (path for row in itertools.zip_longest(*files) for path in row if path is not None)
    return [open_image(path) for path in itertools.islice(dealt, count)]


def refs(images: list[OpenedImage], info: ModelInfo) -> tuple[ImageRef, ...]:
    channels, height, width = info.event_shape
    size = (height, width)
    return tuple(
        ImageRef(image.sha256, default_conversion(image.pixels, size, channels, info.data_statistics))
        for image in images
    )


def columns(
    conventions: Sequence[InversionConvention], precisions: Sequence[Precision], refinements: Sequence[int]
) -> Iterator[Column]:
    for precision in precisions:
        for convention in conventions if precision == "float32" else conventions[:1]:
            for count in refinements:
                yield convention, count, precision


def error(
    library: Library, info: ModelInfo, images: tuple[ImageRef, ...], steps: int, column: Column, device: str
) -> float:
    convention, refinements, precision = column
    request = InvertRequest(
        model=info.ref,
        schedule=info.schedule,
        timesteps=spaced_timesteps(make_schedule(info.schedule), steps, "leading")[::-1],
        spacing="leading",
        images=images,
        convention=convention,
        refinements=refinements,
        precision=precision,
        first_alpha_bar=info.final_alpha_bar,
    )
    up = InvertRun(request, library, device, cap=0)
    down = SampleRun(reconstruction(request), library, device, find_run=lambda _: up, cap=0)
    for _ in itertools.chain(up.steps(), down.steps()):
        pass
    x0, again = up.trajectory.frame(0), down.trajectory.frame(down.request.steps)
    return float(mean_squared_error(again, x0, up.model.spec.low, up.model.spec.high).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="digits")
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--steps", type=int, nargs="+", default=STEPS)
    parser.add_argument("--refinements", type=int, nargs="+", default=[0, 3])
    parser.add_argument("--conventions", nargs="+", choices=get_args(InversionConvention), default=CONVENTIONS)
    parser.add_argument("--precisions", nargs="+", choices=get_args(Precision), default=["float32", "bfloat16"])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    count, all_steps = (5, (10, 20)) if options.quick else (options.images, options.steps)
    device = pick_device(options.device)
    opened = open_model(find_model(options.model), device)
    library = Library()
    library.add_model(NetworkModel(opened))
    images = pictures(options.data, count)
    for image in images:
        library.add_image(image)
    chosen = list(columns(options.conventions, options.precisions, options.refinements))
    print(f"{opened.info.ref.name}, {len(images)} pictures on {device}; mean squared error a value in [0, 1]")
    heads = [f"{name} {SHORT[precision]}{f' +{refined}' if refined else ''}" for name, refined, precision in chosen]
    print(f"{'steps':>5} {'paper':>8} " + " ".join(f"{head:>17}" for head in heads) + "  seconds")
    for steps in all_steps:
        begun = time.perf_counter()
        errors = [error(library, opened.info, refs(images, opened.info), steps, column, device) for column in chosen]
        paper = PAPER_RECONSTRUCTION.get(steps)
        shown = f"{'' if paper is None else f'{paper:g}':>8}"
        print(f"{steps:>5} {shown} " + " ".join(f"{value:>17.3g}" for value in errors), end="")
        print(f"  {time.perf_counter() - begun:.1f}", flush=True)


if __name__ == "__main__":
    main()
