"""``main.py invert``: a picture's latent, the picture made of it again, and how far that is off."""

from __future__ import annotations

import argparse
import math
import time
from typing import Any, cast

from core.cli.bench import Bench, check_outputs, named, open_bench, outputs
from core.cli.labels import labels_of
from core.cli.noise import open_sample
from core.cli.output import Progress, report
from core.cli.sample import DEFAULT_STEPS
from core.codec import from_json, to_json
from core.inversion_plan import obstacles, reconstruction
from core.measures import LatentStatistics, latent_statistics, mean_squared_error, psnr
from core.paths import model_timesteps
from core.recipe import as_values, of_request
from core.render import write_npy, write_png
from core.requests import ImageRef, InvertRequest, Precision, SpacingName


def invert(options: argparse.Namespace) -> int:
    """Walk up and down again, write and report; raises Refusal."""
    check_outputs(options, ".png")
    image = open_sample(options.image)
    bench = open_bench(options)
    picture, notes = bench.add(image)
    request = build_inversion(bench, options, picture)
    from core.inversion import InvertRun
    from core.jobs import SampleRun

    inversion = InvertRun(request, bench.library, bench.device, cap=0)  # only the ends are wanted
    down = SampleRun(reconstruction(request), bench.library, bench.device, find_run=lambda _: inversion, cap=0)
    progress = Progress(options.progress)
    for note in (*notes, *obstacles(request)):
        progress.say(f"note: {note}")
    total = request.steps + down.request.steps
    begun = time.monotonic()
    for made in inversion.steps():
        progress.step(made.index + 1, total, "up")
        inversion.refuse_no_numbers()
    for made in down.steps():
        progress.step(request.steps + made.index + 1, total, "down")
        down.refuse_no_numbers()
    seconds = time.monotonic() - begun
    progress.close()
    x0, latent = inversion.trajectory.frame(0), inversion.trajectory.frame(request.steps)
    again = down.trajectory.frame(down.request.steps)
    if options.npy is not None:
        write_npy(options.npy, latent, as_values(of_request(request)))
    if options.out is not None:
        (shown,) = bench.spec.to_picture(again)
        write_png(options.out, shown, of_request(down.request))
    mse = float(mean_squared_error(again, x0, bench.spec.low, bench.spec.high)[0])
    statistics = latent_statistics(latent)
    result = {
        "request": to_json(request),
        "reconstruction": to_json(down.request),
        "device": bench.device,
        "seconds": round(seconds, 4),
        "mse": mse,
        "psnr": psnr(mse) if math.isfinite(psnr(mse)) else None,
        "latent": _numbers(statistics),
        **outputs(options),
        "notes": [*bench.notes, *notes, *obstacles(request)],
    }
    words = (
        f"mean squared error {mse:.3g} a value in [0, 1] (PSNR {psnr(mse):.1f} dB) after {request.steps} steps up and "
        f"{down.request.steps} down in {seconds:.1f} s on {bench.device}; the latent has mean {statistics.mean:.3f} "
        f"and variance {statistics.variance:.3f} (noise: 0 and 1)"
    )
    report(result, options.json, f"{named(options)}: {words}")
    return 0


def build_inversion(bench: Bench, options: argparse.Namespace, picture: ImageRef) -> InvertRequest:
    """The inversion that the options describe, completely resolved. Raises Refusal."""
    info = bench.info
    spacing = cast(SpacingName, options.spacing or info.spacing)
    timesteps = model_timesteps(info, options.steps or DEFAULT_STEPS, spacing)
    request = InvertRequest(
        model=info.ref,
        schedule=info.schedule,
        timesteps=timesteps[::-1],
        spacing=spacing,
        images=(picture,),
        labels=labels_of(info, options.label, 1),
        guidance=options.guidance,
        clip=options.clip or "none",
        convention=options.convention,
        refinements=options.refine,
        precision=cast(Precision, "float32" if options.precision == "auto" else options.precision),
        first_alpha_bar=info.final_alpha_bar,
    )
    return from_json(InvertRequest, to_json(request))


def _numbers(statistics: LatentStatistics) -> dict[str, Any]:
    down, across = statistics.autocorrelation
    return {
        "mean": statistics.mean,
        "variance": statistics.variance,
        "autocorrelation": {"down": down, "across": across},
        "standard_error": {"mean": statistics.mean_error, "variance": statistics.variance_error},
    }
