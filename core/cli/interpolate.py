"""``main.py interpolate``: from picture to picture by way of their latents, as a sheet or an animation."""

from __future__ import annotations

import argparse
import time
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from core.cli.arguments import MAX_SEED, whole
from core.cli.bench import Bench, check_outputs, named, open_bench, outputs
from core.cli.labels import labels_of
from core.cli.noise import open_sample
from core.cli.output import Progress, report
from core.cli.sample import DEFAULT_STEPS
from core.codec import from_json, to_json
from core.errors import Refusal
from core.images import OpenedImage
from core.paths import model_timesteps, partial_timesteps
from core.recipe import as_film, as_values, of_request
from core.render import grid, write_npy, write_png
from core.requests import ImageEnd, MorphEnd, MorphRequest, Precision, SamplerSpec, SeedEnd, SpacingName
from core.video import FILMS, check_film, write_film

SEED = "seed:"


def interpolate(options: argparse.Namespace) -> int:
    """Make all frames, write and report; raises Refusal."""
    check_outputs(options, ".png", *FILMS)
    check_film(options.out)
    _check(options)
    opened = [_open(end) for end in options.ends]
    bench = open_bench(options)
    ends, notes = _ends(opened, bench)
    requests = build_morphs(bench, options, ends)
    from core.morph import MorphRun

    runs = [MorphRun(request, bench.library, bench.device, cap=0) for request in requests]
    progress = Progress(options.progress)
    for note in notes:
        progress.say(f"note: {note}")
    done, total = 0, sum(run.total for run in runs)
    begun = time.monotonic()
    for run in runs:
        for made in run.work():
            made.run.refuse_no_numbers()
            done += 1
            progress.step(done, total)
    seconds = time.monotonic() - begun
    progress.close()
    x = np.concatenate([run.frames() for run in runs])
    _write(options, x, bench, requests)
    result = {
        "requests": [to_json(request) for request in requests],
        "device": bench.device,
        "seconds": round(seconds, 4),
        "shape": list(x.shape),
        "latent_norms": [round(norm, 6) for run in runs for norm in run.latent_norms()],
        **outputs(options),
        "notes": [*bench.notes, *notes],
    }
    report(result, options.json, f"{named(options)}: {len(x)} frames in {seconds:.1f} s on {bench.device}")
    return 0


def _check(options: argparse.Namespace) -> None:
    """What can be refused before anything is opened."""
    if not 2 <= len(options.ends) <= 4:
        raise Refusal(f"A morph has two to four end points, not {len(options.ends)}.")
    if options.mode == "ddpm" and not options.t:
        raise Refusal("DDPM's interpolation mixes pictures noised to a timestep. Name it: --t T.")
    if options.mode != "ddpm" and options.t:
        raise Refusal("--t belongs to --mode ddpm: latents lie at the end of the path.")
    if options.mode == "ddpm" and options.refine:
        raise Refusal("--refine belongs to inversion, and --mode ddpm inverts nothing. Leave it out.")
    animated = options.out is not None and options.out.suffix.lower() in FILMS
    if animated and options.t and len(options.t) > 1:
        raise Refusal("An animation shows one row: name one --t, or a .png for all of them.")


def _open(end: str) -> OpenedImage | SeedEnd:
    if not end.startswith(SEED):
        return open_sample(end)
    try:
        return SeedEnd(whole(0, MAX_SEED)(end.removeprefix(SEED)))
    except argparse.ArgumentTypeError as error:
        raise Refusal(f"{end}: {error}.") from None


def _ends(opened: list[OpenedImage | SeedEnd], bench: Bench) -> tuple[tuple[MorphEnd, ...], tuple[str, ...]]:
    ends: list[MorphEnd] = []
    notes: list[str] = []
    for end in opened:
        if isinstance(end, SeedEnd):
            ends.append(end)
        else:
            picture, said = bench.add(end)
            ends.append(ImageEnd(picture))
            notes += said
    return tuple(ends), tuple(notes)


def build_morphs(bench: Bench, options: argparse.Namespace, ends: tuple[MorphEnd, ...]) -> list[MorphRequest]:
    """One morph, or in DDPM's mode one for each t, completely resolved. Raises Refusal."""
    info, ddpm = bench.info, options.mode == "ddpm"
    pictures = any(isinstance(end, ImageEnd) for end in ends)
    inverts = pictures and not ddpm
    spacing = cast(SpacingName, options.spacing or info.spacing)
    falling = model_timesteps(info, options.steps or DEFAULT_STEPS, spacing)
    clip = options.clip or ("none" if inverts else info.sampler.clip)
    auto = "float32" if inverts else info.precision
    requests = []
    for t in options.t or (None,):
        request = MorphRequest(
            model=info.ref,
            schedule=info.schedule,
            timesteps=falling if t is None else partial_timesteps(falling, t),
            spacing=spacing,
            sampler=SamplerSpec("ddpm" if ddpm else "ddim", variance=info.sampler.variance, clip=clip),
            ends=ends,
            frames=options.frames,
            mix=options.mode,
            layout="grid" if options.grid else "edges",
            seed=options.seed,
            labels=labels_of(info, options.label, len(ends)),
            guidance=options.guidance,
            precision=cast(Precision, auto if options.precision == "auto" else options.precision),
            convention=options.convention,
            refinements=options.refine,
            final_alpha_bar=info.final_alpha_bar,
        )
        requests.append(from_json(MorphRequest, to_json(request)))
    return requests


def _write(options: argparse.Namespace, x: NDArray[np.float32], bench: Bench, requests: list[MorphRequest]) -> None:
    recipe = of_request(requests[0], requests[1:])
    if options.npy is not None:
        write_npy(options.npy, x, as_values(recipe))
    if options.out is None:
        return
    pictures: Any = bench.spec.to_picture(x)
    if options.out.suffix.lower() in FILMS:
        write_film(options.out, pictures, options.milliseconds, as_film(recipe, options.milliseconds))
    else:
        write_png(options.out, grid(pictures, recipe.shown.columns), recipe)
