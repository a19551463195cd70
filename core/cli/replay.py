"""``main.py run``: a result made again from its recipe, with the pixels that the window showed."""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.cli.bench import check_outputs, named, outputs
from core.cli.output import Progress, report
from core.codec import to_json
from core.errors import Refusal
from core.recipe import PROGRAM, Recipe, Shown, as_values, from_text, read_recipe
from core.render import write_npy, write_png
from core.video import FILMS, check_film, write_film


def run(options: argparse.Namespace) -> int:
    """Read the recipe, find what it names, make it, write and report; raises Refusal."""
    check_outputs(options, ".png", *FILMS)
    check_film(options.out)
    recipe = replace(_read(options.recipe), program=PROGRAM)
    from core.device import pick_device  # torch: after what can be refused without it
    from core.replay import library_for, made, stacked

    device = pick_device(options.device)
    library = library_for(recipe.requests, models=options.model, images=options.image, device=device)
    progress = Progress(options.progress)
    begun = time.monotonic()
    values, pictures = made(recipe, library, device, progress.step)
    seconds = time.monotonic() - begun
    progress.close()
    written = replace(recipe, shown=_write(options.out, pictures, recipe)) if options.out is not None else recipe
    if options.npy is not None:
        write_npy(options.npy, stacked(values, recipe.shown), as_values(recipe))
    result: dict[str, Any] = {
        "requests": [to_json(request) for request in recipe.requests],
        "shown": {name: value for name, value in to_json(written.shown).items() if name != "schema"},
        "device": device,
        "seconds": round(seconds, 4),
        "shape": list(values.shape),
        **outputs(options),
    }
    report(result, options.json, f"{named(options)}: {written.sentence} {seconds:.1f} s on {device}")
    return 0


def _read(given: str) -> Recipe:
    if given.lstrip().startswith("{"):
        return from_text(given)
    path = Path(given)
    if not path.is_file():
        raise Refusal(f"There is no file {given}. Name a picture that Diffuscope wrote, or a request as JSON.")
    recipe = read_recipe(path)
    if recipe is None:
        raise Refusal(
            f"{path.name} carries no recipe: it was made by another program, or by one that dropped what the file said "
            "about itself. Use it as a picture, as in main.py denoise."
        )
    return recipe


def _write(path: Path, pictures: Any, recipe: Recipe) -> Shown:
    """Write what is shown in the format that the ending asks for; how it is shown there."""
    from core.replay import frames, laid_out

    shown = recipe.shown
    if path.suffix.lower() in FILMS:
        shown = replace(shown, layout="film")
        made = replace(recipe, shown=shown)
        write_film(path, frames(pictures, shown), shown.milliseconds, made, hold=shown.hold)
        return shown
    if shown.layout in ("film", "values"):
        shown = replace(shown, layout="grid")
    write_png(path, laid_out(pictures, shown), replace(recipe, shown=shown))
    return shown
